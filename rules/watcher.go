package rules

import (
	"cmp"
	"math"
	"slices"

	"github.com/facilityd/facilityd/rules/detect"
)

// A watcher is the memory of one call of anomaly or change: the detector, the
// budget that decides which of its verdicts are worth an order, and the row that
// is being formed.
type watcher struct {
	signal *detect.Signal // one of the three
	joint  *detect.Joint
	change *detect.Change

	budget   *detect.Budget
	perMonth float64

	opened   int64 // when only_while became true; 0 = it is not
	stretch  int64 // number of the stretch of time whose mean is being formed
	last     int64 // time of the newest row
	channels []watched
	row      []float64

	// accepted is set while an episode is open that a person called the new normal:
	// it is learnt from.
	accepted bool
	known    bool           // detector and budget have seen enough
	due      bool           // an order is due
	verdict  detect.Verdict // on the newest row, without its reason
	// reason and order are those of the newest row for which an order was due.
	reason detect.Reason
	order  detect.Order

	rows  uint32
	trail []trace // thinned rows, a ring
}

// watched is one channel of the row that is being formed.
type watched struct {
	seen int64 // time of the newest reading that was looked at
	n    int64
	sum  float64
}

// A trace is a row of the past, for the evidence.
type trace struct {
	t      int64
	values []float32
}

const (
	dayOf       = 24 * 3600 * second
	trailLength = 24
	trailStep   = 6 // rows from one trace to the next
	// watchValid is how many stretches of time a verdict on their means holds.
	watchValid = 4
)

func newWatcher(e *Engine, spec *watchSpec, perMonth float64) *watcher {
	n := len(spec.roles)
	w := &watcher{budget: detect.NewBudget(perMonth), perMonth: perMonth, channels: make([]watched, n), row: make([]float64, n)}
	cfg := detect.Config{Location: e.location, Counter: spec.counter}
	// The number of channels is checked when the rule is compiled.
	switch {
	case spec.step:
		w.change, _ = detect.NewChange(cfg, n)
	case n > 1:
		w.joint, _ = detect.NewJoint(cfg, n)
	default:
		w.signal = detect.NewSignal(cfg)
	}
	return w
}

// look takes what is new, and says what is known of the roles.
func (w *watcher) look(c *evalContext, spec *watchSpec) Truth {
	i := c.inst
	if per := i.budget(); per != w.perMonth {
		w.spend(per)
	}
	if c.open != True {
		w.opened = 0
		for k, role := range spec.roles {
			if p := c.input(role); p != nil {
				w.channels[k].seen = max(w.channels[k].seen, p.time)
			}
		}
		return Unknown
	}
	if w.opened == 0 && i.rule.OnlyWhile != nil {
		w.opened = c.t
	}
	newest, until := int64(0), int64(0)
	for k, role := range spec.roles {
		p := c.input(role)
		if p == nil || !p.ok {
			continue
		}
		until = max(until, p.validTo)
		if p.time > w.channels[k].seen && p.time >= w.opened {
			newest = max(newest, p.time)
		}
	}
	if newest != 0 {
		w.take(c, spec, newest)
	}
	if w.last != 0 {
		until = max(until, w.last+watchValid*spec.width)
	}
	if c.t > until {
		return Unknown
	}
	c.expiry = min(c.expiry, until)
	if !w.known {
		return Unknown
	}
	return truthOf(w.due)
}

// take puts new readings, the newest of time t, into a row.
func (w *watcher) take(c *evalContext, spec *watchSpec, t int64) {
	if spec.width != 0 {
		// Devices of one asset may differ by a little; a day back is a clock that was
		// put right.
		if now := t / spec.width; now > w.stretch || w.stretch-now > dayOf/spec.width {
			w.finish(c, spec)
			w.stretch = now
		}
	}
	for k, role := range spec.roles {
		p, ch := c.input(role), &w.channels[k]
		w.row[k] = math.NaN()
		if p == nil || !p.ok || c.t > p.validTo || p.time < w.opened {
			continue
		}
		w.row[k] = p.value
		if p.time <= ch.seen {
			continue
		}
		ch.seen = p.time
		if spec.counter {
			ch.n, ch.sum = 1, p.value
			continue
		}
		ch.n++
		ch.sum += p.value
	}
	if spec.width == 0 {
		w.feed(c, t)
	}
}

// finish makes a row of the stretch of time that is over.
func (w *watcher) finish(c *evalContext, spec *watchSpec) {
	some := false
	for k := range w.channels {
		ch := &w.channels[k]
		w.row[k] = ch.sum / float64(ch.n) // NaN where nothing was read
		some = some || ch.n > 0
		ch.n, ch.sum = 0, 0
	}
	if some {
		w.feed(c, (w.stretch+1)*spec.width)
	}
}

// feed gives a row to the detector. While a fault is open or known to people, or
// they are at work, nothing is learnt.
func (w *watcher) feed(c *evalContext, t int64) {
	hold := !c.learns(t)
	w.accepted = w.accepted && hold
	hold = hold && !w.accepted
	w.budget.Hold(hold)
	var v detect.Verdict
	switch {
	case w.signal != nil:
		w.signal.Hold(hold)
		v = w.signal.AddUnix(t, w.row[0])
	case w.joint != nil:
		w.joint.Hold(hold)
		v = w.joint.AddUnix(t, w.row)
	default:
		v = w.change.AddUnix(t, w.row)
	}
	o := w.budget.AddUnix(t, v)
	w.known, w.due = v.Known && o.Known, o.Due
	w.last = t
	if o.Due {
		w.reason, w.order = v.Reason, o
	}
	w.verdict, w.verdict.Reason = v, detect.Reason{}
	if w.rows%trailStep == 0 {
		w.remember(t)
	}
	w.rows++
}

// remember keeps the row for the evidence.
func (w *watcher) remember(t int64) {
	x := trace{values: make([]float32, 0, len(w.row))}
	if len(w.trail) < trailLength {
		w.trail = append(w.trail, x)
	} else {
		x.values = w.trail[0].values[:0]
		copy(w.trail, w.trail[1:])
	}
	x.t = t
	for _, v := range w.row {
		x.values = append(x.values, float32(v))
	}
	w.trail[len(w.trail)-1] = x
}

// past returns the rows of a channel that are remembered, oldest first.
func (w *watcher) past(channel int) (times []int64, values []float64) {
	for _, x := range w.trail {
		if v := float64(x.values[channel]); !math.IsNaN(v) {
			times, values = append(times, x.t), append(values, finite(v))
		}
	}
	return times, values
}

// edge is where the usual ends for the channel that the reason names, on the side
// on which it is now.
func (w *watcher) edge() (float64, bool) {
	r := &w.reason
	switch r.Aspect {
	case detect.Level, detect.Rhythm, detect.Spike, detect.Drift, detect.Step:
		return finite(r.Normal + math.Copysign(r.Margin, r.Current-r.Normal)), true
	}
	return 0, false
}

// spend changes the number of orders a month; what was learnt stays.
func (w *watcher) spend(perMonth float64) {
	state, err := w.budget.AppendBinary(nil)
	w.budget, w.perMonth = detect.NewBudget(perMonth), perMonth
	if err == nil {
		// A state that was just written fits; were it not to, the budget begins anew.
		_ = w.budget.UnmarshalBinary(state)
	}
}

// accept takes what is now as normal, and learns from what remains of an episode
// that is open.
func (w *watcher) accept() {
	w.settle()
	w.accepted = true
}

// settle takes what is now as normal.
func (w *watcher) settle() {
	switch {
	case w.signal != nil:
		w.signal.Accept()
	case w.joint != nil:
		w.joint.Accept()
	}
	w.known, w.due = false, false // until the next row
}

// repaired takes the level that follows as normal.
func (w *watcher) repaired() {
	if w.signal != nil {
		w.signal.Repaired()
		w.known, w.due = false, false
		return
	}
	w.settle()
}

// dismiss makes an order that was a false alarm dearer the next time.
func (w *watcher) dismiss() {
	if w.due {
		w.budget.Dismiss(w.order)
	}
}

// append writes the state: its own fields, then detector and budget as they save
// themselves.
func (w *watcher) append(out *writer) {
	out.ints(w.opened, w.stretch, w.last)
	out.uint(uint64(len(w.channels)))
	for _, ch := range w.channels {
		out.ints(ch.seen, ch.n)
		out.float(ch.sum)
	}
	out.bool(w.accepted)
	out.bool(w.known)
	out.bool(w.due)
	r := &w.reason
	out.byte(byte(r.Aspect))
	out.float(r.Current)
	out.float(r.Normal)
	out.float(r.Margin)
	out.int(r.Since)
	out.uint(uint64(r.Channel))
	out.uint(r.Carried)
	out.uint(r.Discounted)
	for _, v := range []float64{w.order.Strength, w.order.Limit, w.order.Lasting, w.order.LastingLimit, w.verdict.Score, w.verdict.Strength} {
		out.float(v)
	}
	out.bool(w.verdict.Known)
	out.bool(w.verdict.Anomalous)
	out.bool(w.verdict.Onset)
	out.uint(uint64(w.rows))
	out.uint(uint64(len(w.trail)))
	for _, x := range w.trail {
		out.int(x.t)
		for _, v := range x.values {
			out.uint(uint64(math.Float32bits(v)))
		}
	}
	// The detectors' AppendBinary has no error but those of future kinds.
	var state []byte
	switch {
	case w.signal != nil:
		state, _ = w.signal.AppendBinary(nil)
	case w.joint != nil:
		state, _ = w.joint.AppendBinary(nil)
	default:
		state, _ = w.change.AppendBinary(nil)
	}
	out.string(string(state))
	state, _ = w.budget.AppendBinary(state[:0])
	out.string(string(state))
}

// read restores the state into a watcher as new.
func (w *watcher) read(r *cursor) {
	w.opened, w.stretch, w.last = r.int(), r.int(), r.int()
	if r.count(10) != len(w.channels) {
		r.fail()
		return
	}
	for k := range w.channels {
		w.channels[k] = watched{seen: r.int(), n: r.int(), sum: r.float()}
	}
	w.accepted, w.known, w.due = r.bool(), r.bool(), r.bool()
	w.reason = detect.Reason{Aspect: detect.Aspect(r.byte()), Current: r.float(), Normal: r.float(), Margin: r.float(),
		Since: r.int(), Channel: int(r.uint()), Carried: r.uint(), Discounted: r.uint()}
	if w.reason.Channel < 0 || w.reason.Channel >= len(w.channels) {
		r.fail()
	}
	w.order = detect.Order{Strength: r.float(), Limit: r.float(), Lasting: r.float(), LastingLimit: r.float()}
	w.verdict = detect.Verdict{Score: r.float(), Strength: r.float(), Known: r.bool(), Anomalous: r.bool(), Onset: r.bool()}
	w.rows = uint32(r.uint())
	n := r.count(2)
	if n > trailLength {
		r.fail()
		return
	}
	for range n {
		x := trace{t: r.int(), values: make([]float32, len(w.channels))}
		for k := range x.values {
			x.values[k] = math.Float32frombits(uint32(r.uint()))
		}
		w.trail = append(w.trail, x)
	}
	state, budget := []byte(r.string()), []byte(r.string())
	if r.bad {
		return
	}
	var err error
	switch {
	case w.signal != nil:
		err = w.signal.UnmarshalBinary(state)
	case w.joint != nil:
		err = w.joint.UnmarshalBinary(state)
	default:
		err = w.change.UnmarshalBinary(state)
	}
	if err != nil || w.budget.UnmarshalBinary(budget) != nil {
		r.fail()
	}
}

// stableSort sorts by a rank and keeps the order within one.
func stableSort[T any](list []T, rank func(T) int) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(rank(a), rank(b)) })
}

// watcher writes a detector's state as one string, empty for none.
func (w *writer) watcher(x *watcher) {
	var own writer
	if x != nil {
		x.append(&own)
	}
	w.string(string(own.b))
}

// readWatcher makes a detector with the state in data; none when data is empty or
// the call has no detector any more.
func (e *Engine) readWatcher(r *cursor, i *instance, spec *watchSpec, data string) *watcher {
	if data == "" || spec == nil || r.bad {
		return nil
	}
	w := newWatcher(e, spec, i.budget())
	own := cursor{b: []byte(data)}
	w.read(&own)
	if own.done() != nil {
		r.fail()
	}
	return w
}
