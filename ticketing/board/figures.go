package board

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// A moment of a period is a time, or a day that begins at each site's own
// midnight.
type moment struct {
	at  time.Time
	day bool
}

// parseMoment reads 2026-02-01 or an RFC 3339 time.
func parseMoment(s string) (moment, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return moment{t, true}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	return moment{t, false}, err
}

// in is the moment at a place.
func (m moment) in(loc *time.Location) time.Time {
	if !m.day {
		return m.at
	}
	y, mo, d := m.at.Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, loc)
}

// figures accounts for the orders that were opened in a period, of one site or,
// for "", of all.
func (b *Board) figures(ctx context.Context, site string, from, to moment) (ticketing.Figures, error) {
	var tally ticketing.Tally
	sites := b.sites()
	ids := []string{site}
	if site == "" && (from.day || to.day) { // a day is another time at another site
		ids = ids[:0]
		for _, s := range sites.order {
			ids = append(ids, s.ID)
		}
	}
	for _, id := range ids {
		loc := sites.location(id)
		f := ticketing.Filter{Site: id, From: from.in(loc), To: to.in(loc)}
		if err := tally.Count(ctx, b.cfg.Orders, f, b.cfg.Policy, b.cfg.Calendar, b.cfg.Now()); err != nil {
			return ticketing.Figures{}, err
		}
	}
	return tally.Figures(), nil
}

// figuresData is what the page of a month shows.
type figuresData struct {
	Month      time.Time
	Prev, Next string // addresses; Next is "" in the current month
	Site       string
	Figures    ticketing.Figures
	SLA        ticketing.Share // over all tiers
	Meanings   []string        // names of the figures that are explained
	Problems   []Problem       // now, whatever the month
}

func (b *Board) figuresPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := &figuresData{Site: q.Get("site")}
	now := b.cfg.Now().In(b.sites().location(d.Site))
	this := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	month, err := time.Parse("2006-01", q.Get("month"))
	if err != nil || month.After(this) {
		month = this
	}
	d.Month = month
	address := func(m time.Time) string {
		v := url.Values{"month": {m.Format("2006-01")}}
		if d.Site != "" {
			v.Set("site", d.Site)
		}
		return "/figures?" + v.Encode()
	}
	d.Prev = address(month.AddDate(0, -1, 0))
	if month.Before(this) {
		d.Next = address(month.AddDate(0, 1, 0))
	}
	if d.Figures, err = b.figures(r.Context(), d.Site, moment{month, true}, moment{month.AddDate(0, 1, 0), true}); err != nil {
		b.pageError(w, r, err)
		return
	}
	if d.Problems, err = b.problems(r.Context(), d.Site); err != nil {
		b.pageError(w, r, err)
		return
	}
	for _, t := range d.Figures.Tiers {
		d.SLA.Part += t.SLA.Part
		d.SLA.Whole += t.SLA.Whole
	}
	for _, def := range ticketing.Definitions() {
		d.Meanings = append(d.Meanings, def.Figure)
	}
	b.pages.render(w, r, http.StatusOK, "figures", d)
}

// Percent is a share in words: "87 %", or that there is nothing to tell.
func (v *view) Percent(s ticketing.Share) string {
	ratio, ok := s.Ratio()
	if !ok {
		return "–"
	}
	return v.T("figures.percent", int(100*ratio+0.5))
}

// Spread is the median of a length of time, "–" when there is none.
func (v *view) Spread(seconds float64, count int) string {
	if count == 0 {
		return "–"
	}
	return v.Seconds(seconds)
}

// CodeName is a closing code in words: one of what is done, or a reason for
// cancelling.
func (v *view) CodeName(code string) string {
	if v.board.cfg.Messages.Has("code." + code) {
		return v.T("code." + code)
	}
	return v.T("reason." + code)
}
