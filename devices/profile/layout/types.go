package layout

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
)

// kind says how the bytes of a scalar are read.
type kind uint8

const (
	unsigned kind = iota
	signed
	float
	boolean
	bcd
	digits
	hexBytes
	ascii
	bitsUnsigned
	bitsSigned
	keyByte
	bitRange // part of an integer that was read before
	computed
)

// scalar is a type with its arithmetic.
type scalar struct {
	kind   kind
	size   int    // bytes; bits of bits(n); index of key(n)
	arg    string // expression that gives size, "" when size is fixed
	rest   bool   // size is all that is left
	endian string // "be", "le" or "" for the layout's
	lo, hi int    // of a bit range
	single bool   // a bit range written as one bit: true or false
	affine affine
}

func (s *scalar) numeric() bool {
	switch s.kind {
	case boolean, digits, hexBytes, ascii, computed:
		return false
	}
	return !(s.kind == bitRange && s.single)
}

// goType is a value of the type that expressions see.
func (s *scalar) goType() any {
	switch s.kind {
	case boolean:
		return false
	case digits, hexBytes, ascii:
		return ""
	case bitRange:
		if s.single {
			return false
		}
	case float:
		return 0.0
	}
	if !s.affine.identity {
		return 0.0
	}
	return 0
}

// typeWords is what a misspelt type is compared with.
var typeWords = []string{
	"u8", "u16", "u24", "u32", "u40", "u48", "u56", "u64", "i8", "i16", "i24", "i32", "i40", "i48", "i56", "i64",
	"f16", "f32", "f64", "bool", "uint", "int", "bcd", "digits", "bytes", "ascii", "rest", "text", "bits", "ibits", "key",
}

// parseScalar reads a type with arithmetic, like (u16-1000)/50; inBits allows
// ranges like 0..4 in place of the type.
func parseScalar(text string, inBits bool) (scalar, error) {
	p := typeParser{text: text, inBits: inBits}
	t := p.sum()
	p.space()
	if p.err == nil && p.i < len(text) {
		p.fail("%q is not understood", text[p.i:])
	}
	if p.err == nil && p.found == nil {
		p.fail("no type in %q", text)
	}
	if p.err != nil {
		return scalar{}, p.err
	}
	s := *p.found
	f, err := newAffine(t.a, t.b)
	if err != nil {
		return scalar{}, err
	}
	if s.affine = f; !f.identity && !s.numeric() {
		return scalar{}, fmt.Errorf("arithmetic with %q, which is not a number", text)
	}
	return s, nil
}

// term is a·x + b over the value x.
type term struct{ a, b *big.Rat }

type typeParser struct {
	text   string
	i      int
	inBits bool
	found  *scalar
	err    error
}

func (p *typeParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *typeParser) space() {
	for p.i < len(p.text) && p.text[p.i] == ' ' {
		p.i++
	}
}

// next takes one of the characters, or returns 0.
func (p *typeParser) next(chars string) byte {
	p.space()
	if p.err == nil && p.i < len(p.text) && strings.IndexByte(chars, p.text[p.i]) >= 0 {
		p.i++
		return p.text[p.i-1]
	}
	return 0
}

func (p *typeParser) sum() term {
	t := p.product()
	for {
		op := p.next("+-")
		if op == 0 || p.err != nil {
			return t
		}
		u := p.product()
		if p.err != nil {
			return t
		}
		if op == '+' {
			t = term{new(big.Rat).Add(t.a, u.a), new(big.Rat).Add(t.b, u.b)}
		} else {
			t = term{new(big.Rat).Sub(t.a, u.a), new(big.Rat).Sub(t.b, u.b)}
		}
	}
}

func (p *typeParser) product() term {
	t := p.factor()
	for {
		op := p.next("*/")
		if op == 0 || p.err != nil {
			return t
		}
		u := p.factor()
		switch {
		case p.err != nil:
			return t
		case op == '/' && (u.a.Sign() != 0 || u.b.Sign() == 0):
			p.fail("division by a value or by zero in %q", p.text)
			return t
		case op == '/':
			inv := new(big.Rat).Inv(u.b)
			t = term{new(big.Rat).Mul(t.a, inv), new(big.Rat).Mul(t.b, inv)}
		case u.a.Sign() == 0:
			t = term{new(big.Rat).Mul(t.a, u.b), new(big.Rat).Mul(t.b, u.b)}
		default:
			t = term{new(big.Rat).Mul(u.a, t.b), new(big.Rat).Mul(u.b, t.b)}
		}
	}
}

func (p *typeParser) factor() term {
	zero := term{new(big.Rat), new(big.Rat)}
	p.space()
	if p.i >= len(p.text) {
		p.fail("%q ends early", p.text)
		return zero
	}
	switch c := p.text[p.i]; {
	case c == '-':
		p.i++
		t := p.factor()
		return term{new(big.Rat).Neg(t.a), new(big.Rat).Neg(t.b)}
	case c == '(':
		p.i++
		t := p.sum()
		if p.next(")") == 0 {
			p.fail("a parenthesis is not closed in %q", p.text)
		}
		return t
	case c >= '0' && c <= '9' || c == '.':
		if p.inBits && p.bitRange(false) {
			return term{big.NewRat(1, 1), new(big.Rat)}
		}
		return p.constant()
	case c >= 'a' && c <= 'z':
		if p.inBits && c == 'i' && p.i+1 < len(p.text) && p.text[p.i+1] >= '0' && p.text[p.i+1] <= '9' && p.bitRange(true) {
			return term{big.NewRat(1, 1), new(big.Rat)}
		}
		if s := p.typeName(); s != nil {
			p.setType(s)
		}
		return term{big.NewRat(1, 1), new(big.Rat)}
	}
	p.fail("%q is not understood", p.text[p.i:])
	return zero
}

func (p *typeParser) setType(s *scalar) {
	if p.found != nil {
		p.fail("two types in %q; compute with expressions", p.text)
		return
	}
	p.found = s
}

func (p *typeParser) constant() term {
	start := p.i
	for p.i < len(p.text) {
		c := p.text[p.i]
		exp := (c == '-' || c == '+') && (p.text[p.i-1] == 'e' || p.text[p.i-1] == 'E') && p.i > start
		if !(c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || exp) {
			break
		}
		p.i++
	}
	text := p.text[start:p.i]
	r, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 24 {
		p.fail("%q is not a number", text)
		return term{new(big.Rat), new(big.Rat)}
	}
	if f, _ := r.Float64(); f > 1e18 || f != 0 && f < 1e-18 {
		p.fail("%q is out of bounds", text)
	}
	return term{new(big.Rat), r}
}

// bitRange reads 3 or 0..13, only as the first operand.
func (p *typeParser) bitRange(negative bool) bool {
	if p.found != nil {
		return false
	}
	rest := p.text[p.i:]
	if negative {
		rest = rest[1:]
	}
	n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	lo, err := strconv.Atoi(rest[:n])
	if err != nil || lo > 63 {
		return false
	}
	s := &scalar{kind: bitRange, lo: lo, hi: lo, single: true}
	if strings.HasPrefix(rest[n:], "..") {
		m := len(rest[n+2:]) - len(strings.TrimLeft(rest[n+2:], "0123456789"))
		hi, err := strconv.Atoi(rest[n+2 : n+2+m])
		if err != nil || hi > 63 || hi < lo {
			p.fail("%q is not a range of bits 0..63, lower first", p.text)
			return true
		}
		s.hi, s.single = hi, false
		n += 2 + m
	}
	if negative {
		n++
		s.size = 1 // two's complement
	}
	p.i += n
	p.setType(s)
	return true
}

// typeName reads a type and its argument.
func (p *typeParser) typeName() *scalar {
	start := p.i
	for p.i < len(p.text) && (p.text[p.i] >= 'a' && p.text[p.i] <= 'z' || p.text[p.i] >= '0' && p.text[p.i] <= '9') {
		p.i++
	}
	word := p.text[start:p.i]
	arg, hasArg := "", false
	if p.i < len(p.text) && p.text[p.i] == '(' {
		end := closing(p.text, p.i)
		if end < 0 {
			p.fail("a parenthesis is not closed in %q", p.text)
			return nil
		}
		arg, hasArg = strings.TrimSpace(p.text[p.i+1:end]), true
		p.i = end + 1
	}
	s, ok := scalarOf(word, arg, hasArg)
	if !ok {
		hint := diag.DidYouMean(word, typeWords)
		if hint != "" {
			hint = ": " + hint
		}
		p.fail("%q is not a type%s", p.text[start:p.i], hint)
	}
	return s
}

func closing(text string, open int) int {
	depth := 0
	for i := open; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// scalarOf builds the type from its word and argument.
func scalarOf(word, arg string, hasArg bool) (*scalar, bool) {
	s := &scalar{}
	switch {
	case hasArg:
		kinds := map[string]kind{"uint": unsigned, "int": signed, "bytes": hexBytes, "ascii": ascii, "bits": bitsUnsigned, "ibits": bitsSigned, "key": keyByte, "bcd": bcd, "digits": digits}
		k, ok := kinds[word]
		if !ok || arg == "" {
			return nil, false
		}
		s.kind = k
		n, err := strconv.Atoi(arg)
		if err == nil {
			s.size = n
			return s, n >= 0 && n <= 1<<16 && sizeFits(k, n)
		}
		s.arg = arg
		return s, k != keyByte
	case word == "bool":
		s.kind, s.size = boolean, 1
		return s, true
	case word == "rest":
		s.kind, s.rest = hexBytes, true
		return s, true
	case word == "text":
		s.kind, s.rest = ascii, true
		return s, true
	}
	if cut, ok := strings.CutSuffix(word, "le"); ok {
		word, s.endian = cut, "le"
	} else if cut, ok := strings.CutSuffix(word, "be"); ok {
		word, s.endian = cut, "be"
	}
	name := strings.TrimRight(word, "0123456789")
	n, err := strconv.Atoi(word[len(name):])
	if err != nil {
		return nil, false
	}
	switch name {
	case "u", "i", "f":
		if n%8 != 0 || n < 8 || n > 64 || name == "f" && !slices.Contains([]int{16, 32, 64}, n) {
			return nil, false
		}
		s.kind, s.size = map[string]kind{"u": unsigned, "i": signed, "f": float}[name], n/8
		return s, true
	case "bcd", "digits", "bytes":
		s.kind, s.size = map[string]kind{"bcd": bcd, "digits": digits, "bytes": hexBytes}[name], n
		return s, n > 0 && n <= 1<<16 && sizeFits(s.kind, n)
	}
	return nil, false
}

func sizeFits(k kind, n int) bool {
	switch k {
	case unsigned, signed:
		return n <= 8
	case bcd:
		return n <= 9
	case bitsUnsigned, bitsSigned:
		return n >= 1 && n <= 64
	case keyByte:
		return n < maxKey
	}
	return true
}
