package e2e

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
	"github.com/facilityd/facilityd/devices/simulator/load"
)

// known is how many devices the daemon knows in BenchmarkStart.
const known = 10_000

// checkpoints is longer than the daemon takes from one checkpoint to the next.
const checkpoints = 15 * time.Second

// BenchmarkStart measures how long a daemon with the shipped profiles and rules
// takes from its start until it is ready, without a device and with ten thousand
// that it knows from its checkpoint, and what a device and a point of it take of
// memory: resident, and heap in use.
//
//	go test -run '^$' -bench Start -benchtime 3x ./cmd/facilityd/e2e
func BenchmarkStart(b *testing.B) {
	broker := mosquittotest.Start(b, mosquittotest.Options{Config: mosquittotest.ForLoad})
	dir := b.TempDir()
	writeIn(b, dir, map[string]string{
		"facilityd.yaml": "data: {{dir}}/data\nlisten: 127.0.0.1:0\nlog: {level: warn}\nbroker: {url: " + broker.URL() + "}\njournal: {reserve: 64MB}\n",
	})
	d := Start(b, program, "run", "--config", dir+"/facilityd.yaml")
	stop := func() {
		b.Helper()
		if err := d.Stop(); err != nil {
			b.Fatal(err)
		}
	}
	start := func() (ready, caughtUp time.Duration) {
		b.Helper()
		began := time.Now()
		d.Restart()
		ready = time.Since(began)
		d.Until("the rules have caught up", func() bool { return lagOf(d) < 3 })
		return ready, time.Since(began)
	}
	stop()
	empty, _ := start()
	before := memory(d)
	populate(b, broker.URL())
	d.Until("all devices are known", func() bool { return d.Metric("facilityd_engine_messages_total") >= 3*known })
	<-time.After(checkpoints) // so that the next start need not read the journal again
	full := memory(d)
	points := float64(pointsOf(d, "load-000000")+pointsOf(d, "load-000001")) / 2

	var ready, caughtUp []float64
	var after footprint
	for b.Loop() {
		stop()
		r, c := start()
		ready, caughtUp = append(ready, r.Seconds()), append(caughtUp, c.Seconds())
		after = memory(d)
	}
	if n := devicesOf(d); n != known {
		b.Fatalf("%d devices are known after the start, want %d", n, known)
	}
	b.ReportMetric(empty.Seconds(), "empty-s")
	b.ReportMetric(median(ready), "ready-s")
	b.ReportMetric(median(caughtUp), "caught-up-s")
	b.ReportMetric(before.resident/1e6, "empty-MB")
	b.ReportMetric(full.resident/1e6, "fed-MB")
	b.ReportMetric(after.resident/1e6, "restarted-MB")
	b.ReportMetric((after.resident-before.resident)/known, "B/device")
	b.ReportMetric((after.resident-before.resident)/known/points, "B/point")
	b.ReportMetric((after.heap-before.heap)/known, "heap-B/device")
	b.ReportMetric(points, "points/device")
	b.ReportMetric(0, "ns/op")
}

// footprint is the memory of a process in bytes.
type footprint struct{ resident, heap float64 }

// memory is read over two seconds, at the smallest heap: between two collections
// it holds garbage too.
func memory(d *Daemon) footprint {
	d.tb.Helper()
	var least footprint
	for range 20 {
		m := footprint{d.Metric("process_resident_memory_bytes"), d.Metric("go_memstats_heap_inuse_bytes")}
		if least.heap == 0 || m.heap < least.heap {
			least = m
		}
		<-time.After(100 * time.Millisecond)
	}
	return least
}

func lagOf(d *Daemon) uint64 {
	d.tb.Helper()
	var status struct {
		Lags []struct {
			Consumer string `json:"consumer"`
			Records  uint64 `json:"records"`
		} `json:"lags"`
	}
	d.Get("/api/v1/status", &status)
	for _, l := range status.Lags {
		if l.Consumer == "rules" {
			return l.Records
		}
	}
	d.tb.Fatalf("no lag of the rules: %+v", status)
	return 0
}

func devicesOf(d *Daemon) int {
	d.tb.Helper()
	query := url.Values{"limit": {"5000"}}
	for n := 0; ; {
		var page struct {
			Items []struct{} `json:"items"`
			Next  string     `json:"next"`
		}
		d.Get("/api/v1/devices?"+query.Encode(), &page)
		if n += len(page.Items); page.Next == "" {
			return n
		}
		query.Set("after", page.Next)
	}
}

func pointsOf(d *Daemon, device string) int {
	d.tb.Helper()
	var v deviceView
	d.Get("/api/v1/devices/"+device, &v)
	return len(v.Points)
}

// populate lets every device speak three times.
func populate(b *testing.B, broker string) {
	b.Helper()
	g := load.New(load.Config{Devices: known, Start: time.Now().Add(-3 * time.Second), Every: 1 << 30})
	p, err := mqtt.NewPublisher(b.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: broker}})
	if err != nil {
		b.Fatal(err)
	}
	_, err = g.Run(b.Context(), load.Pace{Messages: 3 * known, Now: time.Now, Sleep: pause}, func(ctx context.Context, _ int, topic string, payload []byte) error {
		return p.Publish(ctx, topic, payload, false)
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
