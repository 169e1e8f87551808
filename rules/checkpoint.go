package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// A checkpoint is what the engine remembers, in chunks that are written when
// they changed. Chunk 0 holds what belongs to no asset, and the position at
// which each other chunk was last written, so that a torn checkpoint is seen.

// checkpointVersion is the first byte of every chunk.
const checkpointVersion = 5

// ErrCheckpoint is returned for a chunk that cannot be used. The engine is then
// to be made anew and the journal read from its beginning.
var ErrCheckpoint = errors.New("checkpoint cannot be used")

// DirtyChunks appends the numbers of the chunks that changed since they were
// last written, ascending. Chunk 0 is always among them and must be written
// last.
func (e *Engine) DirtyChunks(dst []int) []int {
	for c := 1; c < Chunks; c++ {
		if e.chunkDirty[c] {
			dst = append(dst, c)
		}
	}
	return append(dst, 0)
}

// AppendChunk appends the bytes of a chunk and marks it as written at the
// position of the last record. When it could not be stored call MarkDirty.
func (e *Engine) AppendChunk(chunk int, dst []byte) []byte {
	w := writer{dst}
	w.byte(checkpointVersion)
	if chunk == 0 {
		e.writeHead(&w)
		return w.b
	}
	e.chunkDirty[chunk] = false
	e.written[chunk] = e.seq
	w.uint(e.seq)
	w.uint(uint64(len(e.chunks[chunk])))
	for _, a := range e.chunks[chunk] {
		e.writeAsset(&w, a)
	}
	return w.b
}

// MarkDirty asks for a chunk to be written again.
func (e *Engine) MarkDirty(chunk int) { e.chunkDirty[chunk] = chunk != 0 }

// Position is the sequence number of the last record that was applied.
func (e *Engine) Position() uint64 { return e.seq }

// Now is the journal time of the last record that was applied, in Unix nanoseconds.
func (e *Engine) Now() int64 { return e.now }

// Restore brings a new engine to the state of a checkpoint. chunks is indexed by
// chunk number; a chunk that was never written is nil. Devices and points that
// the registry does not know are added to it. On an error the engine and the
// registry must not be used.
func (e *Engine) Restore(chunks [][]byte) error {
	if len(chunks) == 0 || len(chunks[0]) == 0 {
		return fmt.Errorf("%w: chunk 0 is missing", ErrCheckpoint)
	}
	if err := e.readHead(chunks[0]); err != nil {
		return fmt.Errorf("chunk 0: %w", err)
	}
	for c := 1; c < Chunks; c++ {
		var data []byte
		if c < len(chunks) {
			data = chunks[c]
		}
		if e.written[c] == 0 && len(data) == 0 {
			continue
		}
		if err := e.readChunk(c, data); err != nil {
			return fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	for _, a := range e.sortedAssets() {
		for _, i := range a.instances {
			e.meet(i)
		}
	}
	e.chunkDirty = [Chunks]bool{}
	e.rebind = nil
	return nil
}

func (e *Engine) writeHead(w *writer) {
	w.uint(e.seq)
	w.int(e.now)
	w.int(e.grid)
	n := 0
	for c := range e.written {
		if e.written[c] != 0 {
			n++
		}
	}
	w.uint(uint64(n))
	for c, seq := range e.written {
		if seq != 0 {
			w.uint(uint64(c))
			w.uint(seq)
		}
	}
	w.uint(uint64(len(e.conns)))
	for _, c := range e.conns {
		w.string(c.name)
		w.bool(c.up)
		w.ints(c.since, c.hold, c.live, c.upLive)
	}
	w.uint(uint64(len(e.windows)))
	for _, x := range e.windows {
		w.string(x.id)
		w.string(x.asset)
		w.string(x.faultClass)
		w.string(x.checkedIn)
		w.string(x.by)
		w.string(x.note)
		w.ints(x.from, x.until)
	}
	w.uint(uint64(len(e.factIDs)))
	for _, id := range e.factIDs {
		w.string(id)
	}
	ids := slices.Sorted(maps.Keys(e.assigned))
	w.uint(uint64(len(ids)))
	for _, id := range ids {
		w.string(id)
		w.string(e.assigned[id])
	}
	ids = slices.Sorted(maps.Keys(e.takeovers))
	w.uint(uint64(len(ids)))
	for _, id := range ids {
		w.string(id)
		w.string(e.takeovers[id].asset)
		w.string(e.takeovers[id].replaces)
	}
}

func (e *Engine) readHead(data []byte) error {
	r := cursor{b: data}
	if r.byte() != checkpointVersion {
		return fmt.Errorf("%w: unknown version", ErrCheckpoint)
	}
	e.seq, e.now, e.grid = r.uint(), r.time(), r.time()
	if e.grid > e.now {
		r.fail()
	}
	for range r.count(2) {
		if c := r.uint(); c > 0 && c < Chunks {
			e.written[c] = r.uint()
		} else {
			r.fail()
		}
	}
	for range r.count(6) {
		c := connection{name: r.string(), up: r.bool()}
		c.since, c.hold, c.live, c.upLive = r.time(), r.time(), r.time(), r.time()
		e.conns = append(e.conns, c)
	}
	for range r.count(8) {
		x := window{id: r.string(), asset: r.string(), faultClass: r.string(), checkedIn: r.string(), by: r.string(), note: r.string()}
		x.from, x.until = r.time(), r.time()
		e.windows = append(e.windows, x)
	}
	for range r.count(1) {
		e.factIDs = append(e.factIDs, r.string())
	}
	for range r.count(2) {
		id := r.string()
		e.assigned[id] = r.string()
	}
	for range r.count(3) {
		id := r.string()
		e.takeovers[id] = takeover{r.string(), r.string()}
	}
	return r.done()
}

func (e *Engine) writeAsset(w *writer, a *assetState) {
	w.string(a.id)
	w.uint(uint64(len(a.devices)))
	for _, d := range a.devices {
		e.writeDevice(w, d)
	}
	w.uint(uint64(len(a.classes)))
	for k := range a.classes {
		c := &a.classes[k]
		w.string(c.fc.ID)
		w.bool(c.open)
		w.uint(c.id.Seq)
		w.byte(byte(c.phase))
		w.byte(byte(c.severity))
		w.ints(c.onset, c.at, c.shelved, c.done)
		w.string(c.under.Asset)
		w.string(c.under.FaultClass)
		w.uint(c.under.Seq)
		w.string(c.rule)
		w.string(c.shelvedBy)
		w.int(c.alone)
		w.int(int64(c.aloneConn))
		w.bool(c.explains)
		w.bool(c.flapping)
		w.uint(c.over.Seq)
		w.int(c.overAt)
		w.ints(c.opened[:]...)
	}
	a.writeSuppressed(w)
	a.writeHeld(w)
	w.uint(uint64(len(a.instances) + len(a.orphans)))
	for _, i := range a.instances {
		i.write(w)
	}
	for _, i := range a.orphans {
		i.write(w)
	}
}

func (e *Engine) writeDevice(w *writer, d *deviceState) {
	v := d.dev
	w.string(v.ID)
	w.string(v.Class)
	w.string(v.Profile)
	w.string(v.Asset)
	w.ints(v.Interval, v.Silence, v.Lateness)
	w.bool(v.Simulated)
	w.ints(d.newest, d.clock, d.clockLive, d.heard, d.heardLive, d.gap)
	w.int(int64(d.conn))
	w.bool(d.timed)
	w.uint(uint64(len(d.points)))
	all := e.reg.Points()
	for _, idx := range d.points {
		p, st := all[idx], &e.points[idx]
		w.string(p.Name)
		w.string(p.Role)
		w.string(p.Unit)
		w.byte(byte(p.Kind))
		w.ints(st.time, st.validTo)
		w.float(st.value)
		w.string(st.text)
		w.byte(byte(st.quality))
		w.bool(st.ok)
		w.bool(st.lost)
		w.int(int64(st.past))
	}
	d.past.write(w)
}

func (i *instance) write(w *writer) {
	w.string(i.rule.ID)
	w.string(i.dev.dev.ID)
	w.byte(i.lane)
	w.ints(i.t, i.due, i.wake, i.gateAcc)
	w.byte(byte(i.gate))
	w.bool(i.busy)
	w.uint(uint64(len(i.limbs)))
	for k := range i.limbs {
		l := &i.limbs[k]
		w.byte(byte(i.rule.Thresholds[k].Severity))
		w.ints(l.onset, l.acc, l.clearAcc)
		w.byte(byte(l.val))
		w.byte(byte(l.clear))
		w.bool(l.active)
		w.bool(l.noData)
		w.bool(l.spent)
		w.bool(l.muted)
	}
	i.writeSlots(w)
	i.writeKin(w)
}

// writeKin writes what is remembered of related assets.
func (i *instance) writeKin(w *writer) {
	if i.kin == nil {
		w.byte(0)
		return
	}
	w.uint(uint64(len(i.kin.peers) + len(i.kin.recalled)))
	for _, p := range i.kin.peers {
		w.string(p.inst.rule.related[p.use].key)
		w.string(p.inst.asset.id)
		w.string(p.inst.dev.dev.ID)
		w.byte(p.inst.lane)
		p.inst.writeSlots(w)
	}
	for _, p := range i.kin.recalled {
		w.string(p.key)
		w.string(p.asset)
		w.string(p.device)
		w.byte(p.lane)
		p.inst.writeSlots(w)
	}
}

// readKin keeps what is remembered of related assets until all of them are read.
func (e *Engine) readKin(r *cursor, i *instance) {
	n := r.count(5)
	if n == 0 {
		return
	}
	i.kin = new(kin)
	for range n {
		if r.bad {
			return
		}
		p := recalled{key: r.string(), asset: r.string(), device: r.string(), lane: r.byte()}
		p.inst = orphan(i.rule, i.asset, i.dev, p.lane)
		for range r.count(10) {
			if r.bad {
				return
			}
			e.readSlot(r, p.inst)
		}
		i.kin.recalled = append(i.kin.recalled, p)
	}
}

func (i *instance) writeSlots(w *writer) {
	w.uint(uint64(len(i.slots)))
	for k := range i.slots {
		s := &i.slots[k]
		w.string(i.rule.slots[k].key)
		w.ints(s.t, s.since, s.until, s.acc)
		w.float(s.v)
		w.float(s.sum)
		w.uint(s.bits)
		w.string(s.word())
		w.uint(uint64(s.n))
		w.byte(byte(s.val))
		w.bool(s.known)
		w.uint(uint64(len(s.cells)))
		for _, c := range s.cells {
			w.int(c.t)
			w.float(c.a)
			w.float(c.b)
		}
		w.uint(uint64(len(s.small())))
		for _, v := range s.small() {
			w.uint(uint64(v))
		}
		w.watcher(s.watcher())
	}
}

func (e *Engine) readChunk(chunk int, data []byte) error {
	r := cursor{b: data}
	if r.byte() != checkpointVersion {
		return fmt.Errorf("%w: unknown version", ErrCheckpoint)
	}
	if seq := r.uint(); seq != e.written[chunk] {
		return fmt.Errorf("%w: it was written at %d, chunk 0 says %d", ErrCheckpoint, seq, e.written[chunk])
	}
	for range r.count(4) {
		if r.bad {
			break
		}
		e.readAsset(&r, chunk)
	}
	return r.done()
}

// readAsset restores devices and points first, makes the instances, and then
// gives them back what they remembered.
func (e *Engine) readAsset(r *cursor, chunk int) {
	id := r.string()
	if r.bad || chunkOf(id) != chunk {
		r.fail()
		return
	}
	a := e.assets[id]
	if a == nil {
		a = e.addAsset(id)
	}
	for range r.count(8) {
		if !r.bad {
			e.readDevice(r, a)
		}
	}
	e.describe(a)
	e.bindAsset(a)
	for range r.count(8) {
		fc := FaultClassByID(r.string())
		if fc == nil || r.bad {
			r.fail()
			return
		}
		c := a.faultClass(fc, true)
		c.open = r.bool()
		c.id = EpisodeID{Site: e.site.ID, Asset: a.id, FaultClass: fc.ID, Seq: r.uint()}
		if !c.open {
			c.id = EpisodeID{}
		}
		c.phase, c.severity = Phase(r.byte()), Severity(r.byte())
		c.onset, c.at, c.shelved, c.done = r.time(), r.time(), r.time(), r.time()
		c.under = EpisodeID{Asset: r.string(), FaultClass: r.string(), Seq: r.uint()}
		if c.under.Seq != 0 {
			c.under.Site = e.site.ID
		}
		c.rule, c.shelvedBy = r.string(), r.string()
		c.alone, c.aloneConn = r.time(), int32(r.int())
		if c.aloneConn < -1 || int(c.aloneConn) >= len(e.conns) || c.alone != 0 && !c.open {
			r.fail()
			return
		}
		if c.alone != 0 {
			e.wait(a)
		}
		c.explains, c.flapping = r.bool(), r.bool()
		if c.over.Seq = r.uint(); c.over.Seq != 0 {
			c.over = EpisodeID{Site: e.site.ID, Asset: a.id, FaultClass: fc.ID, Seq: c.over.Seq}
		}
		c.overAt = r.time()
		for k := range c.opened {
			c.opened[k] = r.time()
		}
	}
	a.readSuppressed(r)
	e.readHeld(r, a)
	for k := range r.count(10) {
		if !r.bad {
			e.readInstance(r, a, k)
		}
	}
}

func (e *Engine) readDevice(r *cursor, a *assetState) {
	v := devices.Device{ID: r.string(), Class: r.string(), Profile: r.string(), Asset: r.string(), Interval: r.time(), Silence: r.time(), Lateness: r.time(), Simulated: r.bool()}
	if r.bad || v.ID == "" {
		r.fail()
		return
	}
	dev := e.reg.Lookup([]byte(v.ID))
	if dev == nil {
		dev = e.reg.Add(v)
	}
	d := e.deviceOn(dev, a)
	d.newest, d.clock, d.clockLive, d.heard, d.heardLive, d.gap = r.time(), r.time(), r.time(), r.time(), r.time(), r.time()
	d.conn = int32(r.int())
	if d.conn < -1 || int(d.conn) >= len(e.conns) {
		r.fail()
		d.conn = -1
	}
	d.timed = r.bool()
	cols := 0
	for range r.count(10) {
		if r.bad {
			return
		}
		pt := devices.Point{Name: r.string(), Role: r.string(), Unit: r.string(), Kind: devices.Kind(r.byte())}
		p := e.reg.AddPoint(dev, pt)
		e.bindPoint(d, p)
		st := &e.points[p.Index]
		st.time, st.validTo = r.time(), r.deadline()
		st.value, st.text = r.float(), r.string()
		st.quality = devices.Quality(r.byte())
		st.ok, st.lost = r.bool(), r.bool()
		// Binding the asset keeps the columns that somebody looks at.
		if st.past = int16(r.int()); st.past < -1 || int(st.past) > cols {
			r.fail()
			st.past = -1
		}
		if int(st.past) == cols {
			cols++
		}
	}
	d.past = readPast(r, cols)
}

// readInstance gives an instance back what it remembered. One that is not made
// of the points known so far waits for them.
func (e *Engine) readInstance(r *cursor, a *assetState, place int) {
	rule, dev, lane := r.string(), r.string(), r.byte()
	it := func(i *instance) bool { return i.rule.ID == rule && i.dev.dev.ID == dev && i.lane == lane }
	k := place // where it was is where it is, unless a point was bound meanwhile
	if place >= len(a.instances) || !it(a.instances[place]) {
		k = slices.IndexFunc(a.instances, it)
	}
	i := orphan(&Rule{}, a, nil, lane)
	if k >= 0 {
		i = a.instances[k]
	} else if x := e.set.Rule(rule); x != nil {
		if d := slices.IndexFunc(a.devices, func(d *deviceState) bool { return d.dev.ID == dev }); d >= 0 {
			i = orphan(x, a, a.devices[d], lane)
			a.orphans = append(a.orphans, i)
		}
	}
	i.t, i.due, i.wake, i.gateAcc = r.time(), r.deadline(), r.time(), r.time()
	i.gate = r.truth()
	busy := r.bool()
	i.busy = busy && k < 0
	for range r.count(8) {
		sev := Severity(r.byte())
		l := limb{onset: r.time(), acc: r.int(), clearAcc: r.int(), val: r.truth(), clear: r.truth(), active: r.bool(), noData: r.bool(), spent: r.bool(), muted: r.bool()}
		if n := slices.IndexFunc(i.rule.Thresholds, func(t Threshold) bool { return t.Severity == sev }); n >= 0 {
			i.limbs[n] = l
		}
	}
	for range r.count(10) {
		if r.bad {
			return
		}
		e.readSlot(r, i)
	}
	e.readKin(r, i)
	if k >= 0 {
		e.setBusy(i, busy)
		i.fresh = false
		i.dev.watched = i.dev.watched || i.rule.clock && i.holds()
		if i.wake != 0 {
			e.wakes.push(wake{i.wake, i.key, i}, e.grid)
		}
	}
}

func (e *Engine) readSlot(r *cursor, i *instance) {
	key := r.string()
	s := slot{t: r.time(), since: r.time(), until: r.deadline(), acc: r.int(), v: r.float(), sum: r.float(), bits: r.uint()}
	more := recall{word: r.string()}
	s.n, s.val, s.known = uint32(r.uint()), r.truth(), r.bool()
	for range r.count(10) {
		s.cells = append(s.cells, cell{r.int(), r.float(), r.float()})
	}
	for range r.count(1) {
		more.small = append(more.small, uint16(r.uint()))
	}
	n := slices.IndexFunc(i.rule.slots, func(x slotSpec) bool {
		return x.key == key && x.cells == len(s.cells) && (len(more.small) == 0 || x.small == len(more.small))
	})
	watch := r.string()
	if n >= 0 {
		more.watch = e.readWatcher(r, i, i.rule.slots[n].watch, watch)
		if more.word != "" || more.small != nil || more.watch != nil {
			s.more = &more
		}
		copy(i.slots[n].cells, s.cells)
		s.cells = i.slots[n].cells
		i.slots[n] = s
	}
}
