package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// value reads a counter or a gauge.
func value(t testing.TB, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

func fill(t *testing.T, w *Writer, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := w.Config(t.Context(), fmt.Sprintf("%0100d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetentionByAgeWaitsForReaders(t *testing.T) {
	f := &fakeTime{start: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	cfg := quiet(t, t.TempDir())
	cfg.Now, cfg.Wall, cfg.MaxAge = f.now, f.now, time.Hour
	j := open(t, cfg)
	w, _ := running(t, j, "demo")
	c, err := j.Consumer(t.Context(), "demo", "history")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fill(t, w, 0, 10)
	f.pass(2 * time.Hour)
	fill(t, w, 10, 20)
	retain := func(want uint64) {
		t.Helper()
		if n, err := w.Retain(t.Context()); n != want || err != nil {
			t.Errorf("dropped %d, %v; want %d", n, err, want)
		}
	}
	retain(0) // history has read nothing
	if err := c.Ack(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	retain(5)
	if err := j.Hold(t.Context(), "demo", "engine", 8); err != nil {
		t.Fatal(err)
	}
	if err := c.Ack(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	retain(2) // up to where the engine holds
	if err := j.Forget(t.Context(), "demo", "engine"); err != nil {
		t.Fatal(err)
	}
	retain(4) // the old ones: Start and ten records
	first, last, _, err := j.Bounds(t.Context(), "demo")
	if first != 12 || last != 21 || err != nil {
		t.Errorf("journal holds %d to %d, %v", first, last, err)
	}
	if n := value(t, j.metrics.RetentionLosses.WithLabelValues("demo", "history")); n != 0 {
		t.Errorf("%v losses were counted", n)
	}
	if got := read(t, j, "demo", 1); got[0].Seq != 12 {
		t.Errorf("a reader from the beginning gets record %d", got[0].Seq)
	}
}

func TestRetentionBySizeCountsWhatIsLost(t *testing.T) {
	cfg := quiet(t, t.TempDir())
	cfg.MaxBytes = 20_000
	j := open(t, cfg)
	w, _ := running(t, j, "demo")
	if err := j.Hold(t.Context(), "demo", "engine", 11); err != nil {
		t.Fatal(err)
	}
	fill(t, w, 0, 300)
	dropped := uint64(0)
	for range 10 {
		n, err := w.Retain(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dropped += n
	}
	_, _, size, err := j.Bounds(t.Context(), "demo")
	if err != nil || size > cfg.MaxBytes || size < cfg.MaxBytes/2 {
		t.Errorf("journal has %d bytes, limit %d: %v", size, cfg.MaxBytes, err)
	}
	if got := value(t, j.metrics.RetentionLosses.WithLabelValues("demo", "engine")); got != float64(dropped-10) {
		t.Errorf("%v losses counted, %d records dropped of which 10 were read", got, dropped)
	}
}
