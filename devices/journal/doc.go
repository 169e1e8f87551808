// Package journal keeps what was received, durably and in one order per site,
// so that everything behind it can be done again.
//
// A site is one stream of records (devices.Record) with a position that grows
// by one. A [Writer] is its only writer: it gathers messages for a few
// milliseconds, writes them with one flush and then tells each source how many
// of its messages are safe, which is when they may be acknowledged to the
// broker. A [Reader] reads by position; a [Consumer] remembers how far it came;
// a [Bucket] keeps checkpoints beside the stream, fenced by the writer's epoch.
//
// # Time
//
// The writer gives the time of every record. It comes from the monotonic clock
// and never goes back; what the machine's wall clock does meanwhile is written
// as a record of its own, so that a replay sees the same time as the first run.
//
// # Engine
//
// The engine is NATS JetStream: embedded in the process with a file store, or
// an existing cluster. Both take the same code path, and nothing outside this
// package knows which it is, or that it is NATS.
package journal
