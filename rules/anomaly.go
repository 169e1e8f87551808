package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules/detect"
)

// A watchSpec is one call of anomaly or change in a rule.
//
// Its detector sees rows. Without a duration each new reading is a row: when any
// of the roles has a reading with a time that was not seen before, the newest
// value of every role is taken, so that readings with one time make one row. With
// a duration a row is the mean of the readings in each such stretch of time,
// counted from 1970, and is formed when the first reading of a later one comes.
// Of a counter it is the last reading, and what is watched is its increase.
//
// What is bad, uncertain, stale, late, retained or historical is no part of a row,
// nor is what was read while only_while was false or unknown or before it became
// true. A row without a value for some role has a gap there.
type watchSpec struct {
	roles   []int
	width   int64 // ns, of the time that a row is the mean of; 0 = readings are rows
	step    bool  // change, not anomaly
	counter bool
}

// maxWatched bounds the roles that one detector looks at together.
const maxWatched = 16

// defaultBudget is how many false orders a month a rule may cost on an asset
// when it does not say.
const defaultBudget = 1

// compileWatch is anomaly and change: true while the detector finds the roles odd
// and the budget says that this is worth an order, false when they are not, unknown
// until the detector has seen enough to tell. The first role must be there; of
// several, others take part where the asset has them.
func compileWatch(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	spec := &watchSpec{step: name == "change"}
	if n := len(args); n > 1 {
		if id, ok := args[n-1].(*ast.IdentifierNode); ok && c.identifierLiteral(id) != nil {
			d, ok := c.durationArg(name, id)
			if !ok {
				return badOperand(loc)
			}
			spec.width = int64(d)
			args = args[:n-1]
		}
	}
	if len(args) < 1 || len(args) > maxWatched || spec.step && len(args) > 1 {
		return c.usage(name, loc, "the roles to watch are needed, %d at most", maxWatched)
	}
	var names []string
	need := uint64(0)
	for k, a := range args {
		op := c.compile(a)
		switch {
		case op.bad:
			return op
		case op.role < 0:
			return c.usage(name, op.loc, "%s is not a role", op.what)
		case op.counter && (len(args) > 1 || spec.step):
			return c.usage(name, op.loc, "%s is a counter, which is watched alone by anomaly", op.what)
		case !op.counter && c.rule.roles[op.role].role.Kind != devices.Gauge:
			return c.usage(name, op.loc, "%s is not a measured value", op.what)
		}
		spec.counter = op.counter
		spec.roles = append(spec.roles, op.role)
		names = append(names, op.what)
		if k == 0 {
			need = op.needTrue
		}
	}
	key := fmt.Sprintf("%s|%s|%d", name, strings.Join(names, "|"), spec.width)
	i := c.rule.slotIndex(slotSpec{key: key, watch: spec})
	c.watches = append(c.watches, i)
	return operand{role: -1, loc: loc, what: name + "(" + strings.Join(names, ", ") + ")", stateful: true,
		truth: func(ctx *evalContext) Truth {
			s, done := ctx.slot(i)
			if !done {
				if s.watcher() == nil {
					s.recall().watch = newWatcher(ctx.engine, spec, ctx.inst.budget())
				}
				s.val = s.more.watch.look(ctx, spec)
			}
			return s.val
		}}.needing(need)
}

// watches reports whether the rule has a detector.
func (r *Rule) watches() bool {
	for _, s := range r.slots {
		if s.watch != nil {
			return true
		}
	}
	return false
}

// countWatchers counts the detectors of an asset, which share its budget.
func (a *assetState) countWatchers() (n int) {
	for _, i := range a.instances {
		for _, s := range i.rule.slots {
			if s.watch != nil {
				n++
			}
		}
	}
	return n
}

// budget is how many false orders a month each detector of the instance may cost.
func (i *instance) budget() float64 {
	return i.rule.Budget / float64(max(i.asset.watchers, 1))
}

// watchers visits the detectors that speak for a fault class on an asset.
func (e *Engine) watchers(a *assetState, fc *FaultClass, visit func(*watcher)) {
	if a == nil {
		return
	}
	for _, i := range a.instances {
		if i.rule.FaultClass != fc {
			continue
		}
		for k := range i.slots {
			if w := i.slots[k].watcher(); w != nil {
				visit(w)
				e.touch(a)
			}
		}
	}
}

// watchersHear passes on what a person said about a fault: that what is now is
// normal, that it was a false alarm, or, when nothing is open, that it was repaired.
func (e *Engine) watchersHear(f *devices.Fact) {
	a, fc := e.assets[f.Asset], FaultClassByID(f.FaultClass)
	if a == nil || fc == nil {
		return
	}
	cs := a.faultClass(fc, false)
	switch {
	case f.Kind == devices.FactAccepted:
		e.watchers(a, fc, (*watcher).accept)
	case f.Kind == devices.FactDone && (cs == nil || !cs.open):
		e.watchers(a, fc, (*watcher).repaired)
	case f.Kind == devices.FactCancelled && f.Note == falseAlarm && cs != nil && cs.open &&
		(f.Episode == "" || f.Episode == cs.id.String()):
		e.watchers(a, fc, (*watcher).dismiss)
	}
}

// falseAlarm is the note of a cancellation that says so.
const falseAlarm = "false_alarm"

// episodeOver tells the detectors of an episode that ended that it was repaired,
// when a job was reported done in it.
func (e *Engine) episodeOver(cs *classState, a *assetState, cause Cause) {
	if (cause == CauseCleared || cause == CauseByHand) && cs.done >= cs.onset && cs.onset != 0 {
		e.watchers(a, cs.fc, (*watcher).repaired)
	}
}

// watcherOf returns the detector in a condition that has the most to say.
func (i *instance) watcherOf(when *Condition) (*watcher, *watchSpec) {
	var w *watcher
	var spec *watchSpec
	for _, s := range when.watches {
		if o := i.slots[s].watcher(); o != nil && (w == nil || o.due && !w.due) {
			w, spec = o, i.rule.slots[s].watch
		}
	}
	return w, spec
}

// explain puts into the evidence what the detector found: its sentence, the budget,
// and the channels that carried it first, with their past as rows.
func (w *watcher) explain(e *Engine, i *instance, spec *watchSpec, ev *Evidence) {
	all := e.reg.Points()
	var en, zh []string
	unit := ""
	for k, role := range spec.roles {
		r := i.rule.roles[role].role
		en, zh = append(en, r.Label.In("en")), append(zh, r.Label.In("zh"))
		if k == w.reason.Channel {
			unit = r.Unit
		}
	}
	naming := detect.Naming{Points: en, Unit: unit, Location: e.location}
	ev.Reason = i.rule.Title
	ev.Reason.ZH = ev.Reason.In("zh")
	ev.Reason.EN += ": " + w.reason.Text(detect.English, naming)
	naming.Points = zh
	ev.Reason.ZH += "：" + w.reason.Text(detect.Chinese, naming)
	limits := ev.Threshold
	ev.Threshold = "budget = " + formatNumber(i.rule.Budget) + " per asset per month; strength " +
		formatNumber(w.order.Strength) + " of " + formatNumber(w.order.Limit) + ", over hours " +
		formatNumber(w.order.Lasting) + " of " + formatNumber(w.order.LastingLimit)
	if limits != "" {
		ev.Threshold += "; " + limits
	}
	rank := func(role string) int {
		for k, slot := range spec.roles {
			switch {
			case i.rule.roles[slot].role.Name != role:
			case k == w.reason.Channel:
				return 0
			case w.reason.Carried&(1<<k) != 0:
				return 1
			case w.reason.Discounted&(1<<k) != 0:
				return 3
			default:
				return 2
			}
		}
		return 4
	}
	roleOf := func(device, point string) string {
		for _, in := range ev.Inputs {
			if in.Device == device && in.Point == point {
				return in.Role
			}
		}
		return ""
	}
	for k, slot := range spec.roles {
		idx := i.bind[slot]
		if idx < 0 {
			continue
		}
		p := all[idx]
		for n := range ev.Series {
			s := &ev.Series[n]
			if s.Device != p.Device.ID || s.Point != p.Name {
				continue
			}
			if times, values := w.past(k); len(times) > 1 {
				s.Times, s.Values = times, values
			}
			if v, ok := w.edge(); ok && k == w.reason.Channel {
				s.Limit = &v
			}
		}
	}
	stableSort(ev.Series, func(s Series) int { return rank(roleOf(s.Device, s.Point)) })
	stableSort(ev.Inputs, func(in Input) int { return rank(in.Role) })
}

// budget reads how many false orders a month a rule may cost on an asset.
func (rd *reader) budget(r *Rule, n *yaml.Node) {
	if !r.watches() {
		if n != nil {
			rd.errorf(n, "", "a budget is for rules with anomaly or change")
		}
		return
	}
	r.Budget = defaultBudget
	if n == nil {
		return
	}
	number, rest, _ := strings.Cut(strings.TrimSpace(rd.text(n)), " ")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || rest != "per asset per month" || !(v > 0 && v <= maxBudget) {
		rd.errorf(n, "budget: 1 per asset per month", "%q does not say how many false orders an asset may cost a month", n.Value)
		return
	}
	r.Budget = v
}

// maxBudget is an order an hour.
const maxBudget = 720
