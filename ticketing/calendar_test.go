package ticketing

import (
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// Rules ask the site what kind of day it is, deadlines count with the calendar:
// both say the same of every day.
func TestCalendarOfASiteWorksOnTheDaysThatTheSiteWorks(t *testing.T) {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	shift := []devices.Shift{{Start: 8 * 60, End: 12 * 60}, {Start: 22 * 60, End: 30 * 60}}
	site := &devices.Site{Location: loc, Calendar: &devices.Calendar{
		Week:     [7][]devices.Shift{time.Monday: shift, time.Friday: shift[:1], time.Saturday: {}},
		Holidays: map[devices.Date]bool{{Year: 2026, Month: 2, Day: 16}: true},
		Workdays: map[devices.Date]time.Weekday{{Year: 2026, Month: 2, Day: 14}: time.Friday},
	}}
	cal := CalendarOf(site)
	for d := range 60 {
		morning := time.Date(2026, 2, 1+d, 9, 0, 0, 0, loc)
		as, off := site.Calendar.WorksAs(devices.DateOf(morning))
		if cal.Working(morning) == off {
			t.Errorf("%s works as %s, off %v", morning, as, off)
		}
	}
	if !cal.Working(time.Date(2026, 2, 10, 5, 59, 0, 0, loc)) || cal.Working(time.Date(2026, 2, 10, 6, 0, 0, 0, loc)) {
		t.Error("Monday's night ends at six")
	}
	if CalendarOf(&devices.Site{}).Between(time.Unix(0, 0), time.Unix(86400, 0)) != calendar.Always().Between(time.Unix(0, 0), time.Unix(86400, 0)) {
		t.Error("a site without a calendar works day and night")
	}
}
