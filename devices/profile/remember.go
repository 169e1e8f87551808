package profile

import (
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// remember is a compiled RememberSpec.
type remember struct {
	chain    *chain
	plan     *plan
	when     []cond
	fans     []fan
	own      bool
	elPlan   *plan
	identity *identity
	point    *ref
	words    []rememberWord
	part     *part
}

type rememberWord struct {
	name string
	ref  *ref
}

// memoryKey names one remembered word: of a point, or of the device when point
// is "".
type memoryKey struct{ device, point, word string }

// maxMemory bounds the number of remembered words of a site.
const maxMemory = 1 << 20

func (c *compiler) remember(s *RememberSpec) {
	rule := c.rule(rememberRule, s.Topic, nil)
	m := &remember{plan: newPlan()}
	rule.remember = m
	m.chain = c.chain(s.Decode, "json")
	top := c.names(rule, m.plan)
	m.when = c.when(&s.When, top)
	names := c.names(rule, m.plan)
	for i := range s.Fanout {
		m.fans = append(m.fans, c.fan(&s.Fanout[i], names))
		m.own = m.own || m.fans[i].own
	}
	m.elPlan = m.plan
	if m.own {
		m.elPlan = newPlan()
		names.plan = m.elPlan
	}
	switch {
	case s.Identity != nil:
		m.identity = c.identity(s.Identity, names)
	case slices.Contains(names.captures, "device"):
		m.identity = &identity{device: &ref{kind: captureRef, index: slices.Index(names.captures, "device")}, static: true}
	case c.spec.Identity != nil:
		m.identity = c.identity(c.spec.Identity, names)
	default:
		c.hintf(s.At, "put {device} into the topic, or write identity: {device: …}", "nothing says which device is described")
		m.identity = &identity{device: &ref{}}
	}
	if s.Point != nil {
		m.point = names.ref(s.Point)
	}
	if len(s.Values) == 0 {
		c.hintf(s.At, "values: {unit: {path: unit}}", "there is nothing to remember")
	}
	for i := range s.Values {
		m.words = append(m.words, rememberWord{s.Values[i].Key, names.ref(&s.Values[i].Value)})
	}
	m.part = &part{index: c.set.parts, class: c.spec.Class, identity: m.identity, fans: m.fans, own: m.own, plan: m.elPlan}
	c.set.parts++
}

// remember keeps what a message says about devices, then decodes what waited
// for it.
func (r *run) remember(m *remember) bool {
	if len(r.msg.Payload) == 0 {
		return true
	}
	if err := r.decode(m.chain, m.plan, r.msg.Payload); err != nil {
		r.d.failures.add(r.msg, r.profile.ID, "remember: "+err.Error())
		r.tracef("remember", "%v", err)
		return false
	}
	r.scope, r.slots = r.root, r.rootSlots
	if ok, failed := r.holds(m.when); !ok {
		r.tracef("remember", "%s does not hold", failed.text)
		return false
	}
	r.d.stats[r.profile.index].Messages.Add(1)
	var described []string
	whole := false // the message describes the device, not one point of it
	r.fanOut(m.part, 0, func() {
		if m.own {
			r.elSlots = resize(r.elSlots, m.elPlan.slots)
			r.fillSlots(m.elPlan)
			r.slots = r.elSlots
		}
		id, ok := r.deviceID(m.identity)
		if !ok {
			return
		}
		key := memoryKey{device: string(id)}
		if m.point != nil {
			v := r.get(m.point)
			if v.kind == noValue {
				return
			}
			key.point = string(append([]byte(nil), v.text()...))
		}
		for _, w := range m.words {
			v := r.get(w.ref)
			if v.kind == noValue || v.kind == nullValue {
				continue
			}
			key.word = w.name
			if _, have := r.d.memory[key]; !have && len(r.d.memory) >= maxMemory {
				continue
			}
			r.d.memory[key] = string(append([]byte(nil), v.text()...))
			r.tracef("remember", "%s %s: %s = %s", key.device, key.point, key.word, v.text())
		}
		// That a device or point was described is remembered even when a word
		// is missing, so that nothing waits for what will not come.
		key.word = ""
		r.d.memory[key] = "described"
		whole = whole || m.point == nil || len(m.fans) > 0
		if !slices.Contains(described, key.device) {
			described = append(described, key.device)
		}
	})
	for _, id := range described {
		if whole {
			r.d.memory[memoryKey{device: id}] = "described"
		}
		r.d.release(id, r.out, false)
	}
	return true
}

// remembered gives a word of a point, else of its device.
func (d *Decoder) remembered(dev *devices.Device, point, word string) value {
	if s, ok := d.memory[memoryKey{dev.ID, point, word}]; ok {
		return textValue(s)
	}
	if s, ok := d.memory[memoryKey{dev.ID, "", word}]; ok {
		return textValue(s)
	}
	return value{}
}

// waitsFor reports whether neither a device nor a point of the part has been
// described yet.
func (r *run) waitsFor(p *part, b *binding) bool {
	if _, ok := r.d.memory[memoryKey{device: b.dev.ID}]; ok {
		return false
	}
	for _, pt := range p.points {
		if r.namePoint(pt, b) {
			if _, ok := r.d.memory[memoryKey{device: b.dev.ID, point: b.pointName}]; ok {
				return false
			}
		}
	}
	return true
}

// waitingRoom holds messages whose readings need metadata that has not come.
type waitingRoom struct {
	messages  []waitingMessage
	releasing bool // messages are being decoded again
	forced    bool // and nothing waits any longer
}

type waitingMessage struct {
	device string
	msg    devices.Message
}

// Bounds of the waiting room. When it is full the oldest message is decoded
// without its metadata: a value without unit is better than none.
const (
	maxWaiting          = 1024
	maxWaitingPerDevice = 64
	// maxWait is how long a device may go undescribed before it is decoded as it
	// is.
	maxWait = time.Minute
)

// wait keeps the message at work until its device is described. false means
// that it has to go on without.
func (d *Decoder) wait(r *run, b *binding) bool {
	if d.waiting.forced || len(d.waiting.messages) >= maxWaiting {
		return false
	}
	n := 0
	for i := range d.waiting.messages {
		w := &d.waiting.messages[i]
		if w.device == b.dev.ID {
			if r.now-w.msg.Received > int64(maxWait) {
				d.release(w.device, r.out, true)
				return false
			}
			if w.msg.Topic == r.msg.Topic && w.msg.Received == r.msg.Received && string(w.msg.Payload) == string(r.msg.Payload) {
				return true // another reading of the same message
			}
			n++
		}
	}
	if n >= maxWaitingPerDevice {
		return false
	}
	m := *r.msg
	m.Topic = string(append([]byte(nil), m.Topic...))
	m.Payload = slices.Clone(m.Payload)
	d.waiting.messages = append(d.waiting.messages, waitingMessage{b.dev.ID, m})
	return true
}

// release decodes the messages that waited for a device. Those whose point is
// still not described wait on, unless they are forced.
func (d *Decoder) release(device string, out *Batch, forced bool) {
	var ready []devices.Message
	d.waiting.messages = slices.DeleteFunc(d.waiting.messages, func(w waitingMessage) bool {
		if w.device == device {
			ready = append(ready, w.msg)
			return true
		}
		return false
	})
	if len(ready) == 0 {
		return
	}
	if dev := d.reg.Lookup([]byte(device)); dev != nil { // they are counted again
		c := &d.state(dev).counts
		c.Decoded, c.Pending = c.Decoded-c.Pending, 0
	}
	// The run is at work on the description: the waiting messages get their own.
	saved := d.run
	d.run = run{d: d, trace: saved.trace}
	d.run.scanner.unknown = saved.scanner.unknown
	releasing, outer := d.waiting.releasing, d.waiting.forced
	d.waiting.releasing, d.waiting.forced = true, forced || outer
	for i := range ready {
		d.total.messages.Add(^uint64(0)) // it was counted when it came
		d.total.decoded.Add(^uint64(0))
		d.message(&ready[i], out)
	}
	d.waiting.releasing, d.waiting.forced = releasing, outer
	d.run = saved
}

// qualityTopic is a compiled QualitySpec.
type qualityTopic struct {
	chain    *chain
	plan     *plan
	when     []cond
	identity *identity
	point    *ref
	set      devices.Quality
}

func (c *compiler) qualityTopic(s *QualitySpec) {
	rule := c.rule(qualityRule, s.Topic, nil)
	q := &qualityTopic{plan: newPlan()}
	rule.quality = q
	q.chain = c.chain(s.Decode, "json_or_text")
	names := c.names(rule, q.plan)
	q.when = c.when(&s.When, names)
	if len(q.when) == 0 {
		c.hintf(s.At, "when: value != 'ok'", "nothing says when the quality is set")
	}
	if c.oneOf(child(s.At, "set"), "quality", s.Set, "uncertain", "bad") {
		q.set = qualityWords[s.Set]
	}
	switch {
	case s.Identity != nil:
		q.identity = c.identity(s.Identity, names)
	case slices.Contains(names.captures, "device"):
		q.identity = &identity{device: &ref{kind: captureRef, index: slices.Index(names.captures, "device")}, static: true}
	default:
		c.hintf(s.At, "put {device} into the topic, or write identity: {device: …}", "nothing says which device this is about")
		q.identity = &identity{device: &ref{}}
	}
	switch {
	case s.Point != nil:
		q.point = names.ref(s.Point)
	case slices.Contains(names.captures, "point"):
		q.point = &ref{kind: captureRef, index: slices.Index(names.captures, "point")}
	default:
		c.hintf(s.At, `put {point} into the topic, or write point: name`, "nothing says which point this is about")
		q.point = &ref{}
	}
}

// qualityTopic sets or lifts the quality of a point (of all, for *). When it is
// lowered, a bad reading says so at once; when it is lifted, the next value is
// good again.
func (r *run) qualityTopic(q *qualityTopic) bool {
	if err := r.decode(q.chain, q.plan, r.msg.Payload); err != nil {
		r.d.failures.add(r.msg, r.profile.ID, "quality: "+err.Error())
		return false
	}
	r.scope, r.slots = r.root, r.rootSlots
	id, ok := r.deviceID(q.identity)
	if !ok {
		return false
	}
	set, _ := r.holds(q.when)
	dev := r.d.reg.Lookup(id)
	if dev == nil {
		var known bool
		if dev, known = r.d.newDevice(r, string(id), r.profile.Class); dev == nil {
			return !known
		}
	}
	v := r.get(q.point)
	name := v.text()
	to := devices.Good
	if set {
		to = q.set
	}
	if name != "*" && dev.Point(name) == nil {
		// The status may come before the first value; the kind is not known.
		r.d.memory[memoryKey{dev.ID, string(append([]byte(nil), name...)), statusWord}] = to.String()
		return true
	}
	for _, p := range dev.Points {
		if p.Kind == devices.Availability || name != "*" && p.Name != name {
			continue
		}
		st := r.d.pointState(p)
		if st.status == to {
			continue
		}
		st.status = to
		r.tracef("quality", "%s of %s is %s", p.Name, dev.ID, to)
		if to == devices.Bad && st.have {
			r.badNow(p, st)
		}
	}
	return true
}

// statusWord is where the status of a point waits for its first value.
const statusWord = "\x00status"
