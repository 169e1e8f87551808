package board

import (
	"context"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Live is what the board shows of the running daemon. Every answer is a copy of
// one moment; all methods are safe for use by several goroutines.
type Live interface {
	// Sites are the sites of the configuration in force, in a stable order.
	Sites() []*devices.Site
	// Devices are the known devices of a site by id, without their points.
	Devices(site string) []Device
	// Device is one device with its points.
	Device(site, id string) (Device, bool)
	// Accounting gives both equations of a site.
	Accounting(site string) Accounting
	Status() Status
	// Strangers are the devices of a site that are seen, not known.
	Strangers(site string) []Stranger
	// Adopt makes a stranger known, by way of the journal.
	Adopt(ctx context.Context, a Adoption, by string, at time.Time) error
	// Explain tells how the rules of an asset stand now, or stood at a time that is
	// not zero: the journal is replayed up to it. Errors are those of
	// [rules.Engine.Explain], and [*ticketing.InvalidError] for a time that the
	// journal does not hold.
	Explain(ctx context.Context, site string, q rules.Question, at time.Time) (Moment, error)
	// Windows are the maintenance windows and visits of a site.
	Windows(site string) []rules.WindowView
	// Suppressed is what would have been opened on a site and was not.
	Suppressed(site string) ([]rules.SuppressedView, []rules.SuppressedCount)
	// Tell brings what a person did to the rules, by way of the journal. Once it
	// returns without an error the rules will hear of it.
	Tell(ctx context.Context, site string, f devices.Fact) error
}

// A Device is a device as it stands now.
type Device struct {
	Site         string    `json:"site"`
	ID           string    `json:"id"`
	Asset        string    `json:"asset"`
	Class        string    `json:"class"`
	Profile      string    `json:"profile" doc:"Profile that decodes it, id/version"`
	Simulated    bool      `json:"simulated"`
	Availability string    `json:"availability" enum:"online,offline,degraded,unknown"`
	Since        time.Time `json:"availability_since,omitzero" doc:"Since when the availability is what it is"`
	LastMessage  time.Time `json:"last_message,omitzero" doc:"When its newest message was received; retained messages do not count"`
	Points       []Point   `json:"points,omitempty"`
}

// A Point is the newest reading of a point.
type Point struct {
	Name    string    `json:"name"`
	Role    string    `json:"role,omitempty" doc:"What it means, a word of the role vocabulary"`
	Unit    string    `json:"unit,omitempty"`
	Kind    string    `json:"kind" enum:"gauge,counter,state,event,text,availability"`
	Value   *float64  `json:"value,omitempty" doc:"Absent when the point has words only, or a bad reading"`
	Text    string    `json:"text,omitempty"`
	Quality string    `json:"quality" enum:"good,uncertain,bad"`
	Time    time.Time `json:"time" doc:"Time of the reading"`
	Age     float64   `json:"age_seconds" doc:"Seconds between the reading and now"`
}

// Accounting is promise 7 of the design: where every message and every reading
// went.
type Accounting struct {
	Sources []SourceAccount `json:"sources"`
	Devices []DeviceAccount `json:"devices"`
}

// SourceAccount is the messages of one source: received = journaled + rejected.
type SourceAccount struct {
	Source    string           `json:"source" doc:"Name of the broker connection"`
	Received  int64            `json:"received"`
	Journaled int64            `json:"journaled"`
	Rejected  map[string]int64 `json:"rejected" doc:"Rejected messages by reason"`
	Balance   int64            `json:"balance" doc:"received - journaled - rejected: messages on their way; 0 when at rest"`
}

// DeviceAccount is the readings of one device: decoded = stored + duplicate +
// ignored + unmapped + pending.
type DeviceAccount struct {
	Device    string `json:"device"`
	Decoded   int64  `json:"decoded"`
	Stored    int64  `json:"stored"`
	Duplicate int64  `json:"duplicate"`
	Ignored   int64  `json:"ignored"`
	Unmapped  int64  `json:"unmapped"`
	Pending   int64  `json:"pending"`
	Balance   int64  `json:"balance" doc:"decoded - stored - duplicate - ignored - unmapped - pending; always 0"`
}

// Status is how the daemon is.
type Status struct {
	Version       string      `json:"version"`
	Started       time.Time   `json:"started,omitzero"`
	Configuration string      `json:"configuration" doc:"Hash of the configuration in force"`
	ReloadError   string      `json:"reload_error,omitempty" doc:"Why the last reload was not taken over; empty when it was"`
	ReloadAt      time.Time   `json:"reload_at,omitzero" doc:"When the last reload was tried"`
	Tasks         []Task      `json:"tasks,omitempty" doc:"What a person has to provide before some rules are switched on"`
	Lags          []Lag       `json:"lags"`
	Clock         DaemonClock `json:"clock"`
}

// Task is a fact of an asset that rules wait for.
type Task struct {
	Site  string        `json:"site"`
	Asset string        `json:"asset"`
	Fact  string        `json:"fact" doc:"As the site file names it"`
	Label devices.Label `json:"label" doc:"What it is"`
	Unit  string        `json:"unit,omitempty"`
	Rules []string      `json:"rules" doc:"Rules that are off until it is given"`
}

// DaemonClock is the time that the daemon works in.
type DaemonClock struct {
	Kind   string    `json:"kind" enum:"machine,estate"`
	Factor float64   `json:"factor" doc:"Seconds of this clock per second; 1 for the machine's"`
	Now    time.Time `json:"now"`
}

// Lag is how far a consumer of a journal is behind.
type Lag struct {
	Site     string  `json:"site"`
	Consumer string  `json:"consumer" doc:"rules, orders or history"`
	Records  uint64  `json:"records"`
	Seconds  float64 `json:"seconds"`
}

// siteInfo finds sites and assets by id for one request.
type siteInfo struct {
	byID   map[string]*devices.Site
	assets map[string]*devices.Asset // site/asset
	order  []*devices.Site
}

func (b *Board) sites() siteInfo {
	s := siteInfo{byID: map[string]*devices.Site{}, assets: map[string]*devices.Asset{}, order: b.cfg.Live.Sites()}
	for _, site := range s.order {
		s.byID[site.ID] = site
		for i := range site.Assets {
			s.assets[site.ID+"/"+site.Assets[i].ID] = &site.Assets[i]
		}
	}
	return s
}

// location is the site's time zone; that of the first site for what belongs to
// none, UTC when nothing is configured.
func (s siteInfo) location(site string) *time.Location {
	if site == "" && len(s.order) > 0 {
		site = s.order[0].ID
	}
	if x := s.byID[site]; x != nil && x.Location != nil {
		return x.Location
	}
	return time.UTC
}

func (s siteInfo) siteName(site string) devices.Label {
	if x := s.byID[site]; x != nil && x.Name.EN != "" {
		return x.Name
	}
	return devices.Label{EN: site}
}

// assetName is the name people use; the id when nobody gave one.
func (s siteInfo) assetName(site, asset string) devices.Label {
	if a := s.assets[site+"/"+asset]; a != nil && a.Name.EN != "" {
		return a.Name
	}
	return devices.Label{EN: asset}
}
