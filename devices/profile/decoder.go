package profile

import (
	"strings"
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
	ahead   ahead
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
	time     int64 // of the newest reading
	value    float64
	text     string
	raw      float64 // of a counter, before units
	have     bool
	live     bool            // a message that was not retained gave it
	restored bool            // came with a state, and no message has named it since
	status   devices.Quality // set by a quality topic
	late     *[8]lateReading
	lateAt   uint8
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
		for i, seen := 0, 0; i < len(rec.Messages); i++ {
			if i == seen && len(rec.Messages)-i >= aheadLeast {
				seen = min(i+aheadMessages, len(rec.Messages))
				d.lookAhead(rec.Messages[i:seen])
			}
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

// fact adopts a device that a person named. One that took over from another stands
// for its asset from now on, and the other for itself.
func (d *Decoder) fact(f *devices.Fact) {
	if f == nil || f.Kind != devices.FactAdopted && f.Kind != devices.FactReplaced || f.Device == "" {
		return
	}
	if f.Kind == devices.FactReplaced && f.Replaces != "" && f.Replaces != f.Device {
		d.fact(&devices.Fact{Kind: devices.FactAdopted, Device: f.Replaces, Asset: f.Replaces})
	}
	if dev := d.reg.Lookup([]byte(f.Device)); dev != nil && f.Asset != "" {
		dev.Asset = f.Asset
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
