package history

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the collectors of this package, shared by the sites of a process.
type Metrics struct {
	stored       prometheus.Counter
	rejected     *prometheus.CounterVec
	writes       prometheus.Counter
	failures     *prometheus.CounterVec
	writeSeconds prometheus.Histogram
	lag          *prometheus.GaugeVec
	up           *prometheus.GaugeVec
}

// NewMetrics makes the collectors and registers them; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		stored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "facilityd_history_readings_stored_total",
			Help: "Readings that InfluxDB has stored.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "facilityd_history_readings_rejected_total",
			Help: "Readings that InfluxDB will never take, by reason.",
		}, []string{"reason"}),
		writes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "facilityd_history_writes_total",
			Help: "Writes that InfluxDB confirmed.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "facilityd_history_write_failures_total",
			Help: "Writes that did not succeed and are tried again, by fault.",
		}, []string{"fault"}),
		writeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "facilityd_history_write_duration_seconds",
			Help:    "Time of one write to InfluxDB, whatever its outcome.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "facilityd_history_lag_seconds",
			Help: "Age of the oldest journal record that is not yet in InfluxDB; 0 when all are.",
		}, []string{"site"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "facilityd_history_up",
			Help: "1 when the last write to InfluxDB succeeded.",
		}, []string{"site"}),
	}
	// Series that begin at their first increment hide it from increase().
	for _, r := range [...]Reason{Conflict, Unparsed, Retention} {
		m.rejected.WithLabelValues(string(r))
	}
	for f := Unreachable; f <= Refused; f++ {
		m.failures.WithLabelValues(f.String())
	}
	if reg != nil {
		reg.MustRegister(m.stored, m.rejected, m.writes, m.failures, m.writeSeconds, m.lag, m.up)
	}
	return m
}
