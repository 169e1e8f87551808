package codec

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

// JSON5 reads what devices with hand-made printf JSON send and writes strict
// JSON: comments, trailing commas, single quotes, bare keys, hexadecimal
// numbers, a leading plus or point. NaN and Infinity become null. The digits of
// numbers are kept, which the JSON5 libraries for Go do not do.
func JSON5(dst, src []byte) ([]byte, error) {
	p := json5{src: src}
	out := p.value(dst, 0)
	p.space()
	if p.err == nil && p.i < len(src) {
		p.fail("%q after the value", src[p.i])
	}
	if p.err != nil {
		return dst, p.err
	}
	return out, nil
}

type json5 struct {
	src []byte
	i   int
	err error
}

func (p *json5) fail(format string, args ...any) {
	if p.err == nil {
		p.err = errAt("json5", p.i, format, args...)
	}
}

// space skips white space and comments.
func (p *json5) space() {
	for p.i < len(p.src) {
		rest := p.src[p.i:]
		switch {
		case isSpace(rest[0]) || rest[0] == '\f' || rest[0] == '\v':
			p.i++
		case bytes.HasPrefix(rest, []byte("\ufeff")):
			p.i += len("\ufeff")
		case bytes.HasPrefix(rest, []byte("//")):
			if n := bytes.IndexByte(rest, '\n'); n >= 0 {
				p.i += n
			} else {
				p.i = len(p.src)
			}
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				p.fail("comment without end")
				p.i = len(p.src)
				return
			}
			p.i += n + 4
		default:
			return
		}
	}
}

func (p *json5) peek() byte {
	if p.err == nil && p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

func (p *json5) value(dst []byte, depth int) []byte {
	p.space()
	if depth > MaxDepth {
		p.fail("nested deeper than %d", MaxDepth)
	}
	switch c := p.peek(); c {
	case '{':
		return p.list(dst, '}', depth+1)
	case '[':
		return p.list(dst, ']', depth+1)
	case '"', '\'':
		return p.text(dst)
	default:
		return p.word(dst)
	}
}

// list reads an object or array up to its closing bracket.
func (p *json5) list(dst []byte, end byte, depth int) []byte {
	dst = append(dst, p.src[p.i])
	p.i++
	for n := 0; p.err == nil; n++ {
		p.space()
		c := p.peek()
		if c == end {
			p.i++
			return append(dst, end)
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		if end == '}' {
			dst = p.key(dst)
		}
		dst = p.value(dst, depth)
		p.space()
		switch p.peek() {
		case ',':
			p.i++
		case end:
		default:
			p.fail("expected a comma or %q", end)
		}
	}
	return dst
}

func (p *json5) key(dst []byte) []byte {
	if c := p.peek(); c == '"' || c == '\'' {
		dst = p.text(dst)
	} else {
		start := p.i
		for p.i < len(p.src) && (isWordByte(p.src[p.i]) || p.src[p.i] == '-') {
			p.i++
		}
		if p.i == start {
			p.fail("expected a key")
			return dst
		}
		dst = AppendString(dst, p.src[start:p.i])
	}
	p.space()
	if p.peek() != ':' {
		p.fail("expected a colon")
		return dst
	}
	p.i++
	return append(dst, ':')
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= utf8.RuneSelf
}

// word reads a number or one of the bare words.
func (p *json5) word(dst []byte) []byte {
	start := p.i
	for p.i < len(p.src) && (isWordByte(p.src[p.i]) || p.src[p.i] == '+' || p.src[p.i] == '-' || p.src[p.i] == '.') {
		p.i++
	}
	text := p.src[start:p.i]
	switch s := string(text); s {
	case "true", "false", "null":
		return append(dst, s...)
	case "True", "False":
		return append(append(dst, s[0]|0x20), s[1:]...)
	case "None", "undefined":
		return append(dst, "null"...)
	}
	unsigned := bytes.TrimLeft(text, "+-")
	if len(text)-len(unsigned) <= 1 {
		switch string(bytes.ToLower(unsigned)) {
		case "nan", "infinity", "inf":
			return append(dst, "null"...)
		}
		if out, ok := appendJSON5Number(dst, text); ok {
			return out
		}
	}
	p.i = start
	if len(text) == 0 {
		p.fail("expected a value")
	} else {
		p.fail("%q is not a value", clip(text))
	}
	return dst
}

func appendJSON5Number(dst, text []byte) ([]byte, bool) {
	neg := len(text) > 0 && text[0] == '-'
	if neg || len(text) > 0 && text[0] == '+' {
		text = text[1:]
	}
	if len(text) == 0 || !(text[0] >= '0' && text[0] <= '9' || text[0] == '.') {
		return dst, false
	}
	if len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
		u, err := strconv.ParseUint(string(text[2:]), 16, 64)
		if err != nil {
			return dst, false
		}
		if neg {
			dst = append(dst, '-')
		}
		return strconv.AppendUint(dst, u, 10), true
	}
	for _, c := range text {
		if c == '_' || c == ',' {
			return dst, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(f) {
		return dst, false
	}
	if neg {
		dst = append(dst, '-')
	}
	out, rest, err := AppendNumber(dst, text, English)
	return out, err == nil && (len(rest) == 0 || string(rest) == ".")
}

// text reads a quoted string and its escapes.
func (p *json5) text(dst []byte) []byte {
	quote := p.src[p.i]
	p.i++
	var s []byte
	for p.i < len(p.src) {
		c := p.src[p.i]
		p.i++
		switch c {
		case quote:
			return AppendString(dst, s)
		case '\n':
			p.fail("string without end")
			return dst
		case '\\':
			s = p.escape(s)
		default:
			s = append(s, c)
		}
	}
	p.fail("string without end")
	return dst
}

func (p *json5) escape(s []byte) []byte {
	if p.i >= len(p.src) {
		return s
	}
	c := p.src[p.i]
	p.i++
	switch c {
	case 'n':
		return append(s, '\n')
	case 't':
		return append(s, '\t')
	case 'r':
		return append(s, '\r')
	case 'b':
		return append(s, '\b')
	case 'f':
		return append(s, '\f')
	case 'v':
		return append(s, '\v')
	case '0':
		return append(s, 0)
	case '\n':
		return s
	case 'x', 'u':
		n := 2
		if c == 'u' {
			n = 4
		}
		if p.i+n > len(p.src) {
			p.fail("escape without end")
			return s
		}
		u, err := strconv.ParseUint(string(p.src[p.i:p.i+n]), 16, 32)
		if err != nil {
			p.fail("%q is not an escape", clip(p.src[p.i:p.i+n]))
			return s
		}
		p.i += n
		r := rune(u)
		if r >= 0xd800 && r < 0xdc00 && p.i+6 <= len(p.src) && p.src[p.i] == '\\' && p.src[p.i+1] == 'u' {
			if low, err := strconv.ParseUint(string(p.src[p.i+2:p.i+6]), 16, 32); err == nil && low >= 0xdc00 && low < 0xe000 {
				r = (r-0xd800)<<10 | rune(low-0xdc00) + 0x10000
				p.i += 6
			}
		}
		return utf8.AppendRune(s, r)
	default:
		return append(s, c)
	}
}
