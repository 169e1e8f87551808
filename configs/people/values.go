package people

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// length is a length of time: 90s, 15m, 2h, 1d.
type length time.Duration

// UnmarshalText reads the human form.
func (l *length) UnmarshalText(text []byte) error {
	s := string(text)
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if v, err := strconv.Atoi(n); err == nil && v >= 0 && v <= 3660 {
			*l = length(time.Duration(v) * 24 * time.Hour)
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a length of time; write 90s, 15m, 2h or 1d", s)
	}
	*l = length(v)
	return nil
}

// hours are a stretch of the local clock: 22:00-06:00 ends on the next day.
type hours struct {
	from, to int
	given    bool
}

// UnmarshalText reads from-to.
func (h *hours) UnmarshalText(text []byte) error {
	a, b, ok := strings.Cut(string(text), "-")
	from, okA := minutes(a)
	to, okB := minutes(b)
	if !ok || !okA || !okB || from == 24*60 {
		return fmt.Errorf("%q are not hours; write 08:00-16:00, or 22:00-06:00 into the next day", text)
	}
	if to <= from {
		to += 24 * 60
	}
	*h = hours{from, to, true}
	return nil
}

// minutes reads 08:30 as minutes from midnight; 24:00 is the end of the day.
func minutes(s string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hour, errH := strconv.Atoi(h)
	minute, errM := strconv.Atoi(m)
	if !ok || errH != nil || errM != nil || len(m) != 2 || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, false
	}
	return hour*60 + minute, true
}

// days are days of the week: mon-fri, sat, or mon,wed.
type days []time.Weekday

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// UnmarshalText reads the days.
func (d *days) UnmarshalText(text []byte) error {
	one := func(s string) (time.Weekday, bool) {
		for i, name := range weekdays {
			if strings.ToLower(strings.TrimSpace(s)) == name {
				return time.Weekday(i), true
			}
		}
		return 0, false
	}
	*d = nil
	for part := range strings.SplitSeq(string(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, ok := one(first)
		b := a
		if isRange && ok {
			b, ok = one(last)
		}
		if !ok {
			return fmt.Errorf("%q are not days of the week; write mon-fri, or sat,sun", text)
		}
		for w := a; ; w = (w + 1) % 7 {
			*d = append(*d, w)
			if w == b {
				break
			}
		}
	}
	return nil
}

// date is a day: 2026-02-28.
type date struct{ devices.Date }

// UnmarshalText reads the day.
func (d *date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a date; write 2026-02-28", text)
	}
	d.Date = devices.DateOf(t)
	return nil
}

// clock is a time of the site's clock, in no zone yet.
type clock struct{ t time.Time }

// UnmarshalText reads date and time.
func (c *clock) UnmarshalText(text []byte) error {
	t, err := time.Parse("2006-01-02 15:04", string(text))
	if err != nil {
		return fmt.Errorf("%q is not a date and time; write 2026-02-17 08:00, in site time", text)
	}
	c.t = t
	return nil
}

// in is the instant at which a clock of the zone shows the time.
func (c clock) in(loc *time.Location) time.Time {
	return roster.Wall(devices.DateOf(c.t), c.t.Hour()*60+c.t.Minute(), loc)
}

// turn is how long one of an order is on before the next: 1d, 2d, 1w.
type turn struct{ days int }

// UnmarshalText reads days or weeks.
func (t *turn) UnmarshalText(text []byte) error {
	s := string(text)
	for unit, length := range map[string]int{"d": 1, "w": 7} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			if v, err := strconv.Atoi(n); err == nil && v > 0 && v*length <= 3660 {
				t.days = v * length
				return nil
			}
		}
	}
	return fmt.Errorf("%q is not how long a turn is; write 1d, 2d or 1w, or leave it out when all of the order are on call together", s)
}

// budget is messages in a length of time: 6 per 1h.
type budget roster.Budget

// UnmarshalText reads the budget.
func (b *budget) UnmarshalText(text []byte) error {
	n, per, ok := strings.Cut(string(text), " per ")
	v, err := strconv.Atoi(strings.TrimSpace(n))
	var l length
	if !ok || err != nil || v < 1 || l.UnmarshalText([]byte(strings.TrimSpace(per))) != nil || l <= 0 {
		return fmt.Errorf("%q is not a budget; write for example 6 per 1h", text)
	}
	*b = budget{v, time.Duration(l)}
	return nil
}
