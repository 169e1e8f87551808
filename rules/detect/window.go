package detect

import "math"

// window is a ring of the last values of something, oldest overwritten first.
// Sums are taken afresh each time: a few additions, and nothing that drifts.
type window struct {
	v    []float32
	next uint8
	n    uint8
}

func (w *window) add(x float64) {
	w.v[w.next] = float32(x)
	w.next++
	if int(w.next) == len(w.v) {
		w.next = 0
	}
	if int(w.n) < len(w.v) {
		w.n++
	}
}

// mean of all values held.
func (w *window) mean() float64 {
	sum := 0.0
	for _, x := range w.v[:w.n] {
		sum += float64(x)
	}
	return sum / float64(max(w.n, 1))
}

// meanAbs is the mean magnitude of all values held.
func (w *window) meanAbs() float64 {
	sum := 0.0
	for _, x := range w.v[:w.n] {
		sum += math.Abs(float64(x))
	}
	return sum / float64(max(w.n, 1))
}

// last is the mean of the newest k values.
func (w *window) last(k int) float64 {
	k = min(k, int(w.n))
	sum, i := 0.0, int(w.next)
	for range k {
		if i--; i < 0 {
			i = len(w.v) - 1
		}
		sum += float64(w.v[i])
	}
	return sum / float64(max(k, 1))
}

// spread is the standard deviation of all values held.
func (w *window) spread() float64 {
	m, sum := w.mean(), 0.0
	for _, x := range w.v[:w.n] {
		d := float64(x) - m
		sum += d * d
	}
	return math.Sqrt(sum / float64(max(w.n, 1)))
}
