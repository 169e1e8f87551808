package profile

import (
	"slices"
	"strings"
)

type timeCandidate struct {
	ref     *ref
	format  timeFormat
	receive bool
}

func (c *compiler) times(specs TimeSpecs, names *scopeNames) []timeCandidate {
	var out []timeCandidate
	for i := range specs {
		s := &specs[i]
		if s.Receive {
			out = append(out, timeCandidate{receive: true})
			continue
		}
		t := timeCandidate{ref: names.ref(&RefSpec{At: s.At, Path: s.Path, Text: s.Text, Expr: s.Expr})}
		t.format = c.timeFormat(s)
		out = append(out, t)
	}
	return out
}

func (c *compiler) timeFormat(s *TimeSpec) timeFormat {
	f := timeFormat{name: s.Format, unit: unixUnits[s.Format]}
	if f.name == "" {
		f.name = "auto"
	}
	if !slices.Contains(timeFormats, f.name) {
		f.layout = s.Format
		if !strings.ContainsAny(s.Format, "0123456789") {
			c.hintf(child(s.At, "format"), "one of "+strings.Join(timeFormats, ", ")+`, or the reference time as you get it: "2006-01-02 15:04:05"`, "unknown time format %q", s.Format)
		}
	}
	loc, site, err := parseZone(s.Zone)
	if err != nil {
		c.errorf(child(s.At, "zone"), "%v", err)
	}
	f.zone, f.site = loc, site
	if site && s.Zone == "" && c.p.zone != nil {
		f.zone, f.site = c.p.zone, false
	}
	for _, z := range s.Zones {
		offset, err := parseOffset(z.Value)
		if err != nil {
			c.hintf(z.At, "for example CEST: +02:00", "%v", err)
			continue
		}
		if f.zones == nil {
			f.zones = make(map[string]int)
		}
		f.zones[z.Key] = offset
	}
	if s.Fold != "" && c.oneOf(child(s.At, "fold"), "fold", s.Fold, "earlier", "later") {
		f.later = s.Fold == "later"
	}
	return f
}
