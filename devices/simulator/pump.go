package simulator

import (
	"math"
	"time"
)

const (
	gravity  = 9810.0 // N/m³, weight of a cubic metre of water
	metreBar = 10.2   // metres of water per bar
	// nominal is the phase voltage of a Chinese low-voltage grid (GB/T 12325).
	nominal = 220.0
)

// pumpSpec is the name plate and the curve of a pump.
type pumpSpec struct {
	shutOff    float64 // m, head at no flow and full speed
	slope      float64 // m/(m³/h)², H = shutOff·n² − slope·Q²
	bestFlow   float64 // m³/h at best efficiency and full speed
	efficiency float64 // of the pump at its best point
	rated      float64 // kW of the motor
	current    float64 // A, rated
	drive      bool    // has a frequency converter
	header     bool    // reports suction and discharge of a common header, and its set-point
	pit        bool    // reports the level of a pit
	vibration  float64 // mm/s RMS when new, at the best point
	every      time.Duration
}

// Three plausible sets: a multistage booster, an in-line circulator, a
// submersible sump pump.
var (
	boosterSpec     = pumpSpec{shutOff: 85, slope: 0.16, bestFlow: 12, efficiency: 0.65, rated: 4, current: 8.2, drive: true, header: true, vibration: 1.3, every: 10 * time.Second}
	circulationSpec = pumpSpec{shutOff: 14, slope: 0.0045, bestFlow: 30, efficiency: 0.62, rated: 2.2, current: 4.9, header: true, vibration: 1.5, every: 10 * time.Second}
	sumpSpec        = pumpSpec{shutOff: 16, slope: 0.03, bestFlow: 15, efficiency: 0.5, rated: 1.5, current: 3.6, pit: true, vibration: 1.8, every: 10 * time.Second}
)

// head is the head in m at a flow in m³/h and a speed relative to full speed:
// the affinity laws applied to a parabola.
func (s *pumpSpec) head(flow, speed float64) float64 {
	return s.shutOff*speed*speed - s.slope*flow*flow
}

// speedFor is the speed that gives a head at a flow, at most full speed.
func (s *pumpSpec) speedFor(flow, head float64) float64 {
	return math.Min(1, math.Sqrt(math.Max(0, head+s.slope*flow*flow)/s.shutOff))
}

// shaft is the power at the shaft in kW. The efficiency falls off on both sides
// of the best point as best·(1−(1−x)²), x being the flow relative to the best
// flow at this speed; written so that it stays finite at no flow.
func (s *pumpSpec) shaft(flow, speed float64) float64 {
	if speed <= 0 {
		return 0
	}
	best := s.bestFlow * speed
	x := math.Min(flow/best, 1.8)
	return gravity * s.head(flow, speed) * best / 3600 / (s.efficiency * (2 - x)) / 1000
}

// pump is one pump with its motor and sensors. The plant moves it; it reports.
type pump struct {
	device
	spec pumpSpec
	due  int64

	command, running, fault bool
	speed                   float64 // relative
	flow                    float64 // m³/h
	suction, discharge      float64 // bar
	setpoint                float64 // bar
	level                   float64 // m
	shaft                   float64 // kW
	power                   float64 // kW, electrical
	volts, amps             [3]float64
	bearing, winding        float64 // °C
	vibration               float64 // mm/s
	energy                  float64 // kWh
	hours                   float64
	starts                  int64
}

func newPump(spec pumpSpec, d device) *pump {
	p := &pump{device: d, spec: spec, bearing: 26, winding: 27}
	p.energy = 2000 + 9000*p.rng.Float64()
	p.hours = 3000 + 9000*p.rng.Float64()
	p.starts = 400 + p.rng.Int64N(4000)
	return p
}

// healthy reports whether a command would make it run.
func (p *pump) healthy(now int64) bool { return !p.troubles.active(NoStart, now) }

// run commands the pump. One that does not start reports a fault.
func (p *pump) run(on bool, now int64) {
	was, commanded := p.running, p.command
	p.command = on
	p.running = on && p.healthy(now)
	p.fault = on && !p.running
	if p.running && !was {
		p.starts++
	}
	if p.running != was || p.command != commanded {
		p.due = min(p.due, now) // a change is told at once
	}
}

// deliver sets the hydraulic point of a running pump: flow in m³/h against a head
// in m. A pump that runs dry delivers nothing however fast it turns.
func (p *pump) deliver(flow, head float64, now int64) {
	p.flow, p.speed, p.shaft = 0, 0, 0
	if !p.running {
		return
	}
	p.speed = 1
	if p.spec.drive {
		p.speed = p.spec.speedFor(flow, head)
	}
	p.flow = flow
	p.shaft = p.spec.shaft(flow, p.speed)
	if dry := p.troubles.size(DryRun, now); dry > 0 {
		p.flow = flow * math.Max(0, 1-1.1*dry)
		p.shaft = p.shaft*(1-dry) + 0.06*p.spec.rated*dry
		p.suction -= 0.9 * dry
	}
	p.shaft *= 1 + 0.22*p.troubles.size(EfficiencyLoss, now)
}

// magnetising is the idle current of the motor relative to its rated current,
// copper and iron take this share of the power.
const (
	magnetising = 0.28
	motorLoss   = 0.14
)

// settle works out motor, heat and vibration of one step of dt seconds.
func (p *pump) settle(now int64, dt, room float64, volts [3]float64) {
	p.volts = volts
	phase := 0.0
	if p.running {
		phase = p.troubles.size(PhaseFault, now)
	}
	p.volts[1] *= 1 - 0.12*phase
	p.power = 0
	if p.running {
		p.power = p.shaft/(1-motorLoss) + 0.02*p.spec.rated
	}
	// Active and magnetising current add at right angles. A few per cent of
	// voltage unbalance make six to ten times as much current unbalance.
	if p.running {
		active := p.power * 1000 / (3 * nominal)
		idle := magnetising * p.spec.current
		i := math.Hypot(active, idle)
		p.amps = [3]float64{i * (1 + 0.18*phase), i * (1 - 0.45*phase), i * (1 + 0.14*phase)}
	} else {
		p.amps = [3]float64{}
	}
	wear := p.troubles.size(BearingWear, now)
	dry := 0.0
	if p.running {
		dry = p.troubles.size(DryRun, now)
	}
	load := p.shaft / p.spec.rated
	target, tau := room, 2400.0
	windingTarget := room
	if p.running {
		tau = 1500
		target = room + 6*p.speed*p.speed + 22*load + 13*wear + 12*dry
		windingTarget = room + 14 + 55*load*load + 15*phase
	}
	p.bearing += (target - p.bearing) * (1 - math.Exp(-dt/tau))
	p.winding += (windingTarget - p.winding) * (1 - math.Exp(-dt/900))
	if p.running {
		off := p.flow/(p.spec.bestFlow*math.Max(p.speed, 0.1)) - 1
		p.vibration = p.spec.vibration*(0.7+0.3*p.speed*p.speed) + 0.5*off*off + 0.8*wear + 1.0*dry
		p.hours += dt / 3600
	} else {
		p.vibration = 0.08
	}
	p.energy += p.power * dt / 3600
}

func (p *pump) next() int64 { return p.due }

func (p *pump) act(now int64, e *Estate) {
	// Nothing new of a pump that stands still: it reports once a minute.
	p.due = now + int64(p.spec.every)
	if !p.running && !p.command {
		p.due = now + int64(time.Minute)
	}
	p.report(now, e)
}

func (p *pump) report(now int64, e *Estate) {
	jitter := func(v, share float64) float64 { return v * (1 + p.noise(share)) }
	o := p.object(now, e)
	o.truth("run_command", p.command)
	o.truth("running", p.running)
	o.truth("auto_mode", true)
	o.truth("fault", p.fault)
	var a, v [3]float64
	for i := range a {
		a[i], v[i] = jitter(p.amps[i], .008), jitter(p.volts[i], .001)
	}
	o.number("current", (a[0]+a[1]+a[2])/3, 2)
	o.number("current_l1", a[0], 2)
	o.number("current_l2", a[1], 2)
	o.number("current_l3", a[2], 2)
	o.number("voltage_l1", v[0], 1)
	o.number("voltage_l2", v[1], 1)
	o.number("voltage_l3", v[2], 1)
	o.number("voltage_unbalance", unbalance(v), 2)
	if p.running {
		o.number("current_unbalance", unbalance(a), 1)
	}
	o.number("power", jitter(p.power, .006), 3)
	o.number("energy", p.energy, 2)
	if p.spec.drive {
		o.number("drive_frequency", 50*p.speed, 1)
	}
	o.number("flow", math.Max(0, jitter(p.flow, .01)), 2)
	if p.spec.header {
		o.number("suction_pressure", p.suction+p.noise(.008), 2)
		o.number("discharge_pressure", p.discharge+p.noise(.015), 2)
	}
	if p.setpoint > 0 {
		o.number("pressure_setpoint", p.setpoint, 1)
	}
	if p.spec.pit {
		o.number("level", p.level+p.noise(.004), 2)
		o.truth("high_float", p.level > 1.6)
		o.truth("overflow_float", p.level > 2.0)
	}
	o.number("vibration_rms", math.Max(0.02, jitter(p.vibration, .035)), 2)
	o.number("bearing_temp", p.bearing+p.noise(.12), 1)
	o.number("winding_temp", p.winding+p.noise(.15), 1)
	o.number("run_hours", p.hours, 2)
	o.integer("starts", p.starts)
	p.publish(p.telemetry, &o, now, e)
}

// unbalance is the largest deviation from the mean in per cent of the mean, as
// NEMA MG-1 defines it.
func unbalance(v [3]float64) float64 {
	mean := (v[0] + v[1] + v[2]) / 3
	if mean == 0 {
		return 0
	}
	worst := 0.0
	for _, x := range v {
		worst = math.Max(worst, math.Abs(x-mean))
	}
	return 100 * worst / mean
}
