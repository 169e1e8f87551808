package profile

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// Trace is what happened to one message, stage by stage.
type Trace struct {
	Steps []TraceStep
}

// TraceStep is one line of a trace.
type TraceStep struct {
	Stage string // topic, decode, when, identity, time, points, reading, availability, problem
	Text  string
}

func (t *Trace) add(stage, text string) {
	if len(t.Steps) < 2000 {
		t.Steps = append(t.Steps, TraceStep{stage, text})
	}
}

func (t *Trace) reading(rd *devices.Reading) {
	t.add("reading", fmt.Sprintf("%s %s = %s %s at %s, %s", rd.Point.Device.ID, rd.Point.Name, valueText(rd), rd.Point.Unit, formatTime(rd.Time), rd.Quality))
}

// Trace decodes one message and writes down every stage.
func (d *Decoder) Trace(m *devices.Message, out *Batch) *Trace {
	t := new(Trace)
	d.run.trace = t
	d.message(m, out)
	d.run.trace = nil
	return t
}

// Why explains for every profile whose topics do not fit why that is so.
func (s *Set) Why(topic string) []TraceStep {
	var split splitTopic
	if !split.split(topic) {
		return []TraceStep{{"topic", fmt.Sprintf("the topic has more than %d levels", maxLevels)}}
	}
	found := s.matcher.find(&split)
	var out []TraceStep
	for _, rule := range s.rules {
		if slices.ContainsFunc(found, func(m matched) bool { return m.rule == rule }) {
			continue
		}
		why := "ignored by its ignore list"
		for i := range rule.topics {
			if w := rule.topics[i].why(&split); w != "" {
				why = w
			}
		}
		out = append(out, TraceStep{"topic", fmt.Sprintf("%s, %s: %s", rule.profile.ID, rule.describe(), why)})
	}
	return out
}

// why says in words where a template and a topic part; "" when they fit.
func (t *topicTemplate) why(topic *splitTopic) string {
	n := len(topic.levels)
	if t.many < 0 && n != len(t.levels) || n < len(t.levels) {
		return fmt.Sprintf("the topic has %d levels, %s has %d", n, t.filter(), len(t.levels))
	}
	for i := range t.levels {
		l := &t.levels[i]
		from := i
		if t.many >= 0 && i > t.many {
			from = n - len(t.levels) + i
		}
		if i == t.many {
			continue
		}
		if have := topic.levels[from]; l.isLiteral() && l.text != have || l.re != nil && !l.re.MatchString(have) || !l.isLiteral() && have == "" {
			want := l.text
			if l.re != nil {
				want = l.re.String()
			}
			return fmt.Sprintf("level %d is %q, not %q", from+1, have, want)
		}
	}
	return ""
}

// valueText is a reading's value as people read it: "true", "motor blocked",
// "21.5", "no value".
func valueText(rd *devices.Reading) string {
	switch v := Value(rd).(type) {
	case nil:
		return "no value"
	case string:
		return v
	case bool:
		return fmt.Sprint(v)
	case float64:
		return numValue(v).raw
	}
	return ""
}

// Value is a reading's value for JSON: nil when there is none, true or false,
// a number, or words.
func Value(rd *devices.Reading) any {
	if rd.Quality == devices.Bad {
		return nil
	}
	number := !math.IsNaN(rd.Value)
	switch rd.Point.Kind {
	case devices.State:
		switch {
		case rd.Text == "" && number:
			return rd.Value != 0
		case number && rd.Text == numValue(rd.Value).raw:
			return rd.Value
		}
		return rd.Text
	case devices.Event:
		switch {
		case rd.Text == "true" || rd.Text == "false":
			return rd.Text == "true"
		case number && rd.Text == numValue(rd.Value).raw:
			return rd.Value
		}
		return rd.Text
	case devices.Text, devices.Availability:
		return strings.Clone(rd.Text)
	}
	if !number {
		return nil
	}
	return rd.Value
}
