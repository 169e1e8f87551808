package board

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

func (b *Board) registerExplain(api huma.API) {
	explain := op("explain", http.MethodGet, "/explain/{id}", "estate", "Why rules fired on a device, an asset or the asset of an order, or why not yet")
	explain.Errors = append(explain.Errors, http.StatusNotFound, http.StatusUnprocessableEntity)
	huma.Register(api, explain, b.apiExplain)
	huma.Register(api, op("list-windows", http.MethodGet, "/windows", "estate", "List maintenance windows and visits that are not over, or ended within a day"), b.apiWindows)
	add := op("add-window", http.MethodPost, "/windows", "estate", "Plan a maintenance window: nothing new is opened in it")
	add.Errors = append(add.Errors, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity)
	huma.Register(api, add, b.apiAddWindow)
	end := op("end-window", http.MethodPost, "/windows/{id}/end", "estate", "End a window, or a visit that nobody ended, before its time")
	end.Errors = append(end.Errors, http.StatusForbidden, http.StatusNotFound)
	huma.Register(api, end, b.apiEndWindow)
	huma.Register(api, op("list-suppressed", http.MethodGet, "/suppressed", "estate", "List what would have been opened and was not: by a window, a visit, a shelved fault, a signal, or because the rule is in shadow"), b.apiSuppressed)
	replace := op("replace-device", http.MethodPost, "/assets/{id}/replace", "estate", "Say that a device took over from another on an asset")
	replace.Errors = append(replace.Errors, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity)
	huma.Register(api, replace, b.apiReplace)
}

type explainInput struct {
	SiteInput
	ID         string    `path:"id" doc:"Id of a device or an asset, id or number of an order"`
	Rule       string    `query:"rule" doc:"This rule only"`
	FaultClass string    `query:"fault_class" doc:"Rules of this fault class only"`
	At         time.Time `query:"at" doc:"As it was known then, replayed from the journal; now when absent"`
}

func (b *Board) apiExplain(ctx context.Context, in *explainInput) (*output[Explained], error) {
	s, err := b.subject(ctx, in.Site, in.ID)
	if err != nil {
		return nil, b.apiError(err)
	}
	s.question.Rule = in.Rule
	if in.FaultClass != "" {
		s.question.FaultClass = in.FaultClass
	}
	out, err := b.explain(ctx, s, in.At)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &output[Explained]{*out}, nil
}

// A subject is what a person asks about.
type subject struct {
	site     string
	question rules.Question
	order    string // number
}

// subject finds a device, an asset or an order by its name.
func (b *Board) subject(ctx context.Context, site, id string) (subject, error) {
	info := b.sites()
	for _, s := range info.order {
		if site != "" && site != s.ID {
			continue
		}
		if dev, ok := b.cfg.Live.Device(s.ID, id); ok {
			return subject{site: s.ID, question: rules.Question{Asset: dev.Asset, Device: dev.ID}}, nil
		}
		if info.assets[s.ID+"/"+id] != nil {
			return subject{site: s.ID, question: rules.Question{Asset: id}}, nil
		}
	}
	o, err := b.cfg.Orders.Order(ctx, id)
	if errors.Is(err, ticketing.ErrNotFound) || err == nil && site != "" && site != o.Site {
		return subject{}, fmt.Errorf("no device, asset or order %q (%s): %w", id, b.nearest(info, site, id), ticketing.ErrNotFound)
	}
	if err != nil {
		return subject{}, err
	}
	return subject{site: o.Site, question: rules.Question{Asset: o.Asset, FaultClass: o.FaultClass}, order: o.NumberText()}, nil
}

// nearest says what a name that is not there may have meant.
func (b *Board) nearest(info siteInfo, site, id string) string {
	var names []string
	for _, s := range info.order {
		if site != "" && site != s.ID {
			continue
		}
		for i := range s.Assets {
			names = append(names, s.Assets[i].ID)
		}
		for _, d := range b.cfg.Live.Devices(s.ID) {
			names = append(names, d.ID)
		}
	}
	slices.Sort(names)
	if hint := diag.DidYouMean(id, slices.Compact(names)); hint != "" {
		return hint
	}
	return "facilityd order list and the page of devices name them"
}

func (b *Board) explain(ctx context.Context, s subject, at time.Time) (*Explained, error) {
	m, err := b.cfg.Live.Explain(ctx, s.site, s.question, at)
	if err != nil {
		return nil, err
	}
	out := &Explained{
		Site: s.site, Asset: s.question.Asset, AssetName: b.sites().assetName(s.site, s.question.Asset), Device: s.question.Device, WorkOrder: s.order,
		TimeZone: b.sites().location(s.site).String(), At: m.At.UTC(), Past: !at.IsZero(), Rules: make([]Explanation, len(m.Rules)),
	}
	if out.Past && !m.Whole {
		out.Begins = m.From.UTC()
	}
	for i := range m.Rules {
		if mute := m.Rules[i].Mute; mute != nil && mute.By != "" {
			if p, err := b.cfg.Orders.Person(ctx, mute.By); err == nil {
				mute.By = p.Name
			}
		}
		out.Rules[i] = b.viewExplanation(s.site, m.At, &m.Rules[i])
	}
	slices.SortStableFunc(out.Rules, func(x, y Explanation) int { return urgency(x.State) - urgency(y.State) })
	return out, nil
}

// urgency orders explanations: what needs somebody first, what does not run last.
func urgency(s rules.State) int {
	return slices.Index([]rules.State{
		rules.Open, rules.OpenBlind, rules.NeedsLook, rules.Clearing, rules.Attributed, rules.Muted, rules.Waiting, rules.Spent, rules.Blind,
		rules.Starting, rules.Quiet, rules.Closed, rules.Off,
	}, s)
}
