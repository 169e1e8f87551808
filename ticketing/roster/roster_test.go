package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

func TestQuietHoursEndWhenTheLastOfThemDoes(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	p := &Person{Location: berlin, Quiet: []Quiet{
		{Tiers: []ticketing.Tier{ticketing.P3, ticketing.P4}, From: 20 * 60, To: 31 * 60},
		{Tiers: []ticketing.Tier{ticketing.P4}, From: 0, To: 24 * 60, Days: []time.Weekday{time.Saturday, time.Sunday}},
	}}
	for _, x := range []struct {
		tier     ticketing.Tier
		at, want string
	}{
		{ticketing.P3, "2026-02-17T19:59:59+01:00", ""},
		{ticketing.P3, "2026-02-17T20:00:00+01:00", "2026-02-18T07:00:00+01:00"},
		{ticketing.P3, "2026-02-18T06:59:00+01:00", "2026-02-18T07:00:00+01:00"},
		{ticketing.P2, "2026-02-17T20:00:00+01:00", ""},
		{ticketing.P1, "2026-02-17T20:00:00+01:00", ""},
		// From Friday evening over the weekend, in which summer time begins.
		{ticketing.P4, "2026-03-27T21:00:00+01:00", "2026-03-30T07:00:00+02:00"},
	} {
		at, err := time.Parse(time.RFC3339, x.at)
		if err != nil {
			t.Fatal(err)
		}
		got := p.QuietUntil(x.tier, at)
		if s := got.In(berlin).Format(time.RFC3339); got.IsZero() != (x.want == "") || !got.IsZero() && s != x.want {
			t.Errorf("%s at %s: until %s, want %s", x.tier, x.at, s, x.want)
		}
	}
}

func TestStepsReachPersonsOnceInTheirOrder(t *testing.T) {
	r := &Roster{
		Persons: []Person{{ID: "a"}, {ID: "b"}, {ID: "c"}},
		Teams:   []Team{{ID: "crew", Members: []string{"b", "c"}}},
		Rotas: []*Rota{compiled(t, &Rota{ID: "duty", Shifts: []*Shift{
			{Rule: "FREQ=DAILY", First: date(2026, 1, 1), To: 1440, Order: []string{"c", "crew", "a"}},
		}})},
		Chains: []Chain{
			{Name: "lifts", FaultClasses: []string{"lift.*"}, Sites: []string{"x"}, Tiers: []ticketing.Tier{ticketing.P1}},
			{Name: "skill", Skills: []string{"electrician"}},
			{Name: "rest", Tiers: []ticketing.Tier{ticketing.P1, ticketing.P2}},
		},
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, x := range []struct {
		step Step
		want []string
	}{
		{Step{Rota: "duty"}, []string{"c", "b", "a"}}, {Step{Team: "crew"}, []string{"b", "c"}}, {Step{Person: "a"}, []string{"a"}}, {Step{Rota: "nowhere"}, nil},
	} {
		if got := r.Reach(x.step, at); !slices.Equal(got, x.want) {
			t.Errorf("%+v reaches %v, want %v", x.step, got, x.want)
		}
	}
	for _, x := range []struct {
		site, class, skill string
		tier               ticketing.Tier
		want               string
	}{
		{"x", "lift.door", "lift_mechanic", ticketing.P1, "lifts"},
		{"y", "lift.door", "lift_mechanic", ticketing.P1, "rest"},
		{"x", "power.overload", "electrician", ticketing.P4, "skill"},
		{"x", "lift.door", "lift_mechanic", ticketing.P4, ""},
	} {
		name := ""
		if c := r.Chain(x.site, x.class, x.skill, x.tier); c != nil {
			name = c.Name
		}
		if name != x.want {
			t.Errorf("%+v: %q", x, name)
		}
	}
}
