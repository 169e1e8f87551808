package rules

import (
	"cmp"
	"math/bits"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// Timing says how the engine waits. The zero value is replaced by the defaults.
type Timing struct {
	// Grace is how long steps that need a clock are withheld after a connection
	// came up, because what was queued meanwhile still arrives. A reading taken
	// before the connection came up prolongs it, up to MaxGrace.
	Grace, MaxGrace time.Duration
	// Slack is how late a reading with its own time may be delivered before the
	// clock goes ahead without it.
	Slack time.Duration
	// Recheck is how long a condition must go on holding after a person cleared
	// its episode by hand, before it opens another.
	Recheck time.Duration
}

// DefaultTiming is what a daemon uses.
var DefaultTiming = Timing{Grace: 10 * time.Second, MaxGrace: 10 * time.Minute, Slack: 5 * time.Second, Recheck: 10 * time.Minute}

func (t Timing) orDefault() Timing {
	return Timing{
		Grace: cmp.Or(t.Grace, DefaultTiming.Grace), MaxGrace: cmp.Or(t.MaxGrace, DefaultTiming.MaxGrace),
		Slack: cmp.Or(t.Slack, DefaultTiming.Slack), Recheck: cmp.Or(t.Recheck, DefaultTiming.Recheck),
	}
}

// latest is the last time that the engine reckons with, in 2200: sums of it and
// any duration do not overflow.
var latest = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// reckoned brings a time that a person gave into what the engine reckons with.
func reckoned(t time.Time) int64 {
	switch {
	case t.Year() < 1970:
		return 0
	case t.Year() >= 2200:
		return latest
	}
	return t.UnixNano()
}

// A connection has a clock of its own that runs only while the daemon listens:
// while the daemon or the link is down, and during the grace after, no device
// is silent and no delay runs out.
type connection struct {
	name   string
	up     bool
	since  int64 // journal time at which it last came up
	hold   int64 // journal time until which its clock stands still
	live   int64 // its clock, in nanoseconds
	upLive int64 // its clock when it last came up
}

// tick moves journal time to t.
func (e *Engine) tick(t int64) {
	for i := range e.conns {
		if c := &e.conns[i]; c.up {
			if from := max(e.now, c.hold); t > from {
				c.live += t - from
			}
		}
	}
	e.now = max(e.now, t)
}

func (e *Engine) connection(name string) int32 {
	for i := range e.conns {
		if e.conns[i].name == name {
			return int32(i)
		}
	}
	e.conns = append(e.conns, connection{name: name})
	return int32(len(e.conns) - 1)
}

func (e *Engine) linkUp(i int32) {
	c := &e.conns[i]
	c.up, c.since, c.upLive = true, e.now, c.live
	c.hold = e.now + int64(e.timing.Grace)
}

// backlog is told of a reading that was taken before its connection came up:
// what was queued is still arriving.
func (e *Engine) backlog(i int32, t int64) {
	c := &e.conns[i]
	if t < c.since && e.now < c.hold {
		c.hold = max(c.hold, min(e.now+int64(e.timing.Grace), c.since+int64(e.timing.MaxGrace)))
	}
}

// timeOf is the time that it is on the device: the time of its newest reading
// and what has passed on the connection's clock since, less the slack for what
// is still on its way. It follows clocks that are wrong, and stands still while
// nobody listens.
func (e *Engine) timeOf(d *deviceState) int64 {
	if d.conn < 0 {
		return d.clock
	}
	passed := e.conns[d.conn].live - d.clockLive
	if d.timed {
		passed = max(0, passed-int64(e.timing.Slack))
	}
	return d.clock + passed
}

// instanceTime is the time up to which an instance may be moved without a reading.
func (e *Engine) instanceTime(i *instance) int64 {
	if i.rule.clock {
		return e.now
	}
	t := int64(never)
	for _, d := range i.devs {
		t = min(t, e.until(d))
	}
	if t == never {
		return i.t
	}
	return t
}

// silent tells whether the instance's device has said nothing for so many of
// its intervals.
func (c *evalContext) silent(times float64, least int64) Truth {
	e, d := c.engine, c.inst.dev
	if d.dev.Interval <= 0 && d.dev.Silence <= 0 {
		return Unknown
	}
	need := max(int64(times*float64(d.dev.Interval)), least)
	if d.dev.Silence > 0 {
		need = d.dev.Silence // the profile knows better
	}
	passed := e.quiet(d)
	if passed >= need {
		return True
	}
	c.wakeAt(c.t + need - passed)
	return False
}

// quiet is how long the device has been silent while it could have been heard.
func (e *Engine) quiet(d *deviceState) int64 {
	if d.conn >= 0 {
		c := &e.conns[d.conn]
		return c.live - max(d.heardLive, c.upLive)
	}
	passed := int64(never)
	for i := range e.conns {
		passed = min(passed, e.conns[i].live-e.conns[i].upLive)
	}
	if passed == never {
		return 0
	}
	return passed
}

// heard tells whether the device behind a role is there: something of it is
// still valid.
func (c *evalContext) heard(role int) bool {
	idx := c.inst.bind[role]
	if idx < 0 {
		return false
	}
	d := c.engine.place(c.engine.points[idx].device)
	if until := d.newest + d.valid; c.t <= until {
		c.expiry = min(c.expiry, until)
		return true
	}
	return false
}

const second = int64(time.Second)

// schedule puts a busy instance into the queue, at the first whole second at
// which its time can have come.
func (e *Engine) schedule(i *instance) {
	e.touch(i.asset)
	if i.due == never {
		i.wake = 0
		return
	}
	wait := min(max(0, i.due-e.instanceTime(i)), int64(maxDuration))
	at := e.now + wait
	if at = (at + second - 1) / second * second; at <= e.grid {
		at = e.grid + second
	}
	if i.wake != 0 && i.wake <= at {
		return // it will look again then
	}
	i.wake = at
	e.wakes.push(wake{at, i.key, i}, e.grid)
}

// runGrid takes the steps that are due by the clock, second by second.
func (e *Engine) runGrid() {
	grid := e.now / second * second
	if grid > e.grid && len(e.late) > 0 {
		e.release()
	}
	if grid > e.grid && len(e.freed) > 0 {
		defer e.endReprieves() // those that clear in this second have cleared
	}
	for {
		at, ok := e.wakes.next(e.grid, grid)
		if !ok {
			break
		}
		e.grid = at
		list := e.wakes.take(at)
		for k, w := range list {
			e.ahead.fetchWakes(list[k:])
			i := w.inst
			if i.dead || i.wake != w.at {
				continue
			}
			i.wake = 0
			if i.rule.clock {
				e.advance(i, e.now)
			} else {
				e.advanceAsset(i.asset, e.instanceTime)
			}
			e.schedule(i)
		}
	}
	e.grid = grid
}

// advanceAsset takes the steps of an asset's instances that are due by the time
// that each may be moved to, in the order of time, with the readings as they are.
func (e *Engine) advanceAsset(a *assetState, limit func(*instance) int64) {
	for {
		var next *instance
		a.next = never
		look := func(i *instance) {
			if !i.busy || i.rule.clock {
				return
			}
			a.next = min(a.next, i.due)
			if (next == nil || i.due < next.due) && i.due <= limit(i) {
				next = i
			}
		}
		for k, word := range a.busy {
			for ; word != 0; word &= word - 1 {
				look(&a.block[64*k+bits.TrailingZeros64(word)])
			}
		}
		for k := range a.visitors {
			look(a.visitors[k].inst)
		}
		if next == nil {
			return
		}
		e.advance(next, next.due)
	}
}

// announce tells the assets that an instance looks at when it is due.
func (i *instance) announce() {
	if i.due == never || i.rule.clock {
		return
	}
	i.asset.next = min(i.asset.next, i.due)
	for _, p := range i.peers() {
		p.inst.asset.next = min(p.inst.asset.next, i.due)
	}
}

// advance takes the steps of an instance that are due by time t.
func (e *Engine) advance(i *instance, t int64) {
	for i.due <= t {
		due := max(i.due, i.t)
		e.step(i, due)
		if i.due <= due {
			i.due = due + 1 // a step always gets on
		}
	}
}

// delivering marks a connection up that delivers though nobody said so.
func (e *Engine) delivering(rec *devices.Record) int32 {
	i := e.connection(rec.Connection)
	if !e.conns[i].up {
		e.linkUp(i)
	}
	return i
}
