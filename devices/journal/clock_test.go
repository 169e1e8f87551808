package journal

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// fakeTime is a machine whose monotonic and wall clock are moved apart by a test.
type fakeTime struct {
	mu        sync.Mutex
	mono, set time.Duration // since the start; how far the wall clock was moved
	start     time.Time
}

func (f *fakeTime) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.start.Add(f.mono)
}

func (f *fakeTime) wall() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.start.Add(f.mono + f.set)
}

func (f *fakeTime) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mono += d
}

func (f *fakeTime) setWall(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set += d
}

func TestClockNeverGoesBack(t *testing.T) {
	f := &fakeTime{start: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	at := func(c *clock) time.Time { return time.Unix(0, c.at(f.now())).UTC() }

	c := newClock(f.now(), f.wall(), 0)
	if got := at(&c); !got.Equal(f.start) {
		t.Errorf("starts at %s", got)
	}
	f.pass(time.Minute)
	f.setWall(time.Second) // drift, no step
	if step := c.look(f.now(), f.wall()); step != 0 {
		t.Errorf("a drift of 1 s is a step of %s", step)
	}
	f.setWall(time.Hour)
	if step := c.look(f.now(), f.wall()); step != time.Hour {
		t.Errorf("step is %s, want 1 h", step)
	}
	if got, want := at(&c), f.start.Add(time.Hour+time.Minute+time.Second); !got.Equal(want) {
		t.Errorf("after a step forward: %s, want the wall clock's %s", got, want)
	}
	before := at(&c)
	f.setWall(-3 * time.Hour)
	if step := c.look(f.now(), f.wall()); step != -3*time.Hour {
		t.Errorf("step is %s, want -3 h", step)
	}
	f.pass(time.Second)
	if got := at(&c); got.Sub(before) != time.Second {
		t.Errorf("after a step back time moved by %s, want 1 s", got.Sub(before))
	}

	newest := f.start.Add(24 * time.Hour)
	c = newClock(f.now(), f.wall(), newest.UnixNano())
	if got := at(&c); got.Before(newest) {
		t.Errorf("journal ends at %s, time starts at %s", newest, got)
	}
}

// TestNothingIsWrittenWhileTheClockIsAbsurd: a machine that woke up in 1970 is not
// ready; when its time is set, writing starts, with a time that is right.
func TestNothingIsWrittenWhileTheClockIsAbsurd(t *testing.T) {
	f := &fakeTime{start: time.Unix(1000, 0)}
	cfg := quiet(t, t.TempDir())
	cfg.Now, cfg.Wall = f.now, f.wall
	j := open(t, cfg)
	w, stop := running(t, j, "demo")
	if err := w.Ready(); err == nil || !strings.Contains(err.Error(), "set the machine's time") {
		t.Errorf("ready says %v", err)
	}
	m := message(1)
	committed := make(chan int, 1)
	w.Source("main", func(n int) { committed <- n }).Offer(&m)
	if _, last, _, _ := j.Bounds(t.Context(), "demo"); last != 0 {
		t.Errorf("%d records were written", last)
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	f.setWall(now.Sub(f.wall()))
	if n := <-committed; n != 1 {
		t.Errorf("%d messages committed", n)
	}
	if err := w.Ready(); err != nil {
		t.Error(err)
	}
	stop()
	for _, r := range read(t, j, "demo", 0) {
		if r.Time < now.UnixNano() {
			t.Errorf("%s has the time %s", r.Kind, time.Unix(0, r.Time).UTC())
		}
		for _, m := range r.Messages {
			if m.Received < now.UnixNano() {
				t.Errorf("message of %s", time.Unix(0, m.Received).UTC())
			}
		}
	}
}

func TestStepOfTheWallClockIsARecord(t *testing.T) {
	f := &fakeTime{start: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	cfg := quiet(t, t.TempDir())
	cfg.Now, cfg.Wall = f.now, f.wall
	j := open(t, cfg)
	_, stop := running(t, j, "demo")
	f.setWall(-time.Hour)
	eventually(t, "a second record", func() bool {
		_, last, _, err := j.Bounds(context.Background(), "demo")
		return err == nil && last == 2
	})
	stop()
	got := read(t, j, "demo", 2)[0]
	if got.Kind != devices.ClockStep || got.Step != -time.Hour || got.Time != f.start.UnixNano() {
		t.Errorf("record is %s, step %s", got.Kind, got.Step)
	}
}

// TestTicks: while nothing arrives, the writer writes the time.
func TestTicks(t *testing.T) {
	cfg := quiet(t, t.TempDir())
	cfg.TickInterval = 10 * time.Millisecond
	j := open(t, cfg)
	_, stop := running(t, j, "demo")
	eventually(t, "five ticks", func() bool {
		_, last, _, err := j.Bounds(context.Background(), "demo")
		return err == nil && last >= 6
	})
	stop()
	newest := int64(0)
	for _, r := range read(t, j, "demo", 2) {
		if r.Kind != devices.Tick || r.Time <= newest {
			t.Errorf("record %d is %s, its time moved by %d ns", r.Seq, r.Kind, r.Time-newest)
		}
		newest = r.Time
	}
}
