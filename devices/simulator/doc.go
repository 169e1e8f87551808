// Package simulator is an estate that behaves like one and fails like one: lifts
// with trips and doors, barriers and doors with people behind them, pumps on
// their curves, meters whose counters integrate what flows through them. It is
// for the demo, for tests of rules with a known truth, and for drills.
//
// An [Estate] is a pure function of its [Config] and a seed. It reads no clock:
// [Estate.Step] is given the time up to which to live, and emits every message
// that the devices publish until then, in the order of time. The same
// configuration and seed give the same bytes, however the time is cut into
// steps. Each device has a random stream of its own, so that a device more or
// less does not change what the others do.
//
// # What is published
//
// The plain JSON of the generic profile: one object a message, its keys the role
// names of package devices, its values in the roles' units, and two keys more.
//
//	facility/{class}/{device}/telemetry     {"time":…,"seq":…,"current":4.31,…}
//	facility/{class}/{device}/event         {"time":…,"seq":…,"fault_code":2}
//	facility/{class}/{device}/availability  online | offline, retained
//
// "time" is the device's own clock as RFC 3339 with milliseconds. "seq" counts
// the messages of a device from 1, telemetry and events together, so that a gap
// is a loss and a repetition is a duplicate. Truth values are JSON booleans (true
// is what the role's label says); states are the words of the role, except what
// real controllers send as numbers: fault_code is that of GB/T 24476 (0 none, 2 the
// door does not close, 11 entrapment), info_code the sum of a heat meter's
// information bits. A fault code is sent as an event when it comes up and stands in
// the telemetry while it lasts; it goes back to 0 before it can come up again.
//
// # Faults
//
// A [Fault] begins at its onset, grows over its ramp to its full size and is
// repaired at its end. Which faults happen is written in the configuration, or
// drawn from the seed, or both. [Estate.Faults] tells the truth about them: which
// fault class on which asset, visible in which roles, and between which two
// times a work order is due. Three kinds are a slow drift far below every limit:
// they are found against the machine's own past or not at all.
package simulator
