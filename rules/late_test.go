package rules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

const lateness = 90 * time.Second

// late declares the lateness for every device of the world.
func (w *world) late(l time.Duration) *world {
	w.lateness = int64(l)
	return w
}

// TestAnyOrderWithinTheLatenessGivesTheSameEpisodes delivers the same messages
// in order and in any other order in which each is at most so late as was
// declared.
func TestAnyOrderWithinTheLatenessGivesTheSameEpisodes(t *testing.T) {
	var list []string
	for _, r := range propertyRules {
		if !strings.Contains(r, "silent(") && !strings.Contains(r, "explains:") && !asksOthers(r) {
			list = append(list, r)
		}
	}
	set := mustLoad(t, "rules:\n"+strings.Join(list, ""))
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		prompt := drawTelemetry(t)
		// A device that was silent for longer than its lateness is no longer waited
		// for: how late a message may be is counted on the clock of its device, from
		// the newest that is there.
		shuffled := slices.Clone(prompt)
		for k := range shuffled {
			m := &shuffled[k]
			m.at += int64(rapid.IntRange(0, int(lateness/time.Millisecond)-2500).Draw(t, "late")) * int64(time.Millisecond)
		}
		slices.SortStableFunc(shuffled, func(a, b sent) int { return int((a.at - b.at) / int64(time.Millisecond)) })
		run := func(messages []sent) []string {
			w := newWorld(set, propertySite()).late(lateness)
			w.ownAssets = true
			newest := make(map[string]int64)
			var log []string
			for _, e := range deliver(messages, nil) {
				for _, s := range e.said {
					if s.t < newest[s.dev] {
						moved++
					}
					newest[s.dev] = max(newest[s.dev], s.t)
				}
				for _, tr := range w.eng.Apply(&e.rec, w.readings(e.said)) {
					log = append(log, line(tr))
				}
			}
			if got := w.eng.Stats().Late; got != 0 {
				t.Fatalf("%d readings were late", got)
			}
			slices.Sort(log)
			return log
		}
		if d := cmp.Diff(run(prompt), run(shuffled)); d != "" {
			t.Fatalf("(-in order +in another order):\n%s", d)
		}
	})
	t.Logf("%d readings came after newer ones", moved)
}

// What comes later than was declared changes no episode.
func TestBeyondTheLatenessNothingChanges(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak\nclear_for: 1m"))
	d := b.device("s", "sensor", time.Minute, "water_leak")
	d.Lateness = int64(30 * time.Second)
	b.eng = NewEngine(b.set, b.site, b.reg)
	for m := range 10 {
		b.say(d, time.Duration(m)*time.Minute, 0, "water_leak", m >= 5)
	}
	b.idle(9*time.Minute, 9*time.Minute+40*time.Second)
	b.want("water.leak s active condition_held high onset=5m0s at=5m0s leak")
	b.say(d, 3*time.Minute+30*time.Second, 370*time.Second, "water_leak", true)
	b.say(d, 8*time.Minute, 100*time.Second, "water_leak", false)
	b.idle(9*time.Minute+41*time.Second, 10*time.Minute)
	b.want()
	if got := b.eng.Stats().Late; got != 2 {
		t.Errorf("%d readings were late, want 2", got)
	}
}

// The engine waits for stragglers, and for no longer.
func TestEvaluationWaitsForStragglers(t *testing.T) {
	b := newBench(t, rule("level", "pump", "water.level", "severity: low\nwhen: level > 2 and flow > 1"))
	d := b.device("p", "pump", time.Minute, "level", "flow")
	d.Lateness = int64(30 * time.Second)
	b.eng = NewEngine(b.set, b.site, b.reg)
	b.say(d, 0, 0, "level", 1.0, "flow", 0.0)
	b.say(d, time.Minute, 0, "level", 3.0)
	b.idle(time.Minute, time.Minute+20*time.Second)
	b.say(d, time.Minute, 20*time.Second, "flow", 2.0)
	b.idle(time.Minute+21*time.Second, time.Minute+34*time.Second)
	b.want() // its clock may be five seconds behind: Timing.Slack
	b.idle(time.Minute+35*time.Second, time.Minute+35*time.Second)
	b.want("water.level p active condition_held low onset=1m0s at=1m0s level")
}

// What waits is in the checkpoint, and goes with a device to another asset.
func TestWhatWaitsIsRemembered(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"))
	d := b.device("s", "sensor", time.Minute, "water_leak")
	d.Lateness = int64(30 * time.Second)
	b.eng = NewEngine(b.set, b.site, b.reg)
	b.say(d, 0, 0, "water_leak", false)
	b.say(d, time.Minute, 0, "water_leak", true)
	var chunks [Chunks][]byte
	for _, c := range b.eng.DirtyChunks(nil) {
		chunks[c] = b.eng.AppendChunk(c, nil)
	}
	b.reg = devices.NewRegistry()
	b.eng = NewEngine(b.set, b.site, b.reg)
	if err := b.eng.Restore(chunks[:]); err != nil {
		t.Fatal(err)
	}
	b.fact(time.Minute+time.Second, devices.Fact{ID: "1", Kind: devices.FactAdopted, Device: "s", Asset: "cellar", By: "li"})
	b.idle(time.Minute, time.Minute+40*time.Second)
	b.want("water.leak cellar active condition_held high onset=1m0s at=1m0s leak")
}

// A flood of readings within the lateness is bounded: the oldest do not wait.
func TestWhatWaitsIsBounded(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"))
	d := b.device("s", "sensor", time.Second, "water_leak")
	d.Lateness = devices.MaxLateness
	b.eng = NewEngine(b.set, b.site, b.reg)
	for k := range mostHeld + 600 {
		b.say(d, time.Duration(k)*100*time.Millisecond, 0, "water_leak", false)
	}
	if got := len(b.eng.assets["s"].held); got > mostHeld {
		t.Errorf("%d readings wait, want %d at most", got, mostHeld)
	}
	if got := b.eng.Points("s")[0].Time; got < at(590*100*time.Millisecond-time.Second) {
		t.Errorf("the newest that was evaluated is of %v", time.Duration(got-at(0)))
	}
}
