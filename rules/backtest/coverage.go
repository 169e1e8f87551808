package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Coverage notes when there were readings of each device, so that a report can
// say where it knows nothing.
type Coverage struct {
	devices []covered // by Device.Index
	from    int64
}

type covered struct {
	device *devices.Device
	last   int64
	holes  []hole
}

// hole is a stretch in which nothing was known of a device.
type hole struct{ from, to int64 }

// Take notes the readings of one record.
func (c *Coverage) Take(readings []devices.Reading) {
	var last *devices.Device
	for k := range readings {
		r := &readings[k]
		d := r.Point.Device
		if d == last || r.Flags&(devices.Historical|devices.RetainedMessage) != 0 || r.Point.Kind == devices.Availability {
			continue
		}
		last = d
		for int(d.Index) >= len(c.devices) {
			c.devices = append(c.devices, covered{})
		}
		at := &c.devices[d.Index]
		if c.from == 0 || r.Time < c.from {
			c.from = r.Time
		}
		until := at.last + int64(rules.Validity(d))
		if at.device == nil {
			until = 0 // nothing was known before
		}
		if r.Time > until {
			at.holes = append(at.holes, hole{until, r.Time})
		}
		at.device, at.last = d, max(at.last, r.Time)
	}
}

// From is the time of the oldest reading; the zero time when there is none.
func (c *Coverage) From() time.Time {
	if c.from == 0 {
		return time.Time{}
	}
	return time.Unix(0, c.from)
}

// A Gap is how long nothing was known of a device.
type Gap struct {
	Device string `json:"device"`
	Asset  string `json:"asset"`
	// Hours without a valid reading within the stretch, and their share of it.
	Hours float64 `json:"hours"`
	Share float64 `json:"share"`
}

// gaps lists the devices of which nothing was known for a hundredth of the stretch
// or more, the worst first. A device that is listed and said nothing is a whole gap.
func (c *Coverage) gaps(o Options) []Gap {
	whole := o.To.Sub(o.From)
	var out []Gap
	seen := make(map[string]bool)
	for i := range c.devices {
		at := &c.devices[i]
		if at.device == nil {
			continue
		}
		seen[at.device.ID] = true
		lost := time.Duration(0)
		last := hole{at.last + int64(rules.Validity(at.device)), o.To.UnixNano()}
		for _, h := range append(slices.Clone(at.holes), last) {
			from, to := max(h.from, o.From.UnixNano()), min(h.to, o.To.UnixNano())
			lost += time.Duration(max(0, to-from))
		}
		if lost > whole/100 {
			out = append(out, Gap{at.device.ID, cmp.Or(at.device.Asset, at.device.ID), lost.Hours(), float64(lost) / float64(whole)})
		}
	}
	for _, d := range o.Site.Devices {
		if !seen[d.ID] {
			out = append(out, Gap{d.ID, cmp.Or(d.Asset, d.ID), whole.Hours(), 1})
		}
	}
	slices.SortFunc(out, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(b.Hours, a.Hours), cmp.Compare(a.Device, b.Device))
	})
	return out
}
