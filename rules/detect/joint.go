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
	jointScale  = 2000 // rows, memory of the scale
	jointGuard  = 4.0  // scales at which a channel no longer teaches its baseline
	jointOn     = 6.0  // scales at which an episode begins
	jointOff    = 2.5  // scales under which a channel is back...
	jointBack   = 0.4  // ...or this share of the furthest it went in the episode
	jointQuiet  = 25   // rows in a row that all carrying channels must be back to end an episode
	jointCarry  = 0.4  // a channel carries if it went this share of the one that went furthest...
	jointEarly  = 60   // ...in so many first rows of the episode
	jointForget = 2    // training lengths after which a level that no open order holds is normal; longer for what went further
	jointWiden  = 1.5  // factor by which the squared scale of channels grows that carried such an episode
	scaleNoise  = 0.9  // least scale, as a share of what noise without memory would give
	scaleFloor  = 1e-9 // least scale as a share of the magnitude of values, for channels that stood still
)

// Joint watches several points of one asset together. Each channel is the distance of its
// short mean from its baseline, in units of what that distance was while training, times
// the trust in the channel; the score is that of the channel that is furthest away. A
// verdict begins at a distance that noise does not reach and ends when the channels that
// carried its beginning are back, or most of the way: what remains is the new baseline,
// since after a fault few signals return to exactly where they were, and what was dragged
// along, such as heat, returns late.
//
// It must not be used by several goroutines at once.
type Joint struct {
	channels []jointChannel
	train    int
	rows     int // seen, up to train+1
	held     bool
	active   bool
	quiet    uint8
	age      uint16 // rows of the episode
	since    int64
}

type jointChannel struct {
	channel
	recent   window
	origin   float64
	base     float64 // deviation from origin
	scale    moments // of squared distances while training
	unit     float64 // of distances, fixed when training ends
	early    float64 // furthest in the first rows of the open episode, in scales
	peak     float64 // furthest in all of it
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
	if training && j.held {
		return Verdict{} // what is held teaches nothing
	}
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
			if j.rows > jointSkip {
				c.scale.add(d*d, math.MaxFloat64)
			}
			c.learn(x)
			continue
		}
		if !j.active && !j.held {
			c.rescale(d)
		}
		if c.distance = c.trust * d / c.unit; c.distance > furthest {
			furthest, top = c.distance, i
		}
	}
	if training {
		if j.rows == j.train {
			steadiest := 0.0
			for i := range j.channels {
				steadiest = max(steadiest, j.channels[i].ratio())
			}
			for i := range j.channels {
				j.channels[i].settle(steadiest)
				j.channels[i].measure()
			}
		}
		j.follow(row)
		return Verdict{}
	}
	onset := j.judge(ns, furthest)
	if !j.active {
		j.follow(row)
	}
	out := Verdict{Known: true, Anomalous: j.active, Onset: onset, Score: furthest / (furthest + jointOn), Strength: furthest / jointOn}
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

// measure fixes the unit of distances: what they were in training, and not less than the
// mean of so many independent values would scatter, since few hundred rows hold few
// independent means and may look calmer than the channel is.
func (c *jointChannel) measure() {
	c.unit = max(math.Sqrt(c.scale.mean), c.noise(1.0/jointWindow+0.5/jointMemory)) + scaleFloor*(math.Abs(c.origin)+math.Abs(c.base)) + tiny
}

// rescale lets the unit follow what the channel's distances have become: training was short,
// and a channel that looked calm then need not be. One row counts as at most four units.
func (c *jointChannel) rescale(d float64) {
	d = min(d, 4*c.unit)
	c.scale.mean += (d*d - c.scale.mean) / jointScale
	c.measure()
}

// follow moves the baselines towards the row, the less the odder a channel looks: a fault
// that comes slowly must not teach its own baseline.
func (j *Joint) follow(row []float64) {
	if j.held {
		return
	}
	share := max(1.0/jointMemory, 1/float64(j.rows))
	for i := range j.channels {
		c := &j.channels[i]
		if i < len(row) && math.Abs(row[i]) <= maxValue {
			c.base += share * max(0, 1-c.distance/jointGuard) * (row[i] - c.origin - c.base)
		}
	}
}

// judge opens and closes the episode; it reports whether one begins.
func (j *Joint) judge(ns int64, furthest float64) bool {
	if !j.active {
		if furthest < jointOn {
			return false
		}
		j.active, j.quiet, j.age, j.since = true, 0, 0, ns
		for i := range j.channels {
			c := &j.channels[i]
			c.peak, c.early = c.distance, c.distance
		}
		return true
	}
	if j.age < math.MaxUint16 {
		j.age++
	}
	top := 0.0
	for i := range j.channels {
		c := &j.channels[i]
		c.peak = max(c.peak, c.distance)
		if j.age < jointEarly {
			c.early = max(c.early, c.distance)
		}
		top = max(top, c.early)
	}
	// What lasts twice as long as the run that taught what is normal is as normal as that,
	// the later the further away it is: then the channel's scale was too small.
	if limit := jointForget * float64(j.train) * top / jointOn; !j.held && float64(j.age) > limit {
		for i := range j.channels {
			if c := &j.channels[i]; c.early >= jointCarry*top {
				c.scale.mean *= jointWiden
			}
		}
		j.close()
		return false
	}
	for i := range j.channels {
		c := &j.channels[i]
		if c.early >= jointCarry*top && c.distance >= max(jointOff, jointBack*c.peak) {
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
	if j.held {
		j.active, j.since = false, 0
		return
	}
	j.Accept()
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
	furthest := 0.0
	for i := range j.channels {
		furthest = max(furthest, j.channels[i].early)
	}
	for i := range j.channels {
		c := &j.channels[i]
		switch {
		case c.trust < 0.5:
			out.Discounted |= 1 << i
		case c.early >= jointCarry*furthest:
			out.Carried |= 1 << i
		}
		if top < 0 && c.early == furthest {
			top = i
		}
	}
	c := &j.channels[top]
	out.Channel = top
	out.Carried |= 1 << top
	out.Current = c.origin + c.recent.mean()
	out.Normal = c.origin + c.base
	out.Margin = 2 * c.unit
	return out
}
