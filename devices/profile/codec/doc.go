// Package codec turns the bytes that devices send into one value tree, so that
// a profile needs one selector language whatever the wire format is.
//
// The tree is JSON text. A step of a decoder chain is a [Func]: it appends its
// output to a buffer, either JSON (the last step) or bytes for the next step
// (base64, hex, gzip, zlib). [Table] lists every codec with its configuration
// and its documentation.
//
// What holds for all of them:
//   - no panic on any input, memory and depth bounded by constants of this
//     package and by the length of the input;
//   - an error names the codec, the offset in the input and the reason;
//   - the digits of 64-bit integers are kept; NaN and infinity become null;
//   - integer keys become decimal strings ("-3"); byte strings become
//     lower-case hexadecimal strings; text that is not UTF-8 gets U+FFFD;
//   - members stay in the order of the input. Of two members with one name,
//     gjson selects the first.
package codec

import (
	"fmt"
	"strconv"
)

// Bounds of every codec.
const (
	// MaxDepth is how deep arrays and objects may be nested in any input.
	MaxDepth = 64
	// MaxElements is how many elements one CBOR or MessagePack array or map may
	// announce.
	MaxElements = 1 << 17
	// MaxOutput is how many bytes decompression may give unless a profile says
	// less, and how many a format may that repeats names.
	MaxOutput = 4 << 20
)

// A Func decodes src and appends the result to dst. On error it returns dst as
// it was given. dst and src must not overlap. It is safe for concurrent use.
type Func func(dst, src []byte) ([]byte, error)

// An Error says where in its input a codec stopped, and why.
type Error struct {
	Codec  string
	Offset int // of the byte in the codec's own input; -1 when none is to blame
	Reason string
	Err    error // cause, or nil
}

// Error formats the finding as "codec: offset N: reason: cause".
func (e *Error) Error() string {
	s := e.Codec + ": "
	if e.Offset >= 0 {
		s += "offset " + strconv.Itoa(e.Offset) + ": "
	}
	s += e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func errAt(codec string, offset int, format string, args ...any) error {
	return &Error{Codec: codec, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

func wrapAt(codec string, offset int, reason string, err error) error {
	return &Error{Codec: codec, Offset: offset, Reason: reason, Err: err}
}
