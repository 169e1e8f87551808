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

// verification is how the order's repair is confirmed.
func (r *Reviewer) verification(o *ticketing.Order) ticketing.Verification {
	if t := r.Template(o.FaultClass); t != nil {
		return t.Verify
	}
	return ticketing.Verification{For: defaultWatch}
}

// Review lets time pass over the orders of a site that are done or verified:
// repairs are confirmed, refused or closed (see [ticketing.Review]). now is the
// wall (or estate) clock; call it every few seconds. It writes only when there
// is something to write, and returns how many entries that were. Observe is not
// called while the database is locked.
func (s *Store) Review(ctx context.Context, site string, epoch uint32, now time.Time, r Reviewer) (int, error) {
	now = now.UTC()
	seen := map[string]ticketing.Observation{} // of the orders that are due
	orders, err := reviewable(ctx, s.read, site)
	if err != nil {
		return 0, err
	}
	for i := range orders {
		o := &orders[i]
		v := r.verification(o)
		obs := r.Observe(o, v.Role)
		if ticketing.Review(o, v, r.SignOff, obs, now) != nil {
			seen[o.ID] = obs
		}
	}
	if len(seen) == 0 {
		return 0, nil
	}
	written := 0
	err = s.tx(ctx, func(tx *sql.Tx) error {
		written = 0
		held, err := exists(ctx, tx, `UPDATE sites SET changes = changes + 1 WHERE site = $1 AND epoch = $2 RETURNING 1`, site, int64(epoch))
		if err != nil {
			return err
		}
		if !held {
			return ErrFenced
		}
		// Read again: what was due may have changed before the site was locked.
		orders, err := reviewable(ctx, tx, site)
		if err != nil {
			return err
		}
		for i := range orders {
			o := &orders[i]
			obs, due := seen[o.ID]
			for due {
				e := ticketing.Review(o, r.verification(o), r.SignOff, obs, now)
				if e == nil {
					break
				}
				if err := s.appendEntry(ctx, tx, o, e); err != nil {
					return err
				}
				written++
			}
		}
		return nil
	})
	s.committed()
	if err != nil {
		return 0, fmt.Errorf("review the orders of site %s: %w", site, err)
	}
	return written, nil
}

func reviewable(ctx context.Context, q querier, site string) ([]ticketing.Order, error) {
	orders, err := collect(ctx, q, scanDoc[ticketing.Order],
		`SELECT doc FROM orders WHERE site = $1 AND state IN ($2, $3) ORDER BY opened, id`, site, string(ticketing.Done), string(ticketing.Verified))
	if err != nil {
		return nil, fmt.Errorf("read the orders to review of site %s: %w", site, err)
	}
	return orders, nil
}
