// Package devices is the ground floor of facilityd: the words that every other
// package speaks. It holds what a property is made of (Site, Asset, Device,
// Point), what a device says (Reading), what the daemon received (Message,
// Record, Fact) and the closed vocabularies of roles and units that make a rule
// for one maker's pump work on every other maker's pump.
//
// It decides nothing and reads no clock. It imports configs/diag and the
// standard library only.
//
// # The way of a value
//
// A broker delivers a [Message]; the journal keeps it inside a [Record]; a
// profile decodes it to [Reading] values of a [Device]'s [Point]; rules look at
// readings by the point's role on an [Asset].
package devices
