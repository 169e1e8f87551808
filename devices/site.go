package devices

import "time"

// Label is a text in the languages that people read. English is the fallback.
type Label struct {
	EN string `json:"en" yaml:"en"`
	ZH string `json:"zh,omitempty" yaml:"zh,omitempty"`
}

// In returns the label in the language ("en" or "zh"), English when it lacks.
func (l Label) In(lang string) string {
	if lang == "zh" && l.ZH != "" {
		return l.ZH
	}
	return l.EN
}

// Quantity is a fact about an asset: a number with a unit, or a word.
type Quantity struct {
	Value float64 // in Unit
	Unit  string  // canonical code; "" for a word or a plain number
	Word  string
}

// Criticality weighs an asset when a severity becomes a tier.
type Criticality string

// The criticalities, least first. "" is Normal.
const (
	MinorAsset  Criticality = "minor"
	NormalAsset Criticality = "normal"
	VitalAsset  Criticality = "vital" // one tier up
)

// An Asset is the thing that is maintained. It outlives its devices.
type Asset struct {
	ID          string
	Class       string
	Name        Label
	Parent      string   // asset that contains it
	FedBy       []string // assets without which it cannot work (feeder → pump)
	Criticality Criticality
	Facts       map[string]Quantity // rated_current, vibration_group, …: never guessed
	// Limits are numbers that hold for this asset in the place of the site's.
	Limits   Limits
	Implicit bool // stands for a device that no site file maps
}

// A Limit is a number that a site or an asset sets in the place of the one that a
// rule ships with.
type Limit struct {
	Value  float64 // in Unit
	Unit   string  // canonical code; "" for a plain number
	Source string  // where it comes from
	Mark   string  // v, c, k or j as for the source of a rule
	By     string  // who set it, and when; "" and zero when nobody said
	At     Date
}

// Limits are limits by the id of their rule, then by name.
type Limits map[string]map[string]Limit

// DeviceSpec is what a site file says about one device.
type DeviceSpec struct {
	ID        string
	Asset     string
	Profile   string // "" = whichever profile matches
	Class     string // "" = the profile's class
	TimeZone  *time.Location
	Interval  time.Duration
	Lateness  time.Duration // 0 = the profile's
	Simulated bool
}

// A Site is one property. It is never split over two workers and its id is part
// of every key.
type Site struct {
	ID       string
	Name     Label
	Location *time.Location
	// Calendar is when its people work; nil when nobody said: day and night for
	// deadlines, Monday to Friday for rules.
	Calendar *Calendar
	// Limits hold for every asset that does not set its own.
	Limits  Limits
	Assets  []Asset
	Devices []DeviceSpec
	// AdoptListed: only devices that the site file or a person named are read;
	// others are seen, not known. Otherwise a device that a profile matches is
	// adopted as its own asset.
	AdoptListed bool
	// EnableRules and DisableRules switch rules by id on this site, whatever their
	// files say.
	EnableRules, DisableRules []string
	// ProfileVars sets variables of profiles on this site: by name of the profile
	// (without version), then by name of the variable.
	ProfileVars map[string]map[string]string
	// Simulated marks every device of the site.
	Simulated bool
}

// Classes are the kinds of asset and device. The class is the measurement name
// in InfluxDB.
var Classes = []string{
	"elevator", "escalator", "gate", "pump", "meter",
	"power", "fire", "hvac", "air", "lighting", "tank", "gateway", "sensor",
	"place", // a tower or a room: it contains others and publishes nothing
}
