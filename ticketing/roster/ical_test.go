package roster

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

func byExport(exported, attendees []string, summary string) []string {
	switch {
	case len(exported) > 0:
		return exported
	case slices.Contains(attendees, "li.na@example.com"):
		return []string{"li.na"}
	case strings.HasPrefix(summary, "Wang"):
		return []string{"wang.wei"}
	}
	return nil
}

// What was exported is on call at the same times when it is imported, across the
// end of summer time.
func TestAnExportedRotaComesBackAsItWas(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	r := threeShifts(t, berlin)
	from, to := time.Date(2026, 10, 20, 0, 0, 0, 0, berlin), time.Date(2026, 11, 3, 0, 0, 0, 0, berlin)
	r.Overrides = []Override{{From: from.Add(30 * time.Hour), To: from.Add(31 * time.Hour), Persons: []string{"boss", "early"}}}
	var b bytes.Buffer
	if err := r.WriteCalendar(&b, from, to, func(id string) string { return strings.ToUpper(id) }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "SUMMARY:duty: EARLY\r\n") {
		t.Errorf("%s", b.String())
	}
	got, err := ReadCalendar(&b, berlin, byExport)
	if err != nil || len(got.Problems) > 0 {
		t.Fatal(err, got.Problems)
	}
	back := &Rota{ID: "duty", Location: berlin, Overrides: got.Overrides}
	for at := from; at.Before(to); at = at.Add(15 * time.Minute) {
		if !slices.Equal(back.At(at), r.At(at)) {
			t.Fatalf("at %s: %v, was %v", at, back.At(at), r.At(at))
		}
	}
}

// foreign is what other calendar programs write: a zone, a recurrence with an
// exception, folded lines, an attendee.
const foreign = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//other//EN\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Asia/Shanghai:20260105T200000\r\nDTEND;TZID=Asia/Shanghai:20260106T080000\r\n" +
	"RRULE:FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20260301T000000Z\r\nEXDATE;TZID=Asia/Shanghai:20260113T200000,20260119T200000\r\nSUMMARY:Night\r\n" +
	"ATTENDEE;CN=Li Na:mailto:Li.Na@ex\r\n ample.com\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260217T000000Z\r\nDTEND:20260218T000000Z\r\nSUMMARY:Wang Wei\\, spring festival\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:3\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260217T000000Z\r\nDTEND:20260218T000000Z\r\nSUMMARY:Dentist\r\nEND:VEVENT\r\n" +
	"END:VCALENDAR\r\n"

func TestCalendarsOfOtherProgramsAreRead(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	got, err := ReadCalendar(strings.NewReader(foreign), shanghai, byExport)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Shifts) != 1 || len(got.Overrides) != 1 || len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "Dentist") {
		t.Fatalf("%+v", got)
	}
	r := &Rota{ID: "n", Location: shanghai, Shifts: got.Shifts, Overrides: got.Overrides}
	for at, want := range map[string]string{
		"2026-01-05 21:00": "li.na", "2026-01-07 07:59": "li.na", "2026-01-07 08:00": "", "2026-01-13 21:00": "", "2026-01-19 21:00": "",
		"2026-01-20 21:00": "li.na", "2026-02-17 09:00": "wang.wei", "2026-03-02 21:00": "",
	} {
		when, err := time.ParseInLocation("2006-01-02 15:04", at, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.At(when), " "); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
}

func FuzzReadCalendar(f *testing.F) {
	f.Add(foreign)
	f.Add("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
	f.Add("0;0=") // a line that breaks off
	f.Fuzz(func(_ *testing.T, in string) {
		got, err := ReadCalendar(strings.NewReader(in), time.UTC, func(_, _ []string, _ string) []string { return []string{"a"} })
		if err != nil {
			return
		}
		(&Rota{Location: time.UTC, Shifts: got.Shifts, Overrides: got.Overrides}).At(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC))
	})
}

func TestTurnsMovedDaysAndQuietHours(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	cal := &devices.Calendar{Workdays: map[devices.Date]time.Weekday{date(2026, 2, 14): time.Friday}, Holidays: map[devices.Date]bool{date(2026, 2, 17): true}}
	for wd := time.Monday; wd <= time.Friday; wd++ {
		cal.Week[wd] = []devices.Shift{{Start: 480, End: 1080}}
	}
	r := compiled(t, &Rota{Location: shanghai, Calendar: cal, Shifts: []*Shift{
		{Rule: "FREQ=DAILY", First: date(2026, 2, 2), From: 480, To: 1080, On: Workdays, Order: []string{"a", "b", "c"}, Turn: 7},
		{Rule: "FREQ=DAILY", First: date(2026, 2, 2), From: 480, To: 1080, On: DaysOff, Order: []string{"w"}, Except: []devices.Date{date(2026, 2, 8)}, Also: []devices.Date{date(2026, 2, 10)}},
	}})
	for at, want := range map[string]string{
		"2026-02-02": "a", "2026-02-06": "a", "2026-02-07": "w", "2026-02-08": "", "2026-02-09": "b", "2026-02-10": "b w",
		"2026-02-14": "b", "2026-02-17": "w", "2026-02-18": "c", "2026-02-23": "a", "2026-02-01": "",
	} {
		day, err := time.ParseInLocation(time.DateOnly, at, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.At(day.Add(9*time.Hour)), " "); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
}
