// Package daemon wires the rooms of facilityd into one process: New checks and
// opens, Run carries data until its context ends, Reload swaps the
// configuration, and nothing else in the project starts a goroutine of its own
// accord. It can be run in a test on port 0.
//
// Per site one chain of three stages runs, each owning its state: decode
// (profiles and the registry of devices), judge (the rules engine) and commit
// (SQL first, then the checkpoint). Brokers feed the journal, and every stage
// reads from the journal only.
package daemon
