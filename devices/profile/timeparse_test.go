package profile

import (
	"testing"
	"time"
)

// TestTheLongestZoneNameWins holds a time in EEST, which EST is a part of: which of
// the two was found first used to be the map's chance.
func TestTheLongestZoneNameWins(t *testing.T) {
	f := &timeFormat{zones: map[string]int{"EST": -5 * 3600, "EEST": 3 * 3600}}
	want := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixNano()
	for range 50 {
		got, ok := f.parseLayouts("2026-03-01 12:00 EEST", time.UTC, []string{"2006-01-02 15:04"})
		if !ok || got != want {
			t.Fatalf("got %v, %v; want %v", time.Unix(0, got).UTC(), ok, time.Unix(0, want).UTC())
		}
	}
}
