package journal

import (
	"fmt"
	"time"
)

// stepTolerance is how far the wall clock may drift from the monotonic one
// between two looks before it counts as a step: slewing by NTP is at most
// 500 ppm (clock_adjtime(2)), which is far below.
const stepTolerance = 2 * time.Second

// earliestSaneTime: a machine that says it is earlier has lost its clock.
var earliestSaneTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// A clock makes journal time: the monotonic time since it was started, on top
// of the larger of the wall clock then and the newest time in the journal. It
// never goes back. When the wall clock jumps forward, journal time follows (a
// machine without a clock battery starts in the past until it finds a time
// server); when it jumps back, journal time goes on as before.
//
// It belongs to one lock or one goroutine.
type clock struct {
	started time.Time     // carries the monotonic reading
	base    int64         // journal time at started
	last    int64         // newest time given out or found in the journal
	offset  time.Duration // wall minus monotonic, at the last look
	sane    bool
}

// newClock starts at now (with a monotonic reading, where the machine has one);
// wall is the wall clock at the same moment and newest the newest time in the
// journal, 0 when it is empty.
func newClock(now, wall time.Time, newest int64) clock {
	c := clock{started: now, last: newest}
	c.base = max(wall.UnixNano(), newest)
	c.offset = offsetOf(c.started, now, wall)
	c.sane = !wall.Before(earliestSaneTime)
	return c
}

// offsetOf is the wall clock's lead over the monotonic clock, counted from
// started.
func offsetOf(started, now, wall time.Time) time.Duration {
	return time.Duration(wall.UnixNano() - int64(now.Sub(started)))
}

// at returns journal time; it is never smaller than what it returned before.
func (c *clock) at(now time.Time) int64 {
	t := c.base + int64(now.Sub(c.started))
	if t < c.last {
		t = c.last
	}
	c.last = t
	return t
}

// look compares the wall clock with the monotonic one. step is how far the wall
// clock jumped since the last look; 0 when it did not.
func (c *clock) look(now, wall time.Time) (step time.Duration) {
	offset := offsetOf(c.started, now, wall)
	d := offset - c.offset
	if d > -stepTolerance && d < stepTolerance {
		c.offset = offset // follow the drift, so that it never adds up to a step
		return 0
	}
	c.offset = offset
	c.sane = !wall.Before(earliestSaneTime)
	if ahead := wall.UnixNano() - (c.base + int64(now.Sub(c.started))); d > 0 && ahead > 0 {
		c.base += ahead
	}
	return d
}

// err says why the clock cannot be used, nil when it can.
func (c *clock) err(wall time.Time) error {
	if c.sane {
		return nil
	}
	return fmt.Errorf("clock says %s: set the machine's time (is its time server reachable?)", wall.UTC().Format(time.RFC3339))
}
