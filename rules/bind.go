package rules

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// assetState is what the engine keeps of an asset.
type assetState struct {
	// What every message needs comes first.
	block     []instance   // side by side, in order of rule, device, lane
	busy      []uint64     // those that wait for a time, a bit each
	visitors  []visitor    // instances of other assets that look at its points
	classes   []classState // by fault class
	chunk     int
	watchers  int   // detectors, which share its budget of orders
	wait      int64 // how long it waits for stragglers
	next      int64 // none that advanceAsset looks at is due before
	simulated bool
	stale     bool // its points changed: instances are to be made anew

	instances []*instance // those of block

	id      string
	class   string
	spec    *devices.Asset // nil for an asset that stands for its device
	devices []*deviceState // by id
	tasks   []task
	held    []held // readings that wait, by time
	// orphans remember for instances that wait for the points of a device that
	// took over from another.
	orphans []*instance
	// suppressed is what would have opened an episode and did not, oldest first.
	suppressed []suppression
	tallies    []tally
}

// An instance is one rule on one asset, seen from one device: the roles that
// this device has are its own, the others come from its neighbours on the
// asset. A device with several points of one role makes several instances,
// called lanes.
type instance struct {
	// What every evaluation needs comes first.
	rule    *Rule
	asset   *assetState
	consts  *constants
	limbs   []limb // one per threshold
	slots   []slot
	bind    []int32 // point index per role of the rule; -1 = none
	t       int64   // how far it has been evaluated
	due     int64   // when it must be evaluated without a reading
	mark    uint32
	place   uint32 // place among the asset's instances
	gate    Truth
	busy    bool
	dead    bool
	fresh   bool // its inputs or its rule changed and it was not evaluated since
	lane    uint8
	wake    int64  // journal time of its place in the queue; 0 = none
	gateAcc int64  // how long only_while has been true
	have    uint64 // roles, a bit each, that have a point
	*seat
}

// A seat is what an instance knows of its surroundings, which few evaluations ask.
type seat struct {
	dev  *deviceState
	devs []*deviceState // whose readings it looks at
	kin  *kin           // its related assets; nil where the rule asks of none
	key  uint64         // orders instances that wake in one second
}

// A limb is where one threshold of one instance stands.
type limb struct {
	onset    int64 // when the condition began to hold; 0 = it does not
	acc      int64 // how long it is known to have held
	clearAcc int64 // how long the clear condition is known to have held
	val      Truth // at the last evaluation
	clear    Truth
	active   bool
	noData   bool
	spent    bool // must be seen false once before it may start again
	muted    bool // kept from starting by a maintenance window
}

// orphan makes an instance that only remembers.
func orphan(r *Rule, a *assetState, d *deviceState, lane uint8) *instance {
	i := &instance{rule: r, asset: a, seat: &seat{dev: d}, lane: lane, dead: true, due: never, gate: Unknown,
		limbs: make([]limb, len(r.Thresholds)), slots: make([]slot, len(r.slots))}
	for k := range i.limbs {
		i.limbs[k].val, i.limbs[k].clear = Unknown, Unknown
	}
	for k, s := range r.slots {
		i.slots[k] = slot{val: Unknown, cells: make([]cell, s.cells)}
	}
	return i
}

// adopt brings what waits for a device under the rules in force.
func (e *Engine) adopt(a *assetState) {
	kept := a.orphans[:0]
	for _, o := range a.orphans {
		r := e.set.Rule(o.rule.ID)
		switch {
		case r == nil:
			continue
		case r != o.rule:
			n := orphan(r, a, o.dev, o.lane)
			e.inherit(n, []*instance{o})
			o = n
		}
		kept = append(kept, o)
	}
	clear(a.orphans[len(kept):])
	a.orphans = kept
}

// binding is one possible instance.
type binding struct {
	rule   *Rule
	dev    *deviceState
	lane   uint8
	bind   []int32
	consts *constants
	// same are the other devices and lanes that see the same points.
	same []binding
}

// memory is what the instances of an asset share out among them.
type memory struct {
	limbs []limb
	slots []slot
	cells []cell
	binds []int32
}

// carve cuts the first n items off a slice.
func carve[T any](from *[]T, n int) []T {
	out := (*from)[:n:n]
	*from = (*from)[n:]
	return out
}

// plan lists the instances of an asset and counts what they need.
func (e *Engine) plan(a *assetState) (plan []binding, limbs, slots, cells, roles int) {
	if a.id == "" {
		return
	}
	for _, r := range e.set.Rules {
		if !r.Enabled || !r.appliesTo(a.class) {
			continue
		}
		bindings := e.bindings(a, r)
		if len(bindings) == 0 {
			continue
		}
		consts, ok := e.constantsFor(a, r)
		if !ok {
			continue
		}
		for _, b := range bindings {
			b.rule, b.consts = r, consts
			plan = append(plan, b)
			limbs += len(r.Thresholds)
			slots += len(r.slots)
			roles += len(b.bind)
			for _, s := range r.slots {
				cells += s.cells
			}
		}
	}
	return plan, limbs, slots, cells, roles
}

// bindAsset makes the instances of an asset anew after its points, its facts or
// the rules changed. What an instance remembers is kept.
func (e *Engine) bindAsset(a *assetState) {
	a.stale, a.next = false, 0
	e.adopt(a)
	old := append(a.instances, a.orphans...)
	a.instances, a.tasks = nil, nil
	for _, d := range a.devices {
		d.silence, d.watched = nil, false
	}
	plan, limbs, slots, cells, roles := e.plan(a)
	// Everything of an asset lies side by side: memory is what limits the engine.
	block, seats := make([]instance, len(plan)), make([]seat, len(plan))
	a.block, a.instances = block, make([]*instance, len(plan))
	a.busy = make([]uint64, (len(plan)+63)/64)
	m := memory{make([]limb, limbs), make([]slot, slots), make([]cell, cells), make([]int32, roles)}
	for k := range plan {
		i := &block[k]
		e.initInstance(i, &seats[k], a, &plan[k], &m)
		i.place = uint32(k)
		a.instances[k] = i
		from := e.inherit(i, old)
		for _, b := range plan[k].same {
			if from == nil {
				from = e.inheritFrom(i, old, b.dev, b.lane)
			}
		}
		if from != nil {
			a.orphans = slices.DeleteFunc(a.orphans, func(o *instance) bool { return o == from })
		}
	}
	a.watchers = a.countWatchers()
	for _, i := range old {
		if i.dead {
			continue
		}
		for _, d := range i.devs {
			if i.busy {
				d.busy--
			}
		}
		e.part(i)
		i.dead = true
	}
	e.attach(a)
	for _, i := range a.instances {
		busy := i.busy
		i.busy = false
		e.meet(i)
		e.setBusy(i, busy)
		if i.wake != 0 {
			e.wakes.push(wake{i.wake, i.key, i}, e.grid)
		}
	}
}

// bindings lists the ways in which a rule sees an asset, by device and lane.
// Where two devices see the same points the first stands for both: which of them
// was heard first must not matter.
func (e *Engine) bindings(a *assetState, r *Rule) []binding {
	var out []binding
	for _, d := range a.devices {
		if len(r.roles) == 0 {
			if !r.silence || d.dev.Interval > 0 || d.dev.Silence > 0 {
				out = append(out, binding{rule: r, dev: d})
			}
			continue
		}
		lanes := e.lanes(d, r)
		for lane := range lanes {
			if bind := e.resolve(a, d, lane, r); r.possible(bind) {
				out = append(out, binding{rule: r, dev: d, lane: uint8(lane), bind: bind})
			}
		}
	}
	kept := out[:0]
	for _, b := range out {
		i := slices.IndexFunc(kept, func(o binding) bool { return len(b.bind) > 0 && slices.Equal(o.bind, b.bind) })
		if i < 0 {
			kept = append(kept, b)
		} else {
			kept[i].same = append(kept[i].same, b)
		}
	}
	return kept
}

// lanes is the number of instances that a rule makes of a device: as many as
// it has points of one anchor role.
func (e *Engine) lanes(d *deviceState, r *Rule) int {
	n := 0
	for _, u := range r.roles {
		if u.anchor {
			n = max(n, len(e.pointsOf(d, u.role)))
		}
	}
	return min(n, 255)
}

// pointsOf lists the points of a device in a role. The slice is valid until the
// next call.
func (e *Engine) pointsOf(d *deviceState, role *devices.Role) []int32 {
	out := e.found[:0]
	all := e.reg.Points()
	for _, idx := range d.points {
		p := all[idx]
		if p.Role == role.Name || p.Kind == devices.Availability && role.Kind == devices.Availability {
			out = append(out, int32(idx))
		}
	}
	e.found = out
	return out
}

// resolve finds the point for each role: of the device's own lane, else of the
// first device of the asset that has one.
func (e *Engine) resolve(a *assetState, d *deviceState, lane int, r *Rule) []int32 {
	bind := make([]int32, len(r.roles))
	for k, u := range r.roles {
		bind[k] = -1
		if own := e.pointsOf(d, u.role); len(own) > 0 {
			bind[k] = own[min(lane, len(own)-1)]
			continue
		}
		for _, other := range a.devices {
			if pts := e.pointsOf(other, u.role); len(pts) > 0 {
				bind[k] = pts[0]
				break
			}
		}
	}
	return bind
}

func (e *Engine) initInstance(i *instance, s *seat, a *assetState, b *binding, m *memory) {
	r := b.rule
	s.dev = b.dev
	*i = instance{rule: r, asset: a, seat: s, lane: b.lane, consts: b.consts, fresh: true, gate: Unknown, due: never,
		limbs: carve(&m.limbs, len(r.Thresholds)), slots: carve(&m.slots, len(r.slots)), bind: carve(&m.binds, len(b.bind))}
	copy(i.bind, b.bind)
	i.have = bound(b.bind)
	for k := range i.limbs {
		i.limbs[k].val, i.limbs[k].clear = Unknown, Unknown
	}
	for k, s := range r.slots {
		i.slots[k].cells, i.slots[k].val = carve(&m.cells, s.cells), Unknown
	}
	h := fnv.New64a()
	for _, part := range []string{a.id, r.ID, b.dev.dev.ID} {
		h.Write([]byte(part))
		h.Write([]byte{0, b.lane})
	}
	i.key = h.Sum64()
	i.devs = e.devicesOf(b.dev, b.bind)
}

// inherit takes over what the instance of the same rule, device and lane
// remembered. A condition that reads as before keeps its timers; an edited one
// keeps what is active and starts its timers anew.
func (e *Engine) inherit(i *instance, old []*instance) (from *instance) {
	return e.inheritFrom(i, old, i.dev, i.lane)
}

func (e *Engine) inheritFrom(i *instance, old []*instance, dev *deviceState, lane uint8) (from *instance) {
	k := slices.IndexFunc(old, func(o *instance) bool {
		return o.rule.ID == i.rule.ID && o.dev == dev && o.lane == lane
	})
	if k < 0 {
		return nil
	}
	o := old[k]
	i.t, i.due, i.wake, i.busy = o.t, o.due, o.wake, o.busy
	same := func(a, b *Condition) bool { return sameMeaning(a, i.consts, b, o.consts) }
	if same(i.rule.OnlyWhile, o.rule.OnlyWhile) {
		i.gate, i.gateAcc = o.gate, o.gateAcc
	}
	for n := range i.limbs {
		t := &i.rule.Thresholds[n]
		for m := range o.limbs {
			u := &o.rule.Thresholds[m]
			if u.Severity != t.Severity {
				continue
			}
			i.limbs[n] = o.limbs[m]
			when := same(&t.When, &u.When)
			if !when && !o.limbs[m].active {
				i.limbs[n] = limb{val: Unknown, clear: Unknown}
			}
			if !same(t.Clear, u.Clear) || t.Clear == nil && !when {
				i.limbs[n].clear, i.limbs[n].clearAcc = Unknown, 0
			}
		}
	}
	inheritSlots(i, o)
	i.kin = o.kin
	i.fresh = i.rule.Version != o.rule.Version || !slices.Equal(i.bind, o.bind) || !sameConstants(i.consts, o.consts)
	return o
}

// inheritSlots takes over the memory of calls that read as before.
func inheritSlots(i, o *instance) {
	for n, s := range i.rule.slots {
		for m, u := range o.rule.slots {
			if s.key == u.key && s.cells == u.cells && sameNames(s.names, i.consts, u.names, o.consts) {
				cells := i.slots[n].cells
				copy(cells, o.slots[m].cells)
				i.slots[n] = o.slots[m]
				i.slots[n].cells = cells
			}
		}
	}
}

// bound is the roles, a bit each, that have a point.
func bound(bind []int32) uint64 {
	have := uint64(0)
	for slot, idx := range bind {
		if idx >= 0 {
			have |= 1 << slot
		}
	}
	return have
}

// attach makes the points of an asset know its instances.
func (e *Engine) attach(a *assetState) {
	looks := make(map[uint32][]dependent)
	reaches := make(map[uint32]uint32)
	for _, i := range a.instances {
		if i.rule.clock {
			i.dev.silence = append(i.dev.silence, i)
			i.dev.watched = i.dev.watched || i.holds()
			continue
		}
		if i.consts.shut && !i.holds() {
			continue
		}
		reach := i.rule.pastReach()
		for slot, idx := range i.bind {
			if idx < 0 {
				continue
			}
			x := dependent{place: uint16(i.place), slot: uint8(slot), still: !i.rule.each && !i.busy}
			x.look(i, e.points[idx].value)
			looks[uint32(idx)] = append(looks[uint32(idx)], x)
			reaches[uint32(idx)] = max(reaches[uint32(idx)], reach)
		}
	}
	for _, d := range a.devices {
		d.deps = nil
		var from []int16
		reach := uint32(0)
		for _, idx := range d.points {
			p := &e.points[idx]
			list := looks[idx]
			p.firstDep, p.depCount = uint32(len(d.deps)), uint16(len(list))
			d.deps = append(d.deps, list...)
			if len(list) == 0 {
				p.past = -1
				continue
			}
			from = append(from, p.past)
			p.past = int16(len(from) - 1)
			reach = max(reach, reaches[idx])
		}
		d.deps = slices.Clip(d.deps)
		for _, idx := range d.points {
			d.narrow(&e.points[idx], idx)
		}
		d.past.reshape(from, reach)
	}
}

func (e *Engine) setBusy(i *instance, busy bool) {
	if i.busy == busy {
		return
	}
	i.busy = busy
	n := int32(1)
	if !busy {
		n = -1
	}
	for _, d := range i.devs {
		d.busy += n
	}
	i.asset.busy[i.place/64] ^= 1 << (i.place % 64)
	if i.rule.each {
		return
	}
	for _, idx := range i.bind {
		if idx < 0 {
			continue
		}
		p := &e.points[idx]
		d := e.place(p.device)
		deps := d.depsOf(p)
		for k := range deps {
			if x := &deps[k]; uint32(x.place) == i.place {
				x.calm(i, p.value, !busy)
			}
		}
		d.narrow(p, uint32(idx))
	}
	for _, o := range i.peers() {
		for _, slot := range i.rule.related[o.use].roles {
			idx := uint32(o.inst.bind[slot])
			p := &e.points[idx]
			visitors := o.inst.asset.visitorsOf(idx)
			for k := range visitors {
				if x := &visitors[k]; x.inst == i {
					x.calm(i, p.value, !busy)
				}
			}
			e.place(p.device).narrow(p, idx)
		}
	}
}

// sortedAssets returns the assets by id.
func (e *Engine) sortedAssets() []*assetState {
	out := make([]*assetState, 0, len(e.assets))
	for _, chunk := range e.chunks {
		out = append(out, chunk...)
	}
	slices.SortFunc(out, func(a, b *assetState) int { return cmp.Compare(a.id, b.id) })
	return out
}
