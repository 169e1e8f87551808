package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// A variant is a course made from a scenario.
//
// A course that expects nothing is not judged: what the rule does in it is
// approved as it is.
type variant struct {
	kind   Kind
	what   string // which one of the kind, such as "bearing_temp at 66.5"
	course course
	never  bool // nothing may open, whatever the scenario expects
}

func variants(r *rules.Rule, s *rules.Scenario) []variant {
	base := courseOf(s)
	out := []variant{{kind: Fault, course: base}}
	first := firstOpen(s)
	if first == 0 {
		out[0].kind = Normal
	}
	if first > 0 {
		out = append(out, variant{kind: Normal, course: until(base, calm(s))})
		out = append(out, gap(base, first)...)
	}
	out = append(out, boundaries(r, s, base)...)
	out = append(out, sweeps(r, s, base)...)
	out = append(out, equipment(r, base)...)
	out = append(out, variant{kind: Irregular, course: irregular(base)})
	out = append(out,
		variant{kind: Duplicate, course: duplicated(base)},
		variant{kind: OutOfOrder, course: disordered(base)})
	needed := r.Needed()
	for _, role := range needed {
		out = append(out, variant{kind: MissingRole, what: role, course: without(base, role), never: true})
	}
	if len(needed) > 0 {
		return out
	}
	// It can do without any one of its roles.
	for _, in := range s.Inputs {
		if in.Of == (rules.Relative{}) {
			out = append(out, variant{kind: MissingRole, what: in.Role, course: without(base, in.Role)})
		}
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
// not recovery. What it said last may still make it worse.
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
	c.messages, c.expect, c.end, c.least = before, expect, open+24*time.Hour, true
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
			return v.role.Kind == devices.Event || !says(m, v)
		})
		if len(late.readings) > 0 {
			out = append(out, late)
		}
	}
	c.messages = out
	return c
}

func says(m message, x value) bool {
	return slices.ContainsFunc(m.readings, func(v value) bool { return v.role == x.role && v.of == x.of })
}

// without leaves a role of the asset out.
func without(c course, role string) course {
	var out []message
	for _, m := range c.messages {
		m.readings = slices.DeleteFunc(slices.Clone(m.readings), func(v value) bool { return v.role.Name == role && v.of == (rules.Relative{}) })
		if len(m.readings) > 0 {
			out = append(out, m)
		}
	}
	c.messages, c.expect = out, nil
	return c
}

// boundaries moves the values of a role that lie on the far side of a limit, and
// then those that come back from there, to just before it, onto it and just
// beyond it. Values that never cross it are moved there altogether.
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
				what := fmt.Sprintf("%s at %g", in.Role, v)
				if !crosses(in, cut) {
					out = append(out, variant{kind: Boundary, what: what + " throughout", course: mapped(base, in, func(float64) float64 { return v })})
					continue
				}
				out = append(out, variant{kind: Boundary, what: what, course: mapped(base, in, func(x float64) float64 {
					if (x > cut) == (first > cut) {
						return x
					}
					return v
				})})
				// And on the way back, where the clear condition looks.
				beyond := false
				out = append(out, variant{kind: Boundary, what: what + " on the way back", course: mapped(base, in, func(x float64) float64 {
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

// crosses tells whether the good values of an input lie on both sides of a limit.
func crosses(in rules.ScenarioInput, cut float64) bool {
	above, below := false, false
	for _, x := range in.Samples {
		if x.Present && x.Quality == devices.Good {
			above, below = above || x.Value > cut, below || x.Value <= cut
		}
	}
	return above && below
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
					if other.Role == in.Role && other.Of == in.Of {
						m.readings = append(m.readings, value{roleOf(in.Role), in.Of, drive(k)})
					} else if x := held(s, other, height); x.Present {
						m.readings = append(m.readings, value{roleOf(other.Role), other.Of, x})
					}
				}
				c.messages = append(c.messages, m)
			}
			c.end = 2 * sweepLength * s.Every
			what := "sweep of " + in.Role
			if height {
				what += " at its height"
			}
			out = append(out, variant{kind: Boundary, what: what, course: c})
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

// mapped changes the good values of an input.
func mapped(c course, in rules.ScenarioInput, f func(float64) float64) course {
	out := make([]message, len(c.messages))
	for k, m := range c.messages {
		m.readings = slices.Clone(m.readings)
		for j := range m.readings {
			if v := &m.readings[j]; v.role.Name == in.Role && v.of == in.Of && v.sample.Quality == devices.Good {
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
	var out []variant
	for _, role := range switches(r) {
		in := rules.ScenarioInput{Role: role}
		off := mapped(base, in, func(float64) float64 { return 0 })
		out = append(out, variant{kind: Off, what: role, course: off, never: true})
		if r.After == 0 {
			continue
		}
		// The equipment is switched off and on again faster than its start-up.
		n, period := 0, max(1, int(r.After/base.interval))
		pulsed := mapped(base, in, func(v float64) float64 {
			if n++; n%period == 0 {
				return 0
			}
			return v
		})
		out = append(out, variant{kind: StartUp, what: role, course: pulsed, never: true})
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
