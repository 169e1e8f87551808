package profile

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// A Case is a recorded message with what a correct decoder gives, in the format
// that integrators send each other.
type Case struct {
	ID          string `json:"id"`
	CaseMessage        // the message under test
	ReceiveTime string `json:"receive_time"`
	Assumptions struct {
		TimeZone string `json:"timezone"`
	} `json:"assumptions"`
	Preceding []CaseMessage `json:"preceding"`
	Quirks    []string      `json:"quirks"`
	Accept    []string      `json:"accept_alternatives"`
}

// CaseMessage is one message of a case with what it must give.
type CaseMessage struct {
	Topic        string             `json:"topic"`
	Encoding     string             `json:"payload_encoding"` // utf8 (default), hex, base64
	Payload      string             `json:"payload"`
	Retained     bool               `json:"retained"`
	QoS          byte               `json:"qos"`
	Dup          bool               `json:"dup"`
	Received     string             `json:"receive_time"`
	Expected     []CaseReading      `json:"expected"`
	Availability []CaseAvailability `json:"expected_availability"`
	Quality      []CaseReading      `json:"expected_quality"`
	Actions      []CaseAction       `json:"expected_actions"`
	MustNotEmit  []CaseForbidden    `json:"must_not_emit"`
}

// CaseReading is one expected reading.
type CaseReading struct {
	Device     string          `json:"device"`
	Point      string          `json:"point"`
	Value      json.RawMessage `json:"value"`
	Unit       *string         `json:"unit"`
	Timestamp  string          `json:"timestamp"` // RFC 3339 or "receive"
	Quality    string          `json:"quality"`
	Historical *bool           `json:"historical"`
	Delta      *float64        `json:"delta"`
}

// CaseAvailability is the expected state of a device.
type CaseAvailability struct {
	Device string `json:"device"`
	State  string `json:"state"`
	At     string `json:"at"`
	Detail string `json:"detail"`
}

// CaseAction is something that must be published.
type CaseAction struct {
	Topic    string  `json:"publish_topic"`
	Payload  *string `json:"payload"`
	Metric   string  `json:"metric"`
	EverySec float64 `json:"every_s_max"`
}

// CaseForbidden describes readings that must not come; every key that is given
// has to match.
type CaseForbidden struct {
	Any    bool            `json:"any"`
	Device string          `json:"device"`
	Point  string          `json:"point"`
	Value  json.RawMessage `json:"value"`
	Before string          `json:"timestamp_before"`
	After  string          `json:"timestamp_after"`
}

// CaseResult is the outcome of one case.
type CaseResult struct {
	ID          string   `json:"id"`
	Pass        bool     `json:"pass"`
	Differences []string `json:"differences"`
}

// ParseCase reads one case.
func ParseCase(data []byte) (*Case, error) {
	c := new(Case)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("read case: %w", err)
	}
	if c.Topic == "" {
		return nil, fmt.Errorf("read case: there is no topic")
	}
	return c, nil
}

// RunCase decodes the messages of a case with a fresh decoder and compares. The
// rules: numbers relative 1e-6 (1e-5 where the source is float32), units by
// conversion, times to the millisecond; value null means that no value may be
// stored; readings beyond the expected are fine unless must_not_emit has them.
func RunCase(set *Set, c *Case) CaseResult {
	k := &caseRun{c: c, tolerance: 1e-6, set: set}
	if slices.Contains(c.Quirks, "float32") || slices.ContainsFunc(c.Quirks, func(q string) bool { return strings.HasPrefix(q, "float32") || q == "half-float" }) {
		k.tolerance = 1e-5
	}
	k.run()
	return CaseResult{ID: c.ID, Pass: len(k.diffs) == 0, Differences: append([]string{}, k.diffs...)}
}

type caseRun struct {
	c         *Case
	set       *Set
	d         *Decoder
	tolerance float64
	received  int64
	avail     map[string]devices.Reading
	quality   map[string]devices.Quality
	actions   []Action
	diffs     []string
	where     string // of a difference: "" for the message under test
}

func (k *caseRun) diff(format string, args ...any) {
	k.diffs = append(k.diffs, k.where+fmt.Sprintf(format, args...))
}

func (k *caseRun) run() {
	site := &devices.Site{ID: "case", Location: time.UTC}
	if z := k.c.Assumptions.TimeZone; z != "" {
		loc, err := time.LoadLocation(z)
		if err != nil {
			k.diff("unknown time zone %q", z)
			return
		}
		site.Location = loc
	}
	k.d = NewDecoder(k.set, site, devices.NewRegistry())
	k.avail = make(map[string]devices.Reading)
	k.quality = make(map[string]devices.Quality)
	for i := range k.c.Preceding {
		m := k.c.Preceding[i]
		if m.Received == "" {
			m.Received = k.c.ReceiveTime
		}
		k.where = fmt.Sprintf("preceding %d: ", i+1)
		k.message(&m)
	}
	k.where = ""
	m := k.c.CaseMessage
	m.Received = k.c.ReceiveTime
	k.message(&m)
}

// Bytes decodes the transport encoding of a payload.
func (m *CaseMessage) Bytes() ([]byte, error) {
	switch m.Encoding {
	case "", "utf8":
		return []byte(m.Payload), nil
	case "hex":
		return hex.DecodeString(strings.ReplaceAll(m.Payload, " ", ""))
	case "base64":
		return base64.StdEncoding.DecodeString(m.Payload)
	}
	return nil, fmt.Errorf("unknown payload_encoding %q", m.Encoding)
}

func (k *caseRun) message(m *CaseMessage) {
	payload, err := m.Bytes()
	if err != nil {
		k.diff("payload: %v", err)
		return
	}
	t, err := time.Parse(time.RFC3339Nano, m.Received)
	if err != nil {
		k.diff("receive_time: %v", err)
		return
	}
	k.received = t.UnixNano()
	msg := devices.Message{Topic: m.Topic, Payload: payload, QoS: m.QoS, Retained: m.Retained, Dup: m.Dup, Received: k.received}
	var out Batch
	trace := k.d.Trace(&msg, &out)
	var readings []*devices.Reading
	emitted := make(map[string]bool) // devices whose availability this message changed
	for i := range out.Readings {
		rd := &out.Readings[i]
		if rd.Point.Kind == devices.Availability {
			k.avail[rd.Point.Device.ID] = *rd
			emitted[rd.Point.Device.ID] = true
			continue
		}
		k.quality[rd.Point.Device.ID+"\n"+rd.Point.Name] = rd.Quality
		readings = append(readings, rd)
	}
	k.actions = append(k.actions, out.Actions...)
	before := len(k.diffs)
	for i := range m.Expected {
		k.expect(&m.Expected[i], readings)
	}
	for i := range m.Availability {
		k.expectState(&m.Availability[i], emitted)
	}
	for i := range m.Quality {
		e := &m.Quality[i]
		if got, ok := k.quality[e.Device+"\n"+e.Point]; !ok || got.String() != e.Quality {
			k.diff("%s %s: want quality %s, got %v", e.Device, e.Point, e.Quality, got)
		}
	}
	for i := range m.MustNotEmit {
		k.forbid(&m.MustNotEmit[i], readings)
	}
	for i := range m.Actions {
		k.expectAction(&m.Actions[i])
	}
	if len(k.diffs) > before && len(readings) == 0 {
		for _, s := range trace.Steps {
			k.diff("  %s: %s", s.Stage, s.Text)
		}
	}
}

// expect finds the reading that fits, or says how the nearest one is off.
func (k *caseRun) expect(e *CaseReading, readings []*devices.Reading) {
	var candidates []*devices.Reading
	for _, rd := range readings {
		if rd.Point.Name == e.Point && (e.Device == "" || rd.Point.Device.ID == e.Device) {
			candidates = append(candidates, rd)
		}
	}
	want := decodeValue(e.Value)
	if want == nil && e.Quality == "" {
		for _, rd := range candidates {
			if Value(rd) != nil {
				k.diff("%s %s: want no value, got %s", e.Device, e.Point, valueText(rd))
			}
		}
		return
	}
	if len(candidates) == 0 {
		k.diff("%s %s: want %s, got nothing%s", e.Device, e.Point, wantText(want, e.Unit), others(e, readings))
		return
	}
	var best []string
	for _, rd := range candidates {
		off := k.compare(e, want, rd)
		if len(off) == 0 {
			return
		}
		if best == nil || len(off) < len(best) {
			best = off
		}
	}
	k.diff("%s %s: %s", e.Device, e.Point, strings.Join(best, ", "))
}

func others(e *CaseReading, readings []*devices.Reading) string {
	var names []string
	for _, rd := range readings {
		if n := rd.Point.Device.ID + " " + rd.Point.Name; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; there is " + strings.Join(names, ", ")
}

// compare lists in how far a reading is not the expected one.
func (k *caseRun) compare(e *CaseReading, want any, rd *devices.Reading) (off []string) {
	if o := k.compareValue(e, want, rd); o != "" {
		off = append(off, o)
	}
	if o := compareTime(e.Timestamp, rd.Time, k.received); o != "" {
		off = append(off, o)
	}
	if e.Quality != "" && rd.Quality.String() != e.Quality {
		off = append(off, fmt.Sprintf("want quality %s, got %s", e.Quality, rd.Quality))
	}
	if e.Historical != nil && rd.Historical() != *e.Historical {
		off = append(off, fmt.Sprintf("want historical %v, got %v", *e.Historical, rd.Historical()))
	}
	if e.Delta != nil && !near(rd.Delta, *e.Delta, k.tolerance) {
		off = append(off, fmt.Sprintf("want a growth of %v, got %v", *e.Delta, rd.Delta))
	}
	return off
}

func (k *caseRun) compareValue(e *CaseReading, want any, rd *devices.Reading) string {
	got := Value(rd)
	wantNum, wantIsNum := want.(float64)
	gotNum, gotIsNum := got.(float64)
	switch {
	case want == nil && got == nil:
		return ""
	case wantIsNum && gotIsNum:
		if e.Unit != nil && *e.Unit != "" {
			from, to := devices.UnitByCode(rd.Point.Unit), devices.UnitByCode(*e.Unit)
			switch {
			case from == nil || to == nil:
				if rd.Point.Unit != *e.Unit {
					return fmt.Sprintf("want unit %s, got %q", *e.Unit, rd.Point.Unit)
				}
			case from.Code == "" && to.Code != "":
				if !slices.ContainsFunc(k.c.Accept, func(s string) bool { return strings.Contains(s, "unit null") }) {
					return fmt.Sprintf("want unit %s, got none", *e.Unit)
				}
			default:
				conv, err := devices.Convert(from, to, false)
				if err != nil {
					return fmt.Sprintf("want unit %s, got %s", *e.Unit, rd.Point.Unit)
				}
				gotNum = conv.Apply(gotNum)
			}
		}
		if near(gotNum, wantNum, k.tolerance) {
			return ""
		}
		return fmt.Sprintf("want %v, got %v, off by %v", wantNum, gotNum, gotNum-wantNum)
	case wantIsNum:
		if b, ok := got.(bool); ok && (wantNum == 1) == b && (wantNum == 0 || wantNum == 1) {
			return ""
		}
	case gotIsNum:
		if b, ok := want.(bool); ok && (gotNum == 1) == b && (gotNum == 0 || gotNum == 1) {
			return ""
		}
	}
	if a, ok := want.(string); ok {
		if b, ok := got.(string); ok && foldLabel(a) == foldLabel(b) {
			return ""
		}
	}
	if want == got {
		return ""
	}
	return fmt.Sprintf("want %s, got %s", wantText(want, e.Unit), wantText(got, &rd.Point.Unit))
}

// foldLabel makes labels comparable that differ in spelling only.
func foldLabel(s string) string {
	return strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(s))
}

func near(a, b, tolerance float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*math.Max(math.Abs(a), math.Abs(b))
}

func wantText(v any, unit *string) string {
	s := fmt.Sprint(v)
	if v == nil {
		s = "no value"
	}
	if text, ok := v.(string); ok {
		s = fmt.Sprintf("%q", text)
	}
	if unit != nil && *unit != "" {
		s += " " + *unit
	}
	return s
}

func decodeValue(raw json.RawMessage) any {
	var v any
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &v) // raw comes out of a parsed document
	}
	return v
}

// compareTime floors to milliseconds.
func compareTime(want string, got, received int64) string {
	if want == "" {
		return ""
	}
	ns := received
	if want != "receive" {
		t, err := time.Parse(time.RFC3339Nano, want)
		if err != nil {
			return fmt.Sprintf("the case has a wrong time %q", want)
		}
		ns = t.UnixNano()
	}
	if floorMilli(ns) != floorMilli(got) {
		return fmt.Sprintf("want time %s, got %s (off by %v)", formatTime(ns), formatTime(got), time.Duration(got-ns).Round(time.Millisecond))
	}
	return ""
}

func floorMilli(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
}

func (k *caseRun) expectState(e *CaseAvailability, emitted map[string]bool) {
	rd, ok := k.avail[e.Device]
	got := Unknown
	if ok {
		got = rd.Text
	}
	accepted := got == e.State || e.Detail != "" && got == e.Detail
	for _, a := range k.c.Accept {
		accepted = accepted || a == fmt.Sprintf("state %q", got)
	}
	if !accepted {
		k.diff("%s: want %s, got %s", e.Device, e.State, got)
		return
	}
	if ok && emitted[e.Device] {
		if off := compareTime(e.At, rd.Time, k.received); off != "" {
			k.diff("%s availability: %s", e.Device, off)
		}
	}
}

func (k *caseRun) forbid(f *CaseForbidden, readings []*devices.Reading) {
	for _, rd := range readings {
		if Value(rd) == nil && !f.Any {
			continue
		}
		if f.Device != "" && f.Device != rd.Point.Device.ID || f.Point != "" && f.Point != rd.Point.Name {
			continue
		}
		if len(f.Value) > 0 && k.compareValue(&CaseReading{}, decodeValue(f.Value), rd) != "" {
			continue
		}
		if t, err := time.Parse(time.RFC3339Nano, f.Before); f.Before != "" && (err != nil || rd.Time >= t.UnixNano()) {
			continue
		}
		if t, err := time.Parse(time.RFC3339Nano, f.After); f.After != "" && (err != nil || rd.Time <= t.UnixNano()) {
			continue
		}
		k.diff("%s %s: must not be emitted, got %s", rd.Point.Device.ID, rd.Point.Name, valueText(rd))
	}
	if f.Device != "" && f.Point == "" && len(f.Value) == 0 && !f.Any && f.Before == "" {
		if _, ok := k.avail[f.Device]; ok {
			k.diff("%s: must not be a device", f.Device)
		}
	}
}

func (k *caseRun) expectAction(e *CaseAction) {
	for i := range k.actions {
		a := &k.actions[i]
		switch {
		case a.Topic != e.Topic:
		case e.Payload != nil && string(a.Payload) != *e.Payload:
		case e.Metric != "" && !strings.Contains(string(a.Payload), e.Metric):
		case e.EverySec > 0 && (a.Every <= 0 || a.Every.Seconds() > e.EverySec):
		default:
			return
		}
	}
	k.diff("want a message to %s to be published", e.Topic)
}
