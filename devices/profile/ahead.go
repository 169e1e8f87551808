package profile

import "github.com/facilityd/facilityd/devices"

// With many devices the decoder waits for memory: the entry of a topic, the device
// and the points that it leads to are in no cache any more when the device speaks
// again a minute later. Of the messages of a record they are looked up side by side,
// step by step, before the first is decoded, so that the waits overlap. What is read
// here is used for nothing else.

// aheadMessages is how many messages are looked at together, aheadLeast how many
// there must be for it to be worth it.
const (
	aheadMessages = 32
	aheadLeast    = 4
)

// ahead holds what is on the way.
type ahead struct {
	entries  [aheadMessages]*topicEntry
	bindings [aheadMessages]*binding
	sum      uint64 // keeps the reads alive
}

// lookAhead reads what the next messages will need.
func (d *Decoder) lookAhead(messages []devices.Message) {
	w := &d.ahead
	n, sum := 0, uint64(0)
	for k := range messages {
		if e := d.topics[messages[k].Topic]; e != nil {
			w.entries[n] = e
			n++
		}
	}
	found := 0
	for _, e := range w.entries[:n] {
		if len(e.bound) > 0 && len(e.bound[0]) > 0 && e.bound[0][0] != nil {
			w.bindings[found] = e.bound[0][0]
			found++
		}
	}
	bindings := w.bindings[:found]
	for _, b := range bindings {
		sum += uint64(b.dev.Index) + uint64(len(b.points))
	}
	for _, b := range bindings {
		if idx := int(b.dev.Index); idx < len(d.states) {
			sum += uint64(d.states[idx].lastSeen) + d.states[idx].counts.Decoded
		}
		for _, p := range b.points {
			if p != nil {
				sum += uint64(p.Index)
			}
		}
	}
	for _, b := range bindings {
		for _, p := range b.points {
			if p != nil && int(p.Index) < len(d.points) {
				sum += uint64(d.points[p.Index].time)
			}
		}
	}
	w.sum += sum
}
