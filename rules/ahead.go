package rules

import (
	"slices"
	"unsafe"

	"github.com/facilityd/facilityd/devices"
)

// With many devices the engine waits for memory: what a message needs lies behind
// a chain of pointers, and nothing of it is in the cache any more when the device
// speaks again a minute later. Of the messages of a record this memory is asked for
// ahead, while those before them are taken: the rows of the points first, which say
// where the device is, which says where its asset is, and so on. What is read to
// find the way is used for nothing else.

// aheadLeast is the number of devices that a record must tell of for it to be worth
// it.
const aheadLeast = 3

// links is the length of the chain. Each takes half the time of a message.
const links = 6

// The bytes of a device, an asset and a watcher that every message needs.
const (
	deviceHot  = unsafe.Offsetof(deviceState{}.dev)
	assetHot   = unsafe.Offsetof(assetState{}.instances)
	watcherHot = unsafe.Offsetof(watcher{}.verdict)
)

// ahead is how far the memory that the readings of a record need is on its way.
type ahead struct {
	fetches
	readings []devices.Reading
	heads    []int32                  // where those of each next device begin
	wanted   [links/2 + 1][]*instance // that the next messages will have evaluated
	half     int                      // what to do in the middle of the message at hand; 0 = nothing
}

// takeAll takes the readings of a record.
func (e *Engine) takeAll(readings []devices.Reading, conn int32) {
	w := &e.ahead
	w.readings, w.heads = readings, append(w.heads[:0], 0)
	for k := 1; k < len(readings); k++ {
		if readings[k].Point.Device != readings[k-1].Point.Device {
			w.heads = append(w.heads, int32(k))
		}
	}
	w.heads = append(w.heads, int32(len(readings)))
	n := len(w.heads) - 1
	far := n >= aheadLeast
	for half := -links; far && half < 0; half++ {
		e.lookAhead(half)
		w.all()
	}
	for k := range n {
		if far {
			w.all()
			e.lookAhead(2 * k)
			w.half = 2*k + 1
		}
		for rs := readings[w.heads[k]:w.heads[k+1]]; len(rs) > 0; {
			rs = rs[e.take(rs, conn):]
		}
		e.midway()
	}
	w.readings = nil
}

// midway looks ahead in the middle of a message.
func (e *Engine) midway() {
	w := &e.ahead
	if w.half != 0 {
		w.all()
		e.lookAhead(w.half)
		w.half = 0
	}
}

// lookAhead asks for the next link of what each of the messages after the one at
// hand needs; two halves are one message.
func (e *Engine) lookAhead(half int) {
	w := &e.ahead
	for link := half & 1; link < links; link += 2 {
		n := (half + links - link) / 2
		if half+links < link || n >= len(w.heads)-1 {
			continue
		}
		rs := w.readings[w.heads[n]:w.heads[n+1]]
		if link == 0 {
			e.fetchRows(rs)
			continue
		}
		list := &w.wanted[n%len(w.wanted)]
		p := rs[0].Point
		if int(p.Index) >= len(e.points) || !e.points[p.Index].bound {
			*list = (*list)[:0]
			continue
		}
		d := e.place(e.points[p.Index].device)
		switch link {
		case 1:
			fetch(d, deviceHot)
		case 2:
			fetch(d.asset, assetHot)
			e.fetchDependents(d, rs)
		case 3:
			*list = e.fetchWanted(d, rs, (*list)[:0])
			e.fetchPast(d, rs)
		case 4:
			for _, i := range *list {
				addAll(&w.fetches, i.limbs)
				addAll(&w.fetches, i.slots)
				addAll(&w.fetches, i.bind)
			}
		case 5:
			for _, i := range *list {
				e.fetchInputs(i, rs)
			}
		}
	}
}

// fetchRows asks for what is kept of the points, the first at once: it shows the way.
// The points of a device are neighbours, mostly.
func (e *Engine) fetchRows(rs []devices.Reading) {
	first, n := int(rs[0].Point.Index), 1
	if first < len(e.points) {
		fetch(&e.points[first], lineBytes)
	}
	for k := 1; k <= len(rs); k++ {
		if k < len(rs) && int(rs[k].Point.Index) == first+n {
			n++
			continue
		}
		if first+n <= len(e.points) {
			addAll(&e.ahead.fetches, e.points[first:first+n])
		}
		if k < len(rs) {
			first, n = int(rs[k].Point.Index), 1
		}
	}
}

// fetchDependents asks for who looks at the points, where somebody may want the
// reading.
func (e *Engine) fetchDependents(d *deviceState, rs []devices.Reading) {
	for k := range rs {
		if p := e.rowOf(&rs[k]); p != nil {
			fetchAll(d.depsOf(p))
		}
	}
	addAll(&e.ahead.fetches, d.points)
}

// rowOf is what is kept of the point of a reading that somebody may want; else nil.
func (e *Engine) rowOf(r *devices.Reading) *pointState {
	if int(r.Point.Index) >= len(e.points) {
		return nil
	}
	p := &e.points[r.Point.Index]
	if p.depCount == 0 || r.Value >= float64(p.low) && r.Value <= float64(p.high) {
		return nil
	}
	return p
}

// fetchWanted asks for the instances that readings will have evaluated, as far as
// that can be told before the first of them is taken, and lists them.
func (e *Engine) fetchWanted(d *deviceState, rs []devices.Reading, list []*instance) []*instance {
	a := d.asset
	addAll(&e.ahead.fetches, a.visitors)
	if a.stale {
		return list // its instances are about to be made anew
	}
	for k := range rs {
		r := &rs[k]
		p := e.rowOf(r)
		if p == nil {
			continue
		}
		deps := d.depsOf(p)
		for n := range deps {
			if x := &deps[n]; x.wants(r.Value) {
				if i := &a.block[x.place]; !slices.Contains(list, i) {
					fetch(i, unsafe.Sizeof(*i))
					list = append(list, i)
				}
			}
		}
	}
	return list
}

// fetchPast asks for what a row of the past needs, where one is due.
func (e *Engine) fetchPast(d *deviceState, rs []devices.Reading) {
	h := &d.past
	if uint32(rs[0].Time/second) < h.due || h.cols == 0 {
		return
	}
	addAll(&e.ahead.fetches, h.nextRow())
	first, last := rs[0].Point.Index, rs[len(rs)-1].Point.Index
	for _, idx := range d.points {
		if idx < first || idx > last {
			add(&e.ahead.fetches, &e.points[idx], lineBytes)
		}
	}
}

// fetchInputs asks for what an instance looks at beside the readings at hand.
func (e *Engine) fetchInputs(i *instance, rs []devices.Reading) {
	first, last := rs[0].Point.Index, rs[len(rs)-1].Point.Index
	for _, idx := range i.bind {
		if idx >= 0 && (uint32(idx) < first || uint32(idx) > last) {
			add(&e.ahead.fetches, &e.points[idx], lineBytes)
		}
	}
	for k := range i.slots {
		s := &i.slots[k]
		addAll(&e.ahead.fetches, s.cells)
		if w := s.watcher(); w != nil {
			add(&e.ahead.fetches, w, watcherHot)
		}
	}
}

// fetchWakes asks for what the next of those that wake need.
func (w *ahead) fetchWakes(list []wake) {
	const near, middle, far = 3, 6, 9
	if len(list) > far {
		fetch(list[far].inst, unsafe.Sizeof(instance{}))
	}
	if len(list) > middle {
		i := list[middle].inst
		fetch(i.asset, assetHot)
		fetch(i.seat, unsafe.Sizeof(seat{}))
		fetchAll(i.limbs)
	}
	if len(list) > near {
		fetch(list[near].inst.dev, deviceHot)
	}
}
