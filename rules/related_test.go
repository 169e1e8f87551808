package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// estate gives a bench an asset tree.
func (b *bench) estate(assets ...devices.Asset) {
	b.site.Assets = assets
	b.eng = NewEngine(b.set, b.site, b.reg)
}

func TestStandbyThatRunsKeepsTheDutyPumpFromWakingAnybody(t *testing.T) {
	b := newBench(t, rule("no-start", "pump", "pump.dry_run", `
thresholds:
  - {severity: critical, when: "run_command and not running and not any(siblings, running)", for: 30s}
  - {severity: high, when: run_command and not running, for: 10s}`))
	b.estate(devices.Asset{ID: "p1", Class: "pump", Parent: "room"}, devices.Asset{ID: "p2", Class: "pump", Parent: "room"})
	d1 := b.device("p1", "pump", 10*time.Second, "run_command", "running")
	d2 := b.device("p2", "pump", 10*time.Second, "running")
	for s := 0; s <= 120; s += 10 {
		at := time.Duration(s) * time.Second
		b.say(d2, at, time.Second, "running", s < 60)
		b.say(d1, at, time.Second, "run_command", true, "running", false)
	}
	b.want(
		"pump.dry_run p1 active condition_held high onset=0s at=10s no-start",
		"pump.dry_run p1 active severity_changed critical onset=0s at=1m30s no-start",
	)
}

// A pump that stands alone has nobody to ask: that is unknown, not false.
func TestNobodyToAskIsUnknown(t *testing.T) {
	b := newBench(t, rule("no-start", "pump", "pump.dry_run", "severity: critical\nwhen: run_command and not any(siblings, running)"),
		rule("all", "pump", "motor.overload", "severity: critical\nwhen: run_command and all(siblings, running)"))
	d := b.device("p1", "pump", 10*time.Second, "run_command", "running")
	b.say(d, 0, 0, "run_command", true, "running", false)
	b.say(d, 10*time.Second, 0, "run_command", true, "running", false)
	b.want()
}

func TestOtherDutyIsNoSibling(t *testing.T) {
	b := newBench(t, rule("no-start", "pump", "pump.dry_run", "severity: critical\nwhen: run_command and not any(siblings, running)"))
	duty := func(w string) map[string]devices.Quantity { return map[string]devices.Quantity{"duty": {Word: w}} }
	b.estate(devices.Asset{ID: "p1", Class: "pump", Parent: "room", Facts: duty("supply")},
		devices.Asset{ID: "p2", Class: "pump", Parent: "room", Facts: duty("sump")},
		devices.Asset{ID: "p3", Class: "pump", Parent: "room", Facts: duty("supply")})
	d1, d2 := b.device("p1", "pump", 10*time.Second, "run_command"), b.device("p2", "pump", 10*time.Second, "running")
	d3 := b.device("p3", "pump", 10*time.Second, "running")
	b.say(d2, 0, 0, "running", true)
	b.say(d1, time.Second, 0, "run_command", true)
	b.want()
	b.say(d3, 2*time.Second, 0, "running", false)
	b.want("pump.dry_run p1 active condition_held critical onset=2s at=2s no-start")
}

const balance = `
severity: low
when: (delta(volume, 10m) - sum(children, delta(volume, 10m))) / delta(volume, 10m) > 0.1
for: 6m
clear: (delta(volume, 10m) - sum(children, delta(volume, 10m))) / delta(volume, 10m) < 0.05
clear_for: 2m`

// waterEstate is a main meter and two that it feeds.
func waterEstate(b *bench) (main *devices.Device, subs []*devices.Device) {
	b.estate(devices.Asset{ID: "main", Class: "meter"}, devices.Asset{ID: "a", Class: "meter", FedBy: []string{"main"}},
		devices.Asset{ID: "b", Class: "meter", Parent: "main"})
	main = b.device("main", "meter", time.Minute, "volume")
	return main, []*devices.Device{b.device("a", "meter", time.Minute, "volume"), b.device("b", "meter", time.Minute, "volume")}
}

func TestMainMeterThatCountsMoreThanTheOthersTogether(t *testing.T) {
	b := newBench(t, rule("loss", "meter", "water.leak", balance))
	main, subs := waterEstate(b)
	for m := range 60 {
		at := time.Duration(m) * time.Minute
		lost := max(0, m-20) // one in three from minute 20
		for k, d := range subs {
			v := m
			if k == 1 && m > 30 {
				v = m - 30 // reset: the counter of one starts from zero
			}
			b.say(d, at, time.Second, "volume", v)
		}
		b.say(main, at, time.Second, "volume", 2*m+min(lost, 20))
	}
	b.want(
		"water.leak main active condition_held low onset=24m0s at=30m0s loss",
		"water.leak main cleared clear_held low onset=24m0s at=53m0s loss",
	)
}

// A meter that says nothing makes the sum unknown, not small: its last value
// holds as long as any does, and for is longer than that.
func TestSilentChildIsNoLoss(t *testing.T) {
	b := newBench(t, rule("loss", "meter", "water.leak", balance))
	main, subs := waterEstate(b)
	for m := range 60 {
		at := time.Duration(m) * time.Minute
		b.say(subs[0], at, time.Second, "volume", m)
		if m < 20 {
			b.say(subs[1], at, time.Second, "volume", m)
		}
		b.say(main, at, time.Second, "volume", 2*m)
	}
	b.want()
}

func TestOnePhaseHotterThanTheOthers(t *testing.T) {
	b := newBench(t, rule("hot", "meter", "power.fire_precursor", "severity: medium\nwhen: terminal_temp - min(others, terminal_temp) > 20 K"))
	d := b.device("m", "meter", time.Minute, "l1:terminal_temp", "l2:terminal_temp", "l3:terminal_temp")
	b.say(d, 0, 0, "l1", 40, "l2", 45, "l3", 50)
	b.want()
	b.say(d, time.Minute, 0, "l1", 40, "l2", 45, "l3", 61)
	b.want("power.fire_precursor m active condition_held medium onset=1m0s at=1m0s hot")
}

func TestLiftAgainstItsBank(t *testing.T) {
	b := newBench(t, rule("worse", "elevator", "lift.door", "severity: low\nwhen: door_open_time > 2 * median(siblings, door_open_time)"))
	b.estate(devices.Asset{ID: "l1", Class: "elevator", Parent: "tower"}, devices.Asset{ID: "l2", Class: "elevator", Parent: "tower"},
		devices.Asset{ID: "l3", Class: "elevator", Parent: "tower"})
	var lifts []*devices.Device
	for k := range 3 {
		lifts = append(lifts, b.device(fmt.Sprintf("l%d", k+1), "elevator", time.Minute, "door_open_time"))
	}
	b.say(lifts[0], 0, 0, "door_open_time", 9)
	b.say(lifts[1], time.Second, 0, "door_open_time", 4)
	b.want() // one other is no bank
	b.say(lifts[2], 2*time.Second, 0, "door_open_time", 4)
	b.want("lift.door l1 active condition_held low onset=2s at=2s worse")
}

// A device that joins later is met when it is first heard, and one that goes
// offline is unknown again.
func TestPeerThatLeavesIsUnknown(t *testing.T) {
	b := newBench(t, rule("no-start", "pump", "pump.dry_run", "severity: critical\nwhen: run_command and not any(siblings, running)"))
	b.estate(devices.Asset{ID: "p1", Class: "pump", Parent: "room"}, devices.Asset{ID: "p2", Class: "pump", Parent: "room"})
	d1, d2 := b.device("p1", "pump", 10*time.Second, "run_command"), b.device("p2", "pump", 10*time.Second, "running", "availability:fault")
	b.say(d1, 0, 0, "run_command", true)
	b.say(d2, time.Second, 0, "running", false)
	b.want("pump.dry_run p1 active condition_held critical onset=1s at=1s no-start")
	for s := range 40 {
		b.say(d1, time.Duration(10*s+10)*time.Second, 0, "run_command", true)
	}
	b.want("pump.dry_run p1 active_without_data inputs_unknown critical onset=1s at=5m1.000000001s no-start")
}

func TestRelationsAreChecked(t *testing.T) {
	for when, want := range map[string]string{
		"running and any(sibling, running)":                      "children, siblings or others is needed",
		"running and any(siblings, any(children, running))":      "one relation cannot stand in another",
		"running and any(siblings, true)":                        "does not depend on the related assets",
		"running and any(siblings, anomaly(flow))":               "detectors and silence are about the asset itself",
		"current > median(siblings, running and auto_mode)":      "is not a number",
		"any(siblings, running)":                                 "asks of related assets only",
		"current > sum(siblings, voltage)":                       "unit mismatch",
		"running and any(siblings, bearing_temp)":                "is a number, not a condition",
		"time_to_limit(current, 5 V, 1d) < 2 d":                  "unit mismatch",
		"spike(bearing_temp, 20 A, 1m)":                          "unit mismatch",
		"since_done(current) > 5":                                "is not a counter",
		"oddness(energy) > 4":                                    "is not a measured value",
		"unanswered(run_command, running)":                       "its answer and a duration are needed",
		"night_min(volume) > 2":                                  "is not a measured value",
		"running and working(3)":                                 "no argument is taken",
		"time_to_limit(bearing_temp, current, 1d) < 2 d":         "unit mismatch",
		"time_to_limit(bearing_temp, winding_temp, 1d) < 2 d":    "changes",
		"spike(bearing_temp, winding_temp, 1m)":                  "unit mismatch",
		"time_to_limit(bearing_temp, 80 °C, 1d, current) < 2 d":  "is a number, not a condition",
		"time_to_limit(bearing_temp, 80 °C, bearing_temp) < 2 d": "is not a duration",
		"unanswered(run_command, current, 10s)":                  "is a number, not a condition",
	} {
		_, list := Load([]File{{Name: "x.yaml", Data: []byte("rules:\n" + rule("x", "pump", "pump.dry_run", "severity: low\nwhen: '"+when+"'"))}}, LoadOptions{})
		found := false
		for _, d := range list {
			found = found || d.Level == diag.Error && strings.Contains(d.Message+d.Hint, want)
		}
		if !found {
			t.Errorf("%s: want %q, got %v", when, want, list)
		}
	}
}
