package codec

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/fxamacker/cbor/v2"
	"github.com/x448/float16"
)

// cborMode holds the limits. The library proves that the item is well formed
// within them; the walk below only writes it down, because decoding into Go
// maps would lose the order of members, and with it determinism.
var cborMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		MaxNestedLevels:  MaxDepth,
		MaxArrayElements: MaxElements,
		MaxMapPairs:      MaxElements,
	}.DecMode()
	if err != nil {
		panic(err) // constants of this file
	}
	return m
}()

// CBOR decodes one CBOR item (RFC 8949). Tags 2 and 3 (bignum) become digits,
// tag 4 (decimal fraction) a number; other tags are dropped and their content
// kept. undefined is null, another simple value its number.
func CBOR(dst, src []byte) ([]byte, error) {
	if err := cborMode.Wellformed(src); err != nil {
		return dst, wrapAt("cbor", -1, "not well formed", err)
	}
	w := cborWalk{src: src}
	out := w.value(dst)
	if w.err != nil {
		return dst, w.err
	}
	return out, nil
}

type cborWalk struct {
	src []byte
	i   int
	err error
}

const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborOther
	cborIndefinite = 31
	cborBreak      = 0xff
)

// head reads a head that is known to be complete.
func (w *cborWalk) head() (major, info byte, arg uint64) {
	b := w.src[w.i]
	w.i++
	major, info = b>>5, b&31
	switch {
	case info < 24:
		arg = uint64(info)
	case info < 28:
		n := 1 << (info - 24)
		var buf [8]byte
		copy(buf[8-n:], w.src[w.i:w.i+n])
		arg = binary.BigEndian.Uint64(buf[:])
		w.i += n
	}
	return major, info, arg
}

func (w *cborWalk) value(dst []byte) []byte {
	if w.err != nil {
		return dst
	}
	major, info, arg := w.head()
	switch major {
	case cborUint:
		return strconv.AppendUint(dst, arg, 10)
	case cborNegative:
		return appendNegative(dst, arg)
	case cborBytes:
		return AppendHex(dst, w.chunks(info, arg))
	case cborText:
		return AppendString(dst, w.chunks(info, arg))
	case cborArray:
		dst = append(dst, '[')
		for n := uint64(0); w.more(info, arg, n); n++ {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = w.value(dst)
		}
		return append(dst, ']')
	case cborMap:
		dst = append(dst, '{')
		for n := uint64(0); w.more(info, arg, n); n++ {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = append(w.key(dst), ':')
			dst = w.value(dst)
		}
		return append(dst, '}')
	case cborTag:
		return w.tagged(dst, arg)
	default:
		return appendSimple(dst, info, arg)
	}
}

// more reports whether element n follows, and eats the break of an indefinite
// length.
func (w *cborWalk) more(info byte, arg, n uint64) bool {
	if w.err != nil {
		return false
	}
	if info != cborIndefinite {
		return n < arg
	}
	if w.src[w.i] == cborBreak {
		w.i++
		return false
	}
	return true
}

// chunks returns the content of a string that may come in parts.
func (w *cborWalk) chunks(info byte, arg uint64) []byte {
	if info != cborIndefinite {
		b := w.src[w.i : w.i+int(arg)]
		w.i += int(arg)
		return b
	}
	var joined []byte
	for w.src[w.i] != cborBreak {
		_, _, n := w.head()
		joined = append(joined, w.src[w.i:w.i+int(n)]...)
		w.i += int(n)
	}
	w.i++
	return joined
}

// key writes a map key as a JSON string.
func (w *cborWalk) key(dst []byte) []byte {
	at := w.i
	major, info, arg := w.head()
	for major == cborTag {
		major, info, arg = w.head()
	}
	switch major {
	case cborText:
		return AppendString(dst, w.chunks(info, arg))
	case cborBytes:
		return AppendHex(dst, w.chunks(info, arg))
	case cborArray, cborMap:
		w.err = errAt("cbor", at, "an array or map as key of a map")
		return dst
	}
	dst = append(dst, '"')
	switch major {
	case cborUint:
		dst = strconv.AppendUint(dst, arg, 10)
	case cborNegative:
		dst = appendNegative(dst, arg)
	default:
		dst = appendSimple(dst, info, arg)
	}
	return append(dst, '"')
}

func (w *cborWalk) tagged(dst []byte, tag uint64) []byte {
	at := w.i
	if tag == 2 || tag == 3 {
		if major, info, arg := w.head(); major == cborBytes {
			return appendBignum(dst, w.chunks(info, arg), tag == 3)
		}
		w.i = at
	}
	if tag == 4 {
		if out, ok := w.decimalFraction(dst); ok {
			return out
		}
		w.i = at
	}
	return w.value(dst)
}

// decimalFraction reads [exponent, mantissa] of small integers.
func (w *cborWalk) decimalFraction(dst []byte) ([]byte, bool) {
	major, info, n := w.head()
	if major != cborArray || info == cborIndefinite || n != 2 {
		return dst, false
	}
	var part [2]int64
	for k := range part {
		major, _, arg := w.head()
		if major > cborNegative || arg > math.MaxInt64 {
			return dst, false
		}
		part[k] = int64(arg)
		if major == cborNegative {
			part[k] = -1 - int64(arg)
		}
	}
	if part[0] > 40 || part[0] < -40 {
		return dst, false
	}
	return AppendDecimal(dst, part[1], int(part[0])), true
}

// maxBignum bounds the work of turning a bignum into digits, which grows with
// the square of its length.
const maxBignum = 64

func appendBignum(dst, b []byte, negative bool) []byte {
	if len(b) > maxBignum {
		return AppendHex(dst, b)
	}
	n := new(big.Int).SetBytes(b)
	if negative {
		n.Not(n)
	}
	return n.Append(dst, 10)
}

// appendNegative writes -1-arg, which needs 65 bits.
func appendNegative(dst []byte, arg uint64) []byte {
	dst = append(dst, '-')
	if arg == math.MaxUint64 {
		return append(dst, "18446744073709551616"...)
	}
	return strconv.AppendUint(dst, arg+1, 10)
}

func appendSimple(dst []byte, info byte, arg uint64) []byte {
	switch info {
	case 20:
		return append(dst, "false"...)
	case 21:
		return append(dst, "true"...)
	case 22, 23:
		return append(dst, "null"...)
	case 25:
		return AppendFloat32(dst, float16.Frombits(uint16(arg)).Float32())
	case 26:
		return AppendFloat32(dst, math.Float32frombits(uint32(arg)))
	case 27:
		return AppendFloat(dst, math.Float64frombits(arg))
	default:
		return strconv.AppendUint(dst, arg, 10)
	}
}
