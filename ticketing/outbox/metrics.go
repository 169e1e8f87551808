package outbox

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what a deliverer does. What waits is counted by the queue.
type Metrics struct {
	results *prometheus.CounterVec
	delay   *prometheus.HistogramVec
}

// NewMetrics makes the metrics and registers them; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "facilityd_outbox_deliveries_total", Help: "Attempts to deliver an effect outside, by kind and result: sent, failed (tried again) or dead (given up).",
		}, []string{"kind", "result"}),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "facilityd_outbox_delay_seconds", Help: "Time from the decision to send until a channel took it, by tier.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400},
		}, []string{"tier"}),
	}
	if reg != nil {
		reg.MustRegister(m.results, m.delay)
	}
	return m
}

func (m *Metrics) delivered(e *Effect, now time.Time) {
	if m == nil {
		return
	}
	m.results.WithLabelValues(string(e.Kind), "sent").Inc()
	m.delay.WithLabelValues(e.Tier.String()).Observe(now.Sub(e.Created).Seconds())
}

func (m *Metrics) failed(e *Effect, v Verdict) {
	if m == nil {
		return
	}
	result := "failed"
	if v.Dead {
		result = "dead"
	}
	m.results.WithLabelValues(string(e.Kind), result).Inc()
}
