package profile

import (
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices"
)

// The types of this file and of specshape.go are the profile language: keys by
// their json tags, meaning by the jsonschema tags, from which the editor's JSON
// Schema is generated. What a key does is explained in
// configs/profiles/README.md.

// File is one profile.
type File struct {
	At           *yaml.Node        `json:"-"`
	Profile      string            `json:"profile" jsonschema:"id and version: name/1"`
	Title        devices.Label     `json:"title,omitempty" jsonschema:"what it is called, in English (en) and Chinese (zh)"`
	Class        string            `json:"class,omitempty" jsonschema:"class of the devices: elevator, gate, pump, meter, …"`
	Maker        string            `json:"maker,omitempty" jsonschema:"who makes the device or defines the format"`
	Models       words             `json:"models,omitempty" jsonschema:"models that it is for"`
	Source       words             `json:"source,omitempty" jsonschema:"where the format is described"`
	Caveats      words             `json:"caveats,omitempty" jsonschema:"what to know before relying on it"`
	Requires     string            `json:"requires,omitempty" jsonschema:"smallest version of this language, engine>=1"`
	Extends      words             `json:"extends,omitempty" jsonschema:"ids of profiles that this one is merged over"`
	Vars         ordered[string]   `json:"vars,omitempty" jsonschema:"words that an installation may set; {name} in topics, ${name} everywhere"`
	Templates    ordered[nodeSpec] `json:"templates,omitempty" jsonschema:"groups of points with parameters, taken up by use"`
	Interval     time.Duration     `json:"interval,omitempty" jsonschema:"time between messages of a device"`
	Plausible    PlausibleSpec     `json:"plausible,omitempty" jsonschema:"window outside which a time of the payload is not believed"`
	TimeZone     string            `json:"timezone,omitempty" jsonschema:"zone of local times; the site's when not given"`
	Identity     *IdentitySpec     `json:"identity,omitempty" jsonschema:"device of a message, for all sources"`
	Time         TimeSpecs         `json:"time,omitempty" jsonschema:"time candidates, for all sources"`
	Layouts      ordered[nodeSpec] `json:"layouts,omitempty" jsonschema:"binary layouts that decode steps name"`
	Codecs       ordered[string]   `json:"codecs,omitempty" jsonschema:"JavaScript codecs that decode steps name"`
	Sources      []SourceSpec      `json:"sources,omitempty" jsonschema:"messages that carry readings"`
	Remember     []RememberSpec    `json:"remember,omitempty" jsonschema:"messages that describe devices"`
	Availability []AvailSpec       `json:"availability,omitempty" jsonschema:"messages that say whether a device is there"`
	Quality      []QualitySpec     `json:"quality,omitempty" jsonschema:"messages that say whether a point is to be trusted"`
	Poke         []PokeSpec        `json:"poke,omitempty" jsonschema:"what must be published to keep values coming; off unless an installation allows it"`
	Tests        []TestSpec        `json:"tests,omitempty" jsonschema:"messages with what must come of them"`
}

// PlausibleSpec is the window of believable times.
type PlausibleSpec struct {
	At     *yaml.Node    `json:"-"`
	After  string        `json:"after,omitempty" jsonschema:"first believable day, 2000-01-01"`
	Future time.Duration `json:"future,omitempty" jsonschema:"how far ahead of the receive time, 10m"`
}

// SourceSpec is one kind of message with readings.
type SourceSpec struct {
	At     *yaml.Node `json:"-"`
	Name   string     `json:"name,omitempty" jsonschema:"name in traces and counters"`
	Topic  words      `json:"topic" jsonschema:"topic templates"`
	Ignore words      `json:"ignore,omitempty" jsonschema:"topic templates that are not meant"`
	Also   bool       `json:"also,omitempty" jsonschema:"read this message even when a more specific source reads it too"`
	Decode StepSpecs  `json:"decode,omitempty" jsonschema:"decoding steps, json when not given"`
	PartSpec
	Parts []PartSpec `json:"parts,omitempty" jsonschema:"further readings of the same decoded message, each with its own fan-out"`
}

// PartSpec says how readings come out of a decoded message.
type PartSpec struct {
	At         *yaml.Node         `json:"-"`
	When       WhenSpec           `json:"when,omitempty" jsonschema:"only messages or elements for which this holds"`
	Fanout     []FanSpec          `json:"fanout,omitempty" jsonschema:"from one message to many elements, outermost first"`
	By         *RefSpec           `json:"by,omitempty" jsonschema:"word that chooses the point of an element"`
	Value      *RefSpec           `json:"value,omitempty" jsonschema:"value of an element, for points that give no path"`
	Skip       words              `json:"skip,omitempty" jsonschema:"words of by that are left out, * matches any text; without by, fields that are known and not wanted"`
	Identity   *IdentitySpec      `json:"identity,omitempty" jsonschema:"device of a message or element"`
	Class      string             `json:"class,omitempty" jsonschema:"class of these devices"`
	Time       TimeSpecs          `json:"time,omitempty" jsonschema:"time candidates"`
	Quality    *QualityOf         `json:"quality,omitempty" jsonschema:"quality that the message states about its values"`
	Historical bool               `json:"historical,omitempty" jsonschema:"these readings are records of the past"`
	Use        []nodeSpec         `json:"use,omitempty" jsonschema:"templates to take up, with their parameters"`
	Points     ordered[PointSpec] `json:"points,omitempty" jsonschema:"points by name"`
}

// IdentitySpec gives the device.
type IdentitySpec struct {
	At        *yaml.Node `json:"-"`
	Device    *RefSpec   `json:"device" jsonschema:"id of the device"`
	Normalise words      `json:"normalise,omitempty" jsonschema:"lower, upper, trim, mac, eui, base64_hex"`
}

// FanSpec is one stage of a fan-out; exactly one of its ways is given.
type FanSpec struct {
	At         *yaml.Node      `json:"-"`
	Each       *string         `json:"each,omitempty" jsonschema:"path of an array; each element becomes the scope"`
	Entries    *string         `json:"entries,omitempty" jsonschema:"path of an object; each key with its value"`
	MatchKeys  string          `json:"match_keys,omitempty" jsonschema:"keys that this expression matches, with their values; its groups are words"`
	Leaves     *string         `json:"leaves,omitempty" jsonschema:"path of a tree; each scalar in it with its path"`
	Zip        ordered[string] `json:"zip,omitempty" jsonschema:"parallel arrays: word and path of each"`
	Lines      *string         `json:"lines,omitempty" jsonschema:"lines of a text that this expression matches; its groups are words"`
	Chunks     *ChunkSpec      `json:"chunks,omitempty" jsonschema:"groups of a flat array"`
	In         string          `json:"in,omitempty" jsonschema:"path that match_keys and lines look at; the scope when not given"`
	As         string          `json:"as,omitempty" jsonschema:"word for the element: $word.key, $word.value, $word.path, or a path in it"`
	Carry      words           `json:"carry,omitempty" jsonschema:"fields whose last value goes on to elements that lack them"`
	When       WhenSpec        `json:"when,omitempty" jsonschema:"only elements for which this holds"`
	Historical bool            `json:"historical,omitempty" jsonschema:"elements are records of the past"`
}

// ChunkSpec cuts a flat array.
type ChunkSpec struct {
	At   *yaml.Node `json:"-"`
	Path string     `json:"path,omitempty" jsonschema:"path of the array; the scope when not given"`
	From int        `json:"from,omitempty" jsonschema:"elements to leave out at the beginning"`
	As   words      `json:"as" jsonschema:"word for each element of a group"`
}

// PointSpec is one point: where its value is and what is done with it.
type PointSpec struct {
	At         *yaml.Node    `json:"-"`
	Name       *RefSpec      `json:"name,omitempty" jsonschema:"name of the point when the key is not"`
	Role       string        `json:"role,omitempty" jsonschema:"what it means, a word of the vocabulary; values become the role's unit"`
	Path       *string       `json:"path,omitempty" jsonschema:"gjson path of the value in the scope"`
	Value      *RefSpec      `json:"value,omitempty" jsonschema:"reference to the value"`
	Required   bool          `json:"required,omitempty" jsonschema:"a message without it is an error"`
	When       WhenSpec      `json:"when,omitempty" jsonschema:"only when this holds"`
	ValidIf    *RefSpec      `json:"valid_if,omitempty" jsonschema:"path of a flag, or {expr: …}; the reading is bad when it is not true"`
	Missing    scalars       `json:"missing,omitempty" jsonschema:"values that mean: no value"`
	Parse      *ParseSpec    `json:"parse,omitempty" jsonschema:"how a text becomes a number"`
	Type       string        `json:"type,omitempty" jsonschema:"number, string, bool or auto"`
	Bit        *int          `json:"bit,omitempty" jsonschema:"one bit of a whole number as true or false"`
	Bits       string        `json:"bits,omitempty" jsonschema:"bits first..last of a whole number"`
	Token      string        `json:"token,omitempty" jsonschema:"true when this word is in a list of words"`
	Bool       *BoolSpec     `json:"bool,omitempty" jsonschema:"values that are true and that are false"`
	Enum       *EnumSpec     `json:"enum,omitempty" jsonschema:"label, true, false or a number for each value"`
	Expr       string        `json:"expr,omitempty" jsonschema:"expression that gives the value"`
	Scale      *ScaleSpec    `json:"scale,omitempty" jsonschema:"factor: a number or an expression"`
	Offset     float64       `json:"offset,omitempty" jsonschema:"added after scale"`
	Unit       *UnitSpec     `json:"unit,omitempty" jsonschema:"unit of the value in the message"`
	As         string        `json:"as,omitempty" jsonschema:"unit of the readings"`
	Range      []float64     `json:"range,omitempty" jsonschema:"smallest and largest possible value, in the unit of the readings"`
	Kind       string        `json:"kind,omitempty" jsonschema:"gauge, counter, state, event or text"`
	Counter    *CounterSpec  `json:"counter,omitempty" jsonschema:"how a counter counts"`
	ID         []RefSpec     `json:"id,omitempty" jsonschema:"what identifies an event, so that a repeated delivery is one event"`
	Quality    *QualityOf    `json:"quality,omitempty" jsonschema:"quality that the message states about this value"`
	Time       TimeSpecs     `json:"time,omitempty" jsonschema:"time candidates of this point"`
	Lateness   time.Duration `json:"lateness,omitempty" jsonschema:"how long after its own time it may arrive and still be waited for, 1h at most"`
	Historical bool          `json:"historical,omitempty" jsonschema:"a record of the past"`
	Privacy    string        `json:"privacy,omitempty" jsonschema:"drop or hash personal data"`
}

// CounterSpec says how a counter counts.
type CounterSpec struct {
	At       *yaml.Node `json:"-"`
	Width    int        `json:"width,omitempty" jsonschema:"bits after which it begins again at 0"`
	Reset    string     `json:"reset,omitempty" jsonschema:"detect (a smaller value is a reset) or none"`
	PerPulse string     `json:"per_pulse,omitempty" jsonschema:"quantity of one count: 10 L"`
}

// ParseSpec says how a text becomes a number.
type ParseSpec struct {
	At     *yaml.Node `json:"-"`
	Number string     `json:"number,omitempty" jsonschema:"plain, de (1.234,5), en (1,234.5) or auto"`
	Unit   string     `json:"unit,omitempty" jsonschema:"strip the unit after the number, or take it"`
	Hex    string     `json:"hex,omitempty" jsonschema:"hexadecimal: unsigned or signed"`
	Int    int        `json:"int,omitempty" jsonschema:"whole number of this base"`
	Match  string     `json:"match,omitempty" jsonschema:"regular expression; its first group is the value"`
}

// BoolSpec lists the values of a truth value.
type BoolSpec struct {
	At    *yaml.Node `json:"-"`
	True  scalars    `json:"true" jsonschema:"values that are true"`
	False scalars    `json:"false,omitempty" jsonschema:"values that are false; any other when not given"`
}

// QualityOf says where a message states the quality of its values.
type QualityOf struct {
	At   *yaml.Node      `json:"-"`
	Path *string         `json:"path,omitempty" jsonschema:"path of the status"`
	Expr string          `json:"expr,omitempty" jsonschema:"expression that gives good, uncertain or bad"`
	Map  ordered[string] `json:"map,omitempty" jsonschema:"good, uncertain or bad for each status; else for any other"`
}

// RememberSpec is one kind of message that describes devices.
type RememberSpec struct {
	At       *yaml.Node       `json:"-"`
	Topic    words            `json:"topic" jsonschema:"topic templates"`
	Decode   StepSpecs        `json:"decode,omitempty" jsonschema:"decoding steps, json when not given"`
	When     WhenSpec         `json:"when,omitempty" jsonschema:"only messages for which this holds"`
	Fanout   []FanSpec        `json:"fanout,omitempty" jsonschema:"from one message to many elements"`
	Identity *IdentitySpec    `json:"identity,omitempty" jsonschema:"device that is described"`
	Point    *RefSpec         `json:"point,omitempty" jsonschema:"point that is described; the whole device when not given"`
	Values   ordered[RefSpec] `json:"values" jsonschema:"what to remember: $meta.word gives it back"`
}

// AvailSpec is one way in which a device shows whether it is there.
type AvailSpec struct {
	At       *yaml.Node      `json:"-"`
	Topic    words           `json:"topic,omitempty" jsonschema:"topic templates"`
	Decode   StepSpecs       `json:"decode,omitempty" jsonschema:"decoding steps, json_or_text when not given"`
	Path     *string         `json:"path,omitempty" jsonschema:"path of the word"`
	When     WhenSpec        `json:"when,omitempty" jsonschema:"only messages for which this holds"`
	Identity *IdentitySpec   `json:"identity,omitempty" jsonschema:"device that it is about"`
	Class    string          `json:"class,omitempty" jsonschema:"class of a device that only shows itself here"`
	Online   scalars         `json:"online,omitempty" jsonschema:"words for: it is there"`
	Offline  scalars         `json:"offline,omitempty" jsonschema:"words for: it is not"`
	Map      ordered[string] `json:"map,omitempty" jsonschema:"online, offline, degraded or unknown for each word; else for any other"`
	Scope    string          `json:"scope,omitempty" jsonschema:"device (default), or bridge: all devices whose topic words agree"`
	Time     TimeSpecs       `json:"time,omitempty" jsonschema:"time candidates"`
	Gone     bool            `json:"empty_payload,omitempty" jsonschema:"an empty message on a source's topic means: the device is gone"`
	Silence  string          `json:"silence,omitempty" jsonschema:"after this long without a message a device is silent: 15m, or 3x of expect"`
	Expect   time.Duration   `json:"expect,omitempty" jsonschema:"time between messages"`
}

// QualitySpec is a message that says whether a point is to be trusted.
type QualitySpec struct {
	At       *yaml.Node    `json:"-"`
	Topic    words         `json:"topic" jsonschema:"topic templates"`
	Decode   StepSpecs     `json:"decode,omitempty" jsonschema:"decoding steps, json_or_text when not given"`
	Identity *IdentitySpec `json:"identity,omitempty" jsonschema:"device that it is about"`
	Point    *RefSpec      `json:"point,omitempty" jsonschema:"point that it is about; {point} when not given, * for all"`
	When     WhenSpec      `json:"when" jsonschema:"when this holds the quality is set, else the point is good again"`
	Set      string        `json:"set" jsonschema:"uncertain or bad"`
}

// PokeSpec is a message to publish.
type PokeSpec struct {
	At      *yaml.Node    `json:"-"`
	Publish string        `json:"publish" jsonschema:"topic; {word} takes topic words of a message of this profile"`
	Payload string        `json:"payload,omitempty" jsonschema:"text to publish"`
	Every   time.Duration `json:"every" jsonschema:"how often"`
}
