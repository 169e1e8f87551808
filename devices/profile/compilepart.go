package profile

import (
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// part compiles one part; what it lacks it takes from the source (over) and
// from the profile, where paths mean the whole message.
func (c *compiler) part(s, over *PartSpec, rule *topicRule, root *plan) *part {
	p := &part{index: c.set.parts, plan: root, star: -1, historical: s.Historical}
	c.set.parts++
	top := c.names(rule, root)
	top.metas, top.atRoot = &p.needsMeta, len(s.Fanout) > 0
	names := c.names(rule, root)
	names.metas, names.before = &p.needsMeta, &p.keepValues
	spb := rule.source.chain.mode == spbMode
	if spb {
		names.frames = append(names.frames, spbFrame())
		names.plan, p.own = nil, true
		p.by, p.value = &ref{kind: frameRef, field: frameKey}, &ref{kind: frameRef, field: frameValue}
		p.byKey = make(map[string]int)
		if len(s.Fanout) > 0 {
			c.errorf(child(s.At, "fanout"), "metrics are fanned out already; there is no further fan-out")
		}
	}
	for i := range s.Fanout {
		p.fans = append(p.fans, c.fan(&s.Fanout[i], names))
		p.own = p.own || p.fans[i].own
	}
	if p.own {
		p.plan = newPlan()
		names.plan = p.plan
	}
	names.orRoot = p.own && !spb
	c.partIdentity(p, s, over, names, top)
	p.class = s.Class
	if p.class == "" && over != nil {
		p.class = over.Class
	}
	if p.class == "" {
		p.class = c.spec.Class
	} else {
		c.oneOf(child(s.At, "class"), "class", p.class, devices.Classes...)
	}
	switch {
	case len(s.Time) > 0:
		p.times = c.times(s.Time, names)
		p.timesRoot = len(p.fans) == 0
	case over != nil && len(over.Time) > 0:
		p.times, p.timesRoot = c.times(over.Time, top), true
	default:
		p.times, p.timesRoot = c.times(c.spec.Time, top), true
	}
	switch {
	case s.Quality != nil:
		p.quality = c.qualityOf(s.Quality, names)
	case over != nil && over.Quality != nil:
		p.quality = c.qualityOf(over.Quality, top)
	}
	names.orRoot = false
	if s.By != nil {
		p.by = names.ref(s.By)
		p.byKey = make(map[string]int)
	}
	if s.Value != nil {
		p.value = names.ref(s.Value)
	}
	for _, w := range s.Skip {
		if p.by != nil {
			p.skip = append(p.skip, newGlob(w.Text))
		} else {
			root.add(w.Text) // a field that is known counts as read
		}
	}
	if len(s.Points) == 0 {
		c.errorf(s.At, "no points are given")
	}
	for i := range s.Points {
		e := &s.Points[i]
		pt := c.point(e, p, names)
		if p.by != nil {
			if e.Key == "*" {
				p.star = len(p.points)
			} else {
				p.byKey[e.Key] = len(p.points)
			}
		}
		p.points = append(p.points, pt)
		if pt.role != nil {
			c.set.roles[pt.role.Name] = true
		}
		names.points = append(names.points, e.Key)
	}
	return p
}

// indexSlots lets a part go through the values of a message instead of through
// its points, when nothing in it depends on the order of points.
func (p *part) indexSlots() {
	bySlot := make([]int32, p.plan.slots)
	for i, pt := range p.points {
		if pt.src == nil || pt.src.kind != slotRef || pt.src.match != nil || pt.src.def != nil || pt.required || pt.quality != nil ||
			pt.expr != nil || pt.scaleExpr != nil || bySlot[pt.src.index] != 0 {
			return
		}
		bySlot[pt.src.index] = int32(i) + 1
	}
	if p.by == nil && !p.own {
		p.bySlot = bySlot
	}
}

func (c *compiler) partIdentity(p *part, s, over *PartSpec, names, top *scopeNames) {
	switch {
	case s.Identity != nil:
		p.identity = c.identity(s.Identity, names)
	case over != nil && over.Identity != nil:
		p.identity = c.identity(over.Identity, top)
	case c.spec.Identity != nil:
		p.identity = c.identity(c.spec.Identity, top)
	default:
		i := slices.Index(top.captures, "device")
		if i < 0 {
			c.hintf(s.At, `put {device} into the topic, or write identity: {device: …}`, "nothing says which device a message is about")
			i = 0
		}
		p.identity = &identity{device: &ref{kind: captureRef, index: i}, static: true}
	}
}

func (c *compiler) identity(s *IdentitySpec, names *scopeNames) *identity {
	if s.Device == nil {
		c.hintf(s.At, `device: "{name}" or device: {path: …}`, "identity has no device")
		return &identity{device: &ref{}}
	}
	id := &identity{device: names.ref(s.Device), normalise: c.normalisers(s.Normalise)}
	id.static = id.device.static()
	return id
}
