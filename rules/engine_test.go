package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// epoch is where test time begins: midnight UTC, 08:00 in Shanghai.
var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) int64 { return epoch.Add(d).UnixNano() }

// bench is an engine with its journal at hand.
type bench struct {
	t    testing.TB
	set  *Set
	site *devices.Site
	reg  *devices.Registry
	eng  *Engine
	seq  uint64
	// log is every transition, one line each.
	log []string
	all []Transition
	// untimed readings carry no time of their own.
	untimed bool
}

func mustLoad(t testing.TB, yaml string) *Set {
	t.Helper()
	set, list := Load([]File{{Name: "test.yaml", Data: []byte(yaml)}}, LoadOptions{})
	if set == nil {
		t.Fatalf("rules do not load:\n%v", list.Err())
	}
	for _, d := range list {
		if d.Level == diag.Error {
			t.Fatal(d)
		}
	}
	return set
}

// rule writes one rule with what every rule needs.
func rule(id, class, fault, body string) string {
	return fmt.Sprintf("- id: %s\n  title: {en: %s, zh: %s}\n  class: %s\n  fault_class: %s\n  source: {text: test, mark: j}\n  %s\n",
		id, id, id, class, fault, strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n  "))
}

func newBench(t testing.TB, rules ...string) *bench {
	t.Helper()
	b := &bench{t: t, set: mustLoad(t, "rules:\n"+strings.Join(rules, ""))}
	b.site = &devices.Site{ID: "site", Location: time.FixedZone("CST", 8*3600)}
	b.reg = devices.NewRegistry()
	b.eng = NewEngine(b.set, b.site, b.reg)
	return b
}

// device registers a device with points "role" or "name:role".
func (b *bench) device(id, class string, interval time.Duration, points ...string) *devices.Device {
	d := b.reg.Add(devices.Device{ID: id, Class: class, Interval: int64(interval)})
	for _, p := range points {
		name, roleName, ok := strings.Cut(p, ":")
		if !ok {
			roleName = name
		}
		r := devices.RoleByName(roleName)
		if r == nil {
			b.t.Fatalf("no role %q", roleName)
		}
		b.reg.AddPoint(d, devices.Point{Name: name, Role: r.Name, Unit: r.Unit, Kind: r.Kind})
	}
	return d
}

func (b *bench) apply(rec devices.Record, readings ...devices.Reading) []Transition {
	b.seq++
	rec.Seq, rec.Site = b.seq, "site"
	out := b.eng.Apply(&rec, readings)
	b.note(out)
	return out
}

func (b *bench) note(out []Transition) {
	for _, tr := range out {
		b.log = append(b.log, line(tr))
		b.all = append(b.all, tr)
	}
}

// line writes a transition as the tests expect it.
func line(tr Transition) string {
	return fmt.Sprintf("%v %s %s %s %s onset=%v at=%v %s", tr.Episode.FaultClass, tr.Episode.Asset, tr.Phase, tr.Cause, tr.Severity,
		time.Duration(tr.Onset-epoch.UnixNano()), time.Duration(tr.At-epoch.UnixNano()), tr.Rule)
}

// say delivers one message of a device: values by point, taken at the time and
// received so much later.
func (b *bench) say(d *devices.Device, taken time.Duration, delay time.Duration, values ...any) []Transition {
	b.t.Helper()
	return b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(taken + delay)}, b.readings(d, taken, values...)...)
}

func (b *bench) readings(d *devices.Device, taken time.Duration, values ...any) []devices.Reading {
	b.t.Helper()
	var rs []devices.Reading
	for k := 0; k+1 < len(values); k += 2 {
		p := d.Point(values[k].(string))
		if p == nil {
			b.t.Fatalf("device %s has no point %v", d.ID, values[k])
		}
		r := devices.Reading{Point: p, Time: at(taken)}
		if b.untimed {
			r.Flags = devices.ReceiveTime
		}
		switch v := values[k+1].(type) {
		case float64:
			r.Value = v
		case int:
			r.Value = float64(v)
		case bool:
			if v {
				r.Value = 1
			}
		case string:
			r.Text = v
		case devices.Quality:
			r.Quality = v
		}
		rs = append(rs, r)
	}
	return rs
}

// idle lets journal time pass with a time record every second.
func (b *bench) idle(from, to time.Duration) {
	for t := from; t <= to; t += time.Second {
		b.apply(devices.Record{Kind: devices.Tick, Time: at(t)})
	}
}

func (b *bench) link(t time.Duration, up bool) {
	b.apply(devices.Record{Kind: devices.LinkState, Connection: "c", Time: at(t), Link: devices.Link{Up: up}})
}

func (b *bench) start(t time.Duration) {
	b.apply(devices.Record{Kind: devices.Start, Time: at(t)})
}

func (b *bench) fact(t time.Duration, f devices.Fact) {
	if f.At.IsZero() {
		f.At = epoch.Add(t)
	}
	b.apply(devices.Record{Kind: devices.FactRecord, Time: at(t), Fact: &f})
}

// restart goes on with an engine that is restored from a checkpoint.
func (b *bench) restart() {
	b.t.Helper()
	chunks := make([][]byte, Chunks)
	for _, c := range b.eng.DirtyChunks(nil) {
		chunks[c] = b.eng.AppendChunk(c, nil)
	}
	b.reg = devices.NewRegistry()
	b.eng = NewEngine(b.set, b.site, b.reg)
	if err := b.eng.Restore(chunks); err != nil {
		b.t.Fatal(err)
	}
}

// want compares the whole log, and empties it.
func (b *bench) want(lines ...string) {
	b.t.Helper()
	got, exp := strings.Join(b.log, "\n"), strings.Join(lines, "\n")
	if got != exp {
		b.t.Fatalf("transitions:\n%s\nwant:\n%s", got, exp)
	}
	b.log = nil
}

const bearing = `
thresholds:
  - {severity: medium, when: "bearing_temp > 70 °C", for: 5m, clear: "bearing_temp < 65 °C", clear_for: 2m}
  - {severity: high, when: "bearing_temp > 80 °C", for: 1m, clear: "bearing_temp < 75 °C", clear_for: 1m}
`

func TestThresholdsOfOneRuleAreOneEpisode(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing))
	d := b.device("p1", "pump", 30*time.Second, "bearing_temp")
	temps := []struct {
		minute int
		v      float64
	}{{0, 60}, {1, 72}, {5, 73}, {6, 74}, {8, 85}, {9, 86}, {10, 73}, {11, 72}, {12, 60}, {13, 60}, {14, 60}}
	for _, x := range temps {
		b.say(d, time.Duration(x.minute)*time.Minute, time.Second, "bearing_temp", x.v)
	}
	b.want(
		"pump.bearing p1 active condition_held medium onset=1m0s at=6m0s hot",
		"pump.bearing p1 active severity_changed high onset=1m0s at=9m0s hot",
		"pump.bearing p1 active severity_changed medium onset=1m0s at=11m0s hot",
		"pump.bearing p1 cleared clear_held medium onset=1m0s at=14m0s hot",
	)
}

func TestBriefPeakDoesNotStart(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing))
	d := b.device("p1", "pump", 30*time.Second, "bearing_temp")
	for m := range 20 {
		v := 60.0
		if m%4 != 0 {
			v = 72
		}
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", v)
	}
	b.want()
}

// Pain 3: a fault, a day of silence, then healthy: nothing clears in silence, and
// once when it is over.
func TestPain3SilenceIsNotRecovery(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing),
		rule("quiet", "any", "comms.quality", "severity: low\nwhen: silent(3, 5m)\nclear_for: 2m"))
	d := b.device("p1", "pump", 30*time.Second, "bearing_temp")
	for s := 0; s <= 360; s += 30 {
		b.say(d, time.Duration(s)*time.Second, time.Second, "bearing_temp", 75.0)
	}
	b.want("pump.bearing p1 active condition_held medium onset=0s at=5m0s hot")
	b.idle(6*time.Minute+2*time.Second, 24*time.Hour)
	b.want(
		"comms.quality p1 active condition_held low onset=11m1s at=11m1s quiet",
		"pump.bearing p1 active_without_data inputs_unknown medium onset=0s at=11m0.000000001s hot",
	)
	for s := 0; s <= 300; s += 30 {
		b.say(d, 24*time.Hour+time.Duration(s)*time.Second, time.Second, "bearing_temp", 50.0)
	}
	b.want(
		"pump.bearing p1 active inputs_known medium onset=0s at=24h0m0s hot",
		"comms.quality p1 cleared clear_held low onset=11m1s at=24h2m1s quiet",
		"pump.bearing p1 cleared clear_held medium onset=0s at=24h2m0s hot",
	)
}
