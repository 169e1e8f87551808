package profile

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile/script"
)

// A Batch is what one journal record decodes to. The caller reuses it: Reset,
// Decode, read. Readings are in the order of the messages.
type Batch struct {
	Readings []devices.Reading
	Actions  []Action
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Readings)
	b.Readings, b.Actions = b.Readings[:0], b.Actions[:0]
}

// An Action is something a profile wants published. It is a proposal: the
// daemon publishes only where the installation allows it, and never on replay.
type Action struct {
	Profile string // name/version
	Kind    ActionKind
	Topic   string
	Payload []byte
	Every   time.Duration // repeat; 0 = once
}

// ActionKind says why something is to be published.
type ActionKind string

// The kinds of action.
const (
	Poke    ActionKind = "poke"    // keeps a device publishing
	Rebirth ActionKind = "rebirth" // asks an edge node to describe itself again
)

// A Decoder applies a set to the records of one site. It belongs to one
// goroutine; Stats may be read from any.
type Decoder struct {
	set  *Set
	site *devices.Site
	reg  *devices.Registry
	zone *time.Location

	specs   map[string]*devices.DeviceSpec
	adopted map[string]*devices.DeviceSpec // by facts, over the site file

	topics  map[string]*topicEntry
	split   splitTopic
	run     run
	states  []deviceState // by device index
	points  []pointState  // by point index
	bridges map[string]*bridgeState
	memory  map[memoryKey]string
	waiting waitingRoom
	pokes   map[string]bool
	seen    seenDevices
	spb     spbHost
	runners map[*script.Program]*script.Runner

	stats    []ProfileStats // by profile index
	total    messageStats
	failures failureRing
	coverage coverage
}

// maxTopics bounds the cache of topics; it is emptied when it is full.
const maxTopics = 1 << 18

// topicEntry is what is known about one topic: the rules that fit, and the
// devices and points that they lead to when the topic alone says so.
type topicEntry struct {
	matched []matched
	bound   [][]*binding // per rule, per part of its source
	topic   string
}

// deviceState is what the decoder keeps per device.
type deviceState struct {
	dev      *devices.Device
	profile  *Profile
	zone     *time.Location
	bindings []*binding
	counts   DeviceCounts
	avail    availState
	events   recentEvents
	lastSeen int64
}

// pointState is what the decoder keeps per point to tell duplicates, late
// readings and growth.
type pointState struct {
	time   int64 // of the newest reading
	value  float64
	text   string
	raw    float64 // of a counter, before units
	have   bool
	live   bool // a message that was not retained gave it
	bad    bool
	status devices.Quality // set by a quality topic
	late   *[8]lateReading
	lateAt uint8
}

type lateReading struct {
	time  int64
	value float64
	text  string
}

// binding is a device as one part of a profile sees it.
type binding struct {
	dev       *devices.Device
	part      *part
	points    []*devices.Point // by place in the part
	byName    map[string]*devices.Point
	pointName string // of the point at work
}

// NewDecoder returns a decoder for one site. Devices and points that appear are
// added to the registry.
func NewDecoder(set *Set, site *devices.Site, reg *devices.Registry) *Decoder {
	d := &Decoder{
		set: set, site: site, reg: reg,
		zone:    site.Location,
		specs:   make(map[string]*devices.DeviceSpec, len(site.Devices)),
		adopted: make(map[string]*devices.DeviceSpec),
		topics:  make(map[string]*topicEntry),
		bridges: make(map[string]*bridgeState),
		memory:  make(map[memoryKey]string),
		pokes:   make(map[string]bool),
		stats:   make([]ProfileStats, len(set.profiles)),
	}
	if d.zone == nil {
		d.zone = time.UTC
	}
	for i := range site.Devices {
		d.specs[site.Devices[i].ID] = &site.Devices[i]
	}
	d.run.d = d
	d.coverage.init()
	d.run.scanner.unknown = d.coverage.unknown
	return d
}

// Decode appends what a record says to out. Records other than messages change
// the decoder only (a device is adopted) or nothing at all.
func (d *Decoder) Decode(rec *devices.Record, out *Batch) {
	switch rec.Kind {
	case devices.Messages:
		for i := range rec.Messages {
			m := &rec.Messages[i]
			if m.Redelivered {
				d.total.redelivered.Add(1)
				continue
			}
			d.message(m, out)
		}
	case devices.FactRecord:
		d.fact(rec.Fact)
	}
}

// fact adopts a device that a person named.
func (d *Decoder) fact(f *devices.Fact) {
	if f == nil || f.Kind != devices.FactAdopted || f.Device == "" {
		return
	}
	spec := &devices.DeviceSpec{ID: f.Device, Asset: f.Asset, Profile: f.Profile}
	if have := d.specs[f.Device]; have != nil {
		merged := *have
		spec = &merged
		if f.Asset != "" {
			spec.Asset = f.Asset
		}
		if f.Profile != "" {
			spec.Profile = f.Profile
		}
	}
	d.adopted[f.Device] = spec
	d.seen.forget(f.Device)
}

func (d *Decoder) spec(id string) *devices.DeviceSpec {
	if s := d.adopted[id]; s != nil {
		return s
	}
	return d.specs[id]
}

// topic finds the entry of a topic.
func (d *Decoder) topic(topic string) *topicEntry {
	if e := d.topics[topic]; e != nil {
		return e
	}
	if !d.split.split(topic) {
		return nil
	}
	found := d.set.matcher.find(&d.split)
	if len(found) == 0 {
		return nil
	}
	if len(d.topics) >= maxTopics {
		clear(d.topics)
	}
	e := &topicEntry{matched: found, topic: strings.Clone(topic), bound: make([][]*binding, len(found))}
	for i := range found {
		for c := range found[i].captures {
			found[i].captures[c] = strings.Clone(found[i].captures[c])
		}
		if s := found[i].rule.source; s != nil {
			e.bound[i] = make([]*binding, len(s.parts))
		}
	}
	d.topics[e.topic] = e
	return e
}

// message decodes one message.
func (d *Decoder) message(m *devices.Message, out *Batch) {
	d.total.messages.Add(1)
	d.spb.applied = nil
	e := d.topic(m.Topic)
	if e == nil {
		d.total.unmatched.Add(1)
		d.coverage.topic(m.Topic)
		if d.run.trace != nil {
			d.run.tracef("topic", "no profile reads %s", m.Topic)
		}
		return
	}
	r := &d.run
	r.out, r.msg, r.now = out, m, m.Received
	r.site = d.zone
	taken, tried := false, false
	var firstErr error
	var firstRule *topicRule
	for i := range e.matched {
		mt := &e.matched[i]
		rule := mt.rule
		if d.waiting.releases && rule.kind != sourceRule {
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
		tried = true
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
	case tried:
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
	r.slots = nil
	clear(r.points)
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
	if p.needsMeta && r.d.waitsFor(b) && r.d.wait(r, b) {
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
		if skip.MatchString(key) {
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

// DeviceCounts account for every value of a device:
// Decoded = Stored + Duplicate + Ignored + Unmapped + Pending.
type DeviceCounts struct {
	Decoded, Stored, Duplicate, Ignored, Unmapped, Pending uint64
}

// Counts returns the account of a device; only for the decoder's goroutine.
func (d *Decoder) Counts(dev *devices.Device) DeviceCounts {
	if int(dev.Index) >= len(d.states) {
		return DeviceCounts{}
	}
	return d.states[dev.Index].counts
}

// ProfileStats count what one profile did with messages.
type ProfileStats struct {
	Messages atomic.Uint64 // decoded
	Readings atomic.Uint64 // emitted
	Bad      atomic.Uint64 // messages with a value that could not be read
	Failed   atomic.Uint64 // messages that could not be decoded
}

type messageStats struct {
	messages, decoded, unmatched, guarded, failed, redelivered atomic.Uint64
}

// Stats is a snapshot of the counters of a decoder. Messages = Decoded +
// Unmatched + Guarded + Failed + Ignored.
type Stats struct {
	Messages    uint64 // received by the decoder, without redeliveries
	Decoded     uint64
	Unmatched   uint64 // no profile reads the topic
	Guarded     uint64 // topics fit, guards do not
	Failed      uint64 // a profile tried and could not
	Redelivered uint64 // in the journal for the second time
	Profiles    []ProfileCount
}

// ProfileCount is a snapshot of ProfileStats.
type ProfileCount struct {
	Profile                         string
	Messages, Readings, Bad, Failed uint64
}

// Stats may be called from any goroutine.
func (d *Decoder) Stats() Stats {
	t := &d.total
	s := Stats{
		Messages: t.messages.Load(), Decoded: t.decoded.Load(), Unmatched: t.unmatched.Load(),
		Guarded: t.guarded.Load(), Failed: t.failed.Load(), Redelivered: t.redelivered.Load(),
	}
	for i, p := range d.set.profiles {
		c := &d.stats[i]
		s.Profiles = append(s.Profiles, ProfileCount{p.ID, c.Messages.Load(), c.Readings.Load(), c.Bad.Load(), c.Failed.Load()})
	}
	return s
}

// Devices returns the ids of the devices that a profile decodes, sorted.
func (d *Decoder) Devices(profile string) []string {
	var ids []string
	for i := range d.states {
		if st := &d.states[i]; st.dev != nil && st.profile != nil && st.profile.ID == profile {
			ids = append(ids, st.dev.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
