package board

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// whyData is what the page of an explanation shows.
type whyData struct {
	X       *Explained
	Here    string // address of the page without a time
	Rule    string
	At      string // as the field for a time takes it
	Refused string // why the time asked for cannot be shown
}

// localTime is how a browser gives a time without a zone.
const localTime = "2006-01-02T15:04:05"

// siteTime reads a time that a person gave at a site; a program may give one with
// its zone.
func (b *Board) siteTime(site, text string) (time.Time, bool) {
	loc := b.sites().location(site)
	for _, layout := range []string{localTime, "2006-01-02T15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (b *Board) whyPage(w http.ResponseWriter, r *http.Request) {
	site, id := r.PathValue("site"), r.PathValue("id")
	s, err := b.subject(r.Context(), site, id)
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	s.question.Rule = r.FormValue("rule")
	d := &whyData{Here: "/why/" + url.PathEscape(site) + "/" + url.PathEscape(id), Rule: s.question.Rule}
	at, ok := b.siteTime(site, r.FormValue("at"))
	if r.FormValue("at") != "" && !ok {
		d.Refused = "invalid.at_time"
	}
	status := http.StatusOK
	d.X, err = b.explain(r.Context(), s, at)
	var invalid *ticketing.InvalidError
	if errors.As(err, &invalid) {
		d.Refused, status = "invalid."+invalid.Code, http.StatusUnprocessableEntity
		d.X, err = b.explain(r.Context(), s, time.Time{})
	}
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	if ok {
		d.At = at.In(b.sites().location(site)).Format(localTime)
	}
	b.pages.render(w, r, status, "why", d)
}

// standing is how the rules of a device or an order stand now, for a page that also
// shows other things: nothing when that cannot be told.
func (b *Board) standing(ctx context.Context, s subject) []Explanation {
	x, err := b.explain(ctx, s, time.Time{})
	if err != nil {
		if !errors.Is(err, rules.ErrNoAsset) {
			b.cfg.Logger.Error("explain", "site", s.site, "asset", s.question.Asset, "err", err)
		}
		return nil
	}
	return slices.DeleteFunc(x.Rules, func(e Explanation) bool { return e.Off == rules.OffDisabled })
}
