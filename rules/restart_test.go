package rules

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

// restartRules are the rules of the property tests, and those for the functions
// and keys that are left.
func restartRules() []string {
	return append(slices.Clone(propertyRules),
		rule("sensor", "pump", "comms.quality", "severity: low\nwhen: bad(level) or bad(current)\nfor: 5s"),
		rule("phases", "pump", "power.quality", "severity: medium\nwhen: unbalance(current_l1, current_l2, current_l3) > 60 % or spread(current_l1, current_l2) > abs(current - 9 A)\nfor: 10s"),
		rule("peak", "pump", "power.overload", "severity: low\nwhen: max(current, 1m) - min(current, 1m) > 7 A or max(level, 2 m) > 8 m"),
		rule("clock", "gate", "energy.anomaly", "severity: low\nwhen: water_leak and hour() >= 8 and weekday() == 1\nclear_for: 10s"),
		rule("odd", "pump", "heat.metering", "severity: low\nwhen: anomaly(level) or anomaly(current, bearing_temp, 1m) or change(current, 30s)"),
		rule("service", "pump", "lighting.parking", "severity: low\nwhen: since_done() > 0.05 h"),
		rule("layered", "pump", "water.quality", "limits: {most: 4 A, long: 10 s, least: 3 A}\nseverity: low\nwhen: current > limit.most\nfor: limit.long\nclear: held(current < limit.least, 10s)"))
}

// TestRestartsAreTriedWithEveryFunction: memory that no test loses and restores
// is lost by the first restart.
func TestRestartsAreTriedWithEveryFunction(t *testing.T) {
	all := strings.Join(restartRules(), "")
	for _, f := range Functions() {
		if !regexp.MustCompile(`\b` + f.Name + `\(`).MatchString(all) {
			t.Errorf("no property rule calls %s: add one to propertyRules", f.Name)
		}
	}
}

// editions are the configurations that reloads bring: the rules as they are; with
// another limit, one rule less and one that is only edited; with limits of the
// site and an asset.
func editions(t testing.TB) []edition {
	list := restartRules()
	edited := strings.ReplaceAll(strings.Join(slices.Delete(slices.Clone(list), 4, 5), ""), "70 °C", "60 °C")
	edited = strings.Replace(edited, "{en: layered", "{en: Layered", 1)
	limited := propertySite()
	limited.Limits = devices.Limits{"layered": {"most": {Value: 6, Unit: "A"}}}
	limited.Assets[0].Limits = devices.Limits{"layered": {"long": {Value: 20, Unit: "s"}}}
	set := mustLoad(t, "rules:\n"+strings.Join(list, ""))
	return []edition{{set, propertySite()}, {mustLoad(t, "rules:\n"+edited), propertySite()}, {set, limited}}
}

// TestRestartContinuesBitForBit is pain 1: an engine that is killed at any time
// and goes on from the last checkpoint with what the journal has since then gives
// what an engine gives that was never stopped, and remembers the same, whatever
// was reloaded in between.
func TestRestartContinuesBitForBit(t *testing.T) {
	all := editions(t)
	kills, steps := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		journal := drawJournal(t)
		inForce := make([]edition, len(journal)) // from each record on
		for k := range journal {
			inForce[k] = all[0]
			if k > 0 {
				inForce[k] = inForce[k-1]
			}
			if journal[k].rec.Kind == devices.ConfigVersion {
				inForce[k] = all[rapid.IntRange(0, len(all)-1).Draw(t, "version")]
			}
		}
		lateness := time.Duration(rapid.SampledFrom([]int{0, 0, 20}).Draw(t, "lateness")) * time.Second
		place := rapid.IntRange(0, len(journal)-1)
		killAt := rapid.SliceOfN(place, 1, 8).Draw(t, "kills")
		savedAt := rapid.SliceOfN(place, 1, 8).Draw(t, "checkpoints")
		begin := func(v edition) *world { return newWorld(v.set, v.site).late(lateness) }

		whole, cut := begin(all[0]), begin(all[0])
		said := make([][]Transition, len(journal))
		var stored [Chunks][]byte
		saved := -1
		same := func(k int, got []Transition) {
			if reflect.DeepEqual(said[k], got) {
				return
			}
			if d := cmp.Diff(said[k], got, cmp.AllowUnexported(Evidence{}), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("record %d (-never stopped +restarted):\n%s", journal[k].rec.Seq, d)
			}
		}
		for k, e := range journal {
			said[k] = whole.follow(e, inForce[k])
			steps += len(said[k])
			same(k, cut.follow(e, inForce[k]))
			if slices.Contains(savedAt, k) {
				for _, c := range cut.eng.DirtyChunks(nil) {
					stored[c] = cut.eng.AppendChunk(c, nil)
				}
				saved = k
			}
			if !slices.Contains(killAt, k) {
				continue
			}
			kills++
			cut = begin(all[0])
			if saved >= 0 {
				cut = begin(inForce[saved])
				if err := cut.eng.Restore(stored[:]); err != nil {
					t.Fatal(err)
				}
			}
			for n := saved + 1; n <= k; n++ {
				same(n, cut.follow(journal[n], inForce[n]))
			}
			if a, b := remembered(whole.eng), remembered(cut.eng); !bytes.Equal(a, b) {
				t.Fatalf("record %d: what is remembered (-never stopped +restarted):\n%s", e.rec.Seq, cmp.Diff(a, b))
			}
		}
	})
	t.Logf("%d kills, %d steps", kills, steps)
	if kills < 200 {
		t.Errorf("%d kills are too few to show it", kills)
	}
}
