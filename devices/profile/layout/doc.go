// Package layout decodes binary frames that a profile describes as text: fixed
// frames, tag-length-value, blocks that depend on flags, bit fields, repeated
// records. It gives the value tree of package codec, JSON text.
//
// A layout is a YAML map:
//
//	endian: little                  # big (default) or little, for numbers
//	word_order: low                 # numbers in several 16-bit words: high (default) or low word first
//	bit_order: lsb                  # for bits(n): msb (default) or lsb first
//	find: "FF 99 04 05"             # decoding starts behind these bytes
//	skip: 2                         # or behind so many
//	length: 12                      # or 8..12: other frames are refused
//	check: crc16-modbus             # see Sums; also "sum8 == 0", or a map (below)
//	fields: […]                     # read in order
//	tlv: {key: [u8, u8], unknown: stop}
//	items: {"01 75": {battery: u8}}
//
// # Fields
//
// Fields are a map of name: type, or a list of maps with attributes:
//
//   - {temp: i16/10, if: "bit(flags, 0)"}          # present only when
//   - {w: u16, bits: {mv: 0..13, status: 14..15, low: 7}}  # also emits these; one bit is true or false
//   - {x: u32, endian: big, word_order: low}
//   - {"v[]": u16, count: n}                       # array of n (number or expression)
//   - {"rec[]": {t: u32, v: u8}}                   # array of objects until the end of the frame
//   - {gps: {lat: i32/10000000, lon: i32/10000000}} # an object
//   - {fields: [{a: u8}, {b: u8}], if: kind == 1}  # several at once
//   - {rssi: i8, at: -1}                           # at this offset, negative from the end
//   - {mw: "= mv * 2"}                             # computed
//   - {name: count, type: u8}                      # a field named like an attribute
//
// A name that starts with "_" is read and can be used, but is not emitted.
//
// # Types
//
// u8 to u64 and i8 to i64 in steps of 8 bits, f16 f32 f64, bool (a byte that is
// not 0), uint(n) int(n) of n bytes, bcdN (N bytes of decimal digits as a
// number), digitsN (the same as text, leading zeros kept), bytesN or bytes(n)
// (hexadecimal text), ascii(n) (text up to the first NUL), rest (hexadecimal),
// text (all that is left), bits(n) and ibits(n) (n bits, unsigned and signed),
// key(n) (byte n of the TLV key). A number may end in le or be. n may be an
// expression over fields read before.
//
// Arithmetic with constants may follow: i16/10, u16*0.0025, (u16-1000)/50,
// 0..4*2-40. It is exact: 253 with i16/10 is 25.3.
//
// # TLV
//
// Keys are hexadecimal, ?? matches any byte. Without length, an unknown key
// stops reading (unknown: stop), is an error (unknown: error) or skips
// n bytes of value (unknown: {skip: n}). With tlv: {key: u8, length: u8} each
// value has its own bounds and an unknown one is skipped. Of a repeated item the
// last wins, except that "name[]" collects all of them.
//
// # Expressions
//
// Conditions, counts and computed fields use expr-lang over the fields read
// before and $pos, $left and $size (bytes read, left, in all), with bit(x, n),
// bitand, bitor, bitxor, bitnot, bitshl, bitshr, abs, min, max, int, float,
// round, floor, ceil, len.
//
// # Errors
//
// Reading past the end, a wrong check or length refuses the whole message with
// the offset and the field. Nothing panics, and a message may read at most
// MaxReads fields.
package layout
