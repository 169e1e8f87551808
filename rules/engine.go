package rules

import (
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

	points []pointState // by Point.Index
	devs   []*slab      // by Device.Index
	assets map[string]*assetState
	chunks [Chunks][]*assetState // by id within a chunk
	specs  map[string]*devices.Asset
	family family
	// assigned is the asset of a device where the site file or a person named
	// one.
	assigned  map[string]string
	takeovers map[string]takeover    // by the id of the new device
	shared    map[*Rule][]*constants // for assets without limits of their own

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
	freed  []*assetState // with a reprieve, by id
	late   []*assetState // on which readings wait, by id
	// releasing readings whose device was heard when they arrived; scratch holds
	// them.
	releasing bool
	scratch   []devices.Reading
	ahead     ahead
	found     []int32 // of pointsOf

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
	e := &Engine{reg: reg, assets: make(map[string]*assetState), assigned: make(map[string]string), takeovers: make(map[string]takeover)}
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
	e.shared = make(map[*Rule][]*constants)
	e.specs = make(map[string]*devices.Asset, len(site.Assets))
	for k := range site.Assets {
		e.specs[site.Assets[k].ID] = &site.Assets[k]
	}
	e.family = familyOf(site)
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
		e.release() // a device may have moved to an asset that waits for nobody
	}
	if len(readings) > 0 {
		conn := e.delivering(rec)
		e.takeAll(readings, conn)
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

// take takes the next readings of one device, and returns how many they were.
// Where the asset waits for stragglers they are evaluated later.
func (e *Engine) take(rs []devices.Reading, conn int32) int {
	d := e.deviceOf(rs[0].Point)
	if d.wait == 0 {
		return e.moment(d, rs, conn)
	}
	if rs[0].Flags&(devices.Historical|devices.RetainedMessage) != 0 {
		return e.moment(d, rs[:1], conn)
	}
	if e.rebind != nil {
		e.bindStale(false)
	}
	e.hold(d, &rs[0], conn)
	if len(rs) == 1 || rs[1].Point.Device != d.dev {
		e.releaseOn(d.asset)
	}
	return 1
}

// moment takes the readings of one device at one time, which are evaluated
// together, and returns how many they were. An event is a moment of its own.
func (e *Engine) moment(d *deviceState, rs []devices.Reading, conn int32) int {
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
		e.ahead.some()
	}
	e.midway()
	if alive && !e.releasing {
		e.alive(d, conn)
	}
	e.remember(d, first.Time)
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
	if d.asset.next > t {
		return
	}
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
	if r.Point.Kind == devices.Availability {
		return e.available(d, p, r)
	}
	if r.Time < p.time && r.Point.Kind != devices.Event {
		e.stats.Late++
		return true
	}
	if !e.releasing {
		e.hear(d, r, conn)
	}
	d.observe(r.Time)
	good := r.Quality == devices.Good && (r.Value == r.Value || r.Point.Kind != devices.Gauge && r.Point.Kind != devices.Counter)
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
	if !good {
		e.stats.Unusable++
	}
	if !same {
		e.touchDeps(d, p, r.Point.Index)
		return true
	}
	if r.Value >= float64(p.low) && r.Value <= float64(p.high) {
		return true
	}
	a := d.asset
	deps, visitors := d.depsOf(p), a.visitorsOf(r.Point.Index)
	for k := range deps {
		if x := &deps[k]; x.wants(r.Value) {
			e.touchDep(&a.block[x.place], x, r.Value)
		}
	}
	for k := range visitors {
		if x := &visitors[k]; x.wants(r.Value) {
			e.touchDep(x.inst, &x.dependent, r.Value)
		}
	}
	if p.low <= p.high {
		d.narrow(p, r.Point.Index)
	}
	return true
}

// hear books what a reading says about the clock of its device.
func (e *Engine) hear(d *deviceState, r *devices.Reading, conn int32) {
	if d.timed = r.Flags&devices.ReceiveTime == 0; d.timed {
		e.backlog(conn, r.Time)
	}
	if r.Time > d.clock {
		d.clock, d.clockLive = r.Time, e.conns[conn].live
	}
}

// available takes what the broker or a gateway says of a device. It is told at
// the daemon's time, so it says nothing about the device's clock, and it holds
// until the next.
func (e *Engine) available(d *deviceState, p *pointState, r *devices.Reading) bool {
	if r.Time < p.time {
		e.stats.Late++
		return false
	}
	offline := r.Text == "offline"
	if offline {
		e.lose(d)
	}
	p.time, p.text, p.value, p.quality, p.ok = r.Time, r.Text, 0, r.Quality, r.Quality == devices.Good
	p.validTo, p.lost = never, false
	e.touchDeps(d, p, r.Point.Index)
	return !offline
}

// touchDeps has every instance that looks at a point evaluated.
func (e *Engine) touchDeps(d *deviceState, p *pointState, idx uint32) {
	deps, visitors := d.depsOf(p), d.asset.visitorsOf(idx)
	for k := range deps {
		e.touchDep(&d.asset.block[deps[k].place], &deps[k], p.value)
	}
	for k := range visitors {
		e.touchDep(visitors[k].inst, &visitors[k].dependent, p.value)
	}
	d.narrow(p, idx)
}

func (e *Engine) touchDep(i *instance, x *dependent, v float64) {
	if x.still {
		x.look(i, v)
	}
	if i.mark != e.mark && !i.dead {
		i.mark = e.mark
		e.dirty = append(e.dirty, i)
	}
}

// alive books a message of a device.
func (e *Engine) alive(d *deviceState, conn int32) {
	if d.conn != conn {
		d.conn, d.clockLive = conn, e.conns[conn].live
	}
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
		e.touchDeps(d, p, idx)
	}
}

// evaluate looks at the instances whose inputs have new readings of time t.
func (e *Engine) evaluate(t int64) {
	if len(e.dirty) > 1 {
		sortInstances(e.dirty)
	}
	for _, i := range e.dirty {
		e.step(i, t)
		e.ahead.some()
		e.ahead.some()
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

func (e *Engine) touch(a *assetState) { e.chunkDirty[a.chunk] = true }
