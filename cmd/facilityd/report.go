package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing"
)

func reportCommand() *cobra.Command {
	var from, to, site string
	var asCSV bool
	cmd := &cobra.Command{
		Use:     "report",
		Short:   "Figures of the orders opened in a period, through the API of a running daemon",
		Long:    reportLong(),
		Example: "  facilityd report --from 2026-02-01 --to 2026-03-01\n  facilityd report --from 2026-02-01 --to 2026-03-01 --site court --csv > february.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"from": {from}, "to": {to}}
			for name, value := range map[string]string{"from": from, "to": to} {
				if _, err := time.Parse(time.DateOnly, value); err != nil {
					return fmt.Errorf("--%s %q: give a date such as 2026-03-01", name, value)
				}
			}
			if site != "" {
				q.Set("site", site)
			}
			var f ticketing.Figures
			if _, err := askAPI(cmd, http.MethodGet, "/figures?"+q.Encode(), nil, nil, &f); err != nil {
				return err
			}
			if asCSV {
				return csv.NewWriter(cmd.OutOrStdout()).WriteAll(reportRows(&f))
			}
			return printReport(cmd.OutOrStdout(), from, to, &f)
		},
	}
	apiFlags(cmd.Flags())
	cmd.Flags().StringVar(&from, "from", "", "first day")
	cmd.Flags().StringVar(&to, "to", "", "day after the last")
	cmd.Flags().StringVar(&site, "site", "", "one site only")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "comma-separated values, a figure a line, times in seconds")
	return cmd
}

// reportLong defines every figure in the words of the API.
func reportLong() string {
	var b strings.Builder
	b.WriteString("Accounts for the orders that were opened in a period. A day begins at each site's\nown midnight. GET /api/v1/figures gives the same. What the figures mean:\n")
	for _, d := range ticketing.Definitions() {
		fmt.Fprintf(&b, "\n  %-12s", d.Figure)
		line := 14
		for word := range strings.FieldsSeq(d.Sentence) {
			if line += 1 + len(word); line > 80 {
				b.WriteString("\n              ")
				line = 14 + 1 + len(word)
			}
			b.WriteString(" " + word)
		}
	}
	return b.String()
}

// printReport writes figures for people: times as they are said, shares of what.
func printReport(out io.Writer, from, to string, f *ticketing.Figures) error {
	fmt.Fprintf(out, "Orders opened from %s to the day before %s: %d\n", from, to, f.Orders)
	if f.Orders == 0 {
		return nil
	}
	fmt.Fprintf(out, "confirmed by telemetry: %s\nre-visits: %s\n\n", shareText(f.ClosedLoop), shareText(f.Revisits))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIER\tORDERS\tRESPONSE\tON SITE\tREPAIR\tIN TIME")
	for _, t := range f.Tiers {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", t.Tier, t.Orders, spreadText(t.Response), spreadText(t.OnSite), spreadText(t.Repair), shareText(t.SLA))
	}
	fmt.Fprintln(w, "\nRULE\tORDERS\tRIGHT\tWHAT IT WAS")
	for _, r := range f.Rules {
		codes := make([]string, len(r.Codes))
		for i, c := range r.Codes {
			codes[i] = fmt.Sprintf("%s %d", c.Code, c.Orders)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", r.Rule, r.Orders, shareText(r.Precision), strings.Join(codes, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\nTimes: half of the orders took at most the first, nine of ten at most the second.")
	return err
}

func shareText(s ticketing.Share) string {
	ratio, ok := s.Ratio()
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.0f %% (%d of %d)", 100*ratio, s.Part, s.Whole)
}

// lengthText is a length of time to the minute.
func lengthText(seconds float64) string {
	return strings.TrimSuffix(time.Duration(seconds*float64(time.Second)).Round(time.Minute).String(), "0s")
}

func spreadText(s ticketing.Spread) string {
	if s.Count == 0 {
		return "-"
	}
	return lengthText(s.Median) + " / " + lengthText(s.P90)
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
		for _, c := range r.Codes {
			add("rule", r.Rule, "code_"+c.Code, strconv.Itoa(c.Orders))
		}
	}
	return rows
}
