package store

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/facilityd/facilityd/ticketing/outbox"
)

// outboxMetrics say what waits in the outbox, as the database has it, so that
// several workers agree.
type outboxMetrics struct {
	store                   *Store
	effects, oldest, nobody *prometheus.Desc
}

func newOutboxMetrics(s *Store) *outboxMetrics {
	return &outboxMetrics{
		store:   s,
		effects: prometheus.NewDesc("facilityd_outbox_effects", "Messages and events that wait to be delivered (queued) or were given up (dead).", []string{"kind", "state"}, nil),
		oldest:  prometheus.NewDesc("facilityd_outbox_oldest_seconds", "Age of the oldest message or event that waits to be delivered.", []string{"kind"}, nil),
		nobody:  prometheus.NewDesc("facilityd_outbox_orders_without_anybody", "Orders that wait for somebody and of which nobody could be told.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (m *outboxMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.effects
	ch <- m.oldest
	ch <- m.nobody
}

// Collect implements [prometheus.Collector]. What is not there is 0, so that an
// alert need not think of it.
func (m *outboxMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := m.store.OutboxStats(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(m.effects, err)
		return
	}
	nobody, err := m.store.Nobody(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(m.nobody, err)
		return
	}
	for _, kind := range []outbox.Kind{outbox.Message, outbox.Event} {
		for _, state := range []outbox.State{outbox.Queued, outbox.Dead} {
			var count, age float64
			for _, st := range stats {
				if st.Kind == kind && st.State == state {
					count, age = float64(st.Count), time.Since(st.Oldest).Seconds()
				}
			}
			ch <- prometheus.MustNewConstMetric(m.effects, prometheus.GaugeValue, count, string(kind), string(state))
			if state == outbox.Queued {
				ch <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, max(age, 0), string(kind))
			}
		}
	}
	ch <- prometheus.MustNewConstMetric(m.nobody, prometheus.GaugeValue, float64(nobody))
}
