package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// prefetch reads what is known of the episodes of the steps and of what explains
// them, and the orders that they belong to or join, with few statements: a round
// trip for each step would cost more than all the rest.
func (b *batch) prefetch(ctx context.Context, steps []rules.Transition) error {
	var ids []any
	for i := range steps {
		t := &steps[i]
		for _, ep := range []rules.EpisodeID{t.Episode, t.Under} {
			if id := ep.String(); ep.Seq != 0 && b.episodes[id] == nil {
				b.episodes[id] = &episodeRow{id: ep}
				ids = append(ids, id)
			}
		}
	}
	if err := b.readEpisodes(ctx, "id", ids); err != nil {
		return fmt.Errorf("read episodes: %w", err)
	}
	// Open orders are asked for by asset alone: that is a range of the index, where
	// pairs of asset and fault class would be a scan. What comes with it is few.
	var orders, assets, fresh []any
	want := make(map[string]bool)
	order := func(id string) {
		if id != "" && !want[id] {
			want[id] = true
			orders = append(orders, id)
		}
	}
	oldest := int64(math.MaxInt64)
	for i := range steps {
		ep := b.episodes[steps[i].Episode.String()]
		oldest = min(oldest, steps[i].At)
		order(ep.state.Order)
		if under := b.episodes[steps[i].Under.String()]; under != nil {
			order(under.state.Order)
		}
		if key := "asset " + ep.id.Asset; !want[key] && (!ep.known || ep.state.Attached) {
			want[key] = true
			assets = append(assets, ep.id.Asset)
		}
		if key := "fresh " + ep.id.String(); !want[key] && !ep.known {
			want[key] = true
			fresh = append(fresh, ep.id.String())
		}
	}
	if err := b.readOrders(ctx, "id", orders, 0); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	if err := b.readAssets(ctx, assets, oldest); err != nil {
		return err
	}
	if err := b.readEpisodes(ctx, "under", fresh); err != nil {
		return fmt.Errorf("read episodes that wait for their cause: %w", err)
	}
	return nil
}

// readAssets reads the open orders of assets and those under warranty at a time.
func (b *batch) readAssets(ctx context.Context, assets []any, at int64) error {
	assets = slices.DeleteFunc(assets, func(a any) bool {
		asked := b.asked[a.(string)]
		b.asked[a.(string)] = true
		return asked
	})
	if err := b.readOrders(ctx, "active = 1 AND asset", assets, 0); err != nil {
		return fmt.Errorf("read open orders: %w", err)
	}
	if b.s.cfg.Warranty <= 0 {
		return nil
	}
	if err := b.readOrders(ctx, "state = 'closed' AND asset", assets, at-int64(b.s.cfg.Warranty)); err != nil {
		return fmt.Errorf("read orders under warranty: %w", err)
	}
	return nil
}

// readEpisodes reads the episodes of which a column is one of the values. What is
// known already stays as it is.
func (b *batch) readEpisodes(ctx context.Context, column string, values []any) error {
	return inChunks(values, func(part []any) error {
		var w where
		w.addIn(column, part)
		_, err := collect(ctx, b.tx, func(rows *sql.Rows) (struct{}, error) {
			var id, phase string
			var row episodeRow
			err := rows.Scan(&id, &row.id.Site, &row.id.Asset, &row.id.FaultClass, &row.id.Seq, &row.state.Order, &phase, &row.severity, &row.rule, &row.simulated,
				&row.onset, &row.activeAt, &row.clearedAt, &row.state.Seq, &row.state.Ordinal, &row.under, &row.state.Attached)
			if ep := b.episodes[id]; err == nil && (ep == nil || !ep.known) {
				row.known, row.state.Phase = true, parsePhase(phase)
				if ep == nil {
					ep = &episodeRow{}
					b.episodes[id] = ep
				}
				*ep = row
				b.explain(ep, row.under)
			}
			return struct{}{}, err
		}, `SELECT id, site, asset, fault_class, seq, order_id, phase, severity, rule, simulated, onset, active_at, cleared_at, last_seq, last_ord, under, attached FROM episodes`+w.String(), w.args...)
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
			d := b.orders[list[i].ID]
			if d == nil {
				d = &draft{order: &list[i]}
				b.orders[d.order.ID] = d
			}
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
