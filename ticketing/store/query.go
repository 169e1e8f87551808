package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// where builds the conditions of a query with numbered placeholders.
type where struct {
	conds []string
	args  []any
}

// add appends a condition; each ? in it becomes the next placeholder.
func (w *where) add(cond string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

func (w *where) addIn(col string, values []any) {
	if len(values) == 0 {
		return
	}
	w.add(col+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
}

func (w *where) equal(col, value string) {
	if value != "" {
		w.add(col+" = ?", value)
	}
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// List returns orders.
func (s *Store) List(ctx context.Context, f ticketing.Filter) (ticketing.Page[ticketing.Order], error) {
	var w where
	w.equal("site", f.Site)
	w.equal("asset", f.Asset)
	w.equal("fault_class", f.FaultClass)
	w.equal("assignee", f.Assignee)
	w.addIn("state", toAny(f.States, func(s ticketing.State) any { return string(s) }))
	w.addIn("tier", toAny(f.Tiers, func(t ticketing.Tier) any { return int64(t) }))
	by := "opened DESC, id DESC"
	if f.Sort == ticketing.ByUrgency {
		if !f.From.IsZero() || !f.To.IsZero() {
			return ticketing.Page[ticketing.Order]{}, &ticketing.InvalidError{Field: "from", Code: "time_filter", Message: "the list by urgency takes no time filter: open orders are never hidden by one"}
		}
		by = "tier, opened, id"
		w.add("active = 1")
	}
	if !f.From.IsZero() {
		w.add("opened >= ?", f.From.UnixNano())
	}
	if !f.To.IsZero() {
		w.add("opened < ?", f.To.UnixNano())
	}
	if err := w.after(f.Sort, f.Cursor); err != nil {
		return ticketing.Page[ticketing.Order]{}, err
	}
	limit := clampLimit(f.Limit)
	items, err := collect(ctx, s.read, scanDoc[ticketing.Order],
		"SELECT doc FROM orders"+w.String()+" ORDER BY "+by+" LIMIT "+strconv.Itoa(limit+1), w.args...)
	if err != nil {
		return ticketing.Page[ticketing.Order]{}, fmt.Errorf("list orders: %w", err)
	}
	p := ticketing.Page[ticketing.Order]{Items: items}
	if len(items) > limit {
		p.Items = items[:limit]
		last := &p.Items[limit-1]
		p.Next = cursor(f.Sort, int64(last.Tier), last.Opened.UnixNano(), last.ID)
	}
	return p, nil
}

// after continues behind a cursor. Row values keep the comparison a range of the
// index on both databases.
func (w *where) after(sort ticketing.Sort, c string) error {
	if c == "" {
		return nil
	}
	tier, opened, id, err := parseCursor(sort, c)
	if err != nil {
		return err
	}
	if sort == ticketing.ByUrgency {
		w.add("(tier, opened, id) > (?, ?, ?)", tier, opened, id)
	} else {
		w.add("(opened, id) < (?, ?)", opened, id)
	}
	return nil
}

func cursor(sort ticketing.Sort, tier, at int64, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%.1s|%d|%d|%s", string(sort)+"n", tier, at, id))
}

func parseCursor(sort ticketing.Sort, c string) (tier, at int64, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err != nil {
		return 0, 0, "", ticketing.ErrCursor
	}
	parts := strings.SplitN(string(b), "|", 4)
	if len(parts) != 4 || parts[0] != (string(sort) + "n")[:1] {
		return 0, 0, "", ticketing.ErrCursor
	}
	tier, err1 := strconv.ParseInt(parts[1], 10, 64)
	at, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, "", ticketing.ErrCursor
	}
	return tier, at, parts[3], nil
}

// Order returns one order by id, or by its number text (demo-17).
func (s *Store) Order(ctx context.Context, id string) (*ticketing.Order, error) {
	if site, number, ok := cutNumber(id); ok {
		err := s.read.QueryRowContext(ctx, `SELECT id FROM orders WHERE site = $1 AND number = $2`, site, number).Scan(&id)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read order %s: %w", id, err)
		}
	}
	return readOrder(ctx, s.read, id)
}

func cutNumber(id string) (site string, number int64, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i <= 0 {
		return "", 0, false
	}
	number, err := strconv.ParseInt(id[i+1:], 10, 64)
	return id[:i], number, err == nil
}

// Log returns the log of an order from its entry after version on, oldest first.
func (s *Store) Log(ctx context.Context, order string, version int) ([]ticketing.Entry, error) {
	return readLog(ctx, s.read, order, version)
}

func readLog(ctx context.Context, q querier, order string, version int) ([]ticketing.Entry, error) {
	log, err := collect(ctx, q, scanDoc[ticketing.Entry],
		`SELECT doc FROM log WHERE order_id = $1 AND version > $2 ORDER BY version`, order, version)
	if err != nil {
		return nil, fmt.Errorf("read the log of order %s: %w", order, err)
	}
	return log, nil
}

// Milestones returns the entries of the logs of some orders that their clocks
// look at, by order id, each in the order of its log.
func (s *Store) Milestones(ctx context.Context, orders []string) (map[string][]ticketing.Entry, error) {
	return readKinds(ctx, s.read, orders, ticketing.Milestones)
}

// readKinds reads the entries of some kinds of the logs of some orders.
func readKinds(ctx context.Context, q querier, orders []string, kinds []ticketing.Kind) (map[string][]ticketing.Entry, error) {
	out := make(map[string][]ticketing.Entry, len(orders))
	if len(orders) == 0 {
		return out, nil
	}
	var w where
	w.addIn("order_id", toAny(orders, func(id string) any { return id }))
	w.addIn("kind", toAny(kinds, func(k ticketing.Kind) any { return string(k) }))
	_, err := collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var id, doc string
		if err := rows.Scan(&id, &doc); err != nil {
			return struct{}{}, err
		}
		e, err := parse[ticketing.Entry](doc)
		if err == nil {
			out[id] = append(out[id], *e)
		}
		return struct{}{}, err
	}, "SELECT order_id, doc FROM log"+w.String()+" ORDER BY order_id, version", w.args...)
	if err != nil {
		return nil, fmt.Errorf("read milestones: %w", err)
	}
	return out, nil
}

// Evidence returns what the rules saw of the order's own fault, newest first, at
// most limit.
func (s *Store) Evidence(ctx context.Context, order string, limit int) ([]ticketing.Evidence, error) {
	list, err := collect(ctx, s.read, scanEvidence, `SELECT version, doc FROM evidence WHERE order_id = $1 AND attached = 0 ORDER BY version DESC LIMIT $2`, order, limit)
	if err != nil {
		return nil, fmt.Errorf("read the evidence of order %s: %w", order, err)
	}
	return list, nil
}

// EvidenceAt returns what the rules saw when an entry of the log was made, that
// of a consequence too; nil when the entry has no evidence.
func (s *Store) EvidenceAt(ctx context.Context, order string, version int) (*ticketing.Evidence, error) {
	list, err := collect(ctx, s.read, scanEvidence, `SELECT version, doc FROM evidence WHERE order_id = $1 AND version = $2`, order, version)
	if err != nil {
		return nil, fmt.Errorf("read the evidence of entry %d of order %s: %w", version, order, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return &list[0], nil
}

func scanEvidence(rows *sql.Rows) (ticketing.Evidence, error) {
	var e ticketing.Evidence
	var doc string
	if err := rows.Scan(&e.Version, &doc); err != nil {
		return e, err
	}
	ev, err := parse[rules.Evidence](doc)
	if err == nil {
		e.Evidence = *ev
	}
	return e, err
}

// Episodes returns episodes, the newest first.
func (s *Store) Episodes(ctx context.Context, f ticketing.EpisodeFilter) (ticketing.Page[ticketing.Episode], error) {
	var w where
	w.equal("site", f.Site)
	w.equal("asset", f.Asset)
	w.equal("fault_class", f.FaultClass)
	w.equal("phase", f.Phase)
	w.equal("order_id", f.Order)
	if f.Consequences {
		w.add("attached = 1")
	}
	if f.Cursor != "" {
		_, at, id, err := parseCursor("episodes", f.Cursor)
		if err != nil {
			return ticketing.Page[ticketing.Episode]{}, err
		}
		w.add("(active_at, id) < (?, ?)", at, id)
	}
	limit := clampLimit(f.Limit)
	items, err := collect(ctx, s.read, scanEpisode,
		`SELECT id, order_id, site, asset, fault_class, phase, severity, rule, simulated, onset, active_at, cleared_at, under, attached FROM episodes`+
			w.String()+" ORDER BY active_at DESC, id DESC LIMIT "+strconv.Itoa(limit+1), w.args...)
	if err != nil {
		return ticketing.Page[ticketing.Episode]{}, fmt.Errorf("list episodes: %w", err)
	}
	p := ticketing.Page[ticketing.Episode]{Items: items}
	if len(items) > limit {
		p.Items = items[:limit]
		last := &p.Items[limit-1]
		p.Next = cursor("episodes", 0, last.ActiveAt.UnixNano(), last.ID)
	}
	return p, nil
}

func scanEpisode(rows *sql.Rows) (ticketing.Episode, error) {
	var e ticketing.Episode
	var onset, active, cleared int64
	err := rows.Scan(&e.ID, &e.Order, &e.Site, &e.Asset, &e.FaultClass, &e.Phase, &e.Severity, &e.Rule, &e.Simulated, &onset, &active, &cleared, &e.Under, &e.Consequence)
	e.Onset, e.ActiveAt, e.ClearedAt = fromNanos(onset), fromNanos(active), fromNanos(cleared)
	return e, err
}

// Stats counts orders by site, state and tier.
func (s *Store) Stats(ctx context.Context) ([]ticketing.Stat, error) {
	stats, err := collect(ctx, s.read, func(rows *sql.Rows) (ticketing.Stat, error) {
		var st ticketing.Stat
		err := rows.Scan(&st.Site, &st.State, &st.Tier, &st.Count)
		return st, err
	}, `SELECT site, state, tier, COUNT(*) FROM orders GROUP BY state, tier, site ORDER BY site, state, tier`)
	if err != nil {
		return nil, fmt.Errorf("count orders: %w", err)
	}
	return stats, nil
}

// Changes returns a number that grows with every write to orders, for pages
// that want to know whether there is something new.
func (s *Store) Changes(ctx context.Context) (int64, error) {
	var n int64
	if err := s.read.QueryRowContext(ctx, `SELECT COALESCE(SUM(changes), 0) FROM sites`).Scan(&n); err != nil {
		return 0, fmt.Errorf("read changes: %w", err)
	}
	return n, nil
}

func clampLimit(n int) int {
	if n <= 0 {
		return 50
	}
	return min(n, 500)
}

func toAny[T any](in []T, f func(T) any) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
