// Package history writes readings to InfluxDB, at its own pace and without
// losing one: it reads the journal as a consumer of its own and goes on only
// when the server has said that it stored what it was given.
//
// A [Writer] turns readings into line protocol and writes a batch through the
// v2 API of InfluxDB (1.8, 2.x, or what speaks the same). A [Pump] feeds it from
// the journal: it gathers batches, tries again for as long as it takes, and
// acknowledges afterwards.
//
// # Schema
//
//	measurement   the device's class: pump, elevator, gate, meter, …
//	tags          asset, device, site; simulated=true on simulated devices only
//	time          the reading's own time in nanoseconds
//	fields        by the point's name and what is written:
//
//	  <point>           float   gauge and counter: the value in the point's unit;
//	                            state: 1 or 0, or the code of the word where the
//	                            device gives one;
//	                            event: 1; availability: 1 reachable, 0 offline
//	  <point>_text      string  the word of a state, the text of an event or text
//	                            point, the availability as a word
//	  <point>_quality   string  "uncertain" or "bad"; absent on a good reading
//
// What is written decides the field's name, and the name decides the type.
// InfluxDB fixes the type of a field of a measurement by its first value and
// refuses every other, so two makers of pumps, one with a word for "running" and
// one with a truth value, could otherwise shut each other out. Truth values are
// numbers because a mean over them is the share of time, which a boolean field
// does not give. The word of a state has its own field because a code alone
// loses its meaning with the next version of a profile; it costs one series per
// state with an enumeration, none per gauge.
//
// A reading that is bad, or that has neither words nor a finite value, has no
// number: only its quality is written. Zero would be a lie and InfluxDB refuses NaN.
//
// # Twice is once
//
// The same record gives the same lines, and a line with the same series and time
// replaces itself. Writing again after a crash, a timeout or a lost answer
// therefore changes nothing. Two equal events of one record at the same
// nanosecond stay two: the later is written one nanosecond after the other.
package history
