package rules

import (
	"slices"
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
	// Flapping: it opened so often that it is held open until it has been calm.
	Flapping bool
}

// Episodes lists the open episodes by asset and fault class.
func (e *Engine) Episodes() []EpisodeView {
	var out []EpisodeView
	for _, a := range e.sortedAssets() {
		for k := range a.classes {
			if c := &a.classes[k]; c.open {
				out = append(out, EpisodeView{c.id, c.phase, c.severity, c.rule, c.onset, c.at, c.under, c.flapping})
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
	v.Stale = st.time != 0 && e.timeOf(d)-d.wait > st.validTo
	v.Usable = st.ok && !v.Stale
	return v
}

// Heard tells when a device last spoke, in Unix nanoseconds of journal time, and
// how often it is expected to; 0 for one that never did, or of which that is not
// known.
func (e *Engine) Heard(device string) (last int64, every time.Duration) {
	dev := e.reg.Lookup([]byte(device))
	if dev == nil {
		return 0, 0
	}
	d := e.deviceAt(dev.Index)
	if d == nil {
		return 0, 0
	}
	return d.heard, time.Duration(d.expected())
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
			for _, t := range e.thresholds(i) {
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
				if w := i.slots[s].watcher(); w != nil {
					v := &w.verdict
					out = append(out, DetectorView{i.rule.ID, when.Text, w.last, v.Known, v.Anomalous, v.Onset, w.due, v.Score, v.Strength})
				}
			}
		}
	}
	return out
}
