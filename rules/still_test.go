package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

// stillRules look at readings in every way in which those may be left out that
// change no comparison.
var stillRules = []string{
	rule("warm", "pump", "pump.bearing", "thresholds:\n  - {severity: high, when: bearing_temp > 70 °C, for: 20s, clear: bearing_temp < 50 °C, clear_for: 20s}\n  - {severity: low, when: bearing_temp > 40 °C}"),
	rule("phase", "pump", "power.quality", "severity: high\nwhen: min(current_l1, current_l2, current_l3) < 2 A and 7 A > max(current_l1, current_l2)\nfor: 15s\nclear_for: 20s"),
	rule("broken", "any", "comms.quality", "severity: low\nwhen: bad(level) or bad(gas_concentration)\nfor: 10s\nclear_for: 10s"),
	rule("waits", "pump", "pump.dry_run", "severity: critical\nwhen: held(run_command and current < 5 A, 15s) and not held(level > 3 m, 40s)"),
	rule("alone", "pump", "hvac.performance", "severity: high\nwhen: run_command and not running and not any(siblings, running)\nfor: 5s"),
	rule("others", "pump", "motor.overload", "severity: medium\nwhen: current > median(siblings, current) and all(siblings, level > 4 m)\nfor: 10s"),
	rule("reverse", "pump", "water.level", "only_while: {when: running, after: 15s}\nseverity: low\nwhen: level > 6 m or volume > max(siblings, volume)"),
	rule("settled", "pump", "energy.anomaly", "only_while: {when: \"held(running, 10s)\", after: 20s}\nseverity: low\nwhen: 3 A < min(current, current_l1) or not held(not bad(level), 20s)\nfor: 10s"),
	rule("mode", "gate", "access.power", "severity: low\nwhen: gate_mode in [1, 2]\nfor: 5s"),
	rule("rope", "gate", "water.leak", "severity: low\nwhen: water_leak and all(others, water_leak)"),
}

// TestReadingsThatAreLeftOutChangeNothing: rules that are only evaluated when a
// comparison changes say what they say when every reading is looked at.
func TestReadingsThatAreLeftOutChangeNothing(t *testing.T) {
	text := "mutes:\n  - {id: level-high, title: {en: High, zh: 高}, class: pump, fault_classes: [pump.bearing, pump.dry_run, motor.overload], while: \"level > 7 m and not held(level > 7 m, 1m)\", source: {text: test, mark: j}}\nrules:\n" + strings.Join(stillRules, "")
	few, all := mustLoad(t, text), mustLoad(t, text)
	for _, r := range few.Rules {
		if r.each {
			t.Errorf("%s: every reading counts", r.ID)
		}
	}
	for _, r := range all.Rules {
		r.each = true
	}
	var evaluated [2]uint64
	steps := 0
	rapid.Check(t, func(t *rapid.T) {
		a, b := newWorld(few, propertySite()), newWorld(all, propertySite())
		for _, e := range drawJournal(t) {
			if e.rec.Kind == devices.ConfigVersion {
				continue
			}
			for k := range e.said {
				// Of devices with different clocks it also matters how far an instance
				// has been moved.
				e.said[k].t = e.rec.Time
			}
			x, y := a.take(e, few), b.take(e, all)
			steps += len(x)
			if d := cmp.Diff(y, x, cmp.AllowUnexported(Evidence{}), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Evidence{}, "limit")); d != "" {
				t.Fatalf("record %d (-every reading looked at +some left out):\n%s", e.rec.Seq, d)
			}
		}
		evaluated[0] += a.eng.Stats().Evaluations
		evaluated[1] += b.eng.Stats().Evaluations
	})
	t.Logf("%d steps; %d evaluations instead of %d", steps, evaluated[0], evaluated[1])
	if steps == 0 || evaluated[0] >= evaluated[1] {
		t.Error("nothing was left out")
	}
}

// TestQuietReadingsAreNotEvaluated: what changes no comparison costs no
// evaluation, whatever it is that looks at it.
func TestQuietReadingsAreNotEvaluated(t *testing.T) {
	w := newWorld(mustLoad(t, "rules:\n"+strings.Join(stillRules, "")), propertySite())
	seq := uint64(0)
	say := func(after time.Duration, current float64) uint64 {
		before := w.eng.Stats().Evaluations
		for _, dev := range []string{"p1", "p2", "p3", "vib"} {
			seq++
			now := at(after)
			e := entry{rec: devices.Record{Seq: seq, Site: "site", Time: now, Connection: "c", Kind: devices.Messages}}
			for _, p := range []struct {
				name  string
				value float64
			}{{"run_command", 0}, {"running", 0}, {"bearing_temp", 20 + current}, {"level", 2 + current/10}, {"current_l1", 5 + current/10}, {"current_l2", 5}, {"current_l3", 5}} {
				e.said = append(e.said, said{dev: dev, point: p.name, t: now, value: p.value})
			}
			w.take(e, nil)
		}
		return w.eng.Stats().Evaluations - before
	}
	for k := range 30 { // delays run out, and everything is still
		say(time.Duration(k)*10*time.Second, 0)
	}
	for k := range 9 {
		if n := say(time.Duration(300+10*k)*time.Second, float64(k)); n != 0 {
			t.Errorf("%d evaluations for readings that change no comparison", n)
		}
	}
	if say(400*time.Second, 60) == 0 {
		t.Error("a reading that changes a comparison was not looked at")
	}
}
