package profile

import (
	"slices"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile/sparkplug"
)

// spbHost is the one Sparkplug B host of a decoder. Several sources may read
// the same message; it is applied to the sessions once.
type spbHost struct {
	host    *sparkplug.Host
	res     sparkplug.Result
	applied *devices.Message
	err     error
	topic   splitTopic
	bound   []*binding // per part, of the source of the metric at work
}

// spbWords are the words of a metric, beside $metric, $value and $key.
var spbWords = []string{"metric", "unit", "type"}

// spbFrame is the element that points of a sparkplug_b source look at: one
// metric. Its name is the key, its value the scope.
func spbFrame() frameNamesOf { return frameNamesOf{names: spbWords, own: true} }

func (h *spbHost) apply(m *devices.Message) error {
	if h.host == nil {
		h.host = sparkplug.NewHost(sparkplug.Config{})
	}
	if h.applied != m {
		h.applied = m
		h.res.Reset()
		h.err = h.host.Apply(m.Topic, m.Payload, m.Received, &h.res)
	}
	return h.err
}

// sparkplug decodes one message of a sparkplug_b source.
func (r *run) sparkplug(rule *topicRule) (bool, error) {
	h := &r.d.spb
	fresh := h.applied != r.msg
	if err := h.apply(r.msg); err != nil {
		return false, err
	}
	res, stats := &h.res, &r.d.stats[rule.profile.index]
	if fresh {
		for i := range res.Actions {
			a := &res.Actions[i]
			r.out.Actions = append(r.out.Actions, Action{Profile: rule.profile.ID, Kind: Rebirth, Topic: a.Topic, Payload: slices.Clone(a.Payload)})
			if r.trace != nil {
				r.tracef("decode", "rebirth is asked for: %s", a.Reason)
			}
		}
	}
	if res.Dropped != "" {
		r.problem("dropped: %s", res.Dropped)
		stats.Bad.Add(1)
		r.d.failures.add(r.msg, rule.profile.ID, "dropped: "+res.Dropped)
	}
	stats.Messages.Add(1)
	before := len(r.out.Readings)
	captures := r.captures
	for i := range res.Availability {
		r.spbAvailability(rule, &res.Availability[i])
	}
	for i := range res.Metrics {
		m := &res.Metrics[i]
		if i == 0 || m.Source != res.Metrics[i-1].Source {
			h.bound = h.bound[:0]
			if r.captures = h.captures(rule, m.Source, captures); r.captures != nil {
				for _, p := range rule.source.parts {
					b, _ := r.bind(p, nil, 0, 0)
					h.bound = append(h.bound, b)
				}
			}
		}
		if len(h.bound) == 0 {
			continue
		}
		if err := r.metric(rule, m); err != nil {
			return false, err
		}
	}
	r.captures = captures
	stats.Readings.Add(uint64(len(r.out.Readings) - before))
	if r.trouble != "" && res.Dropped == "" {
		stats.Bad.Add(1)
		r.d.failures.add(r.msg, rule.profile.ID, r.trouble)
	}
	r.pokes(rule.profile)
	return true, nil
}

// captures are the topic words of a node or device. The death of a node is
// about devices whose names are not in its topic.
func (h *spbHost) captures(rule *topicRule, src sparkplug.Source, have []string) []string {
	topic := sparkplug.Namespace + "/" + src.Group + "/"
	if src.Device == "" {
		topic += "NDATA/" + src.Node
	} else {
		topic += "DDATA/" + src.Node + "/" + src.Device
	}
	h.topic.split(topic)
	captures := make([]string, len(have))
	for i := range rule.topics {
		if rule.topics[i].match(&h.topic, captures) {
			return captures
		}
	}
	return nil
}

func (r *run) spbAvailability(rule *topicRule, a *sparkplug.Availability) {
	captures := r.captures
	defer func() { r.captures = captures }()
	if r.captures = r.d.spb.captures(rule, a.Source, captures); r.captures == nil {
		return
	}
	p := rule.source.parts[0]
	id, ok := r.deviceID(p.identity)
	if !ok {
		return
	}
	b, _ := r.d.bind(r, p, id)
	if b == nil {
		return
	}
	st := &r.d.states[b.dev.Index]
	st.avail.own, st.avail.implied = a.State.String(), false
	ns, own := a.Time, a.Time != r.now
	if ns < r.profile.after || ns > r.now+r.profile.future {
		ns, own = r.now, false
	}
	r.emitAvailability(st, ns, own)
}

// metric emits one metric.
func (r *run) metric(rule *topicRule, m *sparkplug.Metric) error {
	if len(r.frames) == 0 {
		r.frames = append(r.frames, frame{})
	}
	v := value{kind: nullValue, raw: "null"}
	if m.Value != nil && !m.Null {
		v = documentValue(bytesAsString(m.Value))
	}
	f := &r.frames[0]
	f.key, f.val, f.path = textValue(m.Name), v, value{}
	if len(f.names) != len(spbWords) {
		f.names = make([]value, len(spbWords))
	}
	f.names[0] = f.key
	f.names[1], f.names[2] = value{}, textValue(m.Type.String())
	if m.Unit != "" {
		f.names[1] = textValue(m.Unit)
	}
	r.scope = v
	r.historical = m.Historical
	defer func() { r.historical = false }()
	quality := devices.Good
	switch m.Quality {
	case sparkplug.Bad:
		quality = devices.Bad
	case sparkplug.Stale, sparkplug.Uncertain:
		quality = devices.Uncertain
	}
	ns, own := m.Time, true
	if ns < r.profile.after || ns > r.now+r.profile.future {
		ns, own = r.now, false
	}
	for i, p := range rule.source.parts {
		b := r.d.spb.bound[i]
		if b == nil {
			continue
		}
		r.elSlots = resize(r.elSlots, p.plan.slots)
		if slot, ok := p.plan.index[""]; ok {
			r.elSlots[slot] = v
		}
		r.slots, r.filled = r.elSlots, nil
		r.binding = b
		st := &r.d.states[b.dev.Index]
		st.lastSeen = max(st.lastSeen, r.now)
		if err := r.keyed(p, b, ns, own, quality); err != nil {
			return err
		}
	}
	return nil
}

func (h *spbHost) appendState(dst []byte) []byte {
	if h.host == nil {
		h.host = sparkplug.NewHost(sparkplug.Config{})
	}
	return h.host.AppendState(dst)
}

func (h *spbHost) restore(state []byte) error {
	h.host = sparkplug.NewHost(sparkplug.Config{})
	return h.host.Restore(state)
}
