package scenario

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Kind is one of the ten ways in which a rule is tried.
type Kind string

// The kinds. Written is what the author wrote; the others are made from it.
const (
	Written     Kind = "written"
	Normal      Kind = "normal"
	Boundary    Kind = "boundary"
	Gap         Kind = "gap"
	Duplicate   Kind = "duplicate"
	OutOfOrder  Kind = "out of order"
	Irregular   Kind = "irregular sampling"
	Off         Kind = "equipment off"
	StartUp     Kind = "start-up"
	MissingRole Kind = "missing role"
)

// Kinds lists all kinds.
var Kinds = []Kind{Written, Normal, Boundary, Gap, Duplicate, OutOfOrder, Irregular, Off, StartUp, MissingRole}

// A Result is what came of the tests of one rule.
type Result struct {
	Rule     string
	Ran      []Kind // without repetition, in the order of Kinds
	Failures []Failure
}

// Run tries a rule in every way that can be made from its scenarios.
func Run(r *rules.Rule) Result {
	return RunAs(r, r)
}

// RunAs tries a rule with the scenarios, and what is made from them, of another
// version of it. Mutation testing asks this way whether a change is noticed.
func RunAs(r, tested *rules.Rule) Result {
	set := alone(r)
	res := Result{Rule: r.ID}
	if r != tested && !slices.Equal(logAs(r, tested), Log(tested)) {
		res.Failures = append(res.Failures, Failure{Rule: r.ID, Kind: Written, File: r.File, Line: r.Line, Message: "it does not do what was approved"})
	}
	for k := range tested.Scenarios {
		s := &tested.Scenarios[k]
		for _, v := range variants(tested, s) {
			if !slices.Contains(res.Ran, v.kind) {
				res.Ran = append(res.Ran, v.kind)
			}
			problems, steps := play(set, r, v.course)
			if v.golden {
				problems = nil // what it does is approved as it is, see Log
			}
			if v.never {
				problems = nil
				if len(steps) > 0 {
					problems = []string{fmt.Sprintf("an episode opened at %v", time.Duration(steps[0].At-begin.UnixNano()))}
				}
			}
			for _, p := range problems {
				res.Failures = append(res.Failures, Failure{Rule: r.ID, Scenario: s.Name, Kind: v.kind, File: r.File, Line: s.Line, Message: p})
			}
		}
	}
	slices.SortFunc(res.Ran, func(a, b Kind) int { return slices.Index(Kinds, a) - slices.Index(Kinds, b) })
	return res
}

// alone is a set of the one rule, switched on.
func alone(r *rules.Rule) *rules.Set {
	c := *r
	c.Enabled, c.Shadow = true, false
	return rules.SetOf(&c)
}

// A variant is a course made from a scenario.
type variant struct {
	kind   Kind
	course course
	never  bool // nothing may open, whatever the scenario expects
	golden bool // the rule's own behaviour is kept, whatever the scenario expects
}

// Log writes down what a rule does in every course that is made from its
// scenarios, one line each: the record that a person approves.
func Log(r *rules.Rule) []string { return logAs(r, r) }

func logAs(r, tested *rules.Rule) []string {
	set := alone(r)
	var out []string
	for k := range tested.Scenarios {
		s := &tested.Scenarios[k]
		for n, v := range variants(tested, s) {
			_, steps := play(set, r, v.course)
			var b strings.Builder
			fmt.Fprintf(&b, "%s | %s | %d %s |", tested.ID, s.Name, n, v.kind)
			for _, st := range steps {
				fmt.Fprintf(&b, " %s %s %s;", (time.Duration(st.At - begin.UnixNano())).Round(time.Second), st.Phase, st.Severity)
			}
			out = append(out, b.String())
		}
	}
	return out
}

func variants(r *rules.Rule, s *rules.Scenario) []variant {
	base := courseOf(s)
	out := []variant{{kind: Written, course: base}}
	if first := firstOpen(s); first > 0 {
		out = append(out, variant{kind: Normal, course: until(base, calm(s))})
		out = append(out, gap(base, first)...)
	}
	out = append(out, boundaries(r, s, base)...)
	out = append(out, sweeps(r, s, base)...)
	out = append(out, equipment(r, base)...)
	out = append(out, variant{kind: Irregular, course: irregular(base), golden: true})
	out = append(out,
		variant{kind: Duplicate, course: duplicated(base)},
		variant{kind: OutOfOrder, course: disordered(base)})
	for _, role := range r.Needed() {
		out = append(out, variant{kind: MissingRole, course: without(base, role), never: true})
	}
	return out
}

// firstOpen is the time of the first expectation of an open episode, 0 if none.
func firstOpen(s *rules.Scenario) time.Duration {
	for _, x := range s.Expect {
		if x.Severity != 0 || x.NoData {
			return x.At
		}
	}
	return 0
}

// calm is the last time before the first episode at which there is none.
func calm(s *rules.Scenario) time.Duration {
	t := time.Duration(0)
	for _, x := range s.Expect {
		if x.Severity != 0 || x.NoData {
			break
		}
		t = x.At
	}
	return t
}

// until cuts a course; nothing is expected but calm.
func until(c course, end time.Duration) course {
	c.messages = slices.Clone(c.messages)
	c.messages = slices.DeleteFunc(c.messages, func(m message) bool { return m.at > end })
	c.expect = []rules.Expectation{{At: end}}
	c.end = end
	return c
}

// gap lets the device fall silent for a day in the middle of a fault: silence is
// not recovery.
func gap(c course, open time.Duration) []variant {
	before := slices.DeleteFunc(slices.Clone(c.messages), func(m message) bool { return m.at > open })
	var expect []rules.Expectation
	for _, x := range c.expect {
		if x.At <= open {
			expect = append(expect, x)
		}
	}
	last := expect[len(expect)-1]
	if last.Severity == 0 {
		return nil
	}
	expect = append(expect, rules.Expectation{At: open + 24*time.Hour, Severity: last.Severity})
	c.messages, c.expect, c.end = before, expect, open+24*time.Hour
	return []variant{{kind: Gap, course: c}}
}

// duplicated says everything twice but events, which are two when they are said
// twice.
func duplicated(c course) course {
	var out []message
	for _, m := range c.messages {
		out = append(out, m)
		twice := m
		twice.readings = slices.DeleteFunc(slices.Clone(m.readings), func(v value) bool { return v.role.Kind == devices.Event })
		if len(twice.readings) > 0 {
			out = append(out, twice)
		}
	}
	c.messages = out
	return c
}

// disordered repeats every message once more after its successor: late readings
// change nothing.
func disordered(c course) course {
	var out []message
	for k, m := range c.messages {
		out = append(out, m)
		if k == 0 {
			continue
		}
		late := c.messages[k-1]
		late.delay = m.at + m.delay - late.at
		late.readings = slices.DeleteFunc(slices.Clone(late.readings), func(v value) bool {
			return v.role.Kind == devices.Event || !says(m, v.role)
		})
		if len(late.readings) > 0 {
			out = append(out, late)
		}
	}
	c.messages = out
	return c
}

func says(m message, role *devices.Role) bool {
	return slices.ContainsFunc(m.readings, func(v value) bool { return v.role == role })
}

// without leaves a role out.
func without(c course, role string) course {
	var out []message
	for _, m := range c.messages {
		m.readings = slices.DeleteFunc(slices.Clone(m.readings), func(v value) bool { return v.role.Name == role })
		if len(m.readings) > 0 {
			out = append(out, m)
		}
	}
	c.messages, c.expect = out, nil
	return c
}

// boundaries moves the values of a role that lie on the far side of a limit, and
// then those that come back from there, to just before it, onto it and just
// beyond it.
func boundaries(r *rules.Rule, s *rules.Scenario, base course) []variant {
	var out []variant
	for _, in := range s.Inputs {
		role := roleOf(in.Role)
		k := slices.IndexFunc(in.Samples, func(x rules.Sample) bool { return x.Present && x.Quality == devices.Good })
		if k < 0 || role.Kind != devices.Gauge {
			continue
		}
		first := in.Samples[k].Value
		for _, cut := range r.CutsOf(in.Role, s.Facts) {
			margin := 0.05 * math.Abs(cut)
			for _, v := range []float64{cut - margin, cut, cut + margin} {
				out = append(out, variant{kind: Boundary, golden: true, course: mapped(base, in.Role, func(x float64) float64 {
					if (x > cut) == (first > cut) {
						return x
					}
					return v
				})})
				// And on the way back, where the clear condition looks.
				beyond := false
				out = append(out, variant{kind: Boundary, golden: true, course: mapped(base, in.Role, func(x float64) float64 {
					if (x > cut) != (first > cut) {
						beyond = true
					}
					if beyond && (x > cut) == (first > cut) {
						return v
					}
					return x
				})})
			}
		}
	}
	return out
}

// sweepLength is the number of messages of a sweep up or down.
const sweepLength = 150

// sweeps drive one role at a time while the others stay as they were at the
// height of the fault, and as they were at the beginning: a measured value
// slowly through its whole range and back, a state through all its values in
// stretches that grow.
func sweeps(r *rules.Rule, s *rules.Scenario, base course) []variant {
	var out []variant
	for _, in := range s.Inputs {
		drive := driver(r, s, in)
		if drive == nil {
			continue
		}
		for _, height := range []bool{true, false} {
			c := base
			c.messages, c.expect = nil, nil
			for k := range 2 * sweepLength {
				m := message{at: time.Duration(k) * s.Every, delay: delay}
				for _, other := range s.Inputs {
					if other.Role == in.Role {
						m.readings = append(m.readings, value{roleOf(in.Role), drive(k)})
					} else if x := held(s, other, height); x.Present {
						m.readings = append(m.readings, value{roleOf(other.Role), x})
					}
				}
				c.messages = append(c.messages, m)
			}
			c.end = 2 * sweepLength * s.Every
			out = append(out, variant{kind: Boundary, course: c, golden: true})
		}
	}
	return out
}

// driver gives the k-th value of a role in a sweep, nil for roles that are not
// swept.
func driver(r *rules.Rule, s *rules.Scenario, in rules.ScenarioInput) func(k int) rules.Sample {
	role := roleOf(in.Role)
	var seen []rules.Sample
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, x := range in.Samples {
		if !x.Present || x.Quality != devices.Good {
			continue
		}
		lo, hi = min(lo, x.Value), max(hi, x.Value)
		if !slices.ContainsFunc(seen, func(y rules.Sample) bool { return y.Value == x.Value && y.Text == x.Text }) {
			seen = append(seen, x)
		}
	}
	cuts := r.CutsOf(in.Role, s.Facts)
	for _, cut := range cuts {
		lo, hi = min(lo, cut), max(hi, cut)
	}
	wide := 0.1
	if len(cuts) == 0 {
		wide = 0.5 // it is reckoned with: nobody knows where it matters
	}
	switch role.Kind {
	case devices.Gauge:
		lo, hi = lo-0.4*(hi-lo)-wide*math.Abs(lo), hi+0.4*(hi-lo)+wide*math.Abs(hi)
		return func(k int) rules.Sample {
			if k >= sweepLength {
				k = 2*sweepLength - 1 - k
			}
			return rules.Sample{Present: true, Value: lo + (hi-lo)*float64(k)/(sweepLength-1)}
		}
	case devices.State:
		if len(role.Words) == 0 {
			seen = []rules.Sample{{Present: true}, {Present: true, Value: 1}}
		}
		return func(k int) rules.Sample {
			n, length := 0, 1
			for k >= length {
				k -= length
				length++
				n++
			}
			return seen[n%len(seen)]
		}
	}
	return nil
}

// held is what a role says during a sweep of another: its value at the first
// expected episode, or its first.
func held(s *rules.Scenario, in rules.ScenarioInput, height bool) rules.Sample {
	k := 0
	if height {
		k = int(firstOpen(s) / s.Every)
	}
	for k = min(k, len(in.Samples)-1); k >= 0; k-- {
		if in.Samples[k].Present {
			return in.Samples[k]
		}
	}
	return rules.Sample{}
}

// mapped changes the good values of a role.
func mapped(c course, role string, f func(float64) float64) course {
	out := make([]message, len(c.messages))
	for k, m := range c.messages {
		m.readings = slices.Clone(m.readings)
		for j := range m.readings {
			if v := &m.readings[j]; v.role.Name == role && v.sample.Quality == devices.Good {
				v.sample.Value = f(v.sample.Value)
			}
		}
		out[k] = m
	}
	c.messages, c.expect = out, nil
	return c
}

// equipment tries a rule that looks only while something runs with that off, and
// within its start-up delay.
func equipment(r *rules.Rule, base course) []variant {
	if r.OnlyWhile == nil {
		return nil
	}
	var out []variant
	for _, role := range r.OnlyWhile.Switches(r) {
		off := mapped(base, role, func(float64) float64 { return 0 })
		out = append(out, variant{kind: Off, course: off, never: true})
		if r.After == 0 {
			continue
		}
		// The equipment is switched off and on again faster than its start-up.
		n, period := 0, max(1, int(r.After/base.interval))
		pulsed := mapped(base, role, func(v float64) float64 {
			if n++; n%period == 0 {
				return 0
			}
			return v
		})
		out = append(out, variant{kind: StartUp, course: pulsed, never: true})
	}
	return out
}

// irregular moves every message by up to a third of the interval, and leaves
// every seventh out.
func irregular(c course) course {
	var out []message
	for k, m := range c.messages {
		if k%7 == 5 && !slices.ContainsFunc(m.readings, func(v value) bool { return v.role.Kind != devices.Gauge }) {
			continue
		}
		m.at += time.Duration(int64(k*7919%100)) * c.interval / 300
		out = append(out, m)
	}
	c.messages, c.expect = out, nil
	return c
}
