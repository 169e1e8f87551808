package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// expr gives the grammar and the positions; its compiler is not used, because
// its operators know two truth values and a rule needs three. The tree is typed
// and turned into closures here.

// maxNodes bounds the size of one expression.
const maxNodes = 500

// A roleUse is one role that a rule reads. A rule's roles are numbered once for
// all of its conditions.
type roleUse struct {
	role *devices.Role
	// anchor roles stand in a threshold's `when`: where one has a point, the
	// rule applies.
	anchor bool
	// line and column are where the rule first names it.
	line, column int
	// made stands for a call, in a trial; least and most bound what it can say.
	made        bool
	least, most float64
	// cuts are the values that the role is compared with. As long as a reading
	// stays between two of them no comparison changes. Where the role is used in
	// another way too (refs > told), any change of its value matters.
	cuts       []numberFunc
	refs, told int
	// edges are values with which something made of the role is compared, such as
	// its mean: for those who try a rule out.
	edges []numberFunc
}

// opaque roles are looked at in other ways than by comparing them.
func (u *roleUse) opaque() bool { return u.refs > u.told }

// cut notes that the role is compared with a value that stays the same.
func (c *compiler) cut(role int, at numberFunc) {
	u := &c.rule.roles[role]
	u.told++
	if at != nil {
		u.cuts = append(u.cuts, at)
	}
}

// edge notes that something made of roles is compared with a value that stays the
// same: where the roles are at that value it may matter.
func (c *compiler) edge(of operand, at numberFunc) {
	for slot := range c.rule.roles {
		u := &c.rule.roles[slot]
		if of.needTrue&(1<<slot) != 0 && u.role.Kind == devices.Gauge && u.role.Unit == of.unit {
			u.edges = append(u.edges, at)
		}
	}
}

func zero(*evalContext) (float64, bool) { return 0, true }

// compiler turns the expressions of one rule into conditions.
type compiler struct {
	rule     *Rule
	pos      func(file.Location) (line, column int) // of the expression at hand
	diags    *diag.List
	filename string
	literals []literal
	anchor   bool // the expression at hand is a `when`
	uses     map[int]bool
	// countRoom is how many events a count must remember for the comparison
	// that it stands in.
	countRoom int
	// limitOf and drawn are the first role that is compared with something, and
	// that something: the line in the chart.
	limitOf int
	drawn   numberFunc
	watches []int // slots of detectors in the expression at hand
	// clearing and negated say where the expression at hand stands: in a `clear`,
	// under a `not`.
	clearing, negated bool
	within            *relation // the expression at hand is asked of related assets
	names             names     // limits and facts in the expression at hand
	trial             bool      // see trialOf
}

func (c *compiler) errorf(loc file.Location, hint, format string, args ...any) {
	line, col := c.pos(loc)
	c.diags.Add(diag.Diagnostic{File: c.filename, Line: line, Column: col, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *compiler) warnf(loc file.Location, hint, format string, args ...any) {
	line, col := c.pos(loc)
	c.diags.Add(diag.Diagnostic{File: c.filename, Line: line, Column: col, Level: diag.Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// A Condition is a compiled truth expression.
type Condition struct {
	Text     string // as written
	eval     truthFunc
	stateful bool
	roles    []int  // slots of the roles it reads, ascending
	gauges   []int  // those of them that are sampled, not told on change
	requires uint64 // roles, a bit each, that must be known for it to be true
	limit    numberFunc
	limitOf  int   // slot of the role that limit is drawn for; -1 for none
	watches  []int // slots of its detectors
	names    names // limits and facts that it names
	parts    []part
	// Line and Column are where it begins in its file.
	Line, Column int
}

// condition compiles src; ok is false when an error was reported.
func (c *compiler) condition(src string) (cond Condition, ok bool) {
	c.uses = make(map[int]bool)
	c.limitOf, c.drawn, c.watches, c.names = -1, nil, nil, names{}
	op := c.expression(src)
	if op.bad {
		return Condition{}, false
	}
	op, ok = c.asTruth(op)
	if !ok {
		return Condition{}, false
	}
	cond = Condition{Text: src, eval: op.truth, stateful: op.stateful, requires: op.needTrue, limit: c.drawn, limitOf: c.limitOf, watches: c.watches, names: c.names}
	cond.parts = op.parts
	if cond.parts == nil {
		cond.parts = []part{{text: strings.TrimSpace(src), truth: op.truth}}
	}
	cond.Line, cond.Column = c.pos(file.Location{})
	cond.roles = slices.Sorted(maps.Keys(c.uses))
	for _, slot := range cond.roles {
		if k := c.rule.roles[slot].role.Kind; k == devices.Gauge || k == devices.Counter {
			cond.gauges = append(cond.gauges, slot)
		}
	}
	return cond, true
}

func (c *compiler) expression(src string) operand {
	text, lits := extractLiterals(src)
	c.literals = lits
	cfg := &conf.Config{MaxNodes: maxNodes, Functions: overridden, DisableIfOperator: true}
	tree, err := parser.ParseWithConfig(text, cfg)
	if err != nil {
		var fe *file.Error
		loc := file.Location{}
		msg := err.Error()
		if errors.As(err, &fe) {
			loc, msg = fe.Location, fe.Message
		}
		if msg == "unexpected token EOF" {
			msg = "the condition ends too early"
		}
		c.errorf(loc, "", "%s", msg)
		return badOperand(loc)
	}
	return c.compile(tree.Node)
}

// overridden takes the names of our functions away from expr's builtins, whose
// arguments are parsed in another way.
var overridden = func() conf.FunctionsTable {
	t := make(conf.FunctionsTable)
	for _, f := range functionList {
		t[f.Name] = &builtin.Function{Name: f.Name}
	}
	return t
}()

func (c *compiler) compile(n ast.Node) operand {
	loc := location(n)
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constantOperand(float64(n.Value), loc)
	case *ast.FloatNode:
		return constantOperand(n.Value, loc)
	case *ast.BoolNode:
		v := truthOf(n.Value)
		return operand{truth: func(*evalContext) Truth { return v }, role: -1, loc: loc, what: "a truth value"}
	case *ast.StringNode:
		s := n.Value
		return operand{word: func(*evalContext) (string, bool) { return s, true }, text: &s, fixed: true, role: -1, loc: loc, what: fmt.Sprintf("%q", s)}
	case *ast.IdentifierNode:
		return c.identifier(n.Value, loc)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			c.errorf(loc, "", "only functions by name can be called")
			return badOperand(loc)
		}
		return c.call(name.Value, n.Arguments, loc)
	case *ast.BuiltinNode:
		return c.call(n.Name, n.Arguments, loc)
	}
	c.errorf(loc, "a condition is made of roles, facts, limits, numbers, comparisons, and, or, not, and functions", "this kind of expression is not part of the rule language")
	return badOperand(loc)
}

func (c *compiler) identifier(name string, loc file.Location) operand {
	if r := []rune(name); len(r) == 1 && r[0] >= firstLiteralRune && int(r[0]-firstLiteralRune) < len(c.literals) {
		lit := &c.literals[r[0]-firstLiteralRune]
		op := constantOperand(lit.value, loc)
		op.lit, op.what = lit, lit.text
		return op
	}
	if name == devices.AvailabilityPoint {
		return c.roleOperand(&availabilityRole, loc)
	}
	role := devices.RoleByName(name)
	if role == nil {
		c.errorf(loc, diag.DidYouMean(name, roleNames), "unknown role %q", name)
		return badOperand(loc)
	}
	if role.Class != "" && !slices.Contains(c.rule.Classes, role.Class) && !slices.Contains(c.rule.Classes, AnyClass) {
		c.warnf(loc, "", "role %q belongs to class %q, the rule is for %v", name, role.Class, c.rule.Classes)
	}
	return c.roleOperand(role, loc)
}

// availabilityRole stands for the availability of the device itself.
var availabilityRole = devices.Role{
	Name: devices.AvailabilityPoint, Kind: devices.Availability,
	Label: devices.Label{EN: "Availability", ZH: "在线状态"},
}

var roleNames = func() []string {
	names := make([]string, 0, len(devices.Roles)+1)
	for _, r := range devices.Roles {
		names = append(names, r.Name)
	}
	return append(names, devices.AvailabilityPoint)
}()

func (c *compiler) roleOperand(role *devices.Role, loc file.Location) operand {
	slot := c.rule.roleSlot(role)
	c.uses[slot] = true
	c.rule.roles[slot].refs++
	if u := &c.rule.roles[slot]; u.line == 0 {
		u.line, u.column = c.pos(loc)
	}
	if c.anchor {
		c.rule.roles[slot].anchor = true
	}
	op := operand{role: slot, loc: loc, what: role.Name, unit: role.Unit}.needing(1 << slot)
	number := func(ctx *evalContext) (float64, bool) {
		if p := ctx.known(slot); p != nil {
			return p.value, true
		}
		return 0, false
	}
	word := func(ctx *evalContext) (string, bool) {
		if p := ctx.known(slot); p != nil {
			return p.text, true
		}
		return "", false
	}
	switch role.Kind {
	case devices.Gauge:
		op.number = number
	case devices.Counter:
		op.number, op.counter = number, true
	case devices.State:
		op.number, op.word = number, word
		op.words = make([]string, len(role.Words))
		for k, w := range role.Words {
			op.words[k] = w.Name
		}
		op.truth = func(ctx *evalContext) Truth {
			if p := ctx.known(slot); p != nil {
				return truthOf(p.value != 0)
			}
			return Unknown
		}
	case devices.Event:
		op.event, op.word = true, word
	case devices.Availability:
		op.word, op.words = word, []string{"online", "offline", "degraded", "unknown"}
	default:
		op.word = word
	}
	return op
}

// member compiles fact.NAME and limit.NAME.
func (c *compiler) member(n *ast.MemberNode) operand {
	loc := location(n)
	base, ok1 := n.Node.(*ast.IdentifierNode)
	prop, ok2 := n.Property.(*ast.StringNode)
	if !ok1 || !ok2 || base.Value != "fact" && base.Value != "limit" {
		c.errorf(loc, "write fact.NAME or limit.NAME", "only facts and limits have members")
		return badOperand(loc)
	}
	if base.Value == "limit" {
		return c.limit(prop.Value, loc)
	}
	spec := factByName(prop.Value)
	if spec == nil {
		c.errorf(location(prop), diag.DidYouMean(prop.Value, factNames), "unknown fact %q", prop.Value)
		return badOperand(loc)
	}
	slot := c.rule.factSlot(spec)
	c.names.facts = append(c.names.facts, slot)
	op := operand{role: -1, loc: loc, what: "fact." + spec.Name, unit: spec.Unit, plain: spec.Unit == "" && !spec.Word, fixed: true}
	if spec.Word {
		op.words = spec.Values
		op.word = func(ctx *evalContext) (string, bool) { return ctx.inst.consts.facts[slot].Word, true }
	} else {
		op.number = func(ctx *evalContext) (float64, bool) { return ctx.inst.consts.facts[slot].Value, true }
	}
	return op
}

func (c *compiler) limit(name string, loc file.Location) operand {
	i := slices.IndexFunc(c.rule.Limits, func(l Limit) bool { return l.Name == name })
	if i < 0 {
		var names []string
		for _, l := range c.rule.Limits {
			names = append(names, l.Name)
		}
		c.errorf(loc, diag.DidYouMean(name, names), "unknown limit %q", name)
		return badOperand(loc)
	}
	c.rule.Limits[i].used = true
	c.names.limits = append(c.names.limits, i)
	return operand{
		role: -1, loc: loc, fixed: true, what: "limit." + name, unit: c.rule.Limits[i].Unit, plain: c.rule.Limits[i].Unit == "",
		number: func(ctx *evalContext) (float64, bool) { return ctx.inst.consts.limits[i], true },
	}
}

func (c *compiler) unary(n *ast.UnaryNode) operand {
	negates := n.Operator == "not" || n.Operator == "!"
	if negates {
		c.negated = !c.negated
	}
	op := c.compile(n.Node)
	if negates {
		c.negated = !c.negated
	}
	if op.bad {
		return op
	}
	switch n.Operator {
	case "not", "!":
		t, ok := c.asTruth(op)
		if !ok {
			return badOperand(op.loc)
		}
		return operand{truth: notOf(t), role: -1, loc: location(n), stateful: t.stateful, what: "a condition", needTrue: t.needFalse, needFalse: t.needTrue, gone: t.gone}
	case "-":
		if op.number == nil {
			c.errorf(op.loc, "", "%s is not a number", op.what)
			return badOperand(op.loc)
		}
		if op.constant {
			neg := constantOperand(-op.value, location(n))
			if op.lit != nil {
				neg.lit = &literal{value: -op.lit.value, unit: op.lit.unit, text: "-" + op.lit.text}
				neg.what = neg.lit.text
			}
			return neg
		}
		return operand{number: scaled(op.number, -1, 0), fixed: op.fixed, role: -1, loc: location(n), unit: op.unit, stateful: op.stateful, what: "-" + op.what}.needing(op.needTrue)
	case "+":
		return op
	}
	c.errorf(location(n), "", "operator %q is not part of the rule language", n.Operator)
	return badOperand(location(n))
}

func (c *compiler) binary(n *ast.BinaryNode) operand {
	loc := location(n)
	switch n.Operator {
	case "and", "&&", "or", "||":
		a, b := c.compile(n.Left), c.compile(n.Right)
		if a.bad || b.bad {
			return badOperand(loc)
		}
		a, ok1 := c.asTruth(a)
		b, ok2 := c.asTruth(b)
		if !ok1 || !ok2 {
			return badOperand(loc)
		}
		res := operand{role: -1, loc: loc, stateful: a.stateful || b.stateful, what: "a condition"}
		lenient := c.negated != c.clearing
		if n.Operator == "or" || n.Operator == "||" {
			lenient = !lenient
			res.truth, res.needTrue, res.needFalse = orOf(a, b, lenient), a.needTrue&b.needTrue, a.needFalse|b.needFalse
		} else {
			res.truth, res.needTrue, res.needFalse = andOf(a, b, lenient), a.needTrue|b.needTrue, a.needFalse&b.needFalse
		}
		if lenient {
			res.gone = bothAbsent(a, b)
		}
		res.parts = c.joined(n, a, b)
		return res
	case "<", "<=", ">", ">=", "==", "!=":
		if k, ok := n.Right.(*ast.IntegerNode); ok && k.Value >= 0 {
			c.countRoom = min(max(k.Value+1, 4), maxCount)
		}
		a := c.compile(n.Left)
		c.countRoom = 0
		b := c.compile(n.Right)
		if a.bad || b.bad {
			return badOperand(loc)
		}
		res := c.comparison(n.Operator, a, b, loc)
		res.parts = c.compared(n, a, b, res)
		return res
	case "in":
		return c.membership(n)
	case "+", "-", "*", "/":
		a, b := c.compile(n.Left), c.compile(n.Right)
		if a.bad || b.bad {
			return badOperand(loc)
		}
		return c.arithmetic(n.Operator, a, b, loc)
	}
	c.errorf(loc, "operators are and or not < <= > >= == != in + - * /", "operator %q is not part of the rule language", n.Operator)
	return badOperand(loc)
}

func (c *compiler) asTruth(op operand) (operand, bool) {
	if op.truth != nil {
		if op.role >= 0 {
			c.cut(op.role, zero)
			op.role = -1
		}
		return op, true
	}
	if op.bad {
		return op, false
	}
	switch {
	case op.event:
		c.errorf(op.loc, fmt.Sprintf("count(%s, 10m) >= 1", op.what), "%s is an event: it happens, it does not hold", op.what)
	case op.number != nil:
		c.errorf(op.loc, "compare it with something", "%s is a number, not a condition", op.what)
	default:
		c.errorf(op.loc, fmt.Sprintf("compare it: %s == \"…\"", op.what), "%s is a word, not a condition", op.what)
	}
	return op, false
}
