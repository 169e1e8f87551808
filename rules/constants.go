package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// constants are what a rule knows of an asset beside its readings.
type constants struct {
	facts  []devices.Quantity
	limits []float64
	cuts   [][]float64 // values that a role is compared with, by role
	delays []delay     // by threshold
	shut   bool        // only_while can never be true, whatever is measured
	// inForce are the limits with their origin, nil where none is set but the
	// rule's own.
	inForce []LimitInForce
}

// delay is how long a threshold's conditions must be true.
type delay struct{ start, clear int64 }

// A task is a fact that somebody has to give before a rule can work.
type task struct {
	rule *Rule
	fact *FactSpec
}

// factsFor returns the facts that a rule needs in the units that it needs. When
// one is missing the rule stays off and a task is noted.
func (a *assetState) factsFor(r *Rule) ([]devices.Quantity, bool) {
	out := make([]devices.Quantity, len(r.facts))
	complete := true
	for k, f := range r.facts {
		var q devices.Quantity
		ok := false
		if a.spec != nil {
			q, ok = a.spec.Facts[f.Name]
		}
		if ok && !f.Word {
			q.Value, ok = factValue(q, f.Unit)
		}
		if !ok {
			a.tasks = append(a.tasks, task{r, f})
			complete = false
			continue
		}
		out[k] = q
	}
	return out, complete
}

// factValue brings the number of a fact to the unit that rules use.
func factValue(q devices.Quantity, unit string) (float64, bool) {
	if q.Word != "" {
		return 0, false
	}
	if q.Unit == "" || q.Unit == unit {
		return q.Value, true
	}
	return toUnit(q.Value, q.Unit, unit)
}

// sharedKinds bounds the sets of facts that a rule's constants are shared for.
const sharedKinds = 64

// constantsFor works out what stays the same for a rule on an asset; ok is
// false when a fact is missing. Assets with the same facts share it, unless one has
// limits of its own: pumps of one type look at the same numbers.
func (e *Engine) constantsFor(a *assetState, r *Rule) (c *constants, ok bool) {
	layers := []devices.Limits{e.site.Limits}
	own := a.spec != nil && a.spec.Limits[r.ID] != nil
	if own {
		layers = append(layers, a.spec.Limits)
	}
	facts, ok := a.factsFor(r)
	if !ok {
		return nil, false
	}
	if !own {
		for _, c := range e.shared[r] {
			if slices.Equal(c.facts, facts) {
				return c, true
			}
		}
		if len(e.shared[r]) < sharedKinds {
			defer func() { e.shared[r] = append(e.shared[r], c) }()
		}
	}
	c = &constants{cuts: make([][]float64, len(r.roles)), facts: facts, limits: r.limitValues()}
	if own || e.site.Limits[r.ID] != nil {
		c.inForce = r.limitsOn(layers...)
		for k, l := range c.inForce {
			c.limits[k] = l.Value
		}
	}
	for k := range r.Thresholds {
		c.delays = append(c.delays, r.Thresholds[k].delays(r, c.limits))
	}
	ctx := evalContext{engine: e, inst: &instance{consts: c}}
	if w := r.OnlyWhile; w != nil && len(w.roles) == 0 && !w.stateful {
		c.shut = w.eval(&ctx) == False
	}
	for k := range r.roles {
		for _, at := range r.roles[k].cuts {
			if v, ok := at(&ctx); ok {
				c.cuts[k] = append(c.cuts[k], v)
			}
		}
	}
	return c, true
}

// limitValues are the rule's own.
func (r *Rule) limitValues() []float64 {
	out := make([]float64, len(r.Limits))
	for k := range r.Limits {
		out[k] = r.Limits[k].Value
	}
	return out
}

// delays are For and ClearFor with the limits in force.
func (t *Threshold) delays(r *Rule, limits []float64) delay {
	d := delay{int64(t.For), int64(t.ClearFor)}
	for n, out := range []*int64{&d.start, &d.clear} {
		k := []int{t.forLimit, t.clearLimit}[n] - 1
		if k < 0 {
			continue
		}
		if s, ok := toUnit(limits[k], r.Limits[k].Unit, "s"); ok {
			*out = min(max(int64(s*float64(second)), 0), int64(maxDuration))
		}
	}
	return d
}

// sameMeaning tells whether a condition of two versions of a rule means the same: it
// reads as before, and the limits and facts that it names have not changed.
// Without constants on one side, which instances that wait for a point have not,
// the text decides.
func sameMeaning(a *Condition, x *constants, b *Condition, y *constants) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Text == b.Text && sameNames(a.names, x, b.names, y)
}

// sameNames compares the limits and facts that two texts name, in order.
func sameNames(a names, x *constants, b names, y *constants) bool {
	if x == nil || y == nil {
		return true
	}
	if len(a.limits) != len(b.limits) || len(a.facts) != len(b.facts) {
		return false
	}
	for k := range a.limits {
		if x.limits[a.limits[k]] != y.limits[b.limits[k]] {
			return false
		}
	}
	for k := range a.facts {
		if x.facts[a.facts[k]] != y.facts[b.facts[k]] {
			return false
		}
	}
	return true
}

// sameConstants tells whether nothing changed for a rule on an asset.
func sameConstants(x, y *constants) bool {
	return x == y || x != nil && y != nil && slices.Equal(x.limits, y.limits) && slices.Equal(x.facts, y.facts)
}

// names are the limits and facts that a piece of text names, by their slots in
// the rule and in order of appearance.
type names struct{ limits, facts []int }

// A Task is a fact of an asset that people have to give before rules can work.
type Task struct {
	Asset string
	Fact  *FactSpec
	Rules []string // that wait for it, by id
}

// String says what to do.
func (t Task) String() string {
	unit := ""
	if t.Fact.Unit != "" {
		unit = " (" + t.Fact.Unit + ")"
	}
	return fmt.Sprintf("asset %s: give %s: %s%s; until then off: %s",
		t.Asset, t.Fact.Name, strings.ToLower(t.Fact.Label.EN), unit, strings.Join(t.Rules, ", "))
}

// Tasks lists what people have to give before rules can work, by asset
// and fact.
func (e *Engine) Tasks() []Task {
	var list []Task
	for _, a := range e.sortedAssets() {
		from := len(list)
		for _, t := range a.tasks {
			k := slices.IndexFunc(list[from:], func(x Task) bool { return x.Fact == t.fact })
			if k < 0 {
				k = len(list) - from
				list = append(list, Task{Asset: a.id, Fact: t.fact})
			}
			list[from+k].Rules = append(list[from+k].Rules, t.rule.ID)
		}
		slices.SortFunc(list[from:], func(x, y Task) int { return strings.Compare(x.Fact.Name, y.Fact.Name) })
	}
	return list
}
