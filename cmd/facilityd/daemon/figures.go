package daemon

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/facilityd/facilityd/ticketing"
)

const (
	// figuresOver is the time that the figures of the metrics look back, figuresEvery
	// how often they are counted: too much work for every scrape.
	figuresOver  = 30 * 24 * time.Hour
	figuresEvery = 5 * time.Minute
)

// figureMetrics are the figures of the API for the last 30 days, by site. What
// they are is said in the API's own sentences.
type figureMetrics struct {
	orders, closedLoop, revisits *prometheus.GaugeVec
	response, onSite, repair     *prometheus.GaugeVec
	sla, precision               *prometheus.GaugeVec
}

func newFigureMetrics(r prometheus.Registerer) *figureMetrics {
	gauge := func(name, figure string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "facilityd_figures_" + name, Help: ticketing.Define(figure) + " The last 30 days.",
		}, append([]string{"site"}, labels...))
		r.MustRegister(g)
		return g
	}
	return &figureMetrics{
		orders:     gauge("orders", "orders"),
		closedLoop: gauge("closed_loop_ratio", "closed_loop"),
		revisits:   gauge("revisits_ratio", "revisits"),
		response:   gauge("response_seconds", "response", "tier", "rank"),
		onSite:     gauge("on_site_seconds", "on_site", "tier", "rank"),
		repair:     gauge("repair_seconds", "repair", "tier", "rank"),
		sla:        gauge("sla_ratio", "sla", "tier"),
		precision:  gauge("precision_ratio", "precision", "rule"),
	}
}

// set shows the figures of a site. What there is none of is not shown: a share of
// nothing is not 0.
func (m *figureMetrics) set(site string, f *ticketing.Figures) {
	of := prometheus.Labels{"site": site}
	for _, g := range []*prometheus.GaugeVec{m.orders, m.closedLoop, m.revisits, m.response, m.onSite, m.repair, m.sla, m.precision} {
		g.DeletePartialMatch(of)
	}
	share := func(g *prometheus.GaugeVec, s ticketing.Share, labels ...string) {
		if ratio, ok := s.Ratio(); ok {
			g.WithLabelValues(append([]string{site}, labels...)...).Set(ratio)
		}
	}
	m.orders.WithLabelValues(site).Set(float64(f.Orders))
	share(m.closedLoop, f.ClosedLoop)
	share(m.revisits, f.Revisits)
	for _, t := range f.Tiers {
		tier := t.Tier.String()
		share(m.sla, t.SLA, tier)
		for _, x := range []struct {
			g *prometheus.GaugeVec
			s ticketing.Spread
		}{{m.response, t.Response}, {m.onSite, t.OnSite}, {m.repair, t.Repair}} {
			if x.s.Count > 0 {
				x.g.WithLabelValues(site, tier, "median").Set(x.s.Median)
				x.g.WithLabelValues(site, tier, "p90").Set(x.s.P90)
			}
		}
	}
	for _, r := range f.Rules {
		share(m.precision, r.Precision, r.Rule)
	}
}

// countFigures keeps the metrics of the figures fresh.
func (d *Daemon) countFigures(ctx context.Context) error {
	for {
		now := d.Now()
		for _, b := range d.bundles {
			var tally ticketing.Tally
			f := ticketing.Filter{Site: b.Site.ID, From: now.Add(-figuresOver)}
			if err := tally.Count(ctx, d.orders, f, d.policy, d.calendar, now); err != nil {
				if ctx.Err() == nil {
					d.log.Warn("figures are not counted at the moment", "site", b.Site.ID, "error", err)
				}
				continue
			}
			figures := tally.Figures()
			d.figures.set(b.Site.ID, &figures)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(figuresEvery):
		}
	}
}
