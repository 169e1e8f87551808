package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// An Order is a work order that would have been opened.
type Order struct {
	Asset      string    `json:"asset"`
	FaultClass string    `json:"fault_class"`
	Rule       string    `json:"rule"`     // that spoke for it first
	Severity   string    `json:"severity"` // the worst that it came to
	Onset      time.Time `json:"onset"`    // when the condition began to hold
	At         time.Time `json:"at"`       // when it would have been opened
	// Until is when the last of its episodes was over; zero while it holds.
	Until time.Time `json:"until,omitzero"`
	// Returns is how often the fault came back to it.
	Returns int  `json:"returns"`
	Night   bool `json:"night"`
	// Why is one sentence for a technician: what was wrong, and the values.
	Why   devices.Label `json:"why"`
	Hours float64       `json:"hours"` // estimated

	severity rules.Severity
}

// An episode as the steps tell it.
type episode struct {
	id       rules.EpisodeID
	rule     string
	severity rules.Severity
	onset    int64
	why      devices.Label
	alone    int64 // since when it stands for itself; 0 = always under another
	until    int64 // 0 while it holds
}

// episodes folds steps, in the order in which the episodes came up.
func episodes(steps []rules.Transition) []*episode {
	var out []*episode
	open := make(map[rules.EpisodeID]*episode)
	for i := range steps {
		s := &steps[i]
		e := open[s.Episode]
		if e == nil {
			e = &episode{id: s.Episode, rule: s.Rule, onset: s.Onset}
			open[s.Episode] = e
			out = append(out, e)
		}
		e.severity = max(e.severity, s.Severity)
		if s.Evidence != nil && e.why == (devices.Label{}) {
			e.why = s.Evidence.Reason
		}
		if s.Phase == rules.Cleared {
			e.until = s.At
			delete(open, s.Episode)
			continue
		}
		if s.Under == (rules.EpisodeID{}) && e.alone == 0 {
			e.alone = s.At
		}
	}
	return out
}

// asset and fault class: at most one order is open for the two.
type subject struct{ asset, faultClass string }

// orders folds episodes into the orders that they would have opened, by time. An
// order stays open as long as its episode holds, and takes back what returns
// within the warranty.
func orders(all []*episode, warranty time.Duration, o *Options) []*Order {
	all = slices.DeleteFunc(slices.Clone(all), func(e *episode) bool { return e.alone == 0 })
	slices.SortStableFunc(all, func(a, b *episode) int { return cmp.Compare(a.alone, b.alone) })
	last := make(map[subject]*Order)
	var out []*Order
	for _, e := range all {
		key := subject{e.id.Asset, e.id.FaultClass}
		at := time.Unix(0, e.alone).In(o.zone())
		if have := last[key]; have != nil && (have.Until.IsZero() || at.Sub(have.Until) < warranty) {
			have.Returns++
			have.raise(e, o)
			continue
		}
		w := &Order{
			Asset: e.id.Asset, FaultClass: e.id.FaultClass, Rule: e.rule, Why: e.why,
			Onset: time.Unix(0, e.onset).In(o.zone()), At: at, Night: night(at),
		}
		w.raise(e, o)
		last[key] = w
		out = append(out, w)
	}
	return out
}

// raise takes over how bad an episode was and when it ended.
func (w *Order) raise(e *episode, o *Options) {
	w.severity = max(w.severity, e.severity)
	w.Severity, w.Hours = w.severity.String(), Hours(w.severity, w.Night)
	w.Until = time.Time{}
	if e.until != 0 {
		w.Until = time.Unix(0, e.until).In(o.zone())
	}
}

// Night is from 22:00 to 06:00 of the site's time (own judgement).
const (
	nightBegins = 22
	nightEnds   = 6
)

func night(t time.Time) bool { return t.Hour() >= nightBegins || t.Hour() < nightEnds }

// Hours estimates the work that an order makes, on the way and on the spot: 3 for
// a critical one, 2 for a high one, 1.5 for a medium one, 1 for a low one, and one
// more for being called out at night for a critical or high one. All five are our
// own judgement (j): they compare rules with one another, not with a payroll.
func Hours(s rules.Severity, night bool) float64 {
	hours := map[rules.Severity]float64{rules.Critical: 3, rules.High: 2, rules.Medium: 1.5, rules.Low: 1}[s]
	if night && s >= rules.High {
		hours++
	}
	return hours
}
