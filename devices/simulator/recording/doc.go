// Package recording turns recorded telemetry, a CSV file, into MQTT messages at
// the pace at which it was recorded: for trying rules on real data.
//
// A [Map] says which column is the time, which columns become which keys of the
// payload, and under which topic they are published. A [Reader] streams the file
// and gives one message after the other with the time at which it is due; it
// reads no clock. [Play] keeps the pace.
//
// # The map
//
//	time: {column: datetime, format: "2006-01-02 15:04:05", zone: UTC}
//	messages:
//	  - device: bench
//	    topic: facility/pump/{device}/telemetry
//	    fields:
//	      current: Current
//	      flow: {column: Volume Flow RateRMS, unit: L/min}   # becomes the role's m3/h
//
// A time format is rfc3339, unix, unix_ms, or a layout of Go's package time;
// times without an offset are read in the zone. A device and a topic may take
// words from columns: {device}, {Any Column}. A field may be scaled
// (value × scale + offset) and then converted from its `unit` to the unit of the
// role that its key names, or to the one given by `as`. Every row becomes one message of
// each entry of messages; with `batch: 60` sixty rows are collected and published
// as one JSON array, as devices do that send once an hour. Cells that are empty or
// in `missing` leave their key out.
//
// # Time
//
// The first row is moved to the start that the caller gives, the others keep
// their distance to it, and the "time" in the payload says so. At a speed of 60
// the messages follow sixty times as fast, with the recorded minute still a
// minute in their times: only a daemon whose estate clock runs as fast will
// believe them.
package recording
