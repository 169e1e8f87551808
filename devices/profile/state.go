package profile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// stateVersion is the first byte of a written state. A state of another version
// is refused: the daemon then decodes the journal from its beginning.
const stateVersion = 1

// ErrState is returned for a state that cannot be read.
var ErrState = errors.New("decoder state is not readable")

// AppendState appends everything that decoding the next record depends on:
// devices and points, newest values, availability, remembered metadata,
// messages that wait for it, sessions, adopted devices. Equal decoders give
// equal bytes.
func (d *Decoder) AppendState(dst []byte) []byte {
	w := stateWriter{dst}
	w.byte(stateVersion)
	bridgeKeys := make(map[*bridgeState]string, len(d.bridges))
	w.uint(uint64(len(d.bridges)))
	for _, key := range slices.Sorted(maps.Keys(d.bridges)) {
		bridgeKeys[d.bridges[key]] = key
		w.text(key)
		w.text(d.bridges[key].state)
	}
	w.uint(uint64(len(d.adopted)))
	for _, id := range slices.Sorted(maps.Keys(d.adopted)) {
		w.text(id)
		w.text(d.adopted[id].Asset)
		w.text(d.adopted[id].Profile)
	}
	devs := d.reg.Devices()
	w.uint(uint64(len(devs)))
	for _, dev := range devs {
		w.device(d, dev, bridgeKeys)
	}
	keys := slices.SortedFunc(maps.Keys(d.memory), func(a, b memoryKey) int {
		return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.point, b.point), cmp.Compare(a.word, b.word))
	})
	w.uint(uint64(len(keys)))
	for _, k := range keys {
		w.text(k.device)
		w.text(k.point)
		w.text(k.word)
		w.text(d.memory[k])
	}
	w.uint(uint64(len(d.waiting.messages)))
	for i := range d.waiting.messages {
		m := &d.waiting.messages[i]
		w.text(m.device)
		w.text(m.msg.Topic)
		w.text(string(m.msg.Payload))
		w.bool(m.msg.Retained)
		w.int(m.msg.Received)
	}
	w.b = d.spb.appendState(w.b)
	return w.b
}

func (w *stateWriter) device(d *Decoder, dev *devices.Device, bridges map[*bridgeState]string) {
	w.text(dev.ID)
	w.text(dev.Class)
	w.text(dev.Profile)
	w.text(dev.Asset)
	w.int(dev.Interval)
	w.int(dev.Silence)
	w.bool(dev.Simulated)
	st := d.state(dev)
	w.text(st.avail.own)
	w.bool(st.avail.implied)
	w.text(st.avail.emitted)
	w.text(bridges[st.avail.bridge])
	w.int(st.lastSeen)
	c := &st.counts
	for _, n := range []uint64{c.Decoded, c.Stored, c.Duplicate, c.Ignored, c.Unmapped, c.Pending} {
		w.uint(n)
	}
	w.uint(uint64(len(st.events.ids)))
	for _, id := range st.events.ids {
		w.text(id)
	}
	w.uint(uint64(st.events.at))
	w.uint(uint64(len(dev.Points)))
	for _, p := range dev.Points {
		w.text(p.Name)
		w.text(p.Role)
		w.text(p.Unit)
		w.byte(byte(p.Kind))
		ps := d.pointState(p)
		w.bool(ps.have)
		w.byte(byte(ps.status))
		if !ps.have {
			continue
		}
		w.bool(ps.live)
		w.int(ps.time)
		w.float(ps.value)
		w.float(ps.raw)
		w.text(ps.text)
		w.bool(ps.late != nil)
		if ps.late != nil {
			w.byte(ps.lateAt)
			for _, l := range ps.late {
				w.int(l.time)
				w.float(l.value)
				w.text(l.text)
			}
		}
	}
}

// Restore puts a decoder that has decoded nothing yet where AppendState was
// called. Devices and points are added to the registry.
func (d *Decoder) Restore(state []byte) error {
	s := stateReader{b: state}
	if v := s.byte(); v != stateVersion {
		return fmt.Errorf("%w: version %d, this program writes %d", ErrState, v, stateVersion)
	}
	for range s.count() {
		key := s.text()
		d.bridges[key] = &bridgeState{state: s.text()}
	}
	for range s.count() {
		id := s.text()
		d.fact(&devices.Fact{Kind: devices.FactAdopted, Device: id, Asset: s.text(), Profile: s.text()})
	}
	for range s.count() {
		s.device(d)
	}
	for range s.count() {
		k := memoryKey{s.text(), s.text(), s.text()}
		d.memory[k] = s.text()
	}
	for range s.count() {
		w := waitingMessage{device: s.text()}
		w.msg.Topic, w.msg.Payload = s.text(), []byte(s.text())
		w.msg.Retained = s.bool()
		w.msg.Received = s.int()
		d.waiting.messages = append(d.waiting.messages, w)
	}
	if s.bad {
		return fmt.Errorf("%w: it ends early", ErrState)
	}
	if err := d.spb.restore(s.b); err != nil {
		return fmt.Errorf("%w: sessions: %w", ErrState, err)
	}
	return nil
}

// refresh brings a device of a written state up to what profiles and site file
// say now: they may have changed since.
func (d *Decoder) refresh(nd *devices.Device) *Profile {
	name, _, _ := strings.Cut(nd.Profile, "/")
	p := d.set.byID[nd.Profile]
	if p == nil {
		p = d.set.Profile(name)
	}
	if p != nil {
		nd.Profile, nd.Interval, nd.Silence, nd.Lateness = p.ID, p.interval, p.silence, p.lateness
	}
	spec := d.spec(nd.ID)
	if spec == nil {
		return p
	}
	if spec.Asset != "" {
		nd.Asset = spec.Asset
	}
	if spec.Class != "" {
		nd.Class = spec.Class
	}
	if spec.Interval > 0 {
		nd.Interval = int64(spec.Interval)
	}
	if spec.Lateness > 0 {
		nd.Lateness = int64(spec.Lateness)
	}
	return p
}

func (s *stateReader) device(d *Decoder) {
	nd := devices.Device{ID: s.text(), Class: s.text(), Profile: s.text(), Asset: s.text(), Interval: s.int(), Silence: s.int(), Simulated: s.bool()}
	if s.bad {
		return
	}
	p := d.refresh(&nd)
	dev := d.reg.Add(nd)
	// The registry may be that of the decoder before this one.
	dev.Class, dev.Asset, dev.Profile, dev.Interval, dev.Silence, dev.Lateness = nd.Class, cmp.Or(nd.Asset, nd.ID), nd.Profile, nd.Interval, nd.Silence, nd.Lateness
	st := d.state(dev)
	st.profile = p
	if spec := d.spec(nd.ID); spec != nil {
		st.zone = spec.TimeZone
	}
	st.avail.own, st.avail.implied, st.avail.emitted = s.text(), s.bool(), s.text()
	if br := d.bridges[s.text()]; br != nil {
		st.avail.bridge = br
		br.devices = append(br.devices, dev)
	}
	st.lastSeen = s.int()
	c := &st.counts
	for _, n := range []*uint64{&c.Decoded, &c.Stored, &c.Duplicate, &c.Ignored, &c.Unmapped, &c.Pending} {
		*n = s.uint()
	}
	for range s.count() {
		st.events.ids = append(st.events.ids, s.text())
	}
	st.events.at = int(s.uint()) % maxEvents
	for range s.count() {
		p := d.reg.AddPoint(dev, devices.Point{Name: s.text(), Role: s.text(), Unit: s.text(), Kind: devices.Kind(s.byte())})
		have, status := s.bool(), devices.Quality(s.byte())
		ps := d.pointState(p)
		ps.have, ps.status, ps.restored = have, status, true
		if !have {
			continue
		}
		ps.live, ps.time, ps.value, ps.raw, ps.text = s.bool(), s.int(), s.float(), s.float(), s.text()
		if s.bool() {
			ps.lateAt = s.byte()
			ps.late = new([8]lateReading)
			for i := range ps.late {
				ps.late[i] = lateReading{s.int(), s.float(), s.text()}
			}
		}
		if s.bad {
			return
		}
	}
	d.renew(dev, p)
}

// renew brings the points of a device up to what its profile says now, where
// the profile names them; points whose name is in a message follow with it.
func (d *Decoder) renew(dev *devices.Device, p *Profile) {
	if p == nil {
		return
	}
	for _, rule := range p.rules {
		if rule.source == nil {
			continue
		}
		for _, part := range rule.source.parts {
			for _, pt := range part.points {
				if pt.name == nil {
					if have := dev.Point(pt.key); have != nil && have.Kind != devices.Availability {
						d.renewPoint(pt, have)
					}
				}
			}
		}
	}
}

// renewPoint: what the profile says now counts, and old values say nothing
// about values of another kind or unit.
func (d *Decoder) renewPoint(pt *point, have *devices.Point) {
	st := d.pointState(have)
	if !st.restored {
		return
	}
	st.restored = false
	if pt.kindKnown && have.Kind != pt.kind || pt.unit != "" && have.Unit != pt.unit {
		have.Unit = pt.unit
		if pt.kindKnown {
			have.Kind = pt.kind
		}
		*st = pointState{status: st.status}
	}
	have.Role = ""
	if pt.role != nil {
		have.Role = pt.role.Name
	}
}

type stateWriter struct{ b []byte }

func (w *stateWriter) byte(c byte)   { w.b = append(w.b, c) }
func (w *stateWriter) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *stateWriter) int(n int64)   { w.b = binary.AppendVarint(w.b, n) }
func (w *stateWriter) float(f float64) {
	w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(f))
}

func (w *stateWriter) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *stateWriter) bool(v bool) {
	if v {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

// stateReader reads what stateWriter wrote; bad is set when the bytes end.
type stateReader struct {
	b   []byte
	bad bool
}

func (s *stateReader) take(n uint64) []byte {
	if s.bad || n > uint64(len(s.b)) {
		s.bad = true
		return nil
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

func (s *stateReader) byte() byte {
	if b := s.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (s *stateReader) bool() bool { return s.byte() == 1 }

func (s *stateReader) uint() uint64 {
	n, k := binary.Uvarint(s.b)
	if k <= 0 {
		s.bad = true
		return 0
	}
	s.b = s.b[k:]
	return n
}

// count is a number of things that follow, each at least a byte long.
func (s *stateReader) count() uint64 {
	n := s.uint()
	if n > uint64(len(s.b)) {
		s.bad = true
		return 0
	}
	return n
}

func (s *stateReader) int() int64 {
	n, k := binary.Varint(s.b)
	if k <= 0 {
		s.bad = true
		return 0
	}
	s.b = s.b[k:]
	return n
}

func (s *stateReader) float() float64 {
	if b := s.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (s *stateReader) text() string { return string(s.take(s.uint())) }
