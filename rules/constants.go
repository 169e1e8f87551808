package rules

import (
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// constants are what a rule knows of an asset beside its readings.
type constants struct {
	facts  []devices.Quantity
	limits []float64
	cuts   [][]float64 // values that a role is compared with, by role
}

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

// constantsFor works out what stays the same for a rule on an asset; ok is
// false when a fact is missing. Assets share it where the rule needs no facts.
func (e *Engine) constantsFor(a *assetState, r *Rule) (c *constants, ok bool) {
	if c = e.shared[r]; c != nil {
		return c, true
	}
	if len(r.facts) == 0 {
		defer func() { e.shared[r] = c }()
	}
	c = &constants{limits: make([]float64, len(r.Limits)), cuts: make([][]float64, len(r.roles))}
	for k, l := range r.Limits {
		c.limits[k] = l.Value
	}
	if c.facts, ok = a.factsFor(r); !ok {
		return nil, false
	}
	ctx := evalContext{engine: e, inst: &instance{consts: c}}
	for k := range r.roles {
		for _, at := range r.roles[k].cuts {
			if v, ok := at(&ctx); ok {
				c.cuts[k] = append(c.cuts[k], v)
			}
		}
	}
	return c, true
}

// Tasks lists the facts that people have to give before a rule can work, by
// asset and rule.
func (e *Engine) Tasks() diag.List {
	var list diag.List
	for _, a := range e.sortedAssets() {
		for _, t := range a.tasks {
			unit := ""
			if t.fact.Unit != "" {
				unit = " (" + t.fact.Unit + ")"
			}
			list.Add(diag.Diagnostic{Level: diag.Task,
				Message: "asset " + a.id + ": rule " + t.rule.ID + " is off until " + t.fact.Name + " is given",
				Hint:    "facts: {" + t.fact.Name + ": …}: " + strings.ToLower(t.fact.Label.EN) + unit})
		}
	}
	return list
}
