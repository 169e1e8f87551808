package simulator

import (
	"time"

	"github.com/facilityd/facilityd/devices"
)

// Records lives until the given estate time, exclusive, like Step, and emits what
// a journal that heard the estate would hold: a start, a link that is up, then for
// every second of estate time a batch of the messages that arrived in it, or a tick.
// It is the fast way to put a month of estate through decoder and rules, without a
// broker and a journal. Positions go on from call to call; do not mix with Step.
//
// The record is valid until emit returns; the payloads in it for ever.
func (e *Estate) Records(site string, until time.Time, emit func(*devices.Record)) {
	const second = int64(time.Second)
	r := devices.Record{Site: site, Epoch: 1, Connection: "estate", Session: 1}
	write := func(kind devices.RecordKind, at int64) {
		e.written++
		r.Seq, r.Kind, r.Time = e.written, kind, at
		emit(&r)
	}
	if e.written == 0 {
		e.heard = e.start.UnixNano() / second * second
		write(devices.Start, e.heard)
		r.Link = devices.Link{Up: true}
		write(devices.LinkState, e.heard)
		r.Link = devices.Link{}
	}
	// close ends the second that began at e.heard.
	closeSecond := func() {
		e.heard += second
		if len(r.Messages) == 0 {
			write(devices.Tick, e.heard)
			return
		}
		write(devices.Messages, e.heard)
		r.Messages = r.Messages[:0]
	}
	e.Step(until, func(m Message) {
		at := m.Time.UnixNano()
		for at >= e.heard+second {
			closeSecond()
		}
		e.packet = e.packet%65_535 + 1
		r.Messages = append(r.Messages, devices.Message{
			Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retained: m.Retain, PacketID: e.packet, Received: at,
		})
	})
	for end := until.UnixNano(); e.heard+second <= end; {
		closeSecond()
	}
	if len(r.Messages) > 0 { // until lies within a second
		write(devices.Messages, until.UnixNano())
	}
}
