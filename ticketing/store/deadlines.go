package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// warnAtOnce bounds the orders of one transaction: people's commands wait for it.
const warnAtOnce = 200

// Warn writes the warnings of the site's orders that are due (see
// [ticketing.Warn]) and returns how many entries that were. now is the wall (or
// estate) clock; call it every few seconds. It reads what is due by an index and
// nothing else, so that it costs nothing while nothing is.
func (s *Store) Warn(ctx context.Context, site string, epoch uint32, now time.Time, p *ticketing.Policy, cal *calendar.Calendar) (int, error) {
	now = now.UTC()
	written := 0
	for {
		ids, err := collect(ctx, s.read, func(rows *sql.Rows) (string, error) {
			var id string
			return id, rows.Scan(&id)
		}, `SELECT id FROM orders WHERE site = $1 AND sla_next > 0 AND sla_next <= $2 ORDER BY sla_next LIMIT $3`, site, now.UnixNano(), warnAtOnce)
		if err != nil {
			return written, fmt.Errorf("read the deadlines of site %s: %w", site, err)
		}
		if len(ids) == 0 {
			return written, nil
		}
		n := 0
		err = s.tx(ctx, func(tx *sql.Tx) error {
			n = 0
			held, err := exists(ctx, tx, `UPDATE sites SET epoch = epoch WHERE site = $1 AND epoch = $2 RETURNING 1`, site, int64(epoch))
			if err != nil {
				return err
			}
			if !held {
				return ErrFenced
			}
			if n, err = s.warn(ctx, tx, ids, now, p, cal); err != nil || n == 0 {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE sites SET changes = changes + 1 WHERE site = $1`, site)
			return err
		})
		if err != nil {
			return written, fmt.Errorf("warn of the deadlines of site %s: %w", site, err)
		}
		written += n
		s.committed()
	}
}

// warn lets time pass over some orders whose site is locked.
func (s *Store) warn(ctx context.Context, tx *sql.Tx, ids []string, now time.Time, p *ticketing.Policy, cal *calendar.Calendar) (written int, err error) {
	var w where
	w.addIn("id", toAny(ids, func(id string) any { return id }))
	orders, err := collect(ctx, tx, scanDoc[ticketing.Order], `SELECT doc FROM orders`+w.String()+` ORDER BY opened, id`, w.args...)
	if err != nil {
		return 0, err
	}
	logs, err := readKinds(ctx, tx, ids, ticketing.WarnKinds)
	if err != nil {
		return 0, err
	}
	for i := range orders {
		o := &orders[i]
		d := ticketing.Warn(o, logs[o.ID], p, cal, now)
		for k := range d.Entries {
			if err := s.appendEntry(ctx, tx, o, &d.Entries[k]); err != nil {
				return 0, err
			}
			written++
		}
		// What was read may have changed meanwhile: then it is as new as can be.
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET sla_next = $2, overdue = $3 WHERE id = $1`, o.ID, nanos(d.Next), bit(d.Overdue)); err != nil {
			return 0, err
		}
	}
	return written, nil
}

// DeadlinesChanged makes [Store.Warn] look at every order of the site again: its
// policy or its calendar is another one now.
func (s *Store) DeadlinesChanged(ctx context.Context, site string) error {
	_, err := s.write.ExecContext(ctx, `UPDATE orders SET sla_next = 1 WHERE site = $1 AND active = 1`, site)
	if err != nil {
		return fmt.Errorf("look at the deadlines of site %s anew: %w", site, err)
	}
	return nil
}

// Overdue counts the orders of which the time for a target is over, by site and
// tier, as [Store.Warn] last saw them.
func (s *Store) Overdue(ctx context.Context) ([]ticketing.Stat, error) {
	stats, err := collect(ctx, s.read, func(rows *sql.Rows) (ticketing.Stat, error) {
		var st ticketing.Stat
		err := rows.Scan(&st.Site, &st.Tier, &st.Count)
		return st, err
	}, `SELECT site, tier, COUNT(*) FROM orders WHERE overdue = 1 GROUP BY site, tier ORDER BY site, tier`)
	if err != nil {
		return nil, fmt.Errorf("count overdue orders: %w", err)
	}
	return stats, nil
}
