package detect

import "math"

// MaxChannels is the largest number of points that one joint detector watches: reasons name them by bits.
const MaxChannels = 64

// How far channels are trusted.
const (
	trustFull  = 1.0  // von Neumann ratio from which a channel is trusted fully, or that of the steadiest channel if less
	trustLeast = 0.15 // trust of a channel that wanders most
	trustRows  = 30   // values that a channel must have shown while training to have a say
	stillShare = 0.02 // of its value: unit of a channel that stood still while training
)

// channel is what a detector of several points learns about one of them while it trains.
type channel struct {
	values moments // of the values in training
	steps  moments // of the squared steps between neighbouring values; only its mean is used
	last   float64
	trust  float64 // in [0,1], fixed when training ends
}

// learn takes a value of the training rows.
func (c *channel) learn(x float64) {
	if c.values.n > 0 {
		d := x - c.last
		c.steps.add(d*d, math.MaxFloat64)
	}
	c.last = x
	c.values.add(x, math.MaxFloat64)
}

// ratio is the von Neumann ratio of the training values: mean squared step over twice the
// variance, near 1 for a steady signal with noise and near 0 for one that wanders.
func (c *channel) ratio() float64 {
	if !(c.values.variance > 0) {
		return 0
	}
	return c.steps.mean / (2 * c.values.variance)
}

// still says that the channel never moved while training.
func (c *channel) still() bool { return c.values.n > 0 && !(c.values.variance > 0) }

// settle fixes how far the channel is trusted, given the ratio of the steadiest channel of
// the asset: what wanders while all is well says little when it has wandered off, unless
// all that there is wanders. A channel that stood still at zero, or was missing, has no scale
// and no say.
func (c *channel) settle(steadiest float64) {
	full := min(trustFull, steadiest)
	switch {
	case c.values.n < trustRows:
		c.trust = 0
	case c.still() && c.last != 0:
		c.trust = 1
	case c.still() || !(full > 0):
		c.trust = 0
	default:
		c.trust = max(trustLeast, min(1, c.ratio()/full))
	}
}

// noise is the least unit of distances between means: what values without memory would
// scatter, given the variance of such a distance for values of variance one.
func (c *channel) noise(variance float64) float64 {
	if c.still() {
		return stillShare * math.Abs(c.last)
	}
	return scaleNoise * c.values.spread() * math.Sqrt(variance)
}
