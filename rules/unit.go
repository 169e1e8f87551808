package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A unitScale converts a spelling to the canonical unit of the role table:
// canonical = value*Factor + Offset.
type unitScale struct {
	canonical string
	factor    float64
	offset    float64
}

// unitSpellings are the units that a literal in a rule may carry. The canonical
// codes are those of [devices.Roles].
var unitSpellings = map[string]unitScale{
	"°C": {"°C", 1, 0}, "℃": {"°C", 1, 0}, "°F": {"°C", 5.0 / 9, -160.0 / 9}, "K": {"K", 1, 0},
	"bar": {"bar", 1, 0}, "mbar": {"bar", 0.001, 0}, "kPa": {"bar", 0.01, 0}, "MPa": {"MPa", 1, 0}, "Pa": {"Pa", 1, 0},
	"V": {"V", 1, 0}, "kV": {"V", 1000, 0}, "A": {"A", 1, 0}, "mA": {"mA", 1, 0}, "Hz": {"Hz", 1, 0},
	"kW": {"kW", 1, 0}, "W": {"kW", 0.001, 0}, "MW": {"kW", 1000, 0}, "kvar": {"kvar", 1, 0}, "kVA": {"kVA", 1, 0},
	"kWh": {"kWh", 1, 0}, "MWh": {"kWh", 1000, 0}, "Wh": {"kWh", 0.001, 0},
	"m3": {"m3", 1, 0}, "m³": {"m3", 1, 0}, "L": {"m3", 0.001, 0},
	"m3/h": {"m3/h", 1, 0}, "m³/h": {"m3/h", 1, 0}, "L/h": {"m3/h", 0.001, 0}, "L/s": {"m3/h", 3.6, 0}, "L/min": {"m3/h", 0.06, 0},
	"m": {"m", 1, 0}, "cm": {"m", 0.01, 0}, "mm": {"mm", 1, 0}, "mm/s": {"mm/s", 1, 0}, "m/s2": {"m/s2", 1, 0}, "m/s²": {"m/s2", 1, 0},
	"1/min": {"1/min", 1, 0}, "rpm": {"1/min", 1, 0},
	"%": {"%", 1, 0}, "%LEL": {"%LEL", 1, 0}, "ppm": {"ppm", 1, 0}, "mg/L": {"mg/L", 1, 0}, "NTU": {"NTU", 1, 0},
	"ug/m3": {"ug/m3", 1, 0}, "µg/m³": {"ug/m3", 1, 0}, "mg/m3": {"mg/m3", 1, 0}, "mg/m³": {"mg/m3", 1, 0},
	"lx": {"lx", 1, 0}, "dBm": {"dBm", 1, 0},
	"K/h": {"K/h", 1, 0}, "kWh/m3": {"kWh/m3", 1, 0}, "kWh/m³": {"kWh/m3", 1, 0},
	"s": {"s", 1, 0}, "min": {"s", 60, 0}, "h": {"h", 1, 0}, "d": {"h", 24, 0},
}

// crossScales relates canonical units of one dimension that are both in use.
var crossScales = map[[2]string]float64{
	{"MPa", "bar"}: 10, {"bar", "MPa"}: 0.1, {"Pa", "bar"}: 1e-5, {"bar", "Pa"}: 1e5, {"Pa", "MPa"}: 1e-6, {"MPa", "Pa"}: 1e6,
	{"mA", "A"}: 0.001, {"A", "mA"}: 1000, {"mm", "m"}: 0.001, {"m", "mm"}: 1000,
	{"h", "s"}: 3600, {"s", "h"}: 1.0 / 3600, {"mg/m3", "ug/m3"}: 1000, {"ug/m3", "mg/m3"}: 0.001,
	// A temperature difference is written in kelvin or in degrees Celsius.
	{"K", "°C"}: 1,
}

// convert brings a value of one canonical unit to another.
func convert(v float64, from, to string) (float64, bool) {
	if from == to {
		return v, true
	}
	f, ok := crossScales[[2]string{from, to}]
	return v * f, ok
}

// unitsByLength is every spelling, longest first, so that "m3/h" wins over "m".
var unitsByLength = func() []string {
	var all []string
	for u := range unitSpellings {
		all = append(all, u)
	}
	for u := range durationUnits {
		if _, ok := unitSpellings[u]; !ok {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return all
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
		n := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n <= 0 {
			return 0, false
		}
		v, err := strconv.ParseFloat(s[:n], 64)
		if err != nil {
			return 0, false
		}
		s = strings.TrimLeft(s[n:], " ")
		u := strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == ' ' })
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

// formatDuration writes a duration as rule files do.
func formatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return d.String()
}
