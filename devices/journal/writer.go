package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"

	"github.com/facilityd/facilityd/devices"
)

// A Writer is the only writer of the journal of one site. Messages are offered
// to the Sources that it gives out, from any goroutine; Run writes them.
type Writer struct {
	j     *Journal
	site  string
	epoch uint32
	seed  maphash.Seed
	wake  chan struct{} // 1: there is something to write

	mu       sync.Mutex
	clock    clock
	queue    []*batch // sealed, oldest first; the first may be under way
	sources  []*Source
	recents  map[string]*recent
	sessions map[string]uint32 // newest session number per connection
	free     []*batch
	bytes    int // of all batches, sealed or open
	messages int
	oldest   time.Time // when the oldest unsealed message was offered
	state    error     // why nothing is written, nil when all is well
	stopped  error     // why nothing will ever be written again

	looks atomic.Uint64 // counts the looks at clock and disk

	// Of the Run loop only.
	last    uint64 // position of the newest record
	floor   int64  // time of the newest record
	tag     string // begins the ids of this writer's records: no other writer has it
	number  uint64 // counts them
	written time.Time
	full    bool
}

// A batch is what becomes one record.
type batch struct {
	kind    devices.RecordKind
	source  *Source // of messages
	buf     []byte
	patchAt int
	base    int64 // time of the first message
	last    int64 // time of the newest message
	count   int
	counted int    // messages refused at this place: they are committed with the batch
	subject string // of facts
	id      string // of the record, once an attempt to write it was made
	encode  func(at int64) ([]byte, error)
	done    chan appended // nil when nobody waits
}

// appended is the outcome of one record.
type appended struct {
	seq uint64
	err error
}

// A Source takes the messages of one network connection. It remembers nothing
// beyond it: after a reconnect the connection gets a new one.
type Source struct {
	w          *Writer
	connection string
	session    uint32
	recent     *recent
	committed  func(n int)
	open       *batch
	received, journaled,
	redelivered counter
}

// counter is the part of a Prometheus counter that the hot path needs.
type counter interface{ Add(float64) }

// Writer takes over the site: it opens the journal's tail, appends a Start
// record with a new epoch, and fences every older writer. What the site's
// connections delivered last is read back so that redeliveries are recognised.
// The writer does nothing until Run.
func (j *Journal) Writer(ctx context.Context, site string) (*Writer, error) {
	w := &Writer{
		j: j, site: site, tag: nuid.Next() + "-", seed: maphash.MakeSeed(), wake: make(chan struct{}, 1),
		recents: make(map[string]*recent), sessions: make(map[string]uint32),
	}
	newest, err := w.readTail(ctx)
	if err != nil {
		return nil, fmt.Errorf("open journal of %s: %w", site, err)
	}
	fence, err := j.fenceEpoch(ctx, site)
	if err != nil {
		return nil, fmt.Errorf("open journal of %s: %w", site, err)
	}
	w.epoch = max(newest.Epoch, fence) + 1
	w.last, w.floor = newest.Seq, newest.Time
	w.clock = newClock(j.cfg.Now(), j.cfg.Wall(), newest.Time)
	if ahead := w.clock.base - j.cfg.Wall().UnixNano(); w.clock.sane && ahead > int64(stepTolerance) {
		j.cfg.Log.Warn("the journal's newest record is ahead of the machine's clock; its time goes on from there",
			"site", site, "ahead", time.Duration(ahead))
	}
	if !w.clock.sane {
		// Run waits for the clock; the epoch is taken then.
		w.state = w.clock.err(j.cfg.Wall())
		return w, nil
	}
	return w, w.start(ctx)
}

// start appends the Start record and fences the bucket.
func (w *Writer) start(ctx context.Context) error {
	now := w.j.cfg.Now()
	w.mu.Lock()
	at := w.clock.at(now)
	w.mu.Unlock()
	b := &batch{kind: devices.Start, encode: func(at int64) ([]byte, error) {
		return appendHeader(nil, devices.Start, at, w.epoch, w.site), nil
	}}
	if _, err := w.append(ctx, b, at); err != nil {
		return fmt.Errorf("start writing journal of %s: %w", w.site, err)
	}
	return w.j.fence(ctx, w.site, w.epoch)
}

// Epoch counts the starts of writers of this site. Everything that this worker
// writes elsewhere carries it.
func (w *Writer) Epoch() uint32 { return w.epoch }

// Ready says why nothing can be written now (the disk's reserve is reached, the
// clock is not set, another worker took over), or nil. While it is not nil a
// connection should not be opened.
func (w *Writer) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped != nil {
		return w.stopped
	}
	return w.state
}

// Now returns journal time: what a record written now would carry.
func (w *Writer) Now() time.Time {
	now := w.j.cfg.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Unix(0, w.clock.at(now)).UTC()
}

// Source returns a new source for one network connection of the named broker
// connection. committed is called after each flush, in journal order and never
// concurrently, with the number of messages that are now safe: the first n that
// Offer took and that were not committed before. It must not block.
func (w *Writer) Source(connection string, committed func(n int)) *Source {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sealConnection(connection)
	w.sessions[connection]++
	r := w.recents[connection]
	if r == nil {
		r = new(recent)
		w.recents[connection] = r
	}
	m := w.j.metrics
	s := &Source{
		w: w, connection: connection, session: w.sessions[connection], recent: r, committed: committed,
		received:    m.Received.WithLabelValues(w.site, connection),
		journaled:   m.Journaled.WithLabelValues(w.site, connection),
		redelivered: m.Redelivered.WithLabelValues(w.site),
	}
	for i, old := range w.sources {
		if old.connection == connection {
			w.sources[i] = s
			return s
		}
	}
	w.sources = append(w.sources, s)
	return s
}

// Session counts the network connections of the connection.
func (s *Source) Session() uint32 { return s.session }

// Offer takes a message into the queue and returns at once; the message is
// copied. It returns false when the queue is full or the writer has stopped: then
// the message is not taken, and the connection should be closed so that the
// broker keeps it. A message that is larger than a record may be is counted as
// rejected and committed in its turn, because it would come again for ever.
//
// Received and Redelivered are set here.
func (s *Source) Offer(m *devices.Message) bool {
	w := s.w
	now := w.j.cfg.Now()
	size := len(m.Payload) + len(m.Topic) + 24
	w.mu.Lock()
	s.received.Add(1)
	if w.stopped != nil || w.bytes+size > w.j.cfg.QueueBytes && w.messages > 0 {
		w.mu.Unlock()
		reason := "queue_full"
		if w.stopped != nil {
			reason = "stopped"
		}
		w.j.metrics.Rejected.WithLabelValues(w.site, s.connection, reason).Inc()
		return false
	}
	b := s.open
	if b == nil {
		b = w.newBatch(s)
	}
	if size > maxMessage {
		b.counted++
		w.messages++
		w.signal(b)
		w.mu.Unlock()
		w.j.metrics.Rejected.WithLabelValues(w.site, s.connection, "too_large").Inc()
		return true
	}
	at := w.clock.at(now)
	if b.count == 0 {
		b.base, b.last = at, at
	}
	m.Received = at
	if m.Redelivered = s.recent.mark(m, w.seed); m.Redelivered {
		s.redelivered.Add(1)
	}
	before := len(b.buf)
	b.buf = appendMessage(b.buf, m, at-b.last)
	b.last = at
	b.count++
	w.messages++
	w.bytes += len(b.buf) - before
	w.signal(b)
	w.mu.Unlock()
	return true
}

// maxMessage is the largest message that fits into a record on any engine: the
// payload limit of a NATS server is 1 MB unless it is set otherwise.
const maxMessage = 900 << 10

// signal seals a batch that is large enough and wakes the loop. w.mu is held.
func (w *Writer) signal(b *batch) {
	first := w.oldest.IsZero()
	if first {
		w.oldest = time.Now()
	}
	full := len(b.buf) >= w.j.cfg.FlushBytes || b.count+b.counted >= w.j.cfg.FlushMessages
	if full {
		w.seal(b.source)
	}
	if first || full {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// newBatch opens a batch for the source. w.mu is held.
func (w *Writer) newBatch(s *Source) *batch {
	var b *batch
	if n := len(w.free); n > 0 {
		b, w.free = w.free[n-1], w.free[:n-1]
		*b = batch{buf: b.buf[:0]}
	} else {
		b = &batch{buf: make([]byte, 0, w.j.cfg.FlushBytes/4)}
	}
	b.kind, b.source = devices.Messages, s
	b.buf, b.patchAt = appendBatchHeader(b.buf, w.epoch, w.site, s.connection, s.session)
	s.open = b
	return b
}

// seal moves the open batch of a source to the end of the queue. w.mu is held.
func (w *Writer) seal(s *Source) {
	if s.open != nil {
		w.queue = append(w.queue, s.open)
		s.open = nil
	}
}

func (w *Writer) sealConnection(connection string) {
	for _, s := range w.sources {
		if s.connection == connection {
			w.seal(s)
		}
	}
}

// enqueue puts a record that is no batch of messages behind everything that was
// offered before it.
func (w *Writer) enqueue(b *batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped != nil {
		return w.stopped
	}
	for _, s := range w.sources {
		w.seal(s)
	}
	w.queue = append(w.queue, b)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// Link appends that the connection went up, or down and why. It returns at once;
// the record comes behind the messages that were offered before.
func (w *Writer) Link(connection string, up bool, reason string) {
	w.mu.Lock()
	session := w.sessions[connection]
	w.mu.Unlock()
	r := devices.Record{Kind: devices.LinkState, Epoch: w.epoch, Site: w.site, Connection: connection, Session: session,
		Link: devices.Link{Up: up, Reason: reason}}
	// A writer that has stopped records nothing, and its successor begins with a
	// Start record, which says more.
	_ = w.enqueue(&batch{kind: r.Kind, encode: encoder(r)})
}

// Config appends that the configuration with this hash is in force from here on,
// and returns the record's position once it is on disk.
func (w *Writer) Config(ctx context.Context, hash string) (uint64, error) {
	r := devices.Record{Kind: devices.ConfigVersion, Epoch: w.epoch, Site: w.site, Config: hash}
	return w.wait(ctx, &batch{kind: r.Kind, encode: encoder(r)})
}

// Fact appends a fact from a person and returns the record's position once it is
// on disk. A fact whose ID is in the journal already is not written again: the
// position of the first is returned.
func (w *Writer) Fact(ctx context.Context, f devices.Fact) (uint64, error) {
	if f.ID == "" {
		return 0, errors.New("append fact: it has no id, so a repetition could not be told from a second fact")
	}
	r := devices.Record{Kind: devices.FactRecord, Epoch: w.epoch, Site: w.site, Fact: &f}
	return w.wait(ctx, &batch{kind: r.Kind, encode: encoder(r), subject: factSubject(f.ID)})
}

func encoder(r devices.Record) func(int64) ([]byte, error) {
	return func(at int64) ([]byte, error) {
		r.Time = at
		return Encode(nil, &r)
	}
}

func (w *Writer) wait(ctx context.Context, b *batch) (uint64, error) {
	b.done = make(chan appended, 1)
	if err := w.enqueue(b); err != nil {
		return 0, err
	}
	select {
	case a := <-b.done:
		return a.seq, a.err
	case <-ctx.Done():
		return 0, fmt.Errorf("append %s record: %w: it may still be written", b.kind, ctx.Err())
	}
}
