package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// held lists what is suppressed, a line each.
func (b *bench) held() string {
	var out []string
	list, _ := b.eng.Suppressed()
	for _, s := range list {
		line := fmt.Sprintf("%s %s %s %s %s by=%s onset=%v from=%v", s.Asset, s.Rule, s.Severity, s.Why, s.Outcome, s.By,
			time.Duration(s.Onset-epoch.UnixNano()), time.Duration(s.From-epoch.UnixNano()))
		if s.End != 0 {
			line += fmt.Sprint(" end=", time.Duration(s.End-epoch.UnixNano()))
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func (b *bench) wantHeld(lines ...string) {
	b.t.Helper()
	if got, want := b.held(), strings.Join(lines, "\n"); got != want {
		b.t.Errorf("suppressed:\n%s\nwant:\n%s", got, want)
	}
}

// What a window keeps from opening is listed, with what became of it.
func TestWindowListsWhatItSuppressed(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing), rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"))
	d := b.device("p", "pump", time.Minute, "bearing_temp", "water_leak")
	b.say(d, 0, 0, "bearing_temp", 50.0, "water_leak", false)
	b.fact(time.Minute, devices.Fact{ID: "w", Kind: devices.FactWindow, Asset: "p", By: "li", Note: "new seal",
		From: epoch.Add(time.Minute), Until: epoch.Add(20 * time.Minute)})
	for m := 2; m < 12; m++ {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 75.0, "water_leak", m < 6)
	}
	b.want()
	b.wantHeld("p hot medium window suppressed by=li onset=2m0s from=7m0s",
		"p leak high window over by=li onset=2m0s from=2m0s end=6m0s")
	x := b.explain("p", "hot")
	if x.State != Muted || x.Mute == nil || x.Mute.ID != "w" || x.Mute.Until != at(20*time.Minute) {
		t.Errorf("%s by %+v", x.State, x.Mute)
	}
	if w := b.eng.Windows(); len(w) != 1 || w[0].Reason != "new seal" || w[0].By != "li" || w[0].Visit {
		t.Errorf("windows %+v", w)
	}
	// A window that is ended early lets go at once, and twice is once.
	b.fact(12*time.Minute, devices.Fact{ID: "e", Kind: devices.FactWindowEnded, Window: "w", By: "li"})
	b.fact(12*time.Minute, devices.Fact{ID: "e2", Kind: devices.FactWindowEnded, Window: "w", By: "li"})
	b.idle(12*time.Minute+time.Second, 14*time.Minute)
	b.want("pump.bearing p active condition_held medium onset=2m0s at=12m0s hot")
	b.wantHeld("p hot medium window opened by=li onset=2m0s from=7m0s end=12m0s",
		"p leak high window over by=li onset=2m0s from=2m0s end=6m0s")
}

// Nobody can make a window that is forgotten.
func TestWindowEndsByItselfAfterAMonth(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing))
	b.fact(0, devices.Fact{ID: "w", Kind: devices.FactWindow, Asset: "p", From: epoch, Until: epoch.AddDate(3, 0, 0)})
	if w := b.eng.Windows(); w[0].Until != epoch.Add(MaxWindow).UnixNano() {
		t.Errorf("it ends at %v", time.Unix(0, w[0].Until).UTC())
	}
}

const inspection = `mutes:
- id: in-inspection
  title: {en: Lift in inspection, zh: 电梯检修}
  class: elevator
  fault_classes: [lift.door]
  while: service_mode == "inspection" and not held(service_mode == "inspection", 8h)
  source: {text: test, mark: j}
`

// A lift in inspection opens nothing of the classes named; what still holds when
// it is back in service opens then. People in danger are not among them.
func TestSignalSuppressesAndLooksAgain(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing))
	b.set = mustLoad(t, inspection+"rules:\n"+rule("door", "elevator", "lift.door", "severity: medium\nwhen: door_open_time > 60 s\nfor: 1m")+
		rule("trapped", "elevator", "lift.entrapment", "severity: critical\nwhen: passenger_present and not door_zone"))
	b.eng = NewEngine(b.set, b.site, b.reg)
	d := b.device("l", "elevator", time.Minute, "door_open_time", "service_mode", "passenger_present", "door_zone")
	say := func(m int, mode string, open float64, inside bool) {
		b.say(d, time.Duration(m)*time.Minute, 0, "door_open_time", open, "service_mode", mode, "passenger_present", inside, "door_zone", false)
	}
	say(0, "normal", 5, false)
	for m := 1; m < 6; m++ {
		say(m, "inspection", 90, m == 5)
	}
	b.want("lift.entrapment l active condition_held critical onset=5m0s at=5m0s trapped")
	b.wantHeld("l door medium signal suppressed by= onset=1m0s from=2m0s")
	if x := b.explain("l", "door"); x.State != Muted || x.Mute.Title.ZH != "电梯检修" {
		t.Errorf("%s by %+v", x.State, x.Mute)
	}
	say(6, "normal", 90, false)
	b.want("lift.door l active condition_held medium onset=1m0s at=6m0s door")
	b.wantHeld("l door medium signal opened by= onset=1m0s from=2m0s end=6m0s")
	// A lift that nobody took out of inspection is not forgotten.
	say(7, "normal", 5, false)
	b.log = nil
	for m := 8; m < 10*60; m += 2 {
		say(m, "inspection", 90, false)
	}
	b.want("lift.door l active condition_held medium onset=8m0s at=8h8m0s door")
}

func TestMistakesInMutesAreExplained(t *testing.T) {
	for change, want := range map[string]string{
		"fault_classes: [lift.door]|fault_classes: [lift.dor]": `test.yaml:5:19: error: unknown fault class "lift.dor" (did you mean "lift.door"?)`,
		`"inspection" and|"inspektion" and`:                    `test.yaml:6:26: error: service_mode never says "inspektion" (did you mean "inspection"?)`,
		"class: elevator|class: elevators":                     `unknown class "elevators" (did you mean "elevator"?)`,
		"  while:|  when:":                                     `unknown key "when" in a mute`,
	} {
		from, to, _ := strings.Cut(change, "|")
		text := strings.Replace(inspection, from, to, 1) + "rules:\n" + rule("door", "elevator", "lift.door", "severity: medium\nwhen: door_open_time > 60 s")
		set, list := Load([]File{{Name: "test.yaml", Data: []byte(text)}}, LoadOptions{})
		if set != nil || !strings.Contains(list.Err().Error(), want) {
			t.Errorf("%s: %v\nwant %s", to, list.Err(), want)
		}
	}
}

// A rule in shadow is seen to work, and nothing leaves the engine.
func TestShadowRuleIsListedAndHasNoEffect(t *testing.T) {
	b := newBench(t, rule("new", "pump", "pump.bearing", "shadow: true\nexplains: [motor.overload]\nseverity: high\nwhen: bearing_temp > 60"),
		rule("over", "pump", "motor.overload", "severity: high\nwhen: current > 10 A"))
	d := b.device("p", "pump", time.Minute, "bearing_temp", "current")
	for m := range 100 {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 50+float64(m%2)*20, "current", 5.0)
	}
	b.want()
	list, counts := b.eng.Suppressed()
	if len(list) != maxSuppressed || len(counts) != 1 || counts[0].N != 50 || counts[0].Why != ByShadow || counts[0].From != at(time.Minute) {
		t.Errorf("%d kept, counts %+v, want the newest 32 of 50", len(list), counts)
	}
	if s := list[0]; s.From != at(99*time.Minute) || s.End != 0 || list[1].End != at(98*time.Minute) || list[1].Outcome != OverBefore {
		t.Errorf("the newest are %+v and %+v", list[0], list[1])
	}
	if x := b.explain("p", "new"); !x.Shadow || x.State != Open || x.Episode != nil {
		t.Errorf("%+v", x)
	}
	// It explains nothing away either.
	b.say(d, 101*time.Minute, 0, "current", 20.0)
	if b.all[0].Under != (EpisodeID{}) {
		t.Errorf("attached to %v", b.all[0].Under)
	}
}
