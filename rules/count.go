package rules

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// maxCount bounds how many events are remembered.
const maxCount = 64

// compileCount counts events, each exactly once, or the rising edges of a
// condition. The number is known to be at least so much at once; that it is not
// more is known when the whole window was watched and the device is heard.
func compileCount(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 2 {
		return c.usage(name, loc, "an event or a condition, and a duration are needed")
	}
	room := c.countRoom
	if room == 0 {
		room = 16
	}
	role, word, what, isEvent := c.eventRole(args[0])
	var cond operand
	if !isEvent {
		op := c.compile(args[0])
		if op.bad {
			return op
		}
		var ok bool
		if cond, ok = c.asTruth(op); !ok {
			return badOperand(loc)
		}
		what = c.text(args[0])
	}
	w, ok := c.durationArg(name, args[1])
	if !ok {
		return badOperand(loc)
	}
	need := cond.needTrue
	if isEvent {
		need = 1 << role
	}
	i := c.slotFor(name, args, room)
	window := int64(w)
	count := func(ctx *evalContext) (float64, bool) {
		s, done := ctx.slot(i)
		if done {
			return s.out, s.outOK
		}
		if s.since == 0 {
			s.since = ctx.t
		}
		alive := false
		if isEvent {
			alive = ctx.heard(role)
			if idx := ctx.inst.bind[role]; idx >= 0 && idx == ctx.event && (word == "" || ctx.engine.points[idx].text == word) {
				s.happened(ctx.eventTime)
			}
		} else {
			v := cond.truth(ctx)
			if v == True && s.val == False && s.n > 0 {
				s.happened(ctx.t)
			}
			if v != Unknown {
				s.val, s.n, alive = v, 1, true
			}
		}
		n := 0
		for j := range s.cells {
			if t := s.cells[j].t; t != 0 && t > ctx.t-window && t <= ctx.t {
				n++
				ctx.wakeAt(t + window)
			}
		}
		if !alive {
			s.since = max(s.since, ctx.t)
		}
		s.out, s.outOK = float64(n), alive && s.since <= ctx.t-window
		return s.out, s.outOK
	}
	return operand{role: -1, loc: loc, what: fmt.Sprintf("count(%s)", what), stateful: true, number: count, count: count, room: room}.needing(need)
}

// happened remembers an event; the oldest one makes room.
func (s *slot) happened(t int64) {
	oldest := 0
	for j := range s.cells {
		if s.cells[j].t < s.cells[oldest].t {
			oldest = j
		}
	}
	if t > s.cells[oldest].t {
		s.cells[oldest].t = t
	}
}

// compareCount compares a count that is only known to be at least n.
func compareCount(op string, count numberFunc, k float64) truthFunc {
	cmp := comparisons[op]
	return func(c *evalContext) Truth {
		n, complete := count(c)
		if complete {
			return truthOf(cmp(n, k))
		}
		switch {
		case (op == ">" || op == ">=") && cmp(n, k):
			return True
		case (op == "<" || op == "<=") && !cmp(n, k), op == "==" && n > k:
			return False
		case op == "!=" && n > k:
			return True
		}
		return Unknown
	}
}

// compileNOf looks at the readings of the condition's inputs, not at time.
func compileNOf(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 3 {
		return c.usage(name, loc, "a condition and two numbers are needed")
	}
	outer := c.uses
	c.uses = make(map[int]bool)
	op := c.compile(args[0])
	inner := c.uses
	c.uses = outer
	var roles []int
	for r := range c.rule.roles {
		if inner[r] {
			outer[r] = true
			roles = append(roles, r)
		}
	}
	cond, ok := c.asTruth(op)
	if !ok {
		return badOperand(loc)
	}
	m, ok := c.integerArg(name, args[2], 2, 64)
	if !ok {
		return badOperand(loc)
	}
	n, ok := c.integerArg(name, args[1], 1, m)
	if !ok {
		return badOperand(loc)
	}
	i := c.slotFor(name, args, 0)
	f := cond.truth
	return operand{role: -1, loc: loc, what: "n_of(" + c.text(args[0]) + ")", stateful: true, truth: func(ctx *evalContext) Truth {
		s, done := ctx.slot(i)
		if !done {
			v := f(ctx)
			var print int64
			for _, r := range roles {
				if p := ctx.input(r); p != nil {
					print = print*31 + p.time
				}
			}
			if v != Unknown && print != s.acc {
				s.bits = s.bits << 1
				if v == True {
					s.bits |= 1
				}
				s.n = min(s.n+1, uint32(m))
			}
			s.acc = print
		}
		mask := uint64(1)<<uint(m) - 1
		if m == 64 {
			mask = math.MaxUint64
		}
		hits := bits.OnesCount64(s.bits & mask)
		misses := int(s.n) - hits
		switch {
		case hits >= n:
			return True
		case misses > m-n:
			return False
		}
		return Unknown
	}}.needing(cond.needTrue)
}
