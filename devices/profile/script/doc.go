// Package script runs payload codecs that makers of LoRaWAN devices publish as
// JavaScript, as the last resort of a profile: LoRa Alliance TS013
// decodeUplink({bytes, fPort, recvTime, variables}), ChirpStack v3
// Decode(fPort, bytes, variables) and The Things Network v2 Decoder(bytes, port).
// The result is a value tree, JSON text, like that of every other decoder.
//
// # Same input, same output
//
// A codec sees its arguments and nothing else. Its top level runs anew for each
// message, what it leaves in the global object is removed, and the built-in
// objects are frozen, so no message can change what the next one gives. (A codec
// that adds methods to String.prototype and the like gets built-ins that are not
// frozen, and a new engine for each message, which takes a millisecond or two.) The
// clock stands at the receive time, the time zone is UTC, Math.random is a fixed
// sequence for each message. There is no require, no eval, no Function
// constructor, no Proxy, no timer and no host object; console swallows what it
// is given.
//
// # Limits
//
// A call that takes longer than Config.Deadline or lets the heap grow by more
// than Config.MaxMemory is interrupted and its message refused. The engine
// cannot interrupt its own native functions, so those that allocate or loop by a
// number are bounded beforehand (arrays and strings of a million elements). A
// call that is stuck in a native function all the same is given up: the caller
// gets its error after another second, the codec is dead from then on and says
// so, and one goroutine is lost. Seconds are those of the processor, so that a
// machine that stood still does not make a message fail. Codecs come from the person who
// installs a profile; the limits are against mistakes of theirs, not a wall
// against an attacker who can write files into the installation.
//
// The heap is that of the process, and is looked at only after two milliseconds,
// which is a hundred times what a usual codec takes: an ordinary call never
// meets the watchdog, whatever the rest of the daemon does.
package script
