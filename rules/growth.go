package rules

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// compileDelta is the growth over a window, and the growth per hour. It is
// known once the window has been watched (nine tenths of it at least).
func compileDelta(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	x, w, ok := c.windowArgs(name, args, loc)
	if !ok {
		return badOperand(loc)
	}
	unit := x.unit
	if unit == "°C" {
		unit = "K"
	}
	perHour := name == "rate"
	if perHour {
		unit = perHourUnit(unit)
	}
	i := c.slotFor(name, args, windowBuckets+1)
	f, counter, width := x.number, x.counter, int64(w)/windowBuckets
	return operand{role: -1, loc: loc, what: name + "(" + x.what + ")", unit: unit, stateful: true,
		number: func(ctx *evalContext) (float64, bool) {
			s, done := ctx.slot(i)
			if done {
				return s.out, s.outOK
			}
			v, ok, _ := ctx.number(f)
			s.outOK = false
			if !ok {
				return 0, false
			}
			before, amount := s.v, v
			if counter {
				before, amount = s.sum, s.grow(v)
			}
			now := ctx.t / width
			s.note(ctx.t, width, before, amount)
			s.t, s.v, s.known = ctx.t, v, true
			oldest := -1
			for j := range s.cells {
				if t := s.cells[j].t; t != 0 && t <= now && t >= now-windowBuckets && (oldest < 0 || t < s.cells[oldest].t) {
					oldest = j
				}
			}
			if oldest < 0 {
				return 0, false
			}
			o := &s.cells[oldest]
			elapsed := float64(ctx.t)/1e9 - o.b
			s.out, s.outOK = amount-o.a, o.t <= now-windowBuckets+1
			if perHour && elapsed > 0 {
				s.out *= 3600 / elapsed
			}
			s.outOK = s.outOK && elapsed > 0
			return s.out, s.outOK
		}}.needing(x.needTrue)
}

// note keeps the amount at the beginning of every bucket since the last
// reading, on the straight line between the two.
func (s *slot) note(t, width int64, before, amount float64) {
	now := t / width
	if !s.known {
		s.cells[int(now%int64(len(s.cells)))] = cell{t: now, a: amount, b: float64(t) / 1e9}
		return
	}
	for id := max(s.t/width+1, now-windowBuckets); id <= now; id++ {
		at := id * width
		share := float64(at-s.t) / float64(t-s.t)
		s.cells[int(id%int64(len(s.cells)))] = cell{t: id, a: before + share*(amount-before), b: float64(at) / 1e9}
	}
}

// grow adds a counter's step to the amount; a counter that went back was reset
// and has counted from zero since.
func (s *slot) grow(v float64) float64 {
	switch {
	case !s.known:
	case v >= s.v:
		s.sum += v - s.v
	default:
		s.sum += max(v, 0)
	}
	return s.sum
}

func perHourUnit(unit string) string {
	switch unit {
	case "m3":
		return "m3/h"
	case "kWh":
		return "kW"
	case "":
		return ""
	}
	return unit + "/h"
}
