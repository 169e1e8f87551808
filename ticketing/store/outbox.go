package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

const insertEffect = `INSERT INTO outbox (key, kind, receiver, thread, turn, site, order_id, tier, state, attempts, contact, refused, round, at, created, due, finished, error, channel, address, doc) VALUES `

// The effects of one cause written twice are the same.
const sameEffect = ` ON CONFLICT (key) DO NOTHING`

func effectRow(e *outbox.Effect) []any {
	return []any{
		e.Key, string(e.Kind), e.To, e.Thread, e.Turn, e.Site, e.Order, int64(e.Tier), string(outbox.Queued), 0, 0, 0, 0,
		nanos(e.At), e.Created.UnixNano(), e.Created.UnixNano(), 0, "", "", "", string(e.Doc),
	}
}

const selectEffect = `key, kind, receiver, thread, turn, site, order_id, tier, state, attempts, contact, refused, at, created, due, finished, error, channel, address, doc`

func scanEffect(rows *sql.Rows) (outbox.Effect, error) {
	var e outbox.Effect
	var at, created, due, finished int64
	var doc string
	err := rows.Scan(&e.Key, &e.Kind, &e.To, &e.Thread, &e.Turn, &e.Site, &e.Order, &e.Tier, &e.State, &e.Attempts, &e.Contact, &e.Refused,
		&at, &created, &due, &finished, &e.Error, &e.Channel, &e.Address, &doc)
	e.At, e.Created, e.Due, e.Finished, e.Doc = fromNanos(at), fromNanos(created), fromNanos(due), fromNanos(finished), []byte(doc)
	return e, err
}

// TakeEffects takes at most n effects that are due, the most urgent and among
// these the oldest first, and hides them until a time: who takes them and is
// killed leaves them to the next. An effect is not taken before those ahead of it
// in its thread. Messages about P1 are hidden for [outbox.UrgentLease] at most;
// urgent leaves everything but them.
func (s *Store) TakeEffects(ctx context.Context, n int, urgent bool, now, until time.Time) ([]outbox.Effect, error) {
	lock := s.forUpdate()
	if lock != "" { // several workers do not wait for one another
		lock += " SKIP LOCKED"
	}
	list, err := collect(ctx, s.write, scanEffect, `UPDATE outbox SET attempts = attempts + 1, error = '',
			due = CASE WHEN tier = 1 AND kind = 'message' THEN CAST($4 AS BIGINT) ELSE CAST($2 AS BIGINT) END WHERE key IN (
			SELECT key FROM outbox AS o WHERE state = 'queued' AND due <= $1`+urgently(urgent)+`
				AND NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.thread = o.thread AND e.state = 'queued' AND e.turn < o.turn)
			ORDER BY tier, due LIMIT $3`+lock+`)
		RETURNING `+selectEffect, now.UnixNano(), until.UnixNano(), n, min(until.UnixNano(), now.Add(outbox.UrgentLease).UnixNano()))
	if err != nil {
		return nil, fmt.Errorf("take effects from the outbox: %w", err)
	}
	return list, nil
}

// ReclaimEffects makes everything due that somebody has in hand. It is for the
// start of the only process that works on the database: whoever had it is gone.
func (s *Store) ReclaimEffects(ctx context.Context, now time.Time) error {
	// A taken effect has no error of its last attempt; one that waits for its next
	// attempt has.
	_, err := s.write.ExecContext(ctx, `UPDATE outbox SET due = $1 WHERE state = 'queued' AND attempts > 0 AND error = '' AND due > $1`, now.UnixNano())
	if err != nil {
		return fmt.Errorf("reclaim what a killed process had in hand: %w", err)
	}
	return nil
}

// forUpdate locks the rows that a query reads; SQLite has one writer anyway.
func (s *Store) forUpdate() string {
	if s.sqlite != "" {
		return ""
	}
	return " FOR UPDATE"
}

func urgently(urgent bool) string {
	if urgent {
		return ` AND tier = 1 AND kind = 'message'`
	}
	return ""
}

// NextEffect is when the next effect is due, the zero time when none waits.
func (s *Store) NextEffect(ctx context.Context, urgent bool) (time.Time, error) {
	var due sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT MIN(due) FROM outbox WHERE state = 'queued'`+urgently(urgent)).Scan(&due)
	if err != nil {
		return time.Time{}, fmt.Errorf("look into the outbox: %w", err)
	}
	return fromNanos(due.Int64), nil
}

// EffectSent marks an effect as delivered and keeps by which reference it can be
// updated. Nothing happens when another deliverer has taken it meanwhile: that
// one marks it.
func (s *Store) EffectSent(ctx context.Context, e *outbox.Effect, r outbox.Receipt, now time.Time) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		done, err := exists(ctx, tx, `UPDATE outbox SET state = 'sent', finished = $3, error = '', round = 0, channel = $4, address = $5
			WHERE key = $1 AND attempts = $2 AND state IN ('queued', 'superseded') RETURNING 1`, e.Key, e.Attempts, now.UnixNano(), r.Channel, r.Address)
		if err != nil || !done || r.Ref == "" {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE threads SET channel = $2, address = $3, ref = $4 WHERE thread = $1`, e.Thread, r.Channel, r.Address, r.Ref)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark effect %s as sent: %w", e.Key, err)
	}
	return nil
}

// EffectFailed keeps what became of a failed attempt. When nobody was reached the
// order is looked at again at once: somebody else has to be told.
func (s *Store) EffectFailed(ctx context.Context, e *outbox.Effect, v outbox.Verdict, reason string, now time.Time) error {
	state, finished := outbox.Queued, int64(0)
	if v.Dead {
		state, finished = outbox.Dead, now.UnixNano()
	}
	err := s.tx(ctx, func(tx *sql.Tx) error {
		mine, err := exists(ctx, tx, `UPDATE outbox SET state = $3, due = $4, contact = $5, refused = $6, error = $7, finished = $8,
				round = CASE WHEN $9 = 1 THEN 1 ELSE round END
			WHERE key = $1 AND attempts = $2 AND state = 'queued' RETURNING 1`,
			e.Key, e.Attempts, string(state), nanos(v.Due), v.Contact, v.Refused, reason, finished, bit(v.Unreached))
		if err != nil || !mine || !v.Unreached || e.Kind != outbox.Message {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE dispatch SET due = 1 WHERE order_id = $1`, e.Order)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark effect %s as failed: %w", e.Key, err)
	}
	return nil
}

// ThreadRef is by which reference the newest message of a thread can be updated
// on a channel; "" when it was not sent there.
func (s *Store) ThreadRef(ctx context.Context, thread, channel, address string) (string, error) {
	var ref string
	err := s.read.QueryRowContext(ctx, `SELECT ref FROM threads WHERE thread = $1 AND channel = $2 AND address = $3`, thread, channel, address).Scan(&ref)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read thread %s: %w", thread, err)
	}
	return ref, nil
}

// Effects returns effects, the newest first.
func (s *Store) Effects(ctx context.Context, f outbox.Filter) (ticketing.Page[outbox.Effect], error) {
	var w where
	w.equal("state", string(f.State))
	w.equal("kind", string(f.Kind))
	w.equal("receiver", f.To)
	w.equal("order_id", f.Order)
	w.equal("key", f.Key)
	if f.Cursor != "" {
		_, at, key, err := parseCursor("outbox", f.Cursor)
		if err != nil {
			return ticketing.Page[outbox.Effect]{}, err
		}
		w.add("(created, key) < (?, ?)", at, key)
	}
	limit := clampLimit(f.Limit)
	items, err := collect(ctx, s.read, scanEffect, `SELECT `+selectEffect+` FROM outbox`+w.String()+` ORDER BY created DESC, key DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	if err != nil {
		return ticketing.Page[outbox.Effect]{}, fmt.Errorf("list the outbox: %w", err)
	}
	p := ticketing.Page[outbox.Effect]{Items: items}
	if len(items) > limit {
		p.Items = items[:limit]
		last := &p.Items[limit-1]
		p.Next = cursor("outbox", 0, last.Created.UnixNano(), last.Key)
	}
	return p, nil
}

// RetryEffect lets a dead or waiting effect be delivered now, from its first
// contact on. [outbox.ErrNoEffect] when there is none.
func (s *Store) RetryEffect(ctx context.Context, key string, now time.Time) error {
	return s.changeEffect(ctx, "retry", `UPDATE outbox SET state = 'queued', due = $2, created = CASE WHEN state = 'dead' THEN $2 ELSE created END,
		contact = 0, refused = 0, finished = 0 WHERE key = $1 AND state IN ('dead', 'queued')`, key, now.UnixNano())
}

// DropEffect says that a dead or waiting effect is never to be delivered.
func (s *Store) DropEffect(ctx context.Context, key string, now time.Time) error {
	return s.changeEffect(ctx, "drop", `UPDATE outbox SET state = 'dropped', finished = $2 WHERE key = $1 AND state IN ('dead', 'queued')`, key, now.UnixNano())
}

func (s *Store) changeEffect(ctx context.Context, verb, query string, args ...any) error {
	r, err := s.write.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s effect %s: %w", verb, args[0], err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("%s effect %s: %w", verb, args[0], outbox.ErrNoEffect), err)
	}
	return nil
}

// OutboxStats counts the effects that wait or are dead by kind and state, and says
// how old the oldest is.
func (s *Store) OutboxStats(ctx context.Context) ([]outbox.Stat, error) {
	stats, err := collect(ctx, s.read, func(rows *sql.Rows) (outbox.Stat, error) {
		var st outbox.Stat
		var oldest int64
		err := rows.Scan(&st.Kind, &st.State, &st.Count, &oldest)
		st.Oldest = fromNanos(oldest)
		return st, err
	}, `SELECT kind, state, COUNT(*), MIN(created) FROM outbox WHERE state IN ('queued', 'dead') GROUP BY kind, state ORDER BY kind, state`)
	if err != nil {
		return nil, fmt.Errorf("count the outbox: %w", err)
	}
	return stats, nil
}

// Receivers are the persons and subscriptions to whom anything was or will be
// sent, by name.
func (s *Store) Receivers(ctx context.Context) ([]string, error) {
	list, err := collect(ctx, s.read, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) },
		`SELECT DISTINCT receiver FROM outbox ORDER BY receiver`)
	if err != nil {
		return nil, fmt.Errorf("list the receivers: %w", err)
	}
	return list, nil
}

// PruneOutbox forgets effects that ended before a time. What waits or is dead
// stays until somebody decides.
func (s *Store) PruneOutbox(ctx context.Context, before time.Time) (int64, error) {
	r, err := s.write.ExecContext(ctx, `DELETE FROM outbox WHERE state IN ('sent', 'dropped', 'superseded') AND finished < $1`, before.UnixNano())
	if err != nil {
		return 0, fmt.Errorf("prune the outbox: %w", err)
	}
	return r.RowsAffected()
}
