package profile

import "github.com/prometheus/client_golang/prometheus"

// Metrics shows the counters of decoders to Prometheus. It reads them when it
// is asked, so that decoding pays nothing.
type Metrics struct {
	stats    func() []Stats
	messages *prometheus.Desc
	profiles *prometheus.Desc
	readings *prometheus.Desc
	bad      *prometheus.Desc
}

// NewMetrics registers the collector; stats gives a snapshot of every running
// decoder. A nil registerer is allowed.
func NewMetrics(reg prometheus.Registerer, stats func() []Stats) *Metrics {
	m := &Metrics{
		stats:    stats,
		messages: prometheus.NewDesc("facilityd_profile_messages_total", "Messages given to the decoder, by what became of them.", []string{"outcome"}, nil),
		profiles: prometheus.NewDesc("facilityd_profile_decoded_messages_total", "Messages that a profile decoded or failed on.", []string{"profile", "outcome"}, nil),
		readings: prometheus.NewDesc("facilityd_profile_readings_total", "Readings that a profile emitted.", []string{"profile"}, nil),
		bad:      prometheus.NewDesc("facilityd_profile_bad_value_messages_total", "Messages with a value that could not be read.", []string{"profile"}, nil),
	}
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

// Describe is part of prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.messages
	ch <- m.profiles
	ch <- m.readings
	ch <- m.bad
}

// Collect is part of prometheus.Collector. Profiles that did nothing are left
// out: a set has many that an installation never uses.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	var sum Stats
	for _, s := range m.stats() {
		sum.add(s)
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	counter(m.messages, sum.Decoded, "decoded")
	counter(m.messages, sum.Unmatched, "unmatched")
	counter(m.messages, sum.Guarded, "guarded")
	counter(m.messages, sum.Failed, "failed")
	counter(m.messages, sum.Redelivered, "redelivered")
	for _, c := range sum.Profiles {
		if c.Messages+c.Failed+c.Bad == 0 {
			continue
		}
		id := c.Profile
		counter(m.profiles, c.Messages, id, "decoded")
		counter(m.profiles, c.Failed, id, "failed")
		counter(m.readings, c.Readings, id)
		counter(m.bad, c.Bad, id)
	}
}
