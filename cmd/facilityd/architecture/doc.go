// Package architecture holds the tests that keep the code in its shape: who may
// import whom, what the deterministic packages must not do, what lies where. It
// has no code of its own, so that it is quick to build and still runs when
// something else does not compile.
//
// The way of the data goes in one direction, devices → rules → ticketing, and
// cmd/facilityd/daemon wires it. Technology (MQTT, SQL, HTTP, InfluxDB) sits in a
// child that imports its parent, never the reverse. A ban that stands in the way
// may be lifted in the table of the test, with the reason in the commit.
package architecture
