package layout

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"

	"github.com/expr-lang/expr/vm"

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
	most    int    // bytes that the output may have
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
	s.most = len(dst) + codec.MaxOutput
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
