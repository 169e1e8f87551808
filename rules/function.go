package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// A Function is one word of the rule language that takes arguments.
type Function struct {
	Name  string
	Usage string // how it is written
	Doc   string // one sentence
	// compile checks the arguments; it has reported what is wrong when the
	// operand is bad.
	compile func(c *compiler, name string, args []ast.Node, loc file.Location) operand
}

// functions by name. It is filled by a function because its entries call the
// compiler, which looks functions up.
var functions map[string]*Function

// Functions lists the language's functions by name.
func Functions() []*Function { return functionList }

var functionList = func() []*Function {
	list := []*Function{
		{"abs", "abs(x)", "The amount of x.", compileAbs},
		{"all", "all(siblings, condition)", "True when the condition holds on every related asset: children, siblings (same class, parent and duty) or others (points of the role); unknown when there is none.", compileAmong},
		{"anomaly", "anomaly(x) or anomaly(x, y, …) or anomaly(x, y, 15m)", "True when x, or several values together, are odd enough against their own past to be worth an order (budget: 1 per asset per month); with a duration, the means over each such time are watched.", compileWatch},
		{"any", "any(siblings, condition)", "True when the condition holds on one related asset at least; unknown when there is none.", compileAmong},
		{"avg", "avg(x, 10m) or avg(x, 7d, running)", "The mean of x over the last while, weighted by time; with a condition, of the time in which it was true.", compileWindow},
		{"bad", "bad(x)", "True when the newest reading of x is bad: a sensor fault, or a value that cannot be.", compileBad},
		{"between", `between("22:00", "06:00")`, "True in that part of the day, in the site's time zone.", compileBetween},
		{"change", "change(x) or change(x, 15m)", "True when x stepped to another level and that is worth an order (budget).", compileWatch},
		{"changed", "changed(x, 10m)", "True when x took another value within the last while.", compileChanged},
		{"count", "count(event, 30m) or count(condition, 30m)", "How often an event happened, or a condition became true, within the last while.", compileCount},
		{"delta", "delta(x, 1h)", "How much x grew over the last while; a counter's growth goes on through a reset.", compileDelta},
		{"held", "held(condition, 10s)", "True when the condition has been true for that long without a break.", compileHeld},
		{"hourly", "hourly(x)", "The mean of x over the last full hour.", compileUsual},
		{"hour", "hour()", "The hour of the day, 0 to 23, in the site's time zone.", compileHour},
		{"max", "max(x, y, …) or max(x, 10m) or max(x, 7d, running) or max(siblings, x)", "The greatest of several values, of one over the last while, or of the related assets'.", compileMinMax},
		{"median", "median(siblings, x)", "The middle of the related assets' values; most of them must be known, and two at least.", compileOver},
		{"min", "min(x, y, …) or min(x, 10m) or min(x, 7d, running) or min(others, x)", "The least of several values, of one over the last while, or of the related assets'.", compileMinMax},
		{"n_of", "n_of(condition, 3, 5)", "True when the condition held in at least 3 of the last 5 readings.", compileNOf},
		{"night_min", "night_min(flow)", "The least mean of an hour between 02:00 and 04:00 of the last night, in the site's time zone.", compileNight},
		{"night_usual", "night_usual(flow)", "The 20th percentile of night_min over the last 28 nights without a fault (7 at least).", compileNight},
		{"oddness", "oddness(x)", "By how many usual spreads the last full hour lay above (below: negative) what is usual for that hour of the week; known after three weeks.", compileUsual},
		{"rate", "rate(x, 1h)", "How fast x grew over the last while, per hour.", compileDelta},
		{"silent", "silent(3, 5m)", "True when the device said nothing for 3 of its declared intervals, and at least 5 minutes.", compileSilent},
		{"since_done", "since_done() or since_done(run_hours)", "Time since a job of this fault class was reported done on the asset, or since it was first seen; with a counter, what it has counted since.", compileSinceDone},
		{"spike", "spike(x, 20 K, 1m)", "True when the newest reading of x is further from the one before than it can move in that time.", compileSpike},
		{"spread", "spread(x, y, z)", "The greatest of the values minus the least.", compileSpread},
		{"stuck", "stuck(x, 1h)", "True when readings of x keep coming and its value has not moved at all for that long.", compileStuck},
		{"sum", "sum(children, x)", "The sum over the related assets; every one must be known.", compileOver},
		{"time_to_limit", "time_to_limit(x, 80 °C, 7d) or time_to_limit(x, 80 °C, 7d, running)", "The time until x reaches the limit, by the slowest slope that its past allows (99 %); unknown while the past does not say so.", compileTimeToLimit},
		{"unanswered", "unanswered(command, feedback, 10s)", "True when the command was given, however shortly, and the feedback did not follow in that time, until it does.", compileUnanswered},
		{"unbalance", "unbalance(x, y, z)", "The greatest deviation from the mean, in percent of the mean (NEMA MG-1).", compileUnbalance},
		{"usual", "usual(x)", "What x is usually like in the hour of the week that was the last full one, by the site's calendar; known after three weeks without a fault.", compileUsual},
		{"weekday", "weekday()", "The day of the week, Monday is 1, in the site's time zone.", compileHour},
		{"workday", "workday()", "True on days on which the site works: moved workdays (调休) are, holidays are not; without a calendar Monday to Friday.", compileWorkday},
		{"working", "working()", "True within a shift of the site's calendar; unknown without one.", compileWorking},
	}
	functions = make(map[string]*Function, len(list))
	for _, f := range list {
		functions[f.Name] = f
	}
	return list
}()

func (c *compiler) call(name string, args []ast.Node, loc file.Location) operand {
	f := functions[name]
	if f == nil {
		c.errorf(loc, diag.DidYouMean(name, slices.Sorted(maps.Keys(functions))), "unknown function %q", name)
		return badOperand(loc)
	}
	// What a function looks at is a condition for itself.
	clearing, negated := c.clearing, c.negated
	c.clearing, c.negated = false, false
	compile := f.compile
	if c.trial {
		compile = tried(f)
	}
	op := compile(c, name, args, loc)
	c.rule.each = c.rule.each || op.stateful && !op.outcomes
	c.clearing, c.negated = clearing, negated
	return op
}

// usage reports a call that does not fit and says how it is written.
func (c *compiler) usage(name string, loc file.Location, format string, args ...any) operand {
	c.errorf(loc, "written "+functions[name].Usage, "%s: %s", name, fmt.Sprintf(format, args...))
	return badOperand(loc)
}

// numberArg compiles an argument that must be a number.
func (c *compiler) numberArg(name string, n ast.Node) operand {
	op := c.compile(n)
	if !op.bad && op.number == nil {
		return c.usage(name, op.loc, "%s is not a number", op.what)
	}
	return op
}

// measuredArg compiles the one argument of a function that follows a measured
// value.
func (c *compiler) measuredArg(name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 1 {
		return c.usage(name, loc, "one value is needed")
	}
	x := c.numberArg(name, args[0])
	if !x.bad && (x.constant || x.counter) {
		return c.usage(name, x.loc, "%s is not a measured value", x.what)
	}
	return x
}

// durationArg reads an argument that must be a duration.
func (c *compiler) durationArg(name string, n ast.Node) (time.Duration, bool) {
	op := c.compile(n)
	if op.bad {
		return 0, false
	}
	if op.lit != nil {
		if d, ok := parseDuration(op.lit.text); ok && d > 0 {
			c.rule.window = max(c.rule.window, d)
			return d, true
		}
	}
	c.notDuration(name, op)
	return 0, false
}

func (c *compiler) notDuration(name string, op operand) {
	if op.lit != nil && durationUnits[op.lit.unit] != 0 && op.lit.value > 0 {
		c.usage(name, op.loc, "%s is longer than the two years that are kept", op.what)
		return
	}
	c.usage(name, op.loc, "%s is not a duration", op.what)
}

// spanArg reads an argument that is a duration, or a number of seconds that
// stays the same for an asset, such as 2 * fact.rated_motion_time.
func (c *compiler) spanArg(name string, n ast.Node) (func(*evalContext) int64, bool) {
	op := c.compile(n)
	if op.bad {
		return nil, false
	}
	if op.fixed && op.number != nil && op.unit == "s" && op.lit == nil {
		f := op.number
		return func(ctx *evalContext) int64 { v, _ := f(ctx); return int64(v * 1e9) }, true
	}
	if op.lit != nil {
		if d, ok := parseDuration(op.lit.text); ok && d > 0 {
			c.rule.window = max(c.rule.window, d)
			return func(*evalContext) int64 { return int64(d) }, true
		}
	}
	c.notDuration(name, op)
	return nil, false
}

// integerArg reads an argument that must be a whole number.
func (c *compiler) integerArg(name string, n ast.Node, low, high int) (int, bool) {
	i, ok := n.(*ast.IntegerNode)
	if !ok || i.Value < low || i.Value > high {
		c.usage(name, location(n), "a whole number from %d to %d is needed", low, high)
		return 0, false
	}
	return i.Value, true
}

func compileAbs(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 1 {
		return c.usage(name, loc, "one argument is needed")
	}
	x := c.numberArg(name, args[0])
	if x.bad {
		return x
	}
	f := x.number
	return operand{role: -1, loc: loc, what: "abs(" + x.what + ")", unit: x.unit, stateful: x.stateful,
		number: func(ctx *evalContext) (float64, bool) { v, ok := f(ctx); return math.Abs(v), ok }}.needing(x.needTrue)
}

func compileBad(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 1 {
		return c.usage(name, loc, "one role is needed")
	}
	x := c.compile(args[0])
	if x.bad {
		return x
	}
	if x.role < 0 {
		return c.usage(name, x.loc, "%s is not a role", x.what)
	}
	role := x.role
	c.cut(role, nil) // a reading that is not good counts in any case
	return operand{role: -1, loc: loc, what: "bad(" + x.what + ")", truth: func(ctx *evalContext) Truth {
		p := ctx.input(role)
		if p == nil || p.time == 0 || p.lost || ctx.t > p.validTo || p.quality == devices.Uncertain {
			return Unknown
		}
		ctx.expiry = min(ctx.expiry, p.validTo)
		return truthOf(p.quality == devices.Bad)
	}}.needing(x.needTrue)
}

// compileMinMax is max over arguments, over time with a duration, or over related
// assets.
func compileMinMax(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if relationArg(args) != nil {
		return compileOver(c, name, args, loc)
	}
	if len(args) == 2 || len(args) == 3 {
		if id, ok := args[1].(*ast.IdentifierNode); ok {
			if op := c.identifierLiteral(id); op != nil {
				if _, ok := durationUnits[op.unit]; ok {
					return compileWindow(c, name, args, loc)
				}
			}
		}
	}
	pick := slices.Min[[]float64]
	if name == "max" {
		pick = slices.Max[[]float64]
	}
	op, roles := c.fold(name, args, loc, pick, false)
	op.extremeOf = roles
	return op
}

// identifierLiteral returns the literal that an identifier stands for.
func (c *compiler) identifierLiteral(id *ast.IdentifierNode) *literal {
	if r := []rune(id.Value); len(r) == 1 && r[0] >= firstLiteralRune && int(r[0]-firstLiteralRune) < len(c.literals) {
		return &c.literals[r[0]-firstLiteralRune]
	}
	return nil
}

func compileSpread(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	op, _ := c.fold(name, args, loc, func(v []float64) float64 { return slices.Max(v) - slices.Min(v) }, false)
	if op.unit == "°C" {
		op.unit = "K"
	}
	return op
}

func compileUnbalance(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	op, _ := c.fold(name, args, loc, func(v []float64) float64 {
		mean := 0.0
		for _, x := range v {
			mean += x / float64(len(v))
		}
		worst := 0.0
		for _, x := range v {
			worst = max(worst, math.Abs(x-mean))
		}
		return worst / mean * 100
	}, true)
	return op
}

// maxFold bounds the arguments of functions over several values.
const maxFold = 8

// fold compiles a function over several values of one unit. Where they are roles,
// and nothing is made of them first, roles are their slots.
func (c *compiler) fold(name string, args []ast.Node, loc file.Location, f func([]float64) float64, percent bool) (res operand, roles []int) {
	if len(args) < 2 || len(args) > maxFold {
		return c.usage(name, loc, "two to %d values are needed", maxFold), nil
	}
	res = operand{role: -1, loc: loc}
	var parts []numberFunc
	var names []string
	var first operand
	for i, a := range args {
		op := c.numberArg(name, a)
		if op.bad {
			return op, nil
		}
		if i == 0 {
			first = op
		} else {
			var ok bool
			if first, op, ok = c.unify(first, op, op.loc); !ok {
				return badOperand(loc), nil
			}
			if i == 1 {
				parts[0] = first.number
			}
		}
		parts, names = append(parts, op.number), append(names, op.what)
		if op.role >= 0 {
			roles = append(roles, op.role)
		}
		res.stateful = res.stateful || op.stateful
		res = res.needing(res.needTrue | op.needTrue)
	}
	res.unit = first.unit
	if percent {
		res.unit = "%"
	}
	res.what = name + "(" + strings.Join(names, ", ") + ")"
	res.number = func(ctx *evalContext) (float64, bool) {
		var vals [maxFold]float64
		known := true
		for i, p := range parts {
			v, ok := p(ctx)
			vals[i] = v
			known = known && ok
		}
		if !known {
			return 0, false
		}
		// Handed on, the values of this call would have to live on the heap.
		v := f(ctx.folded[:copy(ctx.folded[:], vals[:len(parts)])])
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	if len(roles) < len(args) {
		roles = nil
	}
	return res, roles
}

func compileHour(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 0 {
		return c.usage(name, loc, "no argument is taken")
	}
	weekday := name == "weekday"
	return operand{role: -1, loc: loc, what: name + "()", stateful: true, number: func(ctx *evalContext) (float64, bool) {
		local := time.Unix(0, ctx.t).In(ctx.engine.location)
		if weekday {
			ctx.wakeAt(time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, local.Location()).UnixNano())
			return float64((int(local.Weekday())+6)%7 + 1), true
		}
		ctx.wakeAt(time.Date(local.Year(), local.Month(), local.Day(), local.Hour()+1, 0, 0, 0, local.Location()).UnixNano())
		return float64(local.Hour()), true
	}}
}

func compileBetween(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 2 {
		return c.usage(name, loc, "two times of day are needed")
	}
	var at [2]time.Duration
	for i, a := range args {
		s, ok := a.(*ast.StringNode)
		if !ok {
			return c.usage(name, location(a), "a time of day in quotes is needed")
		}
		tod, err := time.Parse("15:04", s.Value)
		if err != nil {
			return c.usage(name, location(a), "%q is not a time of day", s.Value)
		}
		at[i] = time.Duration(tod.Hour())*time.Hour + time.Duration(tod.Minute())*time.Minute
	}
	if at[0] == at[1] {
		return c.usage(name, loc, "the two times are the same")
	}
	return operand{role: -1, loc: loc, what: name + "()", stateful: true, truth: func(ctx *evalContext) Truth {
		local := time.Unix(0, ctx.t).In(ctx.engine.location)
		next := int64(never)
		for _, d := range at {
			for day := range 2 {
				b := time.Date(local.Year(), local.Month(), local.Day()+day, int(d/time.Hour), int(d%time.Hour/time.Minute), 0, 0, local.Location()).UnixNano()
				if b > ctx.t {
					next = min(next, b)
				}
			}
		}
		ctx.wakeAt(next)
		now := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
		if at[0] < at[1] {
			return truthOf(now >= at[0] && now < at[1])
		}
		return truthOf(now >= at[0] || now < at[1])
	}}
}

// compileSilent is about the device, in journal time.
func compileSilent(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) < 1 || len(args) > 2 {
		return c.usage(name, loc, "the number of intervals is needed, and perhaps a least duration")
	}
	k := c.numberArg(name, args[0])
	if k.bad {
		return k
	}
	if !k.constant || k.lit != nil || k.value <= 0 {
		return c.usage(name, k.loc, "the number of intervals must be a number above 0")
	}
	var least time.Duration
	if len(args) == 2 {
		var ok bool
		if least, ok = c.durationArg(name, args[1]); !ok {
			return badOperand(loc)
		}
	}
	c.rule.silence, c.rule.clock = true, true
	times := k.value
	return operand{role: -1, loc: loc, what: name + "()", stateful: true, truth: func(ctx *evalContext) Truth {
		return ctx.silent(times, int64(least))
	}}
}

// eventRole returns the event role and, for `role == "word"`, the word.
func (c *compiler) eventRole(n ast.Node) (role int, word string, what string, ok bool) {
	if b, isBinary := n.(*ast.BinaryNode); isBinary && b.Operator == "==" {
		if id, isName := b.Left.(*ast.IdentifierNode); isName {
			if s, isText := b.Right.(*ast.StringNode); isText {
				if r := devices.RoleByName(id.Value); r != nil && r.Kind == devices.Event {
					op := c.compile(id)
					return op.role, s.Value, fmt.Sprintf("%s == %q", op.what, s.Value), !op.bad
				}
			}
		}
	}
	if id, isName := n.(*ast.IdentifierNode); isName {
		if r := devices.RoleByName(id.Value); r != nil && r.Kind == devices.Event {
			op := c.compile(id)
			return op.role, "", op.what, !op.bad
		}
	}
	return 0, "", "", false
}
