package rules

import (
	"math"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/facilityd/facilityd/devices"
)

// hourly, usual and oddness share one memory: what every hour of the week is
// usually like. It is 168 centres and 24 spreads of 16 bits each, in units of a
// power of two that grows with the values.
//
// A centre follows the mean of its hour by a quarter of the difference at most,
// and an hour that is off by more than four spreads moves it no further than four
// spreads would. The spread of an hour of the day is the median of what its hours
// were off by, followed in steps of a tenth. A holiday counts as a Sunday, a moved
// workday as the day that it works like. Nothing is learnt while an episode of the
// rule's fault class is open or a window runs.

const (
	hoursOfWeek  = 168
	noCentre     = 0x8000 // of an hour that was never seen
	usualSmall   = hoursOfWeek + 24
	usualLearnt  = 3 * hoursOfWeek * 9 / 10 // hours, until something is known
	usualStrange = 4                        // spreads
	// medianToSigma brings a median of absolute deviations to a standard deviation.
	medianToSigma = 1.4826
)

// What the cells of its slot hold.
const (
	usualLast = iota // t: number of the last full hour, a: its mean, b: its oddness
	usualHere        // t: hours learnt, a: what was usual for it, b: the unit
	usualCells
)

func compileUsual(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	x := c.measuredArg(name, args, loc)
	if x.bad {
		return x
	}
	i := c.slotFor("usual", args, usualCells)
	c.rule.slots[i].small = usualSmall
	c.rule.window = max(c.rule.window, 4*7*24*time.Hour) // a centre follows the last weeks
	f := x.number
	op := operand{role: -1, loc: loc, what: name + "(" + x.what + ")", unit: x.unit, stateful: true}
	if name == "oddness" {
		op.unit = ""
	}
	op.number = func(ctx *evalContext) (float64, bool) {
		s, done := ctx.slot(i)
		if !done {
			v, ok, until := ctx.number(f)
			s.followHours(ctx, v, ok && ctx.open == True, until)
		}
		last := &s.cells[usualLast]
		fresh := last.t != 0 && last.t == ctx.hour()-1
		switch known := fresh && s.val == True; name {
		case "hourly":
			return last.a, fresh
		case "usual":
			return s.cells[usualHere].a, known
		default:
			return last.b, known
		}
	}
	return op.needing(x.needTrue)
}

// hour numbers the hours by the clock on the site's walls.
func (c *evalContext) hour() int64 {
	_, offset := time.Unix(0, c.t).In(c.engine.location).Zone()
	return (c.t + int64(offset)*second) / int64(time.Hour)
}

// followHours sums the value up, hour by hour. slot.since is when the hour began,
// slot.sum the value by seconds, slot.acc the nanoseconds of it that are known.
func (s *slot) followHours(c *evalContext, v float64, ok bool, until int64) {
	_, offset := time.Unix(0, c.t).In(c.engine.location).Zone()
	now := c.hour()*int64(time.Hour) - int64(offset)*second
	if s.since == 0 || s.since > now || now-s.since > int64(7*24*time.Hour) {
		s.since, s.sum, s.acc = now, 0, 0
	}
	for s.since < now {
		end := s.since + int64(time.Hour)
		s.coverHour(end)
		s.finishHour(c)
		s.sum, s.acc = 0, 0
		s.since = end
		if end < now && (!s.known || s.until <= end) {
			s.since = now // nothing is known of the hours between
		}
	}
	s.coverHour(c.t)
	s.t, s.v, s.known, s.until = c.t, v, ok, until
	c.wakeAt(now + int64(time.Hour))
}

// coverHour books the time up to end under the value that held.
func (s *slot) coverHour(end int64) {
	if !s.known {
		return
	}
	from, to := max(s.t, s.since), min(end, s.until)
	if to > from {
		s.sum += s.v * float64(to-from) / 1e9
		s.acc += to - from
	}
	s.t = max(s.t, end)
}

// finishHour compares the hour that is over with what is usual, and learns it.
// slot.val is True when it could be compared.
func (s *slot) finishHour(c *evalContext) {
	s.val = Unknown
	if s.acc < int64(30*time.Minute) {
		return
	}
	mean := s.sum / (float64(s.acc) / 1e9)
	if math.IsInf(mean, 0) {
		return
	}
	if s.small() == nil {
		s.recall().small = make([]uint16, usualSmall)
		for k := range hoursOfWeek {
			s.more.small[k] = noCentre
		}
	}
	last, here := &s.cells[usualLast], &s.cells[usualHere]
	local := time.Unix(0, s.since).In(c.engine.location)
	last.t, last.a = (s.since+int64(offsetOf(local))*second)/int64(time.Hour), mean
	at, hour := hoursOfWeekAt(c.engine.site.Calendar, local)
	s.widen(here, mean)
	unit := here.b
	if s.more.small[at] == noCentre {
		if c.learns(c.t) {
			s.more.small[at] = uint16(int16(math.Round(mean / unit)))
			here.t++
		}
		return
	}
	centre := float64(int16(s.more.small[at])) * unit
	off := mean - centre
	spread := float64(s.more.small[hoursOfWeek+hour]) * unit
	sigma := max(medianToSigma*spread, math.Abs(centre)/100, unit)
	last.b, here.a = off/sigma, centre
	if here.t >= usualLearnt {
		s.val = True
	}
	if !c.learns(c.t) {
		return
	}
	if s.val == True {
		off = min(max(off, -usualStrange*sigma), usualStrange*sigma)
	}
	gain := max(0.25, 1/(1+float64(here.t/hoursOfWeek)))
	s.more.small[at] = uint16(int16(math.Round((centre + gain*off) / unit)))
	s.more.small[hoursOfWeek+hour] = followMedian(s.more.small[hoursOfWeek+hour], math.Abs(off)/unit)
	here.t++
}

func offsetOf(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

// followMedian moves a median by a tenth towards a value.
func followMedian(m uint16, v float64) uint16 {
	switch {
	case m == 0:
		return uint16(min(v, math.MaxUint16))
	case v > float64(m):
		return uint16(min(max(float64(m)*1.1, float64(m)+1), math.MaxUint16))
	case v < float64(m):
		return uint16(max(min(float64(m)/1.1, float64(m)-1), 1))
	}
	return m
}

// widen doubles the unit until a value fits, and brings what is kept to it.
func (s *slot) widen(here *cell, v float64) {
	if here.b == 0 {
		_, exp := math.Frexp(math.Abs(v))
		here.b = math.Ldexp(1, max(exp, -40)-14) // twice the first value fits at least
	}
	for math.Abs(v)/here.b > 30_000 && here.b < math.MaxFloat64/4 {
		here.b *= 2
		for k := range hoursOfWeek {
			if s.more.small[k] != noCentre {
				s.more.small[k] = uint16(int16(s.more.small[k]) / 2)
			}
		}
		for k := hoursOfWeek; k < usualSmall; k++ {
			s.more.small[k] /= 2
		}
	}
}

// hoursOfWeekAt is the place of an hour in the week that the site lives by.
func hoursOfWeekAt(cal *devices.Calendar, local time.Time) (week, day int) {
	date := devices.DateOf(local)
	as, off := cal.WorksAs(date)
	if off && cal != nil && cal.Holidays[date] {
		as = time.Sunday
	}
	return int(as)*24 + local.Hour(), local.Hour()
}

// learns tells whether what is seen at a time may be taken as usual: not while a
// fault is open or known to people, or they are at work.
func (c *evalContext) learns(t int64) bool {
	i := c.inst
	cs := i.asset.faultClass(i.rule.FaultClass, false)
	busy := slices.ContainsFunc(i.limbs, func(l limb) bool { return l.active }) || c.signal != nil || c.engine.muted(i, t).until > t
	return !busy && (cs == nil || !cs.open)
}
