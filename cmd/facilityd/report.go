package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing"
)

func reportCommand() *cobra.Command {
	var from, to, site string
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Figures of the orders opened in a period, through the API of a running daemon",
		Long: `Response, on-site and repair times by tier, deadlines met, repairs that telemetry
confirmed, re-visits, and how often each rule was right. GET /api/v1/figures
gives the same and says what each figure means.`,
		Example: "  facilityd report --from 2026-02-01 --to 2026-03-01 --csv > february.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{}
			for name, value := range map[string]string{"from": from, "to": to} {
				t, err := time.ParseInLocation(time.DateOnly, value, time.Local)
				if err != nil {
					return fmt.Errorf("--%s %q: give a date such as 2026-03-01", name, value)
				}
				q.Set(name, t.Format(time.RFC3339))
			}
			if site != "" {
				q.Set("site", site)
			}
			var f ticketing.Figures
			if _, err := askAPI(cmd, http.MethodGet, "/figures?"+q.Encode(), nil, nil, &f); err != nil {
				return err
			}
			rows := reportRows(&f)
			if asCSV {
				return csv.NewWriter(cmd.OutOrStdout()).WriteAll(rows)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r[0], r[1], r[2], r[3])
			}
			return w.Flush()
		},
	}
	apiFlags(cmd.Flags())
	cmd.Flags().StringVar(&from, "from", "", "first day")
	cmd.Flags().StringVar(&to, "to", "", "day after the last")
	cmd.Flags().StringVar(&site, "site", "", "one site only")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "comma-separated values")
	return cmd
}

// reportRows lays figures out one by one: of what, which, figure, value.
func reportRows(f *ticketing.Figures) [][]string {
	rows := [][]string{{"of", "which", "figure", "value"}}
	add := func(of, which, figure, value string) { rows = append(rows, []string{of, which, figure, value}) }
	seconds := func(x float64) string { return strconv.FormatFloat(x, 'f', 0, 64) }
	share := func(of, which, figure string, s ticketing.Share) {
		add(of, which, figure, strconv.Itoa(s.Part))
		add(of, which, figure+"_of", strconv.Itoa(s.Whole))
	}
	add("all", "", "orders", strconv.Itoa(f.Orders))
	share("all", "", "closed_loop", f.ClosedLoop)
	share("all", "", "revisits", f.Revisits)
	for i := range f.Tiers {
		t := &f.Tiers[i]
		add("tier", t.Tier.String(), "orders", strconv.Itoa(t.Orders))
		for _, s := range []struct {
			name   string
			spread ticketing.Spread
		}{{"response", t.Response}, {"on_site", t.OnSite}, {"repair", t.Repair}} {
			add("tier", t.Tier.String(), s.name+"_count", strconv.Itoa(s.spread.Count))
			add("tier", t.Tier.String(), s.name+"_median_seconds", seconds(s.spread.Median))
			add("tier", t.Tier.String(), s.name+"_p90_seconds", seconds(s.spread.P90))
		}
		share("tier", t.Tier.String(), "sla", t.SLA)
	}
	for _, r := range f.Rules {
		add("rule", r.Rule, "orders", strconv.Itoa(r.Orders))
		share("rule", r.Rule, "precision", r.Precision)
	}
	return rows
}
