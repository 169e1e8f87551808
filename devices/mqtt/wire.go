package mqtt

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// MQTT 3.1.1 control packet types, in the upper half of the first byte.
const (
	typePublish  = 3
	typePuback   = 0x40
	typePubrec   = 0x50
	typePubrel   = 0x60
	typePubcomp  = 0x70
	typePingreq  = 0xc0
	typePingresp = 0xd0
)

var errMalformed = errors.New("broker sent a packet whose length is malformed")

// readBuffer is how much is taken from the network at a time. The MQTT library
// reads a packet in four small pieces: with the buffer these are copies, not
// system calls.
const readBuffer = 64 << 10

// pulse is how often the library is told that the link is alive while a large
// message is thrown away.
const pulse = time.Second

// A wire is the network connection of one session, between the MQTT library and
// the socket. It scans the packets that come in and takes out the PUBLISH packets
// that are larger than the limit, so that nobody allocates them: topic and packet
// id are read, the payload is dropped, and the broker gets its acknowledgement,
// for otherwise it would send the message again for ever. Everything else passes
// unchanged.
//
// Read belongs to one goroutine; Write may be called by several.
type wire struct {
	net.Conn
	limit        int                          // largest PUBLISH packet that passes, header included
	oversize     func(topic string, size int) // told of each that does not
	writeTimeout time.Duration                // 0: none
	pongs        atomic.Int64                 // PINGRESP packets that came
	lastRead     atomic.Int64                 // Unix nanoseconds of the newest data

	buf       []byte
	r, w      int // buf[r:w] is read from the socket and not handed on
	ready     int // bytes from r on that are scanned and may pass; may reach beyond w
	drop      int // bytes of an oversize packet still to throw away
	lastPulse time.Time
	pulseRest int
	refused   map[uint16]bool // QoS 2 ids whose handshake is ours

	writeMu sync.Mutex
	reason  atomic.Pointer[string]
}

func newWire(c net.Conn, limit int, oversize func(string, int)) *wire {
	w := &wire{Conn: c, limit: limit, oversize: oversize, buf: make([]byte, readBuffer)}
	w.lastRead.Store(time.Now().UnixNano())
	return w
}

// closeBecause closes the connection and keeps why, for people.
func (w *wire) closeBecause(reason string) {
	w.reason.CompareAndSwap(nil, &reason)
	w.Conn.Close()
}

// Write writes whole packets; the library and the acknowledgements take turns.
func (w *wire) Write(p []byte) (int, error) {
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	if w.writeTimeout > 0 {
		if err := w.Conn.SetWriteDeadline(time.Now().Add(w.writeTimeout)); err != nil {
			return 0, err
		}
	}
	return w.Conn.Write(p)
}

// Read hands on what may pass.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.read(p)
	if err != nil {
		if reason := w.reason.Load(); reason != nil {
			// The library takes "use of closed network connection" for its own
			// doing and never says that the connection is lost.
			err = errors.New(*reason)
		}
	}
	return n, err
}

func (w *wire) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if w.pulseRest > 0 { // a PINGRESP of our own: D0 00
			b := [...]byte{typePingresp, 0}
			n := copy(p, b[2-w.pulseRest:])
			w.pulseRest -= n
			return n, nil
		}
		if n := min(len(p), w.ready, w.w-w.r); n > 0 {
			copy(p, w.buf[w.r:w.r+n])
			w.r += n
			w.ready -= n
			return n, nil
		}
		if w.ready > 0 && w.r == w.w && len(p) >= readBuffer/2 {
			// The body of a large packet goes straight to where it belongs.
			n, err := w.Conn.Read(p[:min(len(p), w.ready)])
			w.lastRead.Store(time.Now().UnixNano())
			w.ready -= n
			return n, err
		}
		if w.ready == 0 && w.w > w.r {
			more, err := w.scan()
			if err != nil {
				return 0, err
			}
			if !more {
				continue
			}
		}
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
}

// fill reads from the socket behind what is in the buffer.
func (w *wire) fill() error {
	if w.r == w.w {
		w.r, w.w = 0, 0
	} else if w.w == len(w.buf) {
		if w.r == 0 {
			// Only the topic of an oversize packet needs more than the buffer.
			w.buf = append(w.buf, make([]byte, readBuffer)...)
		} else {
			w.w = copy(w.buf, w.buf[w.r:w.w])
			w.r = 0
		}
	}
	n, err := w.Conn.Read(w.buf[w.w:])
	w.w += n
	if n > 0 {
		w.lastRead.Store(time.Now().UnixNano())
		return nil
	}
	if err == nil {
		return nil
	}
	return err
}

// scan looks at the packets in the buffer from r on, where a packet begins (or an
// oversize one is being dropped). It sets ready to what may pass, or takes an
// oversize packet out. more means that the buffer holds too little to tell.
func (w *wire) scan() (more bool, err error) {
	if w.drop > 0 {
		n := min(w.drop, w.w-w.r)
		w.r += n
		w.drop -= n
		if now := time.Now(); now.Sub(w.lastPulse) >= pulse {
			w.lastPulse, w.pulseRest = now, 2
		}
		return false, nil
	}
	at := w.r
	for at < w.w {
		size, head, err := packetSize(w.buf[at:w.w])
		if err != nil {
			return false, err
		}
		if size == 0 {
			break // the length is not complete
		}
		kind := w.buf[at]
		if kind>>4 == typePublish && size > w.limit {
			if at > w.r {
				break // what is in front passes first
			}
			return w.takeOut(size, head)
		}
		if kind&0xf0 == typePubrel && size == head+2 && len(w.refused) > 0 {
			if at > w.r {
				break
			}
			if w.w-at < size {
				return true, nil
			}
			id := uint16(w.buf[at+head])<<8 | uint16(w.buf[at+head+1])
			if w.refused[id] {
				delete(w.refused, id)
				w.r += size
				return false, w.answer(typePubcomp, id)
			}
		}
		if kind == typePingresp {
			w.pongs.Add(1)
		}
		at += size
	}
	w.ready = at - w.r
	return w.ready == 0, nil
}

// packetSize returns the size of the packet that b begins with and of its fixed
// header; 0 when b is too short to tell.
func packetSize(b []byte) (size, head int, err error) {
	n, shift := 0, 0
	for i := 1; i < len(b); i++ {
		n |= int(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return 1 + i + n, 1 + i, nil
		}
		if shift += 7; i == 4 {
			return 0, 0, errMalformed
		}
	}
	return 0, 0, nil
}

// takeOut removes the oversize PUBLISH at r: it waits for topic and packet id,
// answers, and leaves the rest to be dropped.
func (w *wire) takeOut(size, head int) (more bool, err error) {
	b := w.buf[w.r:w.w]
	if len(b) < head+2 {
		return true, nil
	}
	qos := b[0] >> 1 & 3
	topicEnd := head + 2 + int(b[head])<<8 + int(b[head+1])
	end := topicEnd
	if qos > 0 {
		end += 2
	}
	if end > size {
		return false, fmt.Errorf("%w: PUBLISH of %d bytes with a topic of %d", errMalformed, size, topicEnd-head-2)
	}
	if len(b) < end {
		return true, nil
	}
	w.oversize(string(b[head+2:topicEnd]), size)
	w.r += end
	w.drop = size - end
	w.lastPulse = time.Now()
	if qos == 0 {
		return false, nil
	}
	id := uint16(b[end-2])<<8 | uint16(b[end-1])
	if qos == 1 {
		return false, w.answer(typePuback, id)
	}
	if w.refused == nil {
		w.refused = make(map[uint16]bool)
	}
	w.refused[id] = true
	return false, w.answer(typePubrec, id)
}

// ping asks the broker for an answer, which comes when it has worked through
// everything that was written before.
func (w *wire) ping() (answered func() bool, err error) {
	before := w.pongs.Load()
	_, err = w.Write([]byte{typePingreq, 0})
	return func() bool { return w.pongs.Load() > before }, err
}

func (w *wire) answer(kind byte, id uint16) error {
	_, err := w.Write([]byte{kind, 2, byte(id >> 8), byte(id)})
	return err
}
