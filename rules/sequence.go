package rules

import (
	"math"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// compileUnanswered is about a command and its feedback: from the moment at which
// the first condition becomes true the second must become true within a time,
// however short the first was. It stays true until the answer comes.
func compileUnanswered(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 3 {
		return c.usage(name, loc, "a condition, its answer and a duration are needed")
	}
	ask, ok1 := c.asTruth(c.compile(args[0]))
	answer, ok2 := c.asTruth(c.compile(args[1]))
	if !ok1 || !ok2 {
		return badOperand(loc)
	}
	span, ok := c.spanArg(name, args[2])
	if !ok {
		return badOperand(loc)
	}
	i := c.slotFor(name, args, 0)
	f, g := ask.truth, answer.truth
	return operand{role: -1, loc: loc, what: "unanswered(" + c.text(args[0]) + ")", stateful: true, truth: func(ctx *evalContext) Truth {
		s, done := ctx.slot(i)
		if done {
			return Truth(s.out)
		}
		asked, answered := f(ctx), g(ctx)
		// slot.since is when it was asked, 0 when nothing is open.
		if asked == True && s.val == False {
			s.since = ctx.t
		}
		if asked != Unknown {
			s.val = asked
		}
		if answered == True {
			s.since = 0
		}
		res := False
		switch {
		case s.since == 0:
			if asked == Unknown && answered != True {
				res = Unknown
			}
		case ctx.t-s.since >= span(ctx):
			res = answered.not()
		default:
			ctx.wakeAt(s.since + span(ctx))
		}
		s.out = float64(res)
		return res
	}}.needing(ask.needTrue | answer.needFalse)
}

// compileSpike compares a reading with the one before it. More than the given
// amount within the given time is faster than the thing can change; over a longer
// time proportionally more is allowed.
func compileSpike(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 3 {
		return c.usage(name, loc, "a value, an amount and a duration are needed")
	}
	x := c.numberArg(name, args[0])
	if x.bad {
		return x
	}
	if x.constant {
		return c.usage(name, x.loc, "%s never changes", x.what)
	}
	by := c.numberArg(name, args[1])
	if by.bad {
		return by
	}
	step := x
	if x.unit == "°C" {
		step.unit = "K"
	}
	_, by, ok := c.unify(step, by, by.loc)
	if !ok {
		return badOperand(loc)
	}
	if !by.fixed {
		return c.usage(name, by.loc, "%s changes", by.what)
	}
	span, ok := c.durationArg(name, args[2])
	if !ok {
		return badOperand(loc)
	}
	i := c.slotFor(name, args, 0)
	f, amount, role, within := x.number, by.number, x.role, float64(span)
	return operand{role: -1, loc: loc, what: "spike(" + x.what + ")", stateful: true, truth: func(ctx *evalContext) Truth {
		s, done := ctx.slot(i)
		if done {
			return Truth(s.out)
		}
		v, ok := f(ctx)
		at := ctx.inputTime(role)
		switch {
		case !ok:
			s.known, s.val = false, Unknown
		case !s.known:
			s.v, s.t, s.known, s.val = v, at, true, Unknown
		case at != s.t:
			limit, _ := amount(ctx)
			s.val = truthOf(math.Abs(v-s.v) > limit*max(1, float64(at-s.t)/within))
			s.v, s.t = v, at
		}
		s.out = float64(s.val)
		return s.val
	}}.needing(x.needTrue)
}
