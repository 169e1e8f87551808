package simulator

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var specs = map[string]pumpSpec{"booster": boosterSpec, "circulation": circulationSpec, "sump": sumpSpec}

// TestPumpCurves: what every centrifugal pump does.
func TestPumpCurves(t *testing.T) {
	for name, s := range specs {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			full := math.Sqrt(s.shutOff / s.slope) // flow at no head
			speed := rapid.Float64Range(.2, 1).Draw(t, "speed")
			flow := rapid.Float64Range(0, .95).Draw(t, "flow") * full * speed
			h := s.head(flow, speed)
			if h < 0 || h > s.shutOff*speed*speed {
				t.Fatalf("head %v", h)
			}
			if more := s.head(flow*1.01+.01, speed); more >= h {
				t.Fatalf("head rises with the flow: %v, %v", h, more)
			}
			if n := s.speedFor(flow, h); math.Abs(n-speed) > 1e-9 {
				t.Fatalf("speed %v gives a head that needs speed %v", speed, n)
			}
			// Affinity: at k times the speed and flow, k² times the head and k³
			// times the power.
			k := rapid.Float64Range(.5, 1).Draw(t, "k")
			if got := s.head(k*flow, k*speed); math.Abs(got-k*k*h) > 1e-9*s.shutOff {
				t.Fatalf("head %v at %v times the speed, %v before", got, k, h)
			}
			p, q := s.shaft(flow, speed), s.shaft(k*flow, k*speed)
			if math.IsNaN(p) || p < 0 || p > 1.2*s.rated || math.Abs(q-k*k*k*p) > 1e-9*s.rated {
				t.Fatalf("power %v, %v at %v times the speed", p, q, k)
			}
			// Not more water power than shaft power.
			if hydraulic := gravity * flow / 3600 * h / 1000; hydraulic > p*s.efficiency*1.0001 {
				t.Fatalf("%v kW of water from %v kW", hydraulic, p)
			}
		}))
	}
}

var countersOf = map[string][]string{
	"elevator": {"run_count", "total_run_hours", "door_cycles", "door_reopen_count"},
	"gate":     {"cycle_count", "plate_reads", "plate_read_failures"},
	"pump":     {"energy", "run_hours", "starts"},
	"meter":    {"energy", "volume", "heat_energy"},
}

// TestNothingImpossible runs estates of many seeds, seasons and hours, with drawn
// faults, and looks at every message for what cannot be.
func TestNothingImpossible(t *testing.T) {
	for seed := range uint64(4) {
		start := time.Date(2026, time.Month(1+seed*3), 3+int(seed), int(seed)*5%24, 7, 0, 0, shanghai)
		cfg := demoAt(start)
		cfg.Faults, cfg.FaultsPerWeek = nil, 150
		names := make([]string, 0, 30)
		for _, d := range cfg.Devices() {
			names = append(names, d.ID)
		}
		said := listen(t, cfg, seed, 20*time.Hour, names...)
		bad := func(h heard, format string) { t.Errorf("seed %d: %s: %s", seed, format, h.payload) }
		for _, d := range cfg.Devices() {
			counters := map[string]float64{}
			for _, h := range said[d.ID] {
				for _, k := range countersOf[d.Class] {
					if v := h.num(k); v >= 0 {
						if v < counters[k] {
							bad(h, k+" goes back")
						}
						counters[k] = v
					}
				}
				if h.event {
					continue
				}
				switch d.Class {
				case "elevator":
					checkLift(h, bad)
				case "gate":
					if h.is("at_open", true) && h.is("at_closed", true) || h.is("moving", true) && (h.is("at_open", true) || h.is("at_closed", true)) {
						bad(h, "open, closed and moving at once")
					}
				case "pump":
					checkPump(h, bad)
				case "meter":
					if h.num("voltage_l1") > 0 {
						checkPower(h, bad)
					}
					if f := h.num("flow"); f > -1e9 && (f < 0 || f > 60) {
						bad(h, "impossible flow")
					}
				}
			}
		}
	}
}

func checkLift(h heard, bad func(heard, string)) {
	if h.get("car_status").Str == "running" && (h.is("door_closed", false) || h.is("door_zone", true)) {
		bad(h, "runs with its door open, or in the door zone")
	}
	if (h.get("car_direction").Str == "none") != (h.get("car_status").Str == "stopped") {
		bad(h, "direction and motion disagree")
	}
	if n, err := strconv.Atoi(h.get("floor").Str); err != nil || n < 1 || n > 28 {
		bad(h, "floor")
	}
	if v := h.num("machine_room_temp"); v < 5 || v > 60 {
		bad(h, "machine room")
	}
}

func checkPump(h heard, bad func(heard, string)) {
	running := h.is("running", true)
	amps := []float64{h.num("current_l1"), h.num("current_l2"), h.num("current_l3")}
	mean := (amps[0] + amps[1] + amps[2]) / 3
	switch {
	case running != (mean > 0) || running != (h.num("power") > 0):
		bad(h, "current or power without running")
	case !running && h.num("flow") != 0:
		bad(h, "flow without running")
	case running && h.is("run_command", false):
		bad(h, "runs without a command")
	case math.Abs(mean-h.num("current")) > .011:
		bad(h, "current is not the mean of the phases")
	case slices.Max(amps) > 9.5:
		bad(h, "current above what the motor can take")
	case h.num("bearing_temp") < 15 || h.num("bearing_temp") > 95 || h.num("winding_temp") > 130:
		bad(h, "temperature")
	case h.num("vibration_rms") <= 0 || h.num("vibration_rms") > 6:
		bad(h, "vibration")
	}
	if running {
		// √3·U·I bounds the power of a motor; its power factor is not above 0.95.
		apparent := h.num("voltage_l1") * amps[0] / 1000
		apparent += h.num("voltage_l2")*amps[1]/1000 + h.num("voltage_l3")*amps[2]/1000
		if h.num("power") > 1.03*apparent {
			bad(h, "more active than apparent power")
		}
	}
	if p := h.num("discharge_pressure"); p > -1e9 && (p < 0 || p > 6.5) {
		bad(h, "discharge pressure")
	}
}

func checkPower(h heard, bad func(heard, string)) {
	sum := 0.0
	for _, l := range []string{"l1", "l2", "l3"} {
		sum += h.num("voltage_"+l) * h.num("current_"+l) / 1000
	}
	if pf := h.num("power") / sum; pf < .9 || pf > .96 {
		bad(h, "power is not the sum of the phases")
	}
	if math.Abs(h.num("load_percent")) > 100 {
		bad(h, "load")
	}
}

// TestMetersAddUp: over a day the meter of the estate counts what the others of
// its medium count, and a counter is the integral of its flow or power.
func TestMetersAddUp(t *testing.T) {
	cfg := demoAt(monday)
	cfg.FaultsPerWeek = 0
	cfg.Faults = []Fault{{Kind: WaterLeak, Device: "meter-w4", Onset: time.Hour}}
	var names []string
	for _, m := range cfg.Meters {
		names = append(names, m.ID)
	}
	said := listen(t, cfg, 2, 24*time.Hour, names...)
	counted := func(id, counter, rate string) float64 {
		all := said[id]
		integral := 0.0
		for i := 1; i < len(all); i++ {
			integral += (all[i].num(rate) + all[i-1].num(rate)) / 2 * all[i].at.Sub(all[i-1].at).Hours()
		}
		grown := all[len(all)-1].num(counter) - all[0].num(counter)
		if math.Abs(grown-integral) > .03*grown+.5 {
			t.Errorf("%s: %s grew by %.2f, its %s adds up to %.2f", id, counter, grown, rate, integral)
		}
		return grown
	}
	for _, c := range []struct {
		main          string
		parts         []string
		counter, rate string
	}{
		{"meter-e1", []string{"meter-e2", "meter-e3", "meter-e4", "meter-e5"}, "energy", "power"},
		{"meter-w1", []string{"meter-w2", "meter-w3", "meter-w4"}, "volume", "flow"},
	} {
		whole, sum := counted(c.main, c.counter, c.rate), 0.0
		for _, p := range c.parts {
			sum += counted(p, c.counter, c.rate)
		}
		if math.Abs(whole-sum) > .01*whole {
			t.Errorf("%s counts %.2f, the others %.2f", c.main, whole, sum)
		}
	}
	counted("meter-h1", "heat_energy", "heat_power")
	counted("meter-g1", "volume", "flow")
}

// TestPumpRoomUsesWhatItsPumpsUse ties the meter to the motors.
func TestPumpRoomUsesWhatItsPumpsUse(t *testing.T) {
	cfg := demoAt(monday)
	cfg.Faults, cfg.FaultsPerWeek = nil, 0
	said := listen(t, cfg, 2, 24*time.Hour, "meter-e3", "pump-1", "pump-2", "pump-3", "pump-4", "pump-5")
	grown := func(id string) float64 {
		all := said[id]
		return all[len(all)-1].num("energy") - all[0].num("energy")
	}
	pumps := 0.8 * 24 // lights and controllers
	for i := 1; i <= 5; i++ {
		pumps += grown("pump-" + strconv.Itoa(i))
	}
	if meter := grown("meter-e3"); math.Abs(meter-pumps) > .01*meter {
		t.Errorf("the meter counts %.2f kWh, the pumps %.2f", meter, pumps)
	}
}

// TestPeopleMakeTheRhythm: the night is quiet, the morning is not.
func TestPeopleMakeTheRhythm(t *testing.T) {
	cfg := demoAt(monday.Add(-7*time.Hour - 30*time.Minute))
	cfg.Faults, cfg.FaultsPerWeek = nil, 0
	said := listen(t, cfg, 3, 24*time.Hour, "lift-1", "barrier-2", "meter-w2", "door-1")
	grown := func(id, counter string, from, to int) float64 {
		var first, last float64 = -1, -1
		for _, h := range said[id] {
			if v := h.num(counter); v >= 0 && h.at.Hour() >= from && h.at.Hour() < to {
				if first < 0 {
					first = v
				}
				last = v
			}
		}
		return last - first
	}
	for _, c := range []struct {
		id, counter string
	}{{"lift-1", "run_count"}, {"barrier-2", "cycle_count"}, {"meter-w2", "volume"}} {
		if night, morning := grown(c.id, c.counter, 2, 4), grown(c.id, c.counter, 7, 9); morning < 5*night || morning < 5 {
			t.Errorf("%s: %s grows by %.1f at night and %.1f in the morning", c.id, c.counter, night, morning)
		}
	}
	// A day of a household and of a lift, as they are known.
	if day := grown("meter-w2", "volume", 0, 24) / 210; day < .25 || day > .5 {
		t.Errorf("%.2f m³ a household and day", day)
	}
	if trips := grown("lift-1", "run_count", 0, 24); trips < 300 || trips > 1200 {
		t.Errorf("%.0f runs a day", trips)
	}
}
