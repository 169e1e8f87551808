package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/facilityd/facilityd/devices"
)

// A Consumer reads the journal of one site from where it got to the last time,
// and protects from retention what it has not acknowledged. Its position is a
// durable consumer of the engine, so the engine's own tools show its lag. It
// belongs to one goroutine.
//
// Records are read by position and not by the engine's delivery: that one
// delivers what was not acknowledged in time a second time, behind newer
// records, and a decoder needs the journal's order.
type Consumer struct {
	reader *Reader
	name   string
	acked  uint64
}

// Consumer opens the consumer of that name and registers it when it is new; a new
// one begins at the oldest record.
func (j *Journal) Consumer(ctx context.Context, site, name string) (*Consumer, error) {
	p, err := j.partition(ctx, site)
	if err != nil {
		return nil, err
	}
	floor, err := p.register(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open consumer %s of %s: %w", name, site, err)
	}
	r, err := j.Read(ctx, site, floor+1)
	if err != nil {
		return nil, err
	}
	return &Consumer{reader: r, name: name, acked: floor}, nil
}

// register makes the durable position and returns the newest acknowledged
// record.
func (p *partition) register(ctx context.Context, name string) (floor uint64, err error) {
	cons, err := p.stream.Consumer(ctx, token(name))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		cons, err = p.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable:       token(name),
			Description:   "facilityd: how far " + name + " has come",
			DeliverPolicy: jetstream.DeliverAllPolicy,
			AckPolicy:     jetstream.AckAllPolicy,
			MaxAckPending: -1,
		})
	}
	if err != nil {
		return 0, err
	}
	p.registered.Store(name, true)
	return cons.CachedInfo().AckFloor.Stream, nil
}

// Next returns the next record and waits for it when there is none; see
// Reader.Next.
func (c *Consumer) Next(ctx context.Context) (*devices.Record, error) { return c.reader.Next(ctx) }

// Reuse gives a record back; see Reader.Reuse.
func (c *Consumer) Reuse(rec *devices.Record) { c.reader.Reuse(rec) }

// Ack says that everything up to and including the position is done with: after a
// restart the consumer begins behind it. A position at or before an acknowledged
// one is nothing new.
func (c *Consumer) Ack(ctx context.Context, seq uint64) error {
	if seq <= c.acked {
		return nil
	}
	if err := c.reader.j.Hold(ctx, c.reader.site, c.name, seq+1); err != nil {
		return err
	}
	c.acked = seq
	return nil
}

// Acked returns the newest acknowledged position.
func (c *Consumer) Acked() uint64 { return c.acked }

// Lag returns how many records are not acknowledged.
func (c *Consumer) Lag(ctx context.Context) (uint64, error) {
	first, last, _, err := c.reader.j.Bounds(ctx, c.reader.site)
	if err != nil {
		return 0, err
	}
	behind := max(c.acked+1, first)
	if last < behind {
		return 0, nil
	}
	return last - behind + 1, nil
}

// Close frees what the consumer holds in the engine; its position stays.
func (c *Consumer) Close() { c.reader.Close() }

// Hold registers, or moves, the position from which the named reader still needs
// the journal of the site: retention keeps it, and everything newer. A reader by
// position (the rules engine, from its checkpoint) calls it when it has written
// a checkpoint.
func (j *Journal) Hold(ctx context.Context, site, name string, from uint64) error {
	p, err := j.partition(ctx, site)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, j.cfg.RequestTimeout)
	defer cancel()
	if _, known := p.registered.Load(name); !known {
		// The engine does not answer a reset of a consumer that is not there.
		if _, err := p.register(ctx, name); err != nil {
			return fmt.Errorf("register %s of %s: %w", name, site, err)
		}
	}
	if _, err := p.stream.ResetConsumerToSequence(ctx, token(name), max(from, 1)); err != nil {
		p.registered.Delete(name)
		return fmt.Errorf("move %s of %s to %d: %w", name, site, from, err)
	}
	return nil
}

// Forget removes a consumer or a hold: retention does not wait for it any more.
func (j *Journal) Forget(ctx context.Context, site, name string) error {
	p, err := j.partition(ctx, site)
	if err != nil {
		return err
	}
	p.registered.Delete(name)
	if err := p.stream.DeleteConsumer(ctx, token(name)); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("forget consumer %s of %s: %w", name, site, err)
	}
	return nil
}

// positions returns, by name, the newest acknowledged position of everybody who
// is registered at the site.
func (p *partition) positions(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out := make(map[string]uint64)
	list := p.stream.ListConsumers(ctx)
	for info := range list.Info() {
		if info.Config.Durable == "" {
			continue // a reader's own
		}
		name, err := untoken(info.Config.Durable)
		if err != nil {
			name = info.Config.Durable
		}
		out[name] = info.AckFloor.Stream
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list consumers of %s: %w", p.site, err)
	}
	return out, nil
}
