package detect

import (
	"fmt"
	"math"
	"time"
)

// Numbers of the change-point detector. Rows are sampling intervals.
const (
	changeAfter  = 14   // rows of the window after the supposed step
	changeGap    = 5    // rows between the windows, in which a step may take place
	changeBefore = 60   // rows of the window before it
	changeOn     = 3.75 // scales that make a step
	changeRest   = 30   // rows of silence after a step was told
)

const changeRows = changeAfter + changeGap + changeBefore

// Change tells when one or more points step to another level: the mean of the newest rows
// against that of the rows before, in units of what this difference was while training,
// times the trust in the channel. While the older window still holds the former level, a
// step is told again after each rest: a change that takes a minute has an end as well.
//
// It must not be used by several goroutines at once.
type Change struct {
	channels []changeChannel
	train    int
	rows     int
	rest     uint8
}

type changeChannel struct {
	channel
	recent window
	origin float64
	scale  moments // of squared differences while training
	unit   float64 // of differences, fixed when training ends
}

// NewChange returns a detector for n channels that has seen nothing.
func NewChange(cfg Config, n int) (*Change, error) {
	if n < 1 || n > MaxChannels {
		return nil, fmt.Errorf("change detector of %d channels: 1 to %d are possible", n, MaxChannels)
	}
	c := &Change{channels: make([]changeChannel, n), train: max(cfg.train(), 2*changeRows)}
	backing := make([]float32, n*changeRows)
	for i := range c.channels {
		c.channels[i].recent.v = backing[i*changeRows : (i+1)*changeRows : (i+1)*changeRows]
	}
	return c, nil
}

// Add takes one row, one value per channel; NaN is a missing value. Onset marks a step.
func (c *Change) Add(t time.Time, row []float64) Verdict { return c.AddUnix(t.UnixNano(), row) }

// AddUnix is [Change.Add] with the time in nanoseconds since 1970.
func (c *Change) AddUnix(ns int64, row []float64) Verdict {
	training := c.rows < c.train
	if training {
		c.rows++
	}
	top, furthest := 0, 0.0
	out := Verdict{Known: !training}
	for i := range c.channels {
		ch := &c.channels[i]
		if i >= len(row) || !(math.Abs(row[i]) <= maxValue) {
			continue
		}
		x := row[i]
		if ch.recent.n == 0 {
			ch.origin = x
		}
		ch.recent.add(x - ch.origin)
		if training {
			ch.learn(x)
		}
		if int(ch.recent.n) < changeRows {
			continue
		}
		d := math.Abs(ch.recent.last(changeAfter) - ch.before())
		if training {
			ch.scale.add(d*d, math.MaxFloat64)
			continue
		}
		z := ch.trust * d / ch.unit
		if z > furthest {
			furthest, top = z, i
		}
		if ch.trust < 0.5 {
			out.Reason.Discounted |= 1 << i
		}
	}
	if training {
		if c.rows == c.train {
			steadiest := 0.0
			for i := range c.channels {
				steadiest = max(steadiest, c.channels[i].ratio())
			}
			for i := range c.channels {
				c.channels[i].settle(steadiest)
				c.channels[i].measure()
			}
		}
		return Verdict{}
	}
	out.Score, out.Strength = furthest/(furthest+changeOn), furthest/changeOn
	if c.rest > 0 {
		c.rest--
		out.Score = min(out.Score, 0.499)
		return out
	}
	if furthest >= changeOn {
		c.rest = changeRest
		out.Onset, out.Anomalous = true, true
		ch := &c.channels[top]
		out.Reason.Aspect, out.Reason.Channel, out.Reason.Carried = Step, top, 1<<top
		out.Reason.Since = ns
		out.Reason.Current = ch.origin + ch.recent.last(changeAfter)
		out.Reason.Normal = ch.origin + ch.before()
		out.Reason.Margin = 2 * ch.unit
	}
	return out
}

// measure fixes the unit of differences, with the same floor as a joint detector's.
func (ch *changeChannel) measure() {
	ch.unit = max(math.Sqrt(ch.scale.mean), ch.noise(1.0/changeAfter+1.0/changeBefore)) + scaleFloor*math.Abs(ch.origin) + tiny
}

// before is the mean of the older window.
func (ch *changeChannel) before() float64 {
	n := float64(ch.recent.n)
	newer := ch.recent.last(changeAfter + changeGap)
	return (ch.recent.mean()*n - newer*(changeAfter+changeGap)) / (n - changeAfter - changeGap)
}
