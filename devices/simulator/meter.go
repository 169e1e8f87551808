package simulator

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Medium is what a meter counts.
type Medium string

// The media.
const (
	Electricity Medium = "electricity"
	Water       Medium = "water"
	Gas         Medium = "gas"
	Heat        Medium = "heat"
)

// Meter counts one medium for one part of the estate.
type Meter struct {
	ID     string
	Medium Medium
	// Load is what it counts: "estate" (all others of the medium together), or
	// for electricity "lifts", "pumps", "common", "garage"; for water "tower-a",
	// "tower-b", "landscape"; for gas "kitchen"; for heat "tower-a", "tower-b".
	Load string
}

func (m Meter) kind() deviceKind {
	if m.Medium == Water && m.Load == "landscape" {
		return aBranchMeter
	}
	return deviceKind(string(m.Medium) + " meter")
}

var loads = map[Medium][]string{
	Electricity: {"estate", "lifts", "pumps", "common", "garage"},
	Water:       {"estate", "tower-a", "tower-b", "landscape"},
	Gas:         {"estate", "kitchen"},
	Heat:        {"estate", "tower-a", "tower-b"},
}

// Publishing intervals: a minute for electricity, five and fifteen for what
// changes slowly and runs on batteries.
var meterEvery = map[Medium]time.Duration{
	Electricity: time.Minute, Water: 5 * time.Minute, Heat: 5 * time.Minute, Gas: 15 * time.Minute,
}

// WaterQ3 is the permanent flow rate in m³/h of the water meters by their load.
var WaterQ3 = map[string]float64{"estate": 40, "tower-a": 25, "tower-b": 25, "landscape": 6.3}

// breaker is the rated current in A of the electricity feeders by their load.
var breaker = map[string]float64{"estate": 250, "lifts": 80, "pumps": 50, "common": 100, "garage": 80}

type meter struct {
	device
	Medium
	load  string
	every int64
	due   int64

	source *float64 // where the plant keeps its load; nil for a sum
	rate   float64  // kW or m³/h now
	total  float64  // kWh or m³
	volume float64  // m³ of heat carrier
	flow   float64  // m³/h of heat carrier
	supply float64  // °C
	back   float64  // °C
	plant  *plant
	share  [3]wander // of the phases
}

func newMeter(c Meter, d device, p *plant, start int64) (*meter, error) {
	if !slices.Contains(loads[c.Medium], c.Load) {
		return nil, fmt.Errorf("meter %s: %s has no load %q (one of %v)", c.ID, c.Medium, c.Load, loads[c.Medium])
	}
	m := &meter{device: d, Medium: c.Medium, load: c.Load, every: int64(meterEvery[c.Medium]), plant: p, supply: 55, back: 42}
	m.source = p.load(c.Medium, c.Load)
	m.total = 1000 + 40_000*m.rng.Float64()
	m.volume = 1000 + 20_000*m.rng.Float64()
	for i := range m.share {
		m.share[i] = wander{tau: 900, sigma: .03}
	}
	m.due = start + m.device.phase(meterEvery[c.Medium])
	p.meters = append(p.meters, m)
	return m, nil
}

// load returns where the plant keeps a load; nil for what meters add up.
func (p *plant) load(medium Medium, load string) *float64 {
	switch string(medium) + " " + load {
	case "electricity lifts":
		return &p.power.lifts
	case "electricity pumps":
		return &p.power.pumps
	case "electricity common":
		return &p.power.common
	case "electricity garage":
		return &p.power.garage
	case "water tower-a":
		return &p.tower[0]
	case "water tower-b":
		return &p.tower[1]
	case "water landscape":
		return &p.landscape
	case "gas kitchen":
		return &p.kitchen
	case "heat estate":
		return &p.heat
	case "heat tower-a", "heat tower-b":
		return &p.towerHeat
	}
	return nil
}

// consume works out what machines, lights and stoves take, in kW and m³/h.
func (p *plant) consume(dt float64) {
	p.power.common = p.households*.05*lightDay.at(p.hour)*(1+p.usage.step(p.rng, dt)) + 1.2
	p.power.garage = p.households * .018 * (.7 + .3*lightDay.at(p.hour))
	p.power.lifts, p.power.pumps = 0.5, 0.8 // controllers and lights
	for _, l := range p.lifts {
		p.power.lifts += l.load()
	}
	for _, s := range []*station{&p.booster, &p.circulation, &p.sump} {
		for _, pu := range s.pumps {
			p.power.pumps += pu.power
		}
	}
	p.stoves = p.households * .35 / 24 * gasDay.at(p.hour) // 0.35 m³ a household and day
	p.kitchen = 2.2 * kitchenDay.at(p.hour)
	p.towerHeat = p.heat / 2
}

// measure sets what every meter sees and lets its counter run. The meter of the
// estate sees the sum of the others of its medium.
func (p *plant) measure(now int64, dt float64) {
	p.consume(dt)
	sums := meterSums{gas: p.stoves}
	for _, m := range p.meters {
		m.rate = 0
		if m.source != nil {
			m.rate = *m.source
		}
		if m.Medium == Heat {
			m.carry(p.out, dt)
			continue
		}
		m.rate += .9 * m.troubles.size(WaterLeak, now)
		*sums.of(m.Medium) += m.rate
	}
	for _, m := range p.meters {
		if m.source == nil {
			m.rate = *sums.of(m.Medium)
		}
		m.total += m.rate * dt / 3600
	}
}

type meterSums struct{ electricity, water, gas float64 }

func (s *meterSums) of(m Medium) *float64 {
	switch m {
	case Electricity:
		return &s.electricity
	case Water:
		return &s.water
	default:
		return &s.gas
	}
}

// carry works out the heat carrier: a heating curve for the supply, a difference
// that grows with the load, the flow that carries the power
// (1.163 kWh per m³ and K).
func (m *meter) carry(out, dt float64) {
	m.supply = 55 + 1.1*math.Max(0, 15-out)
	m.back = m.supply - (11 + .3*math.Max(0, 15-out))
	m.flow = m.rate / (1.163 * (m.supply - m.back))
	m.volume += m.flow * dt / 3600
}

func (m *meter) next() int64 { return m.due }

func (m *meter) act(now int64, e *Estate) {
	m.due = now + m.every
	o := m.object(now, e)
	switch m.Medium {
	case Electricity:
		m.electricity(&o, now)
	case Water:
		flow := math.Max(0, m.rate*(1+m.noise(.01)))
		if m.rate < .01 {
			flow = 0
		}
		o.number("volume", m.total, 3)
		o.number("reverse_volume", 0, 3)
		o.number("flow", flow, 3)
		o.number("temperature", 14+.25*(m.plant.out-13)+m.noise(.1), 1)
		o.number("battery_voltage", 3.62+m.noise(.005), 2)
	case Gas:
		o.number("volume", m.total, 3)
		o.number("flow", m.rate, 3)
		o.truth("valve_open", true)
		o.number("battery_voltage", 3.58+m.noise(.005), 2)
	case Heat:
		m.heat(&o, now)
	}
	m.publish(m.telemetry, &o, now, e)
}

func (m *meter) electricity(o *object, now int64) {
	const factor = .93
	rated := breaker[m.load]
	var volts, amps [3]float64
	sum := 0.0
	for i := range volts {
		volts[i] = m.plant.phaseVolts[i] * (1 + m.noise(.0006))
		power := m.rate / 3 * (1 + m.share[i].step(m.rng, 60))
		amps[i] = power * 1000 / (volts[i] * factor)
		sum += volts[i] * amps[i] * factor / 1000
	}
	for i, k := range [...]string{"voltage_l1", "voltage_l2", "voltage_l3"} {
		o.number(k, volts[i], 1)
	}
	for i, k := range [...]string{"current_l1", "current_l2", "current_l3"} {
		o.number(k, amps[i], 2)
	}
	mean := (amps[0] + amps[1] + amps[2]) / 3
	o.number("power", sum, 3)
	o.number("energy", m.total, 2)
	o.number("power_factor", factor+m.noise(.004), 3)
	o.number("frequency", m.plant.frequency, 2)
	o.number("voltage_unbalance", unbalance(volts), 2)
	o.number("thd_voltage", 2.1+m.noise(.08), 2)
	o.number("load_percent", 100*mean/rated, 1)
	o.number("residual_current", math.Max(0, 38+m.noise(3)+390*m.troubles.size(ResidualCurrent, now)), 0)
	o.number("terminal_temp", m.plant.room+4+28*mean*mean/(rated*rated)+m.noise(.2), 1)
}

// sentinel is what a heat meter sends for a broken or missing sensor
// (DOMAIN.md, S11).
const sentinel = 185.0

// Information bits of a heat meter: 1 is a supply sensor above its range or
// disconnected (DOMAIN.md, S11).
const infoSupplySensor = 1

func (m *meter) heat(o *object, now int64) {
	supply, back := m.supply+m.noise(.15), m.back+m.noise(.15)
	info := int64(0)
	if m.troubles.size(HeatSensorBroken, now) > 0 {
		supply, info = sentinel, infoSupplySensor
	}
	o.number("heat_energy", m.total, 1)
	o.number("volume", m.volume, 2)
	o.number("flow", m.flow, 3)
	o.number("heat_power", m.rate, 1)
	o.number("supply_temp", supply, 2)
	o.number("return_temp", back, 2)
	if info == 0 {
		o.number("temp_difference", supply-back, 2)
	}
	o.integer("info_code", info)
}

// GasDetector watches a room with gas pipes and closes a valve.
type GasDetector struct{ ID string }

// gasDetector reports once a minute, six times as often when it smells gas.
type gasDetector struct {
	device
	due int64
}

const gasEvery = time.Minute

func newGasDetector(d device, start int64) *gasDetector {
	g := &gasDetector{device: d}
	g.due = start + g.phase(gasEvery)
	return g
}

func (g *gasDetector) next() int64 { return g.due }

func (g *gasDetector) act(now int64, e *Estate) {
	level := math.Max(0, .6+g.noise(.3)+33*g.troubles.size(GasAlarm, now))
	g.due = now + int64(gasEvery)
	if level > 5 {
		g.due = now + int64(gasEvery)/6
	}
	o := g.object(now, e)
	o.number("gas_concentration", level, 1)
	o.truth("valve_open", level < 25)
	g.publish(g.telemetry, &o, now, e)
}
