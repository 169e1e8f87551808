package roster

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/facilityd/facilityd/devices"
)

// A Rota is a timetable of who is on call.
type Rota struct {
	ID       string
	Name     devices.Label
	Site     string
	Location *time.Location    // of the site
	Calendar *devices.Calendar // of the site; nil: Monday to Friday are workdays
	Shifts   []*Shift
	// Overrides beat the shifts, the later in the list beats the earlier.
	Overrides []Override
}

// Days says on which days of the site's calendar a shift is.
type Days string

// The kinds of days. A holiday is a day off, a moved workday (调休) is a workday.
const (
	EveryDay Days = ""
	Workdays Days = "workdays"
	DaysOff  Days = "days_off"
)

// A Shift is a stretch of the local clock that comes again. Handovers are by the
// clock on the wall: on the day that summer time begins a night shift is an hour
// shorter, and there is neither a gap nor an overlap with the next.
type Shift struct {
	Name devices.Label
	// Rule is the RFC 5545 recurrence of the days on which the shift begins,
	// such as FREQ=DAILY or FREQ=WEEKLY;BYDAY=SA,SU, counted from First.
	Rule  string
	First devices.Date
	// From and To are minutes from local midnight; To may be on the next day.
	From, To int
	On       Days
	// Except are days on which the shift is not although the rule says so, Also
	// are days on which it is although the rule does not.
	Except, Also []devices.Date
	// Order are ids of persons and teams. With Turn 0 all of them are on call,
	// the first to be told first; else they take turns of Turn days, from First.
	Order []string
	Turn  int

	mu    sync.Mutex
	next  rrule.Next
	dates []devices.Date // of the rule so far, in order
	done  bool           // the rule has ended
}

// An Override puts others on call for a while.
type Override struct {
	From, To time.Time
	Persons  []string // ids of persons and teams
	// For is the person, or team, in whose place they stand; "" is everybody's.
	For  string
	Note string
}

// maxInterval bounds the INTERVAL of a rule: more is a slip of the pen.
const maxInterval = 1000

// Compile reads the rule; the error is one for the person who wrote it.
func (s *Shift) Compile() error {
	opt, err := rrule.StrToROption(s.Rule)
	if err != nil {
		return fmt.Errorf("%q is not a recurrence of RFC 5545: %w", s.Rule, err)
	}
	if opt.Freq > rrule.DAILY || len(opt.Byhour)+len(opt.Byminute)+len(opt.Bysecond) > 0 {
		return fmt.Errorf("%q repeats within a day; a shift begins once a day at most", s.Rule)
	}
	if opt.Interval > maxInterval {
		return fmt.Errorf("%q repeats every %d times; %d is the most", s.Rule, opt.Interval, maxInterval)
	}
	if !opt.Dtstart.IsZero() {
		return fmt.Errorf("%q has a DTSTART; write the first day as first", s.Rule)
	}
	opt.Dtstart = midnight(s.First)
	if !opt.Until.IsZero() {
		// UNTIL names a day here, and that day belongs to the rota.
		opt.Until = midnight(devices.DateOf(opt.Until))
	}
	r, err := rrule.NewRRule(*opt)
	if err != nil {
		return fmt.Errorf("%q is not a recurrence of RFC 5545: %w", s.Rule, err)
	}
	s.next = r.Iterator()
	return nil
}

// farthest bounds how far ahead of its first day a rule is followed.
const farthest = 60 * 366

// recurs reports whether the rule alone names a day.
func (s *Shift) recurs(d devices.Date) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.done && (len(s.dates) == 0 || before(s.dates[len(s.dates)-1], d)) {
		t, more := s.next()
		if !more || len(s.dates) > farthest {
			s.done = true
			break
		}
		s.dates = append(s.dates, devices.DateOf(t))
	}
	_, found := slices.BinarySearchFunc(s.dates, d, compare)
	return found
}

// begins reports whether the shift begins on a day.
func (s *Shift) begins(d devices.Date, cal *devices.Calendar) bool {
	if slices.Contains(s.Also, d) {
		return true
	}
	if slices.Contains(s.Except, d) || before(d, s.First) || !s.recurs(d) {
		return false
	}
	if s.On == EveryDay {
		return true
	}
	_, off := cal.WorksAs(d)
	return off == (s.On == DaysOff)
}

// who are on call in the shift that begins on a day.
func (s *Shift) who(d devices.Date) []string {
	if s.Turn <= 0 || len(s.Order) == 0 {
		return s.Order
	}
	days := int(midnight(d).Sub(midnight(s.First)).Hours() / 24)
	turn := days / s.Turn
	if days < 0 {
		turn = (days - s.Turn + 1) / s.Turn
	}
	n := len(s.Order)
	return []string{s.Order[((turn%n)+n)%n]}
}

// At returns the ids of persons and teams on call, the first to be told first.
func (r *Rota) At(at time.Time) []string {
	var out []string
	today := devices.DateOf(at.In(r.location()))
	for _, s := range r.Shifts {
		for _, d := range []devices.Date{addDays(today, -1), today} {
			if s.begins(d, r.Calendar) && r.within(s, d, at) {
				out = append(out, s.who(d)...)
			}
		}
	}
	for _, o := range r.Overrides {
		if at.Before(o.From) || !at.Before(o.To) {
			continue
		}
		if i := slices.Index(out, o.For); o.For == "" {
			out = slices.Clone(o.Persons)
		} else if i >= 0 {
			out = slices.Replace(slices.Clone(out), i, i+1, o.Persons...)
		}
	}
	return out
}

func (r *Rota) within(s *Shift, d devices.Date, at time.Time) bool {
	return !at.Before(Wall(d, s.From, r.location())) && at.Before(Wall(d, s.To, r.location()))
}

func (r *Rota) location() *time.Location {
	if r.Location == nil {
		return time.UTC
	}
	return r.Location
}

// changes are the instants of a stretch of time at which it may change who is on
// call, in order, its beginning included.
func (r *Rota) changes(from, to time.Time) []time.Time {
	out := []time.Time{from}
	add := func(t time.Time) {
		if t.After(from) && t.Before(to) {
			out = append(out, t)
		}
	}
	last := devices.DateOf(to.In(r.location()))
	for d := addDays(devices.DateOf(from.In(r.location())), -1); !before(last, d); d = addDays(d, 1) {
		for _, s := range r.Shifts {
			if s.begins(d, r.Calendar) {
				add(Wall(d, s.From, r.location()))
				add(Wall(d, s.To, r.location()))
			}
		}
	}
	for _, o := range r.Overrides {
		add(o.From)
		add(o.To)
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// A Duty is a stretch of time with the same persons and teams on call; with
// nobody it is a gap.
type Duty struct {
	From, To time.Time
	Who      []string
}

// Duties lists who is on call in a stretch of time, in order and without holes:
// a gap of the rota is a duty of nobody.
func (r *Rota) Duties(from, to time.Time) []Duty {
	var out []Duty
	at := r.changes(from, to)
	for i, t := range at {
		d := Duty{From: t, To: to, Who: r.At(t)}
		if i+1 < len(at) {
			d.To = at[i+1]
		}
		if n := len(out); n > 0 && slices.Equal(out[n-1].Who, d.Who) {
			out[n-1].To = d.To
			continue
		}
		out = append(out, d)
	}
	return out
}

// Wall is the instant at which the clock on the wall shows so many minutes after
// the midnight of a day. A time that the clock shows twice is the first; one that
// it skips is as long after midnight as it would have been (RFC 5545, 3.3.5).
func Wall(d devices.Date, minutes int, loc *time.Location) time.Time {
	clock := midnight(d).Add(time.Duration(minutes) * time.Minute)
	for _, near := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		if t := clock.Add(-offset(clock.Add(near), loc)); offset(t, loc) == offset(clock.Add(near), loc) {
			return t.In(loc)
		}
	}
	return clock.Add(-offset(clock.Add(-26*time.Hour), loc)).In(loc)
}

func offset(t time.Time, loc *time.Location) time.Duration {
	_, sec := t.In(loc).Zone()
	return time.Duration(sec) * time.Second
}

// midnight is a date's beginning on a clock that knows no zones.
func midnight(d devices.Date) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

func addDays(d devices.Date, n int) devices.Date { return devices.DateOf(midnight(d).AddDate(0, 0, n)) }

func weekday(d devices.Date) time.Weekday { return midnight(d).Weekday() }

func compare(a, b devices.Date) int { return midnight(a).Compare(midnight(b)) }

func before(a, b devices.Date) bool { return compare(a, b) < 0 }
