package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

// explain tells how a rule stands that an asset sees once.
func (b *bench) explain(asset, rule string) Explanation {
	b.t.Helper()
	list, err := b.eng.Explain(Question{Asset: asset, Rule: rule})
	if err != nil || len(list) != 1 {
		b.t.Fatalf("explain %s on %s: %d, %v", rule, asset, len(list), err)
	}
	return list[0]
}

// A rule goes through its states, and the explanation names each.
func TestExplainNamesEveryState(t *testing.T) {
	b := newBench(t, rule("dry", "pump", "pump.dry_run", `
only_while: {when: running, after: 60s}
severity: high
when: flow < 1 m3/h and discharge_pressure < 2 bar
for: 2m
clear: flow > 2 m3/h
clear_for: 3m`),
		rule("gas", "any", "gas.leak", "severity: critical\nwhen: gas_concentration > 25 %LEL"),
		rule("off", "pump", "motor.overload", "enabled: false\nseverity: low\nwhen: current > 10 A"),
		rule("level", "pump", "water.level", "severity: low\nwhen: level < 1 m"),
		rule("lift", "elevator", "lift.door", "severity: low\nwhen: fault_code == \"door_close_fault\""),
		rule("quiet", "any", "comms.quality", "severity: low\nwhen: silent(3, 5m)\nclear_for: 2m"))
	d := b.device("p", "pump", time.Minute, "running", "flow", "discharge_pressure", "gas_concentration")
	minute := 0
	say := func(values ...any) {
		b.say(d, time.Duration(minute)*time.Minute, 0, values...)
		minute++
	}
	state := func(want State, left time.Duration) {
		t.Helper()
		x := b.explain("p", "dry")
		got := x.Startup + x.Thresholds[0].Remaining
		if x.State != want || got != left {
			t.Errorf("minute %d: %s with %v to go, want %s with %v", minute-1, x.State, got, want, left)
		}
	}
	say("running", false, "flow", 0.0, "discharge_pressure", 1.0, "gas_concentration", 0.0)
	state(Closed, 0)
	say("running", true)
	state(Starting, time.Minute)
	say("running", true, "flow", 5.0)
	state(Quiet, 0)
	say("running", true, "flow", 0.5)
	state(Waiting, 2*time.Minute)
	say("running", true, "flow", 0.5)
	state(Waiting, time.Minute)
	x := b.explain("p", "dry")
	if d := cmp.Diff([]PartView{
		{Text: "flow < 1 m3/h", Value: True, Sides: []SideView{{Text: "flow", Unit: "m3/h", Value: 0.5, Known: true}}},
		{Text: "discharge_pressure < 2 bar", Value: True, Sides: []SideView{{Text: "discharge_pressure", Unit: "bar", Value: 1, Known: true}}},
	}, x.Thresholds[0].Parts); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	say("running", true, "flow", 0.5)
	state(Open, 0)
	if x := b.explain("p", "dry"); x.Episode == nil || x.Episode.Onset != at(3*time.Minute) {
		t.Errorf("the episode is %+v", x.Episode)
	}
	say("running", true, "flow", 3.0)
	state(Clearing, 3*time.Minute)
	b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(7 * time.Minute)}, devices.Reading{
		Point: d.Point("flow"), Time: at(7 * time.Minute), Quality: devices.Bad})
	state(OpenBlind, 0)

	// What can only be cleared by hand stays until somebody looked.
	say("gas_concentration", 60.0)
	say("gas_concentration", 0.0)
	if x := b.explain("p", "gas"); x.State != NeedsLook {
		t.Errorf("gas is %s", x.State)
	}
	for id, want := range map[string]OffReason{"off": OffDisabled, "level": OffRoles, "lift": OffClass} {
		if x := b.explain("p", id); x.State != Off || x.Off != want {
			t.Errorf("%s is %s because of %q, want %q", id, x.State, x.Off, want)
		}
	}
	if x := b.explain("p", "level"); !slices.Equal(x.Missing, []string{"level"}) {
		t.Errorf("level lacks %v", x.Missing)
	}
	all, err := b.eng.Explain(Question{Asset: "p"})
	if err != nil || len(all) != 5 {
		t.Errorf("all rules for pumps: %d, %v", len(all), err)
	}
	if _, err := b.eng.Explain(Question{Asset: "q"}); !errors.Is(err, ErrNoAsset) {
		t.Error(err)
	}
	if _, err := b.eng.Explain(Question{Asset: "p", Rule: "drv"}); !errors.Is(err, ErrNoRule) || !strings.Contains(err.Error(), `"dry"`) {
		t.Error(err)
	}
}

func TestExplainSaysWhyItIsBlind(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70 and (current > 5 A or not running)"))
	d := b.device("p", "pump", time.Minute, "bearing_temp", "current")
	b.say(d, 0, 0, "bearing_temp", 80.0, "current", devices.Bad)
	x := b.explain("p", "hot")
	if x.State != Blind || !slices.Equal(x.Missing, []string{"running"}) {
		t.Errorf("%s without %v", x.State, x.Missing)
	}
	var got []string
	for _, p := range x.Thresholds[0].Parts {
		got = append(got, fmt.Sprintf("%d or=%v %s = %s", p.Depth, p.Or, p.Text, p.Value))
	}
	want := "0 or=false bearing_temp > 70 = true\n1 or=false current > 5 A = unknown\n1 or=true not running = unknown"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("parts:\n%s\nwant:\n%s", text, want)
	}
	b.idle(time.Second, 10*time.Minute)
	if in := b.explain("p", "hot").Inputs[0]; !in.Stale || in.Usable || in.Age != 10*time.Minute {
		t.Errorf("after ten minutes of silence: %+v", in)
	}
}

// TestExplainChangesNothing asks about everything after each record of random
// journals: an engine that is asked remembers, and does, what one does that is not.
// What a restored engine says is what the one before said.
func TestExplainChangesNothing(t *testing.T) {
	set := mustLoad(t, "rules:\n"+strings.Join(propertyRules, ""))
	ask := func(e *Engine) (out []Explanation) {
		for _, a := range e.sortedAssets() {
			list, err := e.Explain(Question{Asset: a.id})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, list...)
		}
		e.Suppressed()
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		journal := drawJournal(t)
		asked, left := newWorld(set, propertySite()), newWorld(set, propertySite())
		for _, e := range journal {
			if e.rec.Seq%5 == 0 {
				ask(asked.eng)
			}
			if d := cmp.Diff(left.take(e, set), asked.take(e, set), cmp.AllowUnexported(Evidence{}), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("record %d (-not asked +asked):\n%s", e.rec.Seq, d)
			}
		}
		said := ask(asked.eng)
		if d := cmp.Diff(remembered(left.eng), remembered(asked.eng)); d != "" {
			t.Fatalf("what is remembered (-not asked +asked):\n%s", d)
		}
		chunks := make([][]byte, Chunks)
		for c := Chunks - 1; c >= 0; c-- {
			if c == 0 || len(left.eng.chunks[c]) > 0 {
				chunks[c] = left.eng.AppendChunk(c, nil)
			}
		}
		again := newWorld(set, propertySite())
		if err := again.eng.Restore(chunks); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(said, ask(again.eng)); d != "" {
			t.Fatalf("what is said after a restart (-before +after):\n%s", d)
		}
	})
}
