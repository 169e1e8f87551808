package devices

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Unit is one entry of the closed unit table. Values convert within a
// dimension only.
type Unit struct {
	Code      string // what readings carry, UCUM-like: "m3/h", "°C"
	Dimension string // "power", "temperature", …
	// A value in base units of the dimension is (v + Offset) * Num / Den. Two
	// integers instead of one factor keep decimal values decimal: 2635 W is
	// 2.635 kW, not 2.6350000000000002.
	Num, Den, Offset float64
	Aliases          []string // other spellings, matched without case when that is unambiguous
}

// ErrUnknownUnit is returned for a word that is in no row of the table.
var ErrUnknownUnit = errors.New("unknown unit")

// UnitByCode finds a unit by its code or one of its other spellings, nil when
// the table has none. "" and "1" are the plain number.
func UnitByCode(word string) *Unit {
	if i, ok := unitIndex[word]; ok {
		return &units[i]
	}
	if i, ok := unitIndex[foldUnit(word)]; ok {
		return &units[i]
	}
	return nil
}

// UnitCodes returns the codes of the table in its order.
func UnitCodes() []string {
	codes := make([]string, 0, len(units))
	for _, u := range units[1:] {
		codes = append(codes, u.Code)
	}
	return codes
}

// UnitWords returns every spelling that UnitByCode accepts, sorted; for hints.
func UnitWords() []string {
	var words []string
	for _, u := range units[1:] {
		words = append(words, u.Code)
		words = append(words, u.Aliases...)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// A Conversion turns values of one unit into another. The zero value is not
// usable; take one from Convert.
type Conversion struct {
	before, num, den, after float64
}

// Convert returns the conversion between two units of one dimension.
// difference leaves the zero points of temperature scales out, for values that
// are temperature differences.
func Convert(from, to *Unit, difference bool) (Conversion, error) {
	if from.Dimension != to.Dimension {
		return Conversion{}, fmt.Errorf("%s is %s, %s is %s: no conversion", from.name(), from.Dimension, to.name(), to.Dimension)
	}
	if from.Code == to.Code {
		return Conversion{num: 1, den: 1}, nil
	}
	num, den := from.Num*to.Den, from.Den*to.Num
	if num == math.Trunc(num) && den == math.Trunc(den) && num < 1<<53 && den < 1<<53 {
		g := gcd(num, den)
		num, den = num/g, den/g
	}
	c := Conversion{num: num, den: den}
	if difference || from.Offset == 0 && to.Offset == 0 {
		return c, nil
	}
	// One offset instead of two, on the side on which it is a short decimal:
	// 212 °F is (212 - 32) * 5 / 9 = 100 °C, not 100.00000000000006.
	before := from.Offset - to.Offset*den/num
	after := from.Offset*num/den - to.Offset
	switch {
	case isShort(before):
		c.before = math.Round(before*1e4) / 1e4
	case isShort(after):
		c.after = math.Round(after*1e4) / 1e4
	default:
		c.before, c.after = from.Offset, -to.Offset
	}
	return c, nil
}

func isShort(f float64) bool { return math.Abs(f-math.Round(f*1e4)/1e4) < 1e-9 }

// Identity reports whether the conversion leaves values as they are.
func (c Conversion) Identity() bool {
	return c.before == 0 && c.after == 0 && c.num == c.den
}

// Apply converts one value.
func (c Conversion) Apply(v float64) float64 {
	v += c.before
	if c.num != 1 {
		v *= c.num
	}
	if c.den != 1 {
		v /= c.den
	}
	return v + c.after
}

func (u *Unit) name() string { return cmp.Or(u.Code, "a plain number") }

func gcd(a, b float64) float64 {
	for b != 0 {
		a, b = b, math.Mod(a, b)
	}
	return a
}

// foldUnit makes spellings comparable: no case, no spaces, superscripts and the
// two micro signs as ASCII.
func foldUnit(word string) string {
	return unitFolder.Replace(strings.ToLower(strings.TrimSpace(word)))
}

var unitFolder = strings.NewReplacer(" ", "", "³", "3", "²", "2", "^", "", "µ", "u", "μ", "u", "℃", "°c", "℉", "°f", "·", "", "∆", "d", "º", "°")

// unitIndex maps codes and spellings exactly, and folded spellings where only
// one unit has them (mW and MW do not fold together).
var unitIndex = func() map[string]int {
	exact := make(map[string]int)
	folded := make(map[string]int)
	for i, u := range units {
		for _, w := range append([]string{u.Code}, u.Aliases...) {
			exact[w] = i
			f := foldUnit(w)
			if j, ok := folded[f]; ok && j != i {
				folded[f] = -1
			} else {
				folded[f] = i
			}
		}
	}
	for f, i := range folded {
		if _, ok := exact[f]; !ok && i >= 0 {
			exact[f] = i
		}
	}
	return exact
}()
