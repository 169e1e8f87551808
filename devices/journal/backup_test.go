package journal

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBackupRestoresAndGoesOn: a copy made while records and checkpoints are
// written is whole, its records reach at least as far as its checkpoint, and a
// daemon on the restored copy goes on with the next position.
func TestBackupRestoresAndGoesOn(t *testing.T) {
	ctx := t.Context()
	cfg := quiet(t, t.TempDir())
	j := open(t, cfg)
	w, stop := running(t, j, "demo")
	b, err := j.Bucket(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, 0, 30)
	if err := b.Put(ctx, "large", bytes.Repeat([]byte("x"), 2*chunk), w.Epoch()); err != nil {
		t.Fatal(err)
	}
	if err := j.Hold(ctx, "demo", "engine", 11); err != nil {
		t.Fatal(err)
	}
	if err := j.partitionOf(t, "demo").stream.Purge(ctx); err != nil { // retention has dropped the beginning
		t.Fatal(err)
	}
	fill(t, w, 30, 40)
	writing, end := context.WithCancel(ctx)
	defer end()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 40; writing.Err() == nil; i++ {
			at, err := w.Config(writing, fmt.Sprint(i))
			if err == nil && i%10 == 0 {
				err = b.Put(writing, "head", fmt.Append(nil, at), w.Epoch())
			}
			if err != nil && writing.Err() == nil {
				t.Error(err)
				return
			}
		}
	}()
	eventually(t, "some records more", func() bool { _, last, _, _ := j.Bounds(ctx, "demo"); return last > 100 })
	var file bytes.Buffer
	between := false
	last, err := j.Backup(ctx, &file, func(context.Context) error { between = true; return nil })
	if err != nil || !between {
		t.Fatal(err, between)
	}
	end()
	<-done
	stop()
	want := read(t, j, "demo", 0)
	n := 0
	for n < len(want) && want[n].Seq <= last["demo"] {
		n++
	}
	want = want[:n]
	copied := bytes.Clone(file.Bytes())
	j.Close()

	cfg = quiet(t, t.TempDir())
	restored, err := Restore(ctx, cfg, &file)
	if err != nil || restored["demo"] != last["demo"] {
		t.Fatalf("restored %v, %v; want %v", restored, err, last)
	}
	j = open(t, cfg)
	if d := cmp.Diff(want, read(t, j, "demo", 0)); d != "" {
		t.Error(d)
	}
	if b, err = j.Bucket(ctx, "demo"); err != nil {
		t.Fatal(err)
	}
	large, err := b.Get(ctx, "large")
	if len(large) != 2*chunk || err != nil {
		t.Errorf("large value: %d bytes, %v", len(large), err)
	}
	head, err := b.Get(ctx, "head")
	var at uint64
	if fmt.Sscan(string(head), &at); err != nil || at > last["demo"] || at == 0 {
		t.Errorf("checkpoint %q, %v; the records end at %d", head, err, last["demo"])
	}
	positions, err := j.partitionOf(t, "demo").positions(ctx)
	if err != nil || positions["engine"] != 31 { // the purge moved it
		t.Errorf("positions %v, %v", positions, err)
	}
	w2, _ := running(t, j, "demo")
	if w2.Epoch() != w.Epoch()+1 {
		t.Errorf("epoch %d after %d", w2.Epoch(), w.Epoch())
	}
	if at, err := w2.Config(ctx, "next"); err != nil || at != last["demo"]+2 {
		t.Errorf("next record is at %d, %v; want %d behind the Start", at, err, last["demo"]+2)
	}

	for what, damage := range map[string]func([]byte) []byte{
		"cut short":     func(b []byte) []byte { return b[:len(b)-100] },
		"one bit wrong": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"another file":  func([]byte) []byte { return []byte("not a backup, and long enough for it") },
	} {
		if _, err := Restore(ctx, quiet(t, t.TempDir()), bytes.NewReader(damage(bytes.Clone(copied)))); err == nil {
			t.Errorf("%s: restored", what)
		}
	}
	if _, err := Restore(ctx, Config{Dir: t.TempDir(), StartTimeout: time.Minute, URL: ""}, bytes.NewReader(nil)); err == nil {
		t.Error("nothing was restored without an error")
	}
}

func (j *Journal) partitionOf(t *testing.T, site string) *partition {
	t.Helper()
	p, err := j.partition(context.Background(), site)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
