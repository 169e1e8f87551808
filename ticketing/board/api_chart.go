package board

import (
	"bytes"
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/chart"
)

type rulesInput = rules.Input

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

type chartInput struct {
	ID      string `path:"id" doc:"Id or number (demo-17) of the order"`
	Lang    string `query:"lang" enum:"en,zh" default:"en"`
	Version int    `query:"version" doc:"Log entry whose evidence is drawn; the newest when absent"`
}

type chartOutput struct {
	ContentType string `header:"Content-Type"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

func chartOperation() huma.Operation {
	o := op("get-work-order-chart", http.MethodGet, "/work-orders/{id}/chart.svg", "orders", "The readings that led to the order, as a drawing")
	o.Responses = map[string]*huma.Response{"200": {
		Description: "SVG for any width, in the time of the site",
		Content:     map[string]*huma.MediaType{"image/svg+xml": {Schema: &huma.Schema{Type: "string"}}},
	}}
	return o
}

func (b *Board) apiChart(ctx context.Context, in *chartInput) (*chartOutput, error) {
	o, err := b.cfg.Orders.Order(ctx, in.ID)
	if err != nil {
		return nil, b.apiError(err)
	}
	ev, err := b.charted(ctx, o, in.Version)
	if err != nil {
		return nil, b.apiError(err)
	}
	svg, err := b.drawChart(o, ev, in.Lang, true)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &chartOutput{ContentType: "image/svg+xml", Policy: "default-src 'none'; style-src 'unsafe-inline'", Body: svg}, nil
}

// charted is the evidence of a log entry, or the newest that has readings to draw.
func (b *Board) charted(ctx context.Context, o *ticketing.Order, version int) (*ticketing.Evidence, error) {
	if version != 0 {
		ev, err := b.cfg.Orders.EvidenceAt(ctx, o.ID, version)
		if ev != nil || err != nil {
			return ev, err
		}
		return &ticketing.Evidence{}, nil
	}
	list, err := b.cfg.Orders.Evidence(ctx, o.ID, 100)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if len(list[i].Series) > 0 {
			return &list[i], nil
		}
	}
	return &ticketing.Evidence{}, nil
}

// drawChart draws one piece of evidence, for a page or as a file of its own.
func (b *Board) drawChart(o *ticketing.Order, ev *ticketing.Evidence, lang string, standalone bool) ([]byte, error) {
	p := b.cfg.Messages.Printer(lang)
	var out bytes.Buffer
	err := chart.SVG(&out, ev.Series, chart.Options{
		Location: b.sites().location(o.Site),
		Label:    func(s *rules.Series) string { return seriesLabel(ev, s.Device, s.Point, lang) },
		Limit:    p.Text("chart.limit", "%s"), Onset: p.Text("chart.onset"), Empty: p.Text("chart.none"),
		At: o.Onset, Standalone: standalone,
	})
	return out.Bytes(), err
}
