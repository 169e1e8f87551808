package board

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/ticketing"
)

type figuresInput struct {
	SiteInput
	From string `query:"from" required:"true" doc:"Orders opened at or after: a day such as 2026-02-01, which begins at each site's own midnight, or an RFC 3339 time"`
	To   string `query:"to" required:"true" doc:"Orders opened before: a day, or an RFC 3339 time"`
}

func (b *Board) registerFigures(api huma.API) {
	huma.Register(api, op("get-figures", http.MethodGet, "/figures", "orders", "Times, deadlines met and what became of the orders of a period"), b.apiFigures)
	huma.Register(api, op("list-problems", http.MethodGet, "/problems", "orders", "Assets that have the same fault three times or more in 30 days; their orders hold the evidence"), b.apiProblems)
}

func (b *Board) apiProblems(ctx context.Context, in *SiteInput) (*output[List[Problem]], error) {
	items, err := b.problems(ctx, in.Site)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &output[List[Problem]]{List[Problem]{Items: items}}, nil
}

// problems are the faults that keep coming back to an asset, with the orders that
// hold their evidence.
func (b *Board) problems(ctx context.Context, site string) ([]Problem, error) {
	list, err := b.cfg.Orders.Problems(ctx, site, "", "", b.cfg.Now())
	if err != nil {
		return nil, err
	}
	sites := b.sites()
	out := make([]Problem, len(list))
	for i, p := range list {
		page, err := b.cfg.Orders.List(ctx, ticketing.Filter{Site: p.Site, Asset: p.Asset, FaultClass: p.FaultClass, Limit: 20})
		if err != nil {
			return nil, err
		}
		out[i] = Problem{
			Site: p.Site, Asset: p.Asset, AssetName: sites.assetName(p.Site, p.Asset), FaultClass: p.FaultClass, Title: faultTitle(p.FaultClass),
			Count: p.Count, First: p.First, Last: p.Last, Orders: []ProblemOrder{},
		}
		for k := range page.Items { // one under warranty was opened before its fault came back
			if o := &page.Items[k]; !o.VisitFrom.Before(p.First) {
				out[i].Orders = append(out[i].Orders, ProblemOrder{Number: o.NumberText(), State: o.State, Opened: o.Opened, Why: o.Why, Episodes: o.Episodes, Code: o.ClosingCode()})
			}
		}
	}
	return out, nil
}

func (b *Board) apiFigures(ctx context.Context, in *figuresInput) (*output[ticketing.Figures], error) {
	from, err := parseMoment(in.From)
	to, err2 := parseMoment(in.To)
	if err != nil || err2 != nil {
		return nil, huma.Error422UnprocessableEntity("from and to are days such as 2026-02-01, or RFC 3339 times")
	}
	if !to.at.After(from.at) {
		return nil, huma.Error422UnprocessableEntity("to is not after from")
	}
	if sites := b.sites(); in.Site != "" && sites.byID[in.Site] == nil {
		var known []string
		for _, s := range sites.order {
			known = append(known, s.ID)
		}
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("there is no site %q (%s)", in.Site, diag.DidYouMean(in.Site, known)))
	}
	f, err := b.figures(ctx, in.Site, from, to)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &output[ticketing.Figures]{f}, nil
}
