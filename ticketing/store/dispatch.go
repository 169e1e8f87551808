package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

// Effects say what follows outside from a change of an order. All of it is
// written in the transaction of the change. A nil function means nothing.
type Effects struct {
	// Dispatched says whether people are told about the orders of a site.
	Dispatched func(site string) bool
	// Events are what other systems are told about an order that has changed.
	Events func(o *ticketing.Order, c outbox.Change) []outbox.Effect
	// Committed is called after a change from which something follows.
	Committed func()
}

const (
	insertDispatch = `INSERT INTO dispatch (order_id, site, tier, due, seen, nobody, doc) VALUES `
	// touchDispatch lets the order be looked at again at once.
	touchDispatch  = ` ON CONFLICT (order_id) DO UPDATE SET due = 1, tier = excluded.tier`
	upsertDispatch = ` ON CONFLICT (order_id) DO UPDATE SET due = excluded.due, tier = excluded.tier, seen = excluded.seen, nobody = excluded.nobody, doc = excluded.doc`
	insertNotice   = `INSERT INTO notices (person, order_id, version, kind, at, tier, doc) VALUES `
)

// A change is an order as a transaction leaves it.
type change struct {
	order *ticketing.Order
	what  outbox.Change
}

// changeOf names what became of an order that was in a state, "" for a new one.
func changeOf(was ticketing.State, o *ticketing.Order) outbox.Change {
	switch {
	case !o.State.Active():
		return outbox.Closed
	case !was.Active() || was != ticketing.Open && o.State == ticketing.Open:
		return outbox.Opened
	default:
		return outbox.Changed
	}
}

// effects writes what follows outside from changes of orders.
func (s *Store) effects(ctx context.Context, tx *sql.Tx, changes ...change) error {
	var look, events [][]any
	for _, c := range changes {
		if f := s.cfg.Effects.Dispatched; f != nil && f(c.order.Site) {
			look = append(look, []any{c.order.ID, c.order.Site, int64(c.order.Tier), 1, 0, 0, "{}"})
		}
		if f := s.cfg.Effects.Events; f != nil {
			for _, e := range f(c.order, c.what) {
				events = append(events, effectRow(&e))
			}
		}
	}
	if err := insert(ctx, tx, insertDispatch, touchDispatch, look); err != nil {
		return fmt.Errorf("note orders to be told about: %w", err)
	}
	if err := insert(ctx, tx, insertEffect, sameEffect, events); err != nil {
		return fmt.Errorf("write events to the outbox: %w", err)
	}
	return nil
}

// committed tells that something may have to be done outside.
func (s *Store) committed() {
	if f := s.cfg.Effects.Committed; f != nil {
		f()
	}
}

// AdoptDispatch notes the open orders of a site that nobody was told about,
// because nobody was configured when they came.
func (s *Store) AdoptDispatch(ctx context.Context, site string) error {
	_, err := s.write.ExecContext(ctx, insertDispatch[:len(insertDispatch)-len("VALUES ")]+`SELECT id, site, tier, 1, 0, 0, '{}' FROM orders
		WHERE active = 1 AND site = $1 AND NOT EXISTS (SELECT 1 FROM dispatch WHERE order_id = id)`, site)
	if err != nil {
		return fmt.Errorf("take in the open orders of site %s: %w", site, err)
	}
	return nil
}

// Dispatch lets the desk look at the orders of a site that have changed or whose
// time has come, the most urgent first and at most limit. What it decides is
// written in one transaction. now is the clock of the orders. It returns how many
// orders were looked at.
func (s *Store) Dispatch(ctx context.Context, site string, epoch uint32, now time.Time, desk *dispatch.Desk, limit int) (int, error) {
	now = now.UTC()
	looked := 0
	if waits, err := exists(ctx, s.read, `SELECT 1 FROM dispatch WHERE site = $1 AND due > 0 AND due <= $2 LIMIT 1`, site, now.UnixNano()); err != nil || !waits {
		return 0, wrap(err, "look for orders to tell about")
	}
	err := s.tx(ctx, func(tx *sql.Tx) error {
		held, err := exists(ctx, tx, `UPDATE sites SET epoch = epoch WHERE site = $1 AND epoch = $2 RETURNING 1`, site, int64(epoch))
		if err != nil {
			return err
		}
		if !held {
			return ErrFenced
		}
		due, err := readDue(ctx, tx, site, now, limit)
		if err != nil {
			return err
		}
		looked = len(due)
		return decide(ctx, tx, desk, due, now)
	})
	if err != nil {
		return 0, fmt.Errorf("dispatch the orders of site %s: %w", site, err)
	}
	return looked, nil
}

// A dueOrder is an order that the desk looks at.
type dueOrder struct {
	order     *ticketing.Order
	state     *dispatch.State
	entries   []ticketing.Entry
	unreached []string
}

func readDue(ctx context.Context, tx *sql.Tx, site string, now time.Time, limit int) ([]*dueOrder, error) {
	byID := make(map[string]*dueOrder)
	list, err := collect(ctx, tx, func(rows *sql.Rows) (*dueOrder, error) {
		var state, doc string
		if err := rows.Scan(&state, &doc); err != nil {
			return nil, err
		}
		d := &dueOrder{}
		var err error
		if d.order, err = parse[ticketing.Order](doc); err != nil {
			return nil, err
		}
		d.state, err = parse[dispatch.State](state)
		byID[d.order.ID] = d
		return d, err
	}, `SELECT d.doc, o.doc FROM dispatch d JOIN orders o ON o.id = d.order_id
		WHERE d.site = $1 AND d.due > 0 AND d.due <= $2 ORDER BY d.tier, d.due, d.order_id LIMIT $3`, site, now.UnixNano(), limit)
	if err != nil {
		return nil, fmt.Errorf("read orders to tell about: %w", err)
	}
	ids := toAny(list, func(d *dueOrder) any { return d.order.ID })
	err = inChunks(ids, func(part []any) error {
		var w where
		w.addIn("l.order_id", part)
		w.add("l.version > d.seen")
		_, err := collect(ctx, tx, func(rows *sql.Rows) (struct{}, error) {
			var id, doc string
			if err := rows.Scan(&id, &doc); err != nil {
				return struct{}{}, err
			}
			e, err := parse[ticketing.Entry](doc)
			if err == nil {
				byID[id].entries = append(byID[id].entries, *e)
			}
			return struct{}{}, err
		}, `SELECT l.order_id, l.doc FROM log l JOIN dispatch d ON d.order_id = l.order_id`+w.String()+` ORDER BY l.order_id, l.version`, w.args...)
		if err != nil {
			return err
		}
		var u where
		u.addIn("order_id", part)
		u.add("round = 1 AND kind = 'message'")
		_, err = collect(ctx, tx, func(rows *sql.Rows) (struct{}, error) {
			var id, person string
			err := rows.Scan(&id, &person)
			if err == nil {
				byID[id].unreached = append(byID[id].unreached, person)
			}
			return struct{}{}, err
		}, `SELECT DISTINCT order_id, receiver FROM outbox`+u.String()+` ORDER BY order_id, receiver`, u.args...)
		return err
	})
	return list, wrap(err, "read what happened to orders")
}

// decide asks the desk about each order and writes its notices and its state.
func decide(ctx context.Context, tx *sql.Tx, desk *dispatch.Desk, due []*dueOrder, now time.Time) error {
	var states, notices [][]any
	boxes := make(map[string]bool) // whether something urgent waits, by person
	var persons []string
	for _, d := range due {
		list, next := desk.Order(d.state, d.order, d.entries, d.unreached, now)
		doc, err := json.Marshal(d.state)
		if err != nil {
			return err
		}
		states = append(states, []any{d.order.ID, d.order.Site, int64(d.order.Tier), nanos(next), d.state.Seen, bit(d.state.Nobody), string(doc)})
		for i := range list {
			n := &list[i]
			doc, err := json.Marshal(n)
			if err != nil {
				return err
			}
			notices = append(notices, []any{n.Person, n.Order, n.Version, string(n.Kind), n.At.UnixNano(), int64(n.Tier), string(doc)})
			urgent, known := boxes[n.Person]
			if !known {
				persons = append(persons, n.Person)
			}
			boxes[n.Person] = urgent || n.Tier == ticketing.P1
		}
	}
	if err := insert(ctx, tx, insertDispatch, upsertDispatch, states); err != nil {
		return fmt.Errorf("keep what was decided: %w", err)
	}
	// The mailboxes come first, always in the same order: who empties one waits
	// until all notices of a decision are in.
	slices.Sort(persons)
	for _, p := range persons {
		_, err := tx.ExecContext(ctx, `INSERT INTO mailboxes (person, urgent, due, doc) VALUES ($1, $2, $3, '{}') ON CONFLICT (person) DO UPDATE SET
			urgent = CASE WHEN excluded.urgent > mailboxes.urgent THEN excluded.urgent ELSE mailboxes.urgent END,
			due = CASE WHEN mailboxes.due = 0 OR excluded.due < mailboxes.due THEN excluded.due ELSE mailboxes.due END`,
			p, bit(boxes[p]), now.Add(dispatch.Settle).UnixNano())
		if err != nil {
			return fmt.Errorf("open the mailbox of %s: %w", p, err)
		}
	}
	return wrap(insert(ctx, tx, insertNotice, ` ON CONFLICT (person, order_id, version, kind, at) DO NOTHING`, notices), "write notices")
}

// Nobody counts the orders of which the desk could tell nobody, and that still
// wait for somebody.
func (s *Store) Nobody(ctx context.Context) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM dispatch d JOIN orders o ON o.id = d.order_id
		WHERE d.nobody = 1 AND o.state IN ('open', 'dispatched')`).Scan(&n)
	return n, wrap(err, "count orders that reach nobody")
}

// DispatchState is how far the telling of an order is; nil when nobody is told
// about the orders of its site.
func (s *Store) DispatchState(ctx context.Context, order string) (*dispatch.State, error) {
	var doc string
	err := s.read.QueryRowContext(ctx, `SELECT doc FROM dispatch WHERE order_id = $1`, order).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who was told about order %s: %w", order, err)
	}
	return parse[dispatch.State](doc)
}

// wrap adds what was tried to an error.
func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
