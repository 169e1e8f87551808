package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/facilityd/facilityd/devices"
)

// toUnit converts a value between the units of the device vocabulary. A target
// in kelvin is a temperature difference: no role measures absolute kelvin.
func toUnit(v float64, from, to string) (float64, bool) {
	if from == to {
		return v, true
	}
	f, t := devices.UnitByCode(from), devices.UnitByCode(to)
	if f == nil || t == nil {
		return 0, false
	}
	c, err := devices.Convert(f, t, to == "K")
	if err != nil {
		return 0, false
	}
	return c.Apply(v), true
}

// unitFactor is the factor between two units; ok is false where there is none.
func unitFactor(from, to string) (factor float64, ok bool) {
	f, t := devices.UnitByCode(from), devices.UnitByCode(to)
	if f == nil || t == nil {
		return 0, false
	}
	c, err := devices.Convert(f, t, true)
	if err != nil {
		return 0, false
	}
	return c.Apply(1), true
}

// canonicalUnit is the table's code for a spelling.
func canonicalUnit(word string) string {
	if u := devices.UnitByCode(word); u != nil {
		return u.Code
	}
	return word
}

// literalUnits is every spelling that may stand behind a number, longest first,
// so that "m3/h" wins over "m". "in" is an operator.
var literalUnits = func() []string {
	all := slices.DeleteFunc(devices.UnitWords(), func(u string) bool { return u == "in" || u == "1" })
	for u := range durationUnits {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b string) int {
		if n := utf8.RuneCountInString(b) - utf8.RuneCountInString(a); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}()

// durationUnits are the units of a duration. In a duration "m" is minutes; in a
// comparison with a level it is metres.
var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// parseDuration reads "90s", "5m", "1h30m", "7d".
func parseDuration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if s == "0" {
		return 0, true
	}
	if s == "" {
		return 0, false
	}
	var total time.Duration
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return !isDigit(r) && r != '.' })
		if n <= 0 {
			return 0, false
		}
		v, err := strconv.ParseFloat(s[:n], 64)
		if err != nil {
			return 0, false
		}
		s = strings.TrimLeft(s[n:], " ")
		u := strings.IndexFunc(s, func(r rune) bool { return isDigit(r) || r == '.' || r == ' ' })
		if u < 0 {
			u = len(s)
		}
		unit, ok := durationUnits[s[:u]]
		if !ok {
			return 0, false
		}
		d := v * float64(unit)
		if d > float64(maxDuration) || total+time.Duration(d) > maxDuration {
			return 0, false
		}
		total += time.Duration(d)
		s = strings.TrimLeft(s[u:], " ")
	}
	return total, true
}

// maxDuration bounds every duration in a rule: two years.
const maxDuration = 2 * 365 * 24 * time.Hour
