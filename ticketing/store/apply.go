package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// Position is how far a site's journal has been turned into orders.
type Position struct {
	Seq   uint64    // of the last record applied; 0 for none
	At    time.Time // wall time of its application
	Epoch uint32    // of the worker that may write
}

// Begin makes the worker with this epoch the only one that may write for the
// site, and returns where it has to go on. A smaller epoch than the site has
// seen is [ErrFenced]; the same one again is a restart within the epoch.
func (s *Store) Begin(ctx context.Context, site string, epoch uint32) (Position, error) {
	var p Position
	err := s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sites (site, epoch, applied, applied_at, numbers, changes)
			VALUES ($1, $2, 0, 0, 0, 0) ON CONFLICT (site) DO NOTHING`, site, int64(epoch))
		if err != nil {
			return err
		}
		var at int64
		row := tx.QueryRowContext(ctx, `UPDATE sites SET epoch = $2 WHERE site = $1 AND epoch <= $2
			RETURNING applied, applied_at`, site, int64(epoch))
		if err := row.Scan(&p.Seq, &at); errors.Is(err, sql.ErrNoRows) {
			return ErrFenced
		} else if err != nil {
			return err
		}
		p.At, p.Epoch = fromNanos(at), epoch
		return nil
	})
	if err != nil {
		return Position{}, fmt.Errorf("begin site %s at epoch %d: %w", site, epoch, err)
	}
	return p, nil
}

// Position reads how far a site is, without taking it over.
func (s *Store) Position(ctx context.Context, site string) (Position, error) {
	var p Position
	var at, epoch int64
	err := s.read.QueryRowContext(ctx, `SELECT applied, applied_at, epoch FROM sites WHERE site = $1`, site).Scan(&p.Seq, &at, &epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("read position of site %s: %w", site, err)
	}
	p.At, p.Epoch = fromNanos(at), uint32(epoch)
	return p, nil
}

// ApplyTransitions turns steps of episodes into orders and their logs, and moves
// the site's position to upTo, all in one transaction. at is the wall (or
// estate) clock's time now. A step that was applied before is left out, so the
// same batch may come again; a step that comes late adds its evidence.
func (s *Store) ApplyTransitions(ctx context.Context, site string, epoch uint32, upTo uint64, at time.Time, steps []rules.Transition) error {
	began := time.Now()
	err := s.tx(ctx, func(tx *sql.Tx) error {
		b := s.batch(tx, site, at)
		row := tx.QueryRowContext(ctx, `UPDATE sites SET changes = changes + 1 WHERE site = $1 AND epoch = $2
			RETURNING applied, numbers`, site, int64(epoch))
		if err := row.Scan(&b.applied, &b.numbers); errors.Is(err, sql.ErrNoRows) {
			return ErrFenced
		} else if err != nil {
			return err
		}
		if err := b.prefetch(ctx, steps); err != nil {
			return err
		}
		for i := range steps {
			if err := b.step(ctx, &steps[i]); err != nil {
				return fmt.Errorf("episode %s: %w", steps[i].Episode, err)
			}
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE sites SET applied = $2, applied_at = $3, numbers = $4 WHERE site = $1`,
			site, max(upTo, b.applied), at.UnixNano(), b.numbers)
		return err
	})
	s.metrics.applied(len(steps), time.Since(began), err)
	s.committed()
	if err != nil {
		return fmt.Errorf("apply %d steps of site %s up to record %d: %w", len(steps), site, upTo, err)
	}
	return nil
}

// A batch is one transaction's view of the orders that it changes. They are
// written once, at the end, however many steps they took.
type batch struct {
	s        *Store
	tx       *sql.Tx
	site     string
	at       time.Time
	applied  uint64
	numbers  int64
	seen     map[stepPlace]bool
	asked    map[string]bool          // assets whose orders were read
	unders   map[string][]*episodeRow // what was ever under an episode; look at its row for now
	orders   map[string]*draft        // by id
	active   map[assetKey]*draft      // the open order
	closed   map[assetKey]*draft      // the newest closed order within the warranty
	episodes map[string]*episodeRow
	touched  []*draft // in the order of first touch
	log      [][]any
	evidence [][]any
	changed  []*episodeRow
}

func (s *Store) batch(tx *sql.Tx, site string, at time.Time) *batch {
	return &batch{
		s: s, tx: tx, site: site, at: at.UTC(), seen: make(map[stepPlace]bool), asked: make(map[string]bool), unders: make(map[string][]*episodeRow),
		episodes: make(map[string]*episodeRow), orders: make(map[string]*draft), active: make(map[assetKey]*draft), closed: make(map[assetKey]*draft),
	}
}

// stepPlace is the place of a step, unique within a site.
type stepPlace struct {
	seq     uint64
	ordinal uint32
}

type assetKey struct{ asset, faultClass string }

type draft struct {
	order *ticketing.Order
	dirty bool
	was   ticketing.State // before this batch; "" for an order that is new
}

type episodeRow struct {
	id        rules.EpisodeID
	state     ticketing.EpisodeState
	known     bool
	severity  string
	rule      string
	simulated bool
	onset     int64
	activeAt  int64
	clearedAt int64
	under     string          // the episode that explains it, as its newest step says
	evidence  *rules.Evidence // the newest of this batch
	dirty     bool
}

func (b *batch) step(ctx context.Context, t *rules.Transition) error {
	if t.Episode.Site != b.site {
		return fmt.Errorf("it is of another site than the batch, %s", b.site)
	}
	place := stepPlace{t.Seq, t.Ordinal}
	if b.seen[place] {
		return nil // twice in one batch
	}
	b.seen[place] = true
	if t.Seq <= b.applied {
		if seen, err := exists(ctx, b.tx, `SELECT 1 FROM log WHERE key = $1`, ticketing.StepKey(t)); err != nil || seen {
			return err
		}
	}
	ep := b.episodes[t.Episode.String()]
	first := !ep.known
	if err := b.place(ctx, ep, t); err != nil || !first {
		return err
	}
	return b.gather(ctx, ep, t)
}

// record writes what a step adds to the log of an order; one without an order
// inside stands for the order to be opened.
func (b *batch) record(d *draft, ep *episodeRow, t *rules.Transition, known *ticketing.EpisodeState) error {
	entries := ticketing.Receive(d.order, known, t, b.criticality(t), b.numbers+1, b.at)
	if d.order == nil {
		b.numbers++
		d.order = &ticketing.Order{}
	}
	return b.write(d, ep, t, entries)
}

// write appends entries of an episode to an order and keeps its evidence with
// the first of them.
func (b *batch) write(d *draft, ep *episodeRow, t *rules.Transition, entries []ticketing.Entry) error {
	for i := range entries {
		if err := b.append(d, &entries[i]); err != nil {
			return err
		}
	}
	b.orders[d.order.ID] = d
	if d.order.State.Active() {
		b.active[assetKey{d.order.Asset, d.order.FaultClass}] = d
	}
	if t.Evidence == nil {
		return nil
	}
	doc, err := json.Marshal(t.Evidence)
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	b.evidence = append(b.evidence, []any{d.order.ID, entries[0].Version, string(doc), ep.id.String(), bit(ep.state.Attached)})
	ep.evidence = t.Evidence
	return nil
}

func (b *batch) criticality(t *rules.Transition) devices.Criticality {
	return b.s.cfg.Criticality(t.Episode.Site, t.Episode.Asset)
}

func (b *batch) append(d *draft, e *ticketing.Entry) error {
	if !d.dirty {
		d.was = d.order.State
	}
	if err := d.order.Apply(e); err != nil {
		return err
	}
	row, err := logRow(d.order.ID, e)
	if err != nil {
		return err
	}
	b.log = append(b.log, row)
	if !d.dirty {
		d.dirty = true
		b.touched = append(b.touched, d)
	}
	return nil
}

func logRow(order string, e *ticketing.Entry) ([]any, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write log entry: %w", err)
	}
	return []any{order, e.Version, e.Key, string(e.Kind), e.By, e.At.UnixNano(), e.Arrived.UnixNano(), string(doc)}, nil
}

// orderFor finds the order that an episode joins when it stands for itself; one
// without an order inside stands for the order to be opened.
func (b *batch) orderFor(ctx context.Context, ep *episodeRow, t *rules.Transition) (*draft, error) {
	if err := b.readAssets(ctx, []any{ep.id.Asset}, t.At); err != nil {
		return nil, err
	}
	key := assetKey{ep.id.Asset, ep.id.FaultClass}
	if d, ok := b.active[key]; ok && d.order.State.Active() {
		return d, nil
	}
	// It may have had an order of its own, before that gave way to its cause's.
	if ep.known {
		d, err := b.load(ctx, ticketing.OrderID(ep.id))
		if err == nil || !errors.Is(err, ticketing.ErrNotFound) {
			return d, err
		}
	}
	// An order under warranty is opened again; it may have been by this batch, and
	// then it is the active one.
	if d := b.closed[key]; d != nil && b.s.cfg.Warranty > 0 && t.Phase != rules.Cleared && d.order.ClosedAt.UnixNano() >= t.At-int64(b.s.cfg.Warranty) {
		return d, nil
	}
	return &draft{}, nil
}

func (b *batch) load(ctx context.Context, id string) (*draft, error) {
	if d, ok := b.orders[id]; ok {
		return d, nil
	}
	o, err := readOrder(ctx, b.tx, id)
	if err != nil {
		return nil, err
	}
	d := &draft{order: o}
	b.orders[id] = d
	return d, nil
}

// remember takes over what a step says of its episode.
func (b *batch) remember(ep *episodeRow, order string, t *rules.Transition) {
	late := ep.known && !ep.state.Before(t)
	if !ep.known {
		ep.activeAt, ep.simulated = t.At, t.Simulated
	}
	ep.known, ep.state.Order = true, order
	if !late {
		ep.state.Phase, ep.state.Seq, ep.state.Ordinal = t.Phase, t.Seq, t.Ordinal
		ep.severity, ep.rule, ep.onset = t.Severity.String(), t.Rule, t.Onset
		b.explain(ep, underOf(t))
		if t.Phase == rules.Cleared {
			ep.clearedAt = t.At
		}
	} else {
		ep.activeAt = min(ep.activeAt, t.At)
	}
	b.touch(ep)
}

func (b *batch) touch(ep *episodeRow) {
	if !ep.dirty {
		ep.dirty = true
		b.changed = append(b.changed, ep)
	}
}

// flush writes everything, orders first because the rest refers to them. Orders
// that have ended make room for the one that is open now.
func (b *batch) flush(ctx context.Context) error {
	slices.SortStableFunc(b.touched, func(x, y *draft) int { return cmp.Compare(bit(x.order.State.Active()), bit(y.order.State.Active())) })
	orders := make([][]any, 0, len(b.touched))
	changes := make([]change, 0, len(b.touched))
	for _, d := range b.touched {
		changes = append(changes, change{d.order, changeOf(d.was, d.order)})
		row, err := orderRow(d.order)
		if err != nil {
			return err
		}
		orders = append(orders, row)
	}
	episodes := make([][]any, 0, len(b.changed))
	for _, ep := range b.changed {
		episodes = append(episodes, []any{
			ep.id.String(), ep.state.Order, ep.id.Site, ep.id.Asset, ep.id.FaultClass, ep.state.Phase.String(), ep.severity, ep.rule,
			bit(ep.simulated), int64(ep.id.Seq), ep.onset, ep.activeAt, ep.clearedAt, int64(ep.state.Seq), int64(ep.state.Ordinal), ep.under, bit(ep.state.Attached),
		})
	}
	for _, t := range []struct {
		prefix, suffix string
		rows           [][]any
	}{
		{insertOrder, upsertOrder, orders},
		{insertLog, "", b.log},
		{insertEvidence, "", b.evidence},
		{insertEpisode, upsertEpisode, episodes},
	} {
		if err := insert(ctx, b.tx, t.prefix, t.suffix, t.rows); err != nil {
			return err
		}
	}
	return b.s.effects(ctx, b.tx, changes...)
}
