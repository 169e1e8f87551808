package calendar

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func date(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

var officeWeek = [7][]Shift{
	time.Monday: {{8 * 60, 12 * 60}, {13 * 60, 17 * 60}}, time.Tuesday: {{8 * 60, 12 * 60}, {13 * 60, 17 * 60}},
	time.Wednesday: {{8 * 60, 12 * 60}, {13 * 60, 17 * 60}}, time.Thursday: {{8 * 60, 12 * 60}, {13 * 60, 17 * 60}},
	time.Friday: {{8 * 60, 12 * 60}, {13 * 60, 16 * 60}},
}

// A spring festival with a moved Saturday before it and one after it.
func china(t testing.TB) *Calendar {
	c := &Calendar{Location: zone(t, "Asia/Shanghai"), Week: officeWeek, Holidays: map[Date]bool{}, Workdays: map[Date]time.Weekday{
		date("2026-02-14"): time.Friday, date("2026-02-28"): time.Monday,
	}}
	for d := date("2026-02-15"); d != date("2026-02-24"); d = d.add(1) {
		c.Holidays[d] = true
	}
	return c
}

// Around the clock in three shifts but for Sunday, in a zone with summer time.
func berlin(t testing.TB) *Calendar {
	c := &Calendar{Location: zone(t, "Europe/Berlin"), Holidays: map[Date]bool{date("2026-04-03"): true, date("2026-04-06"): true}}
	for wd := time.Monday; wd <= time.Saturday; wd++ {
		c.Week[wd] = []Shift{{6 * 60, 14 * 60}, {14 * 60, 22 * 60}, {22 * 60, 30 * 60}}
	}
	return c
}

func at(loc *time.Location, s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, loc)
	if err != nil {
		panic(err)
	}
	return t
}

func TestDueTimesAcrossHolidaysAndMovedWorkdays(t *testing.T) {
	c := china(t)
	for _, x := range []struct {
		from string
		d    time.Duration
		want string
	}{
		{"2026-02-13 15:30", time.Hour, "2026-02-14 08:30"},     // Friday evening into the moved Saturday
		{"2026-02-14 15:30", time.Hour, "2026-02-24 08:30"},     // over nine days of holiday
		{"2026-02-27 15:59", 8 * time.Hour, "2026-02-28 16:59"}, // the moved Saturday works like a Monday
		{"2026-03-02 11:30", time.Hour, "2026-03-02 13:30"},     // over lunch
		{"2026-03-02 08:00", 4 * time.Hour, "2026-03-02 12:00"}, // the last minute of a shift is in it
		{"2026-03-01 10:00", time.Minute, "2026-03-02 08:01"},   // from a Sunday
		{"2026-03-02 11:30", 0, "2026-03-02 11:30"},
	} {
		if got := c.Add(at(c.Location, x.from), x.d); !got.Equal(at(c.Location, x.want)) {
			t.Errorf("%s and %s of work is %s, want %s", x.from, x.d, got.In(c.Location), x.want)
		}
	}
}

func TestNightShiftsAcrossTheChangeOfTheClock(t *testing.T) {
	c := berlin(t)
	for _, x := range []struct {
		from string
		d    time.Duration
		want string
	}{
		{"2026-03-28 22:00", 7 * time.Hour, "2026-03-29 06:00"},  // the night is an hour shorter
		{"2026-10-24 22:00", 9 * time.Hour, "2026-10-25 06:00"},  // and an hour longer
		{"2026-03-29 07:00", time.Hour, "2026-03-30 07:00"},      // Sunday rests
		{"2026-04-02 21:00", 10 * time.Hour, "2026-04-04 07:00"}, // the night shift goes into the holiday, then it rests
	} {
		if got := c.Add(at(c.Location, x.from), x.d); !got.Equal(at(c.Location, x.want)) {
			t.Errorf("%s and %s of work is %s, want %s", x.from, x.d, got.In(c.Location), x.want)
		}
	}
}

func TestCalendarThatNeverWorksHasNoDueTime(t *testing.T) {
	c := &Calendar{}
	if got := c.Add(time.Unix(0, 0), time.Second); !got.IsZero() {
		t.Errorf("due %s", got)
	}
	if c.Working(time.Unix(0, 0)) || !c.Next(time.Unix(0, 0)).IsZero() || c.Between(time.Unix(0, 0), time.Unix(1e6, 0)) != 0 {
		t.Error("it works")
	}
}

func TestMistakesInShifts(t *testing.T) {
	for _, week := range [][]Shift{{{-1, 5}}, {{0, 0}}, {{day, day + 1}}, {{0, 2*day + 1}}, {{0, 100}, {50, 200}}} {
		if (&Calendar{Week: [7][]Shift{week}}).Check() == nil {
			t.Errorf("%v is accepted", week)
		}
	}
	if err := berlin(t).Check(); err != nil {
		t.Error(err)
	}
}

// The count minute by minute is the definition; Between and Add must agree with
// it on calendars and instants of all kinds.
func TestBetweenAndAddEqualACountByMinutes(t *testing.T) {
	zones := []*time.Location{zone(t, "Asia/Shanghai"), zone(t, "Europe/Berlin"), zone(t, "America/St_Johns"), zone(t, "Australia/Lord_Howe"), time.UTC}
	// The changes of the clock in 2026 of Berlin and Lord Howe, and the festival.
	centres := []time.Time{
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 8, 5, 30, 0, 0, time.UTC), time.Date(2026, 2, 16, 0, 0, 0, 0, time.UTC),
	}
	rapid.Check(t, func(t *rapid.T) {
		c := &Calendar{Location: rapid.SampledFrom(zones).Draw(t, "zone"), Holidays: map[Date]bool{}, Workdays: map[Date]time.Weekday{}}
		for wd := range c.Week {
			start := 0
			for range rapid.IntRange(0, 3).Draw(t, "shifts") {
				start += rapid.IntRange(0, 600).Draw(t, "pause")
				end := start + rapid.IntRange(1, 900).Draw(t, "length")
				if start >= day || end > 2*day {
					break
				}
				c.Week[wd] = append(c.Week[wd], Shift{start, end})
				start = end
			}
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		from := rapid.SampledFrom(centres).Draw(t, "near").Add(time.Duration(rapid.IntRange(-3000, 1000).Draw(t, "minutes")) * time.Minute)
		for i := range 5 {
			d := DateOf(from.In(c.Location)).add(i - 1)
			switch rapid.IntRange(0, 4).Draw(t, "kind of day") {
			case 0:
				c.Holidays[d] = true
			case 1:
				c.Workdays[d] = time.Weekday(rapid.IntRange(0, 6).Draw(t, "like"))
			}
		}
		length := rapid.IntRange(0, 5000).Draw(t, "length")
		count := 0
		for i := range length {
			if c.Working(from.Add(time.Duration(i) * time.Minute)) {
				count++
			}
		}
		to := from.Add(time.Duration(length) * time.Minute)
		if got := c.Between(from, to); got != time.Duration(count)*time.Minute {
			t.Fatalf("between %s and %s there are %s of work, a count says %d min", from.In(c.Location), to.In(c.Location), got, count)
		}
		if count > 0 {
			due := c.Add(from, time.Duration(count)*time.Minute)
			if due.After(to) || c.Between(from, due) != time.Duration(count)*time.Minute || !c.Working(due.Add(-time.Minute)) {
				t.Fatalf("%d min of work from %s are over at %s", count, from.In(c.Location), due.In(c.Location))
			}
		}
		if next := c.Next(from); !next.IsZero() && (!c.Working(next) || c.Between(from, next) != 0) {
			t.Fatalf("after %s work begins at %s", from.In(c.Location), next.In(c.Location))
		}
	})
}
