package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
	"github.com/facilityd/facilityd/devices/simulator/load"
)

// backlog is how many messages of seven points each drain takes, from a thousand
// devices.
const backlog = 200_000

// benchRules are twenty rules on the points of the load. None of them opens an
// order here but the last, and that one not in the backlog.
func benchRules() string {
	text := "rules:\n"
	for i, c := range []string{
		"current > 90", "current < 1", "power > 90", "power < 0.1", "flow < 1", "flow > 900", "discharge_pressure < 0.5",
		"discharge_pressure > 50", "vibration_rms > 90", "vibration_rms > 40 and flow > 500", "bearing_temp > 200",
		"bearing_temp < 1 and current > 5", "flow < 2 and current > 5", "power > 50 and flow < 10", "current > 80 and vibration_rms > 20",
		"discharge_pressure < 1 and flow > 1", "bearing_temp > 180 or vibration_rms > 80", "flow > 800 and power < 1", "abs(current) > 500",
	} {
		text += drainRule(fmt.Sprintf("bench-%02d", i+1), "pump.bearing", c, "60s")
	}
	return text + drainRule("bench-20", "motor.overload", "bearing_temp > 70", "10m")
}

func drainRule(id, fault, when, delay string) string {
	return fmt.Sprintf(`  - id: %s
    title: {en: %s, zh: %s}
    class: pump
    fault_class: %s
    source: {text: benchmark, mark: j}
    thresholds:
      - {severity: low, when: %q, for: %s}
`, id, id, id, fault, when, delay)
}

const drainSite = "site: bench\nname: Bench\ntime_zone: UTC\n"

// BenchmarkDrain measures how fast a backlog in one Mosquitto is taken: by a
// bare subscriber that only counts, and by the whole daemon, which journals with
// the flush on, acknowledges, decodes and evaluates twenty rules. The two take
// turns; their ratio is what counts.
//
//	go test -run '^$' -bench Drain -benchtime 3x ./cmd/facilityd/e2e
func BenchmarkDrain(b *testing.B) {
	broker := mosquittotest.Start(b, mosquittotest.Options{Config: mosquittotest.ForLoad})
	dir := b.TempDir()
	writeBench(b, dir, broker.URL())
	daemon := Start(b, program, "run", "--config", dir+"/facilityd.yaml")
	idle := usage(daemon)
	if err := daemon.Stop(); err != nil {
		b.Fatal(err)
	}
	session(b, broker.URL(), "bare")

	var bare, whole []sample
	for b.Loop() {
		publishBacklog(b, broker.URL())
		bare = append(bare, drainBare(b, broker.URL()))
		whole = append(whole, drainDaemon(b, daemon, idle))
	}
	report(b, "bare", bare)
	report(b, "whole", whole)
	ratios := make([]float64, len(bare))
	for i := range bare {
		ratios[i] = whole[i].rate / bare[i].rate
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

// sample is one drain.
type sample struct{ rate, cpu, bytes float64 } // messages/s; µs and bytes per message

func report(b *testing.B, name string, s []sample) {
	field := func(f func(sample) float64) float64 {
		v := make([]float64, len(s))
		for i := range s {
			v[i] = f(s[i])
		}
		return median(v)
	}
	b.ReportMetric(field(func(s sample) float64 { return s.rate }), name+"-msg/s")
	b.ReportMetric(field(func(s sample) float64 { return s.cpu }), name+"-cpu-us/msg")
	b.ReportMetric(field(func(s sample) float64 { return s.bytes }), name+"-B/msg")
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func writeBench(b *testing.B, dir, url string) {
	b.Helper()
	writeIn(b, dir, map[string]string{
		"site.yaml":        drainSite,
		"rules/bench.yaml": benchRules(),
		"facilityd.yaml": "data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nlog: {level: warn}\n" +
			"broker: {url: " + url + ", client_id: whole, topics: [\"facility/#\"]}\njournal: {reserve: 64MB}\nrules: {dir: rules, shipped: false}\n",
	})
}

// session makes a broker keep messages for a client that is away.
func session(b *testing.B, url, id string) {
	b.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(url).SetClientID(id).SetCleanSession(false))
	for _, step := range []func() paho.Token{c.Connect, func() paho.Token { return c.Subscribe("facility/#", 1, nil) }} {
		if t := step(); t.Wait() && t.Error() != nil {
			b.Fatal(t.Error())
		}
	}
	c.Disconnect(100)
}

func publishBacklog(b *testing.B, url string) {
	b.Helper()
	g := load.New(load.Config{Devices: 1000, Start: time.Now().Add(-time.Hour), Every: 1 << 30, Name: fmt.Sprintf("load%d", rand.Uint32N(1000))})
	p, err := mqtt.NewPublisher(b.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: url}})
	if err != nil {
		b.Fatal(err)
	}
	_, err = g.Run(b.Context(), load.Pace{Messages: backlog, Now: time.Now, Sleep: pause}, func(ctx context.Context, _ int, topic string, payload []byte) error {
		return p.Publish(ctx, topic, payload, false)
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func drainBare(b *testing.B, url string) sample {
	b.Helper()
	runtime.GC()
	var n atomic.Int64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	began := time.Now()
	stop, err := mqtt.CountOnly(mqtt.Broker{URL: url, ClientID: "bare"}, "facility/#", &n)
	if err != nil {
		b.Fatal(err)
	}
	for n.Load() < backlog {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	used := cpuTime() - cpu
	runtime.ReadMemStats(&after)
	stop()
	return sample{backlog / took.Seconds(), used.Seconds() * 1e6 / backlog, float64(after.TotalAlloc-before.TotalAlloc) / backlog}
}

// cost is what a process used since it began.
type cost struct{ cpu, bytes float64 }

func usage(d *Daemon) cost {
	return cost{d.Metric("process_cpu_seconds_total"), d.Metric("go_memstats_alloc_bytes_total")}
}

// drainDaemon starts the daemon on its waiting session. The time runs from the
// first look at which messages have arrived to the last message being judged, so
// that reading the configuration does not count.
func drainDaemon(b *testing.B, d *Daemon, idle cost) sample {
	b.Helper()
	before := 0.0
	d.Launch()
	d.Until("facilityd listens", func() bool { return d.Address("board") != "" })
	var began time.Time
	d.Until("the backlog is drained", func() bool {
		n := d.Metric("facilityd_engine_messages_total")
		if began.IsZero() && n > 0 {
			began, before = time.Now(), n
		}
		return n >= backlog
	})
	took := time.Since(began)
	used := usage(d)
	if err := d.Stop(); err != nil {
		b.Fatal(err)
	}
	return sample{
		(backlog - before) / took.Seconds(), (used.cpu - idle.cpu) * 1e6 / backlog, (used.bytes - idle.bytes) / backlog,
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLive runs publishers and daemon side by side and measures the time
// from publishing a fault to its order in the database, while the load goes on.
//
//	go test -run '^$' -bench Live -benchtime 50x ./cmd/facilityd/e2e
func BenchmarkLive(b *testing.B) {
	broker := mosquittotest.Start(b, mosquittotest.Options{Config: mosquittotest.ForLoad})
	dir := b.TempDir()
	writeBench(b, dir, broker.URL())
	writeIn(b, dir, map[string]string{"rules/live.yaml": "rules:\n" + drainRule("live", "power.overload", "winding_temp > 100", "0s")})
	daemon := Start(b, program, "run", "--config", dir+"/facilityd.yaml")
	p, err := mqtt.NewPublisher(b.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: broker.URL()}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var load sync.WaitGroup
	load.Add(1)
	var sent atomic.Int64
	go func() {
		defer load.Done()
		runLoad(ctx, p, &sent)
	}()
	began, judged := time.Now(), daemon.Metric("facilityd_engine_messages_total")
	var latency []float64
	i := 0
	for b.Loop() {
		i++
		asset := fmt.Sprintf("hot-%04d", i)
		at := time.Now()
		payload := fmt.Appendf(nil, `{"time":%q,"winding_temp":140}`, at.UTC().Format(time.RFC3339Nano))
		if err := p.Publish(ctx, "facility/pump/"+asset+"/telemetry", payload, false); err != nil {
			b.Fatal(err)
		}
		daemon.Until("the order of "+asset, func() bool {
			return len(All[struct{ Asset string }](daemon, "/api/v1/work-orders", url.Values{"asset": {asset}})) > 0
		})
		latency = append(latency, float64(time.Since(at).Milliseconds()))
	}
	rate := (daemon.Metric("facilityd_engine_messages_total") - judged) / time.Since(began).Seconds()
	stop()
	load.Wait()
	slices.Sort(latency)
	b.ReportMetric(rate, "msg/s")
	b.ReportMetric(latency[len(latency)/2], "p50-ms")
	b.ReportMetric(latency[len(latency)*99/100], "p99-ms")
	b.ReportMetric(daemon.Metric("facilityd_mqtt_rejected_messages_total"), "rejected")
	b.ReportMetric(0, "ns/op")
}

// runLoad publishes as fast as the broker confirms, until the context ends.
func runLoad(ctx context.Context, p *mqtt.Publisher, sent *atomic.Int64) {
	g := load.New(load.Config{Devices: 1000, Start: time.Now(), Every: 1 << 30})
	_, _ = g.Run(ctx, load.Pace{Now: time.Now, Sleep: pause}, func(ctx context.Context, _ int, topic string, payload []byte) error {
		sent.Add(1)
		return p.Publish(ctx, topic, payload, false)
	})
}
