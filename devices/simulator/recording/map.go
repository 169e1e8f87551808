package recording

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
)

// Map says how the columns of a recording become messages. It is made by
// ParseMap and checked against the columns of a file by NewReader.
type Map struct {
	file     string
	time     timeEntry
	location *time.Location
	comma    rune // 0: guess from the header
	decimal  string
	missing  []string
	batch    int
	messages []message
}

type mapFile struct {
	Pos       document.Pos
	Time      timeEntry      `yaml:"time"`
	Delimiter string         `yaml:"delimiter"`
	Decimal   string         `yaml:"decimal"`
	Missing   []string       `yaml:"missing"`
	Batch     int            `yaml:"batch"`
	Messages  []messageEntry `yaml:"messages"`
}

type timeEntry struct {
	Pos    document.Pos
	Column string `yaml:"column"`
	Format string `yaml:"format"`
	Zone   string `yaml:"zone"`
}

type messageEntry struct {
	Pos       document.Pos
	Device    string                   `yaml:"device"`
	Topic     string                   `yaml:"topic"`
	QoS       *int                     `yaml:"qos"`
	Retain    bool                     `yaml:"retain"`
	TimeKey   string                   `yaml:"time_key"`
	Fields    map[string]fieldEntry    `yaml:"fields"`
	Constants map[string]constantEntry `yaml:"constants"`
}

// The QoS of a message is 1 unless the map says otherwise.
const defaultQoS = 1

// fieldEntry may be written as the column alone.
type fieldEntry struct {
	Pos    document.Pos
	Column string  `yaml:"column"`
	Scale  float64 `yaml:"scale"`
	Offset float64 `yaml:"offset"`
	Unit   string  `yaml:"unit"`
	As     string  `yaml:"as"`
	Text   bool    `yaml:"text"`
}

// UnmarshalText reads the short form.
func (f *fieldEntry) UnmarshalText(text []byte) error { f.Column = string(text); return nil }

// constantEntry is a value as it will stand in the payload.
type constantEntry string

// UnmarshalText takes numbers and truth values as such, all else as a text.
func (c *constantEntry) UnmarshalText(text []byte) error {
	s := string(text)
	if s != "true" && s != "false" && !isNumber(s) {
		s = string(appendText(nil, s))
	}
	*c = constantEntry(s)
	return nil
}

// message is one entry of messages, ready to be filled.
type message struct {
	pos       document.Pos
	device    template
	topic     template
	qos       byte
	retain    bool
	timeKey   string
	fields    []field
	constants []byte // `,"key":value…`
}

type field struct {
	pos    document.Pos
	key    string
	column string
	scale  float64
	offset float64
	unit   *devices.Conversion // applied after scale and offset; nil for none
	text   bool
}

var delimiters = map[string]rune{"": 0, ",": ',', ";": ';', "tab": '\t', "|": '|'}

// ParseMap reads and checks a map file.
func ParseMap(file string, data []byte) (*Map, diag.List) {
	f := mapFile{Time: timeEntry{Zone: "UTC"}, Decimal: ".", Missing: []string{"NaN", "nan", "null"}, Batch: 1}
	list := document.Decode(file, data, &f)
	if f.Pos.Line == 0 && list.HasErrors() {
		return nil, list // not YAML at all
	}
	bad := func(p document.Pos, hint, format string, args ...any) {
		list.Add(p.Error(file, fmt.Sprintf(format, args...), hint))
	}
	m := &Map{file: file, time: f.Time, decimal: f.Decimal, missing: f.Missing, batch: f.Batch, location: time.UTC}
	at := f.Time.Pos
	if at.Line == 0 {
		at = f.Pos
	}
	if f.Time.Column == "" {
		bad(at, "time: {column: …, format: …}", "the map does not say which column is the time")
	}
	checkFormat(f.Time.Format, func(hint, format string, args ...any) { bad(at, hint, format, args...) })
	if loc, err := time.LoadLocation(f.Time.Zone); err != nil || f.Time.Zone == "Local" {
		bad(at, "an IANA name such as Asia/Shanghai", "time zone is %q", f.Time.Zone)
	} else {
		m.location = loc
	}
	comma, known := delimiters[f.Delimiter]
	if !known {
		bad(f.Pos, `"," or ";" or "|" or tab; left out it is guessed from the header`, "delimiter is %q", f.Delimiter)
	}
	m.comma = comma
	if f.Decimal != "." && f.Decimal != "," {
		bad(f.Pos, `"." or ","`, "decimal is %q", f.Decimal)
	}
	if f.Batch < 1 {
		bad(f.Pos, "a number of rows, 1 or more", "batch is %d", f.Batch)
	}
	if len(f.Messages) == 0 {
		bad(f.Pos, "messages: a list of at least one {topic, fields}", "the map publishes nothing")
	}
	for _, e := range f.Messages {
		if f.Batch > 1 && strings.Contains(strings.ReplaceAll(e.Topic, "{device}", "")+e.Device, "{") {
			bad(e.Pos, "a batch belongs to one device: leave out batch, or name the device", "a batch with a topic that changes from row to row")
		}
		m.messages = append(m.messages, e.compile(bad, func(p document.Pos, hint, format string, args ...any) {
			d := p.Error(file, fmt.Sprintf(format, args...), hint)
			d.Level = diag.Warning
			list.Add(d)
		}))
	}
	list.Sort()
	return m, list
}

func checkFormat(format string, bad func(hint, format string, args ...any)) {
	switch format {
	case "rfc3339", "unix", "unix_ms":
		return
	case "":
		bad(`rfc3339, unix, unix_ms, or a layout such as "2006-01-02 15:04:05"`, "the time has no format")
		return
	}
	// A layout that is none prints itself for every time.
	probe := time.Date(2031, 11, 29, 17, 48, 53, 0, time.UTC)
	if probe.Format(format) == format {
		hint := diag.Nearest(format, []string{"rfc3339", "unix", "unix_ms"})
		if hint != "" {
			hint = fmt.Sprintf("did you mean %q?", hint)
		} else {
			hint = `write how 2 January 2006, 15:04:05 would look, such as "2006-01-02 15:04:05"`
		}
		bad(hint, "time format is %q", format)
	}
}

type report func(p document.Pos, hint, format string, args ...any)

// compile checks one entry. Fields keep the order in which they are written.
func (e *messageEntry) compile(bad, warn report) message {
	qos := defaultQoS
	if e.QoS != nil {
		qos = *e.QoS
	}
	m := message{pos: e.Pos, qos: byte(qos), retain: e.Retain, timeKey: cmp.Or(e.TimeKey, "time")}
	if m.timeKey == "none" {
		m.timeKey = ""
	}
	if qos < 0 || qos > 2 {
		bad(e.Pos, "0, 1 or 2; 1 when left out", "qos is %d", qos)
	}
	var err error
	if m.device, err = parseTemplate(e.Device); err != nil {
		bad(e.Pos, "", "device: %v", err)
	}
	if m.topic, err = parseTemplate(e.Topic); err != nil {
		bad(e.Pos, "", "topic: %v", err)
	}
	switch {
	case e.Topic == "":
		bad(e.Pos, "topic: facility/pump/{device}/telemetry", "a message has no topic")
	case strings.ContainsAny(e.Topic, "+#"):
		bad(e.Pos, "a topic to publish to has no wildcards", "topic is %q", e.Topic)
	case e.Device == "" && strings.Contains(e.Topic, "{device}"):
		bad(e.Pos, "device: a name, or {Column}", "the topic names {device}, but no device is given")
	}
	if len(e.Fields) == 0 {
		bad(e.Pos, "fields: {key: column, …}", "a message has no fields")
	}
	generic := strings.HasPrefix(e.Topic, "facility/")
	for key, f := range e.Fields {
		pos := f.Pos
		if f.Column == "" {
			bad(pos, "column: the header of a column", "field %s names no column", key)
		}
		if f.Text && (f.Scale != 0 || f.Offset != 0 || f.Unit != "") {
			bad(pos, "leave out text, or scale, offset and unit", "field %s is a text and cannot be scaled", key)
		}
		if generic && devices.RoleByName(key) == nil {
			warn(pos, diag.DidYouMean(key, roleNames()), "%q is no role: the generic profile will not know it", key)
		}
		m.fields = append(m.fields, field{pos: pos, key: key, column: f.Column, scale: cmp.Or(f.Scale, 1), offset: f.Offset, unit: f.conversion(key, bad), text: f.Text})
	}
	slices.SortFunc(m.fields, func(a, b field) int { // as they are written
		return cmp.Or(cmp.Compare(a.pos.Line, b.pos.Line), cmp.Compare(a.pos.Column, b.pos.Column))
	})
	var keys []string
	for k := range e.Constants {
		if _, twice := e.Fields[k]; twice || k == m.timeKey {
			bad(e.Pos, "keep one of them", "key %s is given twice", k)
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		m.constants = appendKey(m.constants, k)
		m.constants = append(m.constants, e.Constants[k]...)
	}
	return m
}

// conversion is from the recorded unit to the one given by `as`, or to the unit
// of the role that the key names.
func (f *fieldEntry) conversion(key string, bad report) *devices.Conversion {
	if f.Unit == "" {
		if f.As != "" {
			bad(f.Pos, "unit: what the recording has", "field %s says as, but no unit", key)
		}
		return nil
	}
	as := f.As
	if r := devices.RoleByName(key); as == "" && r != nil {
		as = r.Unit
	}
	if as == "" {
		bad(f.Pos, "as: the unit to publish", "%q is no role with a unit: what should %s become?", key, f.Unit)
		return nil
	}
	from, to := devices.UnitByCode(f.Unit), devices.UnitByCode(as)
	if from == nil || to == nil {
		unknown := f.Unit
		if from != nil {
			unknown = as
		}
		bad(f.Pos, diag.DidYouMean(unknown, devices.UnitWords()), "unknown unit %q", unknown)
		return nil
	}
	c, err := devices.Convert(from, to, false)
	if err != nil {
		bad(f.Pos, "", "field %s: %v", key, err)
		return nil
	}
	return &c
}

func roleNames() []string {
	names := make([]string, len(devices.Roles))
	for i, r := range devices.Roles {
		names[i] = r.Name
	}
	return names
}

// template is a text with words from columns in it.
type template []templatePart

type templatePart struct {
	literal string
	column  string // "" for a literal
	index   int    // of the column, set when the header is known; -1 is the device
}

func parseTemplate(s string) (template, error) {
	var t template
	for s != "" {
		before, rest, found := strings.Cut(s, "{")
		if before != "" {
			t = append(t, templatePart{literal: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" {
			return nil, fmt.Errorf("%q has a { that names nothing", s)
		}
		t = append(t, templatePart{column: name})
		s = after
	}
	return t, nil
}
