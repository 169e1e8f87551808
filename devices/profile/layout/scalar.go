package layout

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/x448/float16"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// align drops the rest of a byte that bits(n) began.
func (s *state) align() {
	if s.bit > 0 {
		s.pos++
		s.bit = 0
	}
}

// take returns the next n bytes.
func (s *state) take(f *field, n int) []byte {
	s.align()
	if n < 0 || n > s.end-s.pos {
		s.fail(f.name, "needs %d bytes, %d left", n, max(0, s.end-s.pos))
		return nil
	}
	b := s.src[s.pos : s.pos+n]
	s.pos += n
	return b
}

func (s *state) size(f *field) int {
	if f.scalar.rest {
		s.align()
		return s.end - s.pos
	}
	if f.size == nil {
		return f.scalar.size
	}
	n, ok := s.run(f, f.size).(int)
	if s.err == nil && (!ok || n < 0 || !sizeFits(f.scalar.kind, n)) {
		s.fail(f.name, "size %d is out of bounds", n)
	}
	return n
}

// value reads one scalar and appends it.
func (s *state) value(dst []byte, f *field) []byte {
	if s.reads++; s.reads > MaxReads {
		s.fail(f.name, "more than %d fields", MaxReads)
		return dst
	}
	if len(dst) > s.most {
		s.fail(f.name, "gives more than %d bytes", codec.MaxOutput)
		return dst
	}
	switch f.scalar.kind {
	case unsigned, signed, bitsUnsigned, bitsSigned, keyByte:
		_, dst = s.integerField(dst, f)
		return dst
	case computed:
		return s.computed(dst, f)
	}
	n := s.size(f)
	if s.err != nil {
		return dst
	}
	b := s.take(f, n)
	if s.err != nil {
		return dst
	}
	switch f.scalar.kind {
	case float:
		return s.float(dst, f, b)
	case boolean:
		s.set(f, func() any { return b[0] != 0 })
		return codec.AppendBool(dst, b[0] != 0)
	case bcd:
		v, ok := decimalDigits(b, f.little)
		if !ok {
			return append(dst, "null"...)
		}
		return s.unsigned(dst, f, v)
	case digits:
		return s.digits(dst, f, b)
	case ascii:
		if nul := bytes.IndexByte(b, 0); nul >= 0 {
			b = b[:nul]
		}
		s.set(f, func() any { return string(b) })
		return codec.AppendString(dst, b)
	default:
		s.set(f, func() any { return fmt.Sprintf("%x", b) })
		return codec.AppendHex(dst, b)
	}
}

// integerField reads an integer and returns its bits, too.
func (s *state) integerField(dst []byte, f *field) (uint64, []byte) {
	n := s.size(f)
	if s.err != nil {
		return 0, dst
	}
	switch f.scalar.kind {
	case keyByte:
		if n >= len(s.key) {
			s.fail(f.name, "byte %d of a key of %d", n, len(s.key))
			return 0, dst
		}
		return uint64(s.key[n]), s.unsigned(dst, f, uint64(s.key[n]))
	case bitsUnsigned, bitsSigned:
		v := s.takeBits(f, n)
		if s.err != nil {
			return 0, dst
		}
		if f.scalar.kind == bitsSigned {
			return v, s.signed(dst, f, int64(v<<(64-n))>>(64-n))
		}
		return v, s.unsigned(dst, f, v)
	}
	b := s.take(f, n)
	if s.err != nil {
		return 0, dst
	}
	v := number(b, f.little, f.wordLow)
	if f.scalar.kind == signed {
		shift := 64 - 8*uint(n)
		return v, s.signed(dst, f, int64(v<<shift)>>shift)
	}
	return v, s.unsigned(dst, f, v)
}

// number reads up to eight bytes; wordLow exchanges the 16-bit words first.
func number(b []byte, little, wordLow bool) (v uint64) {
	if wordLow && len(b) > 2 && len(b)%2 == 0 {
		var swapped [8]byte
		for i := 0; i < len(b); i += 2 {
			copy(swapped[len(b)-2-i:], b[i:i+2])
		}
		b = swapped[:len(b)]
	}
	if little {
		for i := len(b) - 1; i >= 0; i-- {
			v = v<<8 | uint64(b[i])
		}
		return v
	}
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func (s *state) takeBits(f *field, n int) (v uint64) {
	if n < 1 || n > 64 || (s.end-s.pos)*8-s.bit < n {
		s.fail(f.name, "needs %d bits, %d left", n, max(0, (s.end-s.pos)*8-s.bit))
		return 0
	}
	for k := range n {
		c := s.src[s.pos]
		if s.l.lsb {
			v |= uint64(c>>s.bit&1) << k
		} else {
			v = v<<1 | uint64(c>>(7-s.bit)&1)
		}
		if s.bit++; s.bit == 8 {
			s.bit = 0
			s.pos++
		}
	}
	return v
}

func (s *state) signed(dst []byte, f *field, v int64) []byte {
	s.set(f, func() any {
		if f.scalar.affine.identity {
			return int(v)
		}
		return f.scalar.affine.float(float64(v))
	})
	return f.scalar.affine.appendInt(dst, v)
}

func (s *state) unsigned(dst []byte, f *field, v uint64) []byte {
	if v <= math.MaxInt64 {
		return s.signed(dst, f, int64(v))
	}
	if f.scalar.affine.identity {
		s.set(f, func() any {
			s.fail(f.name, "%d is too large for an expression", v)
			return nil
		})
		return strconv.AppendUint(dst, v, 10)
	}
	x := f.scalar.affine.float(float64(v))
	s.set(f, func() any { return x })
	return codec.AppendFloat(dst, x)
}

func (s *state) float(dst []byte, f *field, b []byte) []byte {
	bits := number(b, f.little, f.wordLow)
	var x float64
	switch len(b) {
	case 2:
		x = float64(float16.Frombits(uint16(bits)).Float32())
	case 4:
		x = float64(math.Float32frombits(uint32(bits)))
	default:
		x = math.Float64frombits(bits)
	}
	s.set(f, func() any {
		if f.scalar.affine.identity {
			return x
		}
		return f.scalar.affine.float(x)
	})
	return f.scalar.affine.appendFloat(dst, x, len(b) < 8)
}

// decimalDigits reads packed BCD; ok is false when a nibble is no digit, which
// meters use for "no value".
func decimalDigits(b []byte, little bool) (v uint64, ok bool) {
	for i := range b {
		c := b[i]
		if little {
			c = b[len(b)-1-i]
		}
		if c>>4 > 9 || c&15 > 9 {
			return 0, false
		}
		v = v*100 + uint64(c>>4)*10 + uint64(c&15)
	}
	return v, true
}

func (s *state) digits(dst []byte, f *field, b []byte) []byte {
	dst = append(dst, '"')
	from := len(dst)
	for i := range b {
		c := b[i]
		if f.little {
			c = b[len(b)-1-i]
		}
		dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	s.set(f, func() any { return string(dst[from:]) })
	return append(dst, '"')
}
