package profile

import (
	"github.com/facilityd/facilityd/devices"
)

// message decodes one message.
func (d *Decoder) message(m *devices.Message, out *Batch) {
	d.total.messages.Add(1)
	d.spb.applied = nil
	e := d.topic(m.Topic)
	if e == nil {
		d.total.unmatched.Add(1)
		d.coverage.topic(m)
		if d.run.trace != nil {
			d.run.tracef("topic", "no profile reads %s", m.Topic)
		}
		return
	}
	r := &d.run
	r.out, r.msg, r.now = out, m, m.Received
	r.site = d.zone
	taken := false
	var firstErr error
	var firstRule *topicRule
	for i := range e.matched {
		mt := &e.matched[i]
		rule := mt.rule
		if d.waiting.releasing && rule.kind != sourceRule {
			continue
		}
		r.begin(rule, mt.captures)
		if r.trace != nil {
			r.tracef("topic", "%s: %s reads this topic", rule.profile.ID, rule.describe())
		}
		switch rule.kind {
		case rememberRule:
			taken = r.remember(rule.remember) || taken
			continue
		case availRule:
			taken = r.availability(rule) || taken
			continue
		case qualityRule:
			taken = r.qualityTopic(rule.quality) || taken
			continue
		}
		if taken && !rule.also {
			if r.trace != nil {
				r.tracef("topic", "%s: left to what came before", rule.profile.ID)
			}
			continue
		}
		ok, err := r.source(rule, e, i)
		if err != nil {
			if r.trace != nil {
				r.tracef("decode", "%s: %v", rule.profile.ID, err)
			}
			if firstErr == nil {
				firstErr, firstRule = err, rule
			}
			continue
		}
		taken = taken || ok
	}
	switch {
	case taken:
		d.total.decoded.Add(1)
	case firstErr != nil:
		d.total.failed.Add(1)
		d.stats[firstRule.profile.index].Failed.Add(1)
		d.failures.add(m, firstRule.profile.ID, firstErr.Error())
	default:
		d.total.guarded.Add(1)
	}
}

func (r *topicRule) describe() string {
	switch r.kind {
	case rememberRule:
		return "remember"
	case availRule:
		return "availability"
	case qualityRule:
		return "quality"
	}
	return "source " + r.source.name
}

// begin prepares the run for one rule.
func (r *run) begin(rule *topicRule, captures []string) {
	r.rule, r.captures, r.profile = rule, captures, rule.profile
	r.used, r.elements = 0, 0
	r.rootTimeOK, r.current = timeUnknown, nil
	r.historical, r.trouble = false, ""
	r.binding, r.root, r.scope = nil, value{}, value{}
	r.rootSlots = r.rootSlots[:0]
	r.slots, r.points = nil, nil
}

// source decodes a message by one source. ok is false when its guards do not
// hold.
func (r *run) source(rule *topicRule, e *topicEntry, at int) (ok bool, err error) {
	d, src := r.d, rule.source
	stats := &d.stats[rule.profile.index]
	if len(r.msg.Payload) == 0 && src.chain.mode != textMode {
		return r.empty(rule, e, at), nil
	}
	r.coverageFor(rule)
	if src.early != nil {
		r.scope = value{kind: jsonValue, raw: bytesAsString(r.msg.Payload)}
		if ok, failed := r.holds(src.early); !ok {
			if r.trace != nil {
				r.tracef("when", "%s: %s does not hold", rule.profile.ID, failed.text)
			}
			return false, nil
		}
	}
	if src.chain.mode == spbMode {
		return r.sparkplug(rule)
	}
	if err := r.decode(src.chain, src.plan, r.msg.Payload); err != nil {
		return false, err
	}
	r.scope, r.slots = r.root, r.rootSlots
	if ok, failed := r.holds(src.when); !ok {
		if r.trace != nil {
			r.tracef("when", "%s: %s does not hold", rule.profile.ID, failed.text)
		}
		return false, nil
	}
	before := len(r.out.Readings)
	took := false
	for i, p := range src.parts {
		ok, err := r.part(p, e, at, i)
		if err != nil {
			r.out.Readings = r.out.Readings[:before]
			return false, err
		}
		took = took || ok
	}
	if !took {
		return false, nil
	}
	stats.Messages.Add(1)
	stats.Readings.Add(uint64(len(r.out.Readings) - before))
	if r.trouble != "" {
		stats.Bad.Add(1)
		d.failures.add(r.msg, rule.profile.ID, r.trouble)
	}
	r.pokes(rule.profile)
	return true, nil
}

// part runs one part: fan-out, then device, time and points of every element.
func (r *run) part(p *part, e *topicEntry, at, index int) (took bool, err error) {
	r.scope, r.slots = r.root, r.rootSlots
	if index > 0 || len(p.when) > 0 {
		if ok, failed := r.holds(p.when); !ok {
			if r.trace != nil {
				r.tracef("when", "part %d: %s does not hold", index+1, failed.text)
			}
			return false, nil
		}
	}
	if p.historical {
		r.historical = true
		defer func() { r.historical = false }()
	}
	if len(p.fans) == 0 {
		return r.element(p, e, at, index)
	}
	took = true // a list without elements is a message all the same
	r.fanOut(p, 0, func() {
		if p.own {
			r.elSlots = resize(r.elSlots, p.plan.slots)
			r.fillSlots(p.plan)
			r.slots = r.elSlots
		} else {
			r.slots = r.rootSlots
		}
		r.filled = nil
		if _, e := r.element(p, e, at, index); e != nil && err == nil {
			err = e
		}
	})
	return took, err
}

// fillSlots scans the scope, which is part of a checked document.
func (r *run) fillSlots(p *plan) {
	if r.scope.kind == jsonValue {
		unknown := r.scanner.unknown
		r.scanner.unknown = nil
		_ = r.scanner.scan(r.scope.raw, p, r.elSlots)
		r.scanner.unknown = unknown
		return
	}
	if slot, ok := p.index[""]; ok {
		r.elSlots[slot] = r.scope
	}
}

// element emits the readings of one element.
func (r *run) element(p *part, e *topicEntry, at, index int) (bool, error) {
	b, ok := r.bind(p, e, at, index)
	if !ok {
		return false, nil
	}
	if b == nil { // seen, not known
		return true, nil
	}
	r.binding = b
	st := &r.d.states[b.dev.Index]
	if p.needsMeta && r.waitsFor(p, b) && r.d.wait(r, b) {
		st.counts.Decoded++
		st.counts.Pending++
		if r.trace != nil {
			r.tracef("points", "%s waits to be described", b.dev.ID)
		}
		return true, nil
	}
	if st.zone != nil {
		r.site = st.zone
		defer func() { r.site = r.d.zone }()
	}
	if p.keepValues {
		r.points = nil
	}
	ns, own := r.time(p)
	quality := r.qualityFor(p.quality)
	st.lastSeen = max(st.lastSeen, r.now)
	if p.by != nil {
		if err := r.keyed(p, b, ns, own, quality); err != nil {
			return true, err
		}
	} else if p.bySlot != nil && r.filled != nil {
		// A profile may name a hundred points; a message has a few of them.
		for _, slot := range r.filled {
			if i := p.bySlot[slot] - 1; i >= 0 {
				if err := r.point(p, p.points[i], int(i), b, ns, own, quality); err != nil {
					return true, err
				}
			}
		}
	} else {
		for i, pt := range p.points {
			if pt.src != nil && pt.src.kind == slotRef && !pt.required && pt.quality == nil && r.slots[pt.src.index].kind == noValue {
				continue
			}
			if err := r.point(p, pt, i, b, ns, own, quality); err != nil {
				return true, err
			}
		}
	}
	r.alive(st)
	return true, nil
}

// keyed emits the one point that an element is about.
func (r *run) keyed(p *part, b *binding, ns int64, own bool, q devices.Quality) error {
	word := r.get(p.by)
	if word.kind == noValue || word.kind == nullValue {
		return nil
	}
	key := word.text()
	st := &r.d.states[b.dev.Index]
	for _, skip := range p.skip {
		if skip.match(key) {
			st.counts.Decoded++
			st.counts.Ignored++
			return nil
		}
	}
	i, ok := p.byKey[key]
	if !ok {
		if i = p.star; i < 0 {
			st.counts.Decoded++
			st.counts.Unmapped++
			r.d.coverage.unknown(key)
			if r.trace != nil {
				r.tracef("points", "no point for %s", key)
			}
			return nil
		}
	}
	return r.point(p, p.points[i], i, b, ns, own, q)
}
