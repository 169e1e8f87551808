package rules

import (
	"slices"
	"testing"
	"time"
)

// Where an asset lacks the points of an alternative, the others decide: also when
// the episode ends, and when a delay begins anew.
func TestAlternativeWithoutPointsIsNone(t *testing.T) {
	b := newBench(t, rule("flood", "sensor", "water.level", "severity: critical\nwhen: overflow_float or water_leak\nfor: 1m\nclear: not (overflow_float or water_leak)\nclear_for: 1m"))
	d := b.device("s", "sensor", 30*time.Second, "water_leak")
	// Half a minute each time: never one minute without a break.
	for k := range 20 {
		b.say(d, time.Duration(30*k)*time.Second, 0, "water_leak", k%4 == 1)
	}
	b.want()
	for k := 20; k < 24; k++ {
		b.say(d, time.Duration(30*k)*time.Second, 0, "water_leak", true)
	}
	b.want("water.level s active condition_held critical onset=10m0s at=11m0s flood")
	for k := 24; k < 28; k++ {
		b.say(d, time.Duration(30*k)*time.Second, 0, "water_leak", false)
	}
	b.want("water.level s cleared clear_held critical onset=10m0s at=13m0s flood")
}

// The mirror image in a clear condition: what could not start it does not keep it.
func TestClearDoesNotWaitForWhatIsNotThere(t *testing.T) {
	b := newBench(t, rule("warm", "sensor", "water.quality", "severity: high\nwhen: storage_temp < 60 °C or return_temp < 50 °C\nclear: storage_temp > 61 °C and return_temp > 51 °C"))
	d := b.device("s", "sensor", time.Minute, "storage_temp")
	b.say(d, 0, 0, "storage_temp", 55)
	b.say(d, time.Minute, 0, "storage_temp", 65)
	b.want("water.quality s active condition_held high onset=0s at=0s warm", "water.quality s cleared clear_held high onset=0s at=1m0s warm")
}

// A precondition that nobody can tell stays unknown.
func TestPreconditionWithoutPointsIsUnknown(t *testing.T) {
	b := newBench(t, rule("cold", "pump", "pump.dry_run", "severity: high\nwhen: current < 3 A and running"),
		rule("held", "pump", "door.held_forced", "severity: high\nwhen: current < 3 A and not (running or fault)"))
	d := b.device("p", "pump", time.Minute, "current")
	b.say(d, 0, 0, "current", 1)
	b.want()
	e := b.device("q", "pump", time.Minute, "current", "running")
	b.say(e, 0, 0, "current", 1, "running", false)
	b.want()
}

// Of three alternatives any one may be all that there is.
func TestOneOfThreeAlternatives(t *testing.T) {
	b := newBench(t, rule("water", "sensor", "water.quality", "severity: high\nwhen: ph < 6.5 or turbidity > 1 NTU or residual_chlorine < 0.05 mg/L\nclear: not (ph < 6.5 or turbidity > 1 NTU or residual_chlorine < 0.05 mg/L)"))
	for k, p := range []struct {
		role      string
		bad, good float64
	}{{"ph", 6, 7}, {"turbidity", 2, 0.2}, {"residual_chlorine", 0.01, 0.3}} {
		d := b.device(p.role, "sensor", time.Minute, p.role)
		b.say(d, time.Duration(2*k)*time.Minute, 0, p.role, p.bad)
		b.say(d, time.Duration(2*k+1)*time.Minute, 0, p.role, p.good)
	}
	var phases []Phase
	for _, tr := range b.all {
		phases = append(phases, tr.Phase)
	}
	if want := []Phase{Active, Cleared, Active, Cleared, Active, Cleared}; !slices.Equal(phases, want) {
		t.Errorf("got %v, want %v", phases, want)
	}
}
