package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/facilityd/facilityd/devices"
)

// run is what one decoder needs while it works on one message. It is reused, so
// that a message costs no memory once the buffers have grown.
type run struct {
	d   *Decoder
	out *Batch
	msg *devices.Message
	now int64 // receive time

	captures  []string
	scanner   scanner
	root      value // the message
	scope     value // what paths look into
	rootSlots []value
	slots     []value // of the scope
	elSlots   []value // memory for slots of elements
	filled    []int32 // slots of the scope that have a value; nil when not known
	rootFill  []int32
	frames    []frame
	elements  int

	historical bool
	rule       *topicRule
	profile    *Profile
	site       *time.Location
	rootTime   int64 // time of the message, once it is known
	rootTimeOK timeState

	binding  *binding // device and points of the element at work
	current  *part
	pathBuf  []byte
	idBuf    []byte
	document []byte // that the field at work is in
	buffers  [][]byte
	used     int
	trace    *Trace
	trouble  string // first problem of this message, for the failure list
	points   map[string]any
}

type timeState uint8

const (
	timeUnknown timeState = iota
	timeOwn
	timeReceived
)

// buffer lends memory until the next message.
func (r *run) buffer() []byte {
	if r.used == len(r.buffers) {
		r.buffers = append(r.buffers, nil)
	}
	r.used++
	return r.buffers[r.used-1]
}

// keep gives grown memory back to the place that buffer took it from.
func (r *run) keep(b []byte) {
	if r.used > 0 && cap(b) > cap(r.buffers[r.used-1]) && cap(b) < 1<<20 {
		r.buffers[r.used-1] = b[:0]
	}
}

// bytesAsString views bytes as a string. What outlives the message is cloned.
func bytesAsString(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

func (r *run) tracef(stage, format string, args ...any) {
	if r.trace != nil {
		r.trace.add(stage, fmt.Sprintf(format, args...))
	}
}

// problem notes what went wrong with a value; the message goes on.
func (r *run) problem(format string, args ...any) {
	if r.trouble == "" {
		r.trouble = fmt.Sprintf(format, args...)
	}
	if r.trace != nil {
		r.trace.add("problem", fmt.Sprintf(format, args...))
	}
}

// holds tests conditions; failed is the first that does not hold.
func (r *run) holds(conds []cond) (ok bool, failed *cond) {
	for i := range conds {
		if !r.cond(&conds[i]) {
			return false, &conds[i]
		}
	}
	return true, nil
}

func (r *run) cond(k *cond) bool {
	if k.expr != nil {
		v, _ := r.eval(k.expr, &r.scope)
		return v.kind == boolValue && v.num == 1
	}
	if k.ref == nil {
		return false
	}
	v := r.get(k.ref)
	if k.exists != nil && *k.exists != (v.kind != noValue) {
		return false
	}
	if k.hasIn && !isOneOf(&v, k.in) {
		return false
	}
	if k.hasNot && isOneOf(&v, k.not) {
		return false
	}
	if k.differs != nil && (v.kind == noValue || k.differs.MatchString(v.text())) {
		return false
	}
	return k.matches == nil || v.kind != noValue && k.matches.MatchString(v.text())
}

// isOneOf compares by number when both are numbers, else by text; a number in
// a string equals the number.
func isOneOf(v *value, list []value) bool {
	for i := range list {
		w := &list[i]
		switch {
		case v.kind == noValue:
			return false
		case v.kind == numberValue && w.kind == numberValue:
			if v.num == w.num {
				return true
			}
		case v.kind == nullValue || w.kind == nullValue:
			if v.kind == w.kind {
				return true
			}
		case v.text() == w.text():
			return true
		}
	}
	return false
}

// time finds the time of the element: candidates in order, then the receive
// time.
func (r *run) time(p *part) (ns int64, own bool) {
	if p.timesRoot {
		if r.rootTimeOK == timeUnknown || r.current != p {
			r.rootTime, r.rootTimeOK = r.candidates(p.times)
			r.current = p
		}
		return r.rootTime, r.rootTimeOK == timeOwn
	}
	ns, state := r.candidates(p.times)
	return ns, state == timeOwn
}

func (r *run) candidates(times []timeCandidate) (int64, timeState) {
	for i := range times {
		t := &times[i]
		if t.receive {
			break
		}
		v := r.get(t.ref)
		if v.kind == noValue || v.kind == nullValue {
			if r.trace != nil {
				r.tracef("time", "candidate %d: absent", i+1)
			}
			continue
		}
		ns, ok := t.format.parse(&v, r.site, r.now)
		switch {
		case !ok:
			if r.trace != nil {
				r.tracef("time", "candidate %d: %q is not %s", i+1, v.text(), t.format.name)
			}
		case ns < r.profile.after:
			if r.trace != nil {
				r.tracef("time", "candidate %d: %s is before what is plausible", i+1, formatTime(ns))
			}
		case ns > r.now+r.profile.future:
			if r.trace != nil {
				r.tracef("time", "candidate %d: %s is too far ahead of the receive time", i+1, formatTime(ns))
			}
		default:
			if r.trace != nil {
				r.tracef("time", "%s from candidate %d", formatTime(ns), i+1)
			}
			return ns, timeOwn
		}
	}
	if r.trace != nil {
		r.tracef("time", "receive time")
	}
	return r.now, timeReceived
}

func formatTime(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

// qualityFor reads a stated quality.
func (r *run) qualityFor(q *qualityOf) devices.Quality {
	if q == nil {
		return devices.Good
	}
	v := r.get(q.ref)
	if v.kind == noValue {
		return devices.Good
	}
	if w, ok := q.byWord[v.text()]; ok {
		return w
	}
	return q.fallback
}

// meta gives a remembered word of the point or of its device.
func (r *run) meta(word string) value {
	if r.binding == nil {
		return value{}
	}
	return r.d.remembered(r.binding.dev, r.binding.pointName, word)
}

// hashText stands for personal data where readings must still be told apart.
func hashText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func sameFloat(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// badNow emits that a point has no value any more.
func (r *run) badNow(p *devices.Point, st *pointState) {
	rd := devices.Reading{Point: p, Time: r.now, Value: math.NaN(), Quality: devices.Bad, Flags: devices.ReceiveTime}
	if r.msg.Retained {
		rd.Flags |= devices.RetainedMessage
	}
	counts := &r.d.states[p.Device.Index].counts
	counts.Decoded++
	counts.Stored++
	st.time, st.value, st.text = rd.Time, rd.Value, ""
	if r.trace != nil {
		r.trace.reading(&rd)
	}
	r.out.Readings = append(r.out.Readings, rd)
}
