package ticketing

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/ticketing/calendar"
)

// A life is an order whose log grows by what people do and by what time says.
type life struct {
	order Order
	log   []Entry
}

func (l *life) add(t interface{ Fatal(...any) }, entries ...Entry) {
	for _, e := range entries {
		e.Version = l.order.Version + 1
		if err := l.order.Apply(&e); err != nil {
			t.Fatal(err)
		}
		l.log = append(l.log, e)
	}
}

// warnings are what time has said so far: level, target and when.
func (l *life) warnings() (out []string) {
	for _, e := range l.log {
		if e.Kind == SLAWarned || e.Kind == SLAMissed {
			out = append(out, strings.Join([]string{string(e.Kind), string(e.Target), (time.Duration(e.Level) * time.Second).String(), e.At.Sub(start).String()}, " "))
		}
	}
	return out
}

func opened(tier Tier, at int) Entry {
	return entry(Opened, at, Detail{Tier: tier, Into: "o", Site: "demo", Severity: "high"})
}

func TestWarningsComeOnceAtTheirMoments(t *testing.T) {
	p, cal := DefaultPolicy(), calendar.Always()
	l := &life{}
	l.add(t, opened(P2, 0))
	for m := range 200 { // the clock looks every minute, at no round time
		for range 2 {
			l.add(t, Warn(&l.order, l.log, &p, cal, minute(m).Add(30*time.Second)).Entries...)
		}
		if m == 70 {
			l.add(t, entry(Accept, 71, Detail{}))
		}
	}
	want := []string{
		"sla_warned accept 50s 7m30s", "sla_warned accept 1m20s 12m0s", "sla_missed accept 1m40s 15m0.000000001s",
		"sla_warned arrive 50s 1h0m0s", "sla_warned arrive 1m20s 1h36m0s", "sla_missed arrive 1m40s 2h0m0.000000001s",
	}
	if diff := cmp.Diff(want, l.warnings()); diff != "" {
		t.Error(diff)
	}
	l.add(t, entry(Finish, 200, Detail{}))
	if d := Warn(&l.order, l.log, &p, cal, minute(5000)); len(d.Entries) > 0 || !d.Next.IsZero() || d.Overdue {
		t.Errorf("an order that is done: %+v", d)
	}
	// A re-visit has clocks, and warnings, of its own.
	l.add(t, entry(Refuse, 300, Detail{Reason: "drips"}))
	d := Warn(&l.order, l.log, &p, cal, minute(308))
	if len(d.Entries) != 1 || d.Entries[0].Level != 50 || !d.Next.Equal(minute(312)) || d.Overdue {
		t.Errorf("re-visit: %+v", d)
	}
}

func TestWhatIsDoneAtTheLastMomentIsDoneInTime(t *testing.T) {
	p, cal := DefaultPolicy(), calendar.Always()
	l := &life{}
	l.add(t, opened(P2, 0))
	d := Warn(&l.order, l.log, &p, cal, minute(15))
	if len(d.Entries) != 2 || d.Overdue {
		t.Errorf("at the last moment: %+v", d)
	}
	if d = Warn(&l.order, l.log, &p, cal, minute(15).Add(1)); len(d.Entries) != 3 || !d.Overdue || d.Entries[2].Kind != SLAMissed || !d.Entries[2].Due.Equal(minute(15)) {
		t.Errorf("after it: %+v", d)
	}
}

func TestRaisedTierWarnsAnew(t *testing.T) {
	p, cal := DefaultPolicy(), calendar.Always()
	l := &life{}
	l.add(t, opened(P3, 0))
	l.add(t, Warn(&l.order, l.log, &p, cal, minute(13*60)).Entries...)
	l.add(t, entry(Raised, 13*60, Detail{Tier: P2}))
	d := Warn(&l.order, l.log, &p, cal, minute(14*60))
	var got []string
	for _, e := range d.Entries {
		got = append(got, e.Key)
	}
	// The hour to P2's arrival is half of its time; acceptance is late already.
	want := []string{"clock:o/sla/0/accept/P2/50", "clock:o/sla/0/accept/P2/80", "clock:o/sla/0/accept/P2/100", "clock:o/sla/0/arrive/P2/50"}
	if !slices.Equal(got, want) || len(l.warnings()) != 1 {
		t.Errorf("%v after %v", got, l.warnings())
	}
}

// Who comes too late and just before somebody looks is in the log all the same.
func TestDeadlineMissedBetweenTwoLooksIsInTheLog(t *testing.T) {
	p, cal := DefaultPolicy(), calendar.Always()
	l := &life{}
	l.add(t, opened(P1, 0), entry(Accept, 7, Detail{}), entry(Finish, 25, Detail{}))
	l.add(t, Warn(&l.order, l.log, &p, cal, minute(600)).Entries...)
	if diff := cmp.Diff([]string{"sla_missed accept 1m40s 5m0.000000001s"}, l.warnings()); diff != "" {
		t.Error(diff)
	}
	if d := Warn(&l.order, l.log, &p, cal, minute(700)); len(d.Entries) > 0 || d.Overdue || !d.Next.IsZero() {
		t.Errorf("%+v", d)
	}
}

// An order that follows from another fault and later stands for itself again is
// warned of from then on.
func TestReopenedOrderWarnsAnew(t *testing.T) {
	p, cal := DefaultPolicy(), calendar.Always()
	l := &life{}
	l.add(t, opened(P2, 0), entry(Cancel, 5, Detail{Reason: ReasonCommonCause, Into: "other"}))
	if d := Warn(&l.order, l.log, &p, cal, minute(300)); len(d.Entries) > 0 || d.Overdue || !d.Next.IsZero() {
		t.Errorf("while it is part of another: %+v", d)
	}
	l.add(t, entry(Reopened, 600, Detail{Episode: "e", Holds: true, Severity: "high"}))
	d := Warn(&l.order, l.log, &p, cal, minute(608))
	if len(d.Entries) != 1 || d.Entries[0].Level != 50 || !d.Next.Equal(minute(612)) {
		t.Errorf("eight minutes after it stands for itself: %+v", d)
	}
}

// Whoever looks every minute and whoever looks only when told to writes the same
// warnings; a pause and the calendar move them.
func TestLookingWhenToldToSeesWhatLookingAlwaysSees(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	office := &calendar.Calendar{Location: shanghai}
	for wd := time.Monday; wd <= time.Friday; wd++ {
		office.Week[wd] = []calendar.Shift{{Start: 8 * 60, End: 12 * 60}, {Start: 13 * 60, End: 17 * 60}}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultPolicy()
		for tier := P1; tier <= P4; tier++ {
			a := &p.Tiers[tier]
			a.Accept = time.Duration(rapid.IntRange(0, 300).Draw(t, "accept")) * time.Minute
			a.Arrive = a.Accept + time.Duration(rapid.IntRange(1, 600).Draw(t, "arrive"))*time.Minute
			a.Working, a.Pauses = rapid.Bool().Draw(t, "working"), rapid.Bool().Draw(t, "pauses")
		}
		p.MaxPause["parts"] = time.Duration(rapid.IntRange(1, 1000).Draw(t, "longest pause")) * time.Minute
		var told, always life
		first := opened(Tier(rapid.IntRange(1, 4).Draw(t, "tier")), 0)
		told.add(t, first)
		always.add(t, first)
		next, minutes := minute(0), 0
		for range rapid.IntRange(0, 6).Draw(t, "events") {
			until := minutes + rapid.IntRange(1, 900).Draw(t, "minutes")
			for ; minutes < until; minutes++ {
				always.add(t, Warn(&always.order, always.log, &p, office, minute(minutes)).Entries...)
			}
			last := minute(until - 1)
			for !next.IsZero() && !next.After(last) {
				d := Warn(&told.order, told.log, &p, office, next)
				told.add(t, d.Entries...)
				if !d.Next.IsZero() && !d.Next.After(next) {
					t.Fatalf("look again at %s, it is %s", d.Next, next)
				}
				next = d.Next
			}
			var can []Entry
			for _, e := range []Entry{
				entry(Accept, until, Detail{}), entry(Arrive, until, Detail{}), entry(Wait, until, Detail{Reason: "parts"}), entry(Resume, until, Detail{}),
				entry(Raised, until, Detail{Tier: told.order.Tier.up()}), entry(Finish, until, Detail{}), entry(Refuse, until, Detail{Reason: "drips"}),
			} {
				if May(told.order.State, e.Kind) {
					can = append(can, e)
				}
			}
			e := rapid.SampledFrom(can).Draw(t, "event")
			told.add(t, e)
			always.add(t, e)
			next = minute(until)
		}
		// Minutes are coarser than moments: compare what was said, not the order in
		// which two clocks said it within a minute.
		a, b := always.warnings(), told.warnings()
		slices.Sort(a)
		slices.Sort(b)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("always, told: %s", diff)
		}
	})
}
