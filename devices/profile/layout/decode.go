package layout

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/expr-lang/expr/vm"
	"github.com/x448/float16"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// An Error says where in the frame decoding stopped, and why.
type Error struct {
	Layout string
	Field  string // being read, "" when none
	Offset int    // in the frame
	Reason string
}

// Error formats the finding as "layout L: offset N: field F: reason".
func (e *Error) Error() string {
	s := "layout " + e.Layout + ": offset " + strconv.Itoa(e.Offset) + ": "
	if e.Field != "" {
		s += "field " + e.Field + ": "
	}
	return s + e.Reason
}

type pool struct{ sync.Pool }

// state is the scratch space of one decoding.
type state struct {
	l       *Layout
	src     []byte
	pos     int
	end     int
	bit     int // bits of src[pos] that are taken
	reads   int
	key     []byte // of the TLV item
	inTLV   bool
	env     map[string]any
	machine vm.VM
	scratch []byte // values of TLV members
	spans   []span
	arrays  [][]byte
	err     error
}

type span struct{ from, to int }

// Decode appends the frame as a JSON object to dst. On error it returns dst as
// it was given.
func (l *Layout) Decode(dst, src []byte) ([]byte, error) {
	s, _ := l.states.Get().(*state)
	if s == nil {
		s = &state{l: l, env: make(map[string]any, len(l.names))}
		if l.tlv != nil {
			s.spans = make([]span, len(l.tlv.members))
			s.arrays = make([][]byte, len(l.tlv.members))
		}
	}
	defer l.states.Put(s)
	s.reset(src)
	out := s.frame(dst)
	s.src, s.key = nil, nil
	if s.err != nil {
		return dst, s.err
	}
	return out, nil
}

func (s *state) reset(src []byte) {
	s.src, s.pos, s.end, s.bit, s.reads, s.err = src, 0, len(src), 0, 0, nil
	s.scratch, s.inTLV = s.scratch[:0], false
	for i := range s.spans {
		s.spans[i] = span{}
		s.arrays[i] = s.arrays[i][:0]
	}
	for _, n := range s.l.names {
		s.env[n] = nil
	}
}

func (s *state) fail(field, format string, args ...any) {
	if s.err == nil {
		s.err = &Error{Layout: s.l.name, Field: field, Offset: s.pos, Reason: fmt.Sprintf(format, args...)}
	}
}

func (s *state) frame(dst []byte) []byte {
	l := s.l
	if n := len(s.src); n < l.min || l.max > 0 && n > l.max {
		s.fail("", "frame of %d bytes, expected %d to %d", n, l.min, l.max)
		return dst
	}
	for i := range l.checks {
		if at, reason := l.checks[i].verify(s.src); reason != "" {
			s.pos = at
			s.fail("", "%s", reason)
			return dst
		}
	}
	if len(l.find) > 0 {
		at := bytes.Index(s.src, l.find)
		if at < 0 {
			s.fail("", "the bytes % X are not in the frame", l.find)
			return dst
		}
		s.pos = at + len(l.find)
	}
	if s.pos += l.skip; s.pos > s.end {
		s.pos = s.end
		s.fail("", "frame ends within the %d bytes to skip", l.skip)
		return dst
	}
	dst = append(dst, '{')
	if l.head != nil {
		dst = s.block(dst, l.head)
	}
	if l.tlv != nil {
		s.align()
		dst = s.tlv(dst, l.tlv)
	}
	return append(dst, '}')
}

// separate appends a comma unless something was just opened.
func separate(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' && dst[n-1] != '[' {
		return append(dst, ',')
	}
	return dst
}

// open starts the value of a field and returns where it starts.
func (s *state) open(dst []byte, f *field) ([]byte, int) {
	if !s.inTLV {
		dst = append(separate(dst), f.key...)
	}
	return dst, len(dst)
}

// shut ends it.
func (s *state) shut(dst []byte, f *field, from int) []byte {
	if s.inTLV && f.member >= 0 {
		s.spans[f.member] = span{from, len(dst)}
	}
	return dst
}

func (s *state) block(dst []byte, b *block) []byte {
	for i := range b.fields {
		if s.err != nil {
			return dst
		}
		dst = s.field(dst, &b.fields[i])
	}
	return dst
}

func (s *state) field(dst []byte, f *field) []byte {
	if f.when != nil {
		if yes, ok := s.run(f, f.when).(bool); !ok || !yes {
			return dst
		}
	}
	if f.seek {
		at := f.at
		if at < 0 {
			at += len(s.src)
		}
		if at < 0 || at > s.end {
			s.fail(f.name, "offset %d is outside of the frame", f.at)
			return dst
		}
		s.pos, s.bit = at, 0
	}
	switch {
	case f.name == "":
		return s.block(dst, f.block)
	case f.array:
		return s.array(dst, f)
	case f.block != nil:
		return s.object(dst, f)
	}
	return s.plain(dst, f)
}

func (s *state) object(dst []byte, f *field) []byte {
	if f.hidden {
		n, in := len(dst), s.inTLV
		s.inTLV = false
		dst = s.block(append(dst, '{'), f.block)[:n]
		s.inTLV = in
		return dst
	}
	dst, from := s.open(dst, f)
	in := s.inTLV
	s.inTLV = false
	dst = append(s.block(append(dst, '{'), f.block), '}')
	s.inTLV = in
	return s.shut(dst, f, from)
}

// array reads the elements of name[].
func (s *state) array(dst []byte, f *field) []byte {
	count := f.count
	if f.counter != nil {
		n, ok := s.run(f, f.counter).(int)
		if s.err == nil && (!ok || n < 0 || n > MaxReads) {
			s.fail(f.name, "count %d is out of bounds", n)
		}
		count = n
	}
	if s.err != nil {
		return dst
	}
	in := s.inTLV
	s.inTLV = false
	defer func() { s.inTLV = in }()
	if in && f.member >= 0 {
		s.arrays[f.member] = s.elements(s.arrays[f.member], f, count)
		return dst
	}
	n := len(dst)
	dst = append(separate(dst), f.key...)
	dst = append(s.elements(append(dst, '['), f, count), ']')
	if f.hidden {
		return dst[:n]
	}
	return dst
}

func (s *state) elements(dst []byte, f *field, count int) []byte {
	for k := 0; s.err == nil && (k < count || count < 0 && s.pos < s.end); k++ {
		before, bit := s.pos, s.bit
		if len(dst) > 0 {
			dst = separate(dst)
		}
		if f.block != nil {
			dst = append(s.block(append(dst, '{'), f.block), '}')
		} else {
			dst = s.value(dst, f)
		}
		if count < 0 && s.pos == before && s.bit == bit {
			s.fail(f.name, "an element without bytes, repeated until the end")
		}
	}
	return dst
}

// plain reads a scalar that is not in an array.
func (s *state) plain(dst []byte, f *field) []byte {
	if f.hidden {
		n := len(dst)
		if len(f.bits) == 0 {
			return s.value(dst, f)[:n]
		}
		raw, out := s.integerField(dst, f)
		return s.parts(out[:n], f, raw)
	}
	dst, from := s.open(dst, f)
	if len(f.bits) == 0 {
		return s.shut(s.value(dst, f), f, from)
	}
	raw, dst := s.integerField(dst, f)
	return s.parts(s.shut(dst, f, from), f, raw)
}

// parts emits the bit ranges of an integer.
func (s *state) parts(dst []byte, f *field, raw uint64) []byte {
	for i := range f.bits {
		if s.err != nil {
			return dst
		}
		p := &f.bits[i]
		n := len(dst)
		var from int
		dst, from = s.open(dst, p)
		width := p.scalar.hi - p.scalar.lo + 1
		v := raw >> p.scalar.lo
		if width < 64 {
			v &= 1<<width - 1
		}
		switch {
		case p.scalar.single && p.scalar.size == 0:
			dst = codec.AppendBool(dst, v == 1)
			s.set(p, func() any { return v == 1 })
		case p.scalar.size == 1:
			dst = s.signed(dst, p, int64(v<<(64-width))>>(64-width))
		default:
			dst = s.unsigned(dst, p, v)
		}
		if p.hidden {
			dst = dst[:n]
			continue
		}
		dst = s.shut(dst, p, from)
	}
	return dst
}

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

// set gives a value to expressions when one of them asks for it.
func (s *state) set(f *field, value func() any) {
	if _, asked := s.env[f.name]; asked {
		s.env[f.name] = value()
	}
}

func (s *state) run(f *field, p *vm.Program) any {
	s.frameVar(framePos, s.pos)
	s.frameVar(frameLeft, s.end-s.pos)
	s.frameVar(frameSize, len(s.src))
	v, err := s.machine.Run(p, s.env)
	if err != nil {
		s.fail(f.name, "expression fails: %v", firstLine(err))
		return nil
	}
	return v
}

func (s *state) frameVar(name string, v int) {
	if _, asked := s.env[name]; asked {
		s.env[name] = v
	}
}

func firstLine(err error) string {
	line, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return string(line)
}

func (s *state) computed(dst []byte, f *field) []byte {
	v := s.run(f, f.value)
	if s.err != nil {
		return dst
	}
	s.set(f, func() any { return v })
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return codec.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case float64:
		return codec.AppendFloat(dst, round15(v))
	case string:
		return codec.AppendString(dst, v)
	}
	s.fail(f.name, "the expression gives a %T", v)
	return dst
}

// tlv reads items to the end and writes their last values.
func (s *state) tlv(dst []byte, t *tlv) []byte {
	s.inTLV = true
	for s.err == nil && s.pos < s.end {
		if s.end-s.pos < t.key+t.length {
			if t.unknown == "error" {
				s.fail("", "%d bytes left, not enough for a key", s.end-s.pos)
			}
			break
		}
		at := s.pos
		s.key = s.src[s.pos : s.pos+t.key]
		s.pos += t.key
		end := s.end
		if t.length > 0 {
			n := number(s.src[s.pos:s.pos+t.length], t.little, false)
			s.pos += t.length
			if n > uint64(s.end-s.pos) {
				s.fail("", "item % X of %d bytes, %d left", s.key, n, s.end-s.pos)
				break
			}
			s.end = s.pos + int(n)
		}
		b := t.find(s.key)
		if b == nil {
			if !s.unknownItem(t, at) {
				break
			}
		} else if s.scratch = s.block(s.scratch, b); s.err == nil {
			s.align()
		}
		if t.length > 0 {
			s.pos, s.bit = s.end, 0
		}
		s.end = end
	}
	s.inTLV = false
	if s.err != nil {
		return dst
	}
	for i := range t.members {
		switch sp := s.spans[i]; {
		case t.members[i].array && len(s.arrays[i]) > 0:
			dst = codec.AppendKey(separate(dst), t.members[i].name)
			dst = append(dst, '[')
			dst = append(dst, s.arrays[i]...)
			dst = append(dst, ']')
		case sp.to > sp.from:
			dst = codec.AppendKey(separate(dst), t.members[i].name)
			dst = append(dst, s.scratch[sp.from:sp.to]...)
		}
	}
	return dst
}

// unknownItem reports whether reading goes on.
func (s *state) unknownItem(t *tlv, at int) bool {
	switch {
	case t.unknown == "error":
		s.pos = at
		s.fail("", "unknown item % X", s.key)
		return false
	case t.unknown == "stop":
		return false
	case t.length > 0:
		return true
	case t.skip > s.end-s.pos:
		s.pos = s.end
	default:
		s.pos += t.skip
	}
	return true
}

func (t *tlv) find(key []byte) *block {
	if b := t.exact[string(key)]; b != nil {
		return b
	}
	for i := range t.items {
		it := &t.items[i]
		match := true
		for k, c := range key {
			match = match && c&it.mask[k] == it.key[k]
		}
		if match {
			return it.block
		}
	}
	return nil
}
