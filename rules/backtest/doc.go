// Package backtest says what rules would have opened: it puts recorded data
// through the live engine and makes a report of the episodes that follow, so that
// a rule is judged by the site's own past before it pages anybody.
//
// A [Run] is one set of rules over one stream of records. Its engine is that of
// the daemon; from a journal it does what the daemon did, byte for byte. A table
// ([ReadTable]) and InfluxDB hold neither the order of arrival nor whether a device
// could be heard, so from them a run is an approximation, and the report says so.
//
// # Several cores
//
// Assets that depend on one another, by the tree, by what feeds what, or because
// rules compare them, are one group. A run over a table judges groups side by side, each on an engine of its
// own, with the same outcome as one engine for all. Records of a journal are
// decoded in order and judged beside that, one engine for each set of rules.
//
// # What a report counts
//
// An episode that stands for itself opens an order. One that comes to the same
// asset and fault class while the order's episode holds, or within the warranty
// after it, is a return of the same order, as in ticketing. What is attached to
// another episode needs no order. Hours are estimated from the severity ([Hours]).
package backtest
