package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

// The rules of the property tests use every kind of memory that the language has.
var propertyRules = []string{
	rule("hot", "pump", "pump.bearing", bearing),
	rule("trial", "pump", "motor.overload", "shadow: true\nseverity: low\nwhen: current > 7 A\nfor: 5s"),
	rule("dry", "pump", "pump.dry_run", "only_while: {when: running, after: 20s}\nthresholds:\n  - {severity: high, when: \"current < 3 A\", for: 10s, clear: \"current > 4 A\", clear_for: 30s}"),
	rule("press", "pump", "water.supply_pressure", "severity: medium\nwhen: running and discharge_pressure < 0.9 * pressure_setpoint\nfor: 40s\nclear_for: 20s"),
	rule("mean", "pump", "motor.overload", "severity: low\nwhen: avg(current, 2m) > 6 A\nfor: 30s"),
	rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak\nfor: 15s\nclear_for: 30s"),
	rule("start-fails", "pump", "pump.dry_run", "severity: critical\nwhen: held(run_command and not running, 10s)"),
	rule("door", "gate", "barrier.mechanism", "severity: medium\nwhen: count(obstruction, 3m) >= 3\nclear: count(obstruction, 3m) == 0"),
	rule("five", "pump", "pump.bearing", "severity: low\nwhen: n_of(vibration_rms > 4, 3, 5)"),
	rule("steep", "pump", "water.level", "severity: low\nwhen: rate(level, 2m) > 2 or delta(volume, 2m) > 3"),
	rule("flat", "pump", "comms.quality", "severity: low\nwhen: stuck(level, 90s) and running"),
	rule("moves", "gate", "access.power", "severity: low\nwhen: changed(gate_mode, 30s) and between(\"08:00\", \"08:30\")"),
	rule("quiet", "any", "comms.quality", "severity: low\nwhen: silent(3, 60s)\nclear_for: 20s"),
	rule("alone", "pump", "pump.dry_run", "severity: high\nwhen: run_command and not running and not any(siblings, held(running, 10s))"),
	rule("bank", "pump", "motor.overload", "severity: medium\nwhen: current > median(siblings, current) + 2 A or level < max(siblings, avg(level, 1m))\nfor: 15s"),
	rule("loses", "pump", "water.leak", "severity: low\nwhen: delta(volume, 2m) - sum(children, delta(volume, 2m)) > 3 m3"),
	rule("rope", "gate", "water.level", "severity: low\nwhen: water_leak and all(others, water_leak)"),
	rule("ignored", "pump", "pump.dry_run", "severity: medium\nwhen: unanswered(run_command, running, 15s)\nclear_for: 10s"),
	rule("jumps", "pump", "comms.quality", "severity: low\nwhen: count(spike(bearing_temp, 30 K, 10s), 2m) >= 2"),
	rule("usual", "pump", "energy.anomaly", "severity: low\nwhen: oddness(current) > 4 or hourly(current) > 6 A or current > 2 * usual(current)"),
	rule("night", "pump", "water.leak", "severity: low\nwhen: night_min(level) > 2 * night_usual(level) or night_min(level) > 4 m"),
	rule("soon", "pump", "pump.bearing", "severity: low\nwhen: time_to_limit(bearing_temp, 95 °C, 4m) < 1h"),
	rule("worn", "pump", "pump.bearing", "severity: low\nwhen: since_done(volume) > 20 m3"),
	rule("shift", "gate", "access.power", "severity: low\nwhen: changed(gate_mode, 30s) and (working() or not workday())"),
	rule("supply", "pump", "power.quality", "explains: [water.leak, pump.bearing, comms.quality]\nseverity: high\nwhen: running and current < 1 A\nfor: 5s"),
	rule("gas", "sensor", "gas.leak", "severity: critical\nwhen: gas_concentration >= 25 %LEL"),
}

type deviceKind struct {
	id, class, asset string
	interval         time.Duration
	points           []string
	timed            bool
}

var propertyDevices = []deviceKind{
	{"p1", "pump", "p1", 10 * time.Second, []string{"running", "run_command", "current", "bearing_temp", "level", "volume", "discharge_pressure", "pressure_setpoint"}, true},
	{"p2", "pump", "p2", 0, []string{"running", "current", "level", "vibration_rms", "volume"}, false},
	{"p3", "pump", "p3", 10 * time.Second, []string{"running", "current", "level", "volume"}, true},
	{"vib", "sensor", "p1", 20 * time.Second, []string{"vibration_rms", "water_leak", "current_l1", "current_l2", "current_l3"}, true},
	{"g1", "gate", "g1", 0, []string{"obstruction", "gate_mode", "a:water_leak", "b:water_leak"}, false},
	{"s1", "sensor", "s1", 15 * time.Second, []string{"gas_concentration", "water_leak"}, true},
}

// said is a reading that belongs to no registry yet.
type said struct {
	dev, point string
	t          int64
	value      float64
	text       string
	quality    devices.Quality
	flags      devices.Flags
}

type entry struct {
	rec  devices.Record
	said []said
}

// world is an engine with its own registry.
type world struct {
	reg *devices.Registry
	eng *Engine
	// ownAssets makes every device its own asset.
	ownAssets bool
	lateness  int64 // of every device
}

func newWorld(set *Set, site *devices.Site) *world {
	w := &world{reg: devices.NewRegistry()}
	w.eng = NewEngine(set, site, w.reg)
	return w
}

func (w *world) readings(list []said) []devices.Reading {
	var out []devices.Reading
	for _, s := range list {
		k := slices.IndexFunc(propertyDevices, func(d deviceKind) bool { return d.id == s.dev })
		spec := propertyDevices[k]
		d := w.reg.Lookup([]byte(s.dev))
		if d == nil {
			if w.ownAssets {
				spec.asset = spec.id
			}
			d = w.reg.Add(devices.Device{ID: spec.id, Class: spec.class, Asset: spec.asset, Interval: int64(spec.interval), Lateness: w.lateness})
		}
		var p *devices.Point
		if s.point == devices.AvailabilityPoint {
			p = d.Point(s.point)
		} else {
			name, roleName, ok := strings.Cut(s.point, ":")
			if !ok {
				roleName = name
			}
			r := devices.RoleByName(roleName)
			p = w.reg.AddPoint(d, devices.Point{Name: name, Role: r.Name, Unit: r.Unit, Kind: r.Kind})
		}
		out = append(out, devices.Reading{Point: p, Time: s.t, Value: s.value, Text: s.text, Quality: s.quality, Flags: s.flags})
	}
	return out
}

// edition is a configuration.
type edition struct {
	set  *Set
	site *devices.Site
}

// take applies an entry; the steps are the caller's.
func (w *world) take(e entry, set *Set) []Transition {
	return w.follow(e, edition{set, propertySite()})
}

// follow applies an entry under the configuration that is in force from it on.
func (w *world) follow(e entry, v edition) []Transition {
	if e.rec.Kind == devices.ConfigVersion {
		return slices.Clone(w.eng.Swap(&e.rec, v.set, v.site))
	}
	return slices.Clone(w.eng.Apply(&e.rec, w.readings(e.said)))
}

// drawJournal makes a random journal.
func drawJournal(t *rapid.T) []entry {
	n := rapid.IntRange(20, 200).Draw(t, "records")
	now := at(0)
	var out []entry
	for seq := range n {
		now += int64(rapid.IntRange(0, 25).Draw(t, "step")) * int64(time.Second) / 2
		e := entry{rec: devices.Record{Seq: uint64(seq + 1), Site: "site", Time: now, Connection: "c", Kind: devices.Messages}}
		switch rapid.IntRange(0, 30).Draw(t, "kind") {
		case 0:
			e.rec.Kind = devices.Start
		case 1:
			e.rec.Kind, e.rec.Link.Up = devices.LinkState, false
		case 2:
			e.rec.Kind, e.rec.Link.Up = devices.LinkState, true
		case 3, 4, 5, 6, 7:
			e.rec.Kind = devices.Tick
		case 9:
			e.rec.Kind = devices.ConfigVersion
		case 8:
			e.rec.Kind, e.rec.Fact = devices.FactRecord, drawFact(t, now)
		default:
			for range rapid.IntRange(1, 4).Draw(t, "messages") {
				e.said = append(e.said, drawMessage(t, now)...)
			}
		}
		out = append(out, e)
	}
	return out
}

func drawFact(t *rapid.T, now int64) *devices.Fact {
	f := &devices.Fact{ID: fmt.Sprint(rapid.IntRange(0, 1000).Draw(t, "fact")), At: time.Unix(0, now).UTC(), By: "kim"}
	f.Kind = rapid.SampledFrom([]devices.FactKind{devices.FactCleared, devices.FactCancelled, devices.FactWindow, devices.FactCheckedIn, devices.FactCheckedOut, devices.FactDone, devices.FactReplaced, devices.FactAccepted, devices.FactWindowEnded}).Draw(t, "what")
	f.Asset = rapid.SampledFrom([]string{"p1", "p2", "g1", "s1"}).Draw(t, "asset")
	f.FaultClass = rapid.SampledFrom([]string{"", "pump.bearing", "pump.dry_run", "gas.leak", "water.leak"}).Draw(t, "class")
	if f.Kind == devices.FactWindow || f.Kind == devices.FactCancelled && rapid.Bool().Draw(t, "until") {
		f.From, f.Until = f.At, f.At.Add(time.Duration(rapid.IntRange(10, 200).Draw(t, "long"))*time.Second)
	}
	if f.Kind == devices.FactWindow {
		f.ID = fmt.Sprint("w", rapid.IntRange(0, 3).Draw(t, "window"))
	}
	if f.Kind == devices.FactWindowEnded {
		f.Window = fmt.Sprint("w", rapid.IntRange(0, 3).Draw(t, "window"))
	}
	if f.Kind == devices.FactReplaced {
		f.Asset, f.Device, f.Replaces = "p1", rapid.SampledFrom([]string{"vib", "young"}).Draw(t, "device"), "s1"
	}
	return f
}

func drawMessage(t *rapid.T, now int64) []said {
	d := rapid.SampledFrom(propertyDevices).Draw(t, "device")
	if rapid.IntRange(0, 40).Draw(t, "lwt") == 0 {
		word := rapid.SampledFrom([]string{"online", "offline"}).Draw(t, "availability")
		return []said{{dev: d.id, point: devices.AvailabilityPoint, t: now, text: word, flags: devices.ReceiveTime}}
	}
	taken, flags := now, devices.ReceiveTime
	if d.timed {
		taken, flags = now-int64(rapid.IntRange(0, 40).Draw(t, "age"))*int64(time.Second)/4, 0
	}
	if rapid.IntRange(0, 30).Draw(t, "retained") == 0 {
		flags |= devices.RetainedMessage
	}
	var out []said
	for _, p := range d.points {
		if rapid.IntRange(0, 2).Draw(t, "has") == 0 {
			continue
		}
		s := said{dev: d.id, point: p, t: taken, flags: flags}
		_, roleName, ok := strings.Cut(p, ":")
		if !ok {
			roleName = p
		}
		switch r := devices.RoleByName(roleName); r.Kind {
		case devices.State:
			s.value = float64(rapid.IntRange(0, 1).Draw(t, "state"))
		case devices.Event:
			s.text = "seen"
		default:
			top := 9
			if p == "bearing_temp" || p == "gas_concentration" {
				top = 90
			}
			s.value = float64(rapid.IntRange(0, top).Draw(t, "value"))
		}
		if rapid.IntRange(0, 20).Draw(t, "bad") == 0 {
			s.quality = devices.Quality(rapid.IntRange(1, 2).Draw(t, "quality"))
		}
		out = append(out, s)
	}
	return out
}

// remembered is all that an engine remembers of its assets.
func remembered(e *Engine) []byte {
	var w writer
	for _, a := range e.sortedAssets() {
		e.writeAsset(&w, a)
	}
	return w.b
}

func propertySite() *devices.Site {
	return &devices.Site{ID: "site", Location: time.FixedZone("CST", 8*3600), Assets: []devices.Asset{
		{ID: "p1", Class: "pump", Parent: "room"}, {ID: "p2", Class: "pump", Parent: "p1"}, {ID: "p3", Class: "pump", Parent: "room"},
		{ID: "s1", Class: "sensor", FedBy: []string{"p1"}},
	}, Calendar: &devices.Calendar{Week: [7][]devices.Shift{time.Monday: {{Start: 8 * 60, End: 8*60 + 10}}}}}
}
