package profile

import "github.com/facilityd/facilityd/devices"

// A Description is what a profile says of its devices before any message: it
// tells what recorded readings mean that were decoded once already (a table,
// InfluxDB). Points whose names come with the message are not in it.
type Description struct {
	Class             string
	Interval, Silence int64                    // nanoseconds, as in devices.Device
	Points            map[string]devices.Point // by name: role, unit and kind
}

// Description returns what the profile says of its devices.
func (p *Profile) Description() Description {
	d := Description{Class: p.Class, Interval: p.interval, Silence: p.silence, Points: make(map[string]devices.Point)}
	for _, r := range p.rules {
		if r.source == nil {
			continue
		}
		for _, part := range r.source.parts {
			for _, pt := range part.points {
				if pt.name != nil {
					continue
				}
				out := devices.Point{Name: pt.key, Unit: pt.unit, Kind: pt.kind}
				if pt.role != nil {
					out.Role = pt.role.Name
				}
				if have, twice := d.Points[pt.key]; !twice || have.Role == "" {
					d.Points[pt.key] = out
				}
			}
		}
	}
	return d
}
