package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func compiled(t *testing.T, r *Rota) *Rota {
	t.Helper()
	for _, s := range r.Shifts {
		if err := s.Compile(); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func date(y int, m time.Month, d int) devices.Date { return devices.Date{Year: y, Month: m, Day: d} }

// threeShifts is day, late and night in a zone, one crew each.
func threeShifts(t *testing.T, loc *time.Location) *Rota {
	return compiled(t, &Rota{ID: "duty", Location: loc, Shifts: []*Shift{
		{Rule: "FREQ=DAILY", First: date(2026, 1, 5), From: 8 * 60, To: 16 * 60, Order: []string{"early"}},
		{Rule: "FREQ=DAILY", First: date(2026, 1, 5), From: 16 * 60, To: 24 * 60, Order: []string{"late"}},
		{Rule: "FREQ=DAILY", First: date(2026, 1, 5), From: 0, To: 8 * 60, Order: []string{"night"}},
	}})
}

func TestPain11HandoversFollowTheClockOnTheWall(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	r := threeShifts(t, berlin)
	for _, x := range []struct {
		at   string
		want string
	}{
		{"2026-01-05T07:59:59+01:00", "night"},
		{"2026-01-05T08:00:00+01:00", "early"},
		{"2026-01-05T16:00:00+01:00", "late"},
		{"2026-03-29T07:59:59+02:00", "night"}, // summer time began at two
		{"2026-03-29T08:00:00+02:00", "early"},
		{"2026-10-25T02:30:00+02:00", "night"}, // the hour that comes twice
		{"2026-10-25T02:30:00+01:00", "night"},
		{"2026-10-25T08:00:00+01:00", "early"},
	} {
		at, err := time.Parse(time.RFC3339, x.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.At(at); !slices.Equal(got, []string{x.want}) {
			t.Errorf("%s: %v, want %s", x.at, got, x.want)
		}
	}
	from, to := time.Date(2026, 1, 5, 0, 0, 0, 0, berlin), time.Date(2027, 1, 5, 0, 0, 0, 0, berlin)
	for _, d := range r.Duties(from, to) {
		if len(d.Who) != 1 {
			t.Errorf("at %s %v are on call", d.From, d.Who)
		}
	}
}
