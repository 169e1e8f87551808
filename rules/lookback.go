package rules

import (
	"cmp"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// learning is how long a detector watches before what it says of a daily and
// weekly rhythm can be trusted: twice the longer of the two (own judgement).
const learning = 14 * 24 * time.Hour

// Lookback is the longest stretch of the past that a verdict of the rule may rest
// on: its delays and every window that its conditions name. An engine that was
// fed for less may say unknown, or say something else than one that was fed for
// longer.
func (r *Rule) Lookback() time.Duration {
	longest := r.window
	if slices.ContainsFunc(r.slots, func(s slotSpec) bool { return s.watch != nil }) {
		longest = max(longest, learning)
	}
	delay := time.Duration(0)
	for _, t := range r.Thresholds {
		delay = max(delay, t.For, t.ClearFor)
	}
	return longest + r.After + delay
}

// NextWake is the journal time, a whole second, of the next step that is due by
// the clock and not after the time given; ok is false when there is none. A source
// without time records (a table, InfluxDB) applies a [devices.Tick] there, and the
// engine does what it would have done with one every second.
func (e *Engine) NextWake(upTo int64) (at int64, ok bool) {
	if len(e.freed)+len(e.late) > 0 && e.grid+second <= upTo {
		return e.grid + second, true
	}
	return e.wakes.next(e.grid, upTo)
}

// A Watch is one rule that looks at one asset.
type Watch struct {
	Rule  string
	Asset string
	// Judged is the time up to which the rule was evaluated there, in Unix
	// nanoseconds; 0 when it never had anything to look at.
	Judged int64
}

// Watches lists which rules look at which assets, by rule and asset.
func (e *Engine) Watches() []Watch {
	var out []Watch
	for _, a := range e.sortedAssets() {
		for _, i := range a.instances {
			out = append(out, Watch{i.rule.ID, a.id, i.t})
		}
	}
	slices.SortFunc(out, func(a, b Watch) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Asset, b.Asset), cmp.Compare(b.Judged, a.Judged))
	})
	return slices.CompactFunc(out, func(a, b Watch) bool { return a.Rule == b.Rule && a.Asset == b.Asset })
}

// Validity is how long a value of the device holds when no other comes: what the
// engine takes for known.
func Validity(d *devices.Device) time.Duration { return time.Duration(validity(d)) }
