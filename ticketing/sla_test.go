package ticketing

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/ticketing/calendar"
)

var start = time.Date(2026, 3, 28, 9, 0, 0, 0, time.UTC) // a Saturday; Berlin's clocks change that night

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

// entry makes a log entry of a minute.
func entry(kind Kind, at int, d Detail) Entry {
	return Entry{Kind: kind, At: minute(at), Arrived: minute(at), By: "li.na", Detail: d}
}

func clockOf(t *testing.T, clocks []Clock, visit int, target Target) Clock {
	t.Helper()
	for _, c := range clocks {
		if c.Visit == visit && c.Target == target {
			return c
		}
	}
	t.Fatalf("no clock for %s of visit %d in %+v", target, visit, clocks)
	return Clock{}
}

func TestClocksOfAPlainVisit(t *testing.T) {
	p := DefaultPolicy()
	log := []Entry{entry(Opened, 0, Detail{Tier: P2}), entry(Accept, 10, Detail{}), entry(Arrive, 130, Detail{})}
	clocks := Clocks(log[:1], &p, calendar.Always(), minute(13))
	if c := clockOf(t, clocks, 0, ToAccept); !c.Due.Equal(minute(15)) || c.Level() != 80 || c.Missed() {
		t.Errorf("%+v", c)
	}
	clocks = Clocks(log, &p, calendar.Always(), minute(500))
	if c := clockOf(t, clocks, 0, ToAccept); !c.Met.Equal(minute(10)) || c.Missed() || c.Spent != 10*time.Minute {
		t.Errorf("%+v", c)
	}
	if c := clockOf(t, clocks, 0, ToArrive); !c.Due.Equal(minute(120)) || !c.Missed() || c.Level() != 100 {
		t.Errorf("%+v", c)
	}
}

// PAINS 12: systems that kept a counter of elapsed time reported a deadline as
// violated while the order was waiting. Here the pause is in the log and the
// clock is computed from it.
func TestPain12WaitingPausesTheClockAndNeverForEver(t *testing.T) {
	p := DefaultPolicy()
	log := []Entry{
		entry(Opened, 0, Detail{Tier: P3}), entry(Accept, 60, Detail{}), entry(Wait, 120, Detail{Reason: "access"}),
	}
	c := clockOf(t, Clocks(log, &p, calendar.Always(), minute(120+30*60)), 0, ToArrive)
	if !c.Paused || c.Spent != 2*time.Hour || !c.Due.IsZero() || c.Missed() {
		t.Errorf("thirty hours into the pause: %+v", c)
	}
	// Access may be waited for two days; then the clock runs again by itself.
	c = clockOf(t, Clocks(log, &p, calendar.Always(), minute(120+48*60+60)), 0, ToArrive)
	if c.Paused || c.Spent != 3*time.Hour || !c.Due.Equal(minute(120+48*60+22*60)) {
		t.Errorf("an hour after the longest pause: %+v", c)
	}
	log = append(log, entry(Resume, 120+60, Detail{}), entry(Arrive, 120+60+30, Detail{}))
	c = clockOf(t, Clocks(log, &p, calendar.Always(), minute(9999)), 0, ToArrive)
	if c.Spent != 150*time.Minute || c.Missed() {
		t.Errorf("resumed after an hour: %+v", c)
	}
	// Danger does not wait.
	log[0].Tier = P1
	if c := clockOf(t, Clocks(log, &p, calendar.Always(), minute(9999)), 0, ToArrive); !c.Missed() || c.Spent != 210*time.Minute {
		t.Errorf("P1: %+v", c)
	}
}

func TestRaisedTierStartsItsClockWhenItIsRaised(t *testing.T) {
	p := DefaultPolicy()
	log := []Entry{entry(Opened, 0, Detail{Tier: P4}), entry(Raised, 600, Detail{Tier: P2})}
	clocks := Clocks(log, &p, calendar.Always(), minute(605))
	if c := clockOf(t, clocks, 0, ToArrive); c.Tier != P2 || !c.Due.Equal(minute(720)) || c.Missed() {
		t.Errorf("%+v", c)
	}
	if c := clockOf(t, clocks, 0, ToAccept); !c.Due.Equal(minute(615)) {
		t.Errorf("%+v", c)
	}
}

func TestEachVisitHasItsOwnClocks(t *testing.T) {
	p := DefaultPolicy()
	log := []Entry{
		entry(Opened, 0, Detail{Tier: P2}), entry(Finish, 60, Detail{}), entry(Refuse, 1000, Detail{Reason: "still drips"}), entry(Accept, 1010, Detail{}),
		entry(Cancel, 1020, Detail{Reason: "known"}),
	}
	clocks := Clocks(log, &p, calendar.Always(), minute(5000))
	if c := clockOf(t, clocks, 0, ToArrive); !c.Met.Equal(minute(60)) || c.Missed() {
		t.Errorf("first visit %+v", c)
	}
	if c := clockOf(t, clocks, 1, ToAccept); !c.Met.Equal(minute(1010)) || c.Missed() {
		t.Errorf("re-visit %+v", c)
	}
	if c := clockOf(t, clocks, 1, ToArrive); !c.Ended || c.Missed() || c.Spent != 20*time.Minute {
		t.Errorf("re-visit %+v", c)
	}
}

// An order worked on without a signal counts from when the work was done; a time
// before the visit counts as its beginning.
func TestTimeOfActionCountsButNotBeforeTheVisit(t *testing.T) {
	p := DefaultPolicy()
	log := []Entry{entry(Opened, 10, Detail{Tier: P2}), entry(Accept, 9, Detail{}), entry(Arrive, 100, Detail{})}
	log[2].Arrived = minute(400)
	clocks := Clocks(log, &p, calendar.Always(), minute(5000))
	if c := clockOf(t, clocks, 0, ToAccept); c.Spent != 0 || !c.Met.Equal(minute(10)) {
		t.Errorf("%+v", c)
	}
	if c := clockOf(t, clocks, 0, ToArrive); c.Spent != 90*time.Minute || c.Missed() {
		t.Errorf("%+v", c)
	}
}

// Clocks over random histories equal a count minute by minute, in the time zones
// and on the calendars of China and of a European site, across daylight saving,
// holidays and moved workdays.
func TestClocksEqualACountByMinutes(t *testing.T) {
	week := func(shifts ...calendar.Shift) (w [7][]calendar.Shift) {
		for wd := time.Monday; wd <= time.Friday; wd++ {
			w[wd] = shifts
		}
		return w
	}
	load := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	calendars := []*calendar.Calendar{
		{
			Location: load("Asia/Shanghai"), Week: week(calendar.Shift{Start: 8 * 60, End: 12 * 60}, calendar.Shift{Start: 13 * 60, End: 17 * 60}),
			Holidays: map[calendar.Date]bool{{Year: 2026, Month: 3, Day: 30}: true}, Workdays: map[calendar.Date]time.Weekday{{Year: 2026, Month: 3, Day: 28}: time.Monday},
		},
		{
			Location: load("Europe/Berlin"), Week: func() [7][]calendar.Shift {
				w := week(calendar.Shift{Start: 6 * 60, End: 14 * 60}, calendar.Shift{Start: 22 * 60, End: 30 * 60})
				w[time.Saturday] = []calendar.Shift{{Start: 22 * 60, End: 30 * 60}}
				return w
			}(), Holidays: map[calendar.Date]bool{{Year: 2026, Month: 4, Day: 3}: true},
		},
	}
	rapid.Check(t, func(t *rapid.T) {
		cal := rapid.SampledFrom(calendars).Draw(t, "calendar")
		p := DefaultPolicy()
		p.MaxPause = map[string]time.Duration{"parts": time.Duration(rapid.IntRange(1, 3000).Draw(t, "longest pause")) * time.Minute}
		tier := Tier(rapid.IntRange(1, 4).Draw(t, "tier"))
		p.Tiers[tier] = Allowed{Done: time.Duration(rapid.IntRange(1, 2000).Draw(t, "allowed")) * time.Minute, Working: true, Pauses: rapid.Bool().Draw(t, "pauses")}
		log := []Entry{entry(Opened, 0, Detail{Tier: tier})}
		at := 0
		waiting := false
		for range rapid.IntRange(0, 8).Draw(t, "entries") {
			at += rapid.IntRange(0, 1500).Draw(t, "minutes")
			kind, d := Wait, Detail{Reason: rapid.SampledFrom([]string{"parts", "access"}).Draw(t, "reason")}
			if waiting {
				kind, d = rapid.SampledFrom([]Kind{Resume, Arrive}).Draw(t, "kind"), Detail{}
			}
			waiting = kind == Wait
			log = append(log, entry(kind, at, d))
		}
		now := at + rapid.IntRange(0, 3000).Draw(t, "until now")
		look := now
		if rapid.Bool().Draw(t, "done") {
			log = append(log, entry(Finish, now, Detail{}))
			look += rapid.IntRange(0, 100).Draw(t, "later")
		}
		clocks := Clocks(log, &p, cal, minute(look))
		if len(clocks) != 1 {
			t.Fatalf("clocks %+v", clocks)
		}
		count := 0
		for m := range now {
			if cal.Working(minute(m)) && !pausedAt(log, &p, p.Tiers[tier], m) {
				count++
			}
		}
		c := clocks[0]
		if c.Spent != time.Duration(count)*time.Minute {
			t.Fatalf("the clock says %s, a count %d min: %+v", c.Spent, count, log)
		}
		if open := c.Met.IsZero() && !c.Paused; open && !c.Missed() && c.Due.IsZero() {
			t.Fatalf("a running clock without a due time: %+v", c)
		}
		if !c.Due.IsZero() && !c.Missed() && c.Met.IsZero() && cal.Between(minute(now), c.Due) != c.Allowed-c.Spent {
			t.Fatalf("due %s is not %s of work away", c.Due, c.Allowed-c.Spent)
		}
	})
}

// pausedAt says by looking at one minute alone whether the clock stands still.
func pausedAt(log []Entry, p *Policy, a Allowed, m int) bool {
	if !a.Pauses {
		return false
	}
	var last *Entry
	for i := range log {
		if !log[i].At.After(minute(m)) {
			last = &log[i]
		}
	}
	return last != nil && last.Kind == Wait && p.MaxPause[last.Reason] > 0 && minute(m).Before(last.At.Add(p.MaxPause[last.Reason]))
}
