package ticketing

import (
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// PAINS 13: an alarm that somebody acknowledged and then forgot was never heard
// of again. Who takes an order and says nothing is found.
func TestPain13AcceptedAndForgottenIsFound(t *testing.T) {
	p := DefaultPolicy()
	o := &Order{}
	first := step(1, rules.Active, rules.High)
	apply(t, o, Receive(nil, nil, &first, "", 1, minute(1))...)
	if o.Forgotten(&p, minute(10000)) {
		t.Error("an order that nobody has is late, not forgotten")
	}
	apply(t, o, Entry{Version: 2, Kind: Accept, At: minute(10), Arrived: minute(10), By: "li.na"})
	worse := step(200, rules.Active, rules.High) // what rules say is no sign of life of a person
	worse.Episode.Seq = 1
	worse.Cause = rules.CauseSeverity
	apply(t, o, Receive(o, &EpisodeState{Phase: rules.Active, Seq: 1}, &worse, "", 1, minute(200))...)
	for m, want := range map[int]bool{10: false, 250: false, 251: true} {
		if got := o.Forgotten(&p, minute(m)); got != want {
			t.Errorf("%d minutes after it was accepted: forgotten %v", m-10, got)
		}
	}
	apply(t, o, Entry{Version: o.Version + 1, Kind: Note, At: minute(300), Arrived: minute(300), By: "li.na", Detail: Detail{Text: "on my way"}})
	if o.Forgotten(&p, minute(301)) {
		t.Error("forgotten right after a note")
	}
}

// PAINS 22 asks for both times of what was done without a signal; the order keeps
// the time of the action for its clocks and the time of arrival for its log.
func TestPain22TimeOfActionAndTimeOfArrivalAreBothKept(t *testing.T) {
	o := &Order{}
	first := step(1, rules.Active, rules.High)
	apply(t, o, Receive(nil, nil, &first, "", 1, minute(1))...)
	c := Command{Verb: DoArrive, Order: o.ID, By: "li.na", Key: "1", Version: 1, At: minute(20), Arrived: minute(200)}
	e, err := Decide(o, &c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, o, *e)
	if !o.ArrivedAt.Equal(minute(20)) || !o.Updated.Equal(minute(200)) || !o.Heard.Equal(minute(200)) {
		t.Errorf("%+v", o)
	}
	c.At = minute(200).Add(3 * time.Minute)
	if _, err := Decide(o, &c, nil, nil); err == nil {
		t.Error("an action in the future is taken")
	}
}

// PAINS 11: deadlines counted in the server's zone, on days that the site does not
// work, or an hour off after the clocks changed. Each site has its zone, its
// holidays and its worked weekends, and is counted with them.
func TestPain11DeadlinesFollowTheCalendarOfTheirSite(t *testing.T) {
	load := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	office := func(zone string, holidays []devices.Date, workdays map[devices.Date]time.Weekday) *calendar.Calendar {
		site := &devices.Site{Location: load(zone), Calendar: &devices.Calendar{Holidays: map[devices.Date]bool{}, Workdays: workdays}}
		for wd := time.Monday; wd <= time.Friday; wd++ {
			site.Calendar.Week[wd] = []devices.Shift{{Start: 8 * 60, End: 18 * 60}}
		}
		for _, d := range holidays {
			site.Calendar.Holidays[d] = true
		}
		return CalendarOf(site)
	}
	festival := []devices.Date{}
	for d := 15; d <= 23; d++ {
		festival = append(festival, devices.Date{Year: 2026, Month: 2, Day: d})
	}
	worked := map[devices.Date]time.Weekday{{Year: 2026, Month: 2, Day: 14}: time.Friday}
	p := DefaultPolicy()
	p.Tiers[P3] = Allowed{Arrive: 4 * time.Hour, Working: true}
	p.Tiers[P2] = Allowed{Arrive: 4 * time.Hour}
	for _, x := range []struct {
		name, opened, due string
		tier              Tier
		cal               *calendar.Calendar
	}{
		{"the same instant in Shanghai", "2026-03-02T05:00:00Z", "2026-03-02T17:00:00+08:00", P3, office("Asia/Shanghai", nil, nil)},
		{"and in Berlin, before work", "2026-03-02T05:00:00Z", "2026-03-02T12:00:00+01:00", P3, office("Europe/Berlin", nil, nil)},
		{"a worked Saturday, then nine days of festival", "2026-02-14T16:00:00+08:00", "2026-02-24T10:00:00+08:00", P3, office("Asia/Shanghai", festival, worked)},
		{"danger knows no holiday", "2026-02-14T16:00:00+08:00", "2026-02-14T20:00:00+08:00", P2, office("Asia/Shanghai", festival, worked)},
		{"over the night without an hour, day and night", "2026-03-29T00:30:00+01:00", "2026-03-29T05:30:00+02:00", P2, office("Europe/Berlin", nil, nil)},
		{"from Friday over the change to Monday", "2026-03-27T16:00:00+01:00", "2026-03-30T10:00:00+02:00", P3, office("Europe/Berlin", nil, nil)},
		{"over the night with an hour twice", "2026-10-25T01:30:00+02:00", "2026-10-25T04:30:00+01:00", P2, office("Europe/Berlin", nil, nil)},
	} {
		at := func(s string) time.Time {
			when, err := time.Parse(time.RFC3339, s)
			if err != nil {
				t.Fatal(err)
			}
			return when
		}
		log := []Entry{{Version: 1, Kind: Opened, At: at(x.opened), Arrived: at(x.opened).UTC(), Detail: Detail{Tier: x.tier}}}
		c := clockOf(t, Clocks(log, &p, x.cal, at(x.opened)), 0, ToArrive)
		if !c.Due.Equal(at(x.due)) {
			t.Errorf("%s: due %s, want %s", x.name, c.Due.In(at(x.due).Location()), x.due)
		}
	}
}

// PAINS 12: an order that waited was reported as violated, because a counter of
// elapsed time had not heard of the pause. Here nothing is counted up: a pause that
// is told late, from where there was no signal, moves the deadline all the same,
// and while it waits nobody is warned.
func TestPain12PauseToldLateCountsFromWhenItBegan(t *testing.T) {
	p, cal := DefaultPolicy(), calendar.Always()
	l := &life{}
	l.add(t, opened(P2, 0), entry(Accept, 5, Detail{}))
	l.add(t, Warn(&l.order, l.log, &p, cal, minute(70)).Entries...)
	if len(l.warnings()) != 1 {
		t.Fatalf("after 70 of 120 minutes: %v", l.warnings())
	}
	if d := Warn(&l.order, l.log, &p, cal, minute(130)); !d.Overdue {
		t.Fatalf("without a pause it is overdue: %+v", d)
	}
	late := entry(Wait, 80, Detail{Reason: "access"})
	late.Arrived = minute(130)
	l.add(t, late)
	for _, now := range []int{130, 500, 2000} {
		d := Warn(&l.order, l.log, &p, cal, minute(now))
		if len(d.Entries) > 0 || d.Overdue {
			t.Errorf("%d minutes after it was opened, waiting since the 80th: %+v", now, d)
		}
	}
	l.add(t, entry(Resume, 2000, Detail{}))
	if c := clockOf(t, Clocks(l.log, &p, cal, minute(2010)), 0, ToArrive); !c.Due.Equal(minute(2040)) || c.Missed() || c.Level() != 50 {
		t.Errorf("ten minutes after work went on: %+v", c)
	}
	l.add(t, Warn(&l.order, l.log, &p, cal, minute(2041)).Entries...)
	if got := l.warnings(); len(got) != 3 || got[2] != "sla_missed arrive 1m40s 34h0m0.000000001s" {
		t.Errorf("after the time is over: %v", got)
	}
}
