package profile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A timeFormat reads one kind of time into Unix nanoseconds. ok is false when
// the value is not of this kind, or is outside what 64 bits hold.
type timeFormat struct {
	name   string
	layout string // a Go layout; "" for the named formats
	unit   int64  // nanoseconds of one unit, for Unix times
	zone   *time.Location
	site   bool           // zone is the site's
	zones  map[string]int // seconds of each abbreviation
	later  bool           // of an hour that comes twice, the second one
}

// unixUnits are the numeric formats with the nanoseconds of one unit.
var unixUnits = map[string]int64{"unix": 1e9, "unix_ms": 1e6, "unix_us": 1e3, "unix_ns": 1, "unix_hex": 1e9, "senml": 1e9}

// timeFormats are the words for formats; anything else is a Go layout.
var timeFormats = []string{"rfc3339", "unix", "unix_ms", "unix_us", "unix_ns", "unix_hex", "iso_basic", "dsmr", "senml", "auto"}

// parse reads v. site is the zone of the site, received the receive time.
func (f *timeFormat) parse(v *value, site *time.Location, received int64) (ns int64, ok bool) {
	switch f.name {
	case "rfc3339":
		if v.kind != stringValue {
			return 0, false
		}
		return parseRFC3339(v.str)
	case "unix", "unix_ms", "unix_us", "unix_ns":
		return parseUnix(v.text(), f.unit)
	case "senml":
		// RFC 8428, 4.5.3: below 2^28 the time is relative to now.
		if ns, ok = parseUnix(v.text(), f.unit); ok && ns < 1<<28*1e9 {
			ns += received
		}
		return ns, ok
	case "unix_hex":
		u, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(v.text()), "0x"), 16, 64)
		if err != nil || u > math.MaxInt64/1_000_000_000 {
			return 0, false
		}
		return int64(u) * 1_000_000_000, true
	case "auto":
		if v.kind == stringValue {
			if ns, ok = parseRFC3339(v.str); ok {
				return ns, true
			}
		}
		return parseUnixGuess(v.text())
	case "dsmr":
		return parseDSMR(v.text(), f.location(site))
	case "iso_basic":
		return f.parseLayouts(v.text(), site, isoBasicLayouts)
	}
	return f.parseLayouts(v.text(), site, []string{f.layout})
}

var isoBasicLayouts = []string{"20060102T150405Z0700", "20060102T150405.999999999Z0700", "20060102T150405", "20060102T1504Z0700", "20060102T1504", "20060102150405"}

func (f *timeFormat) location(site *time.Location) *time.Location {
	if f.site || f.zone == nil {
		return site
	}
	return f.zone
}

// parseLayouts reads by Go layouts. An abbreviation of a zone counts only when
// the profile gives its offset: CST is four different ones.
func (f *timeFormat) parseLayouts(s string, site *time.Location, layouts []string) (int64, bool) {
	s = strings.TrimSpace(s)
	loc := f.location(site)
	if len(f.zones) > 0 {
		best := ""
		for abbr := range f.zones { // order does not matter: the longest wins (EEST holds EST), then the first by name
			if strings.Contains(s, abbr) && (len(abbr) > len(best) || len(abbr) == len(best) && abbr < best) {
				best = abbr
			}
		}
		if before, after, ok := strings.Cut(s, best); ok && best != "" {
			s = strings.TrimSpace(before) + strings.TrimRight(" "+strings.TrimSpace(after), " ")
			loc = time.FixedZone(best, f.zones[best])
		}
	}
	for _, layout := range layouts {
		t, err := time.ParseInLocation(layout, s, loc)
		if err != nil {
			continue
		}
		if f.later {
			t = laterFold(t)
		}
		return unixNano(t)
	}
	return 0, false
}

// laterFold moves a wall time that comes twice (the end of daylight saving) to
// its second occurrence.
func laterFold(t time.Time) time.Time {
	for _, d := range []time.Duration{time.Hour, 30 * time.Minute} {
		if u := t.Add(d); u.Hour() == t.Hour() && u.Minute() == t.Minute() && u.Day() == t.Day() {
			return u
		}
	}
	return t
}

// unixNano refuses years that 64 bits of nanoseconds do not hold.
func unixNano(t time.Time) (int64, bool) {
	if y := t.Year(); y < 1678 || y > 2261 {
		return 0, false
	}
	return t.UnixNano(), true
}

// parseUnix reads decimal digits with an optional fraction. Whole numbers never
// pass through float64: nanoseconds since 1970 need more digits than it has.
func parseUnix(s string, unit int64) (int64, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, false
	}
	if c := s[len(s)-1]; c < '0' || c > '9' { // cheaper than a parse error
		return 0, false
	}
	whole, frac, _ := strings.Cut(s, ".")
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Abs(f) > math.MaxInt64/float64(unit)/2 {
			return 0, false
		}
		// SenML and others write 1.276020076001e+09: microseconds are all
		// that a float of this size holds.
		sec, part := math.Modf(f)
		return int64(sec)*unit + int64(math.Round(part*1e6))*unit/1e6, true
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return 0, false
	}
	ns := n * unit
	scale := unit
	for i := 0; i < len(frac); i++ {
		c := frac[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		scale /= 10
		d := int64(c-'0') * scale
		if whole[0] == '-' {
			d = -d
		}
		ns += d
	}
	return ns, true
}

// parseUnixGuess tells seconds from milli-, micro- and nanoseconds by the
// number of digits, which is certain for times since 1990.
func parseUnixGuess(s string) (int64, bool) {
	whole, _, _ := strings.Cut(s, ".")
	switch {
	case len(whole) >= 18:
		return parseUnix(s, 1)
	case len(whole) >= 15:
		return parseUnix(s, 1e3)
	case len(whole) >= 12:
		return parseUnix(s, 1e6)
	case len(whole) >= 9:
		return parseUnix(s, 1e9)
	}
	return 0, false
}

// parseDSMR reads YYMMDDhhmmss with S or W for summer or winter time, which
// makes the hour that comes twice unambiguous.
func parseDSMR(s string, loc *time.Location) (int64, bool) {
	s = strings.TrimSpace(s)
	if len(s) != 13 && len(s) != 12 {
		return 0, false
	}
	t, err := time.ParseInLocation("060102150405", s[:12], loc)
	if err != nil {
		return 0, false
	}
	if len(s) == 13 {
		switch s[12] {
		case 'S', 'W':
			if summer := s[12] == 'S'; summer != t.IsDST() {
				for _, d := range []time.Duration{time.Hour, -time.Hour} {
					if u := t.Add(d); u.IsDST() == summer && u.Format("0601021504") == s[:10] {
						t = u
						break
					}
				}
			}
		default:
			return 0, false
		}
	}
	return unixNano(t)
}

// parseRFC3339 reads 2006-01-02T15:04:05[.9…](Z|±hh:mm) without allocating;
// a blank or lower-case t between date and time is accepted, as RFC 3339 allows.
func parseRFC3339(s string) (int64, bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' || s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return 0, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	sec, ok6 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || sec > 60 || year < 1678 || year > 2261 {
		return 0, false
	}
	if day > 28 && day > daysIn(month, year) {
		return 0, false
	}
	i, nanos, scale := 19, 0, 100_000_000
	if s[i] == '.' || s[i] == ',' {
		for i++; i < len(s) && s[i]-'0' < 10; i++ {
			nanos += int(s[i]-'0') * scale
			scale /= 10
		}
		if i == 20 {
			return 0, false
		}
	}
	if i >= len(s) {
		return 0, false
	}
	offset := 0
	switch s[i] {
	case 'Z', 'z':
		if i+1 != len(s) {
			return 0, false
		}
	case '+', '-':
		rest := s[i+1:]
		if len(rest) == 4 {
			rest = rest[:2] + ":" + rest[2:]
		}
		if len(rest) != 5 || rest[2] != ':' {
			return 0, false
		}
		h, ok1 := digits(rest[:2])
		m, ok2 := digits(rest[3:])
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return 0, false
		}
		offset = h*3600 + m*60
		if s[i] == '-' {
			offset = -offset
		}
	default:
		return 0, false
	}
	seconds := daysSinceEpoch(year, month, day)*86400 + int64(hour*3600+minute*60+sec) - int64(offset)
	return seconds*1e9 + int64(nanos), true
}

func digits(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int(d)
	}
	return n, true
}

func daysIn(month, year int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts days of the proleptic Gregorian calendar, years
// starting in March so that the leap day is last.
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := int64(year / 400)
	yoe := int64(year) - era*400
	doy := int64((153*(month-3)+2)/5 + day - 1)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// parseZone reads $site, UTC, an IANA name or ±hh:mm.
func parseZone(s string) (loc *time.Location, site bool, err error) {
	if s == "" || s == "$site" {
		return nil, true, nil
	}
	if offset, err := parseOffset(s); err == nil {
		return time.FixedZone(s, offset), false, nil
	}
	if s == "Local" {
		return nil, false, fmt.Errorf("zone Local depends on the machine")
	}
	loc, err = time.LoadLocation(s)
	if err != nil {
		return nil, false, fmt.Errorf("unknown zone %q", s)
	}
	return loc, false, nil
}

// parseOffset reads ±hh:mm or ±hh into seconds.
func parseOffset(s string) (int, error) {
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, fmt.Errorf("%q is no offset", s)
	}
	h, m, _ := strings.Cut(s[1:], ":")
	hours, ok1 := digits(h)
	minutes, ok2 := digits(m)
	if !ok1 || !ok2 || hours > 14 || minutes > 59 || len(h) != 2 {
		return 0, fmt.Errorf("%q is no offset", s)
	}
	seconds := hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, nil
}
