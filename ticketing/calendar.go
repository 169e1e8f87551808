package ticketing

import (
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// CalendarOf is the working time of a site as its site file says it; day and
// night when it says nothing.
func CalendarOf(site *devices.Site) *calendar.Calendar {
	c := site.Calendar
	if c == nil {
		return calendar.Always()
	}
	out := &calendar.Calendar{
		Location: site.Location, Holidays: make(map[calendar.Date]bool, len(c.Holidays)), Workdays: make(map[calendar.Date]time.Weekday, len(c.Workdays)),
	}
	for wd, shifts := range c.Week {
		for _, s := range shifts {
			out.Week[wd] = append(out.Week[wd], calendar.Shift(s))
		}
	}
	for d := range c.Holidays { // order does not matter: a set
		out.Holidays[calendar.Date(d)] = true
	}
	for d, like := range c.Workdays { // order does not matter: a map
		out.Workdays[calendar.Date(d)] = like
	}
	return out
}
