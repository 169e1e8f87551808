package rules

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

const quarter = 15 * time.Minute

var oddPump = rule("odd", "pump", "pump.bearing",
	"only_while: {when: running, after: 1m}\nseverity: low\nwhen: anomaly(vibration_rms, bearing_temp, 15m)\nbudget: 1 per asset per month\nclear_for: 3h")

// pumpLife is what a pump says every five minutes: off at night, and a bearing that
// creeps from the given time on, by share per day.
type pumpLife struct {
	b     *bench
	d     *devices.Device
	rng   *rand.Rand
	creep time.Duration
	share float64
}

func newPumpLife(t testing.TB, rules ...string) *pumpLife {
	b := newBench(t, rules...)
	return &pumpLife{b: b, d: b.device("p1", "pump", 5*time.Minute, "running", "vibration_rms", "bearing_temp"), rng: rand.New(rand.NewPCG(1, 2)), creep: math.MaxInt64}
}

func (p *pumpLife) live(from, to time.Duration) {
	for now := from; now < to; now += 5 * time.Minute {
		running, vibration := 1.0, 1.5
		temp := 42 + 0.3*p.rng.NormFloat64()
		if now > p.creep {
			vibration *= 1 + p.share*min(now-p.creep, 8*days).Hours()/24
		}
		vibration += 0.03 * p.rng.NormFloat64()
		if h := now % (24 * time.Hour) / time.Hour; h < 4 {
			running, vibration, temp = 0, 0.08, 25
		}
		p.b.say(p.d, now, 0, "running", running, "vibration_rms", vibration, "bearing_temp", temp)
	}
}

const days = 24 * time.Hour

func (b *bench) opened() []Transition {
	return slices.DeleteFunc(slices.Clone(b.all), func(tr Transition) bool { return tr.Cause != CauseHeld })
}

// TestAnomalyOpensWithItsReason: what creeps gets an order once enough was seen; the
// nights in which the pump is off do not, and the evidence says what is odd.
func TestAnomalyOpensWithItsReason(t *testing.T) {
	p := newPumpLife(t, oddPump)
	p.live(0, 20*days)
	if len(p.b.all) > 0 {
		t.Fatalf("while all was well: %v", p.b.log)
	}
	p.creep, p.share = 20*days, 0.1
	p.live(20*days, 24*days)
	got := p.b.opened()
	if len(got) != 1 {
		t.Fatalf("%d orders: %v", len(got), p.b.log)
	}
	ev := got[0].Evidence
	for lang, want := range map[string]string{ev.Reason.EN: "odd: Vibration velocity, RMS rose to", ev.Reason.ZH: "odd：振动速度有效值升至"} {
		if !strings.HasPrefix(lang, want) || !strings.Contains(lang, "mm/s") {
			t.Errorf("reason %q, want %q and its unit", lang, want)
		}
	}
	if ev.Inputs[0].Role != "vibration_rms" || ev.Series[0].Point != "vibration_rms" || ev.Series[0].Limit == nil || len(ev.Series[0].Times) < 10 {
		t.Errorf("what carried it does not come first, with its past and the edge of the usual: %+v %+v", ev.Inputs, ev.Series)
	}
	if !strings.HasPrefix(ev.Threshold, "budget = 1 per asset per month; strength ") {
		t.Errorf("threshold %q", ev.Threshold)
	}
	for _, s := range p.b.eng.Detectors("p1") {
		if !s.Known || !s.Anomalous || !s.Due || s.Score < 0.5 {
			t.Errorf("%+v", s)
		}
	}
}

// TestAnomalyIsUnknownUntilItKnows: an oddity in the first days opens nothing, and the
// condition is unknown, not false.
func TestAnomalyIsUnknownUntilItKnows(t *testing.T) {
	p := newPumpLife(t, oddPump)
	p.creep, p.share = 3*days, 1
	p.live(0, 6*days)
	if len(p.b.all) > 0 {
		t.Fatal(p.b.log)
	}
	p.b.say(p.d, 6*days+10*time.Hour, 0, "running", 1.0, "vibration_rms", 1.5)
	p.b.say(p.d, 6*days+11*time.Hour, 0, "running", 1.0, "vibration_rms", 1.5)
	if x := p.b.explain("p1", "odd"); x.Thresholds[0].Value != Unknown || x.State != Blind {
		t.Errorf("%s, the condition is %v after six days", x.State, x.Thresholds[0].Value)
	}
}

// TestAnomalyHearsPeople: what a person accepts is normal from then on; after a repair
// the level that follows is; a false alarm makes its like dearer. Nothing is learnt
// while the fault is open.
func TestAnomalyHearsPeople(t *testing.T) {
	signal := strings.Replace(oddPump, "vibration_rms, bearing_temp, 15m", "vibration_rms, 15m", 1)
	for name, c := range map[string]struct {
		rule string
		fact []devices.Fact
	}{
		"accepted, joint":  {oddPump, []devices.Fact{{Kind: devices.FactAccepted}}},
		"accepted, signal": {signal, []devices.Fact{{Kind: devices.FactAccepted}}},
		"repaired, joint":  {oddPump, []devices.Fact{{Kind: devices.FactDone}, {Kind: devices.FactCleared}}},
		"repaired, signal": {signal, []devices.Fact{{Kind: devices.FactDone}, {Kind: devices.FactCleared}}},
	} {
		p := newPumpLife(t, c.rule)
		p.live(0, 20*days)
		p.creep, p.share = 20*days, 0.05
		p.live(20*days, 30*days)
		if n := len(p.b.eng.Episodes()); n != 1 || len(p.b.opened()) != 1 {
			t.Errorf("%s: %d open of %v", name, n, p.b.log)
			continue
		}
		// It stays where it is now.
		level := 1 + p.share*8
		for k, f := range c.fact {
			f.ID, f.At, f.Asset, f.FaultClass = fmt.Sprint(k), epoch.Add(30*days), "p1", "pump.bearing"
			p.b.apply(devices.Record{Kind: devices.FactRecord, Time: at(30 * days), Fact: &f})
		}
		p.creep, p.share = 0, 0
		for now := 30*days + 4*time.Hour; now < 32*days; now += 5 * time.Minute {
			p.b.say(p.d, now, 0, "running", 1.0, "vibration_rms", 1.5*level+0.03*p.rng.NormFloat64(), "bearing_temp", 42+0.3*p.rng.NormFloat64())
		}
		if open := p.b.eng.Episodes(); len(open) > 0 || len(p.b.opened()) != 1 {
			t.Errorf("%s: %v open two days later: %v", name, open, p.b.log)
		}
	}
}

// TestAnomalyFeedsWhatItShould: rows are what is documented, and what is bad, late, or
// read while only_while is not true is no part of them.
func TestAnomalyFeedsWhatItShould(t *testing.T) {
	b := newBench(t, rule("raw", "pump", "pump.bearing", "only_while: running\nseverity: low\nwhen: anomaly(vibration_rms, bearing_temp)"))
	d := b.device("p1", "pump", time.Minute, "running", "vibration_rms", "bearing_temp")
	temp := b.reg.Add(devices.Device{ID: "t1", Class: "sensor", Asset: "p1", Interval: int64(time.Minute)})
	b.reg.AddPoint(temp, devices.Point{Name: "winding_temp", Role: "winding_temp", Unit: "°C", Kind: devices.Gauge})
	rows := func() uint32 {
		for _, i := range b.eng.assets["p1"].instances {
			if w := i.slots[0].watcher(); w != nil {
				return w.rows
			}
		}
		return 0
	}
	step := func(what string, want uint32) {
		t.Helper()
		if got := rows(); got != want {
			t.Errorf("%s: %d rows, want %d", what, got, want)
		}
	}
	b.say(d, 1*time.Minute, 0, "running", 0.0, "vibration_rms", 1.0, "bearing_temp", 40.0)
	step("off", 0)
	b.say(d, 2*time.Minute, 0, "running", 1.0)
	step("switched on, values from while it was off", 0)
	b.say(d, 3*time.Minute, 0, "running", 1.0, "vibration_rms", 1.0, "bearing_temp", 40.0)
	step("readings with one time", 1)
	b.say(d, 4*time.Minute, 0, "vibration_rms", 1.1)
	step("one role alone", 2)
	b.say(d, 3*time.Minute, 2*time.Minute, "bearing_temp", 41.0)
	step("late", 2)
	b.say(d, 4*time.Minute, time.Minute, "vibration_rms", 1.1)
	step("a second time", 2)
	rs := b.readings(d, 6*time.Minute, "vibration_rms", 9.0)
	rs[0].Quality = devices.Uncertain
	b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(6 * time.Minute)}, rs...)
	step("uncertain", 2)
	b.say(d, 7*time.Minute, 0, "running", 0.0, "vibration_rms", 0.1)
	step("off again", 2)
}

// TestAnomalyBudgetIsSplit: the detectors of an asset share what it may cost.
func TestAnomalyBudgetIsSplit(t *testing.T) {
	b := newBench(t, oddPump, rule("other", "pump", "pump.dry_run", "severity: low\nwhen: anomaly(vibration_rms) or change(bearing_temp, 1h)\nbudget: 3 per asset per month"))
	d := b.device("p1", "pump", time.Minute, "running", "vibration_rms", "bearing_temp")
	b.say(d, time.Minute, 0, "running", 1.0, "vibration_rms", 1.0, "bearing_temp", 40.0)
	sum := 0.0
	for _, i := range b.eng.assets["p1"].instances {
		for _, s := range i.slots {
			sum += s.watcher().perMonth
		}
	}
	if want := (1.0 + 3 + 3) / 3; math.Abs(sum-want) > 1e-12 {
		t.Errorf("detectors may cost %g orders together, want %g", sum, want)
	}
}

func TestAnomalyMistakesAreTold(t *testing.T) {
	for body, want := range map[string]string{
		"severity: low\nwhen: anomaly()":                                              "the roles to watch are needed",
		"severity: low\nwhen: change(flow, current)":                                  "the roles to watch are needed",
		"severity: low\nwhen: anomaly(running)":                                       "not a measured value",
		"severity: low\nwhen: anomaly(flow + 1)":                                      "not a role",
		"severity: low\nwhen: anomaly(energy, flow)":                                  "counter",
		"severity: low\nwhen: anomaly(flow, 5 A)":                                     "not a duration",
		"severity: low\nwhen: anomaly(flow)\nbudget: 2":                               "how many false orders",
		"severity: low\nwhen: anomaly(flow)\nbudget: 0 per asset per month":           "how many false orders",
		"severity: low\nwhen: flow > 3\nbudget: 1 per asset per month":                "a budget is for rules",
		"severity: low\nwhen: anomaly(flow) > 0.5\nbudget: 0.1 per asset per month\n": "",
	} {
		_, list := Load([]File{{Name: "x", Data: []byte("rules:\n" + rule("r", "pump", "pump.bearing", body))}}, LoadOptions{})
		if err := list.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// TestAnomalyGoesOnExactlyAfterAKill: killed and restored at random points, an engine
// with detectors takes the same steps and remembers the same, bit for bit, and its
// memory does not grow.
func TestAnomalyGoesOnExactlyAfterAKill(t *testing.T) {
	set := mustLoad(t, "rules:\n"+oddPump+
		rule("alone", "pump", "pump.dry_run", "severity: low\nwhen: anomaly(bearing_temp, 30m)\nbudget: 9 per asset per month\nclear_for: 1h")+
		rule("counts", "pump", "energy.anomaly", "severity: low\nwhen: anomaly(energy, 15m)\nclear_for: 1h")+
		rule("steps", "pump", "motor.overload", "severity: low\nwhen: change(vibration_rms, 15m)\nbudget: 9 per asset per month"))
	const rows = 40 * 96
	steps, kills, largest := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		killAt := rapid.SliceOfN(rapid.IntRange(0, rows-1), 1, 8).Draw(t, "kills")
		from := rapid.IntRange(15*96, rows-1).Draw(t, "fault")
		run := func(kills []int) (log []Transition, state []byte) {
			rng := rand.New(rand.NewPCG(seed, 7))
			reg := devices.NewRegistry()
			site := propertySite()
			eng := NewEngine(set, site, reg)
			var stored [Chunks][]byte
			energy := 0.0
			for k := range rows {
				d := reg.Lookup([]byte("p1"))
				if d == nil {
					d = reg.Add(devices.Device{ID: "p1", Class: "pump", Interval: int64(quarter)})
				}
				now := at(time.Duration(k) * quarter)
				odd := 0.0
				if k >= from {
					odd = float64(k-from) / 96
				}
				energy += 1 + 0.1*rng.Float64() + odd
				var rs []devices.Reading
				for _, x := range []struct {
					role string
					v    float64
				}{{"running", 1}, {"vibration_rms", 1.5 + 0.03*rng.NormFloat64() + odd}, {"bearing_temp", 42 + 0.3*rng.NormFloat64() + 3*odd}, {"energy", energy}} {
					r := devices.RoleByName(x.role)
					p := reg.AddPoint(d, devices.Point{Name: x.role, Role: x.role, Unit: r.Unit, Kind: r.Kind})
					if rng.IntN(20) > 0 {
						rs = append(rs, devices.Reading{Point: p, Time: now, Value: x.v})
					}
				}
				rec := devices.Record{Seq: uint64(k + 1), Site: "site", Kind: devices.Messages, Time: now, Connection: "c"}
				switch {
				case k == from+4*96:
					rec.Kind, rs = devices.FactRecord, nil
					rec.Fact = &devices.Fact{ID: "a", Kind: devices.FactAccepted, Asset: "p1", FaultClass: "pump.bearing", At: time.Unix(0, now)}
				case k == from+5*96:
					rec.Kind, rs = devices.FactRecord, nil
					rec.Fact = &devices.Fact{ID: "b", Kind: devices.FactCancelled, Note: falseAlarm, Asset: "p1", FaultClass: "pump.dry_run", At: time.Unix(0, now)}
				}
				log = append(log, eng.Apply(&rec, rs)...)
				if slices.Contains(kills, k) {
					for _, c := range eng.DirtyChunks(nil) {
						stored[c] = eng.AppendChunk(c, nil)
					}
					reg = devices.NewRegistry()
					eng = NewEngine(set, site, reg)
					if err := eng.Restore(stored[:]); err != nil {
						t.Fatal(err)
					}
				}
			}
			return log, remembered(eng)
		}
		whole, a := run(nil)
		cut, b := run(killAt)
		if d := cmp.Diff(whole, cut, cmp.AllowUnexported(Evidence{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("(-never stopped +restarted):\n%s", d)
		}
		if !slices.Equal(a, b) {
			t.Fatal("what is remembered differs")
		}
		steps, kills, largest = steps+len(whole), kills+len(killAt), max(largest, len(a))
	})
	t.Logf("%d kills, %d steps, largest checkpoint of the asset %d bytes", kills, steps, largest)
	if steps == 0 {
		t.Error("no order was ever due: nothing was compared")
	}
	if largest > 16<<10 {
		t.Errorf("an asset with four detectors takes %d bytes", largest)
	}
}

// TestWatcherIsDamagedSafely: a state that was cut is an error, never a panic.
func TestWatcherIsDamagedSafely(t *testing.T) {
	p := newPumpLife(t, oddPump)
	p.live(0, 6*days)
	i := p.b.eng.assets["p1"].instances[0]
	var w writer
	i.slots[0].watcher().append(&w)
	for n := range w.b {
		r := cursor{}
		p.b.eng.readWatcher(&r, i, i.rule.slots[0].watch, string(w.b[:n]))
		if n > 0 && !r.bad {
			t.Fatalf("%d of %d bytes are taken for a state", n, len(w.b))
		}
	}
}
