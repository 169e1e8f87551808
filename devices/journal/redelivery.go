package journal

import (
	"hash/maphash"

	"github.com/facilityd/facilityd/devices"
)

// redeliveryWindow is how many messages of a connection are remembered: half of
// the packet ids, so that an id is never mistaken for its own next use.
const redeliveryWindow = 32_768

// A recent remembers the newest messages of one connection by packet id, to tell
// a redelivery of something that is in the journal from a second, equal event.
// It costs 768 KB, once the connection has carried a QoS 1 or 2 message.
type recent struct {
	count uint32 // QoS 1 and 2 messages seen, of the connection's whole life
	hash  []uint64
	seen  []uint32 // value of count when the id was last used
}

// mark reports whether m is already in the journal, and remembers it. A message
// is redelivered when the broker says it may be (DUP), and the same packet id
// carried the same topic and payload within the window. QoS 0 has no packet id
// and is never a redelivery.
func (r *recent) mark(m *devices.Message, seed maphash.Seed) bool {
	if m.QoS == 0 {
		return false
	}
	if r.hash == nil {
		r.hash, r.seen = make([]uint64, 1<<16), make([]uint32, 1<<16)
	}
	h := maphash.Bytes(seed, m.Payload) ^ maphash.String(seed, m.Topic)*0x9e3779b97f4a7c15
	if h == 0 {
		h = 1 // 0 means that the id was never used
	}
	again := m.Dup && r.hash[m.PacketID] == h && r.count-r.seen[m.PacketID] < redeliveryWindow
	r.count++
	r.hash[m.PacketID], r.seen[m.PacketID] = h, r.count
	return again
}
