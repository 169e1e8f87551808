// Package rules decides when something is wrong: rules over points become
// episodes of fault classes on assets.
//
// The [Engine] is a pure, deterministic state machine. It is fed the records of
// the journal in order together with the readings decoded from them, and
// returns the transitions of episodes that follow. It never reads a clock, a
// file or the network; the same journal gives the same episodes byte for byte.
package rules
