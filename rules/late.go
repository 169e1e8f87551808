package rules

import (
	"cmp"
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// Where a device declares a lateness, its asset waits that long for stragglers:
// readings are kept in the order of their times and evaluated when the clock of
// their device is so much further. Within that time it does not matter in which
// order they arrive. What comes later still is late, as it is everywhere.

// held is a reading that waits.
type held struct {
	at      int64 // its place in time
	reading devices.Reading
	dev     *deviceState
	conn    int32
}

// mostHeld bounds the readings that wait on one asset; with more the oldest does
// not wait any longer.
const mostHeld = 4096

func (h *held) compare(o *held) int {
	p, q := h.reading.Point, o.reading.Point
	event := func(p *devices.Point) int {
		if p.Kind == devices.Event {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(h.at, o.at), cmp.Compare(h.dev.dev.ID, o.dev.dev.ID), cmp.Compare(event(p), event(q)), cmp.Compare(p.Name, q.Name),
		cmp.Compare(h.reading.Quality, o.reading.Quality), cmp.Compare(h.reading.Value, o.reading.Value), cmp.Compare(h.reading.Text, o.reading.Text))
}

// hold keeps a reading until its time has come. Its device was heard at once.
func (e *Engine) hold(d *deviceState, r *devices.Reading, conn int32) {
	a := d.asset
	e.touch(a)
	h := held{at: r.Time, reading: *r, dev: d, conn: conn}
	switch idx := int(r.Point.Index); {
	case r.Point.Kind == devices.Availability:
		// It is told on the clock of the daemon: it is about what is here already.
		h.at = max(r.Time, d.clock)
		if r.Text != "offline" {
			e.alive(d, conn)
		}
	case r.Point.Kind != devices.Event && idx < len(e.points) && r.Time < e.points[idx].time:
		e.stats.Readings++
		e.stats.Late++
		e.alive(d, conn)
		return
	default:
		e.hear(d, r, conn)
		e.alive(d, conn)
	}
	k, _ := slices.BinarySearchFunc(a.held, &h, func(x held, h *held) int { return cmp.Or(x.compare(h), -1) })
	a.held = slices.Insert(a.held, k, h)
	e.waits(a)
}

// waits remembers an asset on which readings wait.
func (e *Engine) waits(a *assetState) {
	k, known := slices.BinarySearchFunc(e.late, a.id, func(a *assetState, id string) int { return cmp.Compare(a.id, id) })
	if !known {
		e.late = slices.Insert(e.late, k, a)
	}
}

// release evaluates what has waited for long enough, on all assets.
func (e *Engine) release() {
	for k := 0; k < len(e.late); k++ {
		e.releaseOn(e.late[k])
	}
	e.late = slices.DeleteFunc(e.late, func(a *assetState) bool { return len(a.held) == 0 })
}

// releaseOn evaluates what has waited for long enough on an asset, the devices'
// readings of one time together.
func (e *Engine) releaseOn(a *assetState) {
	for len(a.held) > 0 {
		first := a.held[0]
		ripe := len(a.held) > mostHeld || e.ripe(a, &first) || !e.conns[first.conn].up &&
			slices.ContainsFunc(a.held[1:], func(h held) bool { return e.ripe(a, &h) }) // nobody waits for a dead link
		if !ripe {
			return
		}
		e.scratch = e.scratch[:0]
		for k := range a.held {
			h := &a.held[k]
			if h.dev != first.dev || h.reading.Time != first.reading.Time {
				break
			}
			e.scratch = append(e.scratch, h.reading)
		}
		n := len(e.scratch)
		a.held = slices.Delete(a.held, 0, n)
		e.touch(a)
		e.releasing = true
		for k := 0; k < n; {
			k += e.moment(first.dev, e.scratch[k:], first.conn)
		}
		e.releasing = false
	}
}

func (e *Engine) ripe(a *assetState, h *held) bool {
	return a.wait == 0 || e.timeOf(h.dev) >= h.at+a.wait
}

// until is how far the asset's instances may go by the clock of a device: not
// beyond what may still arrive, nor beyond what waits.
func (e *Engine) until(d *deviceState) int64 {
	t := e.timeOf(d)
	if d.wait == 0 {
		return t
	}
	if t -= d.wait; len(d.asset.held) > 0 {
		t = min(t, d.asset.held[0].at)
	}
	return t
}

// setWait takes the lateness of the devices of an asset.
func (a *assetState) setWait() {
	a.wait = 0
	for _, d := range a.devices {
		a.wait = max(a.wait, d.dev.Lateness)
	}
	for _, d := range a.devices {
		d.wait = a.wait
	}
}

// takeHeld takes what waits of a device off its asset.
func (a *assetState) takeHeld(d *deviceState) (out []held) {
	for _, h := range a.held {
		if h.dev == d {
			out = append(out, h)
		}
	}
	a.held = slices.DeleteFunc(a.held, func(h held) bool { return h.dev == d })
	return out
}

func (e *Engine) giveHeld(a *assetState, list []held) {
	if len(list) == 0 {
		return
	}
	a.held = append(a.held, list...)
	slices.SortStableFunc(a.held, func(x, y held) int { return x.compare(&y) })
	e.waits(a)
}

func (a *assetState) writeHeld(w *writer) {
	w.uint(uint64(len(a.held)))
	for k := range a.held {
		h := &a.held[k]
		r, p := &h.reading, h.reading.Point
		w.string(h.dev.dev.ID)
		w.string(p.Name)
		w.string(p.Role)
		w.string(p.Unit)
		w.byte(byte(p.Kind))
		w.ints(h.at, r.Time, int64(h.conn))
		w.float(r.Value)
		w.string(r.Text)
		w.byte(byte(r.Quality))
		w.byte(byte(r.Flags))
	}
}

func (e *Engine) readHeld(r *cursor, a *assetState) {
	for range r.count(10) {
		id := r.string()
		p := devices.Point{Name: r.string(), Role: r.string(), Unit: r.string(), Kind: devices.Kind(r.byte())}
		h := held{at: r.time(), reading: devices.Reading{Time: r.time()}, conn: int32(r.int())}
		h.reading.Value, h.reading.Text = r.float(), r.string()
		h.reading.Quality, h.reading.Flags = devices.Quality(r.byte()), devices.Flags(r.byte())
		k := slices.IndexFunc(a.devices, func(d *deviceState) bool { return d.dev.ID == id })
		if r.bad || k < 0 || h.conn < 0 || int(h.conn) >= len(e.conns) {
			r.fail()
			return
		}
		h.dev = a.devices[k]
		h.reading.Point = e.reg.AddPoint(h.dev.dev, p)
		a.held = append(a.held, h)
	}
	if len(a.held) > 0 {
		e.waits(a)
	}
}
