package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/rules"
)

// metrics are what the wiring itself counts; every room has its own.
type metrics struct {
	messages, redelivered, readings *prometheus.CounterVec
	steps                           *prometheus.CounterVec
	position, journalTime           *prometheus.GaugeVec
	commitFailures                  *prometheus.CounterVec
	reloads                         *prometheus.CounterVec
	reloadOK                        prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"site"})
		r.MustRegister(g)
		return g
	}
	m := &metrics{
		messages:       counter("facilityd_engine_messages_total", "Messages taken from the journal and decoded.", "site"),
		redelivered:    counter("facilityd_engine_redelivered_total", "Messages that were in the journal before and were not decoded again.", "site"),
		readings:       counter("facilityd_engine_readings_total", "Readings handed to the rules.", "site"),
		steps:          counter("facilityd_engine_episode_steps_total", "Steps of episodes, by the phase entered.", "site", "phase"),
		position:       gauge("facilityd_engine_position", "Journal position of the last judged record."),
		journalTime:    gauge("facilityd_engine_journal_time_seconds", "Journal time of the last judged record, Unix seconds."),
		commitFailures: counter("facilityd_engine_commit_failures_total", "Failed tries to write work orders or a checkpoint.", "site"),
		reloads:        counter("facilityd_config_reloads_total", "Reloads of the configuration, by outcome.", "outcome"),
		reloadOK:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "facilityd_config_last_reload_successful", Help: "1 when the configuration on disk is the one in force."}),
	}
	m.reloadOK.Set(1)
	r.MustRegister(m.reloadOK)
	return m
}

func (m *metrics) judged(site string, rec *devices.Record, b *profile.Batch) {
	if n := len(rec.Messages); n > 0 {
		again := 0
		for i := range rec.Messages {
			if rec.Messages[i].Redelivered {
				again++
			}
		}
		m.messages.WithLabelValues(site).Add(float64(n - again))
		if again > 0 {
			m.redelivered.WithLabelValues(site).Add(float64(again))
		}
		m.readings.WithLabelValues(site).Add(float64(len(b.Readings)))
	}
	m.position.WithLabelValues(site).Set(float64(rec.Seq))
	m.journalTime.WithLabelValues(site).Set(float64(rec.Time) / 1e9)
}

func (m *metrics) transitions(site string, steps []rules.Transition) {
	for i := range steps {
		m.steps.WithLabelValues(site, steps[i].Phase.String()).Inc()
	}
}
