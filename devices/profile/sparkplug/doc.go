// Package sparkplug is the host application side of Eclipse Sparkplug B 3.0: it
// keeps the session of each edge node, without which the aliases of a data
// message mean nothing, and turns messages into metrics with names, types and
// times, availability of nodes and devices, and actions.
//
// The protobuf messages are read by field number (sparkplug_b.proto of the
// specification) with the wire package of the Go protobuf module; generated
// code would allocate an object per metric.
//
// # Session
//
// NBIRTH begins the session of a node and forgets everything below it: its
// devices are unknown until their DBIRTH. NDEATH ends it only with the bdSeq of
// that NBIRTH; a late will of an earlier connection changes nothing. A missing
// sequence number, data before a birth and an unknown alias drop the message,
// because a birth may have been missed and an alias may mean something else
// now; an action asks the node for a rebirth, at most once per
// Config.RebirthEvery and node. Whether it is published is the caller's
// decision. A host that waited Config.KeepAfter in vain after a missing message
// goes on with the aliases it knows and marks the metrics uncertain, so that an
// installation that only reads is not blind after one lost message.
//
// STATE and command messages are not the host's input; they are passed over.
//
// # Values
//
// A metric's value is JSON text. Int8 to Int32 are read in both encodings in
// use, as two's complement of their own width and sign-extended to 32 or 64
// bits; UInt32 from int_value or long_value. A value that its datatype cannot
// hold is null with bad quality. DateTime is milliseconds; Bytes, File and
// unknown types are hexadecimal text; array types are JSON arrays. Templates and
// data sets are flattened: "Motor/speed", "Table/0/column". Template
// definitions, bdSeq and template parameters are not emitted.
//
// Time is always passed in. A Host belongs to one goroutine.
package sparkplug
