package load

import (
	"context"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices"
)

var start = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func TestPayloadsHaveSevenRolesAndTheirNumber(t *testing.T) {
	g := New(Config{Devices: 10, Start: start})
	for k := range 10 * 1100 {
		device, seq := g.Message(k)
		payload := g.Append(nil, device, seq)
		var o map[string]any
		if err := json.Unmarshal(payload, &o); err != nil {
			t.Fatalf("%v: %s", err, payload)
		}
		class := strings.Split(g.Topic(device), "/")[1]
		points := 0
		for name := range o {
			if name == "time" || name == "seq" {
				continue
			}
			if r := devices.RoleByName(name); r == nil || r.Class != "" && r.Class != class {
				t.Fatalf("%s is no role of a %s", name, class)
			}
			points++
		}
		if points != Points || (o["seq"] != nil) != g.Timed(device) || o["pulse_count"] != float64(seq) || len(payload) > 224 {
			t.Fatalf("%d points, %d bytes: %s", points, len(payload), payload)
		}
		at, timed := o["time"].(string)
		if timed != g.Timed(device) || timed && at != g.Time(seq).Format("2006-01-02T15:04:05.000Z07:00") {
			t.Fatalf("time %q: %s", at, payload)
		}
	}
}

// TestExcursionsAreInThePayloads finds the excursions in what is published, by a
// threshold and by the events, and compares them with the told truth.
func TestExcursionsAreInThePayloads(t *testing.T) {
	for _, cfg := range []Config{
		{Devices: 7, Start: start},
		{Devices: 5, Start: start, Every: 30, Length: 30},
		{Devices: 6, Start: start, Every: 40, Length: 1},
		{Devices: 3, Start: start, Every: 100, Length: 60, Interval: 250 * time.Millisecond},
	} {
		g := New(cfg)
		const n = 5003
		want := map[string][]int{}
		for _, x := range g.Excursions(n) {
			for s := x.First; s <= x.Last; s++ {
				want[x.Device] = append(want[x.Device], s)
			}
			if x.Timed != (x.From.After(start) && x.From.Equal(g.Time(x.First))) {
				t.Errorf("%+v", x)
			}
		}
		got := map[string][]int{}
		for k := range n {
			device, seq := g.Message(k)
			var o struct {
				Bearing     float64 `json:"bearing_temp"`
				Obstruction bool    `json:"obstruction"`
			}
			if err := json.Unmarshal(g.Append(nil, device, seq), &o); err != nil {
				t.Fatal(err)
			}
			if o.Bearing > Cool && o.Bearing < Hot {
				t.Fatalf("bearing at %v", o.Bearing)
			}
			if o.Bearing >= Hot || o.Obstruction {
				got[g.Device(device)] = append(got[g.Device(device)], seq)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

// all yields the first n messages, with a change to each.
func all(g *Generator, n int, copies func(k int) int) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for k := range n {
			device, seq := g.Message(k)
			for range copies(k) {
				if !yield(g.Device(device), seq) {
					return
				}
			}
		}
	}
}

func TestVerifyCountsLossAndDuplication(t *testing.T) {
	g := New(Config{Devices: 13, Start: start})
	const n = 1000
	if r := g.Verify(n, all(g, n, func(int) int { return 1 })); r.Received != n || r.Lost+r.Duplicated+r.Reordered+r.Unknown != 0 || r.Devices != nil {
		t.Errorf("an undisturbed load: %+v", r)
	}
	seed := uint64(17)
	rng := rand.New(rand.NewPCG(seed, 1))
	lost, duplicated := 0, 0
	r := g.Verify(n, all(g, n, func(int) int {
		c := rng.IntN(4)
		if c == 0 {
			lost++
		}
		duplicated += max(0, c-1)
		return c
	}))
	if r.Lost != lost || r.Duplicated != duplicated || r.Received != n-lost+duplicated {
		t.Errorf("seed %d: lost %d, duplicated %d, reported %+v", seed, lost, duplicated, r)
	}
	r = g.Verify(13*6, func(yield func(string, int) bool) {
		for _, s := range []int{1, 2, 5, 5, 4, 7} {
			yield("load-000003", s)
		}
		yield("load-000013", 1)
		yield("other-000001", 1)
	})
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	if want := "sent 78, received 5, lost 74, duplicated 1, out of order 1, unknown 3\n"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("%s", b.String())
	}
	if d := cmp.Diff(DeviceReport{Device: "load-000003", Sent: 6, Lost: []int{3, 6}, Duplicated: []int{5}}, r.Devices[3]); d != "" {
		t.Error(d)
	}
	b.Reset()
	if err := (Report{Devices: r.Devices[3:4]}).Print(&b); err != nil || !strings.Contains(b.String(), "\nload-000003: 2 of 6 lost (3, 6), 1 duplicated (5)\n") {
		t.Errorf("%v %s", err, b.String())
	}
}

// TestRunKeepsTheRate on a clock that moves only when it is slept on and while a
// slow publisher works.
func TestRunKeepsTheRate(t *testing.T) {
	g := New(Config{Devices: 4, Start: start})
	now := start
	var at []time.Duration
	pace := Pace{Rate: 100, Messages: 500,
		Now:   func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
	}
	n, err := g.Run(t.Context(), pace, func(_ context.Context, device int, topic string, payload []byte) error {
		at = append(at, now.Sub(start))
		if len(at) == 100 {
			now = now.Add(10 * time.Second) // the broker stalls
		}
		return nil
	})
	if err != nil || n != 500 || len(at) != 500 {
		t.Fatal(n, len(at), err)
	}
	if at[99] < 980*time.Millisecond || at[99] > time.Second {
		t.Errorf("the hundredth message at %v", at[99])
	}
	// One second is made up for, nine are gone.
	if at[499] < 13900*time.Millisecond || at[499] > 14*time.Second {
		t.Errorf("the last message at %v", at[499])
	}
}

func BenchmarkPayload(b *testing.B) {
	g := New(Config{Devices: 1000, Start: start})
	buf := make([]byte, 0, 256)
	k := 0
	b.ReportAllocs()
	for b.Loop() {
		device, seq := g.Message(k)
		buf = g.Append(buf[:0], device, seq)
		k++
	}
	b.SetBytes(int64(len(buf)))
}
