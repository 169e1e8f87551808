package rules

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// trialOf compiles the conditions of a rule once more, so that they can be tried
// out: what a function makes of the past is a value of its own there, a role that
// nobody publishes, which may be anything that the function can say. It is nil when
// the rule cannot be tried.
func trialOf(r *Rule) *Rule {
	free := &Rule{ID: r.ID, Classes: r.Classes, FaultClass: r.FaultClass, Limits: slices.Clone(r.Limits), roles: make([]roleUse, 0, maxRoles)}
	var said diag.List // when the rule was loaded
	c := &compiler{rule: free, diags: &said, filename: r.File, trial: true, pos: func(file.Location) (line, column int) { return 0, 0 }}
	good := true
	take := func(cond *Condition) *Condition {
		if cond == nil {
			return nil
		}
		out, ok := c.condition(cond.Text)
		good = good && ok
		return &out
	}
	free.OnlyWhile = take(r.OnlyWhile)
	for k := range r.Thresholds {
		t := &r.Thresholds[k]
		when := *take(&t.When)
		c.clearing = true
		clear := take(t.Clear)
		c.clearing = false
		free.Thresholds = append(free.Thresholds, Threshold{Severity: t.Severity, When: when, Clear: clear})
	}
	if !good || len(free.roles) > maxRoles {
		return nil
	}
	return free
}

// bounds are what functions can say.
var bounds = map[string][2]float64{
	"abs": {0, math.Inf(1)}, "count": {0, math.Inf(1)}, "spread": {0, math.Inf(1)}, "unbalance": {0, math.Inf(1)}, "since_done": {0, math.Inf(1)},
	"hour": {0, 23}, "weekday": {1, 7},
}

// tried compiles a call in a trial. One that remembers becomes a value of its own,
// and what it looks at is not tried.
func tried(f *Function) func(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	return func(c *compiler, _ string, args []ast.Node, loc file.Location) operand { return c.tried(f, args, loc) }
}

func (c *compiler) tried(f *Function, args []ast.Node, loc file.Location) operand {
	before := slices.Clone(c.rule.roles)
	op := f.compile(c, f.Name, args, loc)
	if op.bad || !op.stateful && relationArg(args) == nil {
		return op
	}
	for k := range c.rule.roles {
		u := &c.rule.roles[k]
		if k < len(before) {
			u.refs, u.told, u.cuts = before[k].refs, before[k].told, before[k].cuts
		} else if !u.made {
			u.refs, u.told, u.cuts = 0, 0, nil
		}
	}
	name := f.Name
	for _, a := range args {
		name += "|" + c.text(a)
	}
	role := &devices.Role{Name: name, Unit: op.unit, Kind: devices.Gauge}
	switch {
	case op.number != nil:
	case op.truth != nil:
		role.Kind = devices.State
	default:
		role.Kind = devices.State
		for k, w := range op.words {
			role.Words = append(role.Words, devices.Word{Code: k, Name: w})
		}
	}
	out := c.roleOperand(role, loc)
	out.what, out.unit, out.stateful = op.what, op.unit, true
	u := &c.rule.roles[out.role]
	u.made = true
	if b, ok := bounds[f.Name]; ok {
		u.least, u.most = b[0], b[1]
	}
	return out
}

// independent tells whether a threshold's start and end are free of each other: of
// what functions made of the past they name one value at most, and nothing beside
// it. A sum over a week and one over an hour are not.
func (r *Rule) independent(k int) bool {
	t := &r.Thresholds[k]
	slots := slices.Clone(t.When.roles)
	if t.Clear != nil {
		slots = append(slots, t.Clear.roles...)
	}
	slices.Sort(slots)
	slots = slices.DeleteFunc(slices.Compact(slots), func(s int) bool { return r.roles[s].refs == 0 })
	return len(slots) <= 1 || !slices.ContainsFunc(slots, func(s int) bool { return r.roles[s].made })
}
