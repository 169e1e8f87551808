package simulator

import "time"

// DemoEstate is Harbour Court, the estate of `facilityd demo`: two towers with
// 420 households, three lifts, two barriers and two doors, five pumps, thirteen
// meters of all media, a gas detector. configs/sites/demo.yaml is its site file.
// The caller sets Start and Location.
//
// Faults follow one another so that something new is to be seen every few
// minutes of a demo that runs sixty times as fast as the clock. The first order
// is due after 30 to 45 minutes of estate time: the machine room of lift-2 warms
// up from minute 10 on, passes 40 °C about ten minutes later, and the rule waits
// for ten more. pump-3's bearing and barrier-2's spring only drift.
func DemoEstate() Config {
	const (
		m = time.Minute
		h = time.Hour
	)
	return Config{
		Households: 420,
		Lifts: []Lift{
			{ID: "lift-1", Floors: 28}, {ID: "lift-2", Floors: 28}, {ID: "lift-3", Floors: 24, TripsPerDay: 520},
		},
		Barriers: []Barrier{
			{ID: "barrier-1", Boom: 4, Inbound: true}, {ID: "barrier-2", Boom: 4},
		},
		Doors:       []Door{{ID: "door-1"}, {ID: "door-2", PassagesPerDay: 450}},
		Booster:     Booster{Pumps: []string{"pump-1", "pump-2"}, Setpoint: 6},
		Circulation: Circulation{Pumps: []string{"pump-3", "pump-4"}},
		Sump:        Sump{Pumps: []string{"pump-5"}},
		Meters: []Meter{
			{"meter-e1", Electricity, "estate"}, {"meter-e2", Electricity, "lifts"}, {"meter-e3", Electricity, "pumps"},
			{"meter-e4", Electricity, "common"}, {"meter-e5", Electricity, "garage"},
			{"meter-w1", Water, "estate"}, {"meter-w2", Water, "tower-a"}, {"meter-w3", Water, "tower-b"}, {"meter-w4", Water, "landscape"},
			{"meter-g1", Gas, "estate"}, {"meter-g2", Gas, "kitchen"},
			{"meter-h1", Heat, "estate"}, {"meter-h2", Heat, "tower-a"},
		},
		Detectors: []GasDetector{{ID: "gas-1"}},
		Faults: []Fault{
			{Kind: MachineRoomHeat, Device: "lift-2", Onset: 10 * m, Ramp: 12 * m, Until: 5 * h},
			{Kind: BearingWear, Device: "pump-3", Onset: 30 * m, Ramp: 60 * h},
			{Kind: PhaseFault, Device: "pump-1", Onset: 55 * m, Ramp: 2 * m, Until: 4 * h},
			{Kind: BoomStuck, Device: "barrier-1", Onset: 75 * m, Until: 5 * h},
			{Kind: WaterLeak, Device: "meter-w4", Onset: 90 * m, Ramp: 10 * m, Until: 72 * h},
			{Kind: DoorFaults, Device: "lift-1", Onset: 2 * h, Ramp: h, Until: 7 * h},
			{Kind: BoomSlow, Device: "barrier-2", Onset: 2 * h, Ramp: 72 * h},
			{Kind: DoorHeld, Device: "door-2", Onset: 150 * m, Until: 200 * m},
			{Kind: ResidualCurrent, Device: "meter-e5", Onset: 180 * m, Ramp: 20 * m, Until: 8 * h},
			{Kind: Silent, Device: "meter-w3", Onset: 220 * m, Until: 9 * h},
			{Kind: Entrapment, Device: "lift-3", Onset: 260 * m, Until: 300 * m},
			{Kind: HeatSensorBroken, Device: "meter-h2", Onset: 320 * m, Until: 12 * h},
			{Kind: DryRun, Device: "pump-4", Onset: 6 * h, Ramp: m, Until: 8 * h},
			{Kind: GasAlarm, Device: "gas-1", Onset: 7 * h, Ramp: 5 * m, Until: 8 * h},
			{Kind: Clock2036, Device: "meter-e4", Onset: 9 * h, Until: 15 * h},
			{Kind: DuplicateEvents, Device: "barrier-2", Onset: 10 * h, Until: 12 * h},
		},
		FaultsPerWeek: 6,
	}
}
