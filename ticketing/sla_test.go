package ticketing

import (
	"testing"
	"time"

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
