package daemon

import (
	"log/slog"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/journal"
)

// TestConfigurationOfTheOldestRecordIsKnown: the record that put it in force may
// be gone; what was noted beside the journal says it.
func TestConfigurationOfTheOldestRecordIsKnown(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	j, err := journal.Open(journal.Config{Dir: t.TempDir(), Reserve: -1, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	w, err := j.Writer(ctx, "yard")
	if err != nil {
		t.Fatal(err)
	}
	c := newCatalogue(j)
	begin := w.Now()
	bundle := func(hash string) *configs.Bundle {
		return &configs.Bundle{Hash: hash, Content: &configs.Content{}, Site: &devices.Site{ID: "yard"}}
	}
	for k, hash := range []string{"first", "first", "second", "first"} {
		now = begin.Add(time.Duration(k) * time.Hour)
		if err := c.adopt(ctx, bundle(hash), w); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		from time.Duration
		want string
	}{{-time.Second, "first"}, {time.Hour, "first"}, {2*time.Hour - 1, "first"}, {2 * time.Hour, "second"}, {150 * time.Minute, "second"}, {9 * time.Hour, "first"}} {
		got, err := c.inForce(ctx, "yard", Extent{First: 1000, Last: 2000, From: begin.Add(x.from)})
		if err != nil || got != x.want {
			t.Errorf("%v after the beginning: %q %v, want %q", x.from, got, err, x.want)
		}
	}
	bucket, err := j.Bucket(ctx, "yard")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := versions(ctx, bucket); err != nil || len(list) != 3 {
		t.Errorf("noted: %v %v, want three: the second time is the first again", list, err)
	}
}
