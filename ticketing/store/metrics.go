package store

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/facilityd/facilityd/ticketing"
)

// metrics counts what the store does. Orders by state and tier are counted when
// they are asked for, so that several workers on one database agree.
type metrics struct {
	store    *Store
	outbox   *outboxMetrics
	steps    *prometheus.CounterVec
	commands *prometheus.CounterVec
	seconds  prometheus.Histogram
	orders   *prometheus.Desc
	overdue  *prometheus.Desc
}

func newMetrics(s *Store, reg prometheus.Registerer) *metrics {
	m := &metrics{
		store: s, outbox: newOutboxMetrics(s),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "facilityd_ticketing_steps_total", Help: "Steps of episodes given to the orders, by result.",
		}, []string{"result"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "facilityd_ticketing_commands_total", Help: "Commands of people, by command and result.",
		}, []string{"command", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "facilityd_ticketing_apply_seconds", Help: "Time to apply one batch of steps, commit included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		orders:  prometheus.NewDesc("facilityd_ticketing_orders", "Work orders by site, state and tier.", []string{"site", "state", "tier"}, nil),
		overdue: prometheus.NewDesc("facilityd_ticketing_overdue_orders", "Work orders somebody still has to work on and of which the time for a target is over, by site and tier.", []string{"site", "tier"}, nil),
	}
	if reg != nil {
		reg.MustRegister(m, m.outbox, m.steps, m.commands, m.seconds)
	}
	return m
}

func (m *metrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, c := range []prometheus.Collector{m, m.outbox, m.steps, m.commands, m.seconds} {
		reg.Unregister(c)
	}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.orders; ch <- m.overdue }

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := m.store.Stats(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(m.orders, err)
		return
	}
	for _, st := range stats {
		ch <- prometheus.MustNewConstMetric(m.orders, prometheus.GaugeValue, float64(st.Count), st.Site, string(st.State), st.Tier.String())
	}
	late, err := m.store.Overdue(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(m.overdue, err)
		return
	}
	for _, st := range late {
		ch <- prometheus.MustNewConstMetric(m.overdue, prometheus.GaugeValue, float64(st.Count), st.Site, st.Tier.String())
	}
}

func (m *metrics) applied(steps int, took time.Duration, err error) {
	m.seconds.Observe(took.Seconds())
	switch {
	case err == nil:
		m.steps.WithLabelValues("applied").Add(float64(steps))
	case errors.Is(err, ErrFenced):
		m.steps.WithLabelValues("fenced").Add(float64(steps))
	default:
		m.steps.WithLabelValues("error").Add(float64(steps))
	}
}

func (m *metrics) command(verb ticketing.Verb, replayed bool, err error) {
	result := "done"
	var conflict *ticketing.ConflictError
	switch {
	case err == nil && replayed:
		result = "replayed"
	case errors.As(err, &conflict):
		result = "conflict"
	case err != nil:
		result = "refused"
	}
	m.commands.WithLabelValues(string(verb), result).Inc()
}
