// Package profile turns MQTT messages into readings by what a text file says
// about a kind of device. Load reads and checks profiles, compiles them and
// runs the tests inside them; a Decoder applies a Set to journal records.
//
// A message passes one fixed pipeline: topic → decode → select and fan out →
// identity → time → points → emit. What a point means is never in Go: the
// package knows encodings and conventions (JSON, CBOR, Sparkplug B, binary
// layouts), the files in configs/profiles know makers. The language is
// described in configs/profiles/README.md.
//
// The package reads no clock: time comes with the record. Given the same set
// and the same records a decoder gives the same readings, in the same order.
package profile
