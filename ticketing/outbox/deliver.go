package outbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// A Queue keeps effects; ticketing/store has it. Several deliverers may work on
// one queue: what one has taken no other gets before its lease is over.
type Queue interface {
	// TakeEffects takes at most n effects that are due, the most urgent first, and
	// leases them until a time, messages about P1 for [UrgentLease] at most. Only
	// those are urgent ones.
	TakeEffects(ctx context.Context, n int, urgent bool, now, until time.Time) ([]Effect, error)
	// NextEffect is when the next effect is due; the zero time when none waits.
	NextEffect(ctx context.Context, urgent bool) (time.Time, error)
	EffectSent(ctx context.Context, e *Effect, r Receipt, now time.Time) error
	EffectFailed(ctx context.Context, e *Effect, v Verdict, reason string, now time.Time) error
}

// A Deliverer takes effects from a queue and hands them over.
type Deliverer struct {
	Queue Queue
	// Send hands one effect over. An error that is not a [*Failure] is one that may
	// pass.
	Send func(ctx context.Context, e *Effect) (Receipt, error)
	// Workers deliver at the same time; Urgent ones more are kept for messages
	// about P1, which so never wait behind a receiver that hangs.
	Workers, Urgent int
	Log             *slog.Logger
	Metrics         *Metrics

	once  sync.Once
	lanes []*lane
}

type lane struct {
	urgent  bool
	workers int
	wake    chan struct{}
}

// poll is how often the queue is asked without being woken: what other workers on
// the same database have written is seen this late.
const poll = time.Second

func (d *Deliverer) start() {
	d.once.Do(func() {
		d.lanes = []*lane{
			{urgent: true, workers: max(d.Urgent, 1), wake: make(chan struct{}, 1)},
			{workers: max(d.Workers, 1), wake: make(chan struct{}, 1)},
		}
	})
}

// Wake says that there may be something to deliver.
func (d *Deliverer) Wake() {
	d.start()
	for _, l := range d.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Run delivers until the context ends; then it waits for what is under way.
func (d *Deliverer) Run(ctx context.Context) error {
	d.start()
	var wg sync.WaitGroup
	for _, l := range d.lanes {
		wg.Go(func() { d.run(ctx, l) })
	}
	wg.Wait()
	return nil
}

func (d *Deliverer) run(ctx context.Context, l *lane) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, l.workers)
	freed := make(chan struct{}, 1)
	for ctx.Err() == nil {
		free := l.workers - len(slots)
		taken, err := d.take(ctx, l, free)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("the outbox cannot be read; it is tried again", "error", err)
		}
		for i := range taken {
			slots <- struct{}{}
			wg.Go(func() {
				d.deliver(ctx, &taken[i])
				<-slots
				select {
				case freed <- struct{}{}:
				default:
				}
			})
		}
		if len(taken) == free && free > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-freed:
		case <-time.After(poll):
		}
	}
}

// take asks with a query first, so that an idle outbox writes nothing.
func (d *Deliverer) take(ctx context.Context, l *lane, n int) ([]Effect, error) {
	if n == 0 {
		return nil, nil
	}
	now := time.Now()
	next, err := d.Queue.NextEffect(ctx, l.urgent)
	if err != nil || next.IsZero() || next.After(now) {
		return nil, err
	}
	return d.Queue.TakeEffects(ctx, n, l.urgent, now, now.Add(Lease))
}

// grace is how long what was begun may take when the daemon stops: the receiver
// may have taken it already.
const grace = 5 * time.Second

func (d *Deliverer) deliver(ctx context.Context, e *Effect) {
	stopping := ctx
	ctx = context.WithoutCancel(ctx)
	limit := timeout
	if e.urgent() {
		limit = urgentTimeout
	}
	sending, cancel := context.WithTimeout(ctx, limit)
	stop := context.AfterFunc(stopping, func() { time.AfterFunc(grace, cancel) })
	receipt, err := d.Send(sending, e)
	stop()
	cancel()
	now := time.Now()
	log := d.Log.With("effect", e.Key, "kind", e.Kind, "to", e.To, "order", e.Order, "tier", e.Tier, "attempt", e.Attempts)
	if err == nil {
		if err := d.Queue.EffectSent(ctx, e, receipt, now); err != nil {
			log.Warn("delivered, but not marked so: it will be delivered again under its key", "error", err)
			return
		}
		d.Metrics.delivered(e, now)
		log.Debug("delivered", "channel", receipt.Channel)
		return
	}
	f := new(Failure)
	if !errors.As(err, &f) {
		f = &Failure{Err: err, Contacts: 1}
	}
	v := Judge(e, f, rand.Float64(), now)
	if err := d.Queue.EffectFailed(ctx, e, v, f.Error(), now); err != nil {
		log.Warn("a failed delivery is not marked so: it is tried again after its lease", "error", err)
		return
	}
	d.Metrics.failed(e, v)
	switch {
	case v.Dead:
		log.Error("given up: see facilityd outbox list --state dead", "error", f)
	case v.Unreached:
		log.Warn("nobody takes it on any channel; it is tried again", "error", f, "at", v.Due)
	default:
		log.Info("not taken; it is tried again", "error", f, "at", v.Due)
	}
	if !v.Dead && !v.Due.After(now) {
		d.Wake()
	}
}
