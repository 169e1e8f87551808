package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// Problems lists the assets to which the same fault came so often within the
// time before now that repairing it once more will not do, the most frequent
// first. site, asset and faultClass choose when they are not empty.
func (s *Store) Problems(ctx context.Context, site, asset, faultClass string, now time.Time) ([]ticketing.Problem, error) {
	var w where
	// The kinds stand in the text so that the partial index serves the query.
	w.add("l.kind IN ('opened', 'recurred') AND l.arrived > ?", now.Add(-ticketing.ProblemWithin).UnixNano())
	w.add("l.arrived <= ?", now.UnixNano())
	w.equal("o.site", site)
	w.equal("o.asset", asset)
	w.equal("o.fault_class", faultClass)
	w.args = append(w.args, ticketing.ProblemCount)
	list, err := collect(ctx, s.read, func(rows *sql.Rows) (ticketing.Problem, error) {
		var p ticketing.Problem
		var first, last int64
		err := rows.Scan(&p.Site, &p.Asset, &p.FaultClass, &p.Count, &first, &last)
		p.First, p.Last = fromNanos(first), fromNanos(last)
		return p, err
	}, `SELECT o.site, o.asset, o.fault_class, COUNT(*), MIN(l.arrived), MAX(l.arrived) FROM log l JOIN orders o ON o.id = l.order_id`+
		w.String()+fmt.Sprintf(` GROUP BY o.site, o.asset, o.fault_class HAVING COUNT(*) >= $%d ORDER BY COUNT(*) DESC, o.site, o.asset, o.fault_class`, len(w.args)), w.args...)
	if err != nil {
		return nil, fmt.Errorf("list problems: %w", err)
	}
	return list, nil
}
