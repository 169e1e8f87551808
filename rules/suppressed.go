package rules

import (
	"cmp"
	"slices"
	"time"
)

// Why says what kept an episode from being opened.
type Why uint8

// What keeps episodes from being opened.
const (
	ByWindow Why = iota + 1 // a maintenance window
	ByVisit                 // a technician is there
	ByShelf                 // a person said: known, or a false alarm
	BySignal                // a mute of the rule files: the asset itself says why
	ByShadow                // the rule has no effect outside
)

var whyNames = [...]string{"", "window", "visit", "shelved", "signal", "shadow"}

// String returns the word that the API uses.
func (w Why) String() string {
	if int(w) < len(whyNames) {
		return whyNames[w]
	}
	return "unknown"
}

// Outcome says what became of what was suppressed.
type Outcome uint8

// The outcomes.
const (
	StillSuppressed Outcome = iota
	OpenedAfter             // what suppressed it is over and it held: an episode
	OverBefore              // the condition was over before anything could open
)

var outcomeNames = [...]string{"suppressed", "opened", "over"}

// String returns the word that the API uses.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// A mute is why an instance may not start an episode now; until is 0 when it may.
type mute struct {
	until int64 // never: as long as the signal says so
	why   Why
	id    string // of the window or of the mute
	by    string
}

// A suppression is one threshold that would have opened an episode and did not.
type suppression struct {
	rule, device string
	lane         uint8
	fc           *FaultClass
	severity     Severity
	mute         mute
	onset        int64 // when the condition began to hold
	from         int64 // when it would have opened
	end          int64 // 0 while it is kept from opening
	outcome      Outcome
}

// maxSuppressed bounds what is kept of an asset: the newest.
const maxSuppressed = 32

// A tally counts what a rule would have opened on an asset, beyond what is kept.
type tally struct {
	rule string
	why  Why
	n    uint64
	from int64 // when the first would have opened
}

// running finds what is suppressed of a threshold now.
func (a *assetState) running(i *instance, s Severity) *suppression {
	k := slices.IndexFunc(a.suppressed, func(x suppression) bool {
		return x.end == 0 && x.rule == i.rule.ID && x.device == i.dev.dev.ID && x.lane == i.lane && x.severity == s
	})
	if k < 0 {
		return nil
	}
	return &a.suppressed[k]
}

// suppress notes that a threshold holds and opens nothing.
func (i *instance) suppress(k int, m mute, t int64) {
	a, s := i.asset, i.rule.Thresholds[k].Severity
	if x := a.running(i, s); x != nil {
		x.mute = m
		return
	}
	if len(a.suppressed) == maxSuppressed {
		oldest := max(0, slices.IndexFunc(a.suppressed, func(x suppression) bool { return x.end != 0 }))
		a.suppressed = slices.Delete(a.suppressed, oldest, oldest+1)
	}
	a.suppressed = append(a.suppressed, suppression{rule: i.rule.ID, device: i.dev.dev.ID, lane: i.lane, fc: i.rule.FaultClass,
		severity: s, mute: m, onset: i.limbs[k].onset, from: t})
	a.count(i.rule.ID, m.why, t)
}

func (a *assetState) count(rule string, why Why, t int64) {
	for k := range a.tallies {
		if x := &a.tallies[k]; x.rule == rule && x.why == why {
			x.n++
			return
		}
	}
	a.tallies = append(a.tallies, tally{rule, why, 1, t})
}

// release notes what became of it.
func (i *instance) release(k int, o Outcome, t int64) {
	if x := i.asset.running(i, i.rule.Thresholds[k].Severity); x != nil {
		x.end, x.outcome = t, o
	}
}

// SuppressedView is one episode, or a higher severity of one, that would have been
// opened and was not.
type SuppressedView struct {
	Asset, Device, Rule string
	FaultClass          string
	Severity            Severity
	Why                 Why
	// Source is the id of the window or of the mute, By the person.
	Source, By string
	// Onset is when the condition began to hold, From when it would have opened, in
	// Unix nanoseconds.
	Onset, From int64
	// Until is when it is looked at again; 0 when the signal decides, or the rule is
	// in shadow.
	Until int64
	// End is when that was over; 0 while it goes on.
	End     int64
	Outcome Outcome
}

// SuppressedCount is how often a rule would have opened something on an asset.
type SuppressedCount struct {
	Asset, Rule string
	Why         Why
	N           uint64
	From        int64 // when the first would have opened, Unix nanoseconds
}

// Suppressed lists what would have been opened and was not, the newest first: the
// last 32 of each asset, and how many there were. What a later version of a rule
// or a person's word overtook counts as over.
func (e *Engine) Suppressed() (list []SuppressedView, counts []SuppressedCount) {
	for _, a := range e.sortedAssets() {
		for k := range a.suppressed {
			x := &a.suppressed[k]
			v := SuppressedView{Asset: a.id, Device: x.device, Rule: x.rule, FaultClass: x.fc.ID, Severity: x.severity, Why: x.mute.why,
				Source: x.mute.id, By: x.mute.by, Onset: x.onset, From: x.from, Until: x.mute.until, End: x.end, Outcome: x.outcome}
			if v.Until == never {
				v.Until = 0
			}
			if x.end == 0 && !a.keepsBack(x) {
				v.End, v.Outcome = e.now, OverBefore
			}
			list = append(list, v)
		}
		for _, t := range a.tallies {
			counts = append(counts, SuppressedCount{a.id, t.rule, t.why, t.n, t.from})
		}
	}
	slices.SortStableFunc(list, func(a, b SuppressedView) int { return cmp.Compare(b.From, a.From) })
	return list, counts
}

// keepsBack tells whether a threshold still stands as it was noted.
func (a *assetState) keepsBack(x *suppression) bool {
	for _, i := range a.instances {
		if i.rule.ID != x.rule || i.dev.dev.ID != x.device || i.lane != x.lane {
			continue
		}
		for k := range i.limbs {
			if i.rule.Thresholds[k].Severity == x.severity {
				return i.limbs[k].muted || i.limbs[k].active && i.rule.Shadow
			}
		}
	}
	return false
}

func (a *assetState) writeSuppressed(w *writer) {
	w.uint(uint64(len(a.suppressed)))
	for k := range a.suppressed {
		x := &a.suppressed[k]
		w.string(x.rule)
		w.string(x.device)
		w.byte(x.lane)
		w.string(x.fc.ID)
		w.byte(byte(x.severity))
		w.byte(byte(x.mute.why))
		w.string(x.mute.id)
		w.string(x.mute.by)
		w.ints(x.mute.until, x.onset, x.from, x.end)
		w.byte(byte(x.outcome))
	}
	w.uint(uint64(len(a.tallies)))
	for _, t := range a.tallies {
		w.string(t.rule)
		w.byte(byte(t.why))
		w.uint(t.n)
		w.int(t.from)
	}
}

func (a *assetState) readSuppressed(r *cursor) {
	n := r.count(12)
	if n > maxSuppressed {
		r.fail()
	}
	for range n {
		if r.bad {
			return
		}
		x := suppression{rule: r.string(), device: r.string(), lane: r.byte(), fc: FaultClassByID(r.string()), severity: Severity(r.byte())}
		x.mute = mute{why: Why(r.byte()), id: r.string(), by: r.string(), until: r.deadline()}
		x.onset, x.from, x.end, x.outcome = r.time(), r.time(), r.time(), Outcome(r.byte())
		if x.fc == nil {
			r.fail()
			return
		}
		a.suppressed = append(a.suppressed, x)
	}
	for range r.count(4) {
		a.tallies = append(a.tallies, tally{r.string(), Why(r.byte()), r.uint(), r.time()})
	}
}

// MaxWindow is how long a maintenance window may last (own judgement: the longest
// usual overhaul; a longer job gets another window, so that none is forgotten).
const MaxWindow = 31 * 24 * time.Hour

// MaxWindows bounds the windows and visits of a site that are not over.
const MaxWindows = 1000

// WindowView is a maintenance window, or the visit of a technician.
type WindowView struct {
	ID         string
	Asset      string // with all that it contains; "" = the whole site
	FaultClass string // "" = all but those that only a person may clear
	From       int64  // Unix nanoseconds
	Until      int64
	Visit      bool
	By, Reason string
}

// Windows lists the windows and visits that are not over, and those that ended
// within the last day, in the order in which people made them.
func (e *Engine) Windows() []WindowView {
	out := make([]WindowView, len(e.windows))
	for k, w := range e.windows {
		out[k] = WindowView{ID: w.id, Asset: w.asset, FaultClass: w.faultClass, From: w.from, Until: w.until,
			Visit: w.checkedIn != "", By: w.by, Reason: w.note}
	}
	return out
}
