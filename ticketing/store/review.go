package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// A Reviewer is what the store has to know to let time pass over orders that are
// done or verified.
type Reviewer struct {
	// Template says what to do about a fault class; nil for none.
	Template func(faultClass string) *ticketing.Template
	// Observe says what telemetry tells of the order's asset now; role names the
	// counter of the template, "" for none.
	Observe func(o *ticketing.Order, role string) ticketing.Observation
	// SignOff is how long the work on a verified order may be refused before the
	// order is closed.
	SignOff time.Duration
}

// defaultWatch is how long a fault class without a template is watched.
const defaultWatch = 24 * time.Hour

func (r *Reviewer) review(o *ticketing.Order, now time.Time) *ticketing.Entry {
	v := ticketing.Verification{For: defaultWatch}
	if t := r.Template(o.FaultClass); t != nil {
		v = t.Verify
	}
	return ticketing.Review(o, v, r.SignOff, r.Observe(o, v.Role), now)
}

// Review lets time pass over the orders of a site that are done or verified:
// repairs are confirmed, refused or closed (see [ticketing.Review]). now is the
// wall (or estate) clock; call it every few seconds. It writes only when there
// is something to write, and returns how many orders changed.
func (s *Store) Review(ctx context.Context, site string, epoch uint32, now time.Time, r Reviewer) (int, error) {
	now = now.UTC()
	due, err := s.reviewable(ctx, s.read, site, now, &r)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	changed := 0
	err = s.tx(ctx, func(tx *sql.Tx) error {
		changed = 0
		held, err := exists(ctx, tx, `UPDATE sites SET changes = changes + 1 WHERE site = $1 AND epoch = $2 RETURNING 1`, site, int64(epoch))
		if err != nil {
			return err
		}
		if !held {
			return ErrFenced
		}
		// Read again: what was due may have changed before the site was locked.
		due, err := s.reviewable(ctx, tx, site, now, &r)
		if err != nil {
			return err
		}
		for i := range due {
			o := &due[i]
			for e := r.review(o, now); e != nil; e = r.review(o, now) {
				if err := appendEntry(ctx, tx, o, e); err != nil {
					return err
				}
				changed++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("review the orders of site %s: %w", site, err)
	}
	return changed, nil
}

func (s *Store) reviewable(ctx context.Context, q querier, site string, now time.Time, r *Reviewer) ([]ticketing.Order, error) {
	orders, err := collect(ctx, q, scanDoc[ticketing.Order],
		`SELECT doc FROM orders WHERE site = $1 AND state IN ($2, $3) ORDER BY opened, id`, site, string(ticketing.Done), string(ticketing.Verified))
	if err != nil {
		return nil, fmt.Errorf("read the orders to review of site %s: %w", site, err)
	}
	due := orders[:0]
	for _, o := range orders {
		if r.review(&o, now) != nil {
			due = append(due, o)
		}
	}
	return due, nil
}
