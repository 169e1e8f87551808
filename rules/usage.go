package rules

import (
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// compileSinceDone measures from the last job of the rule's fault class that was
// reported done: the time, or with a counter what it has counted. Before the
// first job it measures from when the asset was first seen.
func compileSinceDone(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	switch len(args) {
	case 0:
	case 1:
		return c.countSinceDone(name, args, loc)
	default:
		return c.usage(name, loc, "a counter is taken, or nothing")
	}
	return operand{role: -1, loc: loc, what: name + "()", unit: "h", stateful: true, number: func(ctx *evalContext) (float64, bool) {
		done := ctx.lastDone()
		// The next hour is soon enough to look again.
		ctx.wakeAt(ctx.t + int64(time.Hour))
		return float64(ctx.t-done) / float64(time.Hour), true
	}}
}

func (c *evalContext) lastDone() int64 {
	cs := c.inst.asset.faultClass(c.inst.rule.FaultClass, true)
	if cs.done == 0 {
		cs.done = c.t
	}
	return cs.done
}

// countSinceDone is the growth of a counter, through its resets, since the last
// job. slot.acc is the job that it was counted from.
func (c *compiler) countSinceDone(name string, args []ast.Node, loc file.Location) operand {
	x := c.numberArg(name, args[0])
	if x.bad {
		return x
	}
	if !x.counter {
		return c.usage(name, x.loc, "%s is not a counter", x.what)
	}
	i := c.slotFor(name, args, 0)
	f := x.number
	return operand{role: -1, loc: loc, what: name + "(" + x.what + ")", unit: x.unit, stateful: true, number: func(ctx *evalContext) (float64, bool) {
		s, advanced := ctx.slot(i)
		if advanced {
			return s.out, s.outOK
		}
		v, ok := f(ctx)
		if ok {
			s.grow(v)
			s.v, s.known = v, true
		}
		if done := ctx.lastDone(); s.acc != done {
			s.acc, s.sum = done, 0
		}
		s.out, s.outOK = s.sum, ok
		return s.out, s.outOK
	}}.needing(x.needTrue)
}
