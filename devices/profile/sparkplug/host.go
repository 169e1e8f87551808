package sparkplug

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// Config of a Host. The zero value has the defaults.
type Config struct {
	// RebirthEvery is how long a node is left alone after a rebirth request;
	// default 30 s.
	RebirthEvery time.Duration
	// KeepAfter is how long data is dropped after a missing message, waiting for
	// the birth that was asked for. When none comes, because nobody may publish
	// the request or the node does not listen, decoding goes on with the known
	// aliases and the metrics are marked uncertain until the next birth. Default
	// 2 min; below 0 never.
	KeepAfter time.Duration
	// MaxNodes and MaxMetrics (of one node) bound memory; default 10,000 and
	// 100,000.
	MaxNodes, MaxMetrics int
}

// Namespace is the first level of every Sparkplug B topic.
const Namespace = "spBv1.0"

// rebirthMetric is the control that every node has (specification 6.4.19).
const rebirthMetric = "Node Control/Rebirth"

// A Host keeps the sessions of all edge nodes. It belongs to one goroutine.
type Host struct {
	cfg   Config
	nodes map[nodeKey]*node
}

type nodeKey struct{ group, node string }

// node is one edge node and its session.
type node struct {
	nodeKey
	alive    bool  // between NBIRTH and NDEATH
	lost     int64 // time when a sequence number was missing since the birth, 0 for never
	hasBdSeq bool
	bdSeq    uint64
	seq      uint8
	asked    int64 // time of the latest rebirth request, 0 for never
	own      table
	devices  map[string]*device
}

type device struct {
	name  string
	born  bool
	table table
}

// table is what a birth declared.
type table struct {
	byName  map[string]*definition
	byAlias map[uint64]*definition
}

type definition struct {
	name     string
	typ      DataType
	alias    uint64
	hasAlias bool
	unit     string
}

// NewHost returns a host that knows no node.
func NewHost(cfg Config) *Host {
	if cfg.RebirthEvery <= 0 {
		cfg.RebirthEvery = 30 * time.Second
	}
	if cfg.KeepAfter == 0 {
		cfg.KeepAfter = 2 * time.Minute
	}
	if cfg.MaxNodes <= 0 {
		cfg.MaxNodes = 10_000
	}
	if cfg.MaxMetrics <= 0 {
		cfg.MaxMetrics = 100_000
	}
	return &Host{cfg: cfg, nodes: map[nodeKey]*node{}}
}

// Topic is a topic taken apart.
type Topic struct {
	Source
	Type string // NBIRTH, NDEATH, NDATA, NCMD, DBIRTH, DDEATH, DDATA, DCMD
}

// ParseTopic reads spBv1.0/group/type/node[/device]. ok is false for STATE and
// for anything that is not Sparkplug B.
func ParseTopic(topic string) (t Topic, ok bool) {
	rest, ok := strings.CutPrefix(topic, Namespace+"/")
	if !ok {
		return t, false
	}
	t.Group, rest, _ = strings.Cut(rest, "/")
	t.Type, rest, _ = strings.Cut(rest, "/")
	t.Node, t.Device, _ = strings.Cut(rest, "/")
	if t.Group == "" || t.Node == "" || strings.Contains(t.Device, "/") {
		return t, false
	}
	switch t.Type {
	case "NBIRTH", "NDEATH", "NDATA", "NCMD":
		return t, t.Device == ""
	case "DBIRTH", "DDEATH", "DDATA", "DCMD":
		return t, t.Device != ""
	}
	return t, false
}

// Apply takes one message, received at Unix nanoseconds, and appends what it
// says to out. A damaged payload is an error and changes nothing. A message that
// is not for a host (STATE, commands) gives nothing.
func (h *Host) Apply(topic string, data []byte, received int64, out *Result) error {
	t, ok := ParseTopic(topic)
	if !ok || t.Type == "NCMD" || t.Type == "DCMD" {
		out.Dropped = "not a birth, death or data message"
		return nil
	}
	data, p, err := open(data)
	if err != nil {
		return err
	}
	n := h.nodes[nodeKey{t.Group, t.Node}]
	if n == nil {
		if len(h.nodes) >= h.cfg.MaxNodes {
			return &Error{0, "more than the configured number of edge nodes"}
		}
		k := nodeKey{strings.Clone(t.Group), strings.Clone(t.Node)}
		n = &node{nodeKey: k, devices: map[string]*device{}}
		h.nodes[k] = n
	}
	m := message{h: h, n: n, p: p, data: data, received: received, out: out, mark: len(out.Metrics)}
	switch t.Type {
	case "NBIRTH":
		err = m.nodeBirth()
	case "NDEATH":
		err = m.nodeDeath()
	case "DBIRTH":
		err = m.deviceBirth(t.Device)
	case "DDEATH":
		m.deviceDeath(t.Device)
	default:
		err = m.telemetry(t.Device)
	}
	if err != nil {
		out.Metrics = out.Metrics[:m.mark]
	}
	return err
}

// compressed marks a payload whose body is another payload.
const compressed = "SPBV1.0_COMPRESSED"

// open reads the payload, unpacking a compressed one.
func open(data []byte) ([]byte, payload, error) {
	p, err := readPayload(data)
	if err != nil || string(p.uuid) != compressed {
		return data, p, err
	}
	algorithm := "DEFLATE"
	r := reader{b: data}
	for r.next() {
		if r.num != 2 {
			continue
		}
		if m, err := readMetric(r.bytes, r.at); err == nil && string(m.name) == "algorithm" {
			algorithm = string(m.value.bytes)
		}
	}
	var body []byte
	switch algorithm {
	case "GZIP":
		body, err = codec.Gzip(nil, p.body, codec.MaxOutput)
	case "DEFLATE":
		body, err = codec.Zlib(nil, p.body, codec.MaxOutput)
	default:
		return nil, p, &Error{0, fmt.Sprintf("compression %q is not known", algorithm)}
	}
	if err != nil {
		return nil, p, fmt.Errorf("sparkplug: compressed payload: %w", err)
	}
	inner, err := readPayload(body)
	return body, inner, err
}

// message is one message on its way through the session of its node.
type message struct {
	h        *Host
	n        *node
	p        payload
	data     []byte
	received int64
	out      *Result
	mark     int // metrics before this message
	unsure   bool
}

// at is the payload's time, else the receive time.
func (m *message) at() int64 {
	if ns := nanos(m.p.timestamp); m.p.hasTime && ns != 0 {
		return ns
	}
	return m.received
}

// nanos turns milliseconds into nanoseconds, 0 when they do not fit.
func nanos(ms uint64) int64 {
	if ms > uint64(1<<63-1)/1e6 {
		return 0
	}
	return int64(ms) * 1e6
}

func (m *message) source(device string) Source {
	return Source{Group: m.n.group, Node: m.n.node, Device: device}
}

func (m *message) state(device string, s State, at int64, cause string) {
	m.out.Availability = append(m.out.Availability, Availability{m.source(device), s, at, cause})
}

func (m *message) nodeBirth() error {
	n := m.n
	b := birth{m: m, source: m.source("")}
	if err := b.read(); err != nil {
		return err
	}
	n.own = b.table()
	n.alive, n.lost, n.asked = true, 0, 0
	n.bdSeq, n.hasBdSeq = b.bdSeq, b.hasBdSeq
	n.seq = uint8(m.p.seq)
	m.state("", Online, m.at(), "NBIRTH")
	for _, name := range slices.Sorted(maps.Keys(n.devices)) {
		d := n.devices[name]
		d.table = table{}
		if d.born {
			d.born = false
			m.state(d.name, StateUnknown, m.at(), "NBIRTH")
		}
	}
	return nil
}

// nodeDeath ends the session it belongs to.
func (m *message) nodeDeath() error {
	n := m.n
	bdSeq, has, err := m.findBdSeq()
	switch {
	case err != nil:
		return err
	case !n.alive:
		m.out.Dropped = "death of a node that is not known to live"
		return nil
	case n.hasBdSeq && (!has || bdSeq != n.bdSeq):
		m.out.Dropped = fmt.Sprintf("late will of an earlier session: bdSeq %d, session has %d", bdSeq, n.bdSeq)
		return nil
	}
	n.alive, n.lost = false, 0
	n.own = table{}
	m.state("", Offline, m.received, "NDEATH")
	for _, name := range slices.Sorted(maps.Keys(n.devices)) {
		d := n.devices[name]
		d.born, d.table = false, table{}
		m.state(d.name, Offline, m.received, "NDEATH")
	}
	return nil
}

func (m *message) findBdSeq() (v uint64, ok bool, err error) {
	r := reader{b: m.data}
	for r.next() {
		if r.num != 2 {
			continue
		}
		mt, err := readMetric(r.bytes, r.at)
		if err != nil {
			return 0, false, err
		}
		if string(mt.name) == "bdSeq" && (mt.value.field == intValue || mt.value.field == longValue) {
			v, ok = mt.value.v, true
		}
	}
	return v, ok, r.err
}

func (m *message) deviceBirth(name string) error {
	if !m.inSequence("birth of a device") {
		return nil
	}
	n := m.n
	d := n.devices[name]
	if d == nil {
		d = &device{name: strings.Clone(name)}
	}
	b := birth{m: m, source: m.source(d.name)}
	if err := b.read(); err != nil {
		return err
	}
	if n.size()-len(d.table.byName)+len(b.defs) > m.h.cfg.MaxMetrics {
		return &Error{0, "more than the configured number of metrics"}
	}
	n.devices[d.name] = d
	d.table, d.born = b.table(), true
	m.state(d.name, Online, m.at(), "DBIRTH")
	return nil
}

func (n *node) size() int {
	sum := len(n.own.byName)
	for _, d := range n.devices { // order does not matter: a sum is the same in any
		sum += len(d.table.byName) + 1
	}
	return sum
}

// deviceDeath needs no alias, so it holds even when a message was missed.
func (m *message) deviceDeath(name string) {
	m.inSequence("death of a device")
	if d := m.n.devices[name]; d != nil && m.n.alive {
		d.born, d.table = false, table{}
		m.state(d.name, Offline, m.at(), "DDEATH")
		m.out.Dropped = ""
	}
}

// telemetry is NDATA and DDATA.
func (m *message) telemetry(name string) error {
	if !m.inSequence("data") {
		return nil
	}
	tab, src := &m.n.own, m.source("")
	if name != "" {
		d := m.n.devices[name]
		if d == nil || !d.born {
			m.drop("data of a device before its birth")
			return nil
		}
		tab, src = &d.table, m.source(d.name)
	}
	e := emitter{m: m, source: src, table: tab}
	if err := e.all(); err != nil {
		return err
	}
	if e.unknown != "" {
		m.out.Metrics = m.out.Metrics[:m.mark]
		m.drop(e.unknown)
	}
	return nil
}

// inSequence checks that the session lives and that no message is missing.
func (m *message) inSequence(what string) bool {
	n := m.n
	if !n.alive {
		m.drop(what + " before the birth of the node")
		return false
	}
	if m.p.hasSeq {
		seq := uint8(m.p.seq)
		if seq == n.seq {
			m.out.Dropped = "sequence number of the message before: delivered twice"
			return false
		}
		expected := n.seq + 1
		n.seq = seq
		if seq != expected {
			if n.lost == 0 {
				n.lost = max(m.received, 1)
			}
			m.ask(fmt.Sprintf("sequence number %d, expected %d", seq, expected))
		}
	}
	if n.lost == 0 {
		return true
	}
	if wait := m.h.cfg.KeepAfter; wait < 0 || m.received-n.lost < int64(wait) {
		return m.drop(what + " after a missing message")
	}
	m.ask(what + " after a missing message")
	m.unsure = true
	return true
}

// drop asks for a rebirth; it returns false.
func (m *message) drop(reason string) bool {
	m.out.Dropped = reason
	m.ask(reason)
	return false
}

// ask emits a rebirth request unless one was made lately.
func (m *message) ask(reason string) {
	n := m.n
	if n.asked != 0 && m.received-n.asked < int64(m.h.cfg.RebirthEvery) {
		return
	}
	n.asked = max(m.received, 1)
	m.out.Actions = append(m.out.Actions, Action{
		Source:  m.source(""),
		Topic:   Namespace + "/" + n.group + "/NCMD/" + n.node,
		Metric:  rebirthMetric,
		Payload: rebirthRequest(m.received),
		Reason:  reason,
	})
}

// rebirthRequest is the payload of an NCMD (specification 6.4.27).
func rebirthRequest(at int64) []byte {
	ms := uint64(max(at, 0) / 1e6)
	var mt []byte
	mt = protowire.AppendString(protowire.AppendTag(mt, 1, protowire.BytesType), rebirthMetric)
	mt = protowire.AppendVarint(protowire.AppendTag(mt, 3, protowire.VarintType), ms)
	mt = protowire.AppendVarint(protowire.AppendTag(mt, 4, protowire.VarintType), uint64(Boolean))
	mt = protowire.AppendVarint(protowire.AppendTag(mt, 14, protowire.VarintType), 1)
	var b []byte
	b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), ms)
	return protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), mt)
}
