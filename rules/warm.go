package rules

import "github.com/facilityd/facilityd/devices"

// With many devices the engine waits for memory: what a message needs lies behind
// a chain of pointers, and nothing of it is in the cache any more when the device
// speaks again a minute later. Of the messages of a record these chains are
// followed side by side before they are needed, so that the waits overlap. What
// is read here is used for nothing else.

// warmAhead is how many readings are looked at together: their lines fit well
// into the nearest cache.
const warmAhead = 128

// warmLeast is how many there must be for it to be worth it.
const warmLeast = 16

// warmth holds what is on the way.
type warmth struct {
	devices   [warmAhead]*deviceState
	instances [2 * warmAhead]*instance
	sum       uint64 // keeps the reads alive
}

// warm touches what the next readings will need.
func (e *Engine) warm(rs []devices.Reading) {
	w := &e.warmth
	sum := uint64(0)
	for k := range rs {
		sum += uint64(rs[k].Point.Index)
	}
	for k := range rs {
		if idx := rs[k].Point.Index; int(idx) < len(e.points) {
			sum += uint64(e.points[idx].device)
		}
	}
	n := 0
	for k := range rs {
		if k > 0 && rs[k].Point.Device == rs[k-1].Point.Device {
			continue
		}
		if idx := rs[k].Point.Index; int(idx) < len(e.points) && e.points[idx].bound {
			w.devices[n] = e.devs[e.points[idx].device]
			n++
		}
	}
	for _, d := range w.devices[:n] {
		sum += uint64(d.newest) + uint64(d.past.due) + uint64(d.asset.chunk)
	}
	for _, d := range w.devices[:n] {
		a := d.asset
		sum += uint64(len(a.deps)) + uint64(len(a.classes))
		if len(a.busy) > 0 {
			sum += a.busy[0]
		}
	}
	// Of the instances those that want each reading of a point.
	m := 0
	for k := range rs {
		idx := rs[k].Point.Index
		if int(idx) >= len(e.points) {
			continue
		}
		p := &e.points[idx]
		if p.low <= p.high || p.depCount == 0 {
			continue
		}
		a := e.devs[p.device].asset
		for _, x := range a.depsOf(p) {
			if !x.still && m < len(w.instances) {
				w.instances[m] = a.instances[x.place]
				m++
			}
		}
	}
	for _, i := range w.instances[:m] {
		sum += uint64(i.due) + uint64(i.mark)
	}
	for _, i := range w.instances[:m] {
		if len(i.limbs) > 0 {
			sum += uint64(i.limbs[0].onset)
		}
		if len(i.slots) > 0 {
			sum += uint64(i.slots[0].serial)
		}
	}
	w.sum += sum
}
