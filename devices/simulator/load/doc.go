// Package load is numbered load: many devices that publish known values at a
// known pace, so that after whatever was done to brokers and daemons it can be
// counted what was lost and what came twice, and compared which episodes came of
// it.
//
// Everything is a function of the device's number and the message's number. Even
// devices are pumps that carry their own times, odd ones are lifts that send
// untimed events:
//
//	facility/pump/load-000000/telemetry  {"time":…,"seq":7,"current":…,"power":…,"flow":…,"discharge_pressure":…,"vibration_rms":…,"bearing_temp":…,"pulse_count":7}
//	facility/elevator/load-000001/event  {"seq":7,"fault_code":2,"car_status":false,"door_closed":false,"passenger_present":true,"machine_room_temp":…,"run_count":…,"pulse_count":7}
//
// Seven points each. "pulse_count" repeats the sequence number as a point, so that
// it can be found again where only points arrive. Once every Config.Every messages
// of a device there is an excursion of Config.Length messages: a pump's bearing is
// above [Hot] and otherwise below [Cool], a lift's events have the fault code 2 and
// otherwise 0. [Generator.Excursions] tells them all.
package load
