package daemon

import (
	"time"

	"github.com/facilityd/facilityd/configs"
)

// clockOf returns the clock that the settings ask for: the machine's, or an
// estate clock that starts at a given time and runs factor times as fast. The
// estate clock is driven by the monotonic clock, so it never goes back.
func clockOf(c configs.Clock) func() time.Time {
	if c.Kind != "estate" {
		return time.Now
	}
	began := time.Now()
	start := began
	if c.Start != "" {
		start, _ = time.Parse(time.RFC3339, c.Start) // the settings were checked
	}
	start = start.Round(0) // estate time has no monotonic part
	return func() time.Time {
		return start.Add(time.Duration(float64(time.Since(began)) * c.Factor))
	}
}
