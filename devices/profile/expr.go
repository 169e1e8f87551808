package profile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// An expression is a compiled expr-lang program with the refs of the names that
// it uses. A name that is no word of the profile is a field of the scope.
type expression struct {
	program *vm.Program
	names   []exprName
	text    string
	careful bool // it handles names without a value itself, with ?? or nil
}

type exprName struct {
	name  string
	ref   *ref
	fixed exprFixed
}

type exprFixed uint8

const (
	exprByRef  exprFixed = iota
	exprValue            // the value that is being transformed
	exprRoot             // the whole message
	exprPoints           // values of the points before this one
)

// exprFunctions are ours, beside those of expr-lang.
var exprFunctions = []struct {
	name string
	fn   func(args ...any) (any, error)
}{
	{"hex", func(a ...any) (any, error) { return hexNumber(a, false) }},
	{"hexs", func(a ...any) (any, error) { return hexNumber(a, true) }},
	{"bit", exprBit},
	{"bits", exprBits},
	{"signed", exprSigned},
	{"u32", func(a ...any) (any, error) {
		hi, lo, err := twoWords(a)
		return int(uint32(hi)<<16 | uint32(lo)), err
	}},
	{"f32", func(a ...any) (any, error) {
		hi, lo, err := twoWords(a)
		return float64(math.Float32frombits(uint32(hi)<<16 | uint32(lo))), err
	}},
	{"number", exprNumber},
}

func exprFunctionNames() []string {
	var names []string
	for _, f := range exprFunctions {
		names = append(names, f.name)
	}
	return names
}

// exprBanned would make results depend on the clock or on map order.
var exprBanned = []string{"now", "keys", "values", "toPairs", "timezone"}

// expression compiles text.
func (c *scopeNames) expression(n *yaml.Node, text string) *expression {
	tree, err := parser.Parse(text)
	if err != nil {
		c.r.errorf(n, "expression: %s", firstLine(err))
		return nil
	}
	var v exprVisitor
	ast.Walk(&tree.Node, &v)
	ok := true
	for _, call := range v.calls {
		if !slices.Contains(exprFunctionNames(), call) {
			c.r.hintf(n, diag.DidYouMean(call, exprFunctionNames()), "expression: unknown function %s", call)
			ok = false
		}
	}
	for _, b := range v.builtins {
		if slices.Contains(exprBanned, b) {
			c.r.errorf(n, "expression: function %s is not allowed, results would not be repeatable", b)
			ok = false
		}
	}
	if !ok {
		return nil
	}
	e := &expression{text: text, careful: v.careful}
	for _, name := range v.names {
		if slices.Contains(v.declared, name) || slices.Contains(v.calls, name) {
			continue
		}
		en := exprName{name: name}
		switch name {
		case "value":
			en.fixed = exprValue
		case "root":
			en.fixed = exprRoot
		case "points":
			en.fixed = exprPoints
			if c.before != nil {
				*c.before = true
			}
		default:
			if en.ref = c.word(n, name, ""); en.ref == nil {
				en.ref = c.path(n, name)
			}
		}
		e.names = append(e.names, en)
	}
	opts := []expr.Option{expr.Env(map[string]any{}), expr.AllowUndefinedVariables()}
	for _, f := range exprFunctions {
		opts = append(opts, expr.Function(f.name, f.fn))
	}
	for _, b := range exprBanned {
		opts = append(opts, expr.DisableBuiltin(b))
	}
	if e.program, err = expr.Compile(text, opts...); err != nil {
		c.r.errorf(n, "expression: %s", firstLine(err))
		return nil
	}
	return e
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}

type exprVisitor struct {
	names, calls, builtins, declared []string
	careful                          bool
}

func (v *exprVisitor) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		v.names = append(v.names, n.Value)
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			v.calls = append(v.calls, id.Value)
		}
	case *ast.BuiltinNode:
		v.builtins = append(v.builtins, n.Name)
	case *ast.BinaryNode:
		v.careful = v.careful || n.Operator == "??"
	case *ast.NilNode:
		v.careful = true
	case *ast.VariableDeclaratorNode:
		v.declared = append(v.declared, n.Name)
	}
	slices.Sort(v.names)
	v.names = slices.Compact(v.names)
}

// eval runs an expression. absent is true when a name in it has no value and
// the result is therefore none.
func (r *run) eval(e *expression, v *value) (out value, absent bool) {
	if e == nil {
		return value{}, true
	}
	env := make(map[string]any, len(e.names))
	missing, usesPoints := false, false
	for i := range e.names {
		n := &e.names[i]
		switch n.fixed {
		case exprValue:
			if v != nil {
				env[n.name] = v.asAny()
			}
		case exprRoot:
			env[n.name] = r.root.asAny()
		case exprPoints:
			usesPoints = true
			env[n.name] = r.points
		default:
			x := r.get(n.ref)
			env[n.name] = x.asAny()
			missing = missing || x.kind == noValue
		}
	}
	if missing && !e.careful {
		return value{}, true
	}
	res, err := vm.Run(e.program, env)
	if err != nil {
		if missing || usesPoints { // a point before it is not in this message
			return value{}, true
		}
		r.problem("expression %s: %s", e.text, firstLine(err))
		return value{kind: nullValue}, false
	}
	out = anyValue(res)
	if out.kind == nullValue && missing {
		return value{}, true
	}
	return out, false
}

// anyValue brings a result back.
func anyValue(x any) value {
	switch x := x.(type) {
	case nil:
		return value{kind: nullValue, raw: "null"}
	case bool:
		if x {
			return value{kind: boolValue, num: 1, raw: "true"}
		}
		return value{kind: boolValue, raw: "false"}
	case string:
		return textValue(x)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return value{kind: nullValue, raw: "null"}
		}
		return numValue(x)
	case int:
		return value{kind: numberValue, num: float64(x), raw: strconv.Itoa(x)}
	case int64:
		return value{kind: numberValue, num: float64(x), raw: strconv.FormatInt(x, 10)}
	}
	return value{kind: nullValue, raw: "null"}
}

func asFloat(x any) (float64, bool) {
	switch x := x.(type) {
	case int:
		return float64(x), true
	case float64:
		return x, true
	case string:
		return plainNumber(x)
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func asInt(x any) (int, bool) {
	f, ok := asFloat(x)
	return int(f), ok && f == math.Trunc(f) && math.Abs(f) < 1<<62
}

func exprNumber(a ...any) (any, error) {
	if len(a) == 1 {
		if f, ok := asFloat(a[0]); ok {
			return f, nil
		}
	}
	return nil, fmt.Errorf("number(x): %v is no number", a)
}

func hexNumber(a []any, signed bool) (any, error) {
	if len(a) != 1 {
		return nil, fmt.Errorf("hex(text) takes one text")
	}
	s, ok := a[0].(string)
	if !ok {
		return nil, fmt.Errorf("hex(text): %v is no text", a[0])
	}
	n, ok := parseHex(s, signed)
	if !ok {
		return nil, fmt.Errorf("hex(text): %q is not hexadecimal", s)
	}
	return int(n), nil
}

// parseHex reads hexadecimal digits; signed takes the first bit of the digits
// that are written as the sign.
func parseHex(s string, signed bool) (int64, bool) {
	s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(s), "0x"), "0X")
	if s == "" || len(s) > 16 {
		return 0, false
	}
	u, err := strconv.ParseUint(s, 16, 64)
	if err != nil || !signed && u > math.MaxInt64 {
		return 0, false
	}
	if signed {
		bits := 4 * len(s)
		return int64(u<<(64-bits)) >> (64 - bits), true
	}
	return int64(u), true
}

func exprBit(a ...any) (any, error) {
	if len(a) == 2 {
		n, ok1 := asInt(a[0])
		i, ok2 := asInt(a[1])
		if ok1 && ok2 && i >= 0 && i < 63 {
			return n>>i&1 == 1, nil
		}
	}
	return nil, fmt.Errorf("bit(number, index): cannot take a bit of %v", a)
}

func exprBits(a ...any) (any, error) {
	if len(a) == 3 {
		n, ok1 := asInt(a[0])
		first, ok2 := asInt(a[1])
		last, ok3 := asInt(a[2])
		if ok1 && ok2 && ok3 && first >= 0 && first <= last && last < 63 {
			return n >> first & (1<<(last-first+1) - 1), nil
		}
	}
	return nil, fmt.Errorf("bits(number, first, last): cannot take bits of %v", a)
}

func exprSigned(a ...any) (any, error) {
	if len(a) == 2 {
		n, ok1 := asInt(a[0])
		bits, ok2 := asInt(a[1])
		if ok1 && ok2 && bits > 0 && bits < 64 {
			return int(int64(uint64(n)<<(64-bits)) >> (64 - bits)), nil
		}
	}
	return nil, fmt.Errorf("signed(number, bits): cannot read %v", a)
}

func twoWords(a []any) (hi, lo int, err error) {
	if len(a) == 2 {
		var ok1, ok2 bool
		hi, ok1 = asInt(a[0])
		lo, ok2 = asInt(a[1])
		if ok1 && ok2 && hi >= 0 && lo >= 0 && hi < 1<<16 && lo < 1<<16 {
			return hi, lo, nil
		}
	}
	return 0, 0, fmt.Errorf("two 16 bit words are wanted, found %v", a)
}
