package mqtt

import (
	"sync"
)

// An ackQueue holds back the acknowledgements of one session until the journal
// has the messages, and then sends them in the order of arrival: many in one
// write, directly to the wire. The library's own Message.Ack takes three channel
// hops and a system call for each message.
type ackQueue struct {
	mu      sync.Mutex
	held    []uint32 // packet id | QoS<<16, oldest first
	head    int
	out     []byte // PUBACK and PUBREC packets to write
	spare   []byte
	wake    chan struct{}
	writing bool
}

func newAckQueue() *ackQueue { return &ackQueue{wake: make(chan struct{}, 1)} }

// hold remembers a message that is about to be offered.
func (q *ackQueue) hold(id uint16, qos byte) {
	q.mu.Lock()
	q.held = append(q.held, uint32(qos)<<16|uint32(id))
	q.mu.Unlock()
}

// unhold takes the newest one back: it was refused.
func (q *ackQueue) unhold() {
	q.mu.Lock()
	q.held = q.held[:len(q.held)-1]
	q.mu.Unlock()
}

// committed moves the acknowledgements of the first n messages to the writer. It
// does not block.
func (q *ackQueue) committed(n int) {
	q.mu.Lock()
	for _, e := range q.held[q.head : q.head+n] {
		switch e >> 16 {
		case 1:
			q.out = append(q.out, typePuback, 2, byte(e>>8), byte(e))
		case 2:
			q.out = append(q.out, typePubrec, 2, byte(e>>8), byte(e))
		}
	}
	q.head += n
	if q.head == len(q.held) {
		q.held, q.head = q.held[:0], 0
	} else if q.head > 4096 && q.head > len(q.held)/2 {
		q.held = q.held[:copy(q.held, q.held[q.head:])]
		q.head = 0
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// idle reports whether every message is acknowledged.
func (q *ackQueue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head == len(q.held) && len(q.out) == 0 && !q.writing
}

// run writes acknowledgements until done is closed or the connection fails.
func (q *ackQueue) run(done <-chan struct{}, write func([]byte) (int, error)) {
	for {
		select {
		case <-done:
			return
		case <-q.wake:
		}
		q.mu.Lock()
		out := q.out
		q.out, q.writing = q.spare[:0], true
		q.mu.Unlock()
		var err error
		if len(out) > 0 {
			_, err = write(out)
		}
		q.mu.Lock()
		q.spare, q.writing = out, false
		q.mu.Unlock()
		if err != nil {
			return
		}
	}
}
