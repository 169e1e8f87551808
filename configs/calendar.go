package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
)

// calendarPart is when people work: in a site file under calendar, or a file of
// its own that several sites use.
type calendarPart struct {
	Pos document.Pos
	Use []string `yaml:"use"`
	// Shifts by days of the week: "mon-fri: 08:00-12:00, 13:30-17:30".
	Shifts document.Pairs `yaml:"shifts"`
	// Holidays by date or range of dates, each with its name.
	Holidays document.Pairs `yaml:"holidays"`
	// Workdays by date: the weekday by which it works.
	Workdays document.Pairs `yaml:"workdays"`
}

const (
	hintShifts = "write for example mon-fri: 08:00-12:00, 13:30-17:30; sat: 22:00-06:00 is a night; sun: none"
	hintDate   = "write for example 2026-05-01, or 2026-05-01..2026-05-05"
	// maxDays bounds a range of dates: a longer one is a slip of the pen.
	maxDays = 366
)

// ReadUsed reads the files that a site file uses: shipped ones by their name
// (cn-2026), a user's own by a path that ends in .yaml and is taken from the site
// file's directory. What is wrong inside the site file itself is not said here.
func ReadUsed(site File, shipped fs.FS) ([]File, diag.List) {
	var f siteFile
	document.Decode(site.Name, site.Data, &f)
	var names []string
	if f.Calendar != nil {
		names = append(names, f.Calendar.Use...)
	}
	if f.SLA != nil {
		names = append(names, f.SLA.Use...)
	}
	var out []File
	var list diag.List
	for _, use := range names {
		name := usedName(site.Name, use)
		if slices.ContainsFunc(out, func(have File) bool { return have.Name == name }) {
			continue
		}
		data, err := readUsed(use, name, shipped)
		switch {
		case err == nil:
			out = append(out, File{name, data})
		case !isPath(use) && errors.Is(err, fs.ErrNotExist): // said at its place, with what there is
		default:
			list.Add(diag.Diagnostic{File: name, Message: err.Error(), Hint: site.Name + " uses it"})
		}
	}
	return out, list
}

func readUsed(use, name string, shipped fs.FS) ([]byte, error) {
	if isPath(use) {
		return os.ReadFile(name)
	}
	if shipped == nil {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(shipped, use+".yaml")
}

// isPath tells a user's own file from the name of a shipped one.
func isPath(use string) bool {
	return strings.HasSuffix(use, ".yaml") || strings.HasSuffix(use, ".yml")
}

// usedName is the name under which a content keeps a used file.
func usedName(site, use string) string {
	switch {
	case !isPath(use):
		return "shipped/calendars/" + use + ".yaml"
	case filepath.IsAbs(use):
		return use
	default:
		return filepath.Join(filepath.Dir(site), use)
	}
}

// siteCalendar puts a calendar together: what it uses first, then its own, which
// wins.
func siteCalendar(file string, own *calendarPart, used []File, at func(whole document.Pos, path string, index ...any) document.Pos) (*devices.Calendar, diag.List) {
	c := &devices.Calendar{Holidays: map[devices.Date]bool{}, Workdays: map[devices.Date]time.Weekday{}}
	var list diag.List
	for n, use := range own.Use {
		name := usedName(file, use)
		i := slices.IndexFunc(used, func(f File) bool { return f.Name == name })
		if i < 0 {
			list.Add(at(own.Pos, "calendar.use[%d]", n).Error(file, fmt.Sprintf("calendar uses %q, which is not there", use),
				"the name of a shipped calendar such as cn-2026, or a file of yours that ends in .yaml"))
			continue
		}
		var part calendarPart
		list = append(list, document.Decode(name, used[i].Data, &part)...)
		if len(part.Use) > 0 {
			list.Add(part.Pos.Error(name, "a calendar that is used uses others itself", "name all of them in the site file"))
		}
		list = append(list, part.into(name, c)...)
	}
	list = append(list, own.into(file, c)...)
	if !slices.ContainsFunc(c.Week[:], func(s []devices.Shift) bool { return len(s) > 0 }) && !list.HasErrors() {
		list.Add(own.Pos.Error(file, "the calendar has no shifts, so nobody ever works", hintShifts))
	}
	return c, list
}

// into adds what a part says to a calendar.
func (p *calendarPart) into(file string, c *devices.Calendar) diag.List {
	var list diag.List
	given := map[time.Weekday]bool{}
	for _, s := range p.Shifts {
		days, ok := parseDays(s.Key)
		if !ok {
			list.Add(s.KeyPos.Error(file, fmt.Sprintf("%q are no days of the week", s.Key), hintShifts))
			continue
		}
		shifts, err := parseShifts(s.Value)
		if err != nil {
			list.Add(s.ValPos.Error(file, err.Error(), hintShifts))
			continue
		}
		for _, wd := range days {
			if given[wd] {
				list.Add(s.KeyPos.Error(file, fmt.Sprintf("shifts of %s are given twice", wd), "a day of the week stands in one line"))
			}
			given[wd] = true
			c.Week[wd] = shifts
		}
	}
	mine := map[devices.Date]bool{}
	for _, h := range p.Holidays {
		from, days, ok := parseDates(h.Key)
		if !ok {
			list.Add(h.KeyPos.Error(file, fmt.Sprintf("%q is no date", h.Key), hintDate))
			continue
		}
		for i := range days {
			d := addDays(from, i)
			mine[d], c.Holidays[d] = true, true
			delete(c.Workdays, d)
		}
	}
	for _, w := range p.Workdays {
		d, days, ok := parseDates(w.Key)
		if !ok || days > 1 {
			list.Add(w.KeyPos.Error(file, fmt.Sprintf("%q is no date", w.Key), "write for example 2026-02-14: fri"))
			continue
		}
		wd, ok := parseWeekday(w.Value)
		switch {
		case !ok:
			list.Add(w.ValPos.Error(file, fmt.Sprintf("%q is no day of the week", w.Value), "say like which day it works: "+strings.Join(weekdays, ", ")))
		case mine[d]:
			list.Add(w.KeyPos.Error(file, w.Key+" is a holiday too", "keep one of them"))
		default:
			c.Workdays[d] = wd
		}
	}
	return list
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseWeekday reads mon, Mon or monday.
func parseWeekday(s string) (time.Weekday, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for i, short := range weekdays {
		if s == short || s == strings.ToLower(time.Weekday(i).String()) {
			return time.Weekday(i), true
		}
	}
	return 0, false
}

// parseDays reads "mon-fri", "sat", "mon, wed" and "fri-mon".
func parseDays(s string) ([]time.Weekday, bool) {
	var out []time.Weekday
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, ok := parseWeekday(first)
		b := a
		if isRange && ok {
			b, ok = parseWeekday(last)
		}
		if !ok {
			return nil, false
		}
		for d := a; ; d = (d + 1) % 7 {
			out = append(out, d)
			if d == b {
				break
			}
		}
	}
	return out, true
}

// parseShifts reads "08:00-12:00, 22:00-06:00" in any order; an end that is not
// after its beginning lies on the next day. "none" is a day without shifts.
func parseShifts(s string) ([]devices.Shift, error) {
	if strings.TrimSpace(s) == "none" {
		return nil, nil
	}
	var out []devices.Shift
	for part := range strings.SplitSeq(s, ",") {
		from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
		a, okA := parseClock(from)
		b, okB := parseClock(to)
		if !ok || !okA || !okB || a == 24*60 {
			return nil, fmt.Errorf("%q is no shift", strings.TrimSpace(part))
		}
		if b <= a {
			b += 24 * 60
		}
		out = append(out, devices.Shift{Start: a, End: b})
	}
	slices.SortFunc(out, func(a, b devices.Shift) int { return a.Start - b.Start })
	for i := range out[1:] {
		if out[i+1].Start < out[i].End {
			return nil, fmt.Errorf("shifts in %q overlap", s)
		}
	}
	return out, nil
}

// parseClock reads 08:30 as minutes from midnight; 24:00 is the end of the day.
func parseClock(s string) (minutes int, ok bool) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}

// parseDates reads 2026-05-01 or 2026-05-01..2026-05-05, both ends included.
func parseDates(s string) (from devices.Date, days int, ok bool) {
	first, last, isRange := strings.Cut(s, "..")
	a, err := time.Parse(time.DateOnly, strings.TrimSpace(first))
	if err != nil {
		return devices.Date{}, 0, false
	}
	b := a
	if isRange {
		if b, err = time.Parse(time.DateOnly, strings.TrimSpace(last)); err != nil {
			return devices.Date{}, 0, false
		}
	}
	days = int(b.Sub(a).Hours()/24) + 1
	return devices.DateOf(a), days, days >= 1 && days <= maxDays
}

func addDays(d devices.Date, n int) devices.Date {
	return devices.DateOf(time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC))
}
