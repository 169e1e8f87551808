package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// formatVersion is the first byte of every stored record. A reader refuses a
// version that it does not know instead of guessing.
const formatVersion = 1

// ErrFormat is wrapped by every decoding error: the bytes are not a record of a
// version that this program knows.
var ErrFormat = errors.New("not a journal record")

// Layout of a record, all integers big endian or unsigned varints:
//
//	version(1) kind(1) time(8) epoch(uvarint) site(string)
//	messages: connection(string) session(uvarint) floor(8) count(4) message…
//	link:     connection(string) session(uvarint) up(1) reason(string)
//	step:     nanoseconds(8)
//	config:   hash(string)
//	fact:     JSON(rest)
//
// A string is its length (uvarint) and its bytes. A message is
//
//	flags(1) delta(uvarint) [packet id(2) when QoS > 0] topic(string) payload(string)
//
// where delta is the time since the message before, the first since the
// record's time. floor is the time of the record before: a message's time is
// never smaller, although two connections gather messages side by side.
const (
	flagQoS         = 0b11
	flagRetained    = 1 << 2
	flagDup         = 1 << 3
	flagRedelivered = 1 << 4
)

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendHeader(b []byte, kind devices.RecordKind, at int64, epoch uint32, site string) []byte {
	b = append(b, formatVersion, byte(kind))
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.AppendUvarint(b, uint64(epoch))
	return appendString(b, site)
}

// timeOffset is where the header keeps the record's time.
const timeOffset = 2

// appendBatchHeader starts a record of messages. The time, the floor and the
// count are patched when the batch is written; at is the offset of the last
// two.
func appendBatchHeader(b []byte, epoch uint32, site, connection string, session uint32) (out []byte, at int) {
	b = appendHeader(b, devices.Messages, 0, epoch, site)
	b = appendString(b, connection)
	b = binary.AppendUvarint(b, uint64(session))
	at = len(b)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), at
}

func patchBatch(b []byte, at int, base, floor int64, count int) {
	binary.BigEndian.PutUint64(b[timeOffset:], uint64(base))
	binary.BigEndian.PutUint64(b[at:], uint64(floor))
	binary.BigEndian.PutUint32(b[at+8:], uint32(count))
}

// appendMessage encodes one message; delta is its time since the one before.
func appendMessage(b []byte, m *devices.Message, delta int64) []byte {
	flags := m.QoS & flagQoS
	if m.Retained {
		flags |= flagRetained
	}
	if m.Dup {
		flags |= flagDup
	}
	if m.Redelivered {
		flags |= flagRedelivered
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(delta))
	if flags&flagQoS != 0 {
		b = binary.BigEndian.AppendUint16(b, m.PacketID)
	}
	b = appendString(b, m.Topic)
	b = binary.AppendUvarint(b, uint64(len(m.Payload)))
	return append(b, m.Payload...)
}

// Encode appends the stored form of a record to b. The receive times of its
// messages must not go back; Seq is not part of the bytes.
func Encode(b []byte, r *devices.Record) ([]byte, error) {
	switch r.Kind {
	case devices.Messages:
		start := len(b)
		b, at := appendBatchHeader(b, r.Epoch, r.Site, r.Connection, r.Session)
		base := r.Time
		if len(r.Messages) > 0 {
			base = r.Messages[0].Received
		}
		last := base
		for i := range r.Messages {
			m := &r.Messages[i]
			if m.Received < last {
				return b, fmt.Errorf("encode record: message %d was received before the one in front of it", i)
			}
			b = appendMessage(b, m, m.Received-last)
			last = m.Received
		}
		patchBatch(b[start:], at-start, base, base, len(r.Messages))
		return b, nil
	case devices.Tick, devices.Start:
		return appendHeader(b, r.Kind, r.Time, r.Epoch, r.Site), nil
	case devices.LinkState:
		b = appendHeader(b, r.Kind, r.Time, r.Epoch, r.Site)
		b = appendString(b, r.Connection)
		b = binary.AppendUvarint(b, uint64(r.Session))
		up := byte(0)
		if r.Link.Up {
			up = 1
		}
		return appendString(append(b, up), r.Link.Reason), nil
	case devices.ClockStep:
		b = appendHeader(b, r.Kind, r.Time, r.Epoch, r.Site)
		return binary.BigEndian.AppendUint64(b, uint64(r.Step)), nil
	case devices.ConfigVersion:
		b = appendHeader(b, r.Kind, r.Time, r.Epoch, r.Site)
		return appendString(b, r.Config), nil
	case devices.FactRecord:
		if r.Fact == nil {
			return b, errors.New("encode record: a fact record without a fact")
		}
		body, err := json.Marshal(r.Fact)
		if err != nil {
			return b, fmt.Errorf("encode fact %s: %w", r.Fact.ID, err)
		}
		return append(appendHeader(b, r.Kind, r.Time, r.Epoch, r.Site), body...), nil
	default:
		return b, fmt.Errorf("encode record: unknown kind %d", r.Kind)
	}
}

// A cursor walks over the bytes of a record; after the first error it yields
// zero values.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) i64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) bytes() []byte { return c.take(c.uvarint()) }

// Names makes strings of bytes and remembers them, so that the topic of a
// device is allocated once per reader and not once per message. It is bounded:
// a flood of ever new topics empties it instead of filling the memory. The zero
// value is ready; it belongs to one goroutine.
type Names struct {
	known map[string]string
}

// maxNames bounds a Names: at 60 bytes per topic, about 8 MB.
const maxNames = 65_536

// Of returns the bytes as a string that may be shared.
func (n *Names) Of(b []byte) string {
	if s, ok := n.known[string(b)]; ok {
		return s
	}
	if n.known == nil || len(n.known) >= maxNames {
		n.known = make(map[string]string)
	}
	s := string(b)
	n.known[s] = s
	return s
}

// Decode reads the stored form of a record into r, reusing r.Messages. Payloads
// alias data: they are valid as long as data is not changed. Everything of r but
// Seq is overwritten.
func Decode(data []byte, r *devices.Record, names *Names) error {
	c := cursor{b: data}
	version := c.u8()
	*r = devices.Record{Seq: r.Seq, Messages: r.Messages[:0]}
	r.Kind = devices.RecordKind(c.u8())
	r.Time = c.i64()
	if c.bad {
		return fmt.Errorf("decode record %d: %w: %d bytes", r.Seq, ErrFormat, len(data))
	}
	if version != formatVersion {
		return fmt.Errorf("decode record %d: %w: format version %d, this program knows %d", r.Seq, ErrFormat, version, formatVersion)
	}
	r.Epoch = uint32(c.uvarint())
	r.Site = names.Of(c.bytes())
	switch r.Kind {
	case devices.Messages:
		decodeMessages(&c, r, names)
	case devices.Tick, devices.Start:
	case devices.LinkState:
		r.Connection = names.Of(c.bytes())
		r.Session = uint32(c.uvarint())
		r.Link.Up = c.u8() != 0
		r.Link.Reason = string(c.bytes())
	case devices.ClockStep:
		r.Step = time.Duration(c.i64())
	case devices.ConfigVersion:
		r.Config = string(c.bytes())
	case devices.FactRecord:
		r.Fact = new(devices.Fact)
		if err := json.Unmarshal(c.take(uint64(len(c.b))), r.Fact); err != nil {
			return fmt.Errorf("decode record %d: %w: fact: %w", r.Seq, ErrFormat, err)
		}
	default:
		return fmt.Errorf("decode record %d: %w: kind %d", r.Seq, ErrFormat, r.Kind)
	}
	if c.bad || len(c.b) != 0 {
		return fmt.Errorf("decode record %d: %w: kind %s, %d bytes, cut short or too long", r.Seq, ErrFormat, r.Kind, len(data))
	}
	return nil
}

// minMessage is the size of the smallest message: flags, delta and two lengths.
const minMessage = 4

func decodeMessages(c *cursor, r *devices.Record, names *Names) {
	r.Connection = names.Of(c.bytes())
	r.Session = uint32(c.uvarint())
	floor := c.i64()
	count := int(c.u32())
	if c.bad || count > len(c.b)/minMessage {
		c.bad = true
		return
	}
	if cap(r.Messages) < count {
		r.Messages = make([]devices.Message, 0, count)
	}
	at := r.Time
	for range count {
		flags := c.u8()
		before := at
		if at += int64(c.uvarint()); at < before {
			c.bad = true
			return
		}
		var id uint16
		if flags&flagQoS != 0 {
			id = c.u16()
		}
		topic, payload := c.bytes(), c.bytes()
		if c.bad {
			return
		}
		r.Messages = append(r.Messages, devices.Message{
			Topic: names.Of(topic), Payload: payload,
			QoS: flags & flagQoS, Retained: flags&flagRetained != 0, Dup: flags&flagDup != 0,
			Redelivered: flags&flagRedelivered != 0, PacketID: id, Received: max(at, floor),
		})
	}
	r.Time = max(at, floor)
}
