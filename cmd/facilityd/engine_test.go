package main

import (
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/rules"
)

// A tape is what the demo estate says in an hour of a working day, decoded with
// the shipped profiles: every class of device with its own points, rhythm and
// noise.
type tape struct {
	site *devices.Site
	reg  *devices.Registry
	said []spoken
}

// spoken is one message of one device.
type spoken struct {
	time     int64
	readings []devices.Reading
}

const tapeLength = time.Hour

// anHour is what the demo estate says in an hour of a working day.
func anHour(b testing.TB, take func(*devices.Record)) {
	cfg := simulator.DemoEstate()
	cfg.Start = time.Date(2026, 4, 13, 1, 0, 0, 0, time.UTC) // nine o'clock on a Monday
	e, err := simulator.New(cfg, 1)
	if err != nil {
		b.Fatal(err)
	}
	e.Records("demo", cfg.Start.Add(tapeLength), take)
}

func newTape(b testing.TB) *tape {
	t := &tape{site: demoSite(b), reg: devices.NewRegistry()}
	decoder := profile.NewDecoder(shippedProfiles(b), t.site, t.reg)
	var batch profile.Batch
	anHour(b, func(r *devices.Record) {
		batch.Reset()
		decoder.Decode(r, &batch)
		for rs := batch.Readings; len(rs) > 0; {
			n := 1
			for n < len(rs) && rs[n].Point.Device == rs[0].Point.Device && rs[n].Time == rs[0].Time {
				n++
			}
			t.said = append(t.said, spoken{r.Time, slices.Clone(rs[:n])})
			rs = rs[n:]
		}
	})
	return t
}

// A crowd is one engine with many estates that say what is on the tape.
type crowd struct {
	tape    *tape
	site    *devices.Site
	reg     *devices.Registry
	eng     *rules.Engine
	set     *rules.Set
	copies  int
	points  []*devices.Point // of the estate, each in all copies: as they speak
	rec     devices.Record
	rs      []devices.Reading
	next    int   // on the tape
	rounds  int64 // how often the tape was played
	devices int
	kinds   devices.Kind // of what was said: keeps the reading of it alive
}

func newCrowd(set *rules.Set, t *tape, n int) *crowd {
	c := &crowd{tape: t, reg: devices.NewRegistry(), set: set}
	c.copies = n / len(t.reg.Devices())
	c.devices = c.copies * len(t.reg.Devices())
	site := *t.site
	site.Assets, site.Devices = nil, nil
	for k := range c.copies {
		own := func(id string) string {
			if id == "" {
				return ""
			}
			return fmt.Sprintf("%s-%04d", id, k)
		}
		for _, a := range t.site.Assets {
			a.ID, a.Parent, a.FedBy = own(a.ID), own(a.Parent), slices.Clone(a.FedBy)
			for i := range a.FedBy {
				a.FedBy[i] = own(a.FedBy[i])
			}
			site.Assets = append(site.Assets, a)
		}
		// The points of the copies lie as those of the original.
		for _, p := range t.reg.Points() {
			d := *p.Device
			d.ID, d.Asset = own(d.ID), own(d.Asset)
			q := *p
			c.reg.AddPoint(c.reg.Add(d), q)
		}
	}
	all := c.reg.Points()
	for idx := range t.reg.Points() {
		for k := range c.copies {
			c.points = append(c.points, all[k*len(t.reg.Points())+idx])
		}
	}
	c.site = &site
	c.eng = rules.NewEngine(c.set, c.site, c.reg)
	c.rec = devices.Record{Kind: devices.Messages, Connection: "c"}
	return c
}

// play has the engine take what every estate says next, for so long.
func (c *crowd) play(length time.Duration) {
	c.tell(length, func(rs []devices.Reading) {
		c.rec.Seq++
		c.eng.Apply(&c.rec, rs)
	})
}

// idle makes the same messages for nobody.
func (c *crowd) idle(length time.Duration) {
	next, rounds := c.next, c.rounds
	c.tell(length, func([]devices.Reading) {})
	c.next, c.rounds = next, rounds
}

// tell makes the next records of the tape.
func (c *crowd) tell(length time.Duration, take func([]devices.Reading)) {
	end := c.now() + int64(length)
	for c.now() < end {
		m := &c.tape.said[c.next]
		shift := c.rounds * int64(tapeLength)
		c.rec.Time = m.time + shift
		c.rs = c.rs[:0]
		for k := range c.copies {
			for _, r := range m.readings {
				r.Point = c.points[int(r.Point.Index)*c.copies+k]
				c.kinds |= r.Point.Kind // the decoder looks at it too
				r.Time += shift
				c.rs = append(c.rs, r)
			}
			// A record of the journal holds many messages when there is much to do.
			if k%16 == 15 || k == c.copies-1 {
				take(c.rs)
				c.rs = c.rs[:0]
			}
		}
		if c.next++; c.next == len(c.tape.said) {
			c.next, c.rounds = 0, c.rounds+1
		}
	}
}

// now is the time of the next message.
func (c *crowd) now() int64 {
	return c.tape.said[c.next].time + c.rounds*int64(tapeLength)
}

// spent is the processor time of the process: other work on the machine does not
// count.
func spent(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEstates is the cost of a reading, and the bytes of state of a point, with
// the devices of the demo estate many times over: a thousand devices, whose state is
// in the processor's cache when it does nothing else, and a hundred thousand take turns,
// so that whatever else the machine does slows both. What making the messages costs
// is measured on its own and taken off. Without rules the engine only remembers what
// every point said last. BenchmarkChain is about an engine that has a decoder before it.
func BenchmarkEstates(b *testing.B) {
	b.Run("rules=shipped", func(b *testing.B) { benchmarkEstates(b, shippedRules(b)) })
	b.Run("rules=none", func(b *testing.B) { benchmarkEstates(b, rules.SetOf()) })
}

func benchmarkEstates(b *testing.B, set *rules.Set) {
	t := newTape(b)
	var crowds [2]*crowd
	var state [2]float64
	var was [2]rules.Stats
	for k, n := range []int{1_000, 100_000} {
		var before, after runtime.MemStats
		c := newCrowd(set, t, n)
		runtime.GC()
		runtime.ReadMemStats(&before)
		c.play(tapeLength) // by then everything has been said once
		runtime.GC()
		runtime.ReadMemStats(&after)
		state[k] = float64(after.HeapAlloc - before.HeapAlloc)
		crowds[k], was[k] = c, c.eng.Stats()
	}
	var cpu, made [2]time.Duration
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		for range 10 {
			for k, length := range []time.Duration{50 * time.Minute, 30 * time.Second} {
				began := spent(b)
				crowds[k].idle(length)
				between := spent(b)
				crowds[k].play(length)
				made[k] += between - began
				cpu[k] += spent(b) - between
			}
		}
	}
	runtime.ReadMemStats(&after)
	var cost [2]float64
	all := 0.0
	for k, name := range []string{"1k", "100k"} {
		c, is := crowds[k], crowds[k].eng.Stats()
		readings := float64(is.Readings - was[k].Readings)
		all += readings
		cost[k] = float64((cpu[k] - made[k]).Nanoseconds()) / readings
		b.ReportMetric(cost[k], "cpu-ns/reading-"+name)
		b.ReportMetric(float64(is.Evaluations-was[k].Evaluations)/readings, "evaluations/reading-"+name)
		b.ReportMetric(state[k]/float64(len(c.reg.Points())), "B/point-"+name)
	}
	b.ReportMetric(cost[1]/cost[0], "growth")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/all, "allocs/reading")
	b.ReportMetric(float64(len(t.reg.Points()))/float64(len(t.reg.Devices())), "points/device")
	runtime.KeepAlive(crowds)
}

// BenchmarkRestartOfEstates is what a restart with a hundred thousand devices
// takes: reading the checkpoint, and the first record after it.
func BenchmarkRestartOfEstates(b *testing.B) {
	c := newCrowd(shippedRules(b), newTape(b), 100_000)
	c.play(20 * time.Minute)
	var chunks [rules.Chunks][]byte
	size, began := 0, spent(b)
	for _, k := range c.eng.DirtyChunks(nil) {
		chunks[k] = c.eng.AppendChunk(k, nil)
		size += len(chunks[k])
	}
	write := spent(b) - began
	open := len(c.eng.Episodes())
	c.eng, c.reg = nil, nil // a daemon that starts has no other engine
	runtime.GC()
	var restore, first time.Duration
	for b.Loop() {
		reg := devices.NewRegistry()
		began := spent(b)
		eng := rules.NewEngine(c.set, c.site, reg)
		if err := eng.Restore(chunks[:]); err != nil {
			b.Fatal(err)
		}
		restore += spent(b) - began
		began = spent(b)
		m := &c.tape.said[c.next]
		rec := devices.Record{Seq: eng.Position() + 1, Kind: devices.Messages, Connection: "c", Time: m.time}
		var rs []devices.Reading
		for _, r := range m.readings {
			d := reg.Lookup([]byte(r.Point.Device.ID + "-0000"))
			r.Point = d.Point(r.Point.Name)
			rs = append(rs, r)
		}
		eng.Apply(&rec, rs)
		first += spent(b) - began
		if is := len(eng.Episodes()); is != open {
			b.Fatalf("%d episodes were open, %d are", open, is)
		}
	}
	b.ReportMetric(restore.Seconds()/float64(b.N), "cpu-s/restore")
	b.ReportMetric(first.Seconds()*1e3/float64(b.N), "cpu-ms/first-record")
	b.ReportMetric(write.Seconds(), "cpu-s/write")
	b.ReportMetric(float64(size)/float64(c.devices), "B/device")
}

// shippedRules loads the rules that ship.
func shippedRules(b testing.TB) *rules.Set {
	var files []rules.File
	names, err := fs.Glob(daemon.Shipped().Rules, "*.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(daemon.Shipped().Rules, name)
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, rules.File{Name: name, Data: data})
	}
	set, list := rules.Load(files, rules.LoadOptions{})
	if err := list.Err(); err != nil {
		b.Fatal(err)
	}
	return set
}
