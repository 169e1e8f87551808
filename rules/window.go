package rules

import (
	"math"
	"slices"
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
	cells []cell
	more  *recall // what few calls need, made when it is
	out   float64
	n     uint32 // how many of them
	val   Truth  // last input, when it is a condition
	known bool   // v is known
	outOK bool

	serial uint32
}

// A recall is the memory that only some functions have.
type recall struct {
	word  string   // last input, when it is a word
	small []uint16 // numbers of 16 bits
	watch *watcher // of anomaly and change
}

// recall returns it to be written to.
func (s *slot) recall() *recall {
	if s.more == nil {
		s.more = new(recall)
	}
	return s.more
}

// word, small and watcher return what the fields hold, nothing where there is none.
func (s *slot) word() string {
	if s.more == nil {
		return ""
	}
	return s.more.word
}

func (s *slot) small() []uint16 {
	if s.more == nil {
		return nil
	}
	return s.more.small
}

func (s *slot) watcher() *watcher {
	if s.more == nil {
		return nil
	}
	return s.more.watch
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
	small int        // how many numbers of 16 bits
	watch *watchSpec // of anomaly and change, else nil
	names names      // limits and facts in its arguments
}

// windowBuckets is how finely a window is kept: it forgets in tenths.
const windowBuckets = 10

// slotFor gives the call its memory.
func (c *compiler) slotFor(name string, args []ast.Node, cells int) int {
	key := name
	c.rule.learns = c.rule.learns || learnsBy(name)
	var in naming
	for _, a := range args {
		key += "|" + c.text(a)
		ast.Walk(&a, &in)
	}
	spec := slotSpec{key: key, cells: cells}
	for _, name := range in.limits {
		spec.names.limits = append(spec.names.limits, slices.IndexFunc(c.rule.Limits, func(l Limit) bool { return l.Name == name }))
	}
	for _, name := range in.facts {
		spec.names.facts = append(spec.names.facts, c.rule.factSlot(factByName(name)))
	}
	return c.rule.slotIndex(spec)
}

// naming collects the limits and facts that a tree names.
type naming struct{ limits, facts []string }

// Visit implements ast.Visitor.
func (in *naming) Visit(n *ast.Node) {
	m, ok := (*n).(*ast.MemberNode)
	if !ok {
		return
	}
	base, ok1 := m.Node.(*ast.IdentifierNode)
	name, ok2 := m.Property.(*ast.StringNode)
	switch {
	case !ok1 || !ok2:
	case base.Value == "limit":
		in.limits = append(in.limits, name.Value)
	case base.Value == "fact":
		in.facts = append(in.facts, name.Value)
	}
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
	c.rule.learns = c.rule.learns || w >= learntOver
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
	s.book(t, width, windowBuckets, name)
}

// book adds the time up to end to the stretches that it lies in, as many as are
// kept, under the value that held.
func (s *slot) book(end, width, stretches int64, name string) {
	end = min(end, s.until)
	for from := max(s.t, end-width*stretches); from < end; {
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
