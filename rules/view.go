package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// Views are copies: they may be kept, and handed to other goroutines.

// EpisodeView is one open episode.
type EpisodeView struct {
	ID       EpisodeID
	Phase    Phase
	Severity Severity
	Rule     string
	Onset    int64 // Unix nanoseconds
	At       int64 // of its last step
	Under    EpisodeID
}

// Episodes lists the open episodes by asset and fault class.
func (e *Engine) Episodes() []EpisodeView {
	var out []EpisodeView
	for _, a := range e.sortedAssets() {
		for k := range a.classes {
			if c := &a.classes[k]; c.open {
				out = append(out, EpisodeView{c.id, c.phase, c.severity, c.rule, c.onset, c.at, c.under})
			}
		}
	}
	return out
}

// PointView is what is known of a point now.
type PointView struct {
	Device, Point, Role, Unit string
	Kind                      devices.Kind
	Value                     float64
	Text                      string
	Quality                   devices.Quality
	Time                      int64 // of the newest reading; 0 = none
	// Usable tells whether rules may use the value; Stale why not: nothing has
	// come for longer than a value of the device holds. Lost: the device went
	// offline.
	Usable, Stale, Lost bool
}

// Points lists the points of an asset by device and name.
func (e *Engine) Points(asset string) []PointView {
	a := e.assets[asset]
	if a == nil {
		return nil
	}
	var out []PointView
	for _, d := range a.devices {
		for _, idx := range d.points {
			out = append(out, e.pointView(d, idx))
		}
	}
	return out
}

func (e *Engine) pointView(d *deviceState, idx uint32) PointView {
	p, st := e.reg.Points()[idx], &e.points[idx]
	v := PointView{Device: d.dev.ID, Point: p.Name, Role: p.Role, Unit: p.Unit, Kind: p.Kind,
		Value: finite(st.value), Text: st.text, Quality: st.quality, Time: st.time, Lost: st.lost}
	v.Stale = st.time != 0 && e.timeOf(d) > st.validTo
	v.Usable = st.ok && !v.Stale
	return v
}

// ThresholdView is where one threshold of a rule stands on an asset.
type ThresholdView struct {
	Severity  Severity
	Condition string
	Value     Truth
	// Phase is 0 when nothing is going on, else Pending, Active or
	// ActiveWithoutData.
	Phase Phase
	Onset int64
	// Remaining is what is left of `for` while pending, of clear_for while
	// clearing.
	Remaining time.Duration
	Clearing  bool
	Muted     bool // kept from starting by a window or because it is shelved
}

// Explanation says why a rule fired on an asset, or why not yet.
type Explanation struct {
	Rule, Asset, Device string
	Lane                int
	OnlyWhile           string
	Open                Truth // value of OnlyWhile; True when the rule has none
	Thresholds          []ThresholdView
	Inputs              []PointView
	Missing             []string // roles that no point of the asset has
	Limits              string   // limits and facts with their origin
}

// Explain tells how a rule stands on an asset, once for each device and lane
// that it sees; off says why it does not run there at all.
func (e *Engine) Explain(asset, rule string) (out []Explanation, off string) {
	a, r := e.assets[asset], e.set.Rule(rule)
	switch {
	case r == nil:
		return nil, "there is no rule " + rule
	case a == nil:
		return nil, "nothing has been heard of asset " + asset
	case !r.Enabled:
		return nil, "the rule is switched off"
	case !r.appliesTo(a.class):
		return nil, "the rule is for " + strings.Join(r.Classes, ", ") + ", the asset is a " + a.class
	}
	for _, i := range a.instances {
		if i.rule == r {
			out = append(out, e.explain(i))
		}
	}
	if len(out) > 0 {
		return out, ""
	}
	var missing []string
	for _, t := range a.tasks {
		if t.rule == r {
			missing = append(missing, t.fact.Name)
		}
	}
	if len(missing) > 0 {
		return nil, "facts of the asset are missing: " + strings.Join(missing, ", ")
	}
	return nil, "the asset has none of the points that the rule looks at: " + strings.Join(r.Roles(), ", ")
}

func (e *Engine) explain(i *instance) Explanation {
	x := Explanation{Rule: i.rule.ID, Asset: i.asset.id, Device: i.dev.dev.ID, Lane: int(i.lane), Open: True, Limits: i.rule.limitText(i)}
	if i.rule.OnlyWhile != nil {
		x.OnlyWhile, x.Open = i.rule.OnlyWhile.Text, i.gate
		if i.gate == True && i.gateAcc < int64(i.rule.After) {
			x.Open = False
		}
	}
	now := max(i.t, e.instanceTime(i))
	for k := range i.limbs {
		l, t := &i.limbs[k], &i.rule.Thresholds[k]
		v := ThresholdView{Severity: t.Severity, Condition: t.When.Text, Value: l.val, Onset: l.onset, Muted: l.muted}
		acc := l.acc
		switch {
		case l.active:
			if v.Phase = Active; l.noData {
				v.Phase = ActiveWithoutData
			}
			if v.Clearing = l.clear == True; v.Clearing {
				v.Remaining = max(0, t.ClearFor-time.Duration(l.clearAcc+now-i.t))
			}
		case l.onset != 0:
			if v.Phase = Pending; l.val == True {
				acc += now - i.t
			}
			v.Remaining = max(0, t.For-time.Duration(acc))
		}
		x.Thresholds = append(x.Thresholds, v)
	}
	all := e.reg.Points()
	for slot, idx := range i.bind {
		if idx < 0 {
			x.Missing = append(x.Missing, i.rule.roles[slot].role.Name)
			continue
		}
		x.Inputs = append(x.Inputs, e.pointView(e.devs[all[idx].Device.Index], uint32(idx)))
	}
	for _, p := range i.peers() {
		for _, slot := range i.rule.related[p.use].roles {
			idx := p.inst.bind[slot]
			x.Inputs = append(x.Inputs, e.pointView(e.devs[all[idx].Device.Index], uint32(idx)))
		}
	}
	return x
}

// PendingView is a condition that holds, but not yet for long enough.
type PendingView struct {
	Asset, FaultClass, Rule string
	Severity                Severity
	Onset                   int64
	Remaining               time.Duration
	Muted                   bool
}

// PendingList lists what is on its way to an episode, the nearest first.
func (e *Engine) PendingList() []PendingView {
	var out []PendingView
	for _, a := range e.sortedAssets() {
		for _, i := range a.instances {
			if !i.holds() {
				continue
			}
			for _, t := range e.explain(i).Thresholds {
				if t.Phase == Pending {
					out = append(out, PendingView{a.id, i.rule.FaultClass.ID, i.rule.ID, t.Severity, t.Onset, t.Remaining, t.Muted})
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b PendingView) int { return int(a.Remaining - b.Remaining) })
	return out
}

// DetectorView is what a call of anomaly or change makes of its newest row.
type DetectorView struct {
	Rule      string
	Condition string // of the threshold that it stands in
	At        int64  // of the row, Unix nanoseconds; 0 = none yet
	// Known is false until the detector has seen enough; Due also needs its budget
	// to know, and that the oddity is worth an order.
	Known, Anomalous, Onset, Due bool
	// Score is in [0,1], 0.5 and above asks for attention; a Strength of 1 is where
	// an oddity begins.
	Score, Strength float64
}

// Detectors lists the detectors of an asset by rule.
func (e *Engine) Detectors(asset string) []DetectorView {
	a := e.assets[asset]
	if a == nil {
		return nil
	}
	var out []DetectorView
	for _, i := range a.instances {
		for k := range i.rule.Thresholds {
			when := &i.rule.Thresholds[k].When
			for _, s := range when.watches {
				if w := i.slots[s].watch; w != nil {
					v := &w.verdict
					out = append(out, DetectorView{i.rule.ID, when.Text, w.last, v.Known, v.Anomalous, v.Onset, w.due, v.Score, v.Strength})
				}
			}
		}
	}
	return out
}
