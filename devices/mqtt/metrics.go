package mqtt

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of all connections. A message that is received is
// offered to the journal or rejected here with a reason.
type Metrics struct {
	Received  *prometheus.CounterVec // connection
	Rejected  *prometheus.CounterVec // connection, reason: too_large, queue_full, closing
	Up        *prometheus.GaugeVec   // connection: 1 while connected and subscribed
	Connects  *prometheus.CounterVec // connection, outcome: ok, failed
	Lost      *prometheus.CounterVec // connection
	Published *prometheus.CounterVec // outcome: confirmed, failed
}

// NewMetrics makes the collectors and registers them; with nil they are counted
// and published nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "facilityd_mqtt_" + name, Help: help}, labels)
		if r != nil {
			r.MustRegister(c)
		}
		return c
	}
	m := &Metrics{
		Received:  counter("received_messages_total", "Messages that arrived from a broker.", "connection"),
		Rejected:  counter("rejected_messages_total", "Messages that were not handed to the journal.", "connection", "reason"),
		Connects:  counter("connects_total", "Attempts to connect to a broker.", "connection", "outcome"),
		Lost:      counter("lost_connections_total", "Connections that ended unasked.", "connection"),
		Published: counter("published_messages_total", "Messages published by this program.", "outcome"),
		Up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "facilityd_mqtt_connection_up", Help: "1 while the connection to the broker is up and subscribed.",
		}, []string{"connection"}),
	}
	if r != nil {
		r.MustRegister(m.Up)
	}
	return m
}
