package detect

import "math"

// Sizes and levels of the tail calibration.
const (
	tailBuckets  = 40       // four per octave: ten octaves around the 95 % point
	tailFraction = 0.05     // share of history that counts as the tail
	tailCap      = 20       // largest surprise of one stream; beyond it the number says nothing more
	tailLearn    = 100      // values learnt before a surprise is given
	tailFull     = 32768    // values kept before the counts are halved
	tailAnchor   = 12       // bucket in which the 95 % point is placed
	tailSlack    = 6        // buckets by which it may wander before the window is moved
	keyBits      = 50       // bits dropped from a float64 to get its bucket key: leaves two of the mantissa
	tiny         = 0x1p-500 // smaller deviations are zero; keeps keys away from denormals
)

// tail turns a non-negative statistic into a surprise: -log10 of the share of this
// statistic's own history that was as large. Below the 95 % point u the share is
// counted; above it an exponential tail with the mean excess over u stands for what
// history is too short to show. So one threshold serves statistics of any unit and
// any distribution.
//
// History is a histogram with logarithmic buckets cut from the bits of the float64
// (exponent and two bits of mantissa), which costs no logarithm. Its window of twelve
// octaves follows the 95 % point; what lies outside is counted in the outermost buckets.
type tail struct {
	count [tailBuckets]uint16
	base  int16  // key of bucket 0; 0 = nothing seen
	split uint8  // buckets above this one are the tail
	n     uint16 // sum of count
	above uint16 // sum of count above split
}

func key(r float64) int {
	if r < tiny {
		return 0
	}
	return int(math.Float64bits(r) >> keyBits)
}

// bucket of a key: 0 for zero, 1 for all that is under the window, the last for all above it.
func (t *tail) bucket(k int) int {
	if k == 0 || t.base == 0 {
		return 0
	}
	return min(max(k-int(t.base), 1), tailBuckets-1)
}

// lower is the smallest value of bucket i, which may be one past the last.
func (t *tail) lower(i int) float64 {
	return math.Float64frombits(uint64(int(t.base)+i) << keyBits)
}

// edge is the value that separates the tail from the rest of history.
func (t *tail) edge() float64 {
	if t.base == 0 || t.split == 0 {
		return 0
	}
	return t.lower(int(t.split) + 1)
}

// surprise is -log10 of the share of history at or above r, 0 while history is short.
func (t *tail) surprise(r float64) float64 {
	if t.n < tailLearn {
		return 0
	}
	i := t.bucket(key(r))
	split := int(t.split)
	if i <= split {
		above := float64(t.above)
		for j := split; j > i; j-- {
			above += float64(t.count[j])
		}
		above += 0.5 * float64(t.count[i])
		return -math.Log10((above + 0.5) / (float64(t.n) + 1))
	}
	u := t.edge()
	excess := 0.0
	for j := split + 1; j < tailBuckets; j++ {
		if t.count[j] > 0 {
			excess += float64(t.count[j]) * (0.5*(t.lower(j)+t.lower(j+1)) - u)
		}
	}
	if t.above > 0 {
		excess /= float64(t.above)
	}
	// A history without excess must not make the next small one infinitely surprising.
	excess = max(excess, 0.05*u, tiny)
	return min(-math.Log10((float64(t.above)+0.5)/(float64(t.n)+1))+(r-u)/excess/math.Ln10, tailCap)
}

// learn adds r to the history.
func (t *tail) learn(r float64) {
	k := key(r)
	if t.base == 0 && k > 0 {
		t.base = int16(max(k-tailAnchor, 1))
	}
	if t.n == tailFull {
		t.halve()
	}
	i := t.bucket(k)
	t.count[i]++
	t.n++
	if i > int(t.split) {
		t.above++
	}
	t.settle()
	if t.n%16 == 0 {
		t.follow()
	}
}

// follow keeps the tail inside the window: up when much of it is beyond the last bucket, up or
// down when the split has wandered. A split at 0 says that most of history is zero: nothing to follow.
func (t *tail) follow() {
	d := int(t.split) - tailAnchor
	switch {
	case t.count[tailBuckets-1] > max(2, t.above/4):
		t.shift(tailSlack)
	case d > tailSlack, d < -tailSlack && t.split > 0:
		t.shift(d)
	}
}

// settle moves the split so that the tail holds at most its fraction, and as much of it as fits.
func (t *tail) settle() {
	limit := uint16(tailFraction * float64(t.n))
	for t.above > limit && t.split < tailBuckets-1 {
		t.split++
		t.above -= t.count[t.split]
	}
	for t.split > 0 && t.above+t.count[t.split] <= limit {
		t.above += t.count[t.split]
		t.split--
	}
}

// shift moves the window up by d buckets (down for negative d); the buckets that leave are merged into the edge.
func (t *tail) shift(d int) {
	if int(t.base)+d < 1 {
		d = 1 - int(t.base)
	}
	if d == 0 {
		return
	}
	var moved [tailBuckets]uint16
	for i, c := range t.count[1:] {
		moved[min(max(i+1-d, 1), tailBuckets-1)] += c
	}
	moved[0] = t.count[0]
	t.count = moved
	t.base += int16(d)
	t.resplit()
}

func (t *tail) halve() {
	t.n = 0
	for i := range t.count {
		t.count[i] /= 2
		t.n += t.count[i]
	}
	t.resplit()
}

func (t *tail) resplit() {
	t.split, t.above = tailBuckets-1, 0
	t.settle()
}
