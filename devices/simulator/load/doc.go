// Package load is numbered load: many devices that publish known values at a
// known pace, so that after whatever was done to brokers and daemons it can be
// counted what was lost and what came twice, and compared which episodes came of
// it.
//
// Everything is a function of the device's number and the message's number. Even
// devices are pumps whose messages carry their own times, odd ones are gates that
// send events without a time and without an id:
//
//	facility/pump/load-000000/telemetry  {"time":…,"seq":7,"current":…,"power":…,"flow":…,"discharge_pressure":…,"vibration_rms":…,"bearing_temp":…,"pulse_count":7}
//	facility/gate/load-000001/event      {"obstruction":true,"gate_cmd":"open","at_open":false,"moving":true,"motion_time":…,"cycle_count":…,"pulse_count":7}
//
// Seven points each. "pulse_count" is the number of the message as a point, so that
// it can be found again where only points arrive. An event has no "seq", because a
// profile would know a repetition by it: whether two of them are two or one sent
// again is the receiver's to tell.
//
// Once every Config.Every messages of a device there is an excursion of
// Config.Length messages: a pump's bearing is above [Hot] and otherwise below
// [Cool], a gate's event is an obstruction and otherwise access_granted.
// [Generator.Excursions] tells them all.
package load
