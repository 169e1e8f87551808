package rules

import (
	"math"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// night_min and night_usual follow the practice of night-flow analysis: the least
// mean of an hour between 02:00 and 04:00, when nearly nobody draws water, and the
// 20th percentile of the last 28 such nights. A night in which an episode of the
// rule's fault class was open, or a window ran, is not among them.

const (
	nightFrom, nightTo = 2, 4 // hours by the clock on the wall
	nightStep          = int64(10 * time.Minute)
	nightCells         = (nightTo - nightFrom) * 6
	nights             = 28
	leastNights        = 7
)

func compileNight(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	x := c.measuredArg(name, args, loc)
	if x.bad {
		return x
	}
	// A night is kept as 32 bits in two places.
	i := c.slotFor("night", args, nightCells)
	c.rule.slots[i].small = 2 * nights
	c.rule.window = max(c.rule.window, nights*24*time.Hour)
	f := x.number
	return operand{role: -1, loc: loc, what: name + "(" + x.what + ")", unit: x.unit, stateful: true, number: func(ctx *evalContext) (float64, bool) {
		s, done := ctx.slot(i)
		if !done {
			v, ok, until := ctx.number(f)
			s.followNights(ctx, v, ok && ctx.open == True, until)
		}
		if name == "night_min" {
			return s.sum, s.val == True
		}
		return s.usualNight()
	}}.needing(x.needTrue)
}

// followNights books the time since the last look, and closes a night at its end.
// slot.acc is the end of the last night that was closed, slot.sum what it came to,
// slot.val whether that is known, slot.n the nights kept so far.
func (s *slot) followNights(c *evalContext, v float64, ok bool, until int64) {
	local := time.Unix(0, c.t).In(c.engine.location)
	end := nightEnd(local, 0)
	if end > c.t {
		end = nightEnd(local, -1)
	}
	if s.t != 0 && s.acc != end {
		s.bookNight(end)
		s.closeNight(c, end)
	}
	s.acc = end
	s.bookNight(c.t)
	s.t, s.v, s.known, s.until = c.t, v, ok, until
	next := nightEnd(local, 0)
	if next <= c.t {
		next = nightEnd(local, 1)
	}
	c.wakeAt(next)
}

func nightEnd(local time.Time, days int) int64 {
	return time.Date(local.Year(), local.Month(), local.Day()+days, nightTo, 0, 0, 0, local.Location()).UnixNano()
}

// bookNight adds the time up to end to the steps that it lies in; a step is kept
// for two hours.
func (s *slot) bookNight(end int64) {
	if !s.known || s.t == 0 {
		return
	}
	s.book(end, nightStep, nightCells, "avg")
	s.t = max(s.t, end)
}

// closeNight finds the least mean of six steps in a row that are known for the
// better part.
func (s *slot) closeNight(c *evalContext, end int64) {
	least, last := math.Inf(1), end/nightStep
	for first := max(0, last-nightCells); first <= last-6; first++ {
		sum, known := 0.0, 0.0
		for id := first; id < first+6; id++ {
			if b := &s.cells[id%nightCells]; b.t == id {
				sum, known = sum+b.a, known+b.b
			}
		}
		if known >= 45*60 {
			least = min(least, sum/known)
		}
	}
	if s.val = Unknown; math.IsInf(least, 1) {
		return
	}
	s.val, s.sum = True, least
	if !c.learns(c.t) {
		return
	}
	if s.small() == nil {
		s.recall().small = make([]uint16, 2*nights)
	}
	at := int(s.n) % nights * 2
	bits := math.Float32bits(float32(least))
	s.more.small[at], s.more.small[at+1] = uint16(bits>>16), uint16(bits)
	if s.n++; s.n >= 2*nights {
		s.n -= nights
	}
}

// usualNight is the 20th percentile of the nights kept, once they are a week.
func (s *slot) usualNight() (float64, bool) {
	n := min(int(s.n), nights)
	if n < leastNights || s.small() == nil {
		return 0, false
	}
	var v [nights]float64
	for k := range n {
		v[k] = float64(math.Float32frombits(uint32(s.more.small[2*k])<<16 | uint32(s.more.small[2*k+1])))
	}
	slices.Sort(v[:n])
	return v[(n-1)/5], true
}
