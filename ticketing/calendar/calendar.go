// Package calendar counts working time: shifts by weekday, holidays, workdays
// moved to a weekend, and daylight saving, in the time zone of a site.
//
// One definition carries everything: an instant is working time when its local
// date and clock lie in a shift. So a shift that spans the change to summer time
// is an hour shorter, one that spans the change back an hour longer, and an hour
// that the clock shows twice counts twice.
package calendar

import (
	"fmt"
	"slices"
	"time"
)

// A Shift is working time of one day in minutes from local midnight. End may be
// after midnight (up to 48 h): a night shift belongs to the day on which it
// begins, also when the next day is a holiday.
type Shift struct{ Start, End int }

const day = 24 * 60 // minutes

// A Date is a day of the local calendar.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the local date of an instant.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads 2026-02-28.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date: write for example 2026-02-28", s)
	}
	return DateOf(t), nil
}

// String writes 2026-02-28.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// midnight is the date's beginning on a clock that knows no zones.
func (d Date) midnight() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

func (d Date) add(days int) Date { return DateOf(d.midnight().AddDate(0, 0, days)) }

// A Calendar says when a site works. The zero value works never; [Always] works
// always. It is not changed after it was made and safe for concurrent use.
type Calendar struct {
	Location *time.Location // nil means UTC
	Week     [7][]Shift     // by time.Weekday
	// Holidays are days without work of their own.
	Holidays map[Date]bool
	// Workdays are days that work like another weekday, whatever they are
	// themselves: the Saturday before a long holiday that works like a Friday.
	Workdays map[Date]time.Weekday
	always   bool
}

// Always is the calendar of what never rests.
func Always() *Calendar { return &Calendar{always: true} }

// Check reports what is wrong with the shifts, nil when nothing is.
func (c *Calendar) Check() error {
	for wd, shifts := range c.Week {
		for i, s := range shifts {
			switch {
			case s.Start < 0 || s.Start >= day:
				return fmt.Errorf("%s: a shift begins between 00:00 and 23:59", time.Weekday(wd))
			case s.End <= s.Start || s.End > 2*day:
				return fmt.Errorf("%s: a shift ends after it begins and within the next day", time.Weekday(wd))
			case i > 0 && s.Start < shifts[i-1].End:
				return fmt.Errorf("%s: shifts are in order and do not overlap", time.Weekday(wd))
			}
		}
	}
	return nil
}

func (c *Calendar) location() *time.Location {
	if c.Location == nil {
		return time.UTC
	}
	return c.Location
}

// own are the shifts that begin on a date.
func (c *Calendar) own(d Date) []Shift {
	if wd, ok := c.Workdays[d]; ok {
		return c.Week[wd]
	}
	if c.Holidays[d] {
		return nil
	}
	return c.Week[d.midnight().Weekday()]
}

// minutes are the stretches of a local date that are working time, in order and
// without overlap: what a night shift of the day before left over comes first.
func (c *Calendar) minutes(d Date) []Shift {
	var out []Shift
	for _, s := range c.own(d.add(-1)) {
		if s.End > day {
			out = append(out, Shift{max(0, s.Start-day), s.End - day})
		}
	}
	for _, s := range c.own(d) {
		out = append(out, Shift{s.Start, min(s.End, day)})
	}
	slices.SortFunc(out, func(a, b Shift) int { return a.Start - b.Start })
	merged := out[:0]
	for _, s := range out {
		if n := len(merged); n > 0 && s.Start <= merged[n-1].End {
			merged[n-1].End = max(merged[n-1].End, s.End)
		} else {
			merged = append(merged, s)
		}
	}
	return merged
}

// Working reports whether an instant is working time.
func (c *Calendar) Working(t time.Time) bool {
	if c.always {
		return true
	}
	local := t.In(c.location())
	h, m, _ := local.Clock()
	now := h*60 + m
	return slices.ContainsFunc(c.minutes(DateOf(local)), func(s Shift) bool { return s.Start <= now && now < s.End })
}

// horizon bounds the search for working time: a calendar that rests longer is
// one that never works again.
const horizon = 3 * 366

// stretches gives the working time from an instant on, in order, until yield
// says enough or nothing works for three years.
//
// Local days are taken piece by piece between the changes of the zone's offset:
// within a piece the local clock runs evenly, so no wall time is missing or
// ambiguous.
func (c *Calendar) stretches(from time.Time, yield func(a, b time.Time) bool) {
	idle := 0
	for t := from; idle < horizon; {
		local := t.In(c.location())
		date := DateOf(local)
		_, offset := local.Zone()
		// Midnight and the end of the day if the offset now held all day.
		begin := date.midnight().Add(-time.Duration(offset) * time.Second)
		end := begin.Add(24 * time.Hour)
		if _, change := local.ZoneBounds(); !change.IsZero() && change.Before(end) {
			end = change
		}
		idle++
		for _, s := range c.minutes(date) {
			a, b := begin.Add(time.Duration(s.Start)*time.Minute), begin.Add(time.Duration(s.End)*time.Minute)
			if a.Before(t) {
				a = t
			}
			if b.After(end) {
				b = end
			}
			if a.Before(b) {
				idle = 0
				if !yield(a, b) {
					return
				}
			}
		}
		t = end
	}
}

// Add is the instant at which d of working time has passed since from. It
// returns the zero time when the calendar never works that long.
func (c *Calendar) Add(from time.Time, d time.Duration) time.Time {
	if c.always || d <= 0 {
		return from.Add(max(d, 0))
	}
	var due time.Time
	c.stretches(from, func(a, b time.Time) bool {
		if span := b.Sub(a); span < d {
			d -= span
			return true
		}
		due = a.Add(d)
		return false
	})
	return due
}

// Between is the working time from a to b; 0 when b is not after a.
func (c *Calendar) Between(a, b time.Time) time.Duration {
	if !b.After(a) {
		return 0
	}
	if c.always {
		return b.Sub(a)
	}
	var sum time.Duration
	c.stretches(a, func(x, y time.Time) bool {
		if !x.Before(b) {
			return false
		}
		if y.After(b) {
			y = b
		}
		sum += y.Sub(x)
		return true
	})
	return sum
}

// Next is the first instant of working time at or after t; the zero time when
// there is none.
func (c *Calendar) Next(t time.Time) time.Time {
	if c.always {
		return t
	}
	var next time.Time
	c.stretches(t, func(a, _ time.Time) bool {
		next = a
		return false
	})
	return next
}
