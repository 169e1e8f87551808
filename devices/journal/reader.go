package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/facilityd/facilityd/devices"
)

// What a reader asks the engine for at a time.
const (
	readAhead      = 256
	readAheadBytes = 8 << 20
)

// A Reader reads the journal of one site by position, first what is there and
// then what is written. It survives the engine being replaced. It belongs to
// one goroutine.
type Reader struct {
	j      *Journal
	site   string
	next   uint64 // position to read
	names  Names
	free   []*devices.Record
	engine *engine
	it     jetstream.MessagesContext
}

// Read returns a reader that starts at a position; 0 and 1 are the beginning. A
// position that retention has dropped, or that is not written yet, is no error:
// the first record is the next one that exists.
func (j *Journal) Read(ctx context.Context, site string, from uint64) (*Reader, error) {
	if _, err := j.partition(ctx, site); err != nil {
		return nil, err
	}
	return &Reader{j: j, site: site, next: max(from, 1)}, nil
}

// Next returns the next record and waits for it when there is none. The record
// and its payloads belong to the caller, for good or until it gives the record
// back by Reuse.
func (r *Reader) Next(ctx context.Context) (*devices.Record, error) {
	for attempt := 0; ; attempt++ {
		seq, data, err := r.receive(ctx)
		switch {
		case err == nil:
			rec := r.record()
			rec.Seq = seq
			if err := Decode(data, rec, &r.names); err != nil {
				r.next = seq + 1 // a caller that goes on meets it once
				return nil, err
			}
			r.next = seq + 1
			return rec, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrClosed):
			return nil, err
		}
		r.Close()
		if attempt == 0 {
			r.j.cfg.Log.Debug("read journal again", "site", r.site, "position", r.next, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(20*time.Millisecond<<min(attempt, 6), time.Second)):
		}
	}
}

// receive takes one stored record from the engine, opening its iterator first
// when there is none.
func (r *Reader) receive(ctx context.Context) (uint64, []byte, error) {
	p, err := r.j.partition(ctx, r.site)
	if err != nil {
		return 0, nil, err
	}
	if r.it == nil || r.engine != p.engine {
		r.Close()
		if r.it, err = p.iterate(ctx, r.next); err != nil {
			return 0, nil, err
		}
		r.engine = p.engine
	}
	for {
		msg, err := r.it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return 0, nil, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return 0, nil, err
		}
		if seq := meta.Sequence.Stream; seq >= r.next {
			return seq, msg.Data(), nil
		}
	}
}

func (r *Reader) record() *devices.Record {
	if n := len(r.free); n > 0 {
		rec := r.free[n-1]
		r.free = r.free[:n-1]
		return rec
	}
	return new(devices.Record)
}

// Reuse gives a record back whose messages nobody looks at any more: Next fills
// it again instead of allocating. It must be called by the reader's goroutine.
func (r *Reader) Reuse(rec *devices.Record) {
	if len(r.free) < 64 {
		r.free = append(r.free, rec)
	}
}

// Position returns the position that Next reads next.
func (r *Reader) Position() uint64 { return r.next }

// Close frees what the reader holds in the engine. It may be called again, and
// Next opens it again.
func (r *Reader) Close() {
	if r.it != nil {
		r.it.Stop()
		r.it = nil
	}
}

// iterate opens an iterator over the records from a position on.
func (p *partition) iterate(ctx context.Context, from uint64) (jetstream.MessagesContext, error) {
	cons, err := p.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
		InactiveThreshold: 5 * time.Minute,
		MaxResetAttempts:  1, // the reader repeats, and looks whether the engine was replaced
	})
	if err != nil {
		return nil, fmt.Errorf("read journal of %s from %d: %w", p.site, from, err)
	}
	it, err := cons.Messages(jetstream.PullMaxMessagesWithBytesLimit(readAhead, readAheadBytes))
	if err != nil {
		return nil, fmt.Errorf("read journal of %s from %d: %w", p.site, from, err)
	}
	return it, nil
}

// each calls f with every stored message of a stream in [from, to] whose subject
// matches the filter, in their order.
func each(ctx context.Context, s jetstream.Stream, filter string, from, to uint64, f func(seq uint64, msg jetstream.Msg) error) error {
	if to < from {
		return nil
	}
	cons, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
		FilterSubjects: []string{filter},
	})
	if err != nil {
		return err
	}
	if info := cons.CachedInfo(); info != nil && info.NumPending == 0 {
		return nil
	}
	it, err := cons.Messages(jetstream.PullMaxMessagesWithBytesLimit(readAhead, readAheadBytes))
	if err != nil {
		return err
	}
	defer it.Stop()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		seq := meta.Sequence.Stream
		if seq > to {
			return nil
		}
		if err := f(seq, msg); err != nil {
			return err
		}
		if meta.NumPending == 0 || seq == to {
			return nil
		}
	}
}
