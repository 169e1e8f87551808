package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/facilityd/facilityd/devices"
)

// Source is the journal as history needs it: records in order, from the first
// that was never acknowledged.
type Source interface {
	// Next waits for the next record. When ctx ends first its error is returned,
	// and the record comes with the next call. The record is valid until then.
	Next(ctx context.Context) (*devices.Record, error)
	// Ack says that everything up to and including position seq is stored. It is
	// called between two decodes, so the decoder's state is then the state after
	// seq and may be kept with it.
	Ack(seq uint64) error
}

// PumpConfig says how a Pump works.
type PumpConfig struct {
	Source Source
	// Decode appends the readings of a record to dst and returns it. It has its
	// own decoder with its own state, fed by nothing else.
	Decode func(dst []devices.Reading, rec *devices.Record) []devices.Reading
	Writer *Writer
	// MaxReadings ends a batch; default 5,000, which InfluxDB recommends.
	MaxReadings int
	// Linger is how long a batch waits for more after its first record; default 1 s.
	Linger time.Duration
	// RetryFrom and RetryUpTo are the first and the longest pause between two
	// tries; default 500 ms and 30 s.
	RetryFrom, RetryUpTo time.Duration
	// Now gives the journal's idea of now in Unix nanoseconds, for the lag; nil
	// for the machine's clock.
	Now func() int64
}

// A Pump moves readings of one site from the journal to InfluxDB.
type Pump struct {
	cfg     PumpConfig
	batch   []devices.Reading
	seq     uint64 // last record that was decoded
	oldest  int64  // journal time of the oldest record in the batch
	events  map[*devices.Point]int64
	retries retry.Backoff // nil while writes succeed

	mu     sync.Mutex
	status Status
}

// Status is how the history of a site is doing.
type Status struct {
	Position uint64        // last journal position that is stored
	Lag      time.Duration // age of the oldest record that is not
	// Failing is why nothing is stored at present, nil when all is well, and
	// Since when it began.
	Failing error
	Since   time.Time
}

// NewPump prepares a pump.
func NewPump(cfg PumpConfig) *Pump {
	if cfg.MaxReadings == 0 {
		cfg.MaxReadings = 5000
	}
	if cfg.Linger == 0 {
		cfg.Linger = time.Second
	}
	if cfg.RetryFrom == 0 {
		cfg.RetryFrom = 500 * time.Millisecond
	}
	if cfg.RetryUpTo == 0 {
		cfg.RetryUpTo = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = func() int64 { return time.Now().UnixNano() }
	}
	return &Pump{cfg: cfg, events: make(map[*devices.Point]int64)}
}

// Run works until ctx ends, and returns its error then, or the source's error
// when that fails: open the source again and run a new pump, nothing is lost.
// A server that is away, full or misconfigured never ends it.
func (p *Pump) Run(ctx context.Context) error {
	if err := p.cfg.Writer.Health(ctx); err != nil && ctx.Err() == nil {
		p.cfg.Writer.cfg.Logger.Warn("history: health check of InfluxDB did not succeed; writing all the same", "err", err)
	}
	for {
		if err := p.fill(ctx); err != nil {
			return err
		}
		if err := p.store(ctx); err != nil {
			return err
		}
		if err := p.cfg.Source.Ack(p.seq); err != nil {
			return fmt.Errorf("acknowledge journal position %d: %w", p.seq, err)
		}
		p.acknowledged()
	}
}

// fill gathers the next batch: at least one record, at most MaxReadings readings
// and the last record's worth.
func (p *Pump) fill(ctx context.Context) error {
	p.batch, p.oldest = p.batch[:0], 0
	if err := p.take(ctx); err != nil {
		return err
	}
	lingering, stop := context.WithTimeout(ctx, p.cfg.Linger)
	defer stop()
	for len(p.batch) < p.cfg.MaxReadings {
		err := p.take(lingering)
		if err == nil {
			continue
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil
		}
		return err
	}
	return nil
}

// take decodes one more record into the batch.
func (p *Pump) take(ctx context.Context) error {
	rec, err := p.cfg.Source.Next(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("read the journal after position %d: %w", p.seq, err)
	}
	if rec.Seq <= p.seq {
		return nil // given twice; the decoder must see it once
	}
	if p.oldest == 0 {
		p.oldest = rec.Time
	}
	p.seq = rec.Seq
	from := len(p.batch)
	p.batch = p.cfg.Decode(p.batch, rec)
	separateEvents(p.events, p.batch[from:])
	return nil
}

// separateEvents moves equal times of one event point of one record apart by a
// nanosecond each: two events are two, and one series holds one value per time.
func separateEvents(events map[*devices.Point]int64, readings []devices.Reading) {
	clear(events)
	for i := range readings {
		r := &readings[i]
		if r.Point.Kind != devices.Event {
			continue
		}
		if last, ok := events[r.Point]; ok && r.Time <= last && last-r.Time < int64(time.Microsecond) {
			r.Time = last + 1
		}
		events[r.Point] = r.Time
	}
}

// store writes the batch, for as long as it takes.
func (p *Pump) store(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	for {
		err := p.cfg.Writer.Write(ctx, p.batch)
		if err == nil {
			p.recovered()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := wait(ctx, p.failed(err)); err != nil {
			return err
		}
	}
}

// failed books a failure and returns how long to wait.
func (p *Pump) failed(err error) time.Duration {
	if p.retries == nil {
		p.retries = retry.WithJitterPercent(25,
			retry.WithCappedDuration(p.cfg.RetryUpTo, retry.NewExponential(p.cfg.RetryFrom)))
	}
	pause, _ := p.retries.Next()
	fault := Refused
	var e *Error
	if errors.As(err, &e) {
		fault = e.Fault
		pause = max(pause, min(e.RetryAfter, 10*time.Minute))
	}
	w := &p.cfg.Writer.cfg
	w.Metrics.failures.WithLabelValues(fault.String()).Inc()
	w.Metrics.up.WithLabelValues(w.Site).Set(0)
	lag := p.lag()
	w.Metrics.lag.WithLabelValues(w.Site).Set(lag.Seconds())

	p.mu.Lock()
	before := p.status.Failing
	p.status.Failing, p.status.Lag = err, lag
	if before == nil {
		p.status.Since = time.Now()
	}
	p.mu.Unlock()
	// One line when it begins and one when the reason changes; the metric and the
	// status tell the rest.
	if before == nil || before.Error() != err.Error() {
		w.Logger.Warn("history: readings wait in the journal", "site", w.Site, "fault", fault.String(), "err", err)
	}
	return pause
}

func (p *Pump) recovered() {
	p.retries = nil
	w := &p.cfg.Writer.cfg
	w.Metrics.up.WithLabelValues(w.Site).Set(1)
	p.mu.Lock()
	failing, since := p.status.Failing, p.status.Since
	p.status.Failing, p.status.Since = nil, time.Time{}
	p.mu.Unlock()
	if failing != nil {
		w.Logger.Info("history: InfluxDB stores again", "site", w.Site, "after", time.Since(since).Round(time.Second))
	}
}

func (p *Pump) acknowledged() {
	lag := p.lag()
	p.cfg.Writer.cfg.Metrics.lag.WithLabelValues(p.cfg.Writer.cfg.Site).Set(lag.Seconds())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Position, p.status.Lag = p.seq, lag
}

// lag is the age of the oldest record of the batch.
func (p *Pump) lag() time.Duration {
	if p.oldest == 0 {
		return 0
	}
	return max(0, time.Duration(p.cfg.Now()-p.oldest))
}

// Status returns how it is going.
func (p *Pump) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
