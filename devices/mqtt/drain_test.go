package mqtt_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// backlog is how many messages each drain takes.
const backlog = 200_000

// BenchmarkDrain measures how fast a backlog in Mosquitto is taken: by a bare
// subscriber that only counts, and by a Connection with the journal behind it,
// flushed before it acknowledges. Both in one run, on one broker.
//
//	go test -run '^$' -bench Drain -benchtime 1x ./devices/mqtt
func BenchmarkDrain(b *testing.B) {
	broker := mosquittotest.Start(b, mosquittotest.Options{Config: mosquittotest.ForLoad})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			measure(b, broker.URL(), "bare", func(ctx context.Context, n *atomic.Int64) (stop func()) {
				stop, err := mqtt.CountOnly(mqtt.Broker{URL: broker.URL(), ClientID: "bare"}, "bench/#", n)
				if err != nil {
					b.Fatal(err)
				}
				return stop
			})
		}
	})
	b.Run("journal", func(b *testing.B) {
		for b.Loop() {
			j, err := journal.Open(journal.Config{Dir: b.TempDir(), Reserve: -1})
			if err != nil {
				b.Fatal(err)
			}
			w, err := j.Writer(b.Context(), "bench")
			if err != nil {
				b.Fatal(err)
			}
			measure(b, broker.URL(), "journal", func(ctx context.Context, n *atomic.Int64) (stop func()) {
				ctx, cancel := context.WithCancel(ctx)
				written, closed := make(chan struct{}), make(chan struct{})
				go func() { defer close(written); w.Run(ctx) }()
				c, err := mqtt.New(mqtt.Config{
					Name: "bench", Broker: mqtt.Broker{URL: broker.URL(), ClientID: "journal"}, Filters: []string{"bench/#"}, QoS: 1,
					Open: func(committed func(int)) func(*devices.Message) bool {
						return w.Source("bench", func(k int) { committed(k); n.Add(int64(k)) }).Offer
					},
					Link: func(up bool, reason string) { w.Link("bench", up, reason) }, Ready: w.Ready,
					Log: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					b.Fatal(err)
				}
				go func() { defer close(closed); c.Run(ctx) }()
				return func() { cancel(); <-closed; <-written }
			})
			j.Close()
		}
	})
}

// measure fills the queue of a client that is away and times how long the drain
// takes.
func measure(b *testing.B, url, client string, drain func(context.Context, *atomic.Int64) (stop func())) {
	b.Helper()
	o := paho.NewClientOptions().AddBroker(url).SetClientID(client).SetCleanSession(false)
	c := paho.NewClient(o)
	for _, t := range []func() paho.Token{c.Connect, func() paho.Token { return c.Subscribe("bench/#", 1, nil) }} {
		if t := t(); t.Wait() && t.Error() != nil {
			b.Fatal(t.Error())
		}
	}
	c.Disconnect(100)
	p, err := mqtt.NewPublisher(b.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: url}})
	if err != nil {
		b.Fatal(err)
	}
	payload := []byte(`{"ts":1770000000000,"current":12.31,"voltage":398.2,"discharge_pressure":5.42,"suction_pressure":1.1,"bearing_temp":48.6,"vibration_rms":2.31,"running":true}`)
	for i := range backlog {
		if err := p.Publish(b.Context(), fmt.Sprintf("bench/site/pump-%d/telemetry", i%1000), payload, false); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	cpu, begin := cpuTime(), time.Now()
	stop := drain(b.Context(), &n)
	for n.Load() < backlog {
		time.Sleep(time.Millisecond)
	}
	took, used := time.Since(begin), cpuTime()-cpu
	stop()
	b.ReportMetric(backlog/took.Seconds(), "msg/s")
	b.ReportMetric(float64(used.Microseconds())/backlog, "cpu-us/msg")
	b.ReportMetric(0, "ns/op")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
