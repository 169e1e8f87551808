package rules

import (
	"fmt"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

const phaseRule = "explains: [comms.quality]\nseverity: high\nwhen: voltage < 115 V\nfor: 3s\nclear: voltage > 195 V\nclear_for: 60s"

// estate is a feeder and what it feeds.
type estate struct {
	*bench
	feeder *devices.Device
	fed    []*devices.Device
}

func newEstate(t testing.TB, n int) *estate {
	e := &estate{bench: newBench(t, rule("phase", "meter", "power.quality", phaseRule), rule("quiet", "sensor", "comms.quality", quietRule))}
	e.site.Assets = []devices.Asset{{ID: "feeder", Class: "meter"}}
	e.feeder = e.device("feeder", "meter", 10*time.Second, "voltage")
	for k := range n {
		id := fmt.Sprintf("lamp-%03d", k)
		e.site.Assets = append(e.site.Assets, devices.Asset{ID: id, Class: "sensor", FedBy: []string{"feeder"}})
		e.fed = append(e.fed, e.device(id, "sensor", time.Minute, "rssi"))
	}
	e.eng = NewEngine(e.set, e.site, e.reg)
	return e
}

// run lives through a cut, from and until the given times. back says when a
// device is heard again.
func (e *estate) run(until, cut, restored time.Duration, back func(k int) time.Duration) {
	for now := time.Duration(0); now < until; now += time.Second {
		dead := now >= cut && now < restored
		e.idle(now, now)
		if now%(10*time.Second) == 0 {
			volt := 230.0
			if dead {
				volt = 0
			}
			e.say(e.feeder, now, 0, "voltage", volt)
		}
		for k, d := range e.fed {
			if (now-time.Duration(k)*time.Second)%time.Minute == 0 && (now < cut || now >= back(k)) {
				e.say(d, now, 0, "rssi", -60.0)
			}
		}
	}
}

// count tells how many episodes wake somebody, are attached when they open, and
// are let stand on their own later.
func (e *estate) count() (alone, under, later int) {
	for _, tr := range e.all {
		switch {
		case tr.Cause == CauseHeld && tr.Under == (EpisodeID{}):
			alone++
		case tr.Cause == CauseHeld:
			under++
		case tr.Cause == CauseOnItsOwn:
			later++
		}
	}
	return alone, under, later
}

// Storm: a feeder with 200 devices is cut for a quarter of an hour. One episode
// wakes somebody, 200 are attached to it. The devices come back one after the
// other within five minutes of the power; the three that do not, and only they,
// stand on their own then.
func TestStormOfDevicesThatComeBackOverMinutes(t *testing.T) {
	e := newEstate(t, 200)
	e.run(45*time.Minute, 2*time.Minute, 17*time.Minute, func(k int) time.Duration {
		if k < 3 {
			return 24 * time.Hour
		}
		return 17*time.Minute + time.Duration(k)*1500*time.Millisecond
	})
	if alone, under, later := e.count(); alone != 1 || under != 200 || later != 3 {
		t.Errorf("%d wake somebody, %d are attached, %d stand on their own later; want 1, 200, 3", alone, under, later)
	}
	for _, tr := range e.all {
		if tr.Cause == CauseOnItsOwn && (tr.Under != (EpisodeID{}) || tr.Episode.Asset > "lamp-002") {
			t.Errorf("%s under %v", line(tr), tr.Under)
		}
		if tr.Phase == Cleared && tr.Episode.Asset != "feeder" && tr.Under.Asset != "feeder" {
			t.Errorf("%s left its cause", line(tr))
		}
	}
}

// A cut may be over before anything behind it has been silent for long enough.
// Who does not come up after it is found then, and was cut off all the same.
func TestStormAfterAShortCut(t *testing.T) {
	e := newEstate(t, 50)
	e.run(30*time.Minute, 2*time.Minute, 4*time.Minute, func(k int) time.Duration {
		if k < 3 {
			return 24 * time.Hour
		}
		return 8*time.Minute + time.Duration(k)*time.Second
	})
	if alone, under, later := e.count(); alone != 1 || under < 40 || later != 3 {
		t.Errorf("%d wake somebody, %d are attached, %d stand on their own later; want 1, more than 40, 3", alone, under, later)
	}
}

// A reprieve is counted while somebody listens, and goes on after a restart.
func TestReprieveOutlivesARestart(t *testing.T) {
	e := newEstate(t, 4)
	never := func(int) time.Duration { return 24 * time.Hour }
	e.run(19*time.Minute, 2*time.Minute, 17*time.Minute, never) // the feeder is well at 18m
	var chunks [Chunks][]byte
	for _, c := range e.eng.DirtyChunks(nil) {
		chunks[c] = e.eng.AppendChunk(c, nil)
	}
	e.reg = devices.NewRegistry()
	e.eng = NewEngine(e.set, e.site, e.reg)
	if err := e.eng.Restore(chunks[:]); err != nil {
		t.Fatal(err)
	}
	// The daemon is back after two hours, and hears the others at once.
	e.log = nil
	e.start(2*time.Hour + 19*time.Minute)
	e.link(2*time.Hour+19*time.Minute, true)
	for m := range 12 {
		now := 2*time.Hour + 20*time.Minute + time.Duration(m)*time.Minute
		for k := 1; k < 4; k++ {
			e.say(e.reg.Lookup(fmt.Appendf(nil, "lamp-%03d", k)), now, 0, "rssi", -60.0)
		}
		e.say(e.reg.Lookup([]byte("feeder")), now, 0, "voltage", 230.0)
	}
	e.want("comms.quality lamp-001 cleared clear_held low onset=6m1s at=2h22m0s quiet",
		"comms.quality lamp-002 cleared clear_held low onset=6m2s at=2h22m0s quiet",
		"comms.quality lamp-003 cleared clear_held low onset=6m3s at=2h22m0s quiet",
		"comms.quality lamp-000 active common_cause_over low onset=6m0s at=2h26m0s quiet")
}

// When the power fails again while the consequences have their reprieve, they
// go under the new episode.
func TestSecondCutTakesOverWhatTheFirstLeft(t *testing.T) {
	e := newEstate(t, 3)
	for now := time.Duration(0); now < 40*time.Minute; now += 10 * time.Second {
		volt := 230.0
		if now >= 2*time.Minute && now < 10*time.Minute || now >= 13*time.Minute && now < 35*time.Minute {
			volt = 0
		}
		e.say(e.feeder, now, 0, "voltage", volt)
		for _, d := range e.fed {
			if now < 2*time.Minute && now%time.Minute == 0 {
				e.say(d, now, 0, "rssi", -60.0)
			}
		}
	}
	again := 0
	for _, tr := range e.all {
		if tr.Cause == CauseExplained {
			again++
		}
		if tr.Cause == CauseOnItsOwn {
			t.Errorf("%s", line(tr))
		}
	}
	if again != 3 {
		t.Errorf("%d went under the second cut, want 3", again)
	}
}

// Pain 8: whoever comes and goes is one episode that is held until it is calm.
func TestPain8FlappingIsHeldUntilItIsCalm(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70\nclear: bearing_temp < 65\nclear_for: 1m"))
	d := b.device("p", "pump", time.Minute, "bearing_temp")
	for m := range 120 {
		v := 60.0
		if m%5 == 0 && m < 60 {
			v = 75
		}
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", v)
		if m == 59 && !b.eng.Episodes()[0].Flapping {
			t.Error("the episode is not said to flap")
		}
	}
	// Four times it clears at once. The fifth episode lasts until the bearing has
	// been cool for half an hour; the last time that it was hot is 55m.
	var want []string
	for k := range 4 {
		on := time.Duration(k) * 5 * time.Minute
		want = append(want, fmt.Sprintf("pump.bearing p active condition_held low onset=%v at=%v hot", on, on),
			fmt.Sprintf("pump.bearing p cleared clear_held low onset=%v at=%v hot", on, on+2*time.Minute))
	}
	b.want(append(want, "pump.bearing p active condition_held low onset=20m0s at=20m0s hot",
		"pump.bearing p cleared clear_held low onset=20m0s at=1h26m0s hot")...)
}

// Pain 8: what comes and goes with its feeder does not flap.
func TestPain8FlappingIsCountedWhileParentsAreHealthy(t *testing.T) {
	e := newEstate(t, 1)
	for now := time.Duration(0); now < 150*time.Minute; now += 10 * time.Second {
		volt := 230.0
		if now%(11*time.Minute) >= 3*time.Minute && now < 120*time.Minute { // cut for 8 of 11 minutes
			volt = 0
		}
		e.say(e.feeder, now, 0, "voltage", volt)
		if volt > 0 && now%time.Minute == 0 {
			e.say(e.fed[0], now, 0, "rssi", -60.0)
		}
		for _, ep := range e.eng.Episodes() {
			if ep.Flapping && ep.ID.Asset != "feeder" {
				t.Fatalf("%v: %s is said to flap", now, ep.ID)
			}
		}
	}
	opened := 0
	for _, tr := range e.all {
		if tr.Cause == CauseHeld && tr.Episode.Asset != "feeder" {
			opened++
			if tr.Under.Asset != "feeder" {
				t.Errorf("%s stands on its own", line(tr))
			}
		}
	}
	if opened < flapOpenings+2 {
		t.Errorf("the lamp failed %d times only", opened)
	}
}

// A cut that people know of (its episode is cancelled until later) wakes nobody
// for what it explains, neither for what was there nor for what comes; when the
// power is back, those stand alone that do not come back.
func TestKnownCauseGoesOnExplaining(t *testing.T) {
	e := newEstate(t, 20)
	back := func(k int) time.Duration {
		if k < 3 {
			return 24 * time.Hour
		}
		return 70*time.Minute + time.Duration(k)*time.Second
	}
	known := false
	for now := time.Duration(0); now < 100*time.Minute; now += time.Second {
		e.idle(now, now)
		if now == 4*time.Minute { // some lamps are found silent before, most after
			known = true
			e.fact(now, devices.Fact{ID: "known", Kind: devices.FactCancelled, Asset: "feeder", FaultClass: "power.quality",
				By: "li.na", At: time.Unix(0, at(now)), Until: time.Unix(0, at(3*time.Hour))})
		}
		if now%(10*time.Second) == 0 {
			volt := 230.0
			if now >= 2*time.Minute && now < 70*time.Minute {
				volt = 0
			}
			e.say(e.feeder, now, 0, "voltage", volt)
		}
		for k, d := range e.fed {
			if (now-time.Duration(k)*time.Second)%time.Minute == 0 && (now < 2*time.Minute || now >= back(k)) {
				e.say(d, now, 0, "rssi", -60.0)
			}
		}
	}
	if alone, under, later := e.count(); !known || alone != 1 || under != 20 || later != 3 {
		t.Errorf("%d wake somebody, %d are attached, %d stand on their own later; want 1, 20, 3", alone, under, later)
	}
	for _, tr := range e.all {
		if tr.Cause == CauseOnItsOwn && (tr.At < at(70*time.Minute) || tr.Episode.Asset > "lamp-002") {
			t.Errorf("%s", line(tr))
		}
	}
}
