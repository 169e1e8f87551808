package detect

import "math"

// moments are a running mean and variance whose memory can be limited.
type moments struct {
	n        float64
	mean     float64
	variance float64
}

// add takes x; once n has reached limit, older values fade exponentially with that many rows.
func (m *moments) add(x, limit float64) {
	m.n = min(m.n+1, max(limit, 1))
	d := x - m.mean
	m.mean += d / m.n
	m.variance += (d*(x-m.mean) - m.variance) / m.n
}

func (m *moments) spread() float64 { return math.Sqrt(max(m.variance, 0)) }
