package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// AnyClass in a rule's classes stands for every class of asset.
const AnyClass = "any"

// A Rule says when a condition on the points of an asset means a fault class.
type Rule struct {
	ID      string
	Ref     string // row of the domain notes, such as P12
	Version string // hash of the rule's text
	File    string
	Line    int

	Title      devices.Label
	Meaning    devices.Label // what it means
	CheckFirst devices.Label // what to look at first
	IfIgnored  devices.Label // what happens if nobody does anything

	FaultClass *FaultClass
	Classes    []string // classes of asset it is for, or AnyClass
	Source     Source
	Enabled    bool
	// Explains are fault classes that are a consequence of this rule's episode:
	// on the same asset, on assets that it feeds or that lie under it.
	Explains []*FaultClass
	// Shadow rules run and are shown, and have no effect outside.
	Shadow bool
	// Budget is how many false orders per 30 days anomaly and change may cost on
	// an asset. All detectors of an asset share it evenly.
	Budget float64

	Limits     []Limit
	OnlyWhile  *Condition
	After      time.Duration // how long OnlyWhile must have been true (start-up)
	Thresholds []Threshold
	Scenarios  []Scenario

	roles   []roleUse
	own     int // how many of them its own conditions read; the others are its mutes'
	mutes   []muteUse
	facts   []*FactSpec
	slots   []slotSpec
	related []relatedUse // what it asks of related assets
	learns  bool         // some of them hold an asset's own past
	clock   bool         // follows journal time, not reading time
	silence bool         // is about a device that says nothing
	// each: it remembers readings, so that each one counts. Of other rules those
	// count that change a comparison.
	each   bool
	index  int           // place in the set
	window time.Duration // the longest that its conditions name
}

// A Threshold is one severity of a rule.
type Threshold struct {
	Severity Severity
	When     Condition
	For      time.Duration // how long When must be true
	// Clear ends it; without one, When being false does.
	Clear    *Condition
	ClearFor time.Duration
	// The limits that For and ClearFor are written as, counted from 1; 0 = written
	// as a duration.
	forLimit, clearLimit int
}

// Source says where a number comes from and how far that was checked: v read in
// the source, c read in code that cites it, k general engineering knowledge, j
// our own judgement.
type Source struct {
	Text string `json:"text"`
	Mark string `json:"mark"`
}

// A Limit is a named number of a rule, so that a site or an asset can set its
// own.
type Limit struct {
	Name   string
	Value  float64 // in Unit
	Unit   string  // canonical
	Source Source
	used   bool
}

// roleSlot numbers the roles of a rule in order of first use.
func (r *Rule) roleSlot(role *devices.Role) int {
	if i := slices.IndexFunc(r.roles, func(u roleUse) bool { return u.role.Name == role.Name }); i >= 0 {
		return i
	}
	r.roles = append(r.roles, roleUse{role: role})
	return len(r.roles) - 1
}

func (r *Rule) factSlot(f *FactSpec) int {
	if i := slices.Index(r.facts, f); i >= 0 {
		return i
	}
	r.facts = append(r.facts, f)
	return len(r.facts) - 1
}

func (r *Rule) slotIndex(spec slotSpec) int {
	if i := slices.IndexFunc(r.slots, func(s slotSpec) bool { return s.key == spec.key }); i >= 0 {
		r.slots[i].cells = max(r.slots[i].cells, spec.cells)
		return i
	}
	r.slots = append(r.slots, spec)
	return len(r.slots) - 1
}

// Facts names the facts of an asset that the rule needs.
func (r *Rule) Facts() []*FactSpec { return r.facts }

// Roles names the roles that the rule reads.
func (r *Rule) Roles() []string {
	names := make([]string, r.own)
	for i, u := range r.roles[:r.own] {
		names[i] = u.role.Name
	}
	return names
}

// appliesTo reports whether the rule is for assets of the class.
func (r *Rule) appliesTo(class string) bool {
	return slices.Contains(r.Classes, class) || slices.Contains(r.Classes, AnyClass)
}

// A Set is a checked and compiled set of rules. It is immutable and may be
// shared by engines.
type Set struct {
	Rules  []*Rule // by id
	Mutes  []*Mute // in the order of the files
	Timing Timing
}

// Rule finds a rule by its id, nil when there is none.
func (s *Set) Rule(id string) *Rule {
	i, ok := slices.BinarySearchFunc(s.Rules, id, func(r *Rule, id string) int {
		switch {
		case r.ID < id:
			return -1
		case r.ID > id:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return s.Rules[i]
}

// SetOf makes a set of rules that are checked already.
func SetOf(list ...*Rule) *Set {
	s := &Set{Rules: list}
	slices.SortFunc(s.Rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	for i, r := range s.Rules {
		r.index = i
	}
	return s
}

// Needed names the roles without which the rule can never start: those that
// stand in only_while, and those of every way in which a `when` can be true.
func (r *Rule) Needed() []string {
	var out []string
	for slot := range r.roles {
		if r.needs(slot) {
			out = append(out, r.roles[slot].role.Name)
		}
	}
	return out
}

// needs tries every threshold with one role unknown and the others free.
func (r *Rule) needs(slot int) bool {
	for _, t := range r.Thresholds {
		if r.required(&t)&(1<<slot) == 0 {
			return false
		}
	}
	return true
}

// required is the roles, a bit each, without which a threshold cannot start.
func (r *Rule) required(t *Threshold) uint64 {
	need := t.When.requires
	if r.OnlyWhile != nil {
		need |= r.OnlyWhile.requires
	}
	return need
}

// possible reports whether any threshold can start with the points bound.
func (r *Rule) possible(bind []int32) bool {
	have := bound(bind)
	return slices.ContainsFunc(r.Thresholds, func(t Threshold) bool { return r.required(&t)&^have == 0 })
}

// CutsOf lists the values that the rule compares a role, or something made of it,
// with on an asset with these facts, ascending.
func (r *Rule) CutsOf(role string, facts map[string]devices.Quantity) []float64 {
	k := slices.IndexFunc(r.roles, func(u roleUse) bool { return u.role.Name == role })
	if k < 0 {
		return nil
	}
	c := &constants{facts: make([]devices.Quantity, len(r.facts)), limits: r.limitValues()}
	for i, f := range r.facts {
		c.facts[i] = facts[f.Name]
		if v, ok := factValue(facts[f.Name], f.Unit); ok && !f.Word {
			c.facts[i].Value = v
		}
	}
	ctx := &evalContext{inst: &instance{rule: r, consts: c}}
	var out []float64
	for _, cut := range slices.Concat(r.roles[k].cuts, r.roles[k].edges) {
		if v, ok := cut(ctx); ok {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
