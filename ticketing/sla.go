package ticketing

import (
	"slices"
	"time"

	"github.com/facilityd/facilityd/ticketing/calendar"
)

// Target names what a clock waits for.
type Target string

// The targets of a visit.
const (
	ToAccept Target = "accept"
	ToArrive Target = "arrive"
	ToDone   Target = "done"
)

// targets and the kinds of entry that meet each: who arrives has accepted, and
// who is done has done both.
var targets = []struct {
	Target Target
	met    []Kind
}{
	{ToAccept, []Kind{Accept, Arrive, Finish}},
	{ToArrive, []Kind{Arrive, Finish}},
	{ToDone, []Kind{Finish}},
}

// Allowed is how long each target of a tier may take; 0 means that there is none.
type Allowed struct {
	Accept, Arrive, Done time.Duration
	// Working counts working time of the site's calendar; otherwise the clock
	// runs day and night.
	Working bool
	// Pauses says that waiting pauses the clock.
	Pauses bool
}

func (a Allowed) of(t Target) time.Duration {
	switch t {
	case ToAccept:
		return a.Accept
	case ToArrive:
		return a.Arrive
	default:
		return a.Done
	}
}

// A Policy says how long orders may take. Clocks are computed from the log with the
// policy in force whenever somebody looks, so another policy counts for the orders
// that are there as well.
type Policy struct {
	Tiers [P4 + 1]Allowed // by tier
	// MaxPause is how long a reason for waiting pauses clocks at most, so that
	// nobody waits a deadline away. A reason that is not here pauses nothing.
	MaxPause map[string]time.Duration
	// Silence is how long a person who has an order may say nothing before the
	// order counts as forgotten, by tier.
	Silence [P4 + 1]time.Duration
}

// DefaultPolicy has the times of the domain notes: P1 on site within 30 minutes
// (TSG T5002-2017 Art. 5 for entrapment), P2 accepted within 15 minutes and on
// site within 2 hours, P3 within 24 hours, P4 at the next half-monthly visit.
// Acceptance of a P1 within 5 minutes, what waiting may take, and how long
// somebody may be silent are own judgement.
func DefaultPolicy() Policy {
	p := Policy{MaxPause: map[string]time.Duration{
		"parts": 14 * 24 * time.Hour, "access": 48 * time.Hour, "contractor": 7 * 24 * time.Hour, "weather": 72 * time.Hour,
	}}
	p.Silence = [P4 + 1]time.Duration{P1: 30 * time.Minute, P2: 4 * time.Hour, P3: 24 * time.Hour, P4: 15 * 24 * time.Hour}
	p.Tiers[P1] = Allowed{Accept: 5 * time.Minute, Arrive: 30 * time.Minute}
	p.Tiers[P2] = Allowed{Accept: 15 * time.Minute, Arrive: 2 * time.Hour, Pauses: true}
	p.Tiers[P3] = Allowed{Arrive: 24 * time.Hour, Pauses: true}
	p.Tiers[P4] = Allowed{Arrive: 15 * 24 * time.Hour, Pauses: true}
	return p
}

// A Clock is how one target of one visit stands.
type Clock struct {
	Target Target
	Visit  int  // 0 is the first, then one for each re-visit
	Tier   Tier // whose time it runs for
	Start  time.Time
	// Due is when the time is over; zero while the clock is paused.
	Due     time.Time
	Met     time.Time // when the target was met; zero while it is not
	Allowed time.Duration
	Spent   time.Duration // of Allowed, until now or until it was met
	Paused  bool
	Ended   bool // the visit ended without the target, for example by cancelling

	runs []span // the last one goes on for as long as nothing happens
	cal  *calendar.Calendar
}

// Missed reports whether the time was or is over.
func (c *Clock) Missed() bool { return c.Spent > c.Allowed }

// Level is the warning that holds: 0, 50, 80 or 100 percent of the time are gone.
func (c *Clock) Level() int {
	switch share := float64(c.Spent) / float64(c.Allowed); {
	case share >= 1:
		return 100
	case share >= 0.8:
		return 80
	case share >= 0.5:
		return 50
	}
	return 0
}

// Reaches is when so many percent of the time are gone if nothing happens any
// more: nobody meets the target, and a pause lasts as long as it may. It is the
// zero time when the calendar never works that long.
func (c *Clock) Reaches(percent int) time.Time {
	left := c.Allowed * time.Duration(percent) / 100
	for i, sp := range c.runs {
		if i < len(c.runs)-1 {
			if part := c.cal.Between(sp.from, sp.to); part < left {
				left -= part
				continue
			}
		}
		return c.cal.Add(sp.from, left)
	}
	return time.Time{}
}

// Clocks computes the clocks of an order: a pure function of its log, the policy,
// the site's calendar and the time now. Times of action count, but none before
// its visit began. When the tier is raised the clock of the new tier starts at
// that moment; the older one goes on, and what is due first counts.
func Clocks(log []Entry, p *Policy, cal *calendar.Calendar, now time.Time) []Clock {
	var out []Clock
	visits := splitVisits(log)
	for i := range visits {
		v := &visits[i]
		for _, t := range targets {
			met, ended := v.met(t.met)
			var first *Clock
			for _, s := range v.tiers {
				allowed := p.Tiers[s.tier]
				if allowed.of(t.Target) == 0 || !met.IsZero() && met.Before(s.from) {
					continue
				}
				c := v.clock(t.Target, i, s, allowed, p, cal, met, ended, now)
				if first == nil || sooner(&c, first) {
					first = &c
				}
			}
			if first != nil {
				out = append(out, *first)
			}
		}
	}
	return out
}

// Forgotten reports whether somebody took the order and has said nothing for
// longer than the policy allows.
func (o *Order) Forgotten(p *Policy, now time.Time) bool {
	taken := o.State == Dispatched || o.State == Accepted || o.State == OnSite
	return taken && p.Silence[o.Tier] > 0 && now.Sub(o.Heard) > p.Silence[o.Tier]
}

// Milestones are the kinds of entry that [Clocks] looks at; the rest of a log may
// be left out.
var Milestones = []Kind{Opened, Raised, Merged, Recur, Refuse, Reopened, Accept, Arrive, Finish, Wait, Resume, Assigned, Cancel}

// Next is the clock of the current visit that is due first: the one to show.
// Paused clocks come last; nil when nothing is waited for.
func Next(clocks []Clock) *Clock {
	var next *Clock
	for i := range clocks {
		c := &clocks[i]
		if !c.Met.IsZero() || c.Ended || c.Visit != clocks[len(clocks)-1].Visit {
			continue
		}
		if next == nil || !c.Paused && (next.Paused || c.Due.Before(next.Due)) {
			next = c
		}
	}
	return next
}

// sooner reports whether clock a leaves less time than b. Clocks that still run
// are compared by when they are over: an hour of working time may last a night.
func sooner(a, b *Clock) bool {
	if a.Met.IsZero() && !a.Ended {
		over, other := a.Reaches(100), b.Reaches(100)
		return !over.IsZero() && (other.IsZero() || over.Before(other))
	}
	return a.Allowed-a.Spent < b.Allowed-b.Spent
}

// A visit is the stretch of a log from opening, or from a re-visit, to the next.
type visit struct {
	from   time.Time
	tiers  []tierSince
	events []event
}

type tierSince struct {
	tier Tier
	from time.Time
}

type event struct {
	kind   Kind
	reason string
	at     time.Time
}

func splitVisits(log []Entry) []visit {
	var out []visit
	tier := Tier(0)
	for i := range log {
		e := &log[i]
		if e.Tier != 0 && (tier == 0 || e.Tier < tier) {
			tier = e.Tier
			if n := len(out); n > 0 && e.Kind != Recur {
				out[n-1].tiers = append(out[n-1].tiers, tierSince{tier, e.Arrived})
			}
		}
		switch e.Kind {
		case Opened, Recur, Refuse, Reopened:
			out = append(out, visit{from: e.Arrived, tiers: []tierSince{{tier, e.Arrived}}})
		case Accept, Arrive, Finish, Wait, Resume, Assigned, Cancel:
			v := &out[len(out)-1]
			at := e.At
			if n := len(v.events); n > 0 && at.Before(v.events[n-1].at) {
				at = v.events[n-1].at
			} else if at.Before(v.from) {
				at = v.from
			}
			v.events = append(v.events, event{e.Kind, e.Reason, at})
		}
	}
	return out
}

// met finds when one of the kinds first happened, and when the visit ended
// without it.
func (v *visit) met(kinds []Kind) (met, ended time.Time) {
	for _, e := range v.events {
		for _, k := range kinds {
			if e.kind == k {
				return e.at, time.Time{}
			}
		}
		if e.kind == Cancel {
			return time.Time{}, e.at
		}
	}
	return time.Time{}, time.Time{}
}

// A span is time in which a clock runs.
type span struct{ from, to time.Time }

// running cuts the pauses out of the visit from an instant on. The last span is
// open when open is true: the clock runs now. Otherwise it runs again at again, if
// nothing ends the pause before its maximum.
func (v *visit) running(from time.Time, pauses bool, p *Policy, until time.Time) (spans []span, open bool, again time.Time) {
	at, open := from, true
	for _, e := range v.events {
		if !e.at.Before(until) || !pauses {
			break
		}
		limit := p.MaxPause[e.reason]
		switch {
		case open && e.kind == Wait && limit > 0:
			spans = append(spans, span{at, later(at, e.at)})
			at, open = later(at, e.at.Add(limit)), false
		case !open && e.kind != Wait:
			// Going on ends the pause, unless its maximum did so before.
			if e.at.Before(at) {
				at = later(from, e.at)
			}
			open = true
		}
	}
	if !open && at.Before(until) { // the pause ran out by itself
		open = true
	}
	if open {
		spans = append(spans, span{at, later(at, until)})
	}
	return spans, open, at
}

func (v *visit) clock(target Target, i int, s tierSince, a Allowed, p *Policy, cal *calendar.Calendar, met, ended, now time.Time) Clock {
	if !a.Working {
		cal = calendar.Always()
	}
	c := Clock{Target: target, Visit: i, Tier: s.tier, Start: s.from, Met: met, Allowed: a.of(target), Ended: !ended.IsZero()}
	until := now
	if !met.IsZero() {
		until = met
	} else if c.Ended {
		until = ended
	}
	spans, open, again := v.running(s.from, a.Pauses, p, until)
	c.Paused = !open && met.IsZero() && !c.Ended
	c.runs, c.cal = spans, cal
	if !open {
		c.runs = append(slices.Clip(spans), span{from: again})
	}
	for k, sp := range spans {
		left := c.Allowed - c.Spent
		part := cal.Between(sp.from, sp.to)
		if c.Due.IsZero() && (part >= left && left >= 0 || k == len(spans)-1 && open && left > 0) {
			c.Due = cal.Add(sp.from, left)
		}
		c.Spent += part
	}
	return c
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
