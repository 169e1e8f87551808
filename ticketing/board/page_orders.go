package board

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/facilityd/facilityd/ticketing"
)

// ordersData is what the list of orders shows.
type ordersData struct {
	Tab    string // open, mine, all
	Orders []WorkOrder
	More   string // address of the following page
	Open   int64
	Tiers  []tierCount
	Tier   string
	State  string
	Site   string
	Asset  string
	States []ticketing.State
}

type tierCount struct {
	Tier  string
	Count int64
	Link  string
	On    bool
}

func (b *Board) ordersPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := &ordersData{Tab: "open", Tier: q.Get("tier"), State: q.Get("state"), Site: q.Get("site"), Asset: q.Get("asset"), States: ticketing.States}
	f := ticketing.Filter{Sort: ticketing.ByUrgency, Site: d.Site, Asset: d.Asset, Cursor: q.Get("cursor"), Limit: 50}
	person := personOf(r.Context())
	switch tab := q.Get("tab"); {
	case tab == "mine" && person != nil:
		d.Tab, f.Assignee = "mine", person.ID
	case tab == "all":
		d.Tab, f.Sort = "all", ticketing.ByNewest
		if slices.Contains(ticketing.States, ticketing.State(d.State)) {
			f.States = []ticketing.State{ticketing.State(d.State)}
		}
	}
	if t, err := ticketing.ParseTier(d.Tier); err == nil {
		f.Tiers = []ticketing.Tier{t}
	}
	page, err := b.cfg.Orders.List(r.Context(), f)
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	stats, err := b.cfg.Orders.Stats(r.Context())
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	d.count(stats, q)
	if d.Orders, err = b.viewOrders(r.Context(), page.Items); err != nil {
		b.pageError(w, r, err)
		return
	}
	if page.Next != "" {
		d.More = with(q, "cursor", page.Next)
	}
	b.pages.render(w, r, http.StatusOK, "orders", d)
}

// count sums the open orders by tier, each with the link that chooses it.
func (d *ordersData) count(stats []ticketing.Stat, q url.Values) {
	by := map[ticketing.Tier]int64{}
	for _, s := range stats {
		if s.State.Active() && (d.Site == "" || d.Site == s.Site) {
			by[s.Tier] += s.Count
			d.Open += s.Count
		}
	}
	for t := ticketing.P1; t <= ticketing.P4; t++ {
		c := tierCount{Tier: t.String(), Count: by[t], On: d.Tier == t.String()}
		c.Link = with(q, "tier", c.Tier)
		if c.On {
			c.Link = with(q, "tier", "")
		}
		d.Tiers = append(d.Tiers, c)
	}
}

// with is the address of the same list with one choice changed, from its
// beginning unless it is the cursor that changes.
func with(q url.Values, key, value string) string {
	out := url.Values{}
	for k, v := range q {
		if k != "cursor" {
			out[k] = v
		}
	}
	out.Set(key, value)
	if value == "" {
		out.Del(key)
	}
	return "?" + out.Encode()
}

// pageError shows an error of the orders as a page.
func (b *Board) pageError(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ticketing.ErrNotFound):
		b.failPage(w, r, http.StatusNotFound, "error.not_found")
	case errors.Is(err, ticketing.ErrCursor):
		http.Redirect(w, r, with(r.URL.Query(), "cursor", ""), http.StatusSeeOther)
	case r.Context().Err() != nil:
	default:
		b.cfg.Logger.Error("show a page", "path", r.URL.Path, "err", err)
		b.failPage(w, r, http.StatusServiceUnavailable, "error.database")
	}
}
