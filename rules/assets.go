package rules

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// deviceOf finds or makes the state of the device of a point, by the way of the
// point's own state, which is needed in any case.
func (e *Engine) deviceOf(p *devices.Point) *deviceState {
	if int(p.Index) < len(e.points) {
		if st := &e.points[p.Index]; st.bound {
			return e.deviceAt(st.device)
		}
	}
	return e.device(p.Device)
}

// device finds or makes the state of a device.
func (e *Engine) device(dev *devices.Device) *deviceState {
	if d := e.deviceAt(dev.Index); d != nil {
		return d
	}
	for int(dev.Index/slabLength) >= len(e.devs) {
		e.devs = append(e.devs, new(slab))
	}
	d := e.place(dev.Index)
	*d = deviceState{dev: dev, conn: -1, valid: validity(dev)}
	d.self = []*deviceState{d}
	e.join(d, e.assetOf(dev))
	if t, ok := e.takeovers[dev.ID]; ok {
		delete(e.takeovers, dev.ID)
		e.move(dev.ID, t.asset, t.replaces)
	}
	return d
}

// slabLength is how many devices lie side by side. A slab never moves, and where a
// device lies follows from its index.
const slabLength = 64

type slab [slabLength]deviceState

// place is where the state of a device lies that has been seen.
func (e *Engine) place(idx uint32) *deviceState { return &e.devs[idx/slabLength][idx%slabLength] }

// deviceAt is the state of a device by its index, nil when it has none yet.
func (e *Engine) deviceAt(idx uint32) *deviceState {
	if int(idx/slabLength) >= len(e.devs) {
		return nil
	}
	if d := e.place(idx); d.dev != nil {
		return d
	}
	return nil
}

// A takeover is a device that a person said replaced another, and that has not been
// heard yet: until it is, the other one goes on speaking for the asset.
type takeover struct{ asset, replaces string }

// deviceOn finds or makes the state of a device on a given asset.
func (e *Engine) deviceOn(dev *devices.Device, a *assetState) *deviceState {
	d := e.device(dev)
	if d.asset != a {
		e.leave(d)
		e.join(d, a.id)
	}
	return d
}

// assetOf is the id of the asset that a device belongs to.
func (e *Engine) assetOf(dev *devices.Device) string {
	if a, ok := e.assigned[dev.ID]; ok {
		return a
	}
	return dev.Asset
}

// join puts a device on an asset.
func (e *Engine) join(d *deviceState, id string) {
	a := e.assets[id]
	if a == nil {
		a = e.addAsset(id)
	}
	d.asset, d.chunk = a, int32(a.chunk)
	k, _ := slices.BinarySearchFunc(a.devices, d.dev.ID, func(d *deviceState, id string) int { return cmp.Compare(d.dev.ID, id) })
	a.devices = slices.Insert(a.devices, k, d)
	e.describe(a)
	e.giveHeld(a, d.moving)
	d.moving = nil
	e.setStale(a)
}

func (e *Engine) addAsset(id string) *assetState {
	a := &assetState{id: id, chunk: chunkOf(id)}
	e.assets[id] = a
	list := e.chunks[a.chunk]
	k, _ := slices.BinarySearchFunc(list, id, func(a *assetState, id string) int { return cmp.Compare(a.id, id) })
	e.chunks[a.chunk] = slices.Insert(list, k, a)
	return a
}

// describe takes what the site says about an asset.
func (e *Engine) describe(a *assetState) {
	a.spec = e.specs[a.id]
	a.class, a.simulated = "", e.site.Simulated
	if a.spec != nil {
		a.class = a.spec.Class
	}
	for _, d := range a.devices {
		if a.class == "" {
			a.class = d.dev.Class
		}
		a.simulated = a.simulated || d.dev.Simulated
	}
	a.setWait()
}

func (e *Engine) setStale(a *assetState) {
	if !a.stale {
		a.stale = true
		e.rebind = append(e.rebind, a)
	}
	e.touch(a)
}

// bindStale makes the instances of changed assets. Those that follow the clock
// are looked at once; with look, so are all that see something new.
func (e *Engine) bindStale(look bool) {
	list := e.rebind
	e.rebind = nil
	for _, a := range list {
		e.bindAsset(a)
		e.introduce(a)
		for _, i := range a.instances {
			switch {
			case i.rule.clock:
				if i.fresh {
					e.step(i, e.now)
				}
			case look && i.fresh:
				if t := e.newestInput(i); t != 0 {
					e.step(i, t)
				}
			}
		}
	}
}

// newestInput is the time of the newest reading that an instance looks at.
func (e *Engine) newestInput(i *instance) int64 {
	t := int64(0)
	for _, idx := range i.bind {
		if idx >= 0 {
			t = max(t, e.points[idx].time)
		}
	}
	return t
}

// bindPoint makes a point known to its asset.
func (e *Engine) bindPoint(d *deviceState, p *devices.Point) {
	if n := int(p.Index) + 1; n > len(e.points) {
		e.points = append(e.points, make([]pointState, n-len(e.points))...)
	}
	st := &e.points[p.Index]
	if st.bound {
		return
	}
	st.bound, st.past, st.device = true, -1, p.Device.Index
	all := e.reg.Points()
	k, _ := slices.BinarySearchFunc(d.points, p.Name, func(idx uint32, name string) int { return cmp.Compare(all[idx].Name, name) })
	d.points = slices.Insert(d.points, k, p.Index)
	if p.Role != "" || p.Kind == devices.Availability {
		e.setStale(d.asset)
	}
}

// move puts a device on another asset. When it replaces another device, what
// the rules remember goes over to it.
func (e *Engine) move(id, asset, replaces string) {
	e.assigned[id] = asset
	var from *deviceState
	if old := e.reg.Lookup([]byte(replaces)); replaces != "" && old != nil {
		from = e.deviceAt(old.Index)
	}
	var d *deviceState
	dev := e.reg.Lookup([]byte(id))
	if dev == nil && from != nil {
		e.takeovers[id] = takeover{asset, replaces}
		return
	}
	if dev != nil {
		d = e.device(dev)
		if d.asset.id != asset {
			e.leave(d)
			e.join(d, asset)
		}
	}
	if from == nil {
		return
	}
	e.assigned[replaces] = ""
	for _, i := range from.asset.instances {
		if slices.Contains(i.devs, from) {
			i.newSensor()
		}
	}
	for _, v := range from.asset.visitors {
		for _, p := range v.inst.peers() {
			if slices.Contains(p.inst.devs, from) {
				p.inst.newSensor()
			}
			if d != nil && p.inst.dev == from {
				p.inst.dev = d
			}
		}
	}
	if d != nil {
		e.setStale(d.asset)
		for _, i := range from.asset.instances {
			if i.dev == from && !d.asset.has(i.rule, d, i.lane) {
				i.dev, i.consts = d, nil
				d.asset.orphans = append(d.asset.orphans, i)
			}
		}
	}
	e.leave(from)
	e.join(from, "")
}

// newSensor forgets the last inputs of an instance, and nothing else: what another
// sensor says, and from where another counter counts, is not to be compared with
// them.
func (i *instance) newSensor() {
	for k := range i.slots {
		i.slots[k].known = false
	}
}

// Swap takes over another set of rules and another description of the site at a
// ConfigVersion record; it stands in for Apply. A rule whose condition reads as
// before keeps its timers, an edited one keeps its open episodes, and what no
// rule speaks for any more is retired.
func (e *Engine) Swap(rec *devices.Record, set *Set, site *devices.Site) []Transition {
	e.begin(rec)
	e.configure(set, site)
	listed := make(map[string]string, len(site.Devices))
	for _, s := range site.Devices {
		listed[s.ID] = cmp.Or(s.Asset, s.ID)
	}
	for _, dev := range e.reg.Devices() {
		d := e.deviceAt(dev.Index)
		if d == nil {
			if _, ok := listed[dev.ID]; ok {
				e.device(dev)
			}
			continue
		}
		d.valid = validity(dev)
		_, said := e.assigned[dev.ID] // what a person said later goes before the file
		if asset, ok := listed[dev.ID]; ok && asset != d.asset.id && !said {
			e.leave(d)
			e.join(d, asset)
		}
	}
	all := e.sortedAssets()
	for _, a := range all {
		e.describe(a)
		e.setStale(a)
	}
	slices.SortFunc(e.rebind, func(a, b *assetState) int { return cmp.Compare(a.id, b.id) })
	e.bindStale(true)
	for _, a := range all {
		for _, fc := range a.openClasses() {
			e.settle(a, fc, nil, e.now, CauseRetired)
		}
	}
	e.release()
	e.runGrid()
	return e.out
}

// has tells whether an instance, or one that waits, is there already.
func (a *assetState) has(r *Rule, d *deviceState, lane uint8) bool {
	same := func(i *instance) bool { return i.rule == r && i.dev == d && i.lane == lane }
	return slices.ContainsFunc(a.instances, same) || slices.ContainsFunc(a.orphans, same)
}

// leave takes a device off its asset.
func (e *Engine) leave(d *deviceState) {
	a := d.asset
	d.moving = a.takeHeld(d)
	a.devices = slices.DeleteFunc(a.devices, func(o *deviceState) bool { return o == d })
	for _, idx := range d.points {
		p := &e.points[idx]
		p.firstDep, p.depCount, p.past = 0, 0, -1
	}
	d.silence, d.past = nil, past{}
	e.describe(a)
	e.setStale(a)
}

// chunkOf spreads assets over the chunks of the checkpoint.
func chunkOf(asset string) int {
	h := fnv.New32a()
	h.Write([]byte(asset))
	return 1 + int(h.Sum32()%(Chunks-1))
}
