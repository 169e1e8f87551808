package simulator

import "time"

// Barrier is a vehicle barrier with a loop and a plate reader.
type Barrier struct {
	ID      string
	Boom    float64 // m, length of the boom
	Inbound bool    // into the estate; else out of it
	// CarsPerDay pass; 0 is 420.
	CarsPerDay float64
}

type barrierPhase uint8

const (
	barrierClosed barrierPhase = iota
	barrierReading
	barrierOpening
	barrierOpen
	barrierClosing
	barrierStalled // stopped on its way up
)

const (
	gateBeat   = time.Minute
	stallsAt   = 25 // s until a driver backs off or somebody lifts the boom
	peakOfCars = 4.2
)

type barrier struct {
	device
	inbound bool
	rated   float64 // s for one motion
	highest float64
	phase   barrierPhase
	due     int64
	beat    int64
	car     int64 // arrival of the next car
	waiting int   // cars behind the one at the loop

	command, loop bool
	motion        float64 // s, of the last opening that reached its end
	arrived       bool    // at its end, and not yet told
	cycles        int64
	reads, misses int64
}

// ratedMotion is the opening time of a barrier by the length of its boom:
// 3 s up to 4 m, 6 s up to 6 m, 8 s above (DOMAIN.md, S21).
func ratedMotion(boom float64) float64 {
	switch {
	case boom <= 4:
		return 3
	case boom <= 6:
		return 6
	default:
		return 8
	}
}

func newBarrier(c Barrier, d device, start int64) *barrier {
	cars := c.CarsPerDay
	if cars == 0 {
		cars = 420
	}
	b := &barrier{device: d, inbound: c.Inbound, rated: ratedMotion(c.Boom), highest: cars / 24 * peakOfCars, due: never}
	b.motion = .93 * b.rated
	b.cycles = 20_000 + b.rng.Int64N(40_000)
	b.reads = b.cycles
	b.misses = b.reads / 70
	b.beat = start + b.device.phase(gateBeat)
	b.car = b.arrival(start, b.highest)
	return b
}

func (b *barrier) next() int64 {
	n := min(b.due, b.beat, b.car)
	if b.phase == barrierClosed {
		n = min(n, b.visit())
	}
	return n
}

func (b *barrier) act(now int64, e *Estate) {
	switch {
	case now == b.due:
		b.advance(now, e)
	case now == b.beat:
		b.beat += int64(gateBeat)
		b.report(now, e)
	default:
		b.arrives(now, e)
	}
}

// arrives brings a car, when the hour agrees.
func (b *barrier) arrives(now int64, e *Estate) {
	forced := b.phase == barrierClosed && b.visited(now)
	if now >= b.car {
		b.car = b.arrival(now, b.highest)
		rhythm := &carsOut
		if b.inbound {
			rhythm = &carsIn
		}
		busy := rhythm.at(e.plant.hour)
		if e.plant.free {
			busy = .5*busy + .45
		}
		if b.rng.Float64() >= busy/peakOfCars && !forced {
			return
		}
	} else if !forced {
		return
	}
	if b.phase != barrierClosed {
		b.waiting = min(b.waiting+1, 12)
		return
	}
	b.serve(now, e)
}

// serve lets the next car stand on the loop.
func (b *barrier) serve(now int64, e *Estate) {
	b.loop, b.phase = true, barrierReading
	b.due = now + b.between(.5, 1.6)
	b.report(now, e)
}

func (b *barrier) advance(now int64, e *Estate) {
	switch b.phase {
	case barrierReading:
		b.read(now, e)
		b.command, b.phase = true, barrierOpening
		// The motion takes its time from the spring: a tired one adds up to a quarter.
		took := .93*b.rated + b.noise(.025*b.rated) + .25*b.rated*b.troubles.size(BoomSlow, now)
		b.due = now + seconds(took)
		if b.troubles.active(BoomStuck, now) && b.rng.Float64() < .85 {
			b.phase = barrierStalled
			b.due = now + seconds(stallsAt)
		} else {
			b.motion = took
		}
	case barrierOpening:
		b.phase, b.arrived = barrierOpen, true
		b.due = now + b.between(3, 7)
	case barrierOpen, barrierStalled:
		if b.waiting > 0 && b.phase == barrierOpen { // the next car follows
			b.waiting--
			b.read(now, e)
			b.due = now + b.between(3, 6)
			break
		}
		if b.phase == barrierStalled && b.rng.Float64() < .7 { // the driver tries again
			b.waiting++
		}
		b.loop, b.command = false, false
		b.phase = barrierClosing
		took := .95*b.rated + b.noise(.025*b.rated)
		b.due = now + seconds(took)
	case barrierClosing:
		b.cycles++
		b.phase, b.due = barrierClosed, never
		if b.waiting > 0 {
			b.waiting--
			b.serve(now, e)
			return
		}
	}
	b.report(now, e)
}

// read grants a car access, by its plate or, when that is not read, by the guard.
func (b *barrier) read(now int64, e *Estate) {
	b.reads++
	how := "plate"
	if b.rng.Float64() < .015 {
		b.misses++
		how = "remote"
	}
	o := b.object(now, e)
	o.word("access_granted", how)
	b.publish(b.event, &o, now, e)
}

func (b *barrier) report(now int64, e *Estate) {
	o := b.object(now, e)
	command := "close"
	if b.command {
		command = "open"
	}
	o.word("gate_cmd", command)
	o.truth("at_open", b.phase == barrierOpen)
	o.truth("at_closed", b.phase == barrierClosed || b.phase == barrierReading)
	o.truth("moving", b.phase == barrierOpening || b.phase == barrierClosing)
	if b.arrived { // measured once per motion
		b.arrived = false
		o.number("motion_time", b.motion, 2)
	}
	o.integer("cycle_count", b.cycles)
	o.truth("arm_detached", false)
	o.truth("loop_presence", b.loop)
	o.word("gate_mode", "auto")
	o.integer("plate_reads", b.reads)
	o.integer("plate_read_failures", b.misses)
	o.number("supply_voltage", 24.1+b.noise(.05), 1)
	o.number("cabinet_temp", e.plant.out+7+b.noise(.2), 1)
	b.publish(b.telemetry, &o, now, e)
}

// Door is a door with a lock, a reader outside and an exit button inside.
type Door struct {
	ID string
	// PassagesPerDay of people; 0 is 600.
	PassagesPerDay float64
}

type door struct {
	device
	highest float64
	due     int64 // the open door closes
	beat    int64
	person  int64 // arrival of the next person
	open    bool
}

func newDoor(c Door, d device, start int64) *door {
	people := c.PassagesPerDay
	if people == 0 {
		people = 600
	}
	x := &door{device: d, highest: people / 24 * 2.6, due: never}
	x.beat = start + x.device.phase(gateBeat)
	x.person = x.arrival(start, x.highest)
	return x
}

func (d *door) next() int64 {
	n := min(d.due, d.beat, d.person)
	if !d.open {
		n = min(n, d.visit())
	}
	return n
}

func (d *door) act(now int64, e *Estate) {
	switch {
	case now == d.due:
		d.open, d.due = false, never
		d.report(now, e)
	case now == d.beat:
		d.beat += int64(gateBeat)
		d.report(now, e)
	default:
		d.passes(now, e)
	}
}

// passes lets a person through; held, the door stays open behind them until the
// fault is repaired; forced, nobody asked for it.
func (d *door) passes(now int64, e *Estate) {
	forced := !d.open && d.visited(now)
	var until int64
	var held bool
	if forced {
		if until, ok := d.troubles.begins(DoorForced, now); ok {
			d.open, d.due = true, until
			d.report(now, e)
			return
		}
		until, held = d.troubles.begins(DoorHeld, now)
	}
	if now >= d.person {
		d.person = d.arrival(now, d.highest)
		busy := tripsWork.at(e.plant.hour)
		if e.plant.free {
			busy = tripsFree.at(e.plant.hour)
		}
		if d.rng.Float64() >= busy/2.6 && !forced {
			return
		}
	} else if !forced {
		return
	}
	if d.open && d.due == never {
		return // nobody needs to ask at a door that stands open
	}
	o := d.object(now, e)
	switch {
	case !forced && d.rng.Float64() < downShare.at(e.plant.hour):
		o.word("exit_request", "button")
	case !forced && d.rng.Float64() < .012:
		o.word("access_denied", "unknown")
		d.publish(d.event, &o, now, e)
		return
	default:
		o.word("access_granted", "card")
	}
	d.publish(d.event, &o, now, e)
	opened := !d.open
	d.open = true
	if held {
		d.due = until
	} else if d.due == never || d.due < now+seconds(8) {
		d.due = now + d.between(3, 7)
	}
	if opened {
		d.report(now, e)
	}
}

func (d *door) report(now int64, e *Estate) {
	o := d.object(now, e)
	o.truth("door_contact", d.open)
	lock := "locked"
	if d.open {
		lock = "unlocked"
	}
	o.word("lock_state", lock)
	o.truth("tamper", false)
	o.number("supply_voltage", 12.6+d.noise(.03), 1)
	d.publish(d.telemetry, &o, now, e)
}
