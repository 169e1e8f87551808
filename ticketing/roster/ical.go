package roster

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"github.com/facilityd/facilityd/devices"
)

// personProp names a person or team of an exported event, so that it is known
// again whatever the title says.
const personProp = "X-FACILITYD-PERSON"

// WriteCalendar writes the duties of a rota in a stretch of time as iCalendar (RFC
// 5545): one event for each duty, turns, overrides and holidays worked in, its UID
// the same in every export so that a calendar program replaces it. Times are in
// UTC. named is what a person or team is called in the title.
func (r *Rota) WriteCalendar(w io.Writer, from, to time.Time, named func(id string) string) error {
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, "-//facilityd//rota//EN")
	cal.Props.SetText(ical.PropMethod, "PUBLISH")
	cal.Props.SetText("X-WR-CALNAME", r.title())
	for _, d := range r.Duties(from, to) {
		if len(d.Who) == 0 {
			continue
		}
		e := ical.NewEvent()
		e.Props.SetText(ical.PropUID, fmt.Sprintf("%s-%d@rota.facilityd", r.ID, d.From.Unix()))
		e.Props.SetDateTime(ical.PropDateTimeStamp, from.UTC())
		e.Props.SetDateTime(ical.PropDateTimeStart, d.From.UTC())
		e.Props.SetDateTime(ical.PropDateTimeEnd, d.To.UTC())
		var names []string
		for _, id := range d.Who {
			names = append(names, named(id))
			p := ical.NewProp(personProp)
			p.SetText(id)
			e.Props.Add(p)
		}
		e.Props.SetText(ical.PropSummary, r.title()+": "+strings.Join(names, ", "))
		cal.Children = append(cal.Children, e.Component)
	}
	if len(cal.Children) == 0 {
		return fmt.Errorf("rota %s has nobody on call in that time", r.ID)
	}
	return ical.NewEncoder(w).Encode(cal)
}

func (r *Rota) title() string {
	if t := r.Name.In("en"); t != "" {
		return t
	}
	return r.ID
}

// Imported is what a calendar says about who is on call.
type Imported struct {
	Shifts    []*Shift // of events that come again
	Overrides []Override
	Problems  []string // events that were left out, and why
}

// maxEvents bounds a calendar from outside.
const maxEvents = 10000

// ReadCalendar reads the events of an iCalendar file: those with a recurrence
// become shifts, single ones become overrides. Times without a zone are in loc.
// who finds the persons of an event, by what it was exported with, the addresses
// of its attendees and its title.
func ReadCalendar(in io.Reader, loc *time.Location, who func(exported, attendees []string, summary string) []string) (*Imported, error) {
	cal, err := decodeCalendar(in)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds no calendar")
	}
	if err != nil {
		return nil, fmt.Errorf("not readable as iCalendar: %w", err)
	}
	out := &Imported{}
	events := cal.Events()
	if len(events) > maxEvents {
		return nil, fmt.Errorf("the calendar has %d events, and %d are the most", len(events), maxEvents)
	}
	for i := range events {
		if err := out.event(&events[i], loc, who); err != nil {
			title, _ := events[i].Props.Text(ical.PropSummary)
			out.Problems = append(out.Problems, fmt.Sprintf("%q: %v", title, err))
		}
	}
	slices.SortStableFunc(out.Overrides, func(a, b Override) int { return a.From.Compare(b.From) })
	return out, nil
}

// decodeCalendar reads the first calendar of a file. The library's decoder panics
// on lines that break off; what comes from outside is refused instead.
func decodeCalendar(in io.Reader) (cal *ical.Calendar, err error) {
	defer func() {
		if p := recover(); p != nil {
			cal, err = nil, errors.New("a line breaks off")
		}
	}()
	return ical.NewDecoder(in).Decode()
}

func (out *Imported) event(e *ical.Event, loc *time.Location, who func(exported, attendees []string, summary string) []string) error {
	from, err := e.DateTimeStart(loc)
	if err != nil {
		return fmt.Errorf("its beginning cannot be read: %w", err)
	}
	to, err := e.DateTimeEnd(loc)
	if err != nil {
		return fmt.Errorf("its end cannot be read: %w", err)
	}
	if !from.Before(to) {
		return errors.New("it does not end after it begins")
	}
	summary, err := e.Props.Text(ical.PropSummary)
	if err != nil {
		return fmt.Errorf("its title cannot be read: %w", err)
	}
	var exported, attendees []string
	for _, p := range e.Props.Values(personProp) {
		id, err := p.Text()
		if err != nil {
			return fmt.Errorf("its person cannot be read: %w", err)
		}
		exported = append(exported, id)
	}
	for _, p := range e.Props.Values(ical.PropAttendee) {
		if address, ok := strings.CutPrefix(strings.ToLower(p.Value), "mailto:"); ok {
			attendees = append(attendees, address)
		}
	}
	ids := who(exported, attendees, summary)
	if len(ids) == 0 {
		return errors.New("neither title nor attendees name a person of the people file")
	}
	rule := e.Props.Get(ical.PropRecurrenceRule)
	if rule == nil {
		out.Overrides = append(out.Overrides, Override{From: from.In(loc), To: to.In(loc), Persons: ids})
		return nil
	}
	start, end := from.In(loc), to.In(loc)
	if offset(from, from.Location()) != offset(from, loc) {
		return fmt.Errorf("it comes again in another time zone than the site's, %s", loc)
	}
	first := devices.DateOf(start)
	s := &Shift{
		Name: devices.Label{EN: summary}, First: first, Order: ids, From: start.Hour()*60 + start.Minute(),
		To: int(midnight(devices.DateOf(end)).Sub(midnight(first)).Minutes()) + end.Hour()*60 + end.Minute(),
	}
	if s.To > 48*60 {
		return errors.New("it comes again and is longer than into the next day")
	}
	opt, err := rrule.StrToROption(rule.Value)
	if err != nil {
		return fmt.Errorf("its recurrence cannot be read: %w", err)
	}
	if !opt.Until.IsZero() {
		// UNTIL is an instant here, and the last day of the rota there.
		opt.Until = midnight(devices.DateOf(opt.Until.In(loc)))
	}
	s.Rule = opt.RRuleString()
	if s.Except, err = dates(e, ical.PropExceptionDates, loc); err != nil {
		return err
	}
	if s.Also, err = dates(e, ical.PropRecurrenceDates, loc); err != nil {
		return err
	}
	if err := s.Compile(); err != nil {
		return err
	}
	out.Shifts = append(out.Shifts, s)
	return nil
}

// dates reads the dates of a property, in whatever of its lines they stand.
func dates(e *ical.Event, name string, loc *time.Location) ([]devices.Date, error) {
	var out []devices.Date
	for _, p := range e.Props.Values(name) {
		for value := range strings.SplitSeq(p.Value, ",") {
			one := p
			one.Value = value
			at, err := one.DateTime(loc)
			if err != nil {
				return nil, fmt.Errorf("a date of %s cannot be read: %w", name, err)
			}
			out = append(out, devices.DateOf(at.In(loc)))
		}
	}
	return out, nil
}
