package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices"
)

// quiet is a configuration for tests: no reserve, errors only in the log.
func quiet(t testing.TB, dir string) Config {
	t.Helper()
	return Config{Dir: dir, Reserve: -1, TickInterval: time.Hour, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

func open(t testing.TB, cfg Config) *Journal {
	t.Helper()
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// running opens the site's writer and runs it until stop is called.
func running(t testing.TB, j *Journal, site string) (w *Writer, stop func()) {
	t.Helper()
	w, err := j.Writer(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("writer ended: %v", err)
		}
	}
	t.Cleanup(stop)
	return w, stop
}

// eventually polls a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// read returns the records from a position to the newest one.
func read(t testing.TB, j *Journal, site string, from uint64) []*devices.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, last, _, err := j.Bounds(ctx, site)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Read(ctx, site, from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []*devices.Record
	for r.Position() <= last {
		rec, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec)
	}
	return out
}

func message(n int) devices.Message {
	return devices.Message{Topic: fmt.Sprintf("site/pump-%d", n%7), Payload: fmt.Appendf(nil, `{"n":%d}`, n), QoS: 1, PacketID: uint16(n + 1)}
}

func TestWriteReadAcknowledge(t *testing.T) {
	dir := t.TempDir()
	j := open(t, quiet(t, dir))
	w, stop := running(t, j, "demo")
	var safe atomic.Int64
	src := w.Source("main", func(n int) { safe.Add(int64(n)) })
	w.Link("main", true, "")
	const n = 5000
	for i := range n {
		m := message(i)
		if !src.Offer(&m) {
			t.Fatalf("message %d refused", i)
		}
	}
	eventually(t, "all messages committed", func() bool { return safe.Load() == n })
	if _, err := w.Config(t.Context(), "abc"); err != nil {
		t.Fatal(err)
	}
	w.Link("main", false, "broker stopped")
	at, err := w.Fact(t.Context(), devices.Fact{ID: "f1", Kind: devices.FactDone, By: "li", Asset: "pump-1"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Fact(t.Context(), devices.Fact{ID: "f1", Kind: devices.FactDone, By: "li", Asset: "pump-1"})
	if err != nil || again != at {
		t.Fatalf("the same fact again: position %d, %v; want %d", again, err, at)
	}
	stop()

	records := read(t, j, "demo", 0)
	var kinds []string
	next, newest := 0, int64(0)
	for i, r := range records {
		if r.Seq != uint64(i+1) || r.Site != "demo" || r.Epoch != 1 {
			t.Errorf("record %d: seq %d site %q epoch %d", i, r.Seq, r.Site, r.Epoch)
		}
		if r.Time < newest {
			t.Errorf("record %d: time goes back", i)
		}
		newest = r.Time
		if r.Kind != devices.Messages {
			kinds = append(kinds, r.Kind.String())
		}
		for _, m := range r.Messages {
			want := message(next)
			want.Received = m.Received
			if d := cmp.Diff(want, m); d != "" {
				t.Fatalf("message %d: %s", next, d)
			}
			next++
		}
	}
	if next != n {
		t.Errorf("%d messages in the journal, want %d", next, n)
	}
	if d := cmp.Diff([]string{"start", "link", "config", "link", "fact"}, kinds); d != "" {
		t.Error(d)
	}
	if f := records[len(records)-1].Fact; f == nil || f.By != "li" {
		t.Errorf("fact read back: %+v", f)
	}

	// A second start goes on where the first ended.
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, quiet(t, dir))
	w, _ = running(t, j, "demo")
	if w.Epoch() != 2 {
		t.Errorf("epoch after a restart is %d, want 2", w.Epoch())
	}
	more := read(t, j, "demo", uint64(len(records)+1))
	if len(more) != 1 || more[0].Kind != devices.Start || more[0].Time < newest {
		t.Errorf("after a restart: %+v", more)
	}
}

func TestBucketIsFenced(t *testing.T) {
	j := open(t, quiet(t, t.TempDir()))
	ctx := t.Context()
	w, stop := running(t, j, "demo")
	b, err := j.Bucket(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 5*chunk/2)
	for i := range large {
		large[i] = byte(i * 7)
	}
	values := map[string][]byte{"head": []byte("1"), "assets/lift 1": large, "空": {}}
	for round := range 2 { // the second replaces the parts of the first
		for key, v := range values {
			if err := b.Put(ctx, key, v, w.Epoch()); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
	}
	for key, v := range values {
		got, err := b.Get(ctx, key)
		if err != nil || string(got) != string(v) {
			t.Errorf("%s: %d bytes, %v; want %d", key, len(got), err, len(v))
		}
	}
	keys, err := b.Keys(ctx)
	if d := cmp.Diff([]string{"assets/lift 1", "head", "空"}, keys); d != "" || err != nil {
		t.Error(d, err)
	}
	if err := b.Delete(ctx, "assets/lift 1", w.Epoch()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, "assets/lift 1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted key: %v", err)
	}
	stop()

	newer, _ := running(t, j, "demo")
	if err := b.Put(ctx, "head", []byte("2"), w.Epoch()); !errors.Is(err, ErrFenced) {
		t.Errorf("write with an old epoch, fence cached: %v", err)
	}
	fresh, _ := j.Bucket(ctx, "demo")
	if err := fresh.Put(ctx, "head", []byte("2"), w.Epoch()); !errors.Is(err, ErrFenced) {
		t.Errorf("write with an old epoch: %v", err)
	}
	if err := b.Delete(ctx, "head", w.Epoch()); !errors.Is(err, ErrFenced) {
		t.Errorf("delete with an old epoch: %v", err)
	}
	if err := b.Put(ctx, "head", []byte("2"), newer.Epoch()); err != nil {
		t.Errorf("write with the new epoch: %v", err)
	}
}

// TestOldWriterIsFenced: a worker that lost its partition can write nothing.
func TestOldWriterIsFenced(t *testing.T) {
	j := open(t, quiet(t, t.TempDir()))
	old, err := j.Writer(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- old.Run(t.Context()) }()
	newer, stop := running(t, j, "demo")
	committed := make(chan int, 1)
	m := message(1)
	old.Source("main", func(n int) { committed <- n }).Offer(&m)
	if err := <-done; !errors.Is(err, ErrFenced) {
		t.Errorf("old writer ended with %v", err)
	}
	select {
	case <-committed:
		t.Error("the fenced writer committed a message")
	default:
	}
	if err := old.Ready(); !errors.Is(err, ErrFenced) {
		t.Errorf("old writer is %v", err)
	}
	if old.Source("main", func(int) {}).Offer(&m) {
		t.Error("the fenced writer took a message")
	}
	stop()
	if got := read(t, j, "demo", 0); len(got) != 2 || got[1].Epoch != newer.Epoch() {
		t.Errorf("journal holds %d records", len(got))
	}
}

func TestConsumerGoesOnWhereItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	j := open(t, quiet(t, dir))
	ctx := t.Context()
	w, stop := running(t, j, "demo")
	c, err := j.Consumer(ctx, "demo", "history")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		if _, err := w.Config(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for want := uint64(1); want <= 10; want++ {
		r, err := c.Next(ctx)
		if err != nil || r.Seq != want {
			t.Fatalf("record %d: %v %v", want, r, err)
		}
	}
	if err := c.Ack(ctx, 4); err != nil {
		t.Fatal(err)
	}
	if lag, err := c.Lag(ctx); lag != 6 || err != nil {
		t.Errorf("lag %d, %v; want 6", lag, err)
	}
	c.Close()
	stop()
	j.Close()

	j = open(t, quiet(t, dir))
	c, err = j.Consumer(ctx, "demo", "history")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Next(ctx); err != nil || r.Seq != 5 {
		t.Errorf("after a restart: %v %v; want record 5", r, err)
	}
}
