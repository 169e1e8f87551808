package profile

import (
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
		Interval: r.profile.interval, Silence: r.profile.silence, Lateness: r.profile.lateness,
		Simulated: d.site.Simulated,
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
		if spec.Lateness > 0 {
			nd.Lateness = int64(spec.Lateness)
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
	if have := b.dev.Point(name); have != nil {
		r.d.renewPoint(pt, have)
		return have
	}
	added := r.d.reg.AddPoint(b.dev, p)
	if status, ok := r.d.memory[memoryKey{b.dev.ID, name, statusWord}]; ok {
		r.d.pointState(added).status = qualityWords[status]
	}
	return added
}
