package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing/store"
)

const (
	// checkpointEvery bounds what a restart has to replay.
	checkpointEvery = 10 * time.Second
	// depth of the queues between the stages. A full queue makes the stage before
	// it wait; the journal holds the rest.
	depth = 8
)

// A chain carries one site from its journal to its work orders. One goroutine
// reads, one decodes and judges, one commits. Decoding and judging share the
// registry of devices and are far cheaper than receiving, so they share a
// goroutine; several sites run side by side.
type chain struct {
	site    string
	log     *slog.Logger
	journal *journal.Journal
	orders  *store.Store
	configs *catalogue
	now     func() time.Time // wall or estate clock, for the order's log
	metrics *metrics
	act     func(profile.Action) // opt-in publishing, nil when it is off

	registry *devices.Registry
	decoder  *profile.Decoder
	engine   *rules.Engine
	bundle   *configs.Bundle
	batch    profile.Batch
	newest   newest
	keeper   keeper
	from     uint64 // position of the last record that is in the state
	told     uint64 // up to this record the orders know what followed, see rebuild
	due      time.Time
	calls    chan func()
	done     chan struct{}

	mu   sync.Mutex
	seen progress
}

// progress is how far a chain is.
type progress struct {
	judged, committed uint64
	at                time.Time // journal time of the last judged record
}

// commit is what one or more records caused.
type commit struct {
	upTo       uint64
	steps      []rules.Transition
	checkpoint *checkpoint
}

// restore brings the chain to its newest checkpoint.
func (c *chain) restore(ctx context.Context, epoch uint32) error {
	position, err := c.orders.Begin(ctx, c.site, epoch)
	if err != nil {
		return err
	}
	bucket, err := c.journal.Bucket(ctx, c.site)
	if err != nil {
		return err
	}
	c.keeper = keeper{bucket: bucket, epoch: epoch}
	decoder, chunks, ok, err := c.keeper.load(ctx)
	if err != nil {
		return err
	}
	c.bundle = c.configs.current(c.site)
	if ok {
		if c.bundle, err = c.configs.byHash(ctx, c.site, c.keeper.last.Config); err != nil {
			return err
		}
	}
	c.begin(c.bundle)
	if !ok {
		return nil
	}
	err = c.decoder.Restore(decoder)
	if err == nil {
		err = c.engine.Restore(chunks)
	}
	if errors.Is(err, rules.ErrCheckpoint) || errors.Is(err, profile.ErrState) {
		return c.rebuild(ctx, position.Seq, err)
	}
	if err != nil {
		return fmt.Errorf("restore site %s: %w", c.site, err)
	}
	c.from = c.keeper.last.Seq
	return nil
}

// begin makes decoder and engine that know nothing yet.
func (c *chain) begin(b *configs.Bundle) {
	c.bundle = b
	c.registry = devices.NewRegistry()
	c.setDecoder(profile.NewDecoder(b.Profiles, b.Site, c.registry))
	c.engine = rules.NewEngine(b.Rules, b.Site, c.registry)
}

// rebuild begins with the oldest record that is kept, because the checkpoint is
// not one that this version of the program can read. What is in the orders
// already is not told to them again: this version may see the past otherwise, and
// nobody is to be woken for that.
func (c *chain) rebuild(ctx context.Context, applied uint64, why error) error {
	past := Past{journal: c.journal, configs: c.configs}
	extent, err := past.Extent(ctx, c.site)
	if err != nil {
		return err
	}
	hash, err := c.configs.inForce(ctx, c.site, extent)
	if err != nil {
		return err
	}
	b, err := c.configs.byHash(ctx, c.site, hash)
	if err != nil {
		return err
	}
	c.begin(b)
	c.keeper.forget()
	c.from, c.told = extent.First-1, max(applied, c.keeper.last.Seq)
	c.log.Warn("the checkpoint is of another version: the journal is read again", "reason", why,
		"from", extent.From, "records", extent.Last+1-extent.First, "whole", extent.Whole())
	return nil
}

// run carries records until the context ends. It returns early only when the
// site was taken over by another worker or something is broken for good.
func (c *chain) run(ctx context.Context) error {
	defer close(c.done)
	reader, err := c.journal.Read(ctx, c.site, c.from+1)
	if err != nil {
		return err
	}
	defer reader.Close()
	records := make(chan *devices.Record, depth)
	commits := make(chan commit, depth)
	spent := make(chan *devices.Record, 2*depth) // go back to the reader, which fills them again
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			for more := true; more; {
				select {
				case rec := <-spent:
					reader.Reuse(rec)
				default:
					more = false
				}
			}
			rec, err := reader.Next(ctx)
			if err != nil {
				return err
			}
			select {
			case records <- rec:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	g.Go(func() error { defer close(commits); return c.judge(ctx, records, spent, commits) })
	g.Go(func() error { return c.commit(ctx, commits) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("site %s: %w", c.site, err)
	}
	return nil
}

// judge decodes each record, feeds the engine and hands on what follows.
func (c *chain) judge(ctx context.Context, in <-chan *devices.Record, spent chan<- *devices.Record, out chan<- commit) error {
	c.due = time.Now().Add(checkpointEvery)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case call := <-c.calls:
			call()
		case rec := <-in:
			next, err := c.take(ctx, rec)
			if err != nil {
				return err
			}
			select {
			case spent <- rec:
			default:
			}
			if next.steps == nil && next.checkpoint == nil {
				continue
			}
			select {
			case out <- next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// take carries one record through decoder and engine.
func (c *chain) take(ctx context.Context, rec *devices.Record) (commit, error) {
	var steps []rules.Transition
	c.batch.Reset()
	if rec.Kind == devices.ConfigVersion {
		bundle, err := c.configs.byHash(ctx, c.site, rec.Config)
		if err != nil {
			return commit{}, err
		}
		c.bundle = bundle
		next, err := successor(c.decoder, bundle, c.registry)
		if err != nil {
			return commit{}, err
		}
		c.setDecoder(next)
		steps = c.engine.Swap(rec, bundle.Rules, bundle.Site)
	} else {
		c.decoder.Decode(rec, &c.batch)
		steps = c.engine.Apply(rec, c.batch.Readings)
		c.newest.take(rec, c.batch.Readings)
	}
	c.metrics.judged(c.site, rec, &c.batch)
	c.note(func(p *progress) { p.judged, p.at = rec.Seq, time.Unix(0, rec.Time).UTC() })
	next := commit{upTo: rec.Seq}
	if rec.Seq < c.told {
		return next, nil
	}
	if rec.Seq == c.told {
		steps = nil
	}
	if len(steps) > 0 {
		next.steps = append(next.steps, steps...)
		c.metrics.transitions(c.site, steps)
	}
	if now := time.Now(); now.After(c.due) {
		c.due = now.Add(checkpointEvery)
		next.checkpoint = c.checkpoint(rec.Seq)
	}
	if c.act != nil && rec.Epoch == c.keeper.epoch { // never on replay
		for _, a := range c.batch.Actions {
			c.act(a)
		}
	}
	return next, nil
}

// successor is a decoder with another configuration and the state of the one
// before it.
func successor(old *profile.Decoder, b *configs.Bundle, reg *devices.Registry) (*profile.Decoder, error) {
	d := profile.NewDecoder(b.Profiles, b.Site, reg)
	if err := d.Restore(old.AppendState(nil)); err != nil {
		return nil, fmt.Errorf("take over configuration %.12s: %w", b.Hash, err)
	}
	return d, nil
}

// checkpoint collects what changed since the last one.
func (c *chain) checkpoint(seq uint64) *checkpoint {
	cp := &checkpoint{seq: seq, config: c.bundle.Hash, decoder: c.decoder.AppendState(nil), chunks: make(map[int][]byte)}
	for _, n := range c.engine.DirtyChunks(nil) {
		cp.chunks[n] = c.engine.AppendChunk(n, nil)
	}
	return cp
}

// commit writes orders, and after them the checkpoint. While the database
// cannot be reached it tries again for ever: the journal keeps what comes.
func (c *chain) commit(ctx context.Context, in <-chan commit) error {
	for next := range in {
		for more := true; more && next.checkpoint == nil && len(next.steps) < 1000; {
			select {
			case n, ok := <-in:
				if more = ok; ok {
					next.steps, next.upTo, next.checkpoint = append(next.steps, n.steps...), n.upTo, n.checkpoint
				}
			default:
				more = false
			}
		}
		if len(next.steps) > 0 {
			err := c.persist(ctx, func() error {
				return c.orders.ApplyTransitions(ctx, c.site, c.keeper.epoch, next.upTo, c.now(), next.steps)
			})
			if err != nil {
				return err
			}
		}
		c.note(func(p *progress) { p.committed = next.upTo })
		if next.checkpoint == nil {
			continue
		}
		if err := c.persist(ctx, func() error { return c.keeper.save(ctx, next.checkpoint) }); err != nil {
			return err
		}
		if err := c.journal.Hold(ctx, c.site, "rules", next.checkpoint.seq); err != nil {
			c.log.Warn("the journal cannot note how far the rules are; it keeps more than it needs to", "error", err)
		}
	}
	return nil
}

// persist repeats a write until it succeeds, the worker is fenced, or the
// context ends.
func (c *chain) persist(ctx context.Context, write func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := write()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, store.ErrFenced), errors.Is(err, journal.ErrFenced), ctx.Err() != nil:
			return err
		}
		c.metrics.commitFailures.WithLabelValues(c.site).Inc()
		c.log.Error("work orders cannot be written; trying again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// do runs a function on the judge goroutine, between two records, so that it
// may look at registry, decoder and engine. It returns false when the chain has stopped.
func (c *chain) do(ctx context.Context, look func()) bool {
	finished := make(chan struct{})
	select {
	case c.calls <- func() { defer close(finished); look() }:
	case <-c.done:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-finished:
		return true
	case <-c.done:
		return false
	}
}

func (c *chain) note(set func(*progress)) {
	c.mu.Lock()
	set(&c.seen)
	c.mu.Unlock()
}

func (c *chain) setDecoder(d *profile.Decoder) {
	c.mu.Lock()
	c.decoder = d
	c.mu.Unlock()
}

// stats are the decoder's counters, for metrics.
func (c *chain) stats() profile.Stats {
	c.mu.Lock()
	d := c.decoder
	c.mu.Unlock()
	if d == nil {
		return profile.Stats{}
	}
	return d.Stats()
}

// coverage is what the site receives and does not map.
func (c *chain) coverage() profile.Coverage {
	c.mu.Lock()
	d := c.decoder
	c.mu.Unlock()
	if d == nil {
		return profile.Coverage{}
	}
	return d.Coverage()
}

func (c *chain) progress() progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}
