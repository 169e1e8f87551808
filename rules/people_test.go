package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

func TestCancelledIsShelvedUntilThen(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"))
	d := b.device("s", "sensor", time.Minute, "water_leak")
	b.say(d, 0, 0, "water_leak", true)
	b.want("water.leak s active condition_held high onset=0s at=0s leak")
	f := devices.Fact{ID: "1", Kind: devices.FactCancelled, Asset: "s", FaultClass: "water.leak", By: "li", Until: epoch.Add(10 * time.Minute)}
	b.fact(time.Minute, f)
	b.fact(time.Minute, f) // the same fact twice is one
	for m := 2; m < 12; m++ {
		b.say(d, time.Duration(m)*time.Minute, 0, "water_leak", true)
	}
	b.want("water.leak s cleared cancelled high onset=0s at=1m0s leak",
		"water.leak s active condition_held high onset=45s at=10m0s leak")
	// Without an end it is quiet until the condition was false once.
	b.fact(12*time.Minute, devices.Fact{ID: "2", Kind: devices.FactCancelled, Asset: "s", FaultClass: "water.leak", By: "li"})
	for m := 13; m < 30; m++ {
		b.say(d, time.Duration(m)*time.Minute, 0, "water_leak", m != 20)
	}
	b.want("water.leak s cleared cancelled high onset=45s at=12m0s leak",
		"water.leak s active condition_held high onset=21m0s at=21m0s leak")
}

func TestNothingOpensWhileATechnicianIsThere(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"),
		rule("gas", "any", "gas.leak", "severity: critical\nwhen: gas_concentration > 25 %LEL"))
	d := b.device("s", "sensor", time.Minute, "water_leak", "gas_concentration")
	b.say(d, 0, 0, "water_leak", false, "gas_concentration", 0.0)
	b.fact(time.Minute, devices.Fact{ID: "1", Kind: devices.FactCheckedIn, Asset: "s", By: "li"})
	b.say(d, 2*time.Minute, 0, "water_leak", true, "gas_concentration", 0.0)
	b.say(d, 3*time.Minute, 0, "water_leak", true, "gas_concentration", 50.0)
	b.want("gas.leak s active condition_held critical onset=3m0s at=3m0s gas") // danger is danger
	b.fact(5*time.Minute, devices.Fact{ID: "2", Kind: devices.FactCheckedOut, Asset: "s", By: "li"})
	b.say(d, 6*time.Minute, 0, "water_leak", true, "gas_concentration", 50.0)
	b.want("water.leak s active condition_held high onset=2m0s at=5m0s leak")
}

func TestReplacedDeviceKeepsWhatIsRemembered(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing))
	b.site.Assets = []devices.Asset{{ID: "pump", Class: "pump"}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	old := b.reg.Add(devices.Device{ID: "old", Class: "pump", Asset: "pump", Interval: int64(time.Minute)})
	p := b.reg.AddPoint(old, devices.Point{Name: "bearing_temp", Role: "bearing_temp", Unit: "°C"})
	say := func(p *devices.Point, m int) {
		b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(time.Duration(m) * time.Minute)},
			devices.Reading{Point: p, Time: at(time.Duration(m) * time.Minute), Value: 75})
	}
	for m := range 4 {
		say(p, m)
	}
	young := b.reg.Add(devices.Device{ID: "young", Class: "pump", Interval: int64(time.Minute)})
	q := b.reg.AddPoint(young, devices.Point{Name: "bearing_temp", Role: "bearing_temp", Unit: "°C"})
	b.fact(4*time.Minute, devices.Fact{ID: "1", Kind: devices.FactReplaced, Asset: "pump", Device: "young", Replaces: "old", By: "li"})
	say(q, 4)
	say(q, 5)
	b.want("pump.bearing pump active condition_held medium onset=0s at=5m0s hot")
}

// A device that nobody heard before takes over when it speaks: what is open stays
// open till then, with a restart in between, and ends by its word.
func TestReplacedByADeviceThatWasNeverHeard(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", bearing))
	b.site.Assets = []devices.Asset{{ID: "pump", Class: "pump"}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	say := func(id string, m int, v float64) {
		d := b.reg.Add(devices.Device{ID: id, Class: "pump", Asset: "pump", Interval: int64(time.Minute)})
		p := b.reg.AddPoint(d, devices.Point{Name: "bearing_temp", Role: "bearing_temp", Unit: "°C"})
		b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(time.Duration(m) * time.Minute)},
			devices.Reading{Point: p, Time: at(time.Duration(m) * time.Minute), Value: v})
	}
	for m := range 6 {
		say("old", m, 75)
	}
	b.want("pump.bearing pump active condition_held medium onset=0s at=5m0s hot")
	b.fact(6*time.Minute, devices.Fact{ID: "1", Kind: devices.FactReplaced, Asset: "pump", Device: "young", Replaces: "old", By: "li"})
	b.restart()
	say("old", 7, 75)
	for m := 8; m < 12; m++ {
		say("young", m, 50)
		say("old", m, 90) // lies on a bench and matters to nobody
	}
	b.want("pump.bearing pump cleared clear_held medium onset=0s at=10m0s hot")
}

// A counter of another device counts from where that device stands: what the asset
// used is neither lost nor invented, wherever the new counter begins.
func TestReplacedCounterInventsNoConsumption(t *testing.T) {
	for _, begins := range []float64{0, 3, 99_000} {
		b := newBench(t, rule("used", "meter", "energy.anomaly", "severity: low\nwhen: delta(energy, 10h) > 34 kWh"))
		b.site.Assets = []devices.Asset{{ID: "main", Class: "meter"}}
		b.eng = NewEngine(b.set, b.site, b.reg)
		meter := func(id string) *devices.Point {
			d := b.reg.Add(devices.Device{ID: id, Class: "meter", Asset: "main", Interval: int64(time.Hour)})
			return b.reg.AddPoint(d, devices.Point{Name: "energy", Role: "energy", Unit: "kWh", Kind: devices.Counter})
		}
		say := func(p *devices.Point, h int, v float64) {
			b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(time.Duration(h) * time.Hour)},
				devices.Reading{Point: p, Time: at(time.Duration(h) * time.Hour), Value: v})
		}
		old, young := meter("old"), meter("young")
		v := 5000.0
		for h := range 20 {
			say(old, h, v)
			v += 3
		}
		b.fact(19*time.Hour+30*time.Minute, devices.Fact{ID: "1", Kind: devices.FactReplaced, Asset: "main", Device: "young", Replaces: "old", By: "li"})
		v = begins
		for h := 20; h < 40; h++ {
			say(young, h, v)
			v += 3
		}
		b.want()
		// Four a day too many are seen across the change, as without it.
		for h := 40; h < 52; h++ {
			say(young, h, v)
			v += 4
		}
		if len(b.all) != 1 || b.all[0].Episode.Asset != "main" {
			t.Errorf("beginning at %v: %v", begins, b.log)
		}
		// A reload of the same site file does not bring the old device back.
		b.seq++
		b.eng.Swap(&devices.Record{Seq: b.seq, Kind: devices.ConfigVersion, Time: at(52 * time.Hour)}, b.set,
			&devices.Site{ID: "site", Assets: b.site.Assets, Devices: []devices.DeviceSpec{{ID: "old", Asset: "main"}}})
		if list, err := b.eng.Explain(Question{Asset: "main"}); err != nil || len(list) != 1 || list[0].Device != "young" {
			t.Errorf("after a reload: %+v, %v", list, err)
		}
	}
}

// What others had counted of an asset goes on over a new device too: a sub-meter is
// replaced, and the sum over a building still knows the days before.
func TestReplacedSubMeterKeepsItsShareOfASum(t *testing.T) {
	b := newBench(t, rule("sum", "meter", "energy.anomaly", "severity: low\nwhen: delta(energy, 20h) - sum(children, delta(energy, 20h)) > 1 kWh"))
	b.site.Assets = []devices.Asset{{ID: "main", Class: "meter"}, {ID: "sub", Class: "meter", Parent: "main"}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	say := func(id, asset string, h int, v float64) {
		d := b.reg.Add(devices.Device{ID: id, Class: "meter", Asset: asset, Interval: int64(time.Hour)})
		p := b.reg.AddPoint(d, devices.Point{Name: "energy", Role: "energy", Unit: "kWh", Kind: devices.Counter})
		b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(time.Duration(h) * time.Hour)},
			devices.Reading{Point: p, Time: at(time.Duration(h) * time.Hour), Value: v})
	}
	for h := range 30 {
		say("m", "main", h, 100+3*float64(h))
		if h < 25 {
			say("old", "sub", h, 50+3*float64(h))
			continue
		}
		if h == 25 {
			b.fact(24*time.Hour+30*time.Minute, devices.Fact{ID: "1", Kind: devices.FactReplaced, Asset: "sub", Device: "young", Replaces: "old", By: "li"})
		}
		say("young", "sub", h, 7000+3*float64(h))
	}
	x := b.explain("main", "sum")
	if v := x.Thresholds[0].Value; v == Unknown {
		t.Errorf("the difference is %v: %+v", v, x.Thresholds[0].Parts)
	}
}

func TestServiceIsDueAgainAfterDone(t *testing.T) {
	b := newBench(t, rule("due", "gate", "barrier.mechanism", "severity: low\nwhen: since_done() > 30 d or delta(cycle_count, 30d) > 1000"))
	d := b.device("g", "gate", time.Hour, "cycle_count")
	for h := range 24 * 32 {
		b.say(d, time.Duration(h)*time.Hour, 0, "cycle_count", 5.0)
	}
	b.want("barrier.mechanism g active condition_held low onset=721h0m0s at=721h0m0s due")
	b.fact(768*time.Hour, devices.Fact{ID: "1", Kind: devices.FactDone, Asset: "g", FaultClass: "barrier.mechanism", By: "li"})
	for h := 768; h < 780; h++ {
		b.say(d, time.Duration(h)*time.Hour, 0, "cycle_count", 5.0)
	}
	b.want("barrier.mechanism g cleared clear_held low onset=721h0m0s at=767h59m55s due")
}

func TestLastWillMakesValuesUnknown(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak\nclear_for: 1m"))
	d := b.device("s", "sensor", time.Minute, "water_leak")
	b.say(d, 0, 0, "water_leak", true)
	will := func(m int, word string) {
		b.apply(devices.Record{Kind: devices.Messages, Connection: "c", Time: at(time.Duration(m) * time.Minute)},
			devices.Reading{Point: d.Point(devices.AvailabilityPoint), Time: at(time.Duration(m) * time.Minute), Text: word, Flags: devices.ReceiveTime})
	}
	will(1, "offline")
	will(2, "online")
	b.idle(2*time.Minute, 10*time.Minute)
	b.want("water.leak s active condition_held high onset=0s at=0s leak",
		"water.leak s active_without_data inputs_unknown high onset=0s at=1m0s leak")
	// What it said before it went away is not what is now.
	b.say(d, 11*time.Minute, 0, "water_leak", false)
	b.say(d, 12*time.Minute, 0, "water_leak", false)
	b.want("water.leak s active inputs_known high onset=0s at=11m0s leak",
		"water.leak s cleared clear_held high onset=0s at=12m0s leak")
}

func TestRemovedRuleRetiresItsEpisode(t *testing.T) {
	two := rule("hot", "pump", "pump.bearing", "severity: high\nwhen: bearing_temp > 80") + rule("warm", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70")
	b := newBench(t, two)
	d := b.device("p", "pump", time.Minute, "bearing_temp")
	b.say(d, 0, 0, "bearing_temp", 85.0)
	swap := func(m int, text string) {
		b.seq++
		b.note(b.eng.Swap(&devices.Record{Seq: b.seq, Kind: devices.ConfigVersion, Time: at(time.Duration(m) * time.Minute)}, mustLoad(t, "rules:\n"+text), b.site))
	}
	swap(1, two)
	b.want("pump.bearing p active condition_held high onset=0s at=0s hot")
	swap(2, rule("warm", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70"))
	b.want("pump.bearing p active severity_changed low onset=0s at=2m0s warm")
	swap(3, rule("other", "pump", "motor.overload", "severity: low\nwhen: bearing_temp > 84"))
	b.want("motor.overload p active condition_held low onset=0s at=0s other",
		"pump.bearing p cleared rule_retired low onset=0s at=3m0s warm")
}

func TestSeveralPointsOfOneRole(t *testing.T) {
	b := newBench(t, rule("leak", "any", "water.leak", "severity: high\nwhen: water_leak"))
	d := b.device("s", "sensor", time.Minute, "a:water_leak", "b:water_leak")
	b.say(d, 0, 0, "a", false, "b", true)
	b.say(d, time.Minute, 0, "a", true, "b", true)
	b.say(d, 2*time.Minute, 0, "a", true, "b", false)
	b.say(d, 3*time.Minute, 0, "a", false, "b", false)
	b.want("water.leak s active condition_held high onset=0s at=0s leak",
		"water.leak s cleared clear_held high onset=0s at=3m0s leak")
	if in := b.all[0].Evidence.Inputs; len(in) != 1 || in[0].Point != "b" {
		t.Errorf("the evidence is %+v, want point b", in)
	}
}

func TestEvidenceShowsWhatLedToIt(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", "limits: {hot: 80 °C}\nseverity: high\nwhen: bearing_temp > limit.hot\nfor: 5m"))
	d := b.device("p", "pump", time.Minute, "bearing_temp")
	for m := range 30 {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 60+float64(m))
	}
	ev := b.all[0].Evidence
	if ev.Condition != "bearing_temp > limit.hot" || !strings.Contains(ev.Threshold, "hot = 80 °C") {
		t.Errorf("condition %q, threshold %q", ev.Condition, ev.Threshold)
	}
	s := ev.Series[0]
	if len(s.Times) < 15 || *s.Limit != 80 || s.Values[len(s.Values)-1] != 86 {
		t.Errorf("series %v %v limit %v", len(s.Times), s.Values, s.Limit)
	}
	if ev.Reason.EN != "hot: Bearing temperature 86 °C" || ev.Reason.ZH != "hot：轴承温度 86 °C" {
		t.Errorf("reason %+v", ev.Reason)
	}
}

func TestReasonsSayStatesInWords(t *testing.T) {
	b := newBench(t, rule("stuck", "elevator", "lift.drive", "severity: high\nwhen: fault_code == \"door_close_fault\" and passenger_present and not door_zone"))
	d := b.device("l", "elevator", time.Minute, "fault_code", "passenger_present", "door_zone")
	code := devices.RoleByName("fault_code").Word("door_close_fault")
	b.say(d, 0, 0, "fault_code", "door_close_fault", "passenger_present", 1.0, "door_zone", 0.0)
	got := b.all[0].Evidence.Reason
	if en := "stuck: Fault code " + code.Label.EN + ", Passenger in the car yes, Car in the unlocking zone no"; got.EN != en {
		t.Errorf("got  %s\nwant %s", got.EN, en)
	}
	if !strings.Contains(got.ZH, code.Label.ZH) || !strings.Contains(got.ZH, "是") || !strings.Contains(got.ZH, "否") {
		t.Error(got.ZH)
	}
}

// A rule that looks back for hours does not cost the others on its device their
// view of the last minutes.
func TestEvidenceIsDenseNearTheOnsetAndReachesBack(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", "severity: high\nwhen: bearing_temp > 80 °C\nfor: 10m"),
		rule("worn", "pump", "motor.overload", "severity: low\nwhen: current > 30 A\nfor: 6h"))
	d := b.device("p", "pump", time.Minute, "bearing_temp", "current")
	for m := range 500 {
		temp, current := 60.0, 20.0
		if m >= 120 {
			current = 40
		}
		if m >= 440 {
			temp = 90
		}
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", temp, "current", current)
	}
	series := map[string]Series{}
	for _, tr := range b.all {
		series[tr.Rule] = tr.Evidence.Series[0]
	}
	recent := 0
	for _, at := range series["hot"].Times {
		if series["hot"].Times[len(series["hot"].Times)-1]-at <= int64(25*time.Minute) {
			recent++
		}
	}
	if recent < 6 {
		t.Errorf("of the last 25 minutes %d readings are shown: %v", recent, series["hot"].Times)
	}
	long := series["worn"].Times
	if n := len(long); n < 12 || long[n-1]-long[0] < int64(6*time.Hour) {
		t.Errorf("of a fault that takes six hours to show %d readings over %v are shown", n, time.Duration(long[n-1]-long[0]))
	}
	for k := 1; k < len(long); k++ {
		if long[k] <= long[k-1] {
			t.Errorf("the readings are out of order: %v", long)
		}
	}
}
