package simulator

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// heard is one message of the device under test.
type heard struct {
	at      time.Time
	event   bool
	payload string
}

func (h heard) get(k string) gjson.Result { return gjson.Get(h.payload, k) }

func (h heard) num(k string) float64 {
	v := h.get(k)
	if v.Type != gjson.Number {
		return -1e9
	}
	return v.Num
}

func (h heard) is(k string, want bool) bool {
	v := h.get(k)
	return v.IsBool() && v.Bool() == want
}

// listen runs an estate and returns what the named devices said.
func listen(t *testing.T, cfg Config, seed uint64, length time.Duration, devices ...string) map[string][]heard {
	t.Helper()
	out := map[string][]heard{}
	mustNew(t, cfg, seed).Step(cfg.Start.Add(length), func(m Message) {
		parts := strings.Split(m.Topic, "/")
		if parts[3] != "availability" && slices.Contains(devices, parts[2]) {
			out[parts[2]] = append(out[parts[2]], heard{at: m.Time, event: parts[3] == "event", payload: string(m.Payload)})
		}
	})
	return out
}

// A case says how a kind of fault is recognised: the time at which what was
// heard satisfies the rule of DOMAIN.md (without its engine), zero when never.
type faultCase struct {
	fault Fault
	found func([]heard) time.Time
}

// first finds the first message that satisfies a condition.
func first(cond func(heard) bool) func([]heard) time.Time {
	return held(0, cond)
}

// held finds when a condition of telemetry has held for a time.
func held(d time.Duration, cond func(heard) bool) func([]heard) time.Time {
	return func(all []heard) time.Time {
		var since time.Time
		for _, h := range all {
			switch {
			case h.event:
			case !cond(h):
				since = time.Time{}
			case since.IsZero():
				since = h.at
				fallthrough
			default:
				if h.at.Sub(since) >= d {
					return h.at
				}
			}
		}
		return time.Time{}
	}
}

// comesUp finds when a condition has become true n times within a time.
func comesUp(n int, within time.Duration, cond func(heard) bool) func([]heard) time.Time {
	return func(all []heard) time.Time {
		var times []time.Time
		before := false
		for _, h := range all {
			now := cond(h)
			if now && !before {
				times = append(times, h.at)
			}
			before = now
			if len(times) >= n && h.at.Sub(times[len(times)-n]) <= within {
				return h.at
			}
		}
		return time.Time{}
	}
}

// quiet finds a pause.
func quiet(d time.Duration) func([]heard) time.Time {
	return func(all []heard) time.Time {
		for i := 1; i < len(all); i++ {
			if all[i].at.Sub(all[i-1].at) > d {
				return all[i-1].at.Add(d)
			}
		}
		return time.Time{}
	}
}

const onset = 30 * time.Minute

var faultCases = []faultCase{
	{Fault{Kind: DryRun, Device: "pump-1", Ramp: time.Minute}, held(time.Minute, func(h heard) bool {
		return h.is("running", true) && h.num("flow") < .05*boosterSpec.bestFlow && h.num("suction_pressure") < 0.05
	})},
	{Fault{Kind: DryRun, Device: "pump-4", Ramp: time.Minute}, held(time.Minute, func(h heard) bool {
		return h.is("running", true) && h.num("current") < .7*2.8
	})},
	{Fault{Kind: PhaseFault, Device: "pump-2", Ramp: time.Minute}, held(10*time.Second, func(h heard) bool {
		return h.num("voltage_unbalance") > 5 && h.num("current_unbalance") > 20
	})},
	{Fault{Kind: NoStart, Device: "pump-3"}, held(10*time.Second, func(h heard) bool {
		return h.is("run_command", true) && h.is("running", false)
	})},
	{Fault{Kind: DoorFaults, Device: "lift-1", Ramp: time.Hour}, comesUp(3, 30*time.Minute, func(h heard) bool { return h.num("fault_code") == codeDoorClose })},
	{Fault{Kind: Entrapment, Device: "lift-2"}, first(func(h heard) bool {
		return h.num("fault_code") == codeEntrapment && h.is("passenger_present", true) && h.is("door_zone", false)
	})},
	{Fault{Kind: MachineRoomHeat, Device: "lift-3", Ramp: 20 * time.Minute}, held(10*time.Minute, func(h heard) bool {
		return h.num("machine_room_temp") > 40
	})},
	{Fault{Kind: BoomStuck, Device: "barrier-1"}, func() func([]heard) time.Time {
		return func(all []heard) time.Time {
			stalls := 0
			var since time.Time
			for _, h := range all {
				switch {
				case h.event:
				case h.is("at_open", true) || h.get("gate_cmd").Str == "close":
					if h.is("at_open", true) {
						stalls = 0
					}
					since = time.Time{}
				case since.IsZero():
					since = h.at
				}
				if !since.IsZero() && h.at.Sub(since) > 6*time.Second {
					since = h.at.Add(time.Hour)
					if stalls++; stalls == 2 {
						return h.at
					}
				}
			}
			return time.Time{}
		}
	}()},
	{Fault{Kind: DoorHeld, Device: "door-1"}, held(5*time.Minute, func(h heard) bool { return h.is("door_contact", true) })},
	{Fault{Kind: DoorForced, Device: "door-2"}, func(all []heard) time.Time {
		var asked time.Time
		for _, h := range all {
			if h.event && !h.get("access_denied").Exists() {
				asked = h.at
			}
			if h.is("door_contact", true) && h.at.Sub(asked) > 2*time.Minute {
				return h.at
			}
		}
		return time.Time{}
	}},
	{Fault{Kind: WaterLeak, Device: "meter-w4", Ramp: 10 * time.Minute}, held(24*time.Hour, func(h heard) bool {
		return h.num("flow") > .005*WaterQ3["landscape"]
	})},
	{Fault{Kind: ResidualCurrent, Device: "meter-e5", Ramp: 20 * time.Minute}, held(30*time.Second, func(h heard) bool {
		return h.num("residual_current") > 300
	})},
	{Fault{Kind: GasAlarm, Device: "gas-1", Ramp: 5 * time.Minute}, first(func(h heard) bool { return h.num("gas_concentration") >= 25 })},
	{Fault{Kind: HeatSensorBroken, Device: "meter-h2"}, held(time.Hour, func(h heard) bool { return h.num("supply_temp") == sentinel })},
	{Fault{Kind: Silent, Device: "meter-g2", Until: onset + 55*time.Minute}, quiet(45 * time.Minute)},
	{Fault{Kind: Clock2036, Device: "meter-w3"}, first(func(h heard) bool {
		at, err := time.Parse(time.RFC3339, h.get("time").Str)
		return err == nil && at.Year() == 2036 && at.Sub(h.at) > 10*time.Minute
	})},
	{Fault{Kind: DuplicateEvents, Device: "barrier-2"}, func(all []heard) time.Time {
		for i := 1; i < len(all); i++ {
			if all[i].event && all[i].payload == all[i-1].payload {
				return all[i].at
			}
		}
		return time.Time{}
	}},
}

// TestFaultsAreVisibleWhereTheTruthSaysSo puts each kind of fault alone into an
// estate that begins on a working morning, and in the dead of a night, and looks
// for its symptom: not before the onset, and by the time an order is due.
func TestFaultsAreVisibleWhereTheTruthSaysSo(t *testing.T) {
	starts := []time.Time{monday, time.Date(2026, 1, 18, 1, 30, 0, 0, shanghai)}
	for _, c := range faultCases {
		for seed, start := range starts {
			cfg := demoAt(start)
			cfg.FaultsPerWeek = 0
			f := c.fault
			f.Onset, f.Until = onset, cmp.Or(f.Until, 30*time.Hour)
			cfg.Faults = []Fault{f}
			truth := mustNew(t, cfg, uint64(seed)).Faults()[0]
			due := truth.Due
			if due.IsZero() {
				due = truth.Full.Add(time.Hour)
			}
			found := c.found(listen(t, cfg, uint64(seed), due.Sub(start)+time.Hour, f.Device)[f.Device])
			if found.IsZero() || found.Before(truth.Begins) || found.After(due) {
				t.Errorf("%s on %s from %v: found at %v, due at %v", f.Kind, f.Device, truth.Begins, found, due)
			}
		}
	}
	for _, k := range kinds {
		if !k.drift && !slices.ContainsFunc(faultCases, func(c faultCase) bool { return c.fault.Kind == k.kind }) {
			t.Errorf("no case for %s", k.kind)
		}
	}
}

// TestDriftsStayBelowEveryLimit compares an estate with drifts to its twin
// without, at the end of the ramp.
func TestDriftsStayBelowEveryLimit(t *testing.T) {
	const ramp = 30 * time.Hour
	cfg := demoAt(monday)
	cfg.FaultsPerWeek, cfg.Faults = 0, nil
	hear := func() map[string][]heard {
		return listen(t, cfg, 5, ramp+6*time.Hour, "pump-1", "pump-3", "barrier-2")
	}
	healthy := hear()
	for _, f := range []Fault{{Kind: BearingWear, Device: "pump-3"}, {Kind: EfficiencyLoss, Device: "pump-1"}, {Kind: BoomSlow, Device: "barrier-2"}} {
		f.Onset, f.Ramp = onset, ramp-onset
		cfg.Faults = append(cfg.Faults, f)
	}
	ill := hear()
	for _, c := range []struct {
		device, role string
		grows, limit float64
	}{
		{"pump-3", "bearing_temp", 8, 70},         // P12 warns at 70 °C
		{"pump-3", "vibration_rms", .6, 2.8},      // P01, the strictest class
		{"pump-1", "power", .15, 4},               // rated power
		{"barrier-2", "motion_time", .6, 1.3 * 3}, // G04
	} {
		before, _ := level(healthy[c.device], c.role, monday.Add(ramp))
		after, largest := level(ill[c.device], c.role, monday.Add(ramp))
		if after-before < c.grows || largest >= c.limit {
			t.Errorf("%s %s goes from %.2f to %.2f, largest %.2f, limit %.2f", c.device, c.role, before, after, largest, c.limit)
		}
	}
}

// level returns the mean of a role from a time on, while in use, and its largest
// value ever.
func level(all []heard, role string, from time.Time) (mean, largest float64) {
	n := 0.0
	for _, h := range all {
		if h.event || h.is("running", false) || !h.get(role).Exists() {
			continue
		}
		largest = max(largest, h.num(role))
		if h.at.After(from) {
			mean += h.num(role)
			n++
		}
	}
	return mean / n, largest
}

// TestHealthyEstateShowsNoSymptom: none of the symptoms appears in a day and
// two hours without faults, in each season.
func TestHealthyEstateShowsNoSymptom(t *testing.T) {
	var names []string
	for _, c := range faultCases {
		names = append(names, c.fault.Device)
	}
	for _, start := range []time.Time{monday, time.Date(2026, 1, 16, 0, 0, 0, 0, shanghai), time.Date(2026, 7, 24, 12, 0, 0, 0, shanghai)} {
		cfg := demoAt(start)
		cfg.Faults, cfg.FaultsPerWeek = nil, 0
		said := listen(t, cfg, 9, 26*time.Hour, names...)
		for _, c := range faultCases {
			if found := c.found(said[c.fault.Device]); !found.IsZero() {
				t.Errorf("%s shows %s at %v", c.fault.Device, c.fault.Kind, found)
			}
		}
	}
}

// TestFirstOrderOfTheDemo: at sixty times the clock the first order is due
// between 25 and 50 s after the start, whatever the hour and season.
func TestFirstOrderOfTheDemo(t *testing.T) {
	heat := held(10*time.Minute, func(h heard) bool { return h.num("machine_room_temp") > 40 })
	for _, start := range []time.Time{monday, time.Date(2026, 1, 18, 3, 0, 0, 0, shanghai), time.Date(2026, 7, 24, 16, 0, 0, 0, shanghai)} {
		found := heat(listen(t, demoAt(start), 1, time.Hour, "lift-2")["lift-2"])
		if after := found.Sub(start); found.IsZero() || after < 25*time.Minute || after > 50*time.Minute {
			t.Errorf("from %v the first order is due after %v", start, after)
		} else {
			t.Logf("from %v the first order is due after %v", start, after)
		}
	}
}

func TestDrawnFaultsFollowTheSeed(t *testing.T) {
	cfg := demoAt(monday)
	cfg.Faults, cfg.FaultsPerWeek = nil, 10
	a, b, other := mustNew(t, cfg, 1).Faults(), mustNew(t, cfg, 1).Faults(), mustNew(t, cfg, 2).Faults()
	same := func(x, y Truth) bool { return x.Fault == y.Fault }
	if !slices.EqualFunc(a, b, same) || slices.EqualFunc(a, other, same) {
		t.Error("the same seed draws the same faults, another seed others")
	}
	if len(a) < 15 || len(a) > 60 {
		t.Errorf("%d faults in four weeks at ten a week", len(a))
	}
	for i, f := range a {
		for _, g := range a[:i] {
			if f.overlaps(g.Fault) {
				t.Errorf("%v and %v at once", f.Fault, g.Fault)
			}
		}
	}
}
