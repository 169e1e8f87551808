package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// Command carries out what a person asks: the entry in the log, the order, and
// the facts that rules must know are written in one transaction. A command that
// comes again under its key changes nothing and returns the order as it is now,
// with replayed set. Errors are those of [ticketing.Decide], or
// [ticketing.ErrNotFound] and [ticketing.ErrKeyReused].
func (s *Store) Command(ctx context.Context, c ticketing.Command) (o *ticketing.Order, replayed bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := lockSiteOf(ctx, tx, c.Order); err != nil {
			return err
		}
		if o, err = readOrder(ctx, tx, c.Order); err != nil {
			return err
		}
		if replayed, err = wasDone(ctx, tx, &c); err != nil || replayed {
			return err
		}
		e, err := ticketing.Decide(o, &c, s.cfg.Template(o.FaultClass), func(version int) ([]ticketing.Entry, error) {
			return readLog(ctx, tx, c.Order, version)
		})
		if err != nil {
			return err
		}
		if c.Verb == ticketing.DoReassign {
			if err := knownPerson(ctx, tx, c.Person); err != nil {
				return err
			}
		}
		if c.Verb == ticketing.DoAttach {
			if err := s.putFile(ctx, tx, c.Attachment, c.Content, c.Arrived); err != nil {
				return err
			}
		}
		if c.Verb == ticketing.DoMerge {
			if err := s.mergeInto(ctx, tx, o, e); err != nil {
				return err
			}
		}
		if err := s.appendEntry(ctx, tx, o, e); err != nil {
			return err
		}
		return s.letGo(ctx, tx, o, e)
	})
	s.metrics.command(c.Verb, replayed, err)
	s.committed()
	if err != nil {
		return nil, false, err
	}
	return o, replayed, nil
}

// lockSiteOf takes the row of the order's site, so that whatever is read next
// stays true until the commit.
func lockSiteOf(ctx context.Context, tx *sql.Tx, order string) error {
	r, err := tx.ExecContext(ctx, `UPDATE sites SET changes = changes + 1
		WHERE site = (SELECT site FROM orders WHERE id = $1)`, order)
	if err != nil {
		return fmt.Errorf("lock the site of order %s: %w", order, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("order %s: %w", order, ticketing.ErrNotFound), err)
	}
	return nil
}

// wasDone reports whether the command's key is in a log already.
func wasDone(ctx context.Context, tx *sql.Tx, c *ticketing.Command) (bool, error) {
	if c.Key == "" {
		return false, nil
	}
	var doc, order string
	err := tx.QueryRowContext(ctx, `SELECT order_id, doc FROM log WHERE key = $1`, c.EntryKey()).Scan(&order, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up the idempotency key: %w", err)
	}
	e, err := parse[ticketing.Entry](doc)
	if err != nil {
		return false, err
	}
	if order != c.Order || e.Digest != c.Digest() {
		return false, ticketing.ErrKeyReused
	}
	return true, nil
}

// appendEntry applies the entry to the order and writes both, the facts that
// follow for the rules, and what follows outside.
func (s *Store) appendEntry(ctx context.Context, tx *sql.Tx, o *ticketing.Order, e *ticketing.Entry) error {
	facts, was := ticketing.Facts(o, e), o.State
	if err := o.Apply(e); err != nil {
		return err
	}
	row, err := orderRow(o)
	if err != nil {
		return err
	}
	line, err := logRow(o.ID, e)
	if err != nil {
		return err
	}
	if err := insert(ctx, tx, insertOrder, upsertOrder, [][]any{row}); err != nil {
		return err
	}
	if err := insert(ctx, tx, insertLog, "", [][]any{line}); err != nil {
		return err
	}
	if err := putFacts(ctx, tx, o.Site, e.Arrived.UnixNano(), facts); err != nil {
		return err
	}
	return s.effects(ctx, tx, change{o, changeOf(was, o)})
}

// mergeInto writes the other half of a merge: the order that goes on takes over
// the episodes that still hold, its own and its consequences, with their evidence.
func (s *Store) mergeInto(ctx context.Context, tx *sql.Tx, from *ticketing.Order, e *ticketing.Entry) error {
	into, err := readOrder(ctx, tx, e.Into)
	if errors.Is(err, ticketing.ErrNotFound) || err == nil && into.Site != from.Site {
		return &ticketing.InvalidError{Field: "into", Code: "into", Message: "there is no such order at this site"}
	}
	if err != nil {
		return err
	}
	b, to := s.batch(tx, from.Site, e.Arrived), &draft{order: into}
	add := func(kind ticketing.Kind, key string, detail ticketing.Detail) ticketing.Entry {
		return ticketing.Entry{Version: into.Version + 1, Kind: kind, Key: e.Key + "/" + key, At: e.At, Arrived: e.Arrived, By: e.By, Via: e.Via, Detail: detail}
	}
	merged := add(ticketing.Merged, "into", ticketing.Detail{Into: from.ID, Tier: from.Tier, Inside: from.Inside})
	if err := b.append(to, &merged); err != nil {
		return err
	}
	for _, h := range from.Holding {
		ep, t, err := b.toMove(ctx, h.Episode)
		if err != nil {
			return err
		}
		joined := add(ticketing.Joined, h.Episode, ticketing.Detail{Episode: h.Episode, Onset: h.Since, Holds: true, NoData: h.NoData, Severity: from.Severity})
		if err := b.write(to, ep, t, []ticketing.Entry{joined}); err != nil {
			return err
		}
		ep.state.Order = into.ID
		b.touch(ep)
	}
	for _, h := range from.Consequences {
		if err := b.reattach(ctx, h.Episode, to, e.Key); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// letGo gives the consequences of an order that was not a job after all orders of
// their own.
func (s *Store) letGo(ctx context.Context, tx *sql.Tx, o *ticketing.Order, e *ticketing.Entry) error {
	if len(o.Consequences) == 0 || !ticketing.LetsGo(e) {
		return nil
	}
	b, from := s.batch(tx, o.Site, e.Arrived), &draft{order: o}
	b.orders[o.ID] = from
	if err := tx.QueryRowContext(ctx, `SELECT numbers FROM sites WHERE site = $1`, o.Site).Scan(&b.numbers); err != nil {
		return err
	}
	// Those whose own cause is a consequence too go with that.
	for _, followers := range []bool{false, true} {
		for _, h := range slices.Clone(o.Consequences) {
			ep, t, err := b.toMove(ctx, h.Episode)
			if err != nil {
				return err
			}
			nearer := slices.ContainsFunc(o.Consequences, func(c ticketing.Holding) bool { return c.Episode == ep.under })
			if nearer != followers || ep.state.Order != o.ID {
				continue
			}
			t.Cause = rules.CauseOnItsOwn
			if err := b.release(ctx, ep, from, t, e.Key+"/"+h.Episode); err != nil {
				return err
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE sites SET numbers = $2 WHERE site = $1`, o.Site, b.numbers)
	return err
}

func putFacts(ctx context.Context, tx *sql.Tx, site string, created int64, facts []devices.Fact) error {
	for i := range facts {
		doc, err := json.Marshal(&facts[i])
		if err != nil {
			return fmt.Errorf("write fact: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO facts (site, n, id, created, journaled, doc)
			VALUES ($1, (SELECT COALESCE(MAX(n), 0) + 1 FROM facts WHERE site = $1), $2, $3, 0, $4)`, site, facts[i].ID, created, string(doc))
		if err != nil {
			return fmt.Errorf("queue fact %s: %w", facts[i].ID, err)
		}
	}
	return nil
}

// PendingFacts returns the oldest facts of a site that are not in the journal
// yet, at most limit.
func (s *Store) PendingFacts(ctx context.Context, site string, limit int) ([]devices.Fact, error) {
	facts, err := collect(ctx, s.read, scanDoc[devices.Fact],
		`SELECT doc FROM facts WHERE site = $1 AND journaled = 0 ORDER BY n LIMIT $2`, site, limit)
	if err != nil {
		return nil, fmt.Errorf("read pending facts of site %s: %w", site, err)
	}
	return facts, nil
}

// MarkFactJournaled records that the fact is in the journal at seq. Marking it
// twice keeps the first position.
func (s *Store) MarkFactJournaled(ctx context.Context, id string, seq uint64) error {
	_, err := s.write.ExecContext(ctx, `UPDATE facts SET journaled = $2 WHERE id = $1 AND journaled = 0`, id, int64(seq))
	if err != nil {
		return fmt.Errorf("mark fact %s as journaled: %w", id, err)
	}
	return nil
}
