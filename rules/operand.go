package rules

import (
	"math"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// evalContext is what a compiled condition sees. One belongs to each engine; it
// is set anew for every evaluation, so that evaluating allocates nothing.
type evalContext struct {
	engine *Engine
	inst   *instance
	t      int64 // the instance's time: reading time, or journal time for clock rules
	// due is the next time at which a value may change although no reading
	// arrives; expiry is when the first of the inputs that were read goes stale.
	due, expiry int64
	open        Truth  // whether only_while holds
	signal      *Mute  // what the asset itself says against opening anything
	serial      uint32 // counts evaluations, so that a call site advances once in each
	// event is the point whose event is being told, -1 for none.
	event     int32
	eventTime int64
	folded    [maxFold]float64 // what a function over several values works on
}

// never is a time that does not come.
const never = math.MaxInt64

// input returns the state of the point in a role, nil when the role has no point.
func (c *evalContext) input(role int) *pointState {
	idx := c.inst.bind[role]
	if idx < 0 {
		return nil
	}
	return &c.engine.points[idx]
}

// known returns the state of the point in a role when its value may be used now.
func (c *evalContext) known(role int) *pointState {
	p := c.input(role)
	if p == nil || !p.ok || c.t > p.validTo {
		return nil
	}
	if p.validTo < c.expiry {
		c.expiry = p.validTo
	}
	return p
}

// wakeAt asks for an evaluation at time t.
func (c *evalContext) wakeAt(t int64) {
	if t > c.t && t < c.due {
		c.due = t
	}
}

type (
	truthFunc  func(*evalContext) Truth
	numberFunc func(*evalContext) (float64, bool)
	wordFunc   func(*evalContext) (string, bool)
)

// An operand is a compiled expression. The functions that are set say what it
// can be used as: a state is a truth value, a number and a word at once.
type operand struct {
	truth  truthFunc
	number numberFunc
	word   wordFunc

	what     string // how it is called in a message, such as "bearing_temp"
	unit     string // canonical unit of number
	constant bool   // number is the same for ever (value)
	fixed    bool   // number or word is the same as long as the instance lives
	value    float64
	lit      *literal // a number with a unit, not yet brought to one
	text     *string  // a string literal
	words    []string // what word may be; nil when that is open
	role     int      // slot of the role when the operand is just that; else -1
	// extremeOf are the roles of which it is the least or the greatest.
	extremeOf []int
	event     bool       // an event role: only a function may look at it
	count     numberFunc // a count: known to be at least so much, and whether that is all
	room      int        // how far it can count
	counter   bool
	// stateful operands remember, so they are evaluated every time. What one with
	// outcomes remembers changes only with the outcome of its condition: readings
	// between need not be looked at.
	stateful, outcomes bool
	plain              bool // a limit without a unit: it is in its partner's
	bad                bool // an error was reported already
	// needTrue and needFalse are the roles (a bit each) that must be known for it
	// to be true, or false; both are the same for a number or a word.
	needTrue, needFalse uint64
	// gone tells whether it can be neither with these roles, where that does not
	// follow from the two.
	gone  func(have uint64) bool
	parts []part // what a condition is made of
	loc   file.Location
}

func badOperand(loc file.Location) operand { return operand{bad: true, role: -1, loc: loc} }

func constantOperand(v float64, loc file.Location) operand {
	return operand{
		number:   func(*evalContext) (float64, bool) { return v, true },
		constant: true, fixed: true, value: v, role: -1, loc: loc, what: "a number",
	}
}

// needing sets the roles without which an operand has no value.
func (op operand) needing(roles uint64) operand {
	op.needTrue, op.needFalse = roles, roles
	return op
}

func location(n ast.Node) file.Location { return n.Location() }

// and, or and not are Kleene's. A stateful right side is evaluated in any case.
//
// An alternative whose roles have no point on the asset is no alternative: of
// `overflow_float or water_leak` only the rope counts where there is no float.
// Unknown for ever, it would keep a delay from starting anew and an episode from
// ending. So or leaves it out where a rule starts, and and where it ends; a
// precondition that has no point stays unknown. See compiler.lenient.
func andOf(a, b operand, lenient bool) truthFunc {
	x, y := a.truth, b.truth
	if lenient && (a.needTrue != 0 || b.needTrue != 0) {
		return leaveOut(a, b, func(l, r Truth) Truth { return min(l, r) })
	}
	if b.stateful {
		return func(c *evalContext) Truth { l, r := x(c), y(c); return min(l, r) }
	}
	return func(c *evalContext) Truth {
		l := x(c)
		if l == False {
			return False
		}
		return min(l, y(c))
	}
}

func orOf(a, b operand, lenient bool) truthFunc {
	x, y := a.truth, b.truth
	if lenient && (a.needTrue != 0 || b.needTrue != 0) {
		return leaveOut(a, b, func(l, r Truth) Truth { return max(l, r) })
	}
	if b.stateful {
		return func(c *evalContext) Truth { l, r := x(c), y(c); return max(l, r) }
	}
	return func(c *evalContext) Truth {
		l := x(c)
		if l == True {
			return True
		}
		return max(l, y(c))
	}
}

// leaveOut joins two conditions, of which one may be without its points.
func leaveOut(a, b operand, join func(l, r Truth) Truth) truthFunc {
	x, y := a.truth, b.truth
	return func(c *evalContext) Truth {
		l, r := x(c), y(c)
		switch {
		case b.absent(c.inst.have):
			return l
		case a.absent(c.inst.have):
			return r
		}
		return join(l, r)
	}
}

// absent tells whether a condition can be neither true nor false with these roles.
func (op *operand) absent(have uint64) bool {
	if op.gone != nil {
		return op.gone(have)
	}
	return op.needTrue&^have != 0 && op.needFalse&^have != 0
}

// bothAbsent is about two conditions of which one may be left out.
func bothAbsent(a, b operand) func(have uint64) bool {
	return func(have uint64) bool { return a.absent(have) && b.absent(have) }
}

func notOf(a operand) truthFunc {
	x := a.truth
	return func(c *evalContext) Truth { return x(c).not() }
}

var comparisons = map[string]func(a, b float64) bool{
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
	"==": func(a, b float64) bool { return a == b },
	"!=": func(a, b float64) bool { return a != b },
}

// compareNumbers compiles a comparison. The commonest form, a role against a
// constant, has no indirect call but the comparison's own.
func compareNumbers(op string, a, b operand) truthFunc {
	if a.role >= 0 && b.constant {
		role, k := a.role, b.value
		switch op {
		case ">":
			return func(c *evalContext) Truth {
				if p := c.known(role); p != nil {
					return truthOf(p.value > k)
				}
				return Unknown
			}
		case "<":
			return func(c *evalContext) Truth {
				if p := c.known(role); p != nil {
					return truthOf(p.value < k)
				}
				return Unknown
			}
		case "==":
			return func(c *evalContext) Truth {
				if p := c.known(role); p != nil {
					return truthOf(p.value == k)
				}
				return Unknown
			}
		}
	}
	x, y, cmp := a.number, b.number, comparisons[op]
	return func(c *evalContext) Truth {
		l, ok1 := x(c)
		r, ok2 := y(c)
		if !ok1 || !ok2 {
			return Unknown
		}
		return truthOf(cmp(l, r))
	}
}

func compareWords(op string, a, b operand) truthFunc {
	x, y, equal := a.word, b.word, op == "=="
	return func(c *evalContext) Truth {
		l, ok1 := x(c)
		r, ok2 := y(c)
		if !ok1 || !ok2 {
			return Unknown
		}
		return truthOf((l == r) == equal)
	}
}

// arithmetic compiles the four operations; a result that is no number (division
// by zero) is unknown.
func arithmetic(op string, a, b operand) numberFunc {
	x, y := a.number, b.number
	var f func(l, r float64) float64
	switch op {
	case "+":
		f = func(l, r float64) float64 { return l + r }
	case "-":
		f = func(l, r float64) float64 { return l - r }
	case "*":
		f = func(l, r float64) float64 { return l * r }
	default:
		f = func(l, r float64) float64 { return l / r }
	}
	return func(c *evalContext) (float64, bool) {
		l, ok1 := x(c)
		r, ok2 := y(c)
		if !ok1 || !ok2 {
			return 0, false
		}
		v := f(l, r)
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
}

func scaled(f numberFunc, factor, offset float64) numberFunc {
	return func(c *evalContext) (float64, bool) {
		v, ok := f(c)
		return v*factor + offset, ok
	}
}
