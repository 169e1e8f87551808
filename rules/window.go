package rules

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// A slot is the memory of one call site of one rule instance. What the fields
// mean is the function's own affair; all of them go into the checkpoint but
// serial and out, which live during one evaluation only.
type slot struct {
	t     int64   // instance time of the last advance; 0 = never
	since int64   // when watching began, or when the value last changed
	until int64   // how long the last input is valid
	acc   int64   // accumulated time, or a fingerprint
	v     float64 // last input
	sum   float64 // accumulated amount
	bits  uint64  // last results, newest lowest
	word  string  // last input, when it is a word
	n     uint32  // how many of them
	val   Truth   // last input, when it is a condition
	known bool    // v is known
	cells []cell
	watch *watcher // of anomaly and change

	serial uint32
	out    float64
	outOK  bool
}

// A cell is one event, or one bucket of a window.
type cell struct {
	t    int64
	a, b float64
}

// slotSpec says what a call site needs; equal calls of one rule share a slot.
type slotSpec struct {
	key   string
	cells int
	watch *watchSpec // of anomaly and change, else nil
}

// windowBuckets is how finely a window is kept: it forgets in tenths.
const windowBuckets = 10

// slotFor gives the call its memory.
func (c *compiler) slotFor(name string, args []ast.Node, cells int) int {
	key := name
	for _, a := range args {
		key += "|" + c.text(a)
	}
	return c.rule.slotIndex(slotSpec{key: key, cells: cells})
}

// text writes a node with its literals as they were written.
func (c *compiler) text(n ast.Node) string {
	out := ""
	for _, r := range n.String() {
		if r >= firstLiteralRune && int(r-firstLiteralRune) < len(c.literals) {
			out += c.literals[r-firstLiteralRune].text
			continue
		}
		out += string(r)
	}
	return out
}

// slot returns the memory of a call site and whether it has been advanced in
// this evaluation already.
func (c *evalContext) slot(i int) (s *slot, done bool) {
	s = &c.inst.slots[i]
	done = s.serial == c.serial
	s.serial = c.serial
	return s, done
}

// number evaluates an argument and tells how long it stays valid.
func (c *evalContext) number(f numberFunc) (v float64, ok bool, until int64) {
	before := c.expiry
	c.expiry = never
	v, ok = f(c)
	until = c.expiry
	c.expiry = min(before, until)
	return v, ok, until
}

func (c *compiler) windowArgs(name string, args []ast.Node, loc file.Location) (x operand, w time.Duration, ok bool) {
	if len(args) != 2 {
		c.usage(name, loc, "a value and a duration are needed")
		return x, 0, false
	}
	if x = c.numberArg(name, args[0]); x.bad {
		return x, 0, false
	}
	if x.constant {
		c.usage(name, x.loc, "%s never changes", x.what)
		return x, 0, false
	}
	w, ok = c.durationArg(name, args[1])
	return x, w, ok
}

// compileWindow is avg, min and max over time: the value is taken to hold from
// one reading to the next, as long as it is valid. A mean is known when half of
// the window is covered, an extreme when nine tenths are.
//
// With a condition as third argument only the time in which it is true counts,
// and a tenth of the window is enough.
func compileWindow(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	var while truthFunc
	all := args
	if len(args) == 3 {
		cond, ok := c.asTruth(c.compile(args[2]))
		if !ok {
			return badOperand(loc)
		}
		while, args = cond.truth, args[:2]
	}
	x, w, ok := c.windowArgs(name, args, loc)
	if !ok {
		return badOperand(loc)
	}
	i := c.slotFor(name, all, windowBuckets)
	f, width := x.number, int64(w)/windowBuckets
	least := 0.5
	switch {
	case while != nil:
		least = 0.1
	case name != "avg":
		least = 0.9 // what was not seen may have been the extreme
	}
	return operand{role: -1, loc: loc, what: name + "(" + x.what + ")", unit: x.unit, stateful: true,
		number: func(ctx *evalContext) (float64, bool) {
			s, done := ctx.slot(i)
			if !done {
				v, ok, until := ctx.number(f)
				if while != nil && while(ctx) != True {
					ok = false
				}
				s.cover(ctx.t, width, name)
				s.t, s.v, s.known, s.until = ctx.t, v, ok, until
				if ok {
					s.bucket(ctx.t/width, name).mix(v, 0, name)
				}
				s.out, s.outOK = s.fold(ctx.t/width, least*w.Seconds(), name)
			}
			return s.out, s.outOK
		}}.needing(x.needTrue)
}

// cover books the time since the last advance under the value that held.
func (s *slot) cover(t, width int64, name string) {
	if !s.known || s.t == 0 {
		return
	}
	end := min(t, s.until)
	from := max(s.t, end-width*windowBuckets)
	for from < end {
		id := from / width
		to := min(end, (id+1)*width)
		s.bucket(id, name).mix(s.v, float64(to-from)/1e9, name)
		from = to
	}
}

// bucket returns the cell of a stretch of time, emptied when it was of another.
func (s *slot) bucket(id int64, name string) *cell {
	b := &s.cells[int(id%int64(len(s.cells)))]
	if b.t != id {
		*b = cell{t: id}
		switch name {
		case "min":
			b.a = math.Inf(1)
		case "max":
			b.a = math.Inf(-1)
		}
	}
	return b
}

func (b *cell) mix(v, seconds float64, name string) {
	b.b += seconds
	switch name {
	case "avg":
		b.a += v * seconds
	case "min":
		b.a = min(b.a, v)
	case "max":
		b.a = max(b.a, v)
	}
}

// fold sums the window up; ok is false when fewer seconds than least are covered.
func (s *slot) fold(now int64, least float64, name string) (v float64, ok bool) {
	sum, covered := 0.0, 0.0
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range s.cells {
		b := &s.cells[i]
		if b.t == 0 || b.t > now || b.t <= now-windowBuckets {
			continue
		}
		covered += b.b
		sum += b.a
		lo, hi = min(lo, b.a), max(hi, b.a)
	}
	if covered < least || covered == 0 {
		return 0, false
	}
	switch name {
	case "avg":
		return sum / covered, true
	case "min":
		return lo, true
	}
	return hi, true
}

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
	return operand{role: -1, loc: loc, what: "held(" + c.text(args[0]) + ")", stateful: true, truth: func(ctx *evalContext) Truth {
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
			moved := s.known && (v != s.v || w != s.word)
			if !s.known || moved {
				s.since, s.n = ctx.t, 0
				s.val = truthOf(moved)
			}
			if p := ctx.inputTime(role); p != s.acc {
				s.acc = p
				s.n++
			}
			s.v, s.word, s.known = v, w, true
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
