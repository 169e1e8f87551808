package journal

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/facilityd/facilityd/devices"
)

// retentionInterval is how often the oldest records are looked at.
const retentionInterval = 15 * time.Second

// keepRetention runs beside the writer until the context ends.
func (w *Writer) keepRetention(ctx context.Context) {
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for {
		if _, err := w.Retain(ctx); err != nil && ctx.Err() == nil {
			w.j.cfg.Log.Error("keep the journal within its bounds", "site", w.site, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Retain drops what is older than Config.MaxAge and read by everybody who is
// registered, and what is beyond Config.MaxBytes even when it is not: that is a
// loss, counted per consumer and logged. It returns how many records it dropped.
// Run calls it every 15 seconds, which also keeps the lag in the metrics.
func (w *Writer) Retain(ctx context.Context) (dropped uint64, err error) {
	p, err := w.j.partition(ctx, w.site)
	if err != nil {
		return 0, err
	}
	info, err := p.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask for the journal's size: %w", err)
	}
	positions, err := p.positions(ctx)
	if err != nil {
		return 0, err
	}
	state := info.State
	for name, acked := range positions {
		lag := state.LastSeq - min(max(acked, state.FirstSeq-1), state.LastSeq)
		w.j.metrics.Lag.WithLabelValues(w.site, name).Set(float64(lag))
	}
	if state.Msgs == 0 {
		return 0, nil
	}
	first := state.FirstSeq // keep from here on
	if w.j.cfg.MaxAge > 0 {
		if first, err = w.firstWithin(ctx, p, state); err != nil {
			return 0, err
		}
		for _, acked := range positions {
			first = max(min(first, acked+1), state.FirstSeq)
		}
	}
	if limit := w.j.cfg.MaxBytes; limit > 0 && int64(state.Bytes) > limit {
		// Records differ in size: drop by the mean one and look again next time.
		mean := max(state.Bytes/state.Msgs, 1)
		excess := (state.Bytes-uint64(limit))/mean + 1
		first = max(first, min(state.FirstSeq+excess, state.LastSeq))
	}
	if first <= state.FirstSeq {
		return 0, nil
	}
	w.countLosses(state.FirstSeq, first, positions)
	if err := p.stream.Purge(ctx, jetstream.WithPurgeSequence(first)); err != nil {
		return 0, fmt.Errorf("drop the journal's oldest records: %w", err)
	}
	return first - state.FirstSeq, nil
}

// countLosses counts what each registered reader will never read.
func (w *Writer) countLosses(from, to uint64, positions map[string]uint64) {
	names := make([]string, 0, len(positions))
	for name := range positions {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		unread := max(positions[name]+1, from)
		if unread >= to {
			continue
		}
		w.j.metrics.RetentionLosses.WithLabelValues(w.site, name).Add(float64(to - unread))
		w.j.cfg.Log.Error("journal is full: records dropped that nobody read; raise journal.max_bytes or repair the reader",
			"site", w.site, "reader", name, "records", to-unread, "first", unread, "last", to-1)
	}
}

// firstWithin returns the position of the oldest record that is younger than
// MaxAge. Records are in the order of their time, so it is found by halving.
func (w *Writer) firstWithin(ctx context.Context, p *partition, state jetstream.StreamState) (uint64, error) {
	limit := w.Now().Add(-w.j.cfg.MaxAge).UnixNano()
	var failed error
	n := sort.Search(int(state.LastSeq-state.FirstSeq), func(i int) bool {
		if failed != nil {
			return true
		}
		seq := state.FirstSeq + uint64(i)
		msg, err := p.stream.GetMsg(ctx, seq)
		if err != nil {
			failed = fmt.Errorf("read record %d: %w", seq, err)
			return true
		}
		var r devices.Record
		if err := Decode(msg.Data, &r, new(Names)); err != nil {
			failed = err
			return true
		}
		return r.Time >= limit
	})
	return state.FirstSeq + uint64(n), failed
}
