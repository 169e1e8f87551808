package profile

import (
	"fmt"
	"math"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// bind finds the device of an element and its points. ok is false when the
// element names no device, or one that is pinned to another profile; the
// binding is nil when the device is seen but not known.
func (r *run) bind(p *part, e *topicEntry, at, index int) (b *binding, ok bool) {
	if p.identity.static && e != nil {
		if b := e.bound[at][index]; b != nil {
			return b, true
		}
	}
	id, ok := r.deviceID(p.identity)
	if !ok {
		if r.trace != nil {
			r.tracef("identity", "no device")
		}
		return nil, false
	}
	b, ok = r.d.bind(r, p, id)
	if b != nil && p.identity.static && e != nil {
		e.bound[at][index] = b
	}
	return b, ok
}

// deviceID builds the id; it is valid until the next call.
func (r *run) deviceID(id *identity) ([]byte, bool) {
	buf := r.idBuf[:0]
	if id.device.kind == textRef && id.device.match == nil && id.device.mapping == nil && id.device.normalise == nil {
		var ok bool
		buf, ok = r.appendParts(buf, id.device.parts, false)
		r.idBuf = buf
		if !ok || len(buf) == 0 {
			return nil, false
		}
	} else {
		v := r.get(id.device)
		if v.kind == noValue || v.kind == nullValue || v.text() == "" {
			return nil, false
		}
		buf = append(buf, v.text()...)
		r.idBuf = buf
	}
	if id.normalise != nil {
		s := string(buf)
		for _, n := range id.normalise {
			s = n(s)
		}
		buf = append(buf[:0], s...)
		r.idBuf = buf
	}
	return buf, true
}

func (d *Decoder) bind(r *run, p *part, id []byte) (*binding, bool) {
	dev := d.reg.Lookup(id)
	if dev == nil {
		var known bool
		if dev, known = d.newDevice(r, string(id), p.class); dev == nil {
			return nil, !known
		}
	} else if !d.allowed(r.profile, dev.ID) {
		if r.trace != nil {
			r.tracef("identity", "device %s is read by another profile", dev.ID)
		}
		return nil, false
	}
	st := d.state(dev)
	if st.profile == nil {
		st.profile = r.profile
	}
	for _, b := range st.bindings {
		if b.part == p {
			if r.trace != nil {
				r.tracef("identity", "device %s", dev.ID)
			}
			return b, true
		}
	}
	b := &binding{dev: dev, part: p, points: make([]*devices.Point, len(p.points))}
	st.bindings = append(st.bindings, b)
	if r.trace != nil {
		r.tracef("identity", "device %s", dev.ID)
	}
	return b, true
}

// allowed reports whether a profile may read a device that the site pins.
func (d *Decoder) allowed(p *Profile, id string) bool {
	s := d.spec(id)
	return s == nil || s.Profile == "" || s.Profile == p.ID || s.Profile == p.Name
}

// newDevice adds a device. pinned tells that it belongs to another profile; a
// device that nobody adopted is noted and left out.
func (d *Decoder) newDevice(r *run, id, class string) (dev *devices.Device, pinned bool) {
	spec := d.spec(id)
	if spec == nil && d.site.AdoptListed {
		d.seen.add(id, r.profile, r.msg.Topic, r.now)
		if r.trace != nil {
			r.tracef("identity", "device %s is seen, not known", id)
		}
		return nil, false
	}
	if !d.allowed(r.profile, id) {
		if r.trace != nil {
			r.tracef("identity", "device %s is read by profile %s", id, spec.Profile)
		}
		return nil, true
	}
	nd := devices.Device{
		ID: id, Class: class, Profile: r.profile.ID,
		Interval: r.profile.interval, Silence: r.profile.silence, Simulated: d.site.Simulated,
	}
	if spec != nil {
		nd.Asset = spec.Asset
		nd.Simulated = nd.Simulated || spec.Simulated
		if spec.Class != "" {
			nd.Class = spec.Class
		}
		if spec.Interval > 0 {
			nd.Interval = int64(spec.Interval)
		}
	}
	dev = d.reg.Add(nd)
	st := d.state(dev)
	st.profile = r.profile
	if spec != nil {
		st.zone = spec.TimeZone
	}
	d.underBridge(r, st)
	return dev, false
}

// state returns the state of a device, which may have come into the registry
// by another decoder.
func (d *Decoder) state(dev *devices.Device) *deviceState {
	for len(d.states) <= int(dev.Index) {
		d.states = append(d.states, deviceState{})
	}
	st := &d.states[dev.Index]
	st.dev = dev
	return st
}

func (d *Decoder) pointState(p *devices.Point) *pointState {
	for len(d.points) <= int(p.Index) {
		d.points = append(d.points, pointState{})
	}
	return &d.points[p.Index]
}

// point reads one point of an element and emits it.
func (r *run) point(p *part, pt *point, i int, b *binding, ns int64, own bool, q devices.Quality) error {
	var v value
	switch {
	case pt.src != nil:
		v = r.get(pt.src)
	case pt.expr != nil && p.value == nil:
		v = value{kind: boolValue} // the expression alone gives the value
	case p.value != nil:
		v = r.get(p.value)
	case len(r.frames) > 0 && len(p.fans) > 0:
		v = r.frames[len(p.fans)-1].val
	default:
		v = r.scope
	}
	if v.kind == noValue {
		switch {
		case pt.required:
			return fmt.Errorf("point %s is required and not in the message", pt.key)
		case pt.quality != nil && r.qualityFor(pt.quality) == devices.Bad:
			v = value{kind: nullValue, raw: "null"} // the message says that there is no value
		default:
			return nil
		}
	}
	if (pt.name != nil || p.needsMeta) && !r.namePoint(pt, b) {
		return nil
	}
	if pt.when != nil {
		if ok, _ := r.holds(pt.when); !ok {
			return nil
		}
	}
	st := &r.d.states[b.dev.Index]
	if pt.privacy == "drop" {
		st.counts.Decoded++
		st.counts.Ignored++
		return nil
	}
	var res result
	if pt.plain && v.kind == numberValue {
		f := v.num
		if pt.mul != 1 {
			f *= pt.mul
		}
		if pt.div != 1 {
			f /= pt.div
		}
		f += pt.offset
		if pt.hasConv {
			f = pt.conv.Apply(f)
		}
		res = result{num: f, raw: v.num, kind: numberValue}
		if pt.ranged && (f < pt.lo || f > pt.hi) || math.IsNaN(f) || math.IsInf(f, 0) {
			res = bad("out of range")
		}
	} else {
		var absent bool
		if res, absent = r.transform(pt, v); absent {
			return nil
		}
	}
	if pt.privacy == "hash" && res.kind == stringValue {
		res.text = hashText(res.text)
	}
	if pt.quality != nil {
		q = max(q, r.qualityFor(pt.quality))
	}
	if pt.times != nil {
		var state timeState
		if ns, state = r.candidates(pt.times); state == timeReceived {
			own = false
		} else {
			own = true
		}
	}
	if r.points != nil && res.kind == numberValue {
		r.points[pt.key] = res.num
	}
	r.emit(pt, i, b, res, ns, own, q)
	return nil
}

// namePoint sets the name of the point at work.
func (r *run) namePoint(pt *point, b *binding) bool {
	b.pointName = pt.key
	if pt.name == nil {
		return true
	}
	b.pointName = ""
	v := r.get(pt.name)
	if v.kind == noValue || v.kind == nullValue || v.text() == "" {
		if r.trace != nil {
			r.tracef("points", "%s: no name", pt.key)
		}
		return false
	}
	b.pointName = v.text()
	return true
}

// devicePoint finds or adds the device's point.
func (r *run) devicePoint(pt *point, i int, b *binding, res *result) *devices.Point {
	if pt.name == nil {
		if b.points[i] == nil {
			b.points[i] = r.addPoint(pt, pt.key, b, res)
		}
		return b.points[i]
	}
	if p := b.byName[b.pointName]; p != nil {
		return p
	}
	if b.byName == nil {
		b.byName = make(map[string]*devices.Point)
	}
	name := strings.Clone(b.pointName)
	p := r.addPoint(pt, name, b, res)
	b.byName[name] = p
	return p
}

func (r *run) addPoint(pt *point, name string, b *binding, res *result) *devices.Point {
	if p := b.dev.Point(name); p != nil {
		return p
	}
	p := devices.Point{Name: name, Unit: pt.unit, Kind: pt.kind}
	if pt.role != nil {
		p.Role = pt.role.Name
	}
	if res.unit != nil {
		p.Unit = res.unit.Code
	}
	if !pt.kindKnown {
		switch res.kind {
		case boolValue:
			p.Kind = devices.State
		case stringValue:
			p.Kind = devices.Text
		default:
			p.Kind = devices.Gauge
		}
	}
	added := r.d.reg.AddPoint(b.dev, p)
	if status, ok := r.d.memory[memoryKey{b.dev.ID, name, statusWord}]; ok {
		r.d.pointState(added).status = qualityWords[status]
	}
	return added
}

// emit turns a result into a reading, unless it is a duplicate or has to wait.
func (r *run) emit(pt *point, i int, b *binding, res result, ns int64, own bool, q devices.Quality) {
	d := r.d
	counts := &d.states[b.dev.Index].counts
	counts.Decoded++
	p := r.devicePoint(pt, i, b, &res)
	if res.unit != nil && res.unit.Code != p.Unit {
		if to := devices.UnitByCode(p.Unit); to != nil {
			if conv, err := devices.Convert(res.unit, to, false); err == nil {
				res.num = conv.Apply(res.num)
			} else {
				res = bad(err.Error())
			}
		}
	}
	rd := devices.Reading{Point: p, Time: ns, Quality: q}
	r.fill(&rd, p.Kind, &res)
	st := d.pointState(p)
	rd.Quality = max(rd.Quality, st.status)
	if res.kind == nullValue || rd.Quality == devices.Bad {
		rd.Quality, rd.Value, rd.Text = devices.Bad, math.NaN(), ""
		if res.why != "" && res.why != "null" {
			r.problem("point %s: %s", p.Name, res.why)
		}
	}
	if r.historical || pt.historical {
		rd.Flags |= devices.Historical
	}
	if !own {
		rd.Flags |= devices.ReceiveTime
	}
	if r.msg.Retained {
		rd.Flags |= devices.RetainedMessage
		if !own && rd.Quality == devices.Good {
			rd.Quality = devices.Uncertain
		}
	}
	if p.Kind == devices.Event && pt.id != nil && !r.newEvent(pt, b, p) {
		counts.Duplicate++
		if r.trace != nil {
			r.tracef("points", "%s: event was there before", p.Name)
		}
		return
	}
	if !r.order(pt, st, &rd, res.raw, own) {
		counts.Duplicate++
		if r.trace != nil {
			r.tracef("points", "%s: duplicate", p.Name)
		}
		return
	}
	counts.Stored++
	if r.trace != nil {
		r.trace.reading(&rd)
	}
	r.out.Readings = append(r.out.Readings, rd)
}

// fill writes a result into the fields that its kind uses.
func (r *run) fill(rd *devices.Reading, kind devices.Kind, res *result) {
	rd.Value = res.num
	switch kind {
	case devices.State:
		if res.kind == stringValue {
			rd.Text = res.text
		} else if res.kind == numberValue && res.num != 0 && res.num != 1 {
			rd.Text = numValue(res.num).raw
		}
	case devices.Text:
		rd.Text = res.text
		if res.kind == boolValue || res.kind == numberValue && res.text == "" {
			v := numValue(res.num)
			if rd.Text = v.raw; res.kind == boolValue {
				rd.Text = [2]string{"false", "true"}[int(res.num)]
			}
		}
		rd.Value = math.NaN()
	case devices.Event:
		switch res.kind {
		case boolValue:
			rd.Text = [2]string{"false", "true"}[int(res.num)]
		case numberValue:
			rd.Text = numValue(res.num).raw
		default:
			rd.Text = res.text
		}
	default:
		if res.kind == stringValue { // words for a point that has numbers
			*res = bad("words for a number: " + clip(res.text))
		}
	}
}

// order compares a reading with what its point had: false for a duplicate;
// older readings become historical, counters get their growth.
func (r *run) order(pt *point, st *pointState, rd *devices.Reading, raw float64, own bool) bool {
	counter := rd.Point.Kind == devices.Counter
	if counter {
		rd.Delta = math.NaN()
	}
	same := st.have && sameFloat(st.value, rd.Value) && st.text == rd.Text
	event := rd.Point.Kind == devices.Event
	switch {
	case !own && r.msg.Retained:
		// The broker's copy of what came live before tells nothing new; another
		// value may be newer than what came live, nobody knows.
		if same && st.live {
			return false
		}
	case st.have && rd.Time == st.time && same && own && !event:
		return false
	case st.have && own && rd.Time < st.time && rd.Flags&devices.Historical == 0,
		st.have && own && rd.Flags&devices.Historical != 0:
		if !event && st.wasLate(rd) {
			return false
		}
		rd.Flags |= devices.Historical
		rd.Text = st.share(rd.Text)
		if !event {
			st.addLate(rd)
		}
		return true
	case rd.Flags&devices.Historical != 0:
		rd.Text = strings.Clone(rd.Text)
		if !event {
			if st.wasLate(rd) {
				return false
			}
			st.addLate(rd)
		}
		return true
	}
	if counter && rd.Quality != devices.Bad && st.have && !math.IsNaN(st.raw) {
		rd.Delta = pt.quantity(pt.counter.growth(st.raw, raw))
	}
	rd.Text = st.share(rd.Text)
	st.time, st.value, st.text, st.have = rd.Time, rd.Value, rd.Text, true
	if rd.Quality != devices.Bad {
		st.raw = raw
	}
	if !r.msg.Retained {
		st.live = true
	}
	return true
}

// share returns the text that the state holds already when it is the same:
// readings outlive the message whose memory the text points into.
func (st *pointState) share(text string) string {
	if text == "" || st.text == text {
		return st.text[:len(text)]
	}
	return strings.Clone(text)
}

func (st *pointState) wasLate(rd *devices.Reading) bool {
	if st.late == nil {
		return false
	}
	for i := range st.late {
		l := &st.late[i]
		if l.time == rd.Time && sameFloat(l.value, rd.Value) && l.text == rd.Text {
			return true
		}
	}
	return false
}

func (st *pointState) addLate(rd *devices.Reading) {
	if st.late == nil {
		st.late = new([8]lateReading)
	}
	st.late[st.lateAt%8] = lateReading{rd.Time, rd.Value, rd.Text}
	st.lateAt++
}

// growth is what a counter counted between two raw values. A drop of more than
// half the range is a roll-over, any other drop a reset to 0.
func (c *counterOf) growth(from, to float64) float64 {
	switch {
	case to >= from:
		return to - from
	case c.modulus > 0 && from-to > c.modulus/2:
		return c.modulus - from + to
	case c.detect:
		return to
	}
	return math.NaN()
}

// quantity brings a growth in counts into the unit of the readings.
func (pt *point) quantity(counts float64) float64 {
	f := counts * pt.mul / pt.div
	if pt.hasConv {
		f = pt.conv.Apply(f)
	}
	return f
}
