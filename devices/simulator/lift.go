package simulator

import (
	"math"
	"strconv"
	"time"
)

// Lift serves the floors of one tower.
type Lift struct {
	ID     string
	Floors int // above the ground floor, which is 1
	// TripsPerDay people make; 0 is 420.
	TripsPerDay float64
}

// What the car is doing. Every journey is: empty to the caller, doors, ride,
// doors.
type liftPhase uint8

const (
	liftIdle liftPhase = iota
	liftApproach
	liftBoarding // doors open at the caller's floor
	liftClosing  // doors close behind the passenger
	liftJammed   // a door did not close; the controller waits before it tries again
	liftRide
	liftAlighting // doors open at the destination
	liftLeaving   // doors close behind nobody
	liftStuck
	liftInspection
)

// GB/T 24476 words.
const (
	modeNormal     = "normal"
	modeInspection = "inspection"

	codeDoorClose  = 2
	codeEntrapment = 11
)

const (
	storey     = 3.0  // m
	carSpeed   = 1.75 // m/s
	liftBeat   = time.Minute
	closing    = 2.6 // s
	kwRunning  = 9.0
	kwStandby  = 0.35
	doorRetry  = 45 // s until the door tries again after a fault
	maxRetries = 6
)

type lift struct {
	device
	floors  int
	highest float64 // calls per hour at the busiest minute
	phase   liftPhase
	due     int64 // of the phase
	beat    int64 // of the heartbeat
	test    int64 // of the emergency call test
	call    int64 // of the next passenger

	floor, from, to int
	depart          int64 // time of the departure of this run
	up              bool
	inside          bool // a passenger
	doorOpen        bool
	stopped         bool // at a floor, and not yet told
	mode            string
	code            int64
	alarm           bool
	retries         int
	jammed          liftPhase // to be tried again
	freed           int64     // when a trapped passenger is freed
	stuckStep       int

	hours        float64
	runs, cycles int64
	reopens      int64
	offset       float64 // mm
	opening      float64 // s
	vibH, vibV   float64 // m/s²
	brake        float64 // s
	machineRoom  float64 // °C
}

func newLift(c Lift, d device, start int64) *lift {
	trips := c.TripsPerDay
	if trips == 0 {
		trips = 420
	}
	l := &lift{
		device: d, floors: max(2, c.Floors), highest: trips / 24 * 2.6, floor: 1, mode: modeNormal,
		opening: 2.4, brake: .32, machineRoom: 29, vibH: .08, vibV: .10,
	}
	l.hours = 5000 + 9000*l.rng.Float64()
	l.runs = 200_000 + l.rng.Int64N(400_000)
	l.cycles = l.runs + l.runs/8
	l.reopens = l.cycles / 60
	l.due = never
	l.beat = start + l.device.phase(liftBeat)
	l.test = start + l.device.phase(24*time.Hour)
	l.call = l.arrival(start, l.highest)
	return l
}

func (l *lift) next() int64 {
	n := min(l.due, l.beat, l.test)
	if l.phase == liftIdle {
		n = min(n, l.call, l.visit())
	}
	return n
}

func (l *lift) act(now int64, e *Estate) {
	switch {
	case now == l.due:
		l.advance(now, e)
	case now == l.beat:
		l.beat += int64(liftBeat)
		l.report(now, e)
	case now == l.test:
		l.test += int64(24 * time.Hour)
		o := l.object(now, e)
		o.truth("emergency_call_test_ok", true)
		l.publish(l.event, &o, now, e)
	default:
		l.called(now, e)
	}
}

// called begins a journey, when the hour agrees.
func (l *lift) called(now int64, e *Estate) {
	forced := l.visited(now)
	if now >= l.call {
		l.call = l.arrival(now, l.highest)
		busy := tripsWork.at(e.plant.hour)
		if e.plant.free {
			busy = tripsFree.at(e.plant.hour)
		}
		if l.rng.Float64() >= busy/2.6 && !forced {
			return
		}
	} else if !forced {
		return
	}
	upper := 2 + l.rng.IntN(l.floors-1)
	if l.rng.Float64() < downShare.at(e.plant.hour) {
		l.from, l.to = upper, 1
	} else {
		l.from, l.to = 1, upper
	}
	if l.from == l.floor {
		l.open(liftBoarding, now, e)
		return
	}
	l.run(liftApproach, l.from, now, e)
}

// run sends the car to a floor.
func (l *lift) run(phase liftPhase, to int, now int64, e *Estate) {
	l.phase, l.up, l.depart = phase, to > l.floor, now
	way := math.Abs(float64(to-l.floor)) * storey
	l.due = now + seconds(way/carSpeed+2.2)
	l.runs++
	l.vibH, l.vibV = .08+math.Abs(l.noise(.015)), .10+math.Abs(l.noise(.02))
	if phase == liftRide {
		if until, ok := l.troubles.begins(Entrapment, now); ok {
			l.phase, l.freed, l.stuckStep = liftStuck, until, 0
			l.due = now + seconds(way/carSpeed/2)
			l.floor += (to - l.floor) / 2
		}
	}
	l.report(now, e)
}

// open stops at a floor and opens the doors.
func (l *lift) open(phase liftPhase, now int64, e *Estate) {
	l.phase, l.doorOpen, l.stopped = phase, true, true
	l.offset = l.noise(2.6)
	l.opening = 2.4 + l.noise(.06)
	l.brake = .32 + l.noise(.01)
	l.due = now + seconds(l.opening) + l.between(3, 8)
	if l.rng.Float64() < .018 { // somebody holds the door
		l.reopens++
		l.due += l.between(2, 6)
	}
	l.report(now, e)
}

// advance ends a phase and begins the next.
func (l *lift) advance(now int64, e *Estate) {
	switch l.phase {
	case liftApproach:
		l.arrive(now, l.from)
		l.open(liftBoarding, now, e)
	case liftBoarding:
		l.inside = true
		l.phase, l.due = liftClosing, now+seconds(closing)
	case liftClosing:
		if l.closes(now, e) {
			l.run(liftRide, l.to, now, e)
		}
	case liftJammed:
		l.phase, l.code, l.due = l.jammed, 0, now+seconds(closing)
		l.report(now, e)
	case liftRide:
		l.arrive(now, l.to)
		l.open(liftAlighting, now, e)
	case liftAlighting:
		l.inside = false
		l.phase, l.due = liftLeaving, now+seconds(closing)
	case liftLeaving:
		if l.closes(now, e) {
			l.rest(now, e)
		}
	case liftStuck:
		l.stuck(now, e)
	case liftInspection:
		l.mode = modeNormal
		l.rest(now, e)
	}
}

func (l *lift) arrive(now int64, floor int) {
	l.floor = floor
	l.hours += float64(now-l.depart) / float64(time.Hour)
}

func (l *lift) rest(now int64, e *Estate) {
	l.phase, l.due = liftIdle, never
	if l.call <= now {
		l.call = l.arrival(now, l.highest)
	}
	l.report(now, e)
}

// closes tries to close the doors. A failing door re-opens, the controller sends
// the code and tries again.
func (l *lift) closes(now int64, e *Estate) bool {
	if ill := l.troubles.size(DoorFaults, now); ill > 0 && l.retries < maxRetries && l.rng.Float64() < .15+.65*min(1, ill) {
		l.retries++
		l.reopens++
		l.code, l.jammed, l.phase = codeDoorClose, l.phase, liftJammed
		l.due = now + seconds(doorRetry) + l.between(0, 5)
		l.tell(codeDoorClose, now, e)
		l.report(now, e)
		return false
	}
	l.retries = 0
	l.doorOpen, l.code = false, 0
	l.cycles++
	return true
}

// stuck is an entrapment: the passenger presses the alarm button, the controller
// recognises it, a competent person frees them and inspects the lift.
func (l *lift) stuck(now int64, e *Estate) {
	l.stuckStep++
	switch l.stuckStep {
	case 1: // the car stands
		l.due = now + l.between(15, 40)
	case 2:
		l.alarm = true
		o := l.object(now, e)
		o.truth("alarm_button", true)
		l.publish(l.event, &o, now, e)
		l.due = now + l.between(90, 120)
	case 3:
		l.code = codeEntrapment
		l.tell(codeEntrapment, now, e)
		l.due = max(l.freed, now+1)
	default:
		l.inside, l.alarm, l.code = false, false, 0
		l.mode, l.phase = modeInspection, liftInspection
		l.due = now + l.between(600, 900)
	}
	l.report(now, e)
}

// tell sends a fault code as an event.
func (l *lift) tell(code int64, now int64, e *Estate) {
	o := l.object(now, e)
	o.integer("fault_code", code)
	o.word("floor", strconv.Itoa(l.floor))
	l.publish(l.event, &o, now, e)
}

func (l *lift) moving() bool {
	return l.phase == liftApproach || l.phase == liftRide || l.phase == liftStuck && l.stuckStep == 0
}

// load is the electrical power in kW.
func (l *lift) load() float64 {
	if l.moving() {
		return kwRunning
	}
	return kwStandby
}

// warm moves the machine room by one step of dt seconds: between outdoors and a
// thermostat's fan, and up when the fan has failed.
func (l *lift) warm(now int64, dt, out float64) {
	target := 26 + .28*math.Max(-8, out-13) + .25*l.load()
	target += (46 - target) * l.troubles.size(MachineRoomHeat, now)
	l.machineRoom += (target - l.machineRoom) * (1 - math.Exp(-dt/240))
}

func (l *lift) report(now int64, e *Estate) {
	o := l.object(now, e)
	moving := l.moving()
	status, direction := "stopped", "none"
	if moving {
		status, direction = "running", "down"
		if l.up {
			direction = "up"
		}
	}
	o.word("car_status", status)
	o.word("car_direction", direction)
	o.truth("door_zone", !moving && l.phase != liftStuck)
	o.word("floor", strconv.Itoa(l.floor))
	o.truth("door_closed", !l.doorOpen)
	o.truth("passenger_present", l.inside)
	o.word("service_mode", l.mode)
	o.integer("fault_code", l.code)
	o.truth("alarm_button", l.alarm)
	o.truth("power_status", true)
	o.truth("emergency_supply_ok", true)
	o.number("total_run_hours", l.hours, 2)
	o.integer("run_count", l.runs)
	o.integer("door_cycles", l.cycles)
	o.integer("door_reopen_count", l.reopens)
	if l.stopped { // measured once per stop
		l.stopped = false
		o.number("level_offset", l.offset, 1)
		o.number("door_open_time", l.opening, 2)
		o.number("brake_on_time", l.brake, 2)
	}
	o.number("car_vib_horizontal", l.vibH, 3)
	o.number("car_vib_vertical", l.vibV, 3)
	o.number("machine_room_temp", l.machineRoom+l.noise(.15), 1)
	l.publish(l.telemetry, &o, now, e)
}
