package simulator

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// FaultKind names a way to fail.
type FaultKind string

// The kinds of fault.
const (
	BearingWear      FaultKind = "bearing_wear"      // pump: bearing temperature and vibration creep up
	DryRun           FaultKind = "dry_run"           // pump: runs without water
	PhaseFault       FaultKind = "phase_fault"       // pump: one phase loses voltage, currents drift apart
	NoStart          FaultKind = "no_start"          // pump: commanded, but does not run; the standby takes over
	EfficiencyLoss   FaultKind = "efficiency_loss"   // pump: worn impeller, more energy for the same water
	DoorFaults       FaultKind = "door_faults"       // lift: the door fails to close, ever more often
	Entrapment       FaultKind = "entrapment"        // lift: stops between floors with a passenger
	MachineRoomHeat  FaultKind = "machine_room_heat" // lift: the machine room's fan has failed
	BoomStuck        FaultKind = "boom_stuck"        // barrier: does not reach open
	BoomSlow         FaultKind = "boom_slow"         // barrier: the spring tires, every motion takes longer
	DoorHeld         FaultKind = "door_held"         // door: stays open after a valid access
	DoorForced       FaultKind = "door_forced"       // door: opens without access or exit request
	WaterLeak        FaultKind = "water_leak"        // water meter: the flow at night is never zero
	ResidualCurrent  FaultKind = "residual_current"  // electricity meter: insulation gives way
	GasAlarm         FaultKind = "gas_alarm"         // gas detector: combustible gas
	HeatSensorBroken FaultKind = "heat_sensor"       // heat meter: supply sensor reads its sentinel, 185.00 °C
	Silent           FaultKind = "silent"            // any: publishes nothing, without a last will
	Clock2036        FaultKind = "clock_2036"        // any: own clock fell into the NTP era of 2036
	DuplicateEvents  FaultKind = "duplicate_events"  // barrier, door, lift: every event arrives twice
)

// A Fault is one planned failure of one device. Durations count from the start
// of the estate.
type Fault struct {
	Kind   FaultKind
	Device string
	Onset  time.Duration
	Ramp   time.Duration // from nothing to full size; 0 is at once
	Until  time.Duration // repaired; 0 is never
	Size   float64       // multiplies the kind's usual size; 0 is 1
}

// Truth is what a fault is known to cause.
type Truth struct {
	Fault
	// FaultClass is the class of the expected work order; "" when none is due
	// (a duplicate must change nothing).
	FaultClass string
	// Drift faults stay below every limit: no threshold finds them.
	Drift bool
	// Roles are where the fault is visible; none for faults of the device's clock
	// or connection.
	Roles []string
	// Begins, Full and Ends are onset, end of the ramp and repair; Ends is zero
	// for a fault that is never repaired.
	Begins, Full, Ends time.Time
	// Due is when an order is due at the latest by the thresholds and delays of
	// DOMAIN.md: the end of the ramp, the rule's `for`, and for what depends on
	// people, time for them to come. Zero for drifts and for kinds without order.
	Due time.Time
}

// kind is what the package knows of a kind of fault.
type kind struct {
	kind       FaultKind
	on         []deviceKind
	faultClass string
	drift      bool
	roles      []string
	hold       time.Duration // rule's `for`, publishing interval and time for people to come
	ramp       time.Duration // usual ramp of a drawn fault
	lasts      time.Duration // usual time to repair of a drawn fault
	work       work
}

// work is what a fault asks of a set of pumps: to be seen, its pump must run.
type work uint8

const (
	noWork work = iota
	wears       // its pump leads
	acute       // its pump leads now, and does not go to sleep over it
)

// kinds is the table of all kinds. Hold follows the default rules of DOMAIN.md,
// section 3, named in the comments.
var kinds = []kind{
	{kind: BearingWear, on: []deviceKind{aPump}, faultClass: "pump.bearing", drift: true, work: wears,
		roles: []string{"bearing_temp", "vibration_rms"}, ramp: 72 * time.Hour, lasts: 96 * time.Hour},
	{kind: DryRun, on: []deviceKind{aPump}, faultClass: "pump.dry_run", work: acute, // P04, P06
		roles: []string{"current", "flow", "suction_pressure"}, hold: 2 * time.Minute, ramp: 30 * time.Second, lasts: 2 * time.Hour},
	{kind: PhaseFault, on: []deviceKind{aPump}, faultClass: "motor.overload", work: acute, // P08
		roles: []string{"voltage_unbalance", "current_unbalance", "voltage_l2", "current_l2"},
		hold:  time.Minute, ramp: time.Minute, lasts: 2 * time.Hour},
	{kind: NoStart, on: []deviceKind{aPump}, faultClass: "pump.dry_run", work: acute, // P05
		roles: []string{"run_command", "running", "fault"}, hold: time.Minute, lasts: 4 * time.Hour},
	{kind: EfficiencyLoss, on: []deviceKind{aPump}, faultClass: "pump.bearing", drift: true, work: wears, // P16
		roles: []string{"power"}, ramp: 96 * time.Hour, lasts: 120 * time.Hour},
	{kind: DoorFaults, on: []deviceKind{aLift}, faultClass: "lift.door", // E06
		roles: []string{"fault_code", "door_reopen_count"}, hold: 2 * time.Hour, ramp: time.Hour, lasts: 6 * time.Hour},
	{kind: Entrapment, on: []deviceKind{aLift}, faultClass: "lift.entrapment", // E01
		roles: []string{"fault_code", "alarm_button", "passenger_present", "door_zone"}, hold: 5 * time.Minute, lasts: 40 * time.Minute},
	{kind: MachineRoomHeat, on: []deviceKind{aLift}, faultClass: "lift.power_environment", // E13
		roles: []string{"machine_room_temp"}, hold: 15 * time.Minute, ramp: 20 * time.Minute, lasts: 5 * time.Hour},
	{kind: BoomStuck, on: []deviceKind{aBarrier}, faultClass: "barrier.mechanism", // G01
		roles: []string{"gate_cmd", "at_open"}, hold: 2 * time.Hour, lasts: 4 * time.Hour},
	{kind: BoomSlow, on: []deviceKind{aBarrier}, faultClass: "barrier.mechanism", drift: true, // G04
		roles: []string{"motion_time"}, ramp: 96 * time.Hour, lasts: 144 * time.Hour},
	{kind: DoorHeld, on: []deviceKind{aDoor}, faultClass: "door.held_forced", // G06
		roles: []string{"door_contact"}, hold: 7 * time.Minute, lasts: time.Hour},
	{kind: DoorForced, on: []deviceKind{aDoor}, faultClass: "door.held_forced", // G07
		roles: []string{"door_contact"}, hold: 5 * time.Minute, lasts: 10 * time.Minute},
	{kind: WaterLeak, on: []deviceKind{aBranchMeter}, faultClass: "water.leak", // M09
		roles: []string{"flow", "volume"}, hold: 27 * time.Hour, ramp: 10 * time.Minute, lasts: 60 * time.Hour},
	{kind: ResidualCurrent, on: []deviceKind{anElectricityMeter}, faultClass: "power.fire_precursor", // M04
		roles: []string{"residual_current"}, hold: 3 * time.Minute, ramp: 20 * time.Minute, lasts: 4 * time.Hour},
	{kind: GasAlarm, on: []deviceKind{aGasDetector}, faultClass: "gas.leak", // M13
		roles: []string{"gas_concentration", "valve_open"}, hold: 2 * time.Minute, ramp: 5 * time.Minute, lasts: 30 * time.Minute},
	{kind: HeatSensorBroken, on: []deviceKind{aHeatMeter}, faultClass: "heat.metering", // M15
		roles: []string{"supply_temp", "info_code"}, hold: 65 * time.Minute, lasts: 24 * time.Hour},
	{kind: Silent, on: allKinds, faultClass: "comms.quality", // Q02, three intervals of the slowest meter
		hold: 50 * time.Minute, lasts: 3 * time.Hour},
	{kind: Clock2036, on: allKinds, faultClass: "comms.quality", // Q04
		hold: 20 * time.Minute, lasts: 6 * time.Hour},
	{kind: DuplicateEvents, on: []deviceKind{aLift, aBarrier, aDoor}, lasts: 12 * time.Hour},
}

func kindOf(k FaultKind) *kind {
	for i := range kinds {
		if kinds[i].kind == k {
			return &kinds[i]
		}
	}
	return nil
}

// trouble is a fault in Unix nanoseconds, as a device carries it.
type trouble struct {
	kind               FaultKind
	onset, full, until int64 // until is the largest int64 when never repaired
	size               float64
	work               work
	started            bool // the device has noticed the onset
}

const never = int64(1<<63 - 1)

// troubles are the faults of one device.
type troubles []trouble

// size returns how much of a kind of fault there is at a time: 0 before the
// onset and after the repair, growing linearly over the ramp.
func (ts troubles) size(k FaultKind, now int64) float64 {
	for i := range ts {
		t := &ts[i]
		if t.kind != k || now < t.onset || now >= t.until {
			continue
		}
		if now >= t.full {
			return t.size
		}
		return t.size * float64(now-t.onset) / float64(t.full-t.onset)
	}
	return 0
}

// begins reports, once per fault, that a fault of the kind has begun, and when it
// will be repaired.
func (ts troubles) begins(k FaultKind, now int64) (until int64, ok bool) {
	for i := range ts {
		t := &ts[i]
		if t.kind == k && !t.started && now >= t.onset && now < t.until {
			t.started = true
			return t.until, true
		}
	}
	return 0, false
}

// active reports whether a fault of the kind has begun and is not repaired.
func (ts troubles) active(k FaultKind, now int64) bool {
	for i := range ts {
		if t := &ts[i]; t.kind == k && now >= t.onset && now < t.until {
			return true
		}
	}
	return false
}

// visits are the times at which somebody comes for certain, whatever the hour,
// so that a fault which only shows when the device is used does show: at the
// onset, and for faults that must repeat, every 20 minutes of the first day.
func (ts troubles) visits() []int64 {
	var out []int64
	for i := range ts {
		t := &ts[i]
		switch t.kind {
		case Entrapment, DoorHeld, DoorForced, DuplicateEvents:
			out = append(out, t.onset)
		case DoorFaults, BoomStuck:
			for at := t.onset; at < min(t.until, t.onset+int64(24*time.Hour)); at += int64(20 * time.Minute) {
				out = append(out, at)
			}
		}
	}
	slices.Sort(out)
	return out
}

// plan checks the configured faults, draws further ones when asked to, and
// returns all in the order of their onsets.
func plan(cfg *Config, owners []owner, rng *rand.Rand) ([]Fault, error) {
	faults := slices.Clone(cfg.Faults)
	for i, f := range faults {
		k := kindOf(f.Kind)
		if k == nil {
			return nil, fmt.Errorf("fault %d: unknown kind %q", i+1, f.Kind)
		}
		o := slices.IndexFunc(owners, func(o owner) bool { return o.id == f.Device })
		if o < 0 {
			return nil, fmt.Errorf("fault %d (%s): unknown device %q", i+1, f.Kind, f.Device)
		}
		if !slices.Contains(k.on, owners[o].kind) {
			return nil, fmt.Errorf("fault %d: a %s cannot have %s", i+1, owners[o].kind, f.Kind)
		}
		if f.Onset < 0 || f.Ramp < 0 || f.Until != 0 && f.Until <= f.Onset {
			return nil, fmt.Errorf("fault %d (%s on %s): onset, ramp and until must follow one another", i+1, f.Kind, f.Device)
		}
	}
	faults = append(faults, draw(cfg, owners, faults, rng)...)
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Onset, b.Onset) })
	return faults, nil
}

// draw chooses faults by the seed: on average FaultsPerWeek of them over the
// horizon, each on a device that can have it and is healthy at that time.
func draw(cfg *Config, owners []owner, have []Fault, rng *rand.Rand) []Fault {
	if cfg.FaultsPerWeek <= 0 {
		return nil
	}
	var drawn []Fault
	mean := float64(7*24*time.Hour) / cfg.FaultsPerWeek
	for at := time.Duration(rng.ExpFloat64() * mean); at < cfg.Horizon; at += time.Duration(rng.ExpFloat64() * mean) {
		k := kinds[rng.IntN(len(kinds))]
		var able []string
		for _, o := range owners {
			if slices.Contains(k.on, o.kind) {
				able = append(able, o.id)
			}
		}
		if len(able) == 0 {
			continue
		}
		f := Fault{
			Kind: k.kind, Device: able[rng.IntN(len(able))], Onset: at.Truncate(time.Second),
			Ramp:  time.Duration(float64(k.ramp) * (0.7 + 0.6*rng.Float64())).Truncate(time.Second),
			Until: (at + time.Duration(float64(k.lasts)*(0.8+0.4*rng.Float64()))).Truncate(time.Second),
		}
		f.Until = max(f.Until, f.Onset+f.Ramp+time.Second)
		if !slices.ContainsFunc(append(have, drawn...), f.overlaps) {
			drawn = append(drawn, f)
		}
	}
	return drawn
}

func (f Fault) overlaps(g Fault) bool {
	return f.Device == g.Device && (g.Until == 0 || f.Onset < g.Until) && (f.Until == 0 || g.Onset < f.Until)
}

// truth works out what a fault is expected to cause.
func (f Fault) truth(start time.Time) Truth {
	k := kindOf(f.Kind)
	t := Truth{
		Fault: f, FaultClass: k.faultClass, Drift: k.drift, Roles: k.roles,
		Begins: start.Add(f.Onset), Full: start.Add(f.Onset + f.Ramp),
	}
	if f.Until != 0 {
		t.Ends = start.Add(f.Until)
	}
	if !k.drift && k.faultClass != "" {
		t.Due = t.Full.Add(k.hold)
	}
	return t
}
