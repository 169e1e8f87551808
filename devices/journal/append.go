package journal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/facilityd/facilityd/devices"
)

// Subjects below a site's prefix. Messages have their own, so that the tail of
// the journal can be read without its time records; a fact has one of its own,
// so that a repetition is found however old the first is.
const (
	messageSubject = ".messages"
	controlSubject = ".control"
	factPrefix     = ".fact."
)

func factSubject(id string) string {
	sum := sha256.Sum256([]byte(id))
	return factPrefix + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// errRefused marks a record that can never be written, however often it is
// tried: it is dropped and its author told.
var errRefused = errors.New("record refused")

// errBehind: a record of this writer was stored although its acknowledgement was
// lost; the writer's position has been corrected.
var errBehind = errors.New("a record was stored without acknowledgement")

func refused(err error) bool { return errors.Is(err, errRefused) }

// append writes one record and returns its position. It repeats a failed write
// until it succeeds, the context ends or another writer took over; the message
// id and the expected position make a repetition harmless. Only the loop calls
// it, so one publish is outstanding.
func (w *Writer) append(ctx context.Context, b *batch, at int64) (uint64, error) {
	if b.source != nil && b.count == 0 {
		return w.last, nil // nothing but refused messages
	}
	data, newest, err := w.encode(b, at)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errRefused, err)
	}
	subject := controlSubject
	switch {
	case b.source != nil:
		subject = messageSubject
	case b.subject != "":
		subject = b.subject
	}
	if b.id == "" { // an attempt that was cut short keeps its id: it may be stored
		w.number++
		b.id = w.tag + strconv.FormatUint(w.number, 10)
	}
	id := b.id
	begin := time.Now()
	for attempt := 0; ; attempt++ {
		seq, existing, err := w.publish(ctx, subject, id, data)
		if err == nil {
			if !existing {
				w.last, w.floor = seq, newest
				w.written = time.Now()
				m := w.j.metrics
				m.Flush.WithLabelValues(w.site).Observe(w.written.Sub(begin).Seconds())
				m.Records.WithLabelValues(w.site, b.kind.String()).Inc()
				m.Bytes.WithLabelValues(w.site).Add(float64(len(data)))
			}
			return seq, nil
		}
		if errors.Is(err, ErrFenced) || refused(err) {
			return 0, err
		}
		if errors.Is(err, errBehind) {
			continue
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		w.j.metrics.WriteErrors.WithLabelValues(w.site).Inc()
		if attempt == 0 {
			w.j.cfg.Log.Error("write to the journal", "site", w.site, "error", err)
		}
		if err := w.recover(ctx, attempt, err); err != nil {
			return 0, err
		}
	}
}

// encode returns the bytes of the record and its time.
func (w *Writer) encode(b *batch, at int64) ([]byte, int64, error) {
	if b.source == nil {
		at = max(at, w.floor)
		data, err := b.encode(at)
		return data, at, err
	}
	patchBatch(b.buf, b.patchAt, b.base, w.floor, b.count)
	return b.buf, max(b.last, w.floor), nil
}

// publish makes one attempt. existing means that the record was in the journal
// before this writer's call (a fact told twice).
func (w *Writer) publish(ctx context.Context, subject, id string, data []byte) (seq uint64, existing bool, err error) {
	p, err := w.j.partition(ctx, w.site)
	if err != nil {
		return 0, false, err
	}
	if len(data) > p.limit {
		return 0, false, fmt.Errorf("%w: %d bytes, the engine takes %d", errRefused, len(data), p.limit)
	}
	if len(subject) > len(factPrefix) && subject[:len(factPrefix)] == factPrefix {
		have, err := p.stream.GetLastMsgForSubject(ctx, p.subject+subject)
		if err == nil {
			return have.Sequence, true, nil
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, false, fmt.Errorf("look for fact: %w", err)
		}
	}
	msg := nats.Msg{Subject: p.subject + subject, Data: data, Header: nats.Header{
		jetstream.MsgIDHeader:           {id},
		jetstream.ExpectedLastSeqHeader: {strconv.FormatUint(w.last, 10)},
	}}
	// An attempt is not cut short when the program ends: its outcome is wanted.
	reqCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.j.cfg.RequestTimeout)
	defer cancel()
	ack, err := p.engine.js.PublishMsg(reqCtx, &msg, jetstream.WithRetryAttempts(0))
	if err == nil {
		return ack.Sequence, false, nil
	}
	if !isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence) {
		return 0, false, err
	}
	// Somebody else wrote, or this very record is there and its acknowledgement
	// was lost.
	info, err := p.stream.Info(reqCtx)
	if err != nil {
		return 0, false, fmt.Errorf("ask for the journal's newest record: %w", err)
	}
	newest := info.State.LastSeq
	if newest < w.last {
		w.j.cfg.Log.Error("the journal lost records that it had acknowledged; going on behind what is left",
			"site", w.site, "expected", w.last, "found", newest)
		w.last = newest
		return 0, false, fmt.Errorf("journal ends at %d", newest)
	}
	have, err := p.stream.GetMsg(reqCtx, w.last+1)
	if err != nil {
		return 0, false, fmt.Errorf("read the journal's newest record: %w", err)
	}
	switch found := have.Header.Get(jetstream.MsgIDHeader); {
	case found == id:
		return have.Sequence, false, nil
	case strings.HasPrefix(found, w.tag):
		var r devices.Record
		if err := Decode(have.Data, &r, new(Names)); err != nil {
			return 0, false, err
		}
		w.last, w.floor = have.Sequence, r.Time
		return 0, false, errBehind
	}
	return 0, false, fmt.Errorf("write journal of %s at %d: %w", w.site, w.last+1, ErrFenced)
}

// recover prepares the next attempt after a failed write: it waits for room on
// the disk, waits a little, and replaces the embedded engine, which refuses
// every write once one has failed.
func (w *Writer) recover(ctx context.Context, attempt int, cause error) error {
	pause := min(50*time.Millisecond<<min(attempt, 6), 2*time.Second)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		state := w.lookAtDisk()
		w.setState(state)
		if state == nil {
			break
		}
		pause = housekeeping
	}
	w.j.mu.Lock()
	failed := w.j.engine
	w.j.mu.Unlock()
	if attempt == 0 && errors.Is(cause, context.DeadlineExceeded) && failed.healthy() {
		return nil // slow, perhaps: ask again first
	}
	if err := w.j.replaceEngine(failed); err != nil {
		if errors.Is(err, ErrClosed) {
			return err
		}
		w.j.cfg.Log.Error("open journal engine again", "error", err)
	}
	return nil
}

// readTail reads the end of the journal: the newest record, and what its
// connections delivered last.
func (w *Writer) readTail(ctx context.Context) (newest devices.Record, err error) {
	p, err := w.j.partition(ctx, w.site)
	if err != nil {
		return newest, err
	}
	info, err := p.stream.Info(ctx)
	if err != nil {
		return newest, fmt.Errorf("ask for its bounds: %w", err)
	}
	newest.Seq = info.State.LastSeq
	if info.State.Msgs == 0 {
		return newest, nil
	}
	last, err := p.stream.GetMsg(ctx, newest.Seq)
	if err != nil {
		return newest, fmt.Errorf("read its newest record: %w", err)
	}
	var names Names
	if err := Decode(last.Data, &newest, &names); err != nil {
		return newest, err
	}
	newest.Messages = nil
	// How far back the window reaches is not known: look at an ever longer tail
	// until it holds enough messages of every connection in it.
	for span := uint64(2048); ; span *= 8 {
		from := info.State.FirstSeq
		reachesAll := newest.Seq < from+span
		if !reachesAll {
			from = newest.Seq - span
		}
		enough, err := w.readRecent(ctx, p, from, newest.Seq, &names)
		if err != nil {
			return newest, err
		}
		if enough || reachesAll || span > 1<<20 {
			return newest, nil
		}
	}
}

// readRecent fills the redelivery tables from the records of messages between
// two positions, and reports whether every connection's window is full.
func (w *Writer) readRecent(ctx context.Context, p *partition, from, to uint64, names *Names) (enough bool, err error) {
	w.recents = make(map[string]*recent)
	count := make(map[string]int)
	err = each(ctx, p.stream, p.subject+messageSubject, from, to, func(seq uint64, msg jetstream.Msg) error {
		r := devices.Record{Seq: seq}
		if err := Decode(msg.Data(), &r, names); err != nil {
			return err
		}
		t := w.recents[r.Connection]
		if t == nil {
			t = new(recent)
			w.recents[r.Connection] = t
		}
		w.sessions[r.Connection] = max(w.sessions[r.Connection], r.Session)
		for i := range r.Messages {
			t.mark(&r.Messages[i], w.seed)
		}
		count[r.Connection] += len(r.Messages)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read its tail: %w", err)
	}
	for _, n := range count {
		if n < redeliveryWindow {
			return false, nil
		}
	}
	return len(count) > 0, nil
}
