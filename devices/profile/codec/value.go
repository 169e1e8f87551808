package codec

import (
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// AppendKey appends s as the name of a member, with the colon.
func AppendKey[T string | []byte](dst []byte, s T) []byte {
	return append(AppendString(dst, s), ':')
}

// AppendHex appends b as a JSON string of lower-case hexadecimal digits.
func AppendHex(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, b)
	return append(dst, '"')
}

// AppendFloat appends f with the fewest digits that read back as the same
// float64; NaN and infinity become null.
func AppendFloat(dst []byte, f float64) []byte { return appendFloat(dst, f, 64) }

// AppendFloat32 does the same for a float32, so that 12.1 does not become
// 12.100000381.
func AppendFloat32(dst []byte, f float32) []byte { return appendFloat(dst, float64(f), 32) }

func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

// AppendBool appends true or false.
func AppendBool(dst []byte, b bool) []byte { return strconv.AppendBool(dst, b) }

// AppendDecimal appends mant×10^exp without rounding and without trailing
// zeros after the point.
func AppendDecimal(dst []byte, mant int64, exp int) []byte {
	if mant == 0 {
		return append(dst, '0')
	}
	for exp < 0 && mant%10 == 0 {
		mant /= 10
		exp++
	}
	if exp > 20 || exp < -20 {
		dst = strconv.AppendInt(dst, mant, 10)
		dst = append(dst, 'e')
		return strconv.AppendInt(dst, int64(exp), 10)
	}
	if exp >= 0 {
		dst = strconv.AppendInt(dst, mant, 10)
		for ; exp > 0; exp-- {
			dst = append(dst, '0')
		}
		return dst
	}
	u := uint64(mant)
	if mant < 0 {
		dst = append(dst, '-')
		u = -u
	}
	var digits [20]byte
	d := strconv.AppendUint(digits[:0], u, 10)
	if whole := len(d) + exp; whole > 0 {
		dst = append(dst, d[:whole]...)
		dst = append(dst, '.')
		return append(dst, d[whole:]...)
	}
	dst = append(dst, '0', '.')
	for i := len(d) + exp; i < 0; i++ {
		dst = append(dst, '0')
	}
	return append(dst, d...)
}

// decimal is mant×10^exp, exactly.
type decimal struct {
	mant int64
	exp  int
}

// parseDecimal reads a JSON number; ok is false when it has too many digits for
// an exact sum.
func parseDecimal(s string) (d decimal, ok bool) {
	neg := false
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	seen, point := false, false
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			if d.mant > (math.MaxInt64-9)/10 {
				return decimal{}, false
			}
			d.mant = d.mant*10 + int64(c-'0')
			seen = true
			if point {
				d.exp--
			}
			continue
		case c == '.' && !point:
			point = true
			continue
		case c == 'e' || c == 'E':
			e, err := strconv.Atoi(s[i+1:])
			if err != nil || e > 40 || e < -40 {
				return decimal{}, false
			}
			d.exp += e
			i = len(s)
		default:
			return decimal{}, false
		}
	}
	if neg {
		d.mant = -d.mant
	}
	return d, seen
}

// add returns a+b; ok is false when the sum does not fit.
func (d decimal) add(b decimal) (decimal, bool) {
	if d.mant == 0 {
		return b, true
	}
	if b.mant == 0 {
		return d, true
	}
	if d.exp < b.exp {
		d, b = b, d
	}
	for d.exp > b.exp {
		if d.mant > math.MaxInt64/10 || d.mant < math.MinInt64/10 {
			return decimal{}, false
		}
		d.mant *= 10
		d.exp--
	}
	sum := d.mant + b.mant
	if (sum > d.mant) != (b.mant > 0) {
		return decimal{}, false
	}
	return decimal{sum, d.exp}, true
}

// addNumbers appends the exact sum of two JSON numbers, or the float64 sum when
// they have too many digits.
func addNumbers(dst []byte, a, b string) []byte {
	if b == "" {
		b = "0"
	}
	if a == "" {
		a = "0"
	}
	da, okA := parseDecimal(a)
	db, okB := parseDecimal(b)
	if okA && okB {
		if sum, ok := da.add(db); ok {
			return AppendDecimal(dst, sum.mant, sum.exp)
		}
	}
	fa, _ := strconv.ParseFloat(a, 64)
	fb, _ := strconv.ParseFloat(b, 64)
	return AppendFloat(dst, fa+fb)
}
