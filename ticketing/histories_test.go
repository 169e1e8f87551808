package ticketing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing/calendar"
)

// An epoch is a stretch of time in which a calendar does something odd, minute by
// minute.
type epoch struct {
	name    string
	cal     *calendar.Calendar
	start   time.Time
	working []bool // by minute from start, asked one by one
}

const epochMinutes = 45 * 24 * 60

func newEpoch(t *testing.T, name, zone, around string, shifts [7][]calendar.Shift, holidays []string, workdays map[string]time.Weekday) *epoch {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	date := func(s string) calendar.Date {
		d, err := calendar.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	e := &epoch{name: name, cal: &calendar.Calendar{Location: loc, Week: shifts, Holidays: map[calendar.Date]bool{}, Workdays: map[calendar.Date]time.Weekday{}}}
	for _, h := range holidays {
		e.cal.Holidays[date(h)] = true
	}
	for d, like := range workdays {
		e.cal.Workdays[date(d)] = like
	}
	day := date(around)
	e.start = time.Date(day.Year, day.Month, day.Day-5, 0, 0, 0, 0, loc)
	e.working = make([]bool, epochMinutes)
	for m := range e.working {
		e.working[m] = e.cal.Working(e.at(m))
	}
	return e
}

func (e *epoch) at(m int) time.Time { return e.start.Add(time.Duration(m) * time.Minute) }

func (e *epoch) minute(t time.Time) int { return int(t.Sub(e.start) / time.Minute) }

// epochs are the times at which systems go wrong: both changes of the clock under
// night shifts, and the two long holidays of China with their worked weekends.
func epochs(t *testing.T) []*epoch {
	office := []calendar.Shift{{Start: 8 * 60, End: 12 * 60}, {Start: 13*60 + 30, End: 17*60 + 30}}
	china := [7][]calendar.Shift{time.Monday: office, time.Tuesday: office, time.Wednesday: office, time.Thursday: office, time.Friday: office[:1]}
	nights := []calendar.Shift{{Start: 6 * 60, End: 14 * 60}, {Start: 22 * 60, End: 30 * 60}}
	berlin := [7][]calendar.Shift{time.Monday: nights, time.Tuesday: nights, time.Wednesday: nights, time.Thursday: nights, time.Friday: nights, time.Saturday: nights[1:]}
	days := func(month string, from, to int) (out []string) {
		for d := from; d <= to; d++ {
			out = append(out, fmt.Sprintf("2026-%s-%02d", month, d))
		}
		return out
	}
	return []*epoch{
		newEpoch(t, "Spring Festival", "Asia/Shanghai", "2026-02-14", china, days("02", 15, 23), map[string]time.Weekday{"2026-02-14": time.Friday, "2026-02-28": time.Monday}),
		newEpoch(t, "National Day", "Asia/Shanghai", "2026-09-27", china, slices.Concat(days("09", 25, 27), days("10", 1, 7)), map[string]time.Weekday{"2026-10-10": time.Wednesday}),
		newEpoch(t, "summer time begins", "Europe/Berlin", "2026-03-28", berlin, []string{"2026-04-03", "2026-04-06"}, nil),
		newEpoch(t, "summer time ends", "Europe/Berlin", "2026-10-25", berlin, []string{"2026-10-31"}, map[string]time.Weekday{"2026-10-25": time.Monday}),
	}
}

// randomPolicy has times, pauses and working time of every mix.
func randomPolicy(r *rand.Rand) Policy {
	p := DefaultPolicy()
	minutes := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Minute }
	for tier := P1; tier <= P4; tier++ {
		p.Tiers[tier] = Allowed{Accept: minutes(200), Arrive: minutes(900), Done: minutes(2000), Working: r.IntN(2) == 0, Pauses: r.IntN(3) > 0}
	}
	for _, reason := range WaitReasons {
		p.MaxPause[reason] = minutes(2000)
	}
	delete(p.MaxPause, "weather") // pauses nothing
	return p
}

// randomLife is a history that the table of transitions takes: people and rules do
// what they may, now and then reported later than done.
func randomLife(t *testing.T, r *rand.Rand, e *epoch) (l *life, now int) {
	l = &life{}
	m := r.IntN(9 * 24 * 60)
	entry := func(kind Kind, d Detail) Entry {
		at := m
		if r.IntN(4) == 0 && kind != Opened && kind != Raised {
			at -= r.IntN(200)
		}
		return Entry{Kind: kind, At: e.at(at), Arrived: e.at(m), By: "li.na", Detail: d}
	}
	l.add(t, entry(Opened, Detail{Tier: Tier(1 + r.IntN(4)), Into: "o", Site: "demo", Severity: "high"}))
	step := 400
	if r.IntN(5) == 0 {
		step = 3000
	}
	for range r.IntN(9) {
		m += r.IntN(step)
		var can []Entry
		for _, x := range []Entry{
			entry(Assigned, Detail{Person: "li.na"}), entry(Accept, Detail{}), entry(Arrive, Detail{}), entry(Wait, Detail{Reason: WaitReasons[r.IntN(4)]}),
			entry(Resume, Detail{}), entry(Finish, Detail{}), entry(Refuse, Detail{Reason: "drips"}), entry(Cancel, Detail{Reason: "known"}),
			entry(Raised, Detail{Tier: max(l.order.Tier-1, P1)}), entry(Note, Detail{Text: "on my way"}),
		} {
			rare := x.Kind == Cancel || x.Kind == Finish
			if May(l.order.State, x.Kind) && (!rare || r.IntN(4) == 0) {
				can = append(can, x)
			}
		}
		l.add(t, can[r.IntN(len(can))])
	}
	return l, m + r.IntN(step)
}

// A counted visit is what a person reads off a log before counting minutes.
type countedVisit struct {
	from   int
	tiers  []struct{ tier, from int }
	events []struct {
		kind   Kind
		reason string
		at     int
	}
}

func readVisits(e *epoch, log []Entry) (out []countedVisit) {
	tier := 0
	for i := range log {
		x := &log[i]
		arrived := e.minute(x.Arrived)
		switch x.Kind {
		case Opened, Refuse:
			if tier == 0 {
				tier = int(x.Tier)
			}
			v := countedVisit{from: arrived}
			v.tiers = append(v.tiers, struct{ tier, from int }{tier, arrived})
			out = append(out, v)
			continue
		case Raised:
			if int(x.Tier) < tier {
				tier = int(x.Tier)
				v := &out[len(out)-1]
				v.tiers = append(v.tiers, struct{ tier, from int }{tier, arrived})
			}
			continue
		case Note:
			continue
		}
		// Nothing happened before its visit, or before what was reported earlier.
		v := &out[len(out)-1]
		at := max(e.minute(x.At), v.from)
		if n := len(v.events); n > 0 {
			at = max(at, v.events[n-1].at)
		}
		v.events = append(v.events, struct {
			kind   Kind
			reason string
			at     int
		}{x.Kind, x.Reason, at})
	}
	return out
}

// ends finds when a target was met, or else when the visit was cancelled; -1 for
// never.
func (v *countedVisit) ends(target Target) (met, cancelled int) {
	for _, x := range v.events {
		is := x.kind == Finish || x.kind == Arrive && target != ToDone || x.kind == Accept && target == ToAccept
		switch {
		case is:
			return x.at, -1
		case x.kind == Cancel:
			return -1, x.at
		}
	}
	return -1, -1
}

// runs says by looking at one minute alone whether a clock runs in it.
func (v *countedVisit) runs(e *epoch, p *Policy, a Allowed, m, next int) bool {
	if a.Working && !e.working[m] {
		return false
	}
	if !a.Pauses || next == 0 {
		return true
	}
	last := v.events[next-1]
	return last.kind != Wait || m >= last.at+int(p.MaxPause[last.reason]/time.Minute)
}

// count counts the minutes of a clock until one, and finds in which minute a
// number of them is full; -1 when it is not within the epoch.
func (v *countedVisit) count(e *epoch, p *Policy, a Allowed, from, until, full int) (spent, reached int) {
	reached = -1
	next := 0
	total := 0
	for m := from; m < epochMinutes && (m < until || reached < 0); m++ {
		for next < len(v.events) && v.events[next].at <= m && v.events[next].at < until {
			next++
		}
		if total == full && reached < 0 {
			reached = m
		}
		if v.runs(e, p, a, m, next) {
			total++
			if m < until {
				spent++
			}
			if total == full && reached < 0 {
				reached = m + 1
			}
		}
	}
	return spent, reached
}

// The clocks of 10,000 random histories equal a count minute by minute, on the
// calendars and in the time zones of China and of a European site, across both
// changes of the clock, holidays and worked weekends: what is spent, whether it
// is missed, and when it is over.
func TestClocksOfTenThousandHistoriesEqualACountByMinutes(t *testing.T) {
	const seed = 20260214
	t.Log("seed", seed)
	all := epochs(t)
	clocks, paused, missed, revisits, raised := 0, 0, 0, 0, 0
	for n := range 10_000 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		e := all[n%len(all)]
		p := randomPolicy(r)
		l, now := randomLife(t, r, e)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("history %d, %s: %s\nat %s, policy %+v\n%+v", n, e.name, fmt.Sprintf(format, args...), e.at(now), p, l.log)
		}
		visits := readVisits(e, l.log)
		got := Clocks(l.log, &p, e.cal, e.at(now))
		for _, c := range got {
			clocks++
			v := &visits[c.Visit]
			met, cancelled := v.ends(c.Target)
			until := now
			if met >= 0 {
				until = met
			} else if cancelled >= 0 {
				until = cancelled
			}
			if (met >= 0) != !c.Met.IsZero() || met >= 0 && e.minute(c.Met) != met || c.Ended != (met < 0 && cancelled >= 0) {
				fail("%s of visit %d: %+v, met in minute %d, cancelled %d", c.Target, c.Visit, c, met, cancelled)
			}
			// The clock is that of one of the tiers that the visit had.
			i := slices.IndexFunc(v.tiers, func(x struct{ tier, from int }) bool { return Tier(x.tier) == c.Tier })
			if i < 0 {
				fail("visit %d never was %s", c.Visit, c.Tier)
			}
			a := p.Tiers[c.Tier]
			allowed := int(a.of(c.Target) / time.Minute)
			spent, over := v.count(e, &p, a, v.tiers[i].from, until, allowed)
			if c.Spent != time.Duration(spent)*time.Minute {
				fail("%s of visit %d for %s: the clock says %s, a count %d min", c.Target, c.Visit, c.Tier, c.Spent, spent)
			}
			if c.Missed() != (spent > allowed) {
				fail("%s of visit %d: missed %v after %d of %d min", c.Target, c.Visit, c.Missed(), spent, allowed)
			}
			if running := met < 0 && cancelled < 0; running {
				// It is over when the count is full if nothing happens any more, and no
				// other tier's clock is over sooner.
				if due := e.minute(c.Reaches(100)); over >= 0 && due != over {
					fail("%s of visit %d for %s is over at %s, a count says %s", c.Target, c.Visit, c.Tier, c.Reaches(100), e.at(over))
				}
				for _, x := range v.tiers {
					other := p.Tiers[x.tier]
					if other.of(c.Target) == 0 {
						continue
					}
					if _, sooner := v.count(e, &p, other, x.from, until, int(other.of(c.Target)/time.Minute)); sooner >= 0 && over >= 0 && sooner < over {
						fail("%s of visit %d: shown is %s at %s, P%d is over at %s", c.Target, c.Visit, c.Tier, e.at(over), x.tier, e.at(sooner))
					}
				}
				if !c.Paused && c.Due.IsZero() && over >= 0 {
					fail("%s of visit %d runs and has no due time", c.Target, c.Visit)
				}
			}
			if c.Paused {
				paused++
			}
			if c.Missed() {
				missed++
			}
		}
		revisits += len(visits) - 1
		for i := range visits {
			raised += len(visits[i].tiers) - 1
		}
	}
	t.Logf("%d clocks, %d paused at the end, %d missed, %d re-visits, %d raised", clocks, paused, missed, revisits, raised)
	if min(clocks/10_000, paused/100, missed/100, revisits/100, raised/100) == 0 {
		t.Error("the histories are too tame")
	}
}
