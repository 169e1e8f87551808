package daemon

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/facilityd/facilityd/ticketing"
)

// The metrics say the figures of the API and nothing else: no 0 for a share of
// nothing, nothing of what is gone.
func TestFiguresAreMetricsWithTheirSentences(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newFigureMetrics(reg)
	m.set("court", &ticketing.Figures{Orders: 9, Rules: []ticketing.RuleFigures{{Rule: "gone", Precision: ticketing.Share{Part: 1, Whole: 1}}}})
	m.set("tower", &ticketing.Figures{Orders: 1})
	m.set("court", &ticketing.Figures{
		Orders: 4, ClosedLoop: ticketing.Share{Part: 1, Whole: 2},
		Tiers: []ticketing.TierFigures{{Tier: ticketing.P2, Response: ticketing.Spread{Count: 3, Median: 600, P90: 900}, SLA: ticketing.Share{Part: 3, Whole: 4}}},
	})
	want := `
# HELP facilityd_figures_closed_loop_ratio ` + ticketing.Define("closed_loop") + ` The last 30 days.
# TYPE facilityd_figures_closed_loop_ratio gauge
facilityd_figures_closed_loop_ratio{site="court"} 0.5
# HELP facilityd_figures_orders ` + ticketing.Define("orders") + ` The last 30 days.
# TYPE facilityd_figures_orders gauge
facilityd_figures_orders{site="court"} 4
facilityd_figures_orders{site="tower"} 1
# HELP facilityd_figures_response_seconds ` + ticketing.Define("response") + ` The last 30 days.
# TYPE facilityd_figures_response_seconds gauge
facilityd_figures_response_seconds{rank="median",site="court",tier="P2"} 600
facilityd_figures_response_seconds{rank="p90",site="court",tier="P2"} 900
# HELP facilityd_figures_sla_ratio ` + ticketing.Define("sla") + ` The last 30 days.
# TYPE facilityd_figures_sla_ratio gauge
facilityd_figures_sla_ratio{site="court",tier="P2"} 0.75
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
