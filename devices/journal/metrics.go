package journal

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the journal's counters. Received = Journaled + Rejected, once
// nothing waits any more (QueuedMessages is 0).
type Metrics struct {
	Received        *prometheus.CounterVec   // site, connection: messages offered
	Journaled       *prometheus.CounterVec   // site, connection: messages flushed
	Rejected        *prometheus.CounterVec   // site, connection, reason
	Redelivered     *prometheus.CounterVec   // site: messages marked as redelivered
	Records         *prometheus.CounterVec   // site, kind
	Bytes           *prometheus.CounterVec   // site: bytes of records written
	Flush           *prometheus.HistogramVec // site: seconds from the write of a batch to its acknowledgement
	QueuedMessages  *prometheus.GaugeVec     // site
	QueuedBytes     *prometheus.GaugeVec     // site
	Lag             *prometheus.GaugeVec     // site, consumer: records behind the newest
	RetentionLosses *prometheus.CounterVec   // site, consumer: records dropped unread
	ClockSteps      *prometheus.CounterVec   // site
	WriteErrors     *prometheus.CounterVec   // site: writes that had to be repeated
	EngineRestarts  prometheus.Counter
	Paused          *prometheus.GaugeVec // site: 1 while nothing is written (disk reserve, clock)
}

// NewMetrics makes the collectors and registers them; with nil they are counted
// and published nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "facilityd_journal_" + name, Help: help}, labels)
		if r != nil {
			r.MustRegister(c)
		}
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "facilityd_journal_" + name, Help: help}, labels)
		if r != nil {
			r.MustRegister(g)
		}
		return g
	}
	m := &Metrics{
		Received:        counter("received_messages_total", "Messages offered to the journal.", "site", "connection"),
		Journaled:       counter("journaled_messages_total", "Messages that are on disk.", "site", "connection"),
		Rejected:        counter("rejected_messages_total", "Messages that the journal refused.", "site", "connection", "reason"),
		Redelivered:     counter("redelivered_messages_total", "Messages that were in the journal already.", "site"),
		Records:         counter("records_total", "Records written.", "site", "kind"),
		Bytes:           counter("written_bytes_total", "Bytes of records written.", "site"),
		QueuedMessages:  gauge("queued_messages", "Messages that wait for the disk.", "site"),
		QueuedBytes:     gauge("queued_bytes", "Bytes that wait for the disk.", "site"),
		Lag:             gauge("consumer_lag_records", "Records that a consumer has not acknowledged.", "site", "consumer"),
		RetentionLosses: counter("retention_lost_records_total", "Records dropped before a consumer had read them.", "site", "consumer"),
		ClockSteps:      counter("clock_steps_total", "Jumps of the machine's clock.", "site"),
		WriteErrors:     counter("write_errors_total", "Writes that failed and were repeated.", "site"),
		Paused:          gauge("paused", "1 while nothing is written: disk reserve reached or clock not set.", "site"),
		Flush: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "facilityd_journal_flush_seconds", Help: "Time from writing a batch to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"site"}),
		EngineRestarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "facilityd_journal_engine_restarts_total", Help: "Times that the embedded engine was closed and opened again.",
		}),
	}
	if r != nil {
		r.MustRegister(m.Flush, m.EngineRestarts)
	}
	return m
}
