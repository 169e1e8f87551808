package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
	"github.com/facilityd/facilityd/ticketing/store"
)

// deadlines: the passing of time writes each warning once, whoever looks how
// often, and a restart or another configuration does not repeat it.
func (e *env) deadlines() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.High), Step("pump-2", "motor.overload", 2, 2, rules.Active, rules.Medium))
	p, cal := ticketing.DefaultPolicy(), calendar.Always()
	at := func(minutes int) time.Time { return T0.Add(time.Duration(minutes) * time.Minute) }
	warn := func(minutes int) int {
		n, err := e.s.Warn(e.ctx, "demo", 1, at(minutes), &p, cal)
		if err != nil {
			e.Fatal(err)
		}
		return n
	}
	overdue := func() (out []int64) {
		stats, err := e.s.Overdue(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		for _, st := range stats {
			out = append(out, int64(st.Tier), st.Count)
		}
		return out
	}
	for _, x := range []struct{ at, want int }{{5, 0}, {8, 1}, {8, 0}, {16, 2}, {17, 0}} {
		if n := warn(x.at); n != x.want {
			e.Errorf("%d minutes after the fault: %d warnings, want %d", x.at, n, x.want)
		}
	}
	if got := overdue(); !slices.Equal(got, []int64{2, 1}) {
		e.Errorf("overdue by tier: %v", got)
	}
	// Another configuration, or a new process, looks at everything and repeats nothing.
	if err := e.s.DeadlinesChanged(e.ctx, "demo"); err != nil {
		e.Fatal(err)
	}
	if n := warn(18); n != 0 {
		e.Errorf("%d warnings are repeated", n)
	}
	// A shorter time warns of what is over by it.
	p.Tiers[ticketing.P3].Arrive = 20 * time.Minute
	if err := e.s.DeadlinesChanged(e.ctx, "demo"); err != nil {
		e.Fatal(err)
	}
	if n := warn(18); n != 2 {
		e.Errorf("%d warnings after the policy changed, want two", n)
	}
	page, err := e.s.List(e.ctx, ticketing.Filter{Sort: ticketing.ByUrgency})
	if err != nil {
		e.Fatal(err)
	}
	o := page.Items[0]
	// A warning is no reason to refuse what a person decided before it.
	if _, err := e.do(o, ticketing.Command{Verb: ticketing.DoArrive, Version: 1}); err != nil {
		e.Error(err)
	}
	if n := warn(20); n != 0 {
		e.Errorf("%d warnings of an order whose technician is there", n)
	}
	if got := overdue(); len(got) != 0 {
		e.Errorf("overdue by tier: %v", got)
	}
	log, err := e.s.Log(e.ctx, o.ID, 0)
	if err != nil {
		e.Fatal(err)
	}
	var kinds []ticketing.Kind
	for i := range log {
		kinds = append(kinds, log[i].Kind)
	}
	if !slices.Equal(kinds, []ticketing.Kind{ticketing.Opened, ticketing.SLAWarned, ticketing.SLAWarned, ticketing.SLAMissed, ticketing.Arrive}) {
		e.Errorf("log %v", kinds)
	}
	if _, err := e.s.Begin(e.ctx, "demo", 2); err != nil {
		e.Fatal(err)
	}
	if _, err := e.s.Warn(e.ctx, "demo", 1, at(1000), &p, cal); !errors.Is(err, store.ErrFenced) {
		e.Errorf("a worker that lost the site warns: %v", err)
	}
}
