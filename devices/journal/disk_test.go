package journal

import (
	"strings"
	"sync/atomic"
	"testing"
)

// TestIntakeStopsAtTheReserve: below the reserve nothing is written and nothing
// committed; it goes on when there is half as much again.
func TestIntakeStopsAtTheReserve(t *testing.T) {
	var free atomic.Int64
	free.Store(100 << 20)
	cfg := quiet(t, t.TempDir())
	cfg.Reserve = 50 << 20
	cfg.QueueBytes = 10_000
	cfg.FreeSpace = func(string) (int64, error) { return free.Load(), nil }
	j := open(t, cfg)
	w, stop := running(t, j, "demo")
	var safe atomic.Int64
	src := w.Source("main", func(n int) { safe.Add(int64(n)) })
	offer := func() bool {
		m := message(1)
		return src.Offer(&m)
	}
	offer()
	eventually(t, "first message committed", func() bool { return safe.Load() == 1 })

	free.Store(49 << 20)
	eventually(t, "intake stopped", func() bool { return w.Ready() != nil })
	if err := w.Ready(); !strings.Contains(err.Error(), "make room or lower journal.reserve") {
		t.Errorf("reason: %v", err)
	}
	taken := int64(1)
	for offer() { // until the queue is full
		taken++
	}
	if taken < 10 || safe.Load() != 1 {
		t.Errorf("%d messages taken, %d committed", taken, safe.Load())
	}
	if got := value(t, j.metrics.Rejected.WithLabelValues("demo", "main", "queue_full")); got != 1 {
		t.Errorf("%v rejected messages counted", got)
	}

	free.Store(60 << 20) // more than the reserve, not half as much again
	last := safe.Load()
	before := w.looks.Load()
	eventually(t, "two looks", func() bool { return w.looks.Load() >= before+2 })
	if w.Ready() == nil || safe.Load() != last {
		t.Error("intake goes on although there is too little room")
	}
	free.Store(75 << 20)
	eventually(t, "everything committed", func() bool { return safe.Load() == taken })
	stop()
	received := value(t, j.metrics.Received.WithLabelValues("demo", "main"))
	journaled := value(t, j.metrics.Journaled.WithLabelValues("demo", "main"))
	if received != journaled+1 || journaled != float64(taken) {
		t.Errorf("received %v, journaled %v, rejected 1", received, journaled)
	}
}
