package detect

import (
	"errors"
	"fmt"
	"math"
)

// States are one byte of kind, one of version, then fields of fixed size, little-endian,
// floats by their bits: what is restored goes on exactly as if it had never stopped.
const (
	kindSignal = 's'
	kindJoint  = 'j'
	kindChange = 'c'
	kindBudget = 'b'

	stateVersion = 1
)

var errState = errors.New("damaged detector state")

// coder walks over the fields of a state, writing them or reading them. One walk for both
// directions cannot let them fall apart.
type coder struct {
	buf  []byte
	read bool
	bad  bool
}

func (c *coder) u64(v *uint64, size int) {
	if !c.read {
		for i := range size {
			c.buf = append(c.buf, byte(*v>>(8*i)))
		}
		return
	}
	if len(c.buf) < size {
		c.bad = true
		return
	}
	*v = 0
	for i := range size {
		*v |= uint64(c.buf[i]) << (8 * i)
	}
	c.buf = c.buf[size:]
}

// integer walks over v in size bytes.
func integer[T ~int8 | ~int16 | ~int32 | ~int64 | ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64](c *coder, v *T, size int) {
	u := uint64(*v)
	c.u64(&u, size)
	if c.read && !c.bad {
		*v = T(u)
	}
}

func (c *coder) f64(v *float64) {
	u := math.Float64bits(*v)
	c.u64(&u, 8)
	if c.read && !c.bad {
		*v = math.Float64frombits(u)
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			c.bad = true
		}
	}
}

func (c *coder) f32(v *float32) {
	u := uint64(math.Float32bits(*v))
	c.u64(&u, 4)
	if c.read && !c.bad {
		*v = math.Float32frombits(uint32(u))
		if f := float64(*v); math.IsNaN(f) || math.IsInf(f, 0) {
			c.bad = true
		}
	}
}

func (c *coder) flag(v *bool) {
	u := uint64(0)
	if *v {
		u = 1
	}
	c.u64(&u, 1)
	if c.read {
		*v = u != 0
	}
}

func (c *coder) check(ok bool) {
	if c.read && !ok {
		c.bad = true
	}
}

func (c *coder) window(w *window) {
	integer(c, &w.next, 1)
	integer(c, &w.n, 1)
	c.check(int(w.next) < len(w.v) && int(w.n) <= len(w.v))
	for i := range w.v {
		c.f32(&w.v[i])
	}
}

func (c *coder) moments(m *moments) {
	c.f64(&m.n)
	c.f64(&m.mean)
	c.f64(&m.variance)
	c.check(m.n >= 0 && m.variance >= 0)
}

func (c *coder) rhythm(r *rhythm) {
	integer(c, &r.unit, 1)
	integer(c, &r.slot, 2)
	integer(c, &r.inSlot, 2)
	c.f32(&r.perDay)
	c.check(r.slot >= -1 && int(r.slot) < len(r.mean))
	for i := range r.mean {
		integer(c, &r.mean[i], 2)
		integer(c, &r.visit[i], 1)
		c.check(r.mean[i]&0x7fff <= pack(packMax))
	}
}

func (c *coder) tail(t *tail) {
	integer(c, &t.base, 2)
	sum := 0
	for i := range t.count {
		integer(c, &t.count[i], 2)
		sum += int(t.count[i])
	}
	c.check(sum <= tailFull && t.base >= 0 && int(t.base) <= key(math.MaxFloat64)-tailBuckets)
	if c.read && !c.bad {
		t.n = uint16(sum)
		t.resplit()
	}
}

func (c *coder) signal(s *Signal) {
	c.flag(&s.counter)
	c.flag(&s.held)
	c.f64(&s.origin)
	integer(c, &s.first, 8)
	integer(c, &s.last, 8)
	c.f64(&s.rows)
	c.f64(&s.previous)
	c.moments(&s.all)
	c.moments(&s.long)
	c.moments(&s.logs)
	integer(c, &s.clipped, 1)
	c.window(&s.recent)
	c.window(&s.blocks)
	c.f64(&s.block)
	integer(c, &s.inBlock, 1)
	c.check(s.inBlock < shortRows)
	c.window(&s.dayOff)
	c.window(&s.weekOff)
	c.rhythm(&s.day)
	c.rhythm(&s.week)
	for i := range s.tails {
		c.tail(&s.tails[i])
	}
	c.f64(&s.alarm.raised)
	integer(c, &s.alarm.rest, 4)
	c.flag(&s.episode.active)
	integer(c, &s.episode.quiet, 1)
	integer(c, &s.episode.since, 8)
	integer(c, &s.settling, 1)
	c.check(s.rows >= 0 && s.alarm.raised >= 0)
}

func (c *coder) channel(ch *channel) {
	c.moments(&ch.values)
	c.moments(&ch.steps)
	c.f64(&ch.last)
	c.f64(&ch.trust)
	c.check(ch.trust >= 0 && ch.trust <= 1)
}

func (c *coder) joint(j *Joint) {
	integer(c, &j.train, 4)
	integer(c, &j.rows, 4)
	c.check(j.train > 0 && j.rows >= 0 && j.rows <= j.train+1)
	c.flag(&j.held)
	c.flag(&j.active)
	integer(c, &j.quiet, 1)
	integer(c, &j.age, 2)
	integer(c, &j.since, 8)
	for i := range j.channels {
		ch := &j.channels[i]
		c.channel(&ch.channel)
		c.window(&ch.recent)
		c.f64(&ch.origin)
		c.f64(&ch.base)
		c.moments(&ch.scale)
		c.f64(&ch.unit)
		c.f64(&ch.early)
		c.f64(&ch.peak)
		c.f64(&ch.distance)
		c.check(ch.unit >= 0 && (ch.unit > 0 || j.rows < j.train))
	}
}

func (c *coder) change(d *Change) {
	integer(c, &d.train, 4)
	integer(c, &d.rows, 4)
	c.check(d.train > 0 && d.rows >= 0 && d.rows <= d.train)
	integer(c, &d.rest, 1)
	for i := range d.channels {
		ch := &d.channels[i]
		c.channel(&ch.channel)
		c.window(&ch.recent)
		c.f64(&ch.origin)
		c.moments(&ch.scale)
		c.f64(&ch.unit)
		c.check(ch.unit >= 0 && (ch.unit > 0 || d.rows < d.train))
	}
}

// AppendBinary appends the state to b.
func (s *Signal) AppendBinary(b []byte) ([]byte, error) {
	c := coder{buf: append(b, kindSignal, stateVersion)}
	c.signal(s)
	return c.buf, nil
}

// MarshalBinary returns the state.
func (s *Signal) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// UnmarshalBinary restores a state into a detector made by [NewSignal]. Configuration stays
// what the detector was made with. After an error the detector is as new.
func (s *Signal) UnmarshalBinary(b []byte) error {
	return restore(b, kindSignal, func(c *coder) { c.signal(s) }, func() {
		*s = *NewSignal(Config{Location: s.loc, Tuning: s.tune, Counter: s.counter})
	})
}

// AppendBinary appends the state to b.
func (j *Joint) AppendBinary(b []byte) ([]byte, error) {
	c := coder{buf: append(b, kindJoint, stateVersion)}
	c.count(len(j.channels))
	c.joint(j)
	return c.buf, nil
}

// MarshalBinary returns the state.
func (j *Joint) MarshalBinary() ([]byte, error) { return j.AppendBinary(nil) }

// UnmarshalBinary restores a state into a detector made by [NewJoint], whatever its number
// of channels. After an error the detector is as new.
func (j *Joint) UnmarshalBinary(b []byte) error {
	train, n := j.train, len(j.channels)
	return restore(b, kindJoint, func(c *coder) {
		if fresh, err := NewJoint(Config{Train: train}, c.count(0)); err == nil {
			*j = *fresh
			c.joint(j)
		} else {
			c.bad = true
		}
	}, func() {
		if fresh, err := NewJoint(Config{Train: train}, n); err == nil {
			*j = *fresh
		}
	})
}

// AppendBinary appends the state to b.
func (d *Change) AppendBinary(b []byte) ([]byte, error) {
	c := coder{buf: append(b, kindChange, stateVersion)}
	c.count(len(d.channels))
	c.change(d)
	return c.buf, nil
}

// MarshalBinary returns the state.
func (d *Change) MarshalBinary() ([]byte, error) { return d.AppendBinary(nil) }

// UnmarshalBinary restores a state into a detector made by [NewChange], whatever its number
// of channels. After an error the detector is as new.
func (d *Change) UnmarshalBinary(b []byte) error {
	train, n := d.train, len(d.channels)
	return restore(b, kindChange, func(c *coder) {
		if fresh, err := NewChange(Config{Train: train}, c.count(0)); err == nil {
			*d = *fresh
			c.change(d)
		} else {
			c.bad = true
		}
	}, func() {
		if fresh, err := NewChange(Config{Train: train}, n); err == nil {
			*d = *fresh
		}
	})
}

// count walks over a number of channels.
func (c *coder) count(n int) int {
	integer(c, &n, 1)
	return n
}

// restore checks the envelope, walks, and puts things back as new if the walk fails.
func restore(b []byte, kind byte, walk func(*coder), reset func()) error {
	if len(b) < 2 || b[0] != kind {
		return fmt.Errorf("%w: not of this kind", errState)
	}
	if b[1] != stateVersion {
		return fmt.Errorf("detector state of version %d: this program reads version %d", b[1], stateVersion)
	}
	c := coder{buf: b[2:], read: true}
	walk(&c)
	if c.bad || len(c.buf) != 0 {
		reset()
		return errState
	}
	return nil
}

func (c *coder) budget(b *Budget) {
	integer(c, &b.block, 8)
	integer(c, &b.last, 8)
	c.f64(&b.observed)
	c.check(b.observed >= 0 && b.observed <= math.MaxInt32)
	c.f64(&b.slow)
	c.flag(&b.spoiled)
	c.flag(&b.held)
	c.flag(&b.open)
	integer(c, &b.told, 8)
	for g := range b.gauges {
		g := &b.gauges[g]
		c.f64(&g.peak)
		c.moments(&g.maxima)
		for i := range g.top {
			c.f32(&g.top[i].strength)
			integer(c, &g.top[i].at, 4)
		}
	}
}

// AppendBinary appends the state to dst.
func (b *Budget) AppendBinary(dst []byte) ([]byte, error) {
	c := coder{buf: append(dst, kindBudget, stateVersion)}
	c.budget(b)
	return c.buf, nil
}

// MarshalBinary returns the state.
func (b *Budget) MarshalBinary() ([]byte, error) { return b.AppendBinary(nil) }

// UnmarshalBinary restores a state; the number of orders per month stays what the budget was
// made with, so that it can be changed without learning again. After an error the budget is as new.
func (b *Budget) UnmarshalBinary(data []byte) error {
	return restore(data, kindBudget, func(c *coder) { c.budget(b) }, func() { *b = *NewBudget(b.perMonth) })
}
