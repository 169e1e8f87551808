package board

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/ticketing"
)

type figuresInput struct {
	SiteInput
	From time.Time `query:"from" required:"true" doc:"Orders opened at or after"`
	To   time.Time `query:"to" required:"true" doc:"Orders opened before"`
}

func (b *Board) registerFigures(api huma.API) {
	huma.Register(api, op("get-figures", http.MethodGet, "/figures", "orders", "Times, deadlines met and what became of the orders of a period"), b.apiFigures)
	huma.Register(api, op("list-problems", http.MethodGet, "/problems", "orders", "Assets that have the same fault three times or more in 30 days; their orders hold the evidence"), b.apiProblems)
}

func (b *Board) apiProblems(ctx context.Context, in *SiteInput) (*output[List[Problem]], error) {
	list, err := b.cfg.Orders.Problems(ctx, in.Site, "", "", b.cfg.Now())
	if err != nil {
		return nil, b.apiError(err)
	}
	sites := b.sites()
	out := List[Problem]{Items: make([]Problem, len(list))}
	for i, p := range list {
		out.Items[i] = Problem{
			Site: p.Site, Asset: p.Asset, AssetName: sites.assetName(p.Site, p.Asset), FaultClass: p.FaultClass, Title: faultTitle(p.FaultClass),
			Count: p.Count, First: p.First, Last: p.Last,
		}
	}
	return &output[List[Problem]]{out}, nil
}

func (b *Board) apiFigures(ctx context.Context, in *figuresInput) (*output[ticketing.Figures], error) {
	if !in.To.After(in.From) {
		return nil, huma.Error422UnprocessableEntity("to is not after from")
	}
	var tally ticketing.Tally
	now := b.cfg.Now()
	f := ticketing.Filter{Site: in.Site, From: in.From, To: in.To}
	if err := tally.Count(ctx, b.cfg.Orders, f, b.cfg.Policy, b.cfg.Calendar, now); err != nil {
		return nil, b.apiError(err)
	}
	return &output[ticketing.Figures]{tally.Figures()}, nil
}
