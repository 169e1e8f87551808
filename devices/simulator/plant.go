package simulator

import (
	"math"
	"math/rand/v2"
	"time"
)

// Booster keeps the water pressure of the upper floors: the first pump in turn
// works, the next stands by and helps out; they change places every night.
type Booster struct {
	Pumps    []string
	Setpoint float64 // bar
}

// Circulation keeps the hot water moving, one of its pumps always runs.
type Circulation struct{ Pumps []string }

// Sump keeps the basement dry.
type Sump struct{ Pumps []string }

// grid is the step of everything that flows, warms up or adds up.
const grid = 10 * time.Second

// plant is what the devices have in common: weather, people, pipes and wires. It
// moves on a fixed grid of its own, so that nothing depends on how the estate is
// stepped.
type plant struct {
	rng  *rand.Rand
	due  int64
	hour float64
	free bool
	out  float64 // °C outdoors
	room float64 // °C in the plant rooms

	households  float64
	towers      [2]wander
	usage       wander // of electricity
	volts       [3]wander
	hertz       wander
	tower       [2]float64 // m³/h of water
	landscape   float64
	sprinkling  bool
	phaseVolts  [3]float64
	frequency   float64
	heat        float64 // kW
	towerHeat   float64
	stoves      float64 // m³/h of gas
	kitchen     float64
	power       struct{ lifts, pumps, common, garage float64 } // kW
	lifts       []*lift
	meters      []*meter
	booster     station
	circulation station
	sump        station
}

// station is a set of pumps with one duty.
type station struct {
	pumps    []*pump
	setpoint float64 // bar
	header   float64 // bar
	level    float64 // m
	turn     int     // whose turn it is
	duty     int     // who leads
	awake    bool
	idle     float64 // s of almost no demand
	low      float64 // s of low pressure
	assist   bool    // the standby helps
	lastDay  int
}

func newPlant(cfg *Config, rng *rand.Rand) *plant {
	p := &plant{rng: rng, households: float64(cfg.Households)}
	for i := range p.towers {
		p.towers[i] = wander{tau: 900, sigma: .16}
	}
	for i := range p.volts {
		p.volts[i] = wander{tau: 300, sigma: 1.1}
	}
	p.usage = wander{tau: 1800, sigma: .05}
	p.hertz = wander{tau: 60, sigma: .012}
	p.booster.setpoint = cfg.Booster.Setpoint
	if p.booster.setpoint == 0 {
		p.booster.setpoint = 6
	}
	p.booster.header, p.booster.awake = p.booster.setpoint, true
	p.sump.level = 0.7
	p.phaseVolts = [3]float64{231, 231, 231}
	p.frequency = 50
	return p
}

// settle runs the plant for the hours before the start, so that the first ones
// show a plant in operation and not one that warms up.
func (p *plant) settle(start int64, e *Estate) {
	for at := start - int64(4*time.Hour); at < start; at += int64(grid) {
		p.act(at, e)
	}
	for _, s := range []*station{&p.booster, &p.circulation, &p.sump} {
		for _, pu := range s.pumps {
			pu.due = start + pu.phase(pu.spec.every)
		}
	}
}

func (p *plant) next() int64 { return p.due }

// act moves the plant by one step of the grid.
func (p *plant) act(now int64, e *Estate) {
	p.due = now + int64(grid)
	dt := grid.Seconds()
	var yearDay int
	p.hour, p.free, yearDay = hourOf(now, e.loc)
	p.out = outdoor(yearDay, p.hour)
	p.room = 23 + 0.15*(p.out-13)
	p.demand(dt)
	for i := range p.phaseVolts {
		p.phaseVolts[i] = 228 + p.volts[i].step(p.rng, dt)
	}
	p.frequency = 50 + p.hertz.step(p.rng, dt)
	p.boost(now, dt, yearDay)
	p.circulate(now, dt)
	p.drain(now, dt)
	for _, s := range []*station{&p.booster, &p.circulation, &p.sump} {
		for _, pu := range s.pumps {
			pu.settle(now, dt, p.room, p.phaseVolts)
		}
	}
	for _, l := range p.lifts {
		l.warm(now, dt, p.out)
	}
	p.measure(now, dt)
}

// demand works out what people take.
func (p *plant) demand(dt float64) {
	water := &waterWeekday
	if p.free {
		water = &waterWeekend
	}
	// 0.36 m³ of water per household and day.
	mean := p.households / 2 * 0.36 / 24
	for i := range p.tower {
		f := 1 + p.towers[i].step(p.rng, dt)
		p.tower[i] = mean * water.at(p.hour) * math.Max(.3, f)
	}
	// Lawns are watered before the sun is high; taps on the paths now and then.
	p.landscape = 0
	if p.hour >= 5.5 && p.hour < 6.25 {
		p.landscape = 3.2 * (1 + .02*p.rng.NormFloat64())
	} else if p.hour >= 8 && p.hour < 17 {
		if p.rng.Float64() < .01 {
			p.sprinkling = !p.sprinkling && p.rng.Float64() < .3
		}
		if p.sprinkling {
			p.landscape = .7
		}
	} else {
		p.sprinkling = false
	}
	// The towers lose heat to the air, and hot water is drawn with the water.
	p.heat = p.households * (0.09*math.Max(0, 17-p.out) + 0.22*(0.35+0.65*water.at(p.hour)))
}

// boost runs the booster set: constant pressure by speed, sleep when almost
// nothing is drawn, the pressure vessel feeding meanwhile.
func (p *plant) boost(now int64, dt float64, yearDay int) {
	s := &p.booster
	if len(s.pumps) == 0 {
		return
	}
	if p.hour >= 3 && yearDay != s.lastDay {
		if s.lastDay != 0 {
			s.turn = (s.turn + 1) % len(s.pumps)
		}
		s.lastDay = yearDay
	}
	s.lead(now)
	const vessel = 0.25 // m³ per bar
	drawn := 0.6 * (p.tower[0] + p.tower[1])
	switch {
	case s.awake && drawn < 0.8 && s.header > s.setpoint+0.08:
		if s.idle += dt; s.idle >= 20 {
			s.awake = false
		}
	case !s.awake && s.header < s.setpoint-0.4:
		s.awake, s.idle = true, 0
	default:
		s.idle = 0
	}
	// The standby takes over when the duty pump cannot, and helps when the
	// pressure stays low for 20 s; it goes back when the duty pump delivers again.
	duty := s.pumps[s.duty]
	if s.header < s.setpoint-0.3 && s.awake {
		s.low += dt
	} else {
		s.low = 0
	}
	able := duty.healthy(now) && duty.troubles.size(DryRun, now) == 0
	if s.low >= 20 {
		s.assist = true
	} else if able && s.header > s.setpoint-0.05 {
		s.assist = false
	}
	refill := 0.0
	if s.awake {
		refill = math.Min(4, math.Max(0, (s.setpoint+0.15-s.header)*vessel*3600/60))
	}
	given := 0.0
	for i, pu := range s.pumps {
		pu.suction, pu.setpoint = 0.26, s.setpoint
		on := s.awake && (i == s.duty || s.assist && i == (s.duty+1)%len(s.pumps))
		pu.run(on, now)
		share := drawn + refill
		if s.assist && able && pu.running {
			share /= 2
		}
		pu.deliver(share, (s.header-pu.suction)*metreBar, now)
		given += pu.flow
	}
	s.header += (given - drawn) * dt / 3600 / vessel
	s.header = math.Max(0.5, math.Min(s.header, s.setpoint+0.3))
	for _, pu := range s.pumps {
		pu.discharge = s.header
	}
}

// lead chooses the duty pump: the one whose turn it is, but a pump with a fault is
// put to work, for a fault of a pump that stands still is no use to anyone. An
// acute one keeps the set awake until it has shown.
func (s *station) lead(now int64) {
	s.duty = s.turn
	for _, need := range []work{wears, acute} {
		for i, pu := range s.pumps {
			for j := range pu.troubles {
				t := &pu.troubles[j]
				if t.work != need || now < t.onset || now >= t.until {
					continue
				}
				s.duty = i
				if need == acute && now < t.full+int64(5*time.Minute) {
					s.awake, s.idle = true, 0
				}
			}
		}
	}
}

// circulate runs the hot-water circulation at constant speed: the flow is where
// the pump's curve meets the pipes' parabola.
func (p *plant) circulate(now int64, dt float64) {
	s := &p.circulation
	if len(s.pumps) == 0 {
		return
	}
	const pipes = 0.0065 // m/(m³/h)²
	s.lead(now)
	if duty := s.pumps[s.duty]; !duty.healthy(now) || duty.troubles.size(DryRun, now) > 0 {
		s.low += dt
	} else {
		s.low = 0
	}
	s.assist = s.low >= 30
	for i, pu := range s.pumps {
		pu.suction = 1.5
		pu.run(i == s.duty || s.assist && i == (s.duty+1)%len(s.pumps), now)
		flow := math.Sqrt(pu.spec.shutOff / (pu.spec.slope + pipes))
		pu.deliver(flow, pu.spec.head(flow, 1), now)
		if pu.running {
			full := pu.flow / flow // less when it runs dry
			s.header = 1.5 + full*pu.spec.head(pu.flow, 1)/metreBar
		}
	}
	for _, pu := range s.pumps {
		pu.discharge = s.header
	}
}

// drain runs the sump: ground water seeps in, a pump empties the pit.
func (p *plant) drain(now int64, dt float64) {
	s := &p.sump
	if len(s.pumps) == 0 {
		return
	}
	const area = 1.5 // m²
	inflow := 0.45 + 0.1*math.Sin(p.hour/24*2*math.Pi)
	switch {
	case s.level > 1.2:
		s.awake = true
	case s.level < 0.4:
		s.awake = false
	}
	given := 0.0
	for i, pu := range s.pumps {
		pu.run(s.awake && i == 0, now)
		pu.deliver(14, pu.spec.head(14, 1), now)
		given += pu.flow
	}
	s.level = math.Max(0.2, math.Min(2.4, s.level+(inflow-given)*dt/3600/area))
	for _, pu := range s.pumps {
		pu.level = s.level
	}
}

// wander is a mean-reverting random walk (Ornstein-Uhlenbeck) around zero with
// the given time constant in seconds and standard deviation.
type wander struct {
	tau, sigma float64
	x          float64
	dt         float64 // the last step, whose factors are kept
	keep, kick float64
}

func (w *wander) step(rng *rand.Rand, dt float64) float64 {
	if dt != w.dt {
		w.dt = dt
		w.keep = math.Exp(-dt / w.tau)
		w.kick = w.sigma * math.Sqrt(1-w.keep*w.keep)
	}
	w.x = w.x*w.keep + w.kick*rng.NormFloat64()
	return w.x
}
