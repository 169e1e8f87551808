package devices

import (
	"fmt"
	"time"
)

// A Date is a day of a site's local calendar.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the date of an instant in the instant's own time zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// String writes the date as 2026-03-01, "" for the zero date.
func (d Date) String() string {
	if d == (Date{}) {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// A Shift is working time of one day in minutes from local midnight. End may lie
// after midnight, up to 48 h: a night shift belongs to the day on which it begins.
type Shift struct{ Start, End int }

// A Calendar says when the people of a site work, as its site file says it.
// ticketing/calendar counts with it; rules ask what kind of day it is.
type Calendar struct {
	Week [7][]Shift // by time.Weekday
	// Holidays are days without shifts of their own.
	Holidays map[Date]bool
	// Workdays are days that work like another weekday whatever they are
	// themselves (调休): the Saturday that works like a Friday.
	Workdays map[Date]time.Weekday
}

// WorksAs is the weekday by which a date works, and whether it is a day off: a
// holiday, or a weekday without shifts. Without a calendar Monday to Friday are
// workdays.
func (c *Calendar) WorksAs(d Date) (as time.Weekday, off bool) {
	as = time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC).Weekday()
	if c == nil {
		return as, as == time.Saturday || as == time.Sunday
	}
	if moved, ok := c.Workdays[d]; ok {
		return moved, len(c.Week[moved]) == 0
	}
	return as, c.Holidays[d] || len(c.Week[as]) == 0
}
