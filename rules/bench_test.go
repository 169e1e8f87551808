package rules

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// benchRules are twenty rules on a pump of seven points, of the kinds that ship.
func benchRules() []string {
	list := []string{
		rule("hot", "pump", "pump.bearing", bearing),
		rule("dry", "pump", "pump.dry_run", "only_while: {when: running, after: 20s}\nseverity: high\nwhen: current < 3 A\nfor: 10s\nclear: current > 4 A\nclear_for: 30s"),
		rule("press", "pump", "water.supply_pressure", "only_while: {when: running, after: 60s}\nseverity: medium\nwhen: discharge_pressure < 0.9 * pressure_setpoint\nfor: 40s\nclear_for: 20s"),
		rule("mean", "pump", "motor.overload", "severity: low\nwhen: avg(current, 10m) > 60 A\nfor: 30s"),
		rule("quiet", "any", "comms.quality", "severity: low\nwhen: silent(3, 5m)\nclear_for: 2m"),
	}
	roles := []string{"bearing_temp", "current", "vibration_rms", "discharge_pressure", "level"}
	for k := range 15 {
		list = append(list, rule(fmt.Sprintf("over-%d", k), "pump", FaultClasses[k].ID,
			fmt.Sprintf("severity: medium\nwhen: %s > %d\nfor: 1m\nclear: %s < %d\nclear_for: 5m", roles[k%len(roles)], 1000+k, roles[k%len(roles)], 900)))
	}
	return list
}

// fleet is an engine with n pumps.
type fleet struct {
	eng   *Engine
	pumps []*devices.Device
	rec   devices.Record
	rs    []devices.Reading // reused, as a decoder does
}

func newFleet(b testing.TB, n int, rules ...string) *fleet {
	set := mustLoad(b, "rules:\n"+strings.Join(rules, ""))
	reg := devices.NewRegistry()
	f := &fleet{eng: NewEngine(set, &devices.Site{ID: "site"}, reg)}
	points := []string{"running", "bearing_temp", "current", "vibration_rms", "discharge_pressure", "pressure_setpoint", "level"}
	for k := range n {
		d := reg.Add(devices.Device{ID: fmt.Sprintf("pump-%06d", k), Class: "pump", Interval: int64(time.Minute)})
		for _, name := range points {
			r := devices.RoleByName(name)
			reg.AddPoint(d, devices.Point{Name: name, Role: name, Unit: r.Unit, Kind: r.Kind})
		}
		f.pumps = append(f.pumps, d)
	}
	f.rec = devices.Record{Kind: devices.Messages, Connection: "c"}
	return f
}

// say feeds one message of one device.
func (f *fleet) say(k int, seq uint64, t int64) {
	f.rec.Seq, f.rec.Time = seq, t
	f.rs = f.rs[:0]
	for _, p := range f.pumps[k].Points[1:] {
		f.rs = append(f.rs, devices.Reading{Point: p, Time: t, Value: 5 + float64(seq%7)/10})
	}
	f.eng.Apply(&f.rec, f.rs)
}

func benchmarkApply(b *testing.B, n int, rules []string) {
	f := newFleet(b, n, rules...)
	t, seq := at(0), uint64(0)
	step := int64(time.Minute) / int64(n)
	for range 3 {
		for k := range n {
			seq++
			t += step
			f.say(k, seq, t)
		}
	}
	before := f.eng.Stats()
	runtime.GC()
	b.ReportAllocs()
	spent := cpuTime(b)
	k := 0
	for b.Loop() {
		seq++
		t += step
		f.say(k, seq, t)
		if k++; k == n {
			k = 0
		}
	}
	after := f.eng.Stats()
	if after.Transitions != before.Transitions {
		b.Fatalf("the benchmark is not quiet: %d transitions", after.Transitions-before.Transitions)
	}
	ns := float64((cpuTime(b) - spent).Nanoseconds())
	b.ReportMetric(ns/float64(after.Readings-before.Readings), "cpu-ns/reading")
	if n := after.Evaluations - before.Evaluations; n > 0 {
		b.ReportMetric(ns/float64(n), "cpu-ns/evaluation")
	}
}

// cpuTime is the processor time of the process: other work on the machine does
// not count.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTwentyRules1k(b *testing.B)   { benchmarkApply(b, 1000, benchRules()) }
func BenchmarkTwentyRules100k(b *testing.B) { benchmarkApply(b, 100_000, benchRules()) }

// BenchmarkUninteresting is the cost of readings that no rule looks at.
func BenchmarkUninteresting(b *testing.B) {
	benchmarkApply(b, 1000, []string{rule("gas", "sensor", "gas.leak", "severity: critical\nwhen: gas_concentration > 25 %LEL")})
}

// BenchmarkMemory reports the bytes of state per point.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		var before, after runtime.MemStats
		f := newFleet(b, n, benchRules()...)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for k := range n {
			f.say(k, uint64(k+1), at(time.Duration(k)*time.Millisecond))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(n*7), "B/point")
		runtime.KeepAlive(f)
	}
}
