package history

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/facilityd/facilityd/devices"
)

// instant is when the tests of reading and mending begin.
var instant = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// fleet is two devices with a point of each kind.
func fleet() (reg *devices.Registry, points []*devices.Point) {
	reg = devices.NewRegistry()
	for _, id := range []string{`pump "1" of ${x}`, "pump-2"} {
		d := reg.Add(devices.Device{ID: id, Class: "pump", Asset: "booster"})
		for _, p := range []devices.Point{{Name: "bearing_temp", Unit: "°C"}, {Name: "state", Kind: devices.State}, {Name: "note", Kind: devices.Text}, {Name: "alarm", Kind: devices.Event}} {
			points = append(points, reg.AddPoint(d, p))
		}
	}
	return reg, points
}

func readBack(t *testing.T, w *Writer, from, to time.Time) (out []Stored) {
	t.Helper()
	r, err := NewReader(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	last := from
	err = r.Read(t.Context(), from, to, func(s *Stored) error { out = append(out, *s); return nil }, func(at time.Time) {
		if !at.After(last) {
			t.Errorf("read up to %v after %v", at, last)
		}
		last = at
	})
	if err != nil {
		t.Fatal(err)
	}
	if !last.Equal(to) {
		t.Errorf("read up to %v, want %v", last, to)
	}
	return out
}

// TestWhatWasWrittenIsReadBackInTheOrderOfTime: every kind and quality, over many
// windows, of one site only.
func TestWhatWasWrittenIsReadBackInTheOrderOfTime(t *testing.T) {
	_, points := fleet()
	w := newWriter(t, func(c *Config) { c.Site = `site "a"` })
	other := newWriter(t, func(c *Config) { c.Bucket = w.cfg.Bucket })
	var readings []devices.Reading
	var expected []Stored
	for k := range 300 {
		at := instant.Add(time.Duration(k) * 13 * time.Minute)
		p := points[k%len(points)]
		r := devices.Reading{Point: p, Time: at.UnixNano(), Value: float64(k)}
		want := Stored{Class: "pump", Asset: "booster", Device: p.Device.ID, Point: p.Name, Time: r.Time, Value: r.Value}
		switch {
		case k%7 == 0:
			r.Quality, want.Quality, want.Value = devices.Bad, devices.Bad, math.NaN()
		case p.Kind == devices.State:
			r.Text, want.Text = "on", "on"
		case p.Kind == devices.Text:
			r.Text, want.Text, want.Value = `a "quoted" text`, `a "quoted" text`, math.NaN()
		case p.Kind == devices.Event:
			r.Text, want.Text, want.Value = "", "", 1
		case k%5 == 0:
			r.Quality, want.Quality = devices.Uncertain, devices.Uncertain
		}
		readings, expected = append(readings, r), append(expected, want)
	}
	shuffled := slices.Clone(readings)
	slices.Reverse(shuffled)
	for _, write := range []struct {
		w        *Writer
		readings []devices.Reading
	}{{w, shuffled}, {other, []devices.Reading{{Point: points[0], Time: instant.UnixNano() + 1, Value: 99}}}} {
		if err := write.w.Write(t.Context(), write.readings); err != nil {
			t.Fatal(err)
		}
	}
	end := instant.Add(300 * 13 * time.Minute)
	if diff := cmp.Diff(expected, readBack(t, w, instant, end), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if got := readBack(t, w, instant.Add(13*time.Minute), instant.Add(39*time.Minute)); len(got) != 2 {
		t.Errorf("readings of a part, want 2, the end is not in it: %+v", got)
	}
	r, err := NewReader(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for from, want := range map[time.Time]time.Time{instant.Add(-time.Hour): instant, instant.Add(time.Minute): instant.Add(13 * time.Minute), end: {}} {
		if at, ok, err := r.Since(t.Context(), from); err != nil || ok != !want.IsZero() || !at.Equal(want) {
			t.Errorf("oldest reading since %v: %v %v %v, want %v", from, at, ok, err, want)
		}
	}
}

// TestMendingWritesTheDifferenceOverWhatStandsThere: same series, same times; what
// did not change is not written, and good is said where it was not.
func TestMendingWritesTheDifferenceOverWhatStandsThere(t *testing.T) {
	_, points := fleet()
	w := newWriter(t, defaults)
	temp, state, alarm := points[0], points[1], points[3]
	at := func(k int) int64 { return instant.Add(time.Duration(k) * time.Minute).UnixNano() }
	before := []devices.Reading{
		{Point: temp, Time: at(0), Value: 6},                                // wrong by ten
		{Point: temp, Time: at(1), Value: 7},                                // right
		{Point: temp, Time: at(2), Value: math.NaN(), Quality: devices.Bad}, // was no value
		{Point: temp, Time: at(3), Value: 900},                              // is no value
		{Point: state, Time: at(0), Value: 1, Text: "on"},                   // another word
		{Point: state, Time: at(1), Value: 0, Text: "off"},                  // not there any more
		{Point: alarm, Time: at(0), Value: 1, Text: "a"}, {Point: alarm, Time: at(0), Value: 1, Text: "b"},
	}
	after := []devices.Reading{
		{Point: temp, Time: at(0), Value: 60},
		{Point: temp, Time: at(1), Value: 7},
		{Point: temp, Time: at(2), Value: 62},
		{Point: temp, Time: at(3), Value: math.NaN(), Quality: devices.Bad},
		{Point: temp, Time: at(4), Value: 63}, // new
		{Point: state, Time: at(0), Value: 2, Text: "standby"},
		{Point: alarm, Time: at(0), Value: 1, Text: "a"}, {Point: alarm, Time: at(0), Value: 1, Text: "c"},
	}
	separated := slices.Clone(before)
	separateEvents(make(map[*devices.Point]int64), separated) // as the pump writes them
	if err := w.Write(t.Context(), separated); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Mender{NewMender(nil), NewMender(w)} {
		if err := m.Take(t.Context(), slices.Clone(before), slices.Clone(after)); err != nil {
			t.Fatal(err)
		}
		done, err := m.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := Mended{Readings: 8, Unchanged: 2, Changed: 5, New: 1, Gone: 1, NowBad: 1}
		if m.writer != nil {
			want.Written = 6
		}
		if diff := cmp.Diff(want, done, cmpopts.IgnoreFields(Mended{}, "Points")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var told []string
		for _, p := range done.Points {
			told = append(told, fmt.Sprintf("%s %d %d %d %s→%s", p.Point, p.Changed, p.New, p.Gone, p.Before, p.After))
		}
		if diff := cmp.Diff([]string{"alarm 1 0 0 b→c", "bearing_temp 3 1 0 6 °C→60 °C", "state 1 0 1 on→standby"}, told); diff != "" {
			t.Errorf("by point (-want +got):\n%s", diff)
		}
	}
	var got []string
	for _, s := range readBack(t, w, instant, instant.Add(time.Hour)) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %g %s %s", time.Unix(0, s.Time).UTC().Format("04:05.999999999"), s.Point, s.Value, s.Quality, s.Text)))
	}
	if diff := cmp.Diff([]string{
		"00:00 alarm 1 good a", "00:00 bearing_temp 60 good", "00:00 state 2 good standby", "00:00.000000001 alarm 1 good c",
		"01:00 bearing_temp 7 good", "01:00 state 0 good off", "02:00 bearing_temp 62 good", "03:00 bearing_temp 900 bad", "04:00 bearing_temp 63 good",
	}, got); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	want(t, field(t, w, "pump", "bearing_temp_quality"), "good", "bad") // of minutes 2 and 3 alone
}
