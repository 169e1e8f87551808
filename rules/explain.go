package rules

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// State is where a rule stands on an asset, in one word.
type State string

// The states of a rule on an asset.
const (
	Off        State = "off"        // it does not run here: Off says why
	Closed     State = "closed"     // only_while is not true
	Starting   State = "starting"   // only_while is true, the start-up delay runs
	Blind      State = "blind"      // an input is missing, stale or bad
	Quiet      State = "quiet"      // nothing is wrong
	Waiting    State = "pending"    // the condition holds, not yet for long enough
	Muted      State = "muted"      // it would open, and Mute says what keeps it from that
	Spent      State = "spent"      // a person cancelled it: it must be seen false once
	Open       State = "active"     // it holds
	OpenBlind  State = "no_data"    // it holds as far as is known: its inputs are unknown
	Clearing   State = "clearing"   // the clear condition holds, not yet for long enough
	NeedsLook  State = "by_hand"    // nothing holds any more: a person has to look and clear it
	Attributed State = "attributed" // it holds, and another episode explains it
)

// States lists them.
func States() []State {
	return []State{Off, Closed, Starting, Blind, Quiet, Waiting, Muted, Spent, Open, OpenBlind, Clearing, NeedsLook, Attributed}
}

// OffReason says why a rule does not run on an asset.
type OffReason string

// Why a rule does not run.
const (
	OffDisabled OffReason = "disabled"    // it is switched off
	OffClass    OffReason = "class"       // it is for other classes of asset
	OffRoles    OffReason = "roles"       // no device of the asset has what it looks at
	OffFacts    OffReason = "facts"       // facts of the asset are missing
	OffInterval OffReason = "no_interval" // nobody said how often the device speaks
)

// OffReasons lists them.
func OffReasons() []OffReason {
	return []OffReason{OffDisabled, OffClass, OffRoles, OffFacts, OffInterval}
}

// Question says what is to be explained: the rules of an asset, of which the other
// fields choose.
type Question struct {
	Asset      string
	Device     string // those that look at this device
	FaultClass string
	Rule       string
}

// What cannot be explained.
var (
	ErrNoAsset = errors.New("nothing has been heard of it")
	ErrNoRule  = errors.New("there is no such rule")
)

// ThresholdView is where one threshold of a rule stands on an asset.
type ThresholdView struct {
	Severity  Severity
	Condition string
	Value     Truth // now
	// Phase is 0 when nothing is going on, else Pending, Active or
	// ActiveWithoutData.
	Phase Phase
	Onset int64 // Unix nanoseconds; 0 when the condition does not hold
	// For and ClearFor are the delays of the rule, Remaining what is left: of For
	// while pending, of ClearFor while clearing.
	For, ClearFor, Remaining time.Duration
	Clear                    string // condition that ends it; "" = the condition being false
	ClearValue               Truth
	Clearing                 bool
	Muted                    bool // kept from starting (see Explanation.Mute)
	Parts, ClearParts        []PartView
}

// InputView is a point that a rule looks at.
type InputView struct {
	PointView
	Age time.Duration // since the newest reading, by the clock of the journal; 0 when there is none
}

// FactView is a fact of the asset that a rule is measured with.
type FactView struct {
	Name  string
	Value float64 // in Unit
	Unit  string
	Word  string // in place of the value
}

// MuteView is what keeps a rule from opening an episode.
type MuteView struct {
	Why   Why
	ID    string // of the window or the mute
	Title devices.Label
	By    string
	Until int64 // Unix nanoseconds; 0 = as long as the signal says so
}

// Explanation says why a rule fired on an asset, or why not yet, as seen from one
// device and lane. Times are those of readings.
type Explanation struct {
	Rule       string
	Title      devices.Label
	Version    string
	FaultClass string
	Shadow     bool
	Asset      string
	Device     string
	Lane       int
	State      State
	Off        OffReason
	// Missing are roles that no device of the asset has, ToGive facts that a person
	// has to give.
	Missing []string
	ToGive  []string
	Classes []string // of the rule, when it is off for the class of the asset

	OnlyWhile      string
	Open           Truth // value of OnlyWhile; True when the rule has none
	OnlyWhileParts []PartView
	After, Startup time.Duration // the start-up delay, and what is left of it
	Thresholds     []ThresholdView
	Inputs         []InputView
	Limits         []LimitInForce
	Facts          []FactView
	Mute           *MuteView
	Episode        *EpisodeView // the open one of the fault class on the asset
	Source         string
}

// Explain tells how rules stand on an asset, by rule, device and lane. It changes
// nothing: what it is told of is what the engine knows, and conditions are
// evaluated beside it, at the time that the engine would take its next step.
// Without a rule named, rules for other classes of asset are left out. Errors are
// [ErrNoAsset] and [ErrNoRule].
func (e *Engine) Explain(q Question) ([]Explanation, error) {
	a := e.assets[q.Asset]
	if a == nil {
		var ids []string
		for _, a := range e.sortedAssets() {
			ids = append(ids, a.id)
		}
		return nil, hinted(ErrNoAsset, q.Asset, ids)
	}
	if q.Rule != "" && e.set.Rule(q.Rule) == nil {
		var ids []string
		for _, r := range e.set.Rules {
			ids = append(ids, r.ID)
		}
		return nil, hinted(ErrNoRule, q.Rule, ids)
	}
	var out []Explanation
	for _, r := range e.set.Rules {
		if q.Rule != "" && r.ID != q.Rule || q.FaultClass != "" && r.FaultClass.ID != q.FaultClass {
			continue
		}
		seen := false
		for _, i := range a.instances {
			if i.rule != r {
				continue
			}
			seen = true
			if q.Device == "" || slices.ContainsFunc(i.devs, func(d *deviceState) bool { return d.dev.ID == q.Device }) {
				out = append(out, e.explain(i))
			}
		}
		if !seen && (q.Rule != "" || r.appliesTo(a.class)) {
			out = append(out, a.explainOff(r))
		}
	}
	return out, nil
}

func hinted(err error, name string, names []string) error {
	if h := diag.DidYouMean(name, names); h != "" {
		return fmt.Errorf("%q: %w (%s)", name, err, h)
	}
	return fmt.Errorf("%q: %w", name, err)
}

// describe is what an explanation says of its rule.
func (r *Rule) explanation(a *assetState) Explanation {
	return Explanation{Rule: r.ID, Title: r.Title, Version: r.Version, FaultClass: r.FaultClass.ID, Shadow: r.Shadow,
		Asset: a.id, Open: True, After: r.After, Source: r.Source.String()}
}

// explainOff says why a rule has no instance on an asset.
func (a *assetState) explainOff(r *Rule) Explanation {
	x := r.explanation(a)
	x.State = Off
	for _, t := range a.tasks {
		if t.rule == r {
			x.ToGive = append(x.ToGive, t.fact.Name)
		}
	}
	switch {
	case !r.Enabled:
		x.Off = OffDisabled
	case !r.appliesTo(a.class):
		x.Off, x.Classes = OffClass, r.Classes
	case len(x.ToGive) > 0:
		x.Off = OffFacts
	case r.silence:
		x.Off = OffInterval
	default:
		x.Off, x.Missing = OffRoles, r.Roles()
	}
	return x
}

// beside is a copy of an instance that conditions may be evaluated on without
// changing what the engine knows.
func (e *Engine) beside(i *instance) (*instance, evalContext) {
	c, s, a := *i, *i.seat, *i.asset
	c.seat = &s
	a.classes = slices.Clone(a.classes)
	c.asset, c.slots = &a, e.slotsBeside(i)
	if i.kin != nil {
		c.kin = &kin{peers: slices.Clone(i.kin.peers)}
		for k := range c.kin.peers {
			p := *c.kin.peers[k].inst
			p.slots = e.slotsBeside(&p)
			c.kin.peers[k].inst = &p
		}
	}
	t := max(i.t, e.instanceTime(i))
	return &c, evalContext{engine: e, inst: &c, t: t, due: never, expiry: never, open: True, serial: 1, event: noEvent}
}

// slotsBeside copies what an instance remembers.
func (e *Engine) slotsBeside(i *instance) []slot {
	list := slices.Clone(i.slots)
	for k := range list {
		s := &list[k]
		s.cells, s.serial = slices.Clone(s.cells), 0
		if s.more == nil {
			continue
		}
		more := recall{word: s.more.word, small: slices.Clone(s.more.small)}
		if s.more.watch != nil {
			var w writer
			s.more.watch.append(&w)
			more.watch = e.readWatcher(&cursor{}, i, i.rule.slots[k].watch, string(w.b))
		}
		s.more = &more
	}
	return list
}

func (e *Engine) explain(i *instance) Explanation {
	r := i.rule
	x := r.explanation(i.asset)
	x.Device, x.Lane, x.Limits, x.Facts = i.dev.dev.ID, int(i.lane), i.limits(), i.factViews()
	copied, c := e.beside(i)
	if r.OnlyWhile != nil {
		x.OnlyWhile = r.OnlyWhile.Text
		x.OnlyWhileParts = r.OnlyWhile.look(&c)
		x.Open = r.OnlyWhile.eval(&c)
		if acc := i.gateAcc; x.Open == True {
			if i.gate == True {
				acc += c.t - i.t
			}
			x.Startup = max(0, r.After-time.Duration(acc))
		}
	}
	c.open = x.Open
	if x.Startup > 0 {
		c.open = False
	}
	signal := r.muteNow(&c)
	x.Thresholds = e.thresholds(i)
	for k := range x.Thresholds {
		t, th := &x.Thresholds[k], &r.Thresholds[k]
		t.Parts = th.When.look(&c)
		t.Value = c.value(&th.When, c.open, False)
		if th.Clear != nil {
			t.Clear, t.ClearParts = th.Clear.Text, th.Clear.look(&c)
			t.ClearValue = c.value(th.Clear, c.open, Unknown)
		} else if t.ClearValue = t.Value.not(); c.open == False {
			t.ClearValue = Unknown
		}
	}
	x.Inputs, x.Missing = e.inputs(i)
	if cs := i.asset.faultClass(r.FaultClass, false); cs != nil && cs.open && !r.Shadow {
		x.Episode = &EpisodeView{cs.id, cs.phase, cs.severity, cs.rule, cs.onset, cs.at, cs.under, cs.flapping}
	}
	if m := e.muted(copied, c.t); signal != nil {
		x.Mute = &MuteView{Why: BySignal, ID: signal.ID, Title: signal.Title}
	} else if m.until > c.t {
		x.Mute = &MuteView{Why: m.why, ID: m.id, By: m.by, Until: m.until}
	}
	x.State = x.state(i)
	return x
}

// state folds an explanation into one word: that of what matters most.
func (x *Explanation) state(i *instance) State {
	has := func(f func(*ThresholdView) bool) bool {
		return slices.ContainsFunc(x.Thresholds, func(t ThresholdView) bool { return f(&t) })
	}
	active := has(func(t *ThresholdView) bool { return t.Phase >= Active })
	switch {
	case active && x.Episode != nil && x.Episode.Under != (EpisodeID{}):
		return Attributed
	case active && !has(func(t *ThresholdView) bool { return t.Phase >= Active && !t.Clearing }):
		return Clearing
	case active && !has(func(t *ThresholdView) bool { return t.Phase == Active }):
		return OpenBlind
	case active:
		return Open
	case x.Episode != nil && i.rule.FaultClass.ByHand && x.Episode.Rule == x.Rule:
		return NeedsLook
	case has(func(t *ThresholdView) bool { return t.Muted }):
		return Muted
	case x.Open == False:
		return Closed
	case x.Startup > 0:
		return Starting
	case slices.ContainsFunc(i.limbs, func(l limb) bool { return l.spent }):
		return Spent
	case has(func(t *ThresholdView) bool { return t.Phase == Pending && t.Value != Unknown }):
		return Waiting
	case x.Open == Unknown || has(func(t *ThresholdView) bool { return t.Value == Unknown }):
		return Blind
	}
	return Quiet
}

// thresholds tells how the delays of an instance stand.
func (e *Engine) thresholds(i *instance) []ThresholdView {
	out := make([]ThresholdView, 0, len(i.limbs))
	now := max(i.t, e.instanceTime(i))
	for k := range i.limbs {
		l, t := &i.limbs[k], &i.rule.Thresholds[k]
		v := ThresholdView{Severity: t.Severity, Condition: t.When.Text, Value: l.val, Onset: l.onset, Muted: l.muted,
			For: time.Duration(i.consts.delays[k].start), ClearFor: time.Duration(i.clearDelay(k))}
		acc := l.acc
		switch {
		case l.active:
			if v.Phase = Active; l.noData {
				v.Phase = ActiveWithoutData
			}
			if v.Clearing = l.clear == True; v.Clearing {
				v.Remaining = max(0, v.ClearFor-time.Duration(l.clearAcc+now-i.t))
			}
		case l.onset != 0:
			if v.Phase = Pending; l.val == True {
				acc += now - i.t
			}
			v.Remaining = max(0, v.For-time.Duration(acc))
		}
		out = append(out, v)
	}
	return out
}

// inputs lists the points that an instance looks at, those of related assets last,
// and the roles that it has none for.
func (e *Engine) inputs(i *instance) (in []InputView, missing []string) {
	all := e.reg.Points()
	seen := make(map[int32]bool)
	add := func(idx int32) {
		v := InputView{PointView: e.pointView(e.place(all[idx].Device.Index), uint32(idx))}
		if v.Time != 0 {
			v.Age = time.Duration(max(0, e.now-v.Time))
		}
		in = append(in, v)
	}
	for slot, idx := range i.bind {
		if idx < 0 {
			if slot < i.rule.own {
				missing = append(missing, i.rule.roles[slot].role.Name)
			}
			continue
		}
		if seen[idx] {
			continue
		}
		seen[idx] = true
		add(idx)
	}
	for _, p := range i.peers() {
		for _, slot := range i.rule.related[p.use].roles {
			if idx := p.inst.bind[slot]; !seen[idx] {
				seen[idx] = true
				add(idx)
			}
		}
	}
	return in, missing
}

func (i *instance) factViews() []FactView {
	var out []FactView
	for k, f := range i.rule.facts {
		q := i.consts.facts[k]
		if f.Word {
			out = append(out, FactView{Name: f.Name, Word: q.Word})
		} else {
			out = append(out, FactView{Name: f.Name, Value: q.Value, Unit: f.Unit})
		}
	}
	return out
}
