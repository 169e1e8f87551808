package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// Each test here is named after what users of neighbouring systems suffer from.

const quietRule = "severity: low\nwhen: silent(3, 5m)\nclear_for: 2m"

// Pain 1: the time that a condition has held is lost on a restart or an edit.
func TestPain1HoldStateSurvivesRestartAndEdit(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing), rule("other", "pump", "motor.overload", "severity: low\nwhen: current > 5 A"))
	d := b.device("p1", "pump", 30*time.Second, "bearing_temp", "current")
	for m := range 4 {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 75.0, "current", 1.0)
	}
	// The daemon is restarted from its checkpoint, then the other rule is edited.
	var chunks [Chunks][]byte
	for _, c := range b.eng.DirtyChunks(nil) {
		chunks[c] = b.eng.AppendChunk(c, nil)
	}
	b.reg = devices.NewRegistry()
	b.eng = NewEngine(b.set, b.site, b.reg)
	if err := b.eng.Restore(chunks[:]); err != nil {
		t.Fatal(err)
	}
	d = b.reg.Lookup([]byte("p1"))
	b.start(4 * time.Minute)
	edited := mustLoad(t, "rules:\n"+rule("hot", "pump", "pump.bearing", bearing)+rule("other", "pump", "motor.overload", "severity: low\nwhen: current > 6 A"))
	b.seq++
	b.note(b.eng.Swap(&devices.Record{Seq: b.seq, Kind: devices.ConfigVersion, Time: at(4*time.Minute + time.Second)}, edited, b.site))
	b.say(d, 4*time.Minute+30*time.Second, 0, "bearing_temp", 75.0, "current", 1.0)
	b.want()
	b.say(d, 5*time.Minute, 0, "bearing_temp", 75.0, "current", 1.0)
	b.want("pump.bearing p1 active condition_held medium onset=0s at=5m0s hot")
}

// Pain 2: a flood of alarms after a restart.
func TestPain2NoFloodAfterRestart(t *testing.T) {
	b := newBench(t, rule("quiet", "any", "comms.quality", quietRule))
	var all []*devices.Device
	for _, id := range []string{"a", "b", "c", "d"} {
		all = append(all, b.device(id, "sensor", time.Minute, "battery_level"))
	}
	for m := range 5 {
		for _, d := range all {
			b.say(d, time.Duration(m)*time.Minute, 0, "battery_level", 90.0)
		}
	}
	// The daemon is down for a night; its link comes back later still.
	b.start(10 * time.Hour)
	b.idle(10*time.Hour, 10*time.Hour+20*time.Minute)
	b.link(10*time.Hour+20*time.Minute, true)
	b.idle(10*time.Hour+20*time.Minute, 10*time.Hour+25*time.Minute)
	b.want()
	// Only who says nothing now is silent.
	for m := range 10 {
		for _, d := range all[1:] {
			b.say(d, 10*time.Hour+25*time.Minute+time.Duration(m)*time.Minute, 0, "battery_level", 90.0)
		}
	}
	b.want("comms.quality a active condition_held low onset=10h25m10s at=10h25m10s quiet")
}

// Pain 3 also: a stale value that a gateway sends again
// with its old time changes nothing either.
func TestPain3StaleRepetitionIsNoRecovery(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak\nclear_for: 1m"))
	d := b.device("s", "sensor", time.Minute, "water_leak")
	b.say(d, 0, 0, "water_leak", false)
	b.say(d, time.Minute, 0, "water_leak", true)
	b.want("water.leak s active condition_held high onset=1m0s at=1m0s leak")
	for m := 2; m < 4; m++ {
		b.say(d, 0, time.Duration(m)*time.Minute, "water_leak", false)
	}
	b.say(d, 4*time.Minute, 0, "water_leak", devices.Bad)
	b.want("water.leak s active_without_data inputs_unknown high onset=1m0s at=4m0s leak")
	if got := b.eng.Stats().Late; got != 2 {
		t.Errorf("%d late readings were counted, want 2", got)
	}
}

// Pain 4: alarms that never clear, clear wrongly or are not raised again.
func TestPain4ClearingIsExplicit(t *testing.T) {
	b := newBench(t, rule("gas", "sensor", "gas.leak", "severity: critical\nwhen: gas_concentration >= 25 %LEL"),
		rule("door", "elevator", "lift.door", "severity: medium\nwhen: 'count(fault_code == \"door_close_fault\", 10m) >= 1'\nclear: 'count(fault_code == \"door_close_fault\", 30m) == 0'"))
	g := b.device("g", "sensor", time.Minute, "gas_concentration")
	l := b.device("l", "elevator", time.Minute, "fault_code")
	b.say(g, 0, 0, "gas_concentration", 30.0)
	b.say(g, time.Minute, 0, "gas_concentration", 0.0)
	b.say(g, time.Hour, 0, "gas_concentration", 0.0)
	b.want("gas.leak g active condition_held critical onset=0s at=0s gas")
	// Only a person ends it; when it comes back it is raised again.
	b.fact(61*time.Minute, devices.Fact{ID: "1", Kind: devices.FactCleared, Asset: "g", FaultClass: "gas.leak", By: "li"})
	b.say(g, 62*time.Minute, 0, "gas_concentration", 40.0)
	b.want("gas.leak g cleared cleared_by_person critical onset=0s at=1h1m0s gas",
		"gas.leak g active condition_held critical onset=1h2m0s at=1h2m0s gas")
	// Cleared by hand while it still holds: quiet for the recheck, then again.
	b.fact(63*time.Minute, devices.Fact{ID: "2", Kind: devices.FactCleared, Asset: "g", FaultClass: "gas.leak", By: "li"})
	for m := 64; m <= 73; m++ {
		b.say(g, time.Duration(m)*time.Minute, 0, "gas_concentration", 40.0)
	}
	b.want("gas.leak g cleared cleared_by_person critical onset=1h2m0s at=1h3m0s gas",
		"gas.leak g active condition_held critical onset=1h2m0s at=1h12m0s gas")
	// A quiet period ends what no value can end.
	for m := 120; m < 200; m++ {
		code := 0
		word := "none"
		if m == 125 {
			code, word = 2, "door_close_fault"
		}
		p := l.Point("fault_code")
		b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(time.Duration(m) * time.Minute)},
			devices.Reading{Point: p, Time: at(time.Duration(m) * time.Minute), Value: float64(code), Text: word})
	}
	b.want("gas.leak g active_without_data inputs_unknown critical onset=1h2m0s at=1h18m0.000000001s gas",
		"lift.door l active condition_held medium onset=2h5m0s at=2h5m0s door",
		"lift.door l cleared clear_held medium onset=2h5m0s at=2h35m0s door")
}

// Pain 7: storms. One rule on one asset is one episode, however often it flaps.
func TestPain7FlappingIsOneEpisode(t *testing.T) {
	b := newBench(t, rule("volt", "meter", "power.quality", "severity: low\nwhen: voltage > 240 V\nclear: voltage < 235 V\nclear_for: 10m"))
	d := b.device("m", "meter", 10*time.Second, "voltage")
	for k := range 360 {
		b.say(d, time.Duration(k)*10*time.Second, 0, "voltage", 234.0+float64(k%2)*8)
	}
	b.want("power.quality m active condition_held low onset=10s at=10s volt")
}

// Pain 8 begins with hysteresis: a value between the two limits changes nothing.
func TestPain8Hysteresis(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70\nclear: bearing_temp < 65"))
	d := b.device("p", "pump", time.Minute, "bearing_temp")
	for m, v := range []float64{60, 71, 69, 66, 72, 65, 64.9, 66, 70, 70.1} {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", v)
	}
	b.want("pump.bearing p active condition_held low onset=1m0s at=1m0s hot",
		"pump.bearing p cleared clear_held low onset=1m0s at=6m0s hot",
		"pump.bearing p active condition_held low onset=9m0s at=9m0s hot")
}

// Pain 10: what fires during a window is looked at when it ends, and a window
// ends by itself.
func TestPain10WindowRechecksAtItsEnd(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing), rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"))
	b.site.Assets = []devices.Asset{{ID: "room", Class: "place"}, {ID: "p1", Class: "pump", Parent: "room"}, {ID: "p2", Class: "pump", Parent: "room"}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	p1 := b.device("p1", "pump", time.Minute, "bearing_temp", "water_leak")
	p2 := b.device("p2", "pump", time.Minute, "bearing_temp")
	b.say(p1, 0, 0, "bearing_temp", 50.0, "water_leak", false)
	b.fact(time.Minute, devices.Fact{ID: "w", Kind: devices.FactWindow, Asset: "room", FaultClass: "pump.bearing",
		From: epoch.Add(time.Minute), Until: epoch.Add(30 * time.Minute)})
	for m := 2; m < 29; m++ {
		v := 75.0
		if m > 20 {
			v = 50
		}
		b.say(p1, time.Duration(m)*time.Minute, 0, "bearing_temp", 75.0, "water_leak", m > 5)
		b.say(p2, time.Duration(m)*time.Minute, 0, "bearing_temp", v)
	}
	b.want("water.leak p1 active condition_held high onset=6m0s at=6m0s leak")
	var muted []string
	for _, p := range b.eng.PendingList() {
		if p.Muted {
			muted = append(muted, p.Asset)
		}
	}
	if got := strings.Join(muted, " "); got != "p1" {
		t.Errorf("kept from starting: %q, want p1", got)
	}
	b.idle(29*time.Minute, 31*time.Minute)
	b.want("pump.bearing p1 active condition_held medium onset=2m0s at=30m0s hot")
}

// Pain 10: what was open before a window and recovers in it is over, and what
// fails again in it is looked at when the window ends by itself.
func TestPain10RecoveryDuringAWindowIsSeen(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak\nclear_for: 1m"))
	d := b.device("s", "sensor", time.Minute, "water_leak")
	b.say(d, 0, 0, "water_leak", true)
	b.fact(time.Minute, devices.Fact{ID: "w", Kind: devices.FactWindow, Asset: "s", From: epoch.Add(time.Minute), Until: epoch.Add(20 * time.Minute)})
	for m := 2; m < 25; m++ {
		b.say(d, time.Duration(m)*time.Minute, 0, "water_leak", m >= 15)
	}
	b.want("water.leak s active condition_held high onset=0s at=0s leak",
		"water.leak s cleared clear_held high onset=0s at=3m0s leak",
		"water.leak s active condition_held high onset=15m0s at=20m0s leak")
}

// Pain 11: the time of day is that of the site.
func TestPain11TimeOfDayIsTheSites(t *testing.T) {
	b := newBench(t, rule("night", "meter", "energy.anomaly", "severity: low\nwhen: power > 5 kW and between(\"22:00\", \"06:00\")"))
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	b.site.Location = zone
	b.eng = NewEngine(b.set, b.site, b.reg)
	d := b.device("m", "meter", time.Hour, "power")
	// The night in which the clocks go forward, 2026-03-29.
	day := 27 * 24 * time.Hour
	for h := range 24 {
		b.say(d, day+time.Duration(h)*time.Hour-time.Minute, 0, "power", 9.0)
	}
	b.idle(day+24*time.Hour, day+24*time.Hour)
	b.want("energy.anomaly m active condition_held low onset=647h59m0s at=647h59m0s night",
		"energy.anomaly m cleared clear_held low onset=647h59m0s at=652h0m0s night",
		"energy.anomaly m active condition_held low onset=668h0m0s at=668h0m0s night")
}

// Pain 11: the night in which the clocks go back has an hour more, and two o'clock
// twice.
func TestPain11NightOfTheClocksGoingBack(t *testing.T) {
	b := newBench(t, rule("night", "meter", "energy.anomaly", "severity: low\nwhen: power > 5 kW and between(\"22:00\", \"06:00\")"),
		rule("two", "meter", "water.leak", "severity: low\nwhen: power > 5 kW and hour() == 2"))
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	b.site.Location = zone
	b.eng = NewEngine(b.set, b.site, b.reg)
	d := b.device("m", "meter", 30*time.Minute, "power")
	evening := time.Date(2026, 10, 24, 18, 0, 0, 0, zone).Sub(epoch)
	for h := range 30 {
		b.say(d, evening+time.Duration(h)*30*time.Minute, 0, "power", 9.0)
	}
	local := func(d time.Duration) string { return epoch.Add(d).In(zone).Format("2 15:04 MST") }
	var got []string
	for _, tr := range b.all {
		got = append(got, tr.Rule+" "+tr.Phase.String()+" "+local(time.Duration(tr.At-epoch.UnixNano())))
	}
	want := "night active 24 22:00 CEST; two active 25 02:00 CEST; two cleared 25 03:00 CET; night cleared 25 06:00 CET"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("got %s\nwant %s", s, want)
	}
}

// Pain 15: batches are evaluated at their own times, late readings and clocks of
// the future change nothing.
func TestPain15DelayedAndLateReadings(t *testing.T) {
	b := newBench(t, rule("flow", "meter", "water.leak", "severity: low\nwhen: flow > 1 m3/h\nfor: 30m\nclear_for: 15m"))
	d := b.device("m", "meter", 15*time.Minute, "flow")
	var batch []devices.Reading
	for k := range 8 {
		v := 0.0
		if k >= 1 && k <= 4 {
			v = 2
		}
		batch = append(batch, b.readings(d, time.Duration(k)*15*time.Minute, "flow", v)...)
	}
	b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(2 * time.Hour)}, batch...)
	b.want("water.leak m active condition_held low onset=15m0s at=45m0s flow",
		"water.leak m cleared clear_held low onset=15m0s at=1h30m0s flow")
	// The same batch once more is late, all of it.
	b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(3 * time.Hour)}, batch[:7]...)
	b.want()
	if got := b.eng.Stats().Late; got != 7 {
		t.Errorf("%d late readings were counted, want 7", got)
	}
}

// Pain 16: what cannot be said elsewhere can be said here.
func TestPain16Expressiveness(t *testing.T) {
	b := newBench(t,
		rule("either", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70 or vibration_rms > 7"),
		rule("jump", "pump", "water.level", "severity: low\nwhen: delta(level, 10m) > 0.5 m"),
		rule("own", "pump", "motor.overload", "severity: low\nwhen: current > 115 % * fact.rated_current"),
		rule("night", "pump", "water.leak", "severity: low\nwhen: flow > 0.5 m3/h and (hour() < 5 or hour() >= 23)"))
	b.site.Assets = []devices.Asset{{ID: "p", Class: "pump", Facts: map[string]devices.Quantity{"rated_current": {Value: 8, Unit: "A"}}}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	d := b.device("p", "pump", time.Minute, "bearing_temp", "vibration_rms", "level", "current", "flow")
	for m := range 14 {
		level := 1.0
		if m >= 12 {
			level = 1.7
		}
		b.say(d, 15*time.Hour+time.Duration(m)*time.Minute, 0, "bearing_temp", 50.0, "vibration_rms", 3.0+float64(m/13)*5, "level", level, "current", 9.0+float64(m/13), "flow", 1.0)
	}
	b.want("water.leak p active condition_held low onset=15h0m0s at=15h0m0s night",
		"water.level p active condition_held low onset=15h12m0s at=15h12m0s jump",
		"pump.bearing p active condition_held low onset=15h13m0s at=15h13m0s either",
		"motor.overload p active condition_held low onset=15h13m0s at=15h13m0s own")
}

// Pain 19: how long until it fires, and why did it not?
func TestPain19ExplainsWhyNotYet(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing),
		rule("own", "pump", "motor.overload", "severity: low\nwhen: current > 115 % * fact.rated_current"),
		rule("gated", "pump", "water.supply_pressure", "only_while: {when: running, after: 60s}\nseverity: low\nwhen: discharge_pressure < 3 bar"))
	d := b.device("p", "pump", time.Minute, "bearing_temp", "current", "running", "discharge_pressure")
	for m := range 3 {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 75.0, "current", 20.0, "running", m == 2, "discharge_pressure", 1.0)
	}
	hot := b.explain("p", "hot")
	// Thresholds come worst first: 75 °C is pending for medium.
	th := hot.Thresholds[1]
	if hot.State != Waiting || th.Phase != Pending || th.Remaining != 3*time.Minute || th.Onset != at(0) {
		t.Errorf("%s, threshold %+v, want pending for 3 more minutes since the beginning", hot.State, th)
	}
	if in := hot.Inputs[0]; in.Value != 75 || !in.Usable || in.Time != at(2*time.Minute) || in.Age != 0 {
		t.Errorf("input %+v", in)
	}
	if x := b.explain("p", "gated"); x.State != Starting || x.Startup != time.Minute || x.Thresholds[0].Phase != 0 {
		t.Errorf("%s with %v to go, want the start-up delay to run", x.State, x.Startup)
	}
	if x := b.explain("p", "own"); x.State != Off || x.Off != OffFacts || x.ToGive[0] != "rated_current" {
		t.Errorf("%s because %s %v", x.State, x.Off, x.ToGive)
	}
	if tasks := b.eng.Tasks(); len(tasks) != 1 || tasks[0].Fact.Name != "rated_current" || !slices.Equal(tasks[0].Rules, []string{"own"}) {
		t.Errorf("tasks %v", tasks)
	}
}

// Storm: a feeder with 200 devices is cut. One episode stands for itself, the
// others under it; when it is over those that are really broken stand alone.
func TestStormHasOneCause(t *testing.T) {
	b := newBench(t, rule("phase", "meter", "power.quality", "explains: [comms.quality]\nseverity: high\nwhen: voltage < 115 V\nfor: 3s\nclear: voltage > 195 V\nclear_for: 60s"),
		rule("quiet", "sensor", "comms.quality", quietRule))
	b.site.Assets = []devices.Asset{{ID: "feeder", Class: "meter"}}
	f := b.device("feeder", "meter", 10*time.Second, "voltage")
	var fed []*devices.Device
	for k := range 200 {
		id := fmt.Sprintf("lamp-%03d", k)
		b.site.Assets = append(b.site.Assets, devices.Asset{ID: id, Class: "sensor", FedBy: []string{"feeder"}})
		fed = append(fed, b.device(id, "sensor", time.Minute, "rssi"))
	}
	b.eng = NewEngine(b.set, b.site, b.reg)
	for s := 0; s <= 1500; s += 10 {
		now := time.Duration(s) * time.Second
		volt := 230.0
		if s > 120 && s <= 900 {
			volt = 0
		}
		b.say(f, now, 0, "voltage", volt)
		if s%60 != 0 || volt == 0 {
			continue
		}
		for k, d := range fed {
			if s < 500 || k >= 3 {
				b.say(d, now, 0, "rssi", -60.0)
			}
		}
	}
	alone, under, later := 0, 0, 0
	for _, tr := range b.all {
		switch {
		case tr.Cause == CauseHeld && tr.Under == (EpisodeID{}):
			alone++
		case tr.Cause == CauseHeld && tr.Under.Asset == "feeder":
			under++
		case tr.Cause == CauseOnItsOwn:
			later++
			if tr.Episode.Asset == "feeder" {
				t.Errorf("%s", line(tr))
			}
		}
	}
	open := 0
	for _, ep := range b.eng.Episodes() {
		if ep.Under == (EpisodeID{}) {
			open++
		}
	}
	if alone != 1 || under != 200 || open != 3 {
		t.Errorf("%d stand alone, %d under the feeder, %d remain on their own (%d looked at again); want 1, 200, 3", alone, under, open, later)
	}
}
