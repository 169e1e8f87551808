package backtest

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/devices/simulator"
)

// A town is a thousand devices that are copies of the demo's, each with a message
// of up to ten points a minute: what a healthy day of the demo says, over and over.
type town struct {
	site     *devices.Site
	points   [][]*devices.Point // of each device
	minutes  [][][]devices.Reading
	registry *devices.Registry
	now      time.Time
	minute   int
}

const (
	townDevices = 1000
	townPoints  = 10
)

func newTown(tb testing.TB, b *configs.Bundle) *town {
	tb.Helper()
	t := &town{registry: devices.NewRegistry(), now: time.Date(2026, 3, 2, 0, 0, 0, 0, b.Site.Location)}
	kinds, day := healthyDay(tb, b)
	t.minutes = day
	site := *b.Site
	site.Assets, site.Devices = nil, nil
	for n := 0; len(t.points) < townDevices; n++ {
		suffix := fmt.Sprintf("-%d", n)
		for _, a := range b.Site.Assets {
			a.ID += suffix
			a.FedBy = slices.Clone(a.FedBy)
			for i := range a.FedBy {
				a.FedBy[i] += suffix
			}
			if a.Parent != "" {
				a.Parent += suffix
			}
			site.Assets = append(site.Assets, a)
		}
		for k, d := range kinds {
			if len(t.points) == townDevices {
				break
			}
			own := t.registry.Add(devices.Device{ID: d.ID + suffix, Class: d.Class, Asset: d.Asset + suffix, Interval: int64(time.Minute)})
			var points []*devices.Point
			for _, r := range day[0][k] {
				p := *r.Point
				points = append(points, t.registry.AddPoint(own, devices.Point{Name: p.Name, Role: p.Role, Unit: p.Unit, Kind: p.Kind}))
			}
			t.points = append(t.points, points)
			site.Devices = append(site.Devices, devices.DeviceSpec{ID: own.ID, Asset: own.Asset, Class: own.Class, Interval: time.Minute})
		}
	}
	t.site = &site
	return t
}

// healthyDay is what each device of the demo says in each minute of a day.
func healthyDay(tb testing.TB, b *configs.Bundle) (kinds []*devices.Device, minutes [][][]devices.Reading) {
	tb.Helper()
	cfg := simulator.DemoEstate()
	cfg.Start, cfg.Location, cfg.Faults = time.Date(2026, 3, 2, 0, 0, 0, 0, b.Site.Location), b.Site.Location, nil
	e, err := simulator.New(cfg, 1)
	if err != nil {
		tb.Fatal(err)
	}
	reg := devices.NewRegistry()
	decoder := profile.NewDecoder(b.Profiles, b.Site, reg)
	newest := make(map[*devices.Point]devices.Reading)
	snapshot := func() {
		var now [][]devices.Reading
		for _, d := range kinds {
			var message []devices.Reading
			for _, p := range d.Points {
				if r, ok := newest[p]; ok && len(message) < townPoints {
					message = append(message, r)
				}
			}
			now = append(now, message)
		}
		minutes = append(minutes, now)
	}
	var batch profile.Batch
	next := cfg.Start.Add(time.Hour) // by then everything has been said
	e.Records(b.Site.ID, cfg.Start.Add(25*time.Hour), func(r *devices.Record) {
		batch.Reset()
		decoder.Decode(r, &batch)
		for _, rd := range batch.Readings {
			if rd.Quality == devices.Good && rd.Point.Role != "" && rd.Point.Kind != devices.Event && rd.Point.Kind != devices.Availability {
				newest[rd.Point] = rd
			}
		}
		for r.Time >= next.UnixNano() {
			if kinds == nil {
				for _, d := range reg.Devices() {
					if slices.ContainsFunc(d.Points, func(p *devices.Point) bool { _, ok := newest[p]; return ok }) {
						kinds = append(kinds, d)
					}
				}
			}
			snapshot()
			next = next.Add(time.Minute)
		}
	})
	// A point that was first said later is left out: a message always has the same points.
	for k := range kinds {
		names := minutes[0][k]
		for m := range minutes {
			minutes[m][k] = slices.DeleteFunc(minutes[m][k], func(r devices.Reading) bool {
				return !slices.ContainsFunc(names, func(o devices.Reading) bool { return o.Point == r.Point })
			})
			if len(minutes[m][k]) != len(names) {
				tb.Fatalf("%s says %d points in minute %d, %d in the first", kinds[k].ID, len(minutes[m][k]), m, len(names))
			}
		}
	}
	return kinds, minutes
}

// live says what all devices say in the next minute, spread over it.
func (t *town) live(feed *Feed) (readings int) {
	said := t.minutes[t.minute%len(t.minutes)]
	t.minute++
	step := time.Minute / townDevices
	for d, points := range t.points {
		at := t.now.Add(time.Duration(d) * step).UnixNano()
		for i, p := range points {
			r := said[d%len(said)][i]
			r.Point, r.Time = p, at
			feed.Add(r)
		}
		readings += len(points)
	}
	t.now = t.now.Add(time.Minute)
	return readings
}

// cpuTime is the processor time of the process: other work on the machine does not
// count, and all cores do.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkThousandDevices judges a minute of a thousand devices by all shipped
// rules an operation: 30 days are 43,200 of them.
func BenchmarkThousandDevices(b *testing.B) {
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("cores=%d", workers), func(b *testing.B) {
			bundle := estate(b)
			t := newTown(b, bundle)
			bt := New(Config{Site: t.site, Rules: bundle.Rules, Registry: t.registry, Workers: workers}, nil, false)
			feed := NewFeed(bt, "town")
			for range 60 { // bound, and past every start-up delay
				t.live(feed)
			}
			from, n := t.now, 0
			runtime.GC()
			b.ReportAllocs()
			spent, began := cpuTime(b), time.Now()
			for b.Loop() {
				n += t.live(feed)
			}
			feed.Flush()
			_, out := bt.Finish(Options{Site: t.site, Source: "csv", From: from, To: t.now, Warranty: time.Hour})
			used, took := cpuTime(b)-spent, time.Since(began)
			b.ReportMetric(float64(n)/used.Seconds(), "readings/cpu-s")
			b.ReportMetric(float64(n)/took.Seconds(), "readings/s")
			b.ReportMetric(float64(len(out.Steps)), "steps")
		})
	}
}

// BenchmarkReadTable reads a table in long form, without rules.
func BenchmarkReadTable(b *testing.B) {
	bundle := estate(b)
	t := newTown(b, bundle)
	var text bytes.Buffer
	text.WriteString("time,device,point,value,quality\n")
	rows := 0
	zone := bundle.Site.Location
	for m := range 10 {
		for d, points := range t.points {
			at := t.now.Add(time.Duration(m) * time.Minute).Add(time.Duration(d) * time.Minute / townDevices).In(zone).Format(time.RFC3339Nano)
			for i, p := range points {
				r := t.minutes[m][d%len(t.minutes[m])][i]
				v := fmt.Sprintf("%.2f", r.Value)
				if r.Text != "" {
					v = r.Text
				}
				fmt.Fprintf(&text, "%s,%s,%s,%s,good\n", at, p.Device.ID, p.Name, v)
				rows++
			}
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	spent := cpuTime(b)
	n := 0
	for b.Loop() {
		got := 0
		read, err := ReadTable(strings.NewReader(text.String()), NewInventory(t.site, bundle.Profiles), TableOptions{Location: zone, Room: 1000},
			func(devices.Reading) { got++ })
		if err != nil || read.Findings.HasErrors() || got == 0 {
			b.Fatalf("%d readings, %v, %v", got, err, read.Findings)
		}
		n += rows
	}
	b.ReportMetric(float64(n)/(cpuTime(b)-spent).Seconds(), "rows/cpu-s")
}
