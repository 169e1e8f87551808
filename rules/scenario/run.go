package scenario

import (
	"fmt"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// begin is when every scenario begins: a Monday at midnight, UTC.
var begin = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// delay is how late every message arrives.
const delay = time.Second

// connection is the name of the broker connection of a scenario.
const connection = "scenario"

// message is what the device says at a time.
type message struct {
	at       time.Duration
	delay    time.Duration
	readings []value
}

type value struct {
	role   *devices.Role
	of     rules.Relative // who says it
	sample rules.Sample
}

// A Failure is an expectation that was not met.
type Failure struct {
	Rule, Scenario string
	Kind           Kind
	File           string
	Line           int
	Message        string
}

// String formats a failure as file:line: rule, scenario (kind): message.
func (f Failure) String() string {
	return fmt.Sprintf("%s:%d: rule %s, test %q (%s): %s", f.File, f.Line, f.Rule, f.Scenario, f.Kind, f.Message)
}

// course is one way to live through a scenario.
type course struct {
	facts    map[string]devices.Quantity
	interval time.Duration // declared by the device
	messages []message
	expect   []rules.Expectation
	end      time.Duration
	// least: an episode may stand higher than expected.
	least bool
}

// courseOf lays a scenario out as messages.
func courseOf(s *rules.Scenario) course {
	c := course{facts: s.Facts, interval: s.Every, expect: s.Expect}
	n := 0
	for _, in := range s.Inputs {
		n = max(n, len(in.Samples))
	}
	for k := range n {
		m := message{at: time.Duration(k) * s.Every, delay: delay}
		for _, in := range s.Inputs {
			if k < len(in.Samples) && in.Samples[k].Present {
				m.readings = append(m.readings, value{roleOf(in.Role), in.Of, in.Samples[k]})
			}
		}
		if len(m.readings) > 0 {
			c.messages = append(c.messages, m)
		}
	}
	c.end = time.Duration(n) * s.Every
	if len(s.Expect) > 0 {
		c.end = max(c.end, s.Expect[len(s.Expect)-1].At+time.Minute)
	}
	return c
}

var availability = devices.Role{Name: devices.AvailabilityPoint, Kind: devices.Availability}

func roleOf(name string) *devices.Role {
	if name == devices.AvailabilityPoint {
		return &availability
	}
	return devices.RoleByName(name)
}

// play lives through a course with one rule and checks its expectations, which
// are about the rule's fault class at times of the device. It returns what is
// wrong, and all steps.
func play(set *rules.Set, r *rules.Rule, c course) (problems []string, steps []rules.Transition) {
	class := r.Classes[0]
	if class == rules.AnyClass {
		class = "sensor"
	}
	w := newWorld(class, set, c)
	seq := uint64(0)
	apply := func(rec devices.Record, readings []devices.Reading) {
		seq++
		rec.Seq, rec.Site, rec.Connection = seq, w.site.ID, connection
		for _, st := range w.engine.Apply(&rec, readings) {
			if st.Episode.Asset == asset {
				steps = append(steps, st)
			}
		}
	}
	now := time.Duration(0)
	// Steps of the clock bear the time at which they were due, so that coarse
	// time records give the same.
	tick := max(time.Second, (c.interval / 4).Truncate(time.Second))
	clock := func(to time.Duration) {
		for now < to {
			now = min(now+tick, to)
			apply(devices.Record{Kind: devices.Tick, Time: begin.Add(now).UnixNano()}, nil)
		}
	}
	apply(devices.Record{Kind: devices.LinkState, Link: devices.Link{Up: true}, Time: begin.UnixNano()}, nil)
	for _, m := range c.messages {
		clock(m.at + m.delay)
		var readings []devices.Reading
		for _, v := range m.readings {
			p := w.point(v)
			readings = append(readings, devices.Reading{Point: p, Time: begin.Add(m.at).UnixNano(),
				Value: v.sample.Value, Text: v.sample.Text, Quality: v.sample.Quality})
		}
		apply(devices.Record{Kind: devices.Messages, Time: begin.Add(now).UnixNano()}, readings)
	}
	clock(c.end + settle)
	for _, x := range c.expect {
		if p := check(steps, r, x, c.least); p != "" {
			problems = append(problems, p)
		}
	}
	return problems, steps
}

// settle is how long the clock goes on after the last message, for steps that
// wait for messages on their way.
const settle = time.Minute

// check compares an expectation with where the steps up to its time lead.
func check(steps []rules.Transition, r *rules.Rule, x rules.Expectation, least bool) string {
	severity, phase := rules.Severity(0), rules.Cleared
	for _, st := range steps {
		if st.Episode.FaultClass != r.FaultClass.ID || st.At > begin.Add(x.At).UnixNano() {
			continue
		}
		if severity, phase = st.Severity, st.Phase; phase == rules.Cleared {
			severity = 0
		}
	}
	switch {
	case x.NoData && phase != rules.ActiveWithoutData:
		return fmt.Sprintf("at %v the episode is %s, it should be open without data", x.At, word(severity))
	case least && x.Severity != 0 && severity > x.Severity:
	case !x.NoData && severity != x.Severity:
		return fmt.Sprintf("at %v the episode is %s, it should be %s", x.At, word(severity), word(x.Severity))
	}
	return ""
}

func word(s rules.Severity) string {
	if s == 0 {
		return "none"
	}
	return s.String()
}
