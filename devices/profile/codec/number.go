package codec

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// A Locale says how a number is written in text.
type Locale string

// The locales.
const (
	// English: point before decimals, comma between thousands. The default.
	English Locale = "en"
	// German: comma before decimals, point between thousands (most of Europe).
	German Locale = "de"
	// Auto takes either mark before decimals where that is certain. A single
	// comma or point with exactly three digits behind it and no other mark is
	// refused when it is a comma ("1,234" may be either), and decimal when it is
	// a point.
	Auto Locale = "auto"
)

// Locales are all of them.
var Locales = []Locale{English, German, Auto}

// AppendNumber reads the number at the start of src ("1.234,5 kWh"), appends it
// as a JSON number digit by digit, and returns what follows it, trimmed: the
// unit, a part of src. NaN, infinity and text without a number are errors;
// whether they mean "missing" is the profile's to say.
func AppendNumber(dst, src []byte, locale Locale) (out, unit []byte, err error) {
	text := bytes.TrimSpace(src)
	lead := bytes.Index(src, text)
	neg := false
	i := 0
	switch {
	case len(text) > 0 && (text[0] == '-' || text[0] == '+'):
		neg, i = text[0] == '-', 1
	case bytes.HasPrefix(text, []byte("\u2212")): // the typographic minus
		neg, i = true, len("\u2212")
	}
	end := i
	for end < len(text) {
		if n := numberRune(text[end:]); n > 0 {
			end += n
			continue
		}
		break
	}
	mantissa := trimMarks(text[i:end])
	end = i + len(mantissa)
	whole, frac, reason := splitMantissa(mantissa, locale)
	if reason != "" {
		return dst, nil, errAt("number", lead+i, "%s in %q", reason, clip(text))
	}
	exp, n := exponent(text[end:])
	end += n
	out = dst
	if neg {
		out = append(out, '-')
	}
	mark := len(out)
	out = appendDigits(out, whole)
	for len(out) > mark+1 && out[mark] == '0' {
		out = append(out[:mark], out[mark+1:]...)
	}
	if len(out) == mark {
		out = append(out, '0')
	}
	if len(frac) > 0 {
		out = append(out, '.')
		out = append(out, frac...)
	}
	if exp != 0 {
		out = append(out, 'e')
		out = strconv.AppendInt(out, int64(exp), 10)
	}
	return out, bytes.TrimSpace(text[end:]), nil
}

// numberRune returns the length of a digit or digit mark at the start of b.
func numberRune(b []byte) int {
	c := b[0]
	if c >= '0' && c <= '9' || c == '.' || c == ',' || c == '\'' {
		return 1
	}
	r, n := utf8.DecodeRune(b)
	if (r == '\u00a0' || r == '\u202f' || r == '\u2019') && len(b) > n && b[n] >= '0' && b[n] <= '9' {
		return n
	}
	return 0
}

// trimMarks takes marks without a digit behind them off the end.
func trimMarks(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] < '0' || b[len(b)-1] > '9') {
		_, n := utf8.DecodeLastRune(b)
		b = b[:len(b)-n]
	}
	return b
}

// splitMantissa divides digits with marks at the decimal mark and checks that
// thousands marks stand where they should.
func splitMantissa(m []byte, locale Locale) (whole, frac []byte, reason string) {
	if len(m) == 0 {
		return nil, nil, "no number"
	}
	dot, comma := bytes.Count(m, []byte(".")), bytes.Count(m, []byte(","))
	decimal := byte('.')
	switch locale {
	case German:
		decimal = ','
	case Auto:
		switch {
		case dot > 0 && comma > 0:
			if bytes.LastIndexByte(m, ',') > bytes.LastIndexByte(m, '.') {
				decimal = ','
			}
		case comma == 1:
			at := bytes.IndexByte(m, ',')
			if len(m)-at-1 == 3 && at > 0 && at <= 3 && m[0] != '0' {
				return nil, nil, "a comma that may be decimal or thousands"
			}
			decimal = ','
		case dot > 1:
			decimal = ','
		}
	}
	group := byte(',')
	if decimal == ',' {
		group = '.'
	}
	whole = m
	if at := bytes.IndexByte(m, decimal); at >= 0 {
		whole, frac = m[:at], m[at+1:]
		for _, c := range frac {
			if c < '0' || c > '9' {
				return nil, nil, "a second mark behind the decimals"
			}
		}
	}
	if len(whole) == 0 && len(frac) == 0 {
		return nil, nil, "no number"
	}
	run, grouped := 0, false
	for k := 0; k < len(whole); {
		c := whole[k]
		if c >= '0' && c <= '9' {
			run++
			k++
			continue
		}
		if c != group && c < utf8.RuneSelf && c != '\'' {
			return nil, nil, "a misplaced mark"
		}
		if run == 0 || run > 3 || grouped && run != 3 {
			return nil, nil, "a thousands mark that is not between groups of three digits"
		}
		run, grouped = 0, true
		_, n := utf8.DecodeRune(whole[k:])
		k += n
	}
	if grouped && run != 3 {
		return nil, nil, "a thousands mark that is not between groups of three digits"
	}
	return whole, frac, ""
}

// exponent reads e±NN when digits follow.
func exponent(b []byte) (value, length int) {
	if len(b) < 2 || b[0] != 'e' && b[0] != 'E' {
		return 0, 0
	}
	k := 1
	if b[k] == '-' || b[k] == '+' {
		k++
	}
	start := k
	for k < len(b) && b[k] >= '0' && b[k] <= '9' {
		k++
	}
	if k == start || k-start > 3 {
		return 0, 0
	}
	v, err := strconv.Atoi(string(b[1:k]))
	if err != nil {
		return 0, 0
	}
	return v, k
}

func appendDigits(dst, b []byte) []byte {
	for _, c := range b {
		if c >= '0' && c <= '9' {
			dst = append(dst, c)
		}
	}
	return dst
}

func clip(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}

// HexInt reads hexadecimal digits ("0xFFD6", "ff:d6") as an integer. A signed
// number is two's complement of bits bits; bits 0 takes four for each digit
// written. The result is exact as int64, or as the bits of a uint64 when
// unsigned.
func HexInt(src []byte, signed bool, bits int) (int64, error) {
	digits, value := 0, uint64(0)
	s := bytes.TrimSpace(src)
	if len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	for i, c := range s {
		v, ok := hexValue(c)
		if !ok {
			if c == ':' || c == ' ' || c == '-' {
				continue
			}
			return 0, errAt("hex", i, "%q is not a hexadecimal digit", c)
		}
		if digits++; value>>60 != 0 {
			return 0, errAt("hex", i, "more than 64 bits")
		}
		value = value<<4 | uint64(v)
	}
	if digits == 0 {
		return 0, errAt("hex", 0, "no digits")
	}
	if bits <= 0 {
		bits = min(64, 4*digits)
	}
	if bits < 64 && value>>bits != 0 {
		return 0, errAt("hex", 0, "more than %d bits", bits)
	}
	if signed && bits < 64 && value>>(bits-1) == 1 {
		return int64(value) - int64(1)<<bits, nil
	}
	return int64(value), nil
}

// F32 puts two 16-bit words together as an IEEE 754 float32.
func F32(high, low uint16) float32 {
	return math.Float32frombits(uint32(high)<<16 | uint32(low))
}

// Number configures the codec number.
type Number struct {
	Locale Locale `yaml:"locale" json:"locale,omitempty" jsonschema:"how the number is written: en (1,234.5; default), de (1.234,5) or auto"`
	Unit   string `yaml:"unit" json:"unit,omitempty" jsonschema:"what to do with text behind the number: strip (default), take (the result is an object with value and unit) or none (text there is an error)"`
}

// Compile checks the words.
func (c *Number) Compile() (Func, error) {
	cfg := *c
	if cfg.Locale == "" {
		cfg.Locale = English
	}
	if err := oneOf("locale", cfg.Locale, Locales...); err != nil {
		return nil, err
	}
	if cfg.Unit == "" {
		cfg.Unit = "strip"
	}
	if err := oneOf("unit", cfg.Unit, "strip", "take", "none"); err != nil {
		return nil, err
	}
	return cfg.decode, nil
}

func (c *Number) decode(dst, src []byte) ([]byte, error) {
	out := dst
	if c.Unit == "take" {
		out = append(out, `{"value":`...)
	}
	out, unit, err := AppendNumber(out, src, c.Locale)
	if err != nil {
		return dst, err
	}
	switch {
	case c.Unit == "none" && len(unit) > 0:
		return dst, errAt("number", len(src)-len(unit), "text %q behind the number", clip(unit))
	case c.Unit == "take":
		out = append(out, `,"unit":`...)
		out = append(AppendString(out, unit), '}')
	}
	return out, nil
}

func oneOf[T ~string](what string, have T, want ...T) error {
	for _, w := range want {
		if have == w {
			return nil
		}
	}
	return fmt.Errorf("%s %q is not known, one of: %v", what, string(have), want)
}
