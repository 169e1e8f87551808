package rules

import (
	"github.com/facilityd/facilityd/devices"
)

// With many devices the engine waits for memory: what a message needs lies behind
// a chain of pointers, and nothing of it is in the cache any more when the device
// speaks again a minute later. Of the messages of a record these chains are
// followed side by side before they are needed, so that the waits overlap. What
// is read here is used for nothing else.

// warmAhead is how many readings are looked at together: what they need fits well
// into the second level of cache.
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
	w.sum += sum + e.warmInstances(rs)
}

// warmInstances touches what evaluating the next readings will need: their
// instances in all their length, and the inputs of these, which may be points of
// which no reading comes.
func (e *Engine) warmInstances(rs []devices.Reading) (sum uint64) {
	list := e.wanting(rs)
	for _, i := range list {
		sum += uint64(len(i.limbs)) + uint64(i.due) + uint64(i.wake) + i.key
	}
	for _, i := range list {
		if len(i.limbs) > 0 {
			sum += uint64(i.limbs[0].onset)
		}
		if len(i.bind) > 0 {
			sum += uint64(i.bind[0])
		}
		for k := range i.slots {
			s := &i.slots[k]
			sum += uint64(s.t) + uint64(len(s.cells)) + uint64(s.serial)
		}
	}
	for _, i := range list {
		for _, idx := range i.bind {
			if idx >= 0 {
				sum += uint64(e.points[idx].validTo)
			}
		}
		for k := range i.slots {
			s := &i.slots[k]
			if len(s.cells) > 0 {
				sum += uint64(s.cells[0].t)
			}
			if s.watch != nil {
				sum += uint64(s.watch.last)
			}
		}
	}
	return sum
}

// wanting lists the instances that readings will have evaluated, as far as that can
// be told before the first of them is taken.
func (e *Engine) wanting(rs []devices.Reading) []*instance {
	list := e.warmth.instances[:0]
	for k := range rs {
		r := &rs[k]
		if int(r.Point.Index) >= len(e.points) {
			continue
		}
		p := &e.points[r.Point.Index]
		if p.depCount == 0 || r.Value >= float64(p.low) && r.Value <= float64(p.high) {
			continue
		}
		a := e.devs[p.device].asset
		if a.stale {
			continue // its instances are about to be made anew
		}
		deps := a.depsOf(p)
		for n := range deps {
			x := &deps[n]
			if x.still && r.Value >= x.low && r.Value <= x.high {
				continue
			}
			i := a.instances[x.place]
			if len(list) > 0 && list[len(list)-1] == i {
				continue
			}
			if len(list) == cap(list) {
				return list
			}
			list = append(list, i)
		}
	}
	return list
}
