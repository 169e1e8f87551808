package rules

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

func (c *compiler) comparison(op string, a, b operand, loc file.Location) operand {
	res := operand{role: -1, loc: loc, stateful: a.stateful || b.stateful, what: "a condition"}.needing(a.needTrue | b.needTrue)
	if a.event || b.event {
		c.errorf(loc, "events are counted: count(door_event == \"…\", 30m) >= 3", "an event has no lasting value to compare")
		return badOperand(loc)
	}
	if !c.checkWord(a, b) || !c.checkWord(b, a) {
		return badOperand(loc)
	}
	if a.text != nil || b.text != nil || a.number == nil && a.word != nil || b.number == nil && b.word != nil {
		if op != "==" && op != "!=" {
			c.errorf(loc, "", "words are compared with == and != only")
			return badOperand(loc)
		}
		if a.word == nil || b.word == nil {
			c.errorf(loc, "", "%s and %s cannot be compared", a.what, b.what)
			return badOperand(loc)
		}
		for _, x := range [][2]operand{{a, b}, {b, a}} {
			if x[0].role >= 0 && x[1].fixed {
				c.cut(x[0].role, nil)
			}
		}
		res.truth = compareWords(op, a, b)
		return res
	}
	if a.number == nil || b.number == nil {
		if a.truth != nil && b.truth != nil {
			c.errorf(loc, "use and, or, not", "truth values are not compared")
		} else {
			c.errorf(loc, "", "%s and %s cannot be compared", a.what, b.what)
		}
		return badOperand(loc)
	}
	a, b, ok := c.unify(a, b, loc)
	if !ok {
		return badOperand(loc)
	}
	if a.constant && b.constant {
		always := comparisons[op](a.value, b.value)
		c.errorf(loc, "", "this comparison is always %v", always)
		return badOperand(loc)
	}
	if a.count != nil {
		if !b.constant || b.value >= float64(a.room) {
			c.errorf(b.loc, fmt.Sprintf("a number below %d", maxCount), "a count is compared with a small number")
			return badOperand(loc)
		}
		res.truth = compareCount(op, a.count, b.value)
		return res
	}
	for _, x := range [][2]operand{{a, b}, {b, a}} {
		switch {
		case !x[1].fixed:
		case x[0].role >= 0:
			c.cut(x[0].role, x[1].number)
		default:
			// On which side of a value the greatest lies follows from where each does.
			for _, role := range x[0].extremeOf {
				c.cut(role, x[1].number)
			}
			c.edge(x[0], x[1].number)
		}
	}
	if c.anchor && a.role >= 0 && c.limitOf < 0 {
		c.limitOf, c.drawn = a.role, b.number
	}
	res.truth = compareNumbers(op, a, b)
	return res
}

// checkWord reports a word that a role or a fact never says.
func (c *compiler) checkWord(op, text operand) bool {
	if text.text == nil || op.words == nil {
		return true
	}
	if slices.Contains(op.words, *text.text) {
		return true
	}
	if len(op.words) == 0 {
		c.errorf(text.loc, fmt.Sprintf("write %s, or not %s", op.what, op.what), "%s is a truth value, it has no words", op.what)
	} else {
		c.errorf(text.loc, diag.DidYouMean(*text.text, op.words), "%s never says %q", op.what, *text.text)
	}
	return false
}

func (c *compiler) membership(n *ast.BinaryNode) operand {
	loc := location(n)
	a := c.compile(n.Left)
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		c.errorf(location(n.Right), "fault_code in [2, 3]", "in needs a list")
		return badOperand(loc)
	}
	if a.bad {
		return a
	}
	var numbers []float64
	var words []string
	for _, item := range list.Nodes {
		op := c.compile(item)
		switch {
		case op.bad:
			return op
		case op.text != nil && a.word != nil:
			if !c.checkWord(a, op) {
				return badOperand(loc)
			}
			words = append(words, *op.text)
		case op.constant && a.number != nil:
			_, b, ok := c.unify(a, op, op.loc)
			if !ok {
				return badOperand(loc)
			}
			numbers = append(numbers, b.value)
		default:
			c.errorf(op.loc, "", "%s cannot be an item of the list that %s is looked up in", op.what, a.what)
			return badOperand(loc)
		}
	}
	if a.role >= 0 {
		c.cut(a.role, nil)
		for _, v := range numbers {
			c.rule.roles[a.role].cuts = append(c.rule.roles[a.role].cuts, func(*evalContext) (float64, bool) { return v, true })
		}
	}
	number, word := a.number, a.word
	truth := func(ctx *evalContext) Truth {
		known := false
		if len(numbers) > 0 {
			v, ok := number(ctx)
			if ok && slices.Contains(numbers, v) {
				return True
			}
			known = ok
		}
		if len(words) > 0 {
			w, ok := word(ctx)
			if ok && slices.Contains(words, w) {
				return True
			}
			known = known || ok
		}
		if !known {
			return Unknown
		}
		return False
	}
	return operand{truth: truth, role: -1, loc: loc, stateful: a.stateful, what: "a condition"}.needing(a.needTrue)
}

// inUnit brings a constant to the unit of its partner. A plain number takes
// the partner's unit.
func (c *compiler) inUnit(op operand, unit string, partner string) (operand, bool) {
	if op.lit == nil && (op.unit == "" || op.unit == unit) {
		return op, true
	}
	mismatch := func() (operand, bool) {
		want := unit
		if want == "" {
			want = "a plain number"
		}
		c.errorf(op.loc, fmt.Sprintf("%s is in %s", partner, want), "unit mismatch: %s against %s", op.what, partner)
		return badOperand(op.loc), false
	}
	from := op.unit
	if op.lit != nil {
		from = op.lit.unit
	}
	v, ok := toUnit(op.value, from, unit)
	if !ok {
		return mismatch()
	}
	res := constantOperand(v, op.loc)
	res.unit, res.what = unit, op.what
	return res, true
}

// unify brings two numbers to one unit.
func (c *compiler) unify(a, b operand, loc file.Location) (operand, operand, bool) {
	switch {
	case a.constant && b.constant:
		if a.lit != nil {
			unit := canonicalUnit(a.lit.unit)
			var ok bool
			if a, ok = c.inUnit(a, unit, b.what); !ok {
				return a, b, false
			}
		}
		b, ok := c.inUnit(b, a.unit, a.what)
		return a, b, ok
	case b.constant:
		b, ok := c.inUnit(b, a.unit, a.what)
		return a, b, ok
	case a.constant:
		a, ok := c.inUnit(a, b.unit, b.what)
		return a, b, ok
	}
	if a.unit == b.unit || a.plain || b.plain {
		return a, b, true
	}
	factor, ok := unitFactor(b.unit, a.unit)
	if !ok || a.unit == "°C" || b.unit == "°C" {
		name := func(op operand) string {
			if op.unit == "" {
				return op.what + " has no unit"
			}
			return op.what + " is in " + op.unit
		}
		c.errorf(loc, "", "unit mismatch: %s, %s", name(a), name(b))
		return a, b, false
	}
	b.number, b.role, b.extremeOf, b.unit = scaled(b.number, factor, 0), -1, nil, a.unit
	return a, b, true
}

func (c *compiler) arithmetic(op string, a, b operand, loc file.Location) operand {
	if a.number == nil || b.number == nil {
		bad := a
		if a.number != nil {
			bad = b
		}
		c.errorf(bad.loc, "", "%s is not a number", bad.what)
		return badOperand(loc)
	}
	res := operand{role: -1, loc: loc, stateful: a.stateful || b.stateful, fixed: a.fixed && b.fixed, what: "the result of " + op}.needing(a.needTrue | b.needTrue)
	var ok bool
	switch op {
	case "+", "-":
		switch {
		case op == "-" && a.unit == "°C" && b.unit == "°C":
			res.unit = "K"
		case a.unit == "°C" && b.lit != nil && canonicalUnit(b.lit.unit) == "K":
			b, _ = c.inUnit(b, "K", a.what)
			res.unit = "°C"
		case a.unit == "°C" && b.unit == "K":
			res.unit = "°C"
		default:
			if a, b, ok = c.unify(a, b, loc); !ok {
				return badOperand(loc)
			}
			res.unit = a.unit
			if res.unit == "" {
				res.unit = b.unit
			}
		}
	default:
		if a, ok = c.own(a); !ok {
			return badOperand(loc)
		}
		if b, ok = c.own(b); !ok {
			return badOperand(loc)
		}
		// A percentage of something is a factor.
		if a.unit == "%" && b.unit != "" && b.unit != "%" {
			a.number, a.unit, a.constant = scaled(a.number, 0.01, 0), "", false
		}
		if b.unit == "%" && a.unit != "" && a.unit != "%" {
			b.number, b.unit, b.constant = scaled(b.number, 0.01, 0), "", false
		}
		res.plain = op == "*" && (a.plain && b.unit == "" || b.plain && a.unit == "")
		switch {
		case b.unit == "":
			res.unit = a.unit
		case op == "*" && a.unit == "":
			res.unit = b.unit
		case op == "*":
			res.unit = a.unit + "·" + b.unit
		case a.unit == b.unit:
			res.unit = ""
		default:
			res.unit = a.unit + "/" + b.unit
		}
	}
	if op == "/" && b.constant && b.value == 0 {
		c.errorf(b.loc, "", "division by zero")
		return badOperand(loc)
	}
	res.number = arithmetic(op, a, b)
	if a.constant && b.constant {
		v, _ := res.number(nil)
		unit := res.unit
		res = constantOperand(v, loc)
		res.unit = unit
	}
	return res
}

// own brings a literal with a unit to its own canonical unit. A percentage is
// a factor.
func (c *compiler) own(op operand) (operand, bool) {
	if op.lit == nil {
		return op, true
	}
	if op.lit.unit == "%" {
		return constantOperand(op.value/100, op.loc), true
	}
	if devices.UnitByCode(op.lit.unit) == nil {
		c.errorf(op.loc, "", "%s is a duration, not a factor", op.what)
		return op, false
	}
	return c.inUnit(op, canonicalUnit(op.lit.unit), op.what)
}
