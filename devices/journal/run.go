package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// housekeeping is how often the loop looks at the clock and the disk.
const housekeeping = time.Second

// Run writes what is offered until the context ends, then what is left, and
// returns. It returns an error only when nothing can be written any more, which
// is when another worker took over (ErrFenced).
func (w *Writer) Run(ctx context.Context) error {
	beside, cancel := context.WithCancel(ctx)
	retention := make(chan struct{})
	go func() {
		defer close(retention)
		w.keepRetention(beside)
	}()
	err := w.loop(ctx)
	cancel()
	w.mu.Lock()
	w.stopped = err
	if err == nil {
		w.stopped = ErrClosed
	}
	rest := w.queue
	w.queue = nil
	for _, s := range w.sources {
		s.open = nil
	}
	w.bytes, w.messages = 0, 0
	w.gauges()
	stopped := w.stopped
	w.mu.Unlock()
	for _, b := range rest {
		if b.done != nil {
			b.done <- appended{err: stopped}
		}
	}
	<-retention
	return err
}

func (w *Writer) loop(ctx context.Context) error {
	ticker := time.NewTicker(min(housekeeping, w.j.cfg.TickInterval))
	defer ticker.Stop()
	flush := time.NewTimer(time.Hour)
	flush.Stop()
	defer flush.Stop()
	lastLook := time.Time{}
	for {
		if now := time.Now(); now.Sub(lastLook) >= housekeeping {
			lastLook = now
			if err := w.look(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
		}
		if w.Ready() == nil {
			w.mu.Lock()
			wait := w.due()
			w.mu.Unlock()
			if wait <= 0 {
				if err := w.flush(ctx); err != nil {
					return w.ended(ctx, err)
				}
				continue
			}
			flush.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return w.finish()
		case <-w.wake:
		case <-flush.C:
		case <-ticker.C:
			if err := w.tick(ctx); err != nil {
				return w.ended(ctx, err)
			}
		}
		flush.Stop()
	}
}

// ended turns the end of the context into an orderly finish.
func (w *Writer) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrFenced) {
		return w.finish()
	}
	return err
}

// lastWords bounds how long the writer tries to write what is left when it is
// told to stop; what is not written is not acknowledged and comes again.
const lastWords = 5 * time.Second

func (w *Writer) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if w.Ready() != nil {
		return nil
	}
	w.mu.Lock()
	for _, s := range w.sources {
		w.seal(s)
	}
	w.mu.Unlock()
	if err := w.flush(ctx); err != nil && errors.Is(err, ErrFenced) {
		return err
	}
	return nil
}

// due says how long to wait before the next flush; 0 or less is now. w.mu is
// held.
func (w *Writer) due() time.Duration {
	if len(w.queue) > 0 {
		return 0
	}
	if w.oldest.IsZero() {
		return time.Hour
	}
	// The age of a batch is counted on the machine's clock: an estate clock that
	// runs fast must not flush more often.
	return w.j.cfg.FlushInterval - time.Since(w.oldest)
}

// flush writes everything that was offered so far, one record after the other.
func (w *Writer) flush(ctx context.Context) error {
	w.mu.Lock()
	for _, s := range w.sources {
		w.seal(s)
	}
	w.oldest = time.Time{}
	w.mu.Unlock()
	for {
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.queue = nil
			w.gauges()
			w.mu.Unlock()
			return nil
		}
		b := w.queue[0]
		at := w.clock.at(w.j.cfg.Now())
		w.gauges()
		w.mu.Unlock()
		seq, err := w.append(ctx, b, at)
		if err != nil {
			if b.done != nil && refused(err) {
				b.done <- appended{err: err}
				w.drop(b)
				continue
			}
			return err
		}
		w.drop(b)
		if b.done != nil {
			b.done <- appended{seq: seq}
		}
		if s := b.source; s != nil {
			s.journaled.Add(float64(b.count))
			s.committed(b.count + b.counted)
			w.recycle(b)
		}
	}
}

// drop takes the first batch off the queue.
func (w *Writer) drop(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue[0] = nil
	w.queue = w.queue[1:]
	if b.source != nil {
		w.bytes -= len(b.buf) - b.patchAt - 12
		w.messages -= b.count + b.counted
	}
}

// recycle keeps the buffer of a written batch for a later one, unless a burst
// made it large.
func (w *Writer) recycle(b *batch) {
	if cap(b.buf) > 2*w.j.cfg.FlushBytes {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.free) < 8 {
		w.free = append(w.free, b)
	}
}

// gauges publishes how much waits. w.mu is held.
func (w *Writer) gauges() {
	w.j.metrics.QueuedBytes.WithLabelValues(w.site).Set(float64(w.bytes))
	w.j.metrics.QueuedMessages.WithLabelValues(w.site).Set(float64(w.messages))
}

// tick appends the time when nothing else was written for a while.
func (w *Writer) tick(ctx context.Context) error {
	if w.Ready() != nil || time.Since(w.written) < w.j.cfg.TickInterval {
		return nil
	}
	w.mu.Lock()
	waiting := w.messages > 0 || len(w.queue) > 0
	at := w.clock.at(w.j.cfg.Now())
	w.mu.Unlock()
	if waiting {
		return nil
	}
	_, err := w.append(ctx, w.control(devices.Record{Kind: devices.Tick}), at)
	return err
}

func (w *Writer) control(r devices.Record) *batch {
	r.Epoch, r.Site = w.epoch, w.site
	return &batch{kind: r.Kind, encode: encoder(r)}
}

// look watches the clock and the disk, and keeps Ready.
func (w *Writer) look(ctx context.Context) error {
	defer w.looks.Add(1)
	now, wall := w.j.cfg.Now(), w.j.cfg.Wall()
	w.mu.Lock()
	started := w.clock.sane
	step := w.clock.look(now, wall)
	insane := w.clock.err(wall)
	at := w.clock.at(now)
	w.mu.Unlock()

	state := insane
	if state == nil {
		state = w.lookAtDisk()
	}
	w.setState(state)
	if state != nil {
		return nil
	}
	if !started && w.written.IsZero() {
		return w.start(ctx)
	}
	if step != 0 {
		w.j.metrics.ClockSteps.WithLabelValues(w.site).Inc()
		w.j.cfg.Log.Warn("the machine's clock was set", "site", w.site, "step", step)
		_, err := w.append(ctx, w.control(devices.Record{Kind: devices.ClockStep, Step: step}), at)
		return err
	}
	return nil
}

// setState keeps why nothing is written, and says so once when it changes.
func (w *Writer) setState(state error) {
	w.mu.Lock()
	before := w.state
	w.state = state
	w.mu.Unlock()
	paused := w.j.metrics.Paused.WithLabelValues(w.site)
	switch {
	case state != nil && before == nil:
		paused.Set(1)
		w.j.cfg.Log.Error("intake stopped", "site", w.site, "reason", state)
	case state == nil && before != nil:
		paused.Set(0)
		w.j.cfg.Log.Info("intake goes on", "site", w.site)
	}
}

// lookAtDisk says that the free space is below the reserve. It stays so until
// half of the reserve more is free, so that intake does not flutter.
func (w *Writer) lookAtDisk() error {
	reserve := w.j.cfg.Reserve
	if reserve < 0 || w.j.cfg.URL != "" {
		return nil
	}
	free, err := w.j.cfg.FreeSpace(w.j.cfg.Dir)
	if err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", w.j.cfg.Dir, err)
	}
	if w.full {
		w.full = free < reserve+reserve/2
	} else {
		w.full = free < reserve
	}
	if !w.full {
		return nil
	}
	return fmt.Errorf("disk of %s has %d MB left and %d MB are kept in reserve: make room or lower journal.reserve; nothing is acknowledged to the broker meanwhile",
		w.j.cfg.Dir, free>>20, reserve>>20)
}
