package detect

import "math"

// MaxChannels is the largest number of points that one joint detector watches: reasons name them by bits.
const MaxChannels = 64

// trustRatio is the von Neumann ratio from which a channel is trusted fully.
const trustRatio = 1.0

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

// settle fixes how far the channel is trusted. The von Neumann ratio, mean squared step over
// twice the variance, is near 1 for a steady signal with noise and near 0 for one that
// wanders during training. What wanders while all is well says little when it has wandered off.
func (c *channel) settle() {
	c.trust = 0
	if c.values.variance > 0 {
		c.trust = min(1, c.steps.mean/(2*c.values.variance)/trustRatio)
	} else if c.values.n > 0 {
		c.trust = 1 // never moved: any move is news
	}
}
