package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

// A Writer puts a message into the form that is delivered.
type Writer func(m *dispatch.Message) (json.RawMessage, error)

// Mail turns the notices that wait for people into effects of the outbox, for
// those persons whose time has come. now is the clock of the orders. It returns
// how many messages were written.
func (s *Store) Mail(ctx context.Context, now time.Time, desk *dispatch.Desk, write Writer) (int, error) {
	now = now.UTC()
	persons, err := collect(ctx, s.read, func(rows *sql.Rows) (p string, err error) { return p, rows.Scan(&p) },
		`SELECT person FROM mailboxes WHERE urgent = 1 OR due > 0 AND due <= $1 ORDER BY urgent DESC, due, person`, now.UnixNano())
	if err != nil {
		return 0, fmt.Errorf("look for mailboxes that are due: %w", err)
	}
	written := 0
	for _, p := range persons {
		n, err := s.mail(ctx, p, now, desk, write)
		if err != nil {
			return written, fmt.Errorf("write the messages to %s: %w", p, err)
		}
		written += n
	}
	return written, nil
}

// mail empties one mailbox: at first only of what is about P1, which must not
// wait until thousands of other notices are read.
func (s *Store) mail(ctx context.Context, person string, now time.Time, desk *dispatch.Desk, write Writer) (int, error) {
	written := 0
	err := s.tx(ctx, func(tx *sql.Tx) error {
		var urgent bool
		var due int64
		var doc string
		err := tx.QueryRowContext(ctx, `SELECT urgent, due, doc FROM mailboxes WHERE person = $1`+s.forUpdate(), person).Scan(&urgent, &due, &doc)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !urgent && (due == 0 || due > now.UnixNano()) {
			return nil // another worker was here
		}
		if err != nil {
			return err
		}
		box, err := parse[dispatch.Box](doc)
		if err != nil {
			return err
		}
		waiting, err := waitingFor(ctx, tx, person, urgent)
		if err != nil {
			return err
		}
		post := desk.Mail(desk.Roster.Person(person), box, waiting, now)
		for i := range post.Messages {
			if err := s.enqueue(ctx, tx, &post.Messages[i], now, write); err != nil {
				return err
			}
		}
		written = len(post.Messages)
		if err := settle(ctx, tx, person, post.Settled); err != nil {
			return err
		}
		if !urgent {
			due = nanos(post.Due)
		}
		out, err := json.Marshal(box)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE mailboxes SET urgent = 0, due = $2, doc = $3 WHERE person = $1`, person, due, string(out))
		return err
	})
	return written, err
}

func waitingFor(ctx context.Context, tx *sql.Tx, person string, urgent bool) ([]dispatch.Waiting, error) {
	only := ""
	if urgent {
		only = " AND n.tier = 1"
	}
	return collect(ctx, tx, func(rows *sql.Rows) (dispatch.Waiting, error) {
		var w dispatch.Waiting
		var notice, order string
		err := rows.Scan(&notice, &order, &w.Told)
		if err != nil {
			return w, err
		}
		n, err := parse[dispatch.Notice](notice)
		if err != nil {
			return w, err
		}
		w.Notice = *n
		w.Now, err = parse[ticketing.Order](order)
		return w, err
	}, `SELECT n.doc, o.doc, CASE WHEN t.thread IS NULL THEN 0 ELSE 1 END FROM notices n JOIN orders o ON o.id = n.order_id
		LEFT JOIN threads t ON t.thread = n.person || '/' || n.order_id
		WHERE n.person = $1`+only+` ORDER BY n.at, n.order_id, n.version`, person)
}

// enqueue writes a message to the outbox. One about the same order that was not
// taken for delivery yet, or was not taken by its channel, says less and is left
// out.
func (s *Store) enqueue(ctx context.Context, tx *sql.Tx, m *dispatch.Message, now time.Time, write Writer) error {
	doc, err := write(m)
	if err != nil {
		return err
	}
	e := outbox.Effect{
		Key: m.Key, Kind: outbox.Message, To: m.Person, Site: m.Notices[0].Now.Site, Tier: m.Tier,
		Thread: "digest/" + m.Key, Doc: doc, At: now, Created: time.Now(),
	}
	if !m.Digest() {
		e.Order = m.Notices[0].Order
		e.Thread = m.Person + "/" + e.Order
		if _, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'superseded', finished = $2
			WHERE thread = $1 AND state = 'queued' AND (attempts = 0 OR error <> '')`, e.Thread, e.Created.UnixNano()); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO threads (thread, turn, channel, address, ref) VALUES ($1, 1, '', '', '')
			ON CONFLICT (thread) DO UPDATE SET turn = threads.turn + 1 RETURNING turn`, e.Thread).Scan(&e.Turn)
		if err != nil {
			return err
		}
	}
	return insert(ctx, tx, insertEffect, sameEffect, [][]any{effectRow(&e)})
}

// settle forgets notices of which nothing has to be said any more, and older ones
// about the same orders with them.
func settle(ctx context.Context, tx *sql.Tx, person string, settled []dispatch.Waiting) error {
	seen := make(map[string]bool)
	var orders []any
	for i := range settled {
		if id := settled[i].Order; !seen[id] {
			seen[id] = true
			orders = append(orders, id)
		}
	}
	return inChunks(orders, func(part []any) error {
		var w where
		w.equal("person", person)
		w.addIn("order_id", part)
		_, err := tx.ExecContext(ctx, `DELETE FROM notices`+w.String(), w.args...)
		return err
	})
}
