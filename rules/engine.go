package rules

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// Chunks is the number of parts that a checkpoint is made of. Chunk 0 is the
// engine's own; assets are spread over the others by their id.
const Chunks = 1024

// An Engine turns the records of one site into episodes. It belongs to one
// goroutine.
type Engine struct {
	set      *Set
	site     *devices.Site
	reg      *devices.Registry
	timing   Timing
	location *time.Location

	points []pointState   // by Point.Index
	devs   []*deviceState // by Device.Index
	assets map[string]*assetState
	chunks [Chunks][]*assetState // by id within a chunk
	specs  map[string]*devices.Asset
	// assigned is the asset of a device where the site file or a person named
	// one.
	assigned map[string]string
	shared   map[*Rule]*constants // of rules that need no facts

	conns   []connection
	windows []window
	factIDs []string
	wakes   wakeQueue

	now  int64 // journal time
	grid int64 // the last whole second that was looked at
	seq  uint64

	ctx    evalContext
	dirty  []*instance
	mark   uint32
	out    []Transition
	stats  Stats
	rebind []*assetState

	written    [Chunks]uint64 // position at which a chunk was last written
	chunkDirty [Chunks]bool
}

// Stats count what the engine did since it was made.
type Stats struct {
	Records, Readings, Evaluations, Transitions uint64
	// Late readings were older than what their point had; Unusable were bad,
	// uncertain, retained or historical.
	Late, Unusable uint64
}

// noEvent is the point index of no event.
const noEvent = -1

// Stats returns the counters.
func (e *Engine) Stats() Stats { return e.stats }

// NewEngine returns an engine in its first state. Devices that the site file
// names and the registry knows are watched from the beginning, the others from
// their first reading.
func NewEngine(set *Set, site *devices.Site, reg *devices.Registry) *Engine {
	e := &Engine{reg: reg, assets: make(map[string]*assetState), assigned: make(map[string]string)}
	e.ctx.engine, e.ctx.event, e.mark = e, noEvent, 1
	e.configure(set, site)
	for _, s := range site.Devices {
		if d := reg.Lookup([]byte(s.ID)); d != nil {
			e.device(d)
		}
	}
	e.bindStale(false)
	return e
}

// configure takes over a set of rules and a site.
func (e *Engine) configure(set *Set, site *devices.Site) {
	e.set, e.site, e.timing = set, site, set.Timing.orDefault()
	e.location = site.Location
	if e.location == nil {
		e.location = time.UTC
	}
	e.shared = make(map[*Rule]*constants)
	e.specs = make(map[string]*devices.Asset, len(site.Assets))
	for k := range site.Assets {
		e.specs[site.Assets[k].ID] = &site.Assets[k]
	}
}

// Apply takes one record and the readings decoded from it, and returns the
// steps that follow, in order. The slice is valid until the next call.
func (e *Engine) Apply(rec *devices.Record, readings []devices.Reading) []Transition {
	e.begin(rec)
	switch rec.Kind {
	case devices.LinkState:
		i := e.connection(rec.Connection)
		if rec.Link.Up {
			e.linkUp(i)
		} else {
			e.conns[i].up = false
		}
	case devices.FactRecord:
		e.fact(rec.Fact)
		e.bindStale(true)
	}
	if len(readings) > 0 {
		conn := e.delivering(rec)
		for k := 0; k < len(readings); {
			k += e.moment(readings[k:], conn)
		}
	}
	e.runGrid()
	return e.out
}

func (e *Engine) begin(rec *devices.Record) {
	e.stats.Records++
	e.out, e.seq = e.out[:0], rec.Seq
	if rec.Kind == devices.Start {
		// The daemon was down: no connection listened until now.
		for k := range e.conns {
			e.conns[k].up = false
		}
	}
	e.tick(rec.Time)
}

// moment takes the readings of one device at one time, which are evaluated
// together, and returns how many they were. An event is a moment of its own.
func (e *Engine) moment(rs []devices.Reading, conn int32) int {
	first := &rs[0]
	dev := first.Point.Device
	n := 1
	if first.Point.Kind != devices.Event {
		for n < len(rs) && rs[n].Point.Device == dev && rs[n].Time == first.Time && rs[n].Point.Kind != devices.Event {
			n++
		}
	}
	rs = rs[:n]
	e.stats.Readings += uint64(n)
	d := e.device(dev)
	for k := range rs {
		if idx := rs[k].Point.Index; int(idx) >= len(e.points) || !e.points[idx].bound {
			e.bindPoint(d, rs[k].Point)
		}
	}
	if e.rebind != nil {
		e.bindStale(false)
	}
	e.chunkDirty[d.chunk] = true
	if d.busy > 0 {
		e.catchUp(d, rs)
	}
	alive := false
	for k := range rs {
		alive = e.store(d, &rs[k], conn) || alive
	}
	if alive {
		e.alive(d, conn)
	}
	e.evaluate(first.Time)
	return n
}

// catchUp moves the instances that look at a device and wait for a time up to
// the time of its new readings, with what was known before them: the clock would
// have done it.
func (e *Engine) catchUp(d *deviceState, rs []devices.Reading) {
	if rs[0].Flags&(devices.Historical|devices.RetainedMessage) != 0 {
		return
	}
	t := rs[0].Time
	e.advanceAsset(d.asset, func(i *instance) int64 {
		if slices.Contains(i.devs, d) {
			return t
		}
		return 0
	})
}

// store takes one reading. It reports whether it is a sign of life.
func (e *Engine) store(d *deviceState, r *devices.Reading, conn int32) bool {
	p := &e.points[r.Point.Index]
	if r.Flags&(devices.Historical|devices.RetainedMessage) != 0 {
		e.stats.Unusable++
		if r.Flags&devices.RetainedMessage != 0 && p.time == 0 {
			// Shown until something fresh comes, and never used.
			p.value, p.text, p.quality = r.Value, r.Text, devices.Uncertain
		}
		return false
	}
	if r.Point.Kind == devices.Availability && r.Text == "offline" {
		e.lose(d)
		p.time, p.text, p.value, p.quality, p.ok = max(p.time, r.Time), r.Text, 0, r.Quality, r.Quality == devices.Good
		p.validTo = never
		e.touchDeps(d.asset, p)
		return false
	}
	if r.Time < p.time && r.Point.Kind != devices.Event {
		e.stats.Late++
		return true
	}
	if r.Flags&devices.ReceiveTime == 0 {
		d.timed = true
		e.backlog(conn, r.Time)
	} else {
		d.timed = false
	}
	d.observe(r.Time)
	good := r.Quality == devices.Good
	same := good && p.ok && r.Time <= p.validTo && r.Text == p.text && r.Point.Kind != devices.Event
	p.time = max(p.time, r.Time)
	p.quality, p.lost, p.ok = r.Quality, false, good
	if r.Quality != devices.Bad {
		p.value, p.text = r.Value, r.Text
	}
	p.validTo = p.time + d.valid
	if r.Point.Kind == devices.Event {
		e.ctx.event, e.ctx.eventTime = int32(r.Point.Index), r.Time
	}
	switch {
	case !good:
		e.stats.Unusable++
	case p.past >= 0:
		p.remember(d.asset, r.Time)
	}
	if !same {
		e.touchDeps(d.asset, p)
		return true
	}
	deps := d.asset.depsOf(p)
	for k := range deps {
		if x := &deps[k]; !x.still || r.Value < x.low || r.Value > x.high {
			e.touchDep(d.asset, x, r.Value)
		}
	}
	return true
}

// touchDeps has every instance that looks at a point evaluated.
func (e *Engine) touchDeps(a *assetState, p *pointState) {
	deps := a.depsOf(p)
	for k := range deps {
		e.touchDep(a, &deps[k], p.value)
	}
}

func (e *Engine) touchDep(a *assetState, x *dependent, v float64) {
	i := a.instances[x.place]
	x.look(i, v)
	if i.mark != e.mark {
		i.mark = e.mark
		e.dirty = append(e.dirty, i)
	}
}

// alive books a message of a device.
func (e *Engine) alive(d *deviceState, conn int32) {
	d.conn = conn
	d.heard, d.heardLive = e.now, e.conns[conn].live
	if !d.watched {
		return
	}
	d.watched = false
	for _, i := range d.silence {
		if i.holds() {
			e.step(i, e.now)
		}
	}
}

// holds reports whether a threshold of the instance is pending or active.
func (i *instance) holds() bool {
	return slices.ContainsFunc(i.limbs, func(l limb) bool { return l.active || l.onset != 0 })
}

// lose makes every value of a device that went offline unusable.
func (e *Engine) lose(d *deviceState) {
	for _, idx := range d.points {
		p := &e.points[idx]
		p.ok, p.lost = false, true
		e.touchDeps(d.asset, p)
	}
}

// evaluate looks at the instances whose inputs have new readings of time t.
func (e *Engine) evaluate(t int64) {
	if len(e.dirty) > 1 {
		sortInstances(e.dirty)
	}
	for _, i := range e.dirty {
		e.step(i, t)
	}
	e.dirty = e.dirty[:0]
	e.mark++
	e.ctx.event = noEvent
}

// sortInstances is an insertion sort: the lists are short and nearly sorted.
func sortInstances(list []*instance) {
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && list[j].compare(list[j-1]) < 0; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// device finds or makes the state of a device.
func (e *Engine) device(dev *devices.Device) *deviceState {
	if int(dev.Index) < len(e.devs) {
		if d := e.devs[dev.Index]; d != nil {
			return d
		}
	} else {
		e.devs = append(e.devs, make([]*deviceState, int(dev.Index)+1-len(e.devs))...)
	}
	d := &deviceState{dev: dev, conn: -1, valid: validity(dev)}
	d.self = []*deviceState{d}
	e.devs[dev.Index] = d
	e.join(d, e.assetOf(dev))
	return d
}

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
	st.bound, st.past = true, -1
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
	if old := e.reg.Lookup([]byte(replaces)); replaces != "" && old != nil && int(old.Index) < len(e.devs) {
		from = e.devs[old.Index]
	}
	var d *deviceState
	if dev := e.reg.Lookup([]byte(id)); dev != nil {
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
	if d != nil {
		for _, i := range from.asset.instances {
			if i.dev == from {
				i.dev = d
			}
		}
	}
	e.leave(from)
	e.join(from, "")
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
		if int(dev.Index) >= len(e.devs) || e.devs[dev.Index] == nil {
			if _, ok := listed[dev.ID]; ok {
				e.device(dev)
			}
			continue
		}
		d := e.devs[dev.Index]
		d.valid = validity(dev)
		if asset, ok := listed[dev.ID]; ok && asset != d.asset.id && e.assigned[dev.ID] == "" {
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
	e.runGrid()
	return e.out
}

// leave takes a device off its asset.
func (e *Engine) leave(d *deviceState) {
	a := d.asset
	a.devices = slices.DeleteFunc(a.devices, func(o *deviceState) bool { return o == d })
	for _, idx := range d.points {
		p := &e.points[idx]
		p.firstDep, p.depCount, p.past, p.pastLen, p.pastNext = 0, 0, -1, 0, 0
	}
	d.silence = nil
	e.describe(a)
	e.setStale(a)
}

func (e *Engine) touch(a *assetState) { e.chunkDirty[a.chunk] = true }

// chunkOf spreads assets over the chunks of the checkpoint.
func chunkOf(asset string) int {
	h := fnv.New32a()
	h.Write([]byte(asset))
	return 1 + int(h.Sum32()%(Chunks-1))
}
