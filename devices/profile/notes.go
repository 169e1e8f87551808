package profile

import (
	"slices"
	"strings"
	"sync"

	"github.com/facilityd/facilityd/devices"
)

// failureRing keeps the last messages that a profile could not read, or not
// quite. The same failure of the same profile is kept once and counted.
type failureRing struct {
	mu   sync.Mutex
	list []Failure
}

// Failure is a message that did not decode as its profile says.
type Failure struct {
	Profile  string
	Topic    string
	Reason   string
	Payload  []byte // at most 4 KB of it
	Received int64
	Count    uint64
}

const (
	maxFailures       = 64
	maxFailurePayload = 4 << 10
)

func (f *failureRing) add(m *devices.Message, profile, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		x := &f.list[i]
		if x.Profile == profile && x.Topic == m.Topic && x.Reason == reason {
			x.Count++
			x.Received = m.Received
			return
		}
	}
	if len(f.list) == maxFailures {
		f.list = slices.Delete(f.list, 0, 1)
	}
	f.list = append(f.list, Failure{
		Profile: profile, Topic: strings.Clone(m.Topic), Reason: strings.Clone(reason),
		Payload: slices.Clone(m.Payload[:min(len(m.Payload), maxFailurePayload)]), Received: m.Received, Count: 1,
	})
}

// Failures returns the last failures, oldest first. Safe from any goroutine.
func (d *Decoder) Failures() []Failure {
	d.failures.mu.Lock()
	defer d.failures.mu.Unlock()
	return slices.Clone(d.failures.list)
}

// coverage notes what is received and mapped by nobody: topics without a
// profile, and fields without a point.
type coverage struct {
	mu     sync.Mutex
	topics map[string]*unknownTopic
	fields map[coverageField]uint64
	rule   *topicRule
}

type unknownTopic struct {
	count  uint64
	sample []byte // payload of its first message, as far as it is kept
}

type coverageField struct {
	profile string
	source  string
	field   string
}

// Bounds of what is noted; the rest is counted only.
const (
	maxCoverTopics = 1000
	maxCoverFields = 2000
)

// Unmapped is something that is received and mapped by nobody.
type Unmapped struct {
	Profile string // "" for a topic
	Source  string
	Name    string // topic or field
	Count   uint64
	Sample  []byte // of a topic: the payload of its first message, at most 4 KB
}

func (c *coverage) init() {
	c.topics = make(map[string]*unknownTopic)
	c.fields = make(map[coverageField]uint64)
}

func (c *coverage) topic(m *devices.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[m.Topic]
	if t == nil {
		if len(c.topics) >= maxCoverTopics {
			return
		}
		t = &unknownTopic{sample: slices.Clone(m.Payload[:min(len(m.Payload), maxFailurePayload)])}
		c.topics[strings.Clone(m.Topic)] = t
	}
	t.count++
}

func (c *coverage) unknown(field string) {
	if c.rule == nil || c.rule.source == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := coverageField{c.rule.profile.ID, c.rule.source.name, field}
	if n, ok := c.fields[key]; ok || len(c.fields) < maxCoverFields {
		if !ok {
			key.field = strings.Clone(field)
		}
		c.fields[key] = n + 1
	}
}

func (r *run) coverageFor(rule *topicRule) {
	r.d.coverage.rule = rule
}

// Unmapped returns topics that no profile reads and fields that no point maps,
// by profile, source and name. Safe from any goroutine.
func (d *Decoder) Unmapped() []Unmapped {
	c := &d.coverage
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Unmapped
	for t, n := range c.topics {
		out = append(out, Unmapped{Name: t, Count: n.count, Sample: n.sample})
	}
	for f, n := range c.fields {
		out = append(out, Unmapped{Profile: f.profile, Source: f.source, Name: f.field, Count: n})
	}
	slices.SortFunc(out, func(a, b Unmapped) int {
		return strings.Compare(a.Profile+"\x00"+a.Source+"\x00"+a.Name, b.Profile+"\x00"+b.Source+"\x00"+b.Name)
	})
	return out
}

// seenDevices are devices that publish and that nobody adopted.
type seenDevices struct {
	mu   sync.Mutex
	list map[string]*SeenDevice
}

// SeenDevice is a device that is seen, not known.
type SeenDevice struct {
	ID       string
	Profile  string // that reads it
	Class    string
	Topic    string // of the last message
	First    int64  // receive times
	Last     int64
	Messages uint64
}

const maxSeen = 10_000

func (s *seenDevices) add(id string, p *Profile, topic string, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = make(map[string]*SeenDevice)
	}
	have := s.list[id]
	if have == nil {
		if len(s.list) >= maxSeen {
			return
		}
		have = &SeenDevice{ID: id, First: now}
		s.list[id] = have
	}
	have.Profile, have.Class, have.Last = p.ID, p.Class, now
	if have.Topic != topic {
		have.Topic = strings.Clone(topic)
	}
	have.Messages++
}

func (s *seenDevices) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, id)
}

// Seen returns the devices that are seen, not known, by id. Safe from any
// goroutine.
func (d *Decoder) Seen() []SeenDevice {
	d.seen.mu.Lock()
	defer d.seen.mu.Unlock()
	out := make([]SeenDevice, 0, len(d.seen.list))
	for _, s := range d.seen.list {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b SeenDevice) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// recentEvents are the ids of the last events of a device.
type recentEvents struct {
	ids []string
	at  int
}

const maxEvents = 64

// newEvent notes an event's id; false when it was there before. An event whose
// id is not in the message is always new.
func (r *run) newEvent(pt *point, b *binding, p *devices.Point) bool {
	buf := append(r.pathBuf[:0], p.Name...)
	for _, id := range pt.id {
		v := r.get(id)
		if v.kind == noValue || v.kind == nullValue {
			return true
		}
		buf = append(buf, 0)
		buf = append(buf, v.text()...)
	}
	r.pathBuf = buf
	ev := &r.d.states[b.dev.Index].events
	for _, have := range ev.ids {
		if have == string(buf) {
			return false
		}
	}
	if len(ev.ids) < maxEvents {
		ev.ids = append(ev.ids, string(buf))
		return true
	}
	ev.ids[ev.at] = string(buf)
	ev.at = (ev.at + 1) % maxEvents
	return true
}
