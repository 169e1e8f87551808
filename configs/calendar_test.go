package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs/calendars"
	"github.com/facilityd/facilityd/devices"
)

func day(s string) devices.Date {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return devices.DateOf(t)
}

func TestCalendarOfASiteIsReadWithWhatItUses(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "estate.yaml")
	if err := os.WriteFile(own, []byte("holidays:\n  2026-08-01: Founders' day\nshifts: {sat: 09:00-12:00}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := File{filepath.Join(dir, "site.yaml"), []byte(`
site: x
time_zone: Asia/Shanghai
calendar:
  use: [cn-2026, estate.yaml]
  shifts:
    mon-fri: 13:30-17:30, 08:00-12:00
    fri, sun: 22:00-06:00
  holidays:
    2026-12-31..2027-01-01: Year's end
    2026-02-28: we rest all the same
  workdays:
    2026-05-01: monday
`)}
	file.Data = []byte(strings.Replace(string(file.Data), "mon-fri", "mon-thu", 1))
	used, list := ReadUsed(file, calendars.FS)
	if err := list.Err(); err != nil || len(used) != 2 {
		t.Fatal(err, len(used))
	}
	site, list := ParseSite(file.Name, file.Data, used...)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	c := site.Calendar
	if m := c.Week[time.Monday]; len(m) != 2 || m[0] != (devices.Shift{Start: 8 * 60, End: 12 * 60}) || m[1].End != 17*60+30 {
		t.Errorf("Monday %v", m)
	}
	if f := c.Week[time.Friday]; len(f) != 1 || f[0] != (devices.Shift{Start: 22 * 60, End: 30 * 60}) || len(c.Week[time.Sunday]) != 1 || len(c.Week[time.Saturday]) != 1 {
		t.Errorf("Friday %v, %v", f, c.Week)
	}
	for d, want := range map[string]struct {
		as  time.Weekday
		off bool
	}{
		"2026-02-14": {time.Friday, false}, // worked for the festival, says the shipped calendar
		"2026-02-16": {time.Monday, true},
		"2026-02-28": {time.Saturday, true}, // the site's own word wins over the shipped one
		"2026-05-01": {time.Monday, false},
		"2026-08-01": {time.Saturday, true},
		"2026-08-08": {time.Saturday, false}, // shifts of the estate's file
		"2026-12-31": {time.Thursday, true},
		"2027-01-01": {time.Friday, true},
		"2027-01-04": {time.Monday, false},
	} {
		if as, off := c.WorksAs(day(d)); as != want.as || off != want.off {
			t.Errorf("%s works as %s, off %v", d, as, off)
		}
	}
}

func TestMistakesInACalendarNameThePlace(t *testing.T) {
	const head = "site: x\ncalendar:\n  shifts: {mon-fri: 08:00-17:00}\n"
	for text, want := range map[string]string{
		head + "  holidays:\n    2026-02-30: x\n":                                        `s.yaml:5:5: error: "2026-02-30" is no date (write for example 2026-05-01`,
		head + "  holidays:\n    2026-02-03..2026-02-01: x\n":                            `s.yaml:5:5: error: "2026-02-03..2026-02-01" is no date`,
		head + "  holidays:\n    2026-01-01..2036-01-01: x\n":                            `is no date`,
		head + "  holidays: {2026-02-03: x, 2026-02-03: y}\n":                            `s.yaml:4:29: error: "2026-02-03" is given twice`,
		head + "  workdays:\n    2026-02-14: fry\n":                                      `s.yaml:5:17: error: "fry" is no day of the week (say like which day it works: sun, mon`,
		head + "  holidays: {2026-02-14: x}\n  workdays: {2026-02-14: fri}\n":            `s.yaml:5:14: error: 2026-02-14 is a holiday too`,
		head + "  use: [cn-2062]\n":                                                      `s.yaml:4:9: error: calendar uses "cn-2062", which is not there (the name of a shipped calendar such as cn-2026`,
		head + "  holiday: {}\n":                                                         `s.yaml:4:3: error: unknown key "holiday" in calendar (did you mean "holidays"?)`,
		"site: x\ncalendar:\n  holidays: {}\n":                                           `s.yaml:3:3: error: the calendar has no shifts, so nobody ever works (write for example mon-fri:`,
		"site: x\ncalendar: {shifts: {weekdays: 08:00-17:00}}\n":                         `s.yaml:2:21: error: "weekdays" are no days of the week`,
		"site: x\ncalendar: {shifts: {mon: 8-17}}\n":                                     `s.yaml:2:26: error: "8-17" is no shift`,
		"site: x\ncalendar: {shifts: {mon: '08:00-12:00, 11:00-13:00'}}\n":               `s.yaml:2:26: error: shifts in "08:00-12:00, 11:00-13:00" overlap`,
		"site: x\ncalendar: {shifts: {mon-fri: 08:00-12:00, wed: 08:00-12:00}}\n":        `shifts of Wednesday are given twice (a day of the week stands in one line)`,
		"site: x\ncalendar: {shifts: {mon-fri: [08:00-12:00]}}\n":                        `calendar.shifts.mon-fri must be a single value`,
		"site: x\ncalendar: {shifts: {mon-fri: 24:00-25:00}}\n":                          `is no shift`,
		"site: x\ncalendar: {use: cn-2026, shifts: {mon-fri: 08:00-12:00}}\nadopt: no\n": `calendar.use must be a list`,
	} {
		_, list := ParseSite("s.yaml", []byte(text))
		if err := list.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestUsedCalendarIsCheckedAtItsOwnPlace(t *testing.T) {
	dir := t.TempDir()
	site := File{filepath.Join(dir, "site.yaml"), []byte("site: x\ncalendar: {use: [own.yaml, away.yaml], shifts: {mon: 08:00-12:00}}\n")}
	if err := os.WriteFile(filepath.Join(dir, "own.yaml"), []byte("use: [cn-2026]\nholidays:\n  tomorrow: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	used, missing := ReadUsed(site, calendars.FS)
	_, list := ParseSite(site.Name, site.Data, used...)
	text := missing.Err().Error() + "\n" + list.Err().Error()
	for _, want := range []string{
		"away.yaml: error: open ", "site.yaml uses it", `own.yaml:3:3: error: "tomorrow" is no date`, "own.yaml:1:1: error: a calendar that is used uses others itself",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

// The shipped calendars are whole and name their source; the days worked for the
// holidays are weekend days, and what is taken off for them is a weekday.
func TestShippedCalendarsAreSound(t *testing.T) {
	names, err := filepath.Glob("calendars/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, name := range names {
		use := strings.TrimSuffix(filepath.Base(name), ".yaml")
		site := File{"site.yaml", []byte("site: x\ncalendar: {use: [" + use + "], shifts: {mon-fri: 08:00-12:00}}\n")}
		used, _ := ReadUsed(site, calendars.FS)
		s, list := ParseSite(site.Name, site.Data, used...)
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(used[0].Data), "Source:") {
			t.Errorf("%s names no source", name)
		}
		for d, like := range s.Calendar.Workdays {
			wd := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday()
			if wd != time.Saturday && wd != time.Sunday || like == time.Saturday || like == time.Sunday {
				t.Errorf("%s: %v, a %s, works like a %s", name, d, wd, like)
			}
		}
		if len(s.Calendar.Holidays) != 33 || len(s.Calendar.Workdays) != 6 {
			t.Errorf("%s: %d holidays, %d workdays", name, len(s.Calendar.Holidays), len(s.Calendar.Workdays))
		}
	}
}
