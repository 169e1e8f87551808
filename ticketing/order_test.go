package ticketing

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

func TestTierIsSeverityTimesCriticality(t *testing.T) {
	for _, x := range []struct {
		sev  rules.Severity
		crit devices.Criticality
		want Tier
	}{
		{rules.Critical, "", P1}, {rules.High, devices.NormalAsset, P2}, {rules.Medium, "", P3}, {rules.Low, "", P4},
		{rules.Critical, devices.VitalAsset, P1}, {rules.High, devices.VitalAsset, P1}, {rules.Medium, devices.VitalAsset, P2}, {rules.Low, devices.VitalAsset, P3},
		{rules.High, devices.MinorAsset, P2},
	} {
		if got := TierOf(x.sev, x.crit); got != x.want {
			t.Errorf("%s on a %s asset is %s, want %s", x.sev, x.crit, got, x.want)
		}
	}
}

func TestPersonInsideMakesAnOrderP1(t *testing.T) {
	tr := step(1, rules.Active, rules.Medium)
	tr.Evidence = &rules.Evidence{Inputs: []rules.Input{{Role: "passenger_present", Value: 1, Quality: "good"}}}
	e := Receive(nil, nil, &tr, "", 1, start)
	if len(e) != 1 || e[0].Tier != P1 || e[0].Reason != "person_inside" {
		t.Errorf("%+v", e)
	}
	tr.Evidence.Inputs[0].Quality = "bad"
	if e := Receive(nil, nil, &tr, "", 1, start); e[0].Tier != P3 {
		t.Errorf("a bad reading raised the tier: %+v", e)
	}
}

func TestFaultThatKeepsComingBackRaisesTheTierOnce(t *testing.T) {
	o := &Order{}
	var kinds []Kind
	for i := range uint64(8) {
		tr := step(i*10+1, rules.Active, rules.Medium)
		var target *Order
		if i > 0 {
			target = o
		}
		for _, e := range Receive(target, nil, &tr, "", 1, start) {
			kinds = append(kinds, e.Kind)
			if err := o.Apply(&e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if o.Tier != P2 || strings.Count(fmt.Sprint(kinds), string(Raised)) != 1 {
		t.Errorf("%s after %v", o.Tier, kinds)
	}
}

// The table is the only judge: whatever it does not list is refused, and says so.
func TestEveryStateTakesWhatTheTableSays(t *testing.T) {
	for _, s := range States {
		for _, tr := range Transitions {
			o := &Order{ID: "x", State: s, Version: 3}
			err := o.Apply(&Entry{Version: 4, Kind: tr.Kind, At: start, Detail: Detail{Value: &Measurement{}, Attachment: &Attachment{}}})
			var not *NotAllowedError
			switch allowed := slices.Contains(tr.From, s); {
			case allowed && err != nil:
				t.Errorf("%s in state %s: %v", tr.Kind, s, err)
			case !allowed && !errors.As(err, &not):
				t.Errorf("%s in state %s is taken", tr.Kind, s)
			case allowed && tr.To != "" && o.State != tr.To:
				t.Errorf("%s leads from %s to %s", tr.Kind, s, o.State)
			}
		}
	}
	for _, v := range verbs {
		if transition(v.Kind) == nil {
			t.Errorf("the command %s becomes an entry that the table lacks", v.Verb)
		}
	}
}

// step is a step of the episode that began at seq 1 (or at its own seq).
func step(seq uint64, phase rules.Phase, sev rules.Severity) rules.Transition {
	return rules.Transition{
		Episode: rules.EpisodeID{Site: "demo", Asset: "pump-1", FaultClass: "motor.overload", Seq: seq},
		Seq:     seq, Phase: phase, Severity: sev, Rule: "P07", Cause: rules.CauseHeld,
		Onset: start.Add(time.Duration(seq) * time.Minute).UnixNano(), At: start.Add(time.Duration(seq) * time.Minute).UnixNano(),
	}
}

// A random life: steps of episodes, commands of two people with stale versions,
// and time. After each entry the fold of the log, also after a round through
// JSON, is the order; its tier never falls and its version only grows.
func TestFoldOfTheLogIsTheOrder(t *testing.T) {
	template := Verification{For: 2 * time.Hour}
	rapid.Check(t, func(t *rapid.T) {
		first := step(1, rules.Active, rules.Medium)
		o := &Order{}
		var log []Entry
		add := func(entries ...Entry) {
			for i := range entries {
				before := *o
				if err := o.Apply(&entries[i]); err != nil {
					t.Fatal(err)
				}
				if before.Tier != 0 && o.Tier > before.Tier || o.Version != before.Version+1 {
					t.Fatalf("%+v after %+v", o, before)
				}
				log = append(log, entries[i])
			}
		}
		add(Receive(nil, nil, &first, "", 1, start)...)
		seq, now := uint64(1), 1
		known := &EpisodeState{Phase: rules.Active, Seq: 1}
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			now += rapid.IntRange(0, 90).Draw(t, "minutes")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				seq++
				tr := step(seq, rapid.SampledFrom([]rules.Phase{rules.Active, rules.ActiveWithoutData, rules.Cleared}).Draw(t, "phase"), rules.Severity(rapid.IntRange(1, 4).Draw(t, "severity")))
				if known.Phase == rules.Cleared || !o.State.Active() {
					if o.State == Cancelled || tr.Phase == rules.Cleared {
						continue
					}
					add(Receive(o, nil, &tr, "", 1, minute(now))...)
					known = &EpisodeState{}
				} else {
					tr.Episode.Seq = first.Episode.Seq
					add(Receive(o, known, &tr, "", 1, minute(now))...)
				}
				first.Episode.Seq = tr.Episode.Seq
				known.Phase, known.Seq = tr.Phase, tr.Seq
			case 1, 2:
				c := Command{
					Verb: rapid.SampledFrom(Verbs()).Draw(t, "verb"), Order: o.ID, By: rapid.SampledFrom([]string{"li.na", "wang"}).Draw(t, "who"),
					Arrived: minute(now), Key: fmt.Sprint(i), Version: max(1, o.Version-rapid.IntRange(0, 3).Draw(t, "stale")),
					Text: "x", Reason: rapid.SampledFrom([]string{"parts", "false_alarm", "it drips", ""}).Draw(t, "reason"), Person: "chen", Into: "",
					Value: &Measurement{Name: "current", Value: 12, Unit: "A"}, Attachment: &Attachment{Role: "photo"}, Content: []byte("x"),
				}
				e, err := Decide(o, &c, nil, func(v int) ([]Entry, error) { return log[v:], nil })
				var conflict *ConflictError
				if errors.As(err, &conflict) && len(conflict.Changed) == 0 {
					t.Fatalf("a conflict without a change: %v", err)
				}
				if err == nil {
					add(*e)
				}
			case 3:
				if e := Review(o, template, time.Hour, Observation{Known: rapid.Bool().Draw(t, "known")}, minute(now)); e != nil {
					add(*e)
				}
			}
		}
		folded, err := Fold(log)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(folded, o); diff != "" {
			t.Fatal(diff)
		}
		text, err := json.Marshal(log)
		if err != nil {
			t.Fatal(err)
		}
		var again []Entry
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if folded, err = Fold(again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(folded, o); diff != "" {
			t.Fatalf("after a round through JSON: %s", diff)
		}
	})
}
