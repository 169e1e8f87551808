package simulator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// Message is one publication of one device.
type Message struct {
	Topic   string
	Payload []byte // the receiver's to keep
	QoS     byte
	Retain  bool
	Time    time.Time // estate time of the publication
}

// Config is an estate: what stands in it, and what will go wrong.
type Config struct {
	Start    time.Time      // estate time at which it comes to life
	Location *time.Location // for the rhythm of the day; nil is UTC
	// Households live in two towers of equal size and use water, gas and lifts.
	Households  int
	Lifts       []Lift
	Barriers    []Barrier
	Doors       []Door
	Booster     Booster
	Circulation Circulation
	Sump        Sump
	Meters      []Meter
	Detectors   []GasDetector
	Faults      []Fault
	// FaultsPerWeek more faults are drawn by the seed over the Horizon (default
	// four weeks), on devices that are healthy then. 0 draws none.
	FaultsPerWeek float64
	Horizon       time.Duration
}

// deviceKind tells which faults a device can have.
type deviceKind string

const (
	aLift              deviceKind = "lift"
	aBarrier           deviceKind = "barrier"
	aDoor              deviceKind = "door"
	aPump              deviceKind = "pump"
	aSumpPump          deviceKind = "sump pump"
	anElectricityMeter deviceKind = "electricity meter"
	aWaterMeter        deviceKind = "water meter"
	aBranchMeter       deviceKind = "branch water meter" // of a part that is dry at night
	aGasMeter          deviceKind = "gas meter"
	aHeatMeter         deviceKind = "heat meter"
	aGasDetector       deviceKind = "gas detector"
)

var allKinds = []deviceKind{
	aLift, aBarrier, aDoor, aPump, aSumpPump, anElectricityMeter, aWaterMeter, aBranchMeter, aGasMeter, aHeatMeter, aGasDetector,
}

type owner struct {
	id    string
	class string
	kind  deviceKind
}

// owners lists the devices of a configuration, in the order in which they act.
func (c *Config) owners() []owner {
	var out []owner
	for _, l := range c.Lifts {
		out = append(out, owner{l.ID, "elevator", aLift})
	}
	for _, b := range c.Barriers {
		out = append(out, owner{b.ID, "gate", aBarrier})
	}
	for _, d := range c.Doors {
		out = append(out, owner{d.ID, "gate", aDoor})
	}
	for _, id := range slices.Concat(c.Booster.Pumps, c.Circulation.Pumps) {
		out = append(out, owner{id, "pump", aPump})
	}
	for _, id := range c.Sump.Pumps {
		out = append(out, owner{id, "pump", aSumpPump})
	}
	for _, m := range c.Meters {
		out = append(out, owner{m.ID, "meter", m.kind()})
	}
	for _, d := range c.Detectors {
		out = append(out, owner{d.ID, "sensor", aGasDetector})
	}
	return out
}

// An actor is something that does things at times of its own choosing.
type actor interface {
	next() int64
	act(now int64, e *Estate)
}

// Estate is a running simulation. It belongs to one goroutine.
type Estate struct {
	loc    *time.Location
	start  time.Time
	plant  *plant
	actors []actor // the plant first: at equal times it has moved before anyone reports
	due    []int64 // next time of each actor
	now    int64
	pumps  []int // actors that are pumps
	faults []Fault
	emit   func(Message)

	// Of Records: the last position, the beginning of the second that is open, the
	// last packet id.
	written uint64
	heard   int64
	packet  uint16
}

// New builds an estate. It fails when the configuration names a device twice, a
// fault that does not exist, or one that its device cannot have.
func New(cfg Config, seed uint64) (*Estate, error) {
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.Horizon == 0 {
		cfg.Horizon = 28 * 24 * time.Hour
	}
	if cfg.Start.IsZero() {
		return nil, fmt.Errorf("estate has no start time")
	}
	owners := cfg.owners()
	for i, o := range owners {
		if o.id == "" || slices.ContainsFunc(owners[:i], func(p owner) bool { return p.id == o.id }) {
			return nil, fmt.Errorf("device id %q is empty or used twice", o.id)
		}
	}
	faults, err := plan(&cfg, owners, stream(seed, "faults"))
	if err != nil {
		return nil, err
	}
	e := &Estate{loc: cfg.Location, start: cfg.Start, faults: faults}
	start := cfg.Start.UnixNano()
	devices := make([]device, len(owners))
	for i, o := range owners {
		devices[i] = newDevice(o, start, faults, seed)
	}
	if err := e.populate(&cfg, devices, stream(seed, "plant")); err != nil {
		return nil, err
	}
	e.due = make([]int64, len(e.actors))
	for i, a := range e.actors {
		e.due[i] = a.next()
	}
	return e, nil
}

// populate makes the plant and the actors of all devices.
func (e *Estate) populate(cfg *Config, devices []device, rng *rand.Rand) error {
	take := func() device {
		d := devices[0]
		devices = devices[1:]
		return d
	}
	start := cfg.Start.UnixNano()
	p := newPlant(cfg, rng)
	e.plant = p
	e.actors = append(e.actors, p)
	for _, c := range cfg.Lifts {
		l := newLift(c, take(), start)
		p.lifts = append(p.lifts, l)
		e.actors = append(e.actors, l)
	}
	for _, c := range cfg.Barriers {
		e.actors = append(e.actors, newBarrier(c, take(), start))
	}
	for _, c := range cfg.Doors {
		e.actors = append(e.actors, newDoor(c, take(), start))
	}
	for _, station := range []struct {
		pumps []string
		spec  pumpSpec
		into  *[]*pump
	}{
		{cfg.Booster.Pumps, boosterSpec, &p.booster.pumps},
		{cfg.Circulation.Pumps, circulationSpec, &p.circulation.pumps},
		{cfg.Sump.Pumps, sumpSpec, &p.sump.pumps},
	} {
		for range station.pumps {
			pu := newPump(station.spec, take())
			*station.into = append(*station.into, pu)
			e.pumps = append(e.pumps, len(e.actors))
			e.actors = append(e.actors, pu)
		}
	}
	for _, c := range cfg.Meters {
		m, err := newMeter(c, take(), p, start)
		if err != nil {
			return err
		}
		e.actors = append(e.actors, m)
	}
	for range cfg.Detectors {
		e.actors = append(e.actors, newGasDetector(take(), start))
	}
	p.settle(start, e)
	return nil
}

// Step lives until the given estate time, exclusive, and emits every message on
// the way in the order of time.
func (e *Estate) Step(until time.Time, emit func(Message)) {
	e.emit = emit
	end := until.UnixNano()
	for {
		first, at := 0, never
		for i, t := range e.due {
			if t < at {
				first, at = i, t
			}
		}
		if at >= end {
			e.emit = nil
			return
		}
		// What had to wait for its device to be free is overdue, not of the past.
		e.now = max(e.now, at)
		e.actors[first].act(e.now, e)
		e.due[first] = e.actors[first].next()
		if first == 0 { // the plant may have given others a reason to speak
			for i := range e.pumps {
				e.due[e.pumps[i]] = e.actors[e.pumps[i]].next()
			}
		}
	}
}

// Faults tells the truth about what goes wrong, in the order of the onsets.
func (e *Estate) Faults() []Truth {
	out := make([]Truth, len(e.faults))
	for i, f := range e.faults {
		out[i] = f.truth(e.start)
	}
	return out
}

// Devices returns class and id of every device, in their order.
func (c Config) Devices() [](struct{ Class, ID string }) {
	var out []struct{ Class, ID string }
	for _, o := range c.owners() {
		out = append(out, struct{ Class, ID string }{o.class, o.id})
	}
	return out
}

// stream makes the random numbers of one purpose: independent of all others of
// the same seed.
func stream(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
