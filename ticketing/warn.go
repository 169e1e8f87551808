package ticketing

import (
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/ticketing/calendar"
)

// levels are the percentages at which a clock speaks up: two warnings, and the end
// of the time.
var levels = []int{50, 80, 100}

// A Deadline is what the passing of time has to say of an order.
type Deadline struct {
	// Entries are the warnings that are due and not in the log yet, oldest first.
	Entries []Entry
	// Next is when to look again if nothing else happens; zero for never.
	Next time.Time
	// Overdue says that the time for a target is over and it is not met.
	Overdue bool
}

// WarnKinds are the kinds of entry that [Warn] looks at; the rest of a log may be
// left out.
var WarnKinds = append(slices.Clip(Milestones), SLAWarned, SLAMissed)

// Warn says which warnings of the order's clocks are due now. Each is at the
// moment when its share of the time was gone, and has a key that follows from the
// clock: whoever looks, whenever and how often, it is written once. A clock that is
// met gives no warning any more; that it was met too late is said all the same, so
// that the log tells of every missed deadline, however seldom somebody looked.
func Warn(o *Order, log []Entry, p *Policy, cal *calendar.Calendar, now time.Time) (d Deadline) {
	clocks := Clocks(log, p, cal, now)
	current := len(splitVisits(log)) - 1
	for i := range clocks {
		c := &clocks[i]
		open := c.Met.IsZero() && !c.Ended && c.Visit == current && o.State.Working()
		if !open && !c.Missed() {
			continue
		}
		due := c.Reaches(100)
		for _, level := range levels {
			kind, at := SLAWarned, c.Reaches(level)
			if level == 100 { // what is done at the last moment is done in time
				kind, at = SLAMissed, due.Add(1)
			}
			switch {
			case due.IsZero() || !open && kind == SLAWarned:
				continue
			case now.Before(at):
				if d.Next.IsZero() || at.Before(d.Next) {
					d.Next = at
				}
				continue
			}
			d.Overdue = d.Overdue || open && kind == SLAMissed
			key := fmt.Sprintf("clock:%s/sla/%d/%s/%s/%d", o.ID, c.Visit, c.Target, c.Tier, level)
			if slices.ContainsFunc(log, func(e Entry) bool { return e.Key == key }) {
				continue
			}
			d.Entries = append(d.Entries, Entry{
				Kind: kind, At: at, Arrived: now, Via: "clock", Key: key, Detail: Detail{Target: c.Target, Level: level, Due: due},
			})
		}
	}
	slices.SortStableFunc(d.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	for i := range d.Entries {
		d.Entries[i].Version = o.Version + 1 + i
	}
	return d
}
