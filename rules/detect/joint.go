package detect

import (
	"fmt"
	"math"
	"time"
)

// Numbers of the joint detector. Rows are sampling intervals of the asset.
const (
	jointWindow = 10   // rows over which each channel is averaged
	jointSkip   = 20   // first rows that teach no scale: baseline and window are still filling
	jointMemory = 200  // rows, time constant of the baseline
	jointOn     = 6.0  // scales at which an episode begins
	jointOff    = 2.5  // scales under which a channel is back...
	jointBack   = 0.3  // ...or this share of the furthest it went in the episode
	jointQuiet  = 16   // rows in a row that all carrying channels must be back to end an episode
	jointCarry  = 0.3  // a channel carries if it went this share of the one that went furthest
	scaleFloor  = 1e-9 // of the magnitude of values: least scale, for channels that stood still
)

// Joint watches several points of one asset together. Each channel is the distance of its
// short mean from its baseline, in units of what that distance was while training, times
// the trust in the channel; the score is that of the channel that is furthest away. A
// verdict begins at a distance that noise does not reach and ends when the channels that
// carried it are back, or most of the way: what remains is the new baseline, since after a
// fault few signals return to exactly where they were.
//
// It must not be used by several goroutines at once.
type Joint struct {
	channels []jointChannel
	train    int
	rows     int // seen, up to train+1
	held     bool
	active   bool
	quiet    uint8
	since    int64
}

type jointChannel struct {
	channel
	recent   window
	origin   float64
	base     float64 // deviation from origin
	scale    moments // of squared distances while training
	peak     float64 // furthest in the open episode, in scales
	distance float64 // newest, in scales
}

// NewJoint returns a detector for n channels that has seen nothing.
func NewJoint(cfg Config, n int) (*Joint, error) {
	if n < 1 || n > MaxChannels {
		return nil, fmt.Errorf("joint detector of %d channels: 1 to %d are possible", n, MaxChannels)
	}
	j := &Joint{channels: make([]jointChannel, n), train: cfg.train()}
	backing := make([]float32, n*jointWindow)
	for i := range j.channels {
		j.channels[i].recent.v = backing[i*jointWindow : (i+1)*jointWindow : (i+1)*jointWindow]
	}
	return j, nil
}

// Hold stops the learning while open, so that an open episode does not become the new normal.
func (j *Joint) Hold(open bool) { j.held = open }

// Add takes one row, one value per channel; NaN is a missing value. Extra values are ignored,
// absent ones are missing.
func (j *Joint) Add(t time.Time, row []float64) Verdict { return j.AddUnix(t.UnixNano(), row) }

// AddUnix is [Joint.Add] with the time in nanoseconds since 1970.
func (j *Joint) AddUnix(ns int64, row []float64) Verdict {
	training := j.rows < j.train
	if j.rows <= j.train {
		j.rows++
	}
	top, furthest := -1, 0.0
	for i := range j.channels {
		c := &j.channels[i]
		c.distance = 0
		x := math.NaN()
		if i < len(row) {
			x = row[i]
		}
		if !(math.Abs(x) <= maxValue) {
			continue
		}
		d := c.add(x)
		if training {
			if j.rows > jointSkip && !j.held {
				c.scale.add(d*d, math.MaxFloat64)
			}
			if !j.held {
				c.learn(x)
			}
			continue
		}
		if c.distance = c.trust * d / c.unit(); c.distance > furthest {
			furthest, top = c.distance, i
		}
	}
	if training {
		if j.rows == j.train {
			for i := range j.channels {
				j.channels[i].settle()
			}
		}
		j.follow(row)
		return Verdict{}
	}
	onset := j.judge(ns, furthest)
	if !j.active {
		j.follow(row)
	}
	out := Verdict{Known: true, Anomalous: j.active, Onset: onset, Score: furthest / (furthest + jointOn)}
	if j.active {
		out.Score = max(out.Score, 0.5)
		out.Reason = j.reason(top)
	} else {
		out.Score = min(out.Score, 0.499)
	}
	return out
}

// add puts a value into the window and returns how far the short mean is from the baseline.
func (c *jointChannel) add(x float64) float64 {
	if c.recent.n == 0 {
		c.origin = x
	}
	c.recent.add(x - c.origin)
	return math.Abs(c.recent.mean() - c.base)
}

// unit is the scale of the channel's distances.
func (c *jointChannel) unit() float64 {
	return math.Sqrt(c.scale.mean) + scaleFloor*(math.Abs(c.origin)+math.Abs(c.base)) + tiny
}

// follow moves the baselines towards the row.
func (j *Joint) follow(row []float64) {
	if j.held {
		return
	}
	share := max(1.0/jointMemory, 1/float64(j.rows))
	for i := range j.channels {
		c := &j.channels[i]
		if i < len(row) && math.Abs(row[i]) <= maxValue {
			c.base += share * (row[i] - c.origin - c.base)
		}
	}
}

// judge opens and closes the episode; it reports whether one begins.
func (j *Joint) judge(ns int64, furthest float64) bool {
	if !j.active {
		if furthest < jointOn {
			return false
		}
		j.active, j.quiet, j.since = true, 0, ns
		for i := range j.channels {
			j.channels[i].peak = j.channels[i].distance
		}
		return true
	}
	peak := 0.0
	for i := range j.channels {
		c := &j.channels[i]
		c.peak = max(c.peak, c.distance)
		peak = max(peak, c.peak)
	}
	for i := range j.channels {
		c := &j.channels[i]
		if c.peak >= jointCarry*peak && c.distance >= max(jointOff, jointBack*c.peak) {
			j.quiet = 0
			return false
		}
	}
	if j.quiet++; j.quiet >= jointQuiet {
		j.close()
	}
	return false
}

// close ends the episode and takes where the channels are now as their baseline.
func (j *Joint) close() {
	j.active, j.since = false, 0
	if !j.held {
		j.Accept()
	}
}

// Accept takes where the channels are now as normal: after a person has said so, or after a
// confirmed repair.
func (j *Joint) Accept() {
	j.active, j.since, j.quiet = false, 0, 0
	for i := range j.channels {
		c := &j.channels[i]
		if c.recent.n > 0 {
			c.base = c.recent.mean()
		}
	}
}

func (j *Joint) reason(top int) Reason {
	out := Reason{Aspect: Level, Since: j.since}
	peak := 0.0
	for i := range j.channels {
		peak = max(peak, j.channels[i].peak)
	}
	for i := range j.channels {
		c := &j.channels[i]
		switch {
		case c.trust < 0.5:
			out.Discounted |= 1 << i
		case c.peak >= jointCarry*peak:
			out.Carried |= 1 << i
		}
		if top < 0 && c.peak == peak {
			top = i
		}
	}
	c := &j.channels[top]
	out.Channel = top
	out.Carried |= 1 << top
	out.Current = c.origin + c.recent.mean()
	out.Normal = c.origin + c.base
	out.Margin = 2 * c.unit()
	return out
}
