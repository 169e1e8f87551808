package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

const (
	insertOrder = `INSERT INTO orders (id, site, number, asset, fault_class, state, active, tier, assignee, simulated, opened, updated, ended, version, doc, sla_next) VALUES `
	upsertOrder = ` ON CONFLICT (id) DO UPDATE SET state = excluded.state, active = excluded.active, tier = excluded.tier,
		assignee = excluded.assignee, updated = excluded.updated, ended = excluded.ended, version = excluded.version, doc = excluded.doc, sla_next = excluded.sla_next`
	insertLog      = `INSERT INTO log (order_id, version, key, kind, person, at, arrived, doc) VALUES `
	insertEvidence = `INSERT INTO evidence (order_id, version, doc, episode, attached) VALUES `
	insertEpisode  = `INSERT INTO episodes (id, order_id, site, asset, fault_class, phase, severity, rule, simulated, seq, onset, active_at, cleared_at, last_seq, last_ord, under, attached) VALUES `
	upsertEpisode  = ` ON CONFLICT (id) DO UPDATE SET order_id = excluded.order_id, phase = excluded.phase, severity = excluded.severity,
		rule = excluded.rule, onset = excluded.onset, active_at = excluded.active_at, cleared_at = excluded.cleared_at,
		last_seq = excluded.last_seq, last_ord = excluded.last_ord, under = excluded.under, attached = excluded.attached`
)

// rowsPerInsert bounds the placeholders of one statement; more rows save no
// further round trips worth having.
const rowsPerInsert = 64

// insert writes rows with few statements.
func insert(ctx context.Context, tx *sql.Tx, prefix, suffix string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(rowsPerInsert, len(rows))
		var q strings.Builder
		args := make([]any, 0, n*len(rows[0]))
		q.WriteString(prefix)
		for i, row := range rows[:n] {
			if i > 0 {
				q.WriteByte(',')
			}
			for j, v := range row {
				q.WriteByte("(,"[min(j, 1)])
				args = append(args, v)
				q.WriteByte('$')
				q.WriteString(strconv.Itoa(len(args)))
			}
			q.WriteByte(')')
		}
		q.WriteString(suffix)
		if _, err := tx.ExecContext(ctx, q.String(), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// lookNow as the next time to look at an order's deadlines is as soon as can be.
const lookNow = 1

func orderRow(o *ticketing.Order) ([]any, error) {
	doc, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write order %s: %w", o.ID, err)
	}
	return []any{
		o.ID, o.Site, o.Number, o.Asset, o.FaultClass, string(o.State), bit(o.State.Active()), int64(o.Tier), o.Assignee, bit(o.Simulated),
		nanos(o.Opened), nanos(o.Updated), nanos(o.ClosedAt), o.Version, string(doc), lookNow,
	}, nil
}

// querier is what a transaction and a pool have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readOrder(ctx context.Context, q querier, id string) (*ticketing.Order, error) {
	var doc string
	err := q.QueryRowContext(ctx, `SELECT doc FROM orders WHERE id = $1`, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("order %s: %w", id, ticketing.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", id, err)
	}
	return parse[ticketing.Order](doc)
}

func parse[T any](doc string) (*T, error) {
	v := new(T)
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return nil, fmt.Errorf("read stored document: %w", err)
	}
	return v, nil
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// scanDoc reads rows of one JSON document each.
func scanDoc[T any](rows *sql.Rows) (T, error) {
	var doc string
	var zero T
	if err := rows.Scan(&doc); err != nil {
		return zero, err
	}
	v, err := parse[T](doc)
	if err != nil {
		return zero, err
	}
	return *v, nil
}

func exists(ctx context.Context, q querier, query string, args ...any) (bool, error) {
	var one int
	err := q.QueryRowContext(ctx, query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func parsePhase(word string) rules.Phase {
	for p := rules.Pending; p <= rules.Cleared; p++ {
		if p.String() == word {
			return p
		}
	}
	return 0
}
