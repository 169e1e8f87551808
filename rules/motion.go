package rules

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

func compileHeld(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 2 {
		return c.usage(name, loc, "a condition and a duration are needed")
	}
	op := c.compile(args[0])
	cond, ok := c.asTruth(op)
	if !ok {
		return badOperand(loc)
	}
	span, ok := c.spanArg(name, args[1])
	if !ok {
		return badOperand(loc)
	}
	i := c.slotFor(name, args, 0)
	f := cond.truth
	return operand{role: -1, loc: loc, what: "held(" + c.text(args[0]) + ")", stateful: true, outcomes: true, truth: func(ctx *evalContext) Truth {
		s, done := ctx.slot(i)
		if !done {
			if s.val == True {
				s.acc += ctx.t - s.t
			}
			s.val = f(ctx)
			s.t = ctx.t
			if s.val == False {
				s.acc = 0
			}
		}
		if s.val != True {
			return s.val
		}
		need := span(ctx)
		if s.acc >= need {
			return True
		}
		ctx.wakeAt(ctx.t + need - s.acc)
		return False
	}}.needing(cond.needTrue)
}

func compileChanged(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	return c.compileMotion(name, args, loc, func(s *slot, t, d int64) Truth {
		switch {
		case s.val == True && t-s.since < d:
			return True
		case t-s.since >= d:
			return False
		}
		return Unknown
	})
}

func compileStuck(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	return c.compileMotion(name, args, loc, func(s *slot, t, d int64) Truth {
		switch {
		case t-s.since < d && s.val == True:
			return False
		case t-s.since < d:
			return Unknown
		}
		return truthOf(s.n >= 3)
	})
}

// compileMotion watches when a value last moved. slot.val is True once it has
// moved while watched, slot.n counts the readings since.
func (c *compiler) compileMotion(name string, args []ast.Node, loc file.Location, verdict func(s *slot, t, d int64) Truth) operand {
	if len(args) != 2 {
		return c.usage(name, loc, "a value and a duration are needed")
	}
	x := c.compile(args[0])
	if x.bad {
		return x
	}
	if x.number == nil && x.word == nil || x.event {
		return c.usage(name, x.loc, "%s has no value that lasts", x.what)
	}
	d, ok := c.durationArg(name, args[1])
	if !ok {
		return badOperand(loc)
	}
	i := c.slotFor(name, args, 0)
	role := x.role
	return operand{role: -1, loc: loc, what: name + "(" + x.what + ")", stateful: true, truth: func(ctx *evalContext) Truth {
		s, done := ctx.slot(i)
		if done {
			return Truth(s.out)
		}
		var v float64
		var w string
		ok := true
		if x.number != nil {
			v, ok = x.number(ctx)
		}
		if ok && x.word != nil {
			w, ok = x.word(ctx)
		}
		res := Unknown
		if ok {
			moved := s.known && (v != s.v || w != s.word())
			if !s.known || moved {
				s.since, s.n = ctx.t, 0
				s.val = truthOf(moved)
			}
			if p := ctx.inputTime(role); p != s.acc {
				s.acc = p
				s.n++
			}
			s.v, s.known = v, true
			if x.word != nil {
				s.recall().word = w
			}
			if res = verdict(s, ctx.t, int64(d)); ctx.t-s.since < int64(d) {
				ctx.wakeAt(s.since + int64(d))
			}
		}
		s.out = float64(res)
		return res
	}}.needing(x.needTrue)
}

// inputTime is the time of the newest reading of a role; the evaluation's own
// time for what is not a plain role.
func (c *evalContext) inputTime(role int) int64 {
	if role < 0 {
		return c.t
	}
	if p := c.input(role); p != nil {
		return p.time
	}
	return 0
}
