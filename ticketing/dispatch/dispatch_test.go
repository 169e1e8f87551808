package dispatch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// t0 is a Monday morning.
var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// workday works from eight to five on weekdays.
func workday(string) *calendar.Calendar {
	c := &calendar.Calendar{}
	for wd := time.Monday; wd <= time.Friday; wd++ {
		c.Week[wd] = []calendar.Shift{{Start: 8 * 60, End: 17 * 60}}
	}
	return c
}

func desk(chains ...roster.Chain) *dispatch.Desk {
	p := ticketing.DefaultPolicy()
	return &dispatch.Desk{
		Roster: &roster.Roster{
			Persons: []roster.Person{{ID: "li.na"}, {ID: "wang.wei"}, {ID: "chen.jie"}},
			Chains:  chains,
		},
		Policy:   func(string) *ticketing.Policy { return &p },
		Skill:    func(string) string { return "pump_mechanic" },
		Calendar: workday,
	}
}

// climbing tells li.na at once, wang.wei after ten minutes, and chen.jie, who
// supervises, after twenty more.
func climbing() roster.Chain {
	return roster.Chain{Urgency: roster.Page, Steps: []roster.Step{
		{Person: "li.na"}, {Person: "wang.wei", After: 10 * time.Minute}, {Person: "chen.jie", After: 20 * time.Minute},
	}}
}

// A script plays one order: its log, and what the desk says as time passes.
type script struct {
	t    *testing.T
	desk *dispatch.Desk
	s    dispatch.State
	log  []ticketing.Entry
	o    *ticketing.Order
	now  time.Time
	due  time.Time
}

func open(t *testing.T, d *dispatch.Desk, tier ticketing.Tier, onset, at time.Time) *script {
	s := &script{t: t, desk: d, now: at}
	s.log = []ticketing.Entry{{
		Version: 1, Kind: ticketing.Opened, At: at, Arrived: at, Via: "rules", Key: "1",
		Detail: ticketing.Detail{Number: 1, Site: "demo", Asset: "pump-1", FaultClass: "pump.dry_run", Episode: "e", Onset: onset, Holds: true, Severity: "medium", Tier: tier, Into: "order1"},
	}}
	return s
}

func (s *script) add(kind ticketing.Kind, by string, d ticketing.Detail) {
	n := len(s.log) + 1
	s.log = append(s.log, ticketing.Entry{Version: n, Kind: kind, At: s.now, Arrived: s.now, By: by, Key: fmt.Sprint(n), Detail: d})
}

// at lets the desk look when it wants to until a time, and returns what it said,
// one notice in a line: minutes, person and kind.
func (s *script) at(until time.Time, unreached ...string) string {
	s.t.Helper()
	var out []string
	for {
		o, err := ticketing.Fold(s.log)
		if err != nil {
			s.t.Fatal(err)
		}
		s.o = o
		notices, due := s.desk.Order(&s.s, o, s.log[s.s.Seen:], unreached, s.now)
		for _, n := range notices {
			out = append(out, fmt.Sprintf("%d %s %s", int(s.now.Sub(t0).Minutes()), n.Person, n.Kind))
		}
		if !due.IsZero() && !due.After(s.now) {
			s.t.Fatalf("asked at %v the desk wants to be asked at %v", s.now, due)
		}
		s.due = due
		if due.IsZero() || due.After(until) {
			s.now = until
			return strings.Join(out, "\n")
		}
		s.now = due
	}
}

func (s *script) says(got string, want ...string) {
	s.t.Helper()
	if got != strings.Join(want, "\n") {
		s.t.Errorf("the desk says\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func minutes(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }

func TestAnOrderThatNobodyTakesClimbsItsChain(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P2, t0, t0)
	s.says(s.at(minutes(600)), "0 li.na new", "10 wang.wei escalated", "30 chen.jie escalated")
	if !s.due.IsZero() {
		t.Errorf("the chain is over, and the desk wants to look at %v", s.due)
	}
}

func TestAChainRepeatsAsOftenAsItSaysAndP1AllDay(t *testing.T) {
	c := climbing()
	c.Steps, c.Repeat, c.Again = c.Steps[:1], 2, 15*time.Minute
	s := open(t, desk(c), ticketing.P2, t0, t0)
	s.says(s.at(minutes(600)), "0 li.na new", "15 li.na escalated", "30 li.na escalated")
	p1 := open(t, desk(c), ticketing.P1, t0, t0)
	if n := strings.Count(p1.at(minutes(24*60-1)), "li.na"); n != 96 {
		t.Errorf("a P1 that nobody takes was told %d times in a day, want 96", n)
	}
}

func TestWhoAcceptsEndsTheChainAndTheOthersAreToldSo(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P2, t0, t0)
	s.says(s.at(minutes(12)), "0 li.na new", "10 wang.wei escalated")
	s.add(ticketing.Accept, "wang.wei", ticketing.Detail{})
	s.says(s.at(minutes(200)), "12 li.na update")
}

func TestAnOrderThatIsGivenToSomebodyIsToldToThemAndGoesOnWithoutThem(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P2, t0, t0)
	s.at(minutes(5))
	s.add(ticketing.Assigned, "li.na", ticketing.Detail{Person: "chen.jie"})
	s.says(s.at(minutes(20)), "5 chen.jie assigned", "15 wang.wei escalated")
}

func TestARaisedTierIsToldAsWorse(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P3, t0, t0)
	s.at(minutes(5))
	s.add(ticketing.Raised, "", ticketing.Detail{Tier: ticketing.P1, Reason: "severity"})
	s.says(s.at(minutes(16)), "5 li.na worse", "15 wang.wei escalated")
	s.add(ticketing.Accept, "li.na", ticketing.Detail{})
	s.says(s.at(minutes(17)), "16 wang.wei update")
}

func TestAFaultThatIsBackClimbsTheChainAgain(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P2, t0, t0)
	s.at(minutes(1))
	s.add(ticketing.Finish, "li.na", ticketing.Detail{Reason: "reset"})
	s.says(s.at(minutes(50)))
	s.add(ticketing.Recur, "", ticketing.Detail{Episode: "e2", Onset: s.now, Holds: true, Severity: "medium"})
	s.says(s.at(minutes(61)), "50 li.na again", "60 wang.wei escalated")
}

// PAINS 13: accepted and forgotten.
func TestPain13WhoAcceptedAndIsSilentIsRemindedAndThenReported(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P2, t0, t0)
	s.at(minutes(5))
	s.add(ticketing.Accept, "li.na", ticketing.Detail{})
	// Four hours of silence, half as much after the reminder.
	s.says(s.at(minutes(5+400)), "245 li.na silent", "365 li.na silent", "365 chen.jie silent")
	s.add(ticketing.Note, "li.na", ticketing.Detail{Text: "waiting for a key"})
	s.says(s.at(minutes(5 + 400 + 239)))
	s.says(s.at(minutes(5+400+241)), "645 li.na silent")
}

func TestPain13AnOrderThatWaitsLongerThanItMayIsReported(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P3, t0, t0)
	s.at(minutes(5))
	s.add(ticketing.Accept, "li.na", ticketing.Detail{})
	s.at(minutes(6))
	s.add(ticketing.Wait, "li.na", ticketing.Detail{Reason: "access"})
	s.says(s.at(minutes(6 + 48*60 - 1)))
	s.says(s.at(minutes(6+72*60)), fmt.Sprintf("%d li.na overdue", 6+48*60), fmt.Sprintf("%d chen.jie overdue", 6+48*60),
		fmt.Sprintf("%d li.na overdue", 6+72*60), fmt.Sprintf("%d chen.jie overdue", 6+72*60))
}

// PAINS 14: record without paging.
func TestPain14UrgencySaysWhetherAnybodyIsPaged(t *testing.T) {
	for urgency, want := range map[roster.Urgency]string{roster.Log: "", roster.Digest: "0 li.na new", roster.Page: "0 li.na new\n10 wang.wei escalated\n30 chen.jie escalated"} {
		c := climbing()
		c.Urgency = urgency
		s := open(t, desk(c), ticketing.P4, t0, t0)
		s.says(s.at(minutes(300)), want)
		c.Tiers = nil
		p1 := open(t, desk(c), ticketing.P1, t0, t0)
		if got := p1.at(minutes(9)); got != "0 li.na new" {
			t.Errorf("a P1 of urgency %s: %q, want a page", urgency, got)
		}
	}
}

func TestAnOldOnsetWakesNobodyOutsideWorkingHours(t *testing.T) {
	night := t0.Add(-5 * time.Hour)
	s := open(t, desk(climbing()), ticketing.P2, night.Add(-2*time.Hour), night)
	s.says(s.at(minutes(12)), "0 li.na new", "10 wang.wei escalated")
	fresh := open(t, desk(climbing()), ticketing.P2, night.Add(-time.Minute), night)
	fresh.says(fresh.at(night.Add(time.Minute)), "-300 li.na new")
	p1 := open(t, desk(climbing()), ticketing.P1, night.Add(-2*time.Hour), night)
	p1.says(p1.at(night.Add(time.Minute)), "-300 li.na new")
}

func TestDeadlinesAreToldToWhoHasTheOrderAndThenToTheLastStep(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P2, t0, t0)
	s.at(minutes(1))
	s.add(ticketing.Accept, "li.na", ticketing.Detail{})
	s.at(minutes(60))
	s.add(ticketing.SLAWarned, "", ticketing.Detail{Target: ticketing.ToArrive, Level: 50})
	s.says(s.at(minutes(96)), "60 li.na warning")
	s.add(ticketing.SLAWarned, "", ticketing.Detail{Target: ticketing.ToArrive, Level: 80})
	s.says(s.at(minutes(97)), "96 li.na warning", "96 chen.jie warning")
}

func TestTheNextStepIsToldAtOnceWhenNobodyOfTheFirstCanBeReached(t *testing.T) {
	s := open(t, desk(climbing()), ticketing.P1, t0, t0)
	s.at(minutes(1))
	s.says(s.at(minutes(2), "li.na"), "1 wang.wei escalated")
	s.says(s.at(minutes(3), "li.na", "wang.wei"), "2 chen.jie escalated")
	s.at(minutes(4), "li.na", "wang.wei", "chen.jie")
	if !s.s.Nobody {
		t.Error("nobody can be reached, and the desk does not say so")
	}
}

func TestAnOrderWithoutAChainOrWithAnEmptyOneReachesNobody(t *testing.T) {
	for _, chains := range [][]roster.Chain{nil, {{Steps: []roster.Step{{Rota: "nights"}}}}, {{Urgency: roster.Digest, Steps: []roster.Step{{Team: "nobody"}}}}} {
		s := open(t, desk(chains...), ticketing.P2, t0, t0)
		s.says(s.at(minutes(100)))
		if !s.s.Nobody {
			t.Errorf("chains %v reach nobody, and the desk does not say so", chains)
		}
	}
}

func TestAStepThatReachesNobodyIsSkipped(t *testing.T) {
	c := climbing()
	c.Steps[0] = roster.Step{Rota: "nights"}
	s := open(t, desk(c), ticketing.P2, t0, t0)
	s.says(s.at(minutes(40)), "0 wang.wei escalated", "20 chen.jie escalated")
}

// Every decision is a function of what is passed in: asked again from the same
// state the desk says the same.
func TestTheDeskDecidesFromWhatItIsGiven(t *testing.T) {
	play := func() (out []string) {
		s := open(t, desk(climbing()), ticketing.P2, t0, t0)
		out = append(out, s.at(minutes(15)))
		s.add(ticketing.Accept, "li.na", ticketing.Detail{})
		return append(out, s.at(minutes(1000)), fmt.Sprintf("%+v", s.s))
	}
	if a, b := play(), play(); !slices.Equal(a, b) {
		t.Errorf("%q\nand then\n%q", a, b)
	}
}
