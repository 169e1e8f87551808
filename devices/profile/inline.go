package profile

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// defaultReceived is the receive time of a test that does not say one.
const defaultReceived = "2026-01-01T00:00:00Z"

// runTests runs the tests inside a profile against this profile alone, and
// reports failures at the test. What other profiles do with the same topics is
// not its concern.
func (s *Set) runTests(p *Profile, list *diag.List) {
	alone := &Set{profiles: []*Profile{p}, byID: map[string]*Profile{p.ID: p}, parts: s.parts}
	index := p.index
	p.index = 0
	for _, rule := range p.rules {
		alone.matcher.add(rule)
	}
	for i := range p.Spec.Tests {
		t := &p.Spec.Tests[i]
		r := &reader{file: p.File, list: list}
		c := t.asCase(r)
		for _, d := range RunCase(alone, c).Differences {
			name := t.Name
			if name == "" {
				name = t.Topic
			}
			r.report(t.At, diag.Error, "test "+quoted(name)+": "+d, "")
		}
	}
	p.index = index
}

func quoted(s string) string { return `"` + s + `"` }

// asCase writes a test as a case.
func (t *TestSpec) asCase(r *reader) *Case {
	c := &Case{ID: t.Name, ReceiveTime: t.Received, Quirks: []string{"float32"}}
	if c.ReceiveTime == "" {
		c.ReceiveTime = defaultReceived
	}
	c.Assumptions.TimeZone = t.TimeZone
	for i := range t.Before {
		c.Preceding = append(c.Preceding, t.Before[i].asMessage(r))
	}
	c.CaseMessage = t.MessageSpec.asMessage(r)
	if t.Expect != nil {
		t.add(c, t.Expect.Readings, t.Device)
	}
	for _, d := range t.Devices {
		t.add(c, d.Value.Readings, d.Key)
	}
	for _, a := range t.Availability {
		c.Availability = append(c.Availability, CaseAvailability{Device: a.Key, State: a.Value})
	}
	for _, a := range t.Actions {
		c.Actions = append(c.Actions, CaseAction{Topic: a.Text})
	}
	if t.Nothing {
		c.MustNotEmit = append(c.MustNotEmit, CaseForbidden{Any: true})
	}
	if t.Expect == nil && len(t.Devices) == 0 && len(t.Availability) == 0 && len(t.Actions) == 0 && !t.Nothing {
		r.hintf(t.At, "expect, devices, availability, actions, or nothing: true", "the test expects nothing")
	}
	return c
}

func (t *TestSpec) add(c *Case, readings []ExpectedReading, device string) {
	for i := range readings {
		e := &readings[i]
		cr := CaseReading{Device: e.Device, Point: e.Point, Unit: e.Unit, Timestamp: e.Time, Quality: e.Quality, Historical: e.Historical, Delta: e.Delta}
		if cr.Device == "" {
			cr.Device = device
		}
		if cr.Timestamp == "" {
			cr.Timestamp = t.Time
		}
		cr.Value, cr.Unit = expectedValue(&e.Value, cr.Unit)
		c.Expected = append(c.Expected, cr)
	}
}

// expectedValue splits "21.5 °C" into value and unit; absent is no value.
func expectedValue(s *scalarSpec, unit *string) (json.RawMessage, *string) {
	v := s.Value
	if v.kind == nullValue || v.kind == stringValue && v.str == "absent" {
		return nil, unit
	}
	if v.kind == stringValue && s.At.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
		num, rest, ok := strings.Cut(v.str, " ")
		if f, isNum := plainNumber(num); ok && isNum {
			rest = strings.TrimSpace(rest)
			return json.RawMessage(numValue(f).raw), &rest
		}
	}
	var raw []byte
	switch v.kind {
	case boolValue:
		raw, _ = json.Marshal(v.num == 1)
	case numberValue:
		raw, _ = json.Marshal(v.num)
	default:
		raw, _ = json.Marshal(v.str)
	}
	return raw, unit
}

func (m *MessageSpec) asMessage(r *reader) CaseMessage {
	c := CaseMessage{Topic: m.Topic, Retained: m.Retained, Received: m.Received, Encoding: "utf8"}
	given := 0
	if m.Payload != nil {
		given++
		c.Payload = *m.Payload
	}
	if m.Hex != "" {
		given++
		c.Payload, c.Encoding = m.Hex, "hex"
	}
	if m.Base64 != "" {
		given++
		c.Payload, c.Encoding = m.Base64, "base64"
	}
	if given > 1 {
		r.errorf(m.At, "a message has one payload: payload, hex or base64")
	}
	if m.Topic == "" || slices.Contains(strings.Split(m.Topic, "/"), "#") {
		r.errorf(m.At, "a message needs a topic")
	}
	return c
}
