package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// prefetch reads what is known of the episodes of the steps, and the orders that
// they belong to or join, with few statements: a round trip for each step would
// cost more than all the rest.
func (b *batch) prefetch(ctx context.Context, steps []rules.Transition) error {
	var ids []any
	for i := range steps {
		t := &steps[i]
		id := t.Episode.String()
		if b.episodes[id] == nil {
			b.episodes[id] = &episodeRow{id: t.Episode}
			ids = append(ids, id)
		}
	}
	if err := b.readEpisodes(ctx, ids); err != nil {
		return fmt.Errorf("read episodes: %w", err)
	}
	// Open orders are asked for by asset alone: that is a range of the index, where
	// pairs of asset and fault class would be a scan. What comes with it is few.
	var orders, assets []any
	asked := make(map[string]bool)
	for i := range steps {
		ep := b.episodes[steps[i].Episode.String()]
		switch key := "asset " + ep.id.Asset; {
		case ep.known && !asked[ep.state.Order]:
			asked[ep.state.Order] = true
			orders = append(orders, ep.state.Order)
		case !ep.known && !asked[key]:
			asked[key] = true
			assets = append(assets, ep.id.Asset)
		}
	}
	if err := b.readOrders(ctx, "id", orders, 0); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	if err := b.readOrders(ctx, "active = 1 AND asset", assets, 0); err != nil {
		return fmt.Errorf("read open orders: %w", err)
	}
	if b.s.cfg.Warranty <= 0 || len(assets) == 0 {
		return nil
	}
	oldest := steps[0].At
	for i := range steps {
		oldest = min(oldest, steps[i].At)
	}
	if err := b.readOrders(ctx, "state = 'closed' AND asset", assets, oldest-int64(b.s.cfg.Warranty)); err != nil {
		return fmt.Errorf("read orders under warranty: %w", err)
	}
	return nil
}

func (b *batch) readEpisodes(ctx context.Context, ids []any) error {
	return inChunks(ids, func(part []any) error {
		var w where
		w.addIn("id", part)
		_, err := collect(ctx, b.tx, func(rows *sql.Rows) (struct{}, error) {
			var id, phase string
			var row episodeRow
			err := rows.Scan(&id, &row.state.Order, &phase, &row.severity, &row.rule, &row.simulated, &row.onset, &row.activeAt, &row.clearedAt, &row.state.Seq, &row.state.Ordinal)
			ep := b.episodes[id]
			if err == nil && ep != nil {
				row.id, row.known, row.state.Phase = ep.id, true, parsePhase(phase)
				*ep = row
			}
			return struct{}{}, err
		}, `SELECT id, order_id, phase, severity, rule, simulated, onset, active_at, cleared_at, last_seq, last_ord FROM episodes`+w.String(), w.args...)
		return err
	})
}

// readOrders reads the orders of the site whose column, behind an optional
// condition, is one of the values and that ended at or after a time.
func (b *batch) readOrders(ctx context.Context, column string, values []any, ended int64) error {
	return inChunks(values, func(part []any) error {
		var w where
		w.equal("site", b.site)
		w.addIn(column, part)
		if ended > 0 {
			w.add("ended >= ?", ended)
		}
		list, err := collect(ctx, b.tx, scanDoc[ticketing.Order], "SELECT doc FROM orders"+w.String(), w.args...)
		for i := range list {
			d := &draft{order: &list[i]}
			if b.orders[d.order.ID] != nil {
				continue
			}
			b.orders[d.order.ID] = d
			key := assetKey{d.order.Asset, d.order.FaultClass}
			if d.order.State.Active() {
				b.active[key] = d
			} else if last := b.closed[key]; d.order.State == ticketing.Closed && (last == nil || last.order.ClosedAt.Before(d.order.ClosedAt)) {
				b.closed[key] = d
			}
		}
		return err
	})
}

// inChunks gives values to f in parts of a bounded size.
func inChunks(values []any, f func(part []any) error) error {
	for len(values) > 0 {
		n := min(len(values), rowsPerInsert)
		if err := f(values[:n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}
