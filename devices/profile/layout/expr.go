package layout

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// valueKind is what an expression must give.
type valueKind uint8

const (
	boolValue valueKind = iota
	intValue
	anyValue
)

// frame names are the variables that every expression has.
const (
	framePos  = "$pos"
	frameLeft = "$left"
	frameSize = "$size"
)

func (c *compiler) condition(n *yaml.Node) *vm.Program {
	if n == nil {
		return nil
	}
	return c.expression(n, n.Value, boolValue)
}

// expression compiles over the names that were read before.
func (c *compiler) expression(n *yaml.Node, text string, want valueKind) *vm.Program {
	env := map[string]any{framePos: 0, frameLeft: 0, frameSize: 0}
	for k, v := range c.env {
		env[k] = v
	}
	options := []expr.Option{expr.Env(env), expr.MaxNodes(200), expr.DisableAllBuiltins(), bitFunction}
	for _, b := range []string{"bitand", "bitor", "bitxor", "bitnand", "bitnot", "bitshl", "bitshr", "bitushr", "abs", "min", "max", "int", "float", "round", "floor", "ceil", "len"} {
		options = append(options, expr.EnableBuiltin(b))
	}
	switch want {
	case boolValue:
		options = append(options, expr.AsBool())
	case intValue:
		options = append(options, expr.AsInt())
	}
	program, err := expr.Compile(text, options...)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		hint := ""
		if strings.ContainsAny(text, "&|") {
			hint = "there is no & or |: use bit(x, n), bitand(x, y), bitor(x, y)"
		}
		c.fail(n, hint, "expression %q: %s", strings.TrimSpace(text), reason)
		return nil
	}
	node := program.Node()
	ast.Walk(&node, names(c.used))
	return program
}

// zero is a value of the type that a program gives.
func zero(p *vm.Program) any {
	n := p.Node()
	if n == nil || n.Type() == nil || n.Type().Kind() == reflect.Interface {
		return nil
	}
	return reflect.Zero(n.Type()).Interface()
}

// names collects the identifiers of an expression.
type names map[string]bool

func (n names) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok {
		n[id.Value] = true
	}
}

var bitFunction = expr.Function("bit", func(params ...any) (any, error) {
	x, ok1 := params[0].(int)
	n, ok2 := params[1].(int)
	if !ok1 || !ok2 || n < 0 || n > 63 {
		return nil, fmt.Errorf("bit(%v, %v): needs an integer and a bit from 0 to 63", params[0], params[1])
	}
	return x>>n&1 == 1, nil
}, new(func(int, int) bool))

// set gives a value to expressions when one of them asks for it.
func (s *state) set(f *field, value func() any) {
	if _, asked := s.env[f.name]; asked {
		s.env[f.name] = value()
	}
}

func (s *state) run(f *field, p *vm.Program) any {
	s.frameVar(framePos, s.pos)
	s.frameVar(frameLeft, s.end-s.pos)
	s.frameVar(frameSize, len(s.src))
	v, err := s.machine.Run(p, s.env)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		s.fail(f.name, "expression fails: %s", reason)
		return nil
	}
	return v
}

func (s *state) frameVar(name string, v int) {
	if _, asked := s.env[name]; asked {
		s.env[name] = v
	}
}

func (s *state) computed(dst []byte, f *field) []byte {
	v := s.run(f, f.value)
	if s.err != nil {
		return dst
	}
	s.set(f, func() any { return v })
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return codec.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case float64:
		return codec.AppendFloat(dst, round15(v))
	case string:
		return codec.AppendString(dst, v)
	}
	s.fail(f.name, "the expression gives a %T", v)
	return dst
}
