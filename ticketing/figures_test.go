package ticketing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// Four orders, counted by hand: one confirmed in time, one late and re-visited,
// one false alarm, one still open and overdue.
func TestFiguresEqualACountByHand(t *testing.T) {
	p := DefaultPolicy()
	var tally Tally
	add := func(rule string, sev rules.Severity, rest ...Entry) {
		o := &Order{}
		first := step(1, rules.Active, sev)
		first.Rule = rule
		log := Receive(nil, nil, &first, "", 1, minute(1))
		cleared := step(2, rules.Cleared, sev)
		cleared.Episode.Seq = 1
		o2 := &Order{}
		apply(t, o2, log...)
		log = append(log, Receive(o2, &EpisodeState{Phase: rules.Active, Seq: 1}, &cleared, "", 1, minute(2))...)
		for _, e := range rest {
			e.Version = len(log) + 1
			log = append(log, e)
		}
		apply(t, o, log...)
		tally.Add(o, log, &p, calendar.Always(), minute(10000))
	}
	add("P07", rules.High, entry(Accept, 11, Detail{}), entry(Arrive, 61, Detail{}), entry(Finish, 101, Detail{Code: "repaired"}), entry(Verify, 600, Detail{}), entry(Close, 700, Detail{}))
	add("P07", rules.High, entry(Finish, 301, Detail{Code: "repaired"}), entry(Refuse, 400, Detail{Reason: "drips"}), entry(Accept, 410, Detail{}), entry(Finish, 501, Detail{Code: "no_fault"}), entry(Verify, 900, Detail{}))
	add("M09", rules.High, entry(Accept, 5, Detail{}), entry(Cancel, 6, Detail{Reason: "false_alarm"}))
	add("M09", rules.Medium)
	minutes := func(n int) float64 { return (time.Duration(n) * time.Minute).Seconds() }
	want := Figures{
		Orders: 4, ClosedLoop: Share{1, 2}, Revisits: Share{1, 2},
		Tiers: []TierFigures{
			{
				// Clocks of P2: accept and arrive in time; accept and arrive of the first visit late, of
				// the re-visit in time; accept of the false alarm in time, its arrival never decided.
				Tier: P2, Orders: 3, Response: Spread{3, minutes(10), minutes(300)}, OnSite: Spread{2, minutes(60), minutes(300)},
				Repair: Spread{2, minutes(100), minutes(500)}, SLA: Share{5, 7},
			},
			{Tier: P3, Orders: 1, SLA: Share{0, 1}},
		},
		// What counts is the last code: the re-visit found nothing.
		Rules: []RuleFigures{
			{"M09", 2, Share{0, 1}, []CodeCount{{"false_alarm", 1}}},
			{"P07", 2, Share{1, 2}, []CodeCount{{"no_fault", 1}, {"repaired", 1}}},
		},
	}
	if diff := cmp.Diff(want, tally.Figures()); diff != "" {
		t.Error(diff)
	}
}
