package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing/board"
)

func windowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "window",
		Short: "Maintenance windows: nothing new is opened while work is planned",
		Long: `In a maintenance window nothing new is opened on an asset and what it contains. What
would have been is listed (facilityd window suppressed) and looked at again when the
window ends, which it does by itself: after 31 days at most. What only a person may
clear, such as entrapment, a gas leak or a fire, is opened all the same unless the
window names its fault class.`,
	}
	apiFlags(cmd.PersistentFlags())
	cmd.AddCommand(windowAddCommand(), windowListCommand(), windowEndCommand(), windowSuppressedCommand())
	return cmd
}

func windowAddCommand() *cobra.Command {
	var site, asset, class, reason, key string
	var from, until time.Time
	var lasting time.Duration
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Plan a window",
		Example: `  facilityd window add --asset tower-a --fault-class lift.door --for 4h --reason "New door operators"
  facilityd window add --asset panel --fault-class fire.system --from 2026-03-02T09:00:00+08:00 --until 2026-03-02T11:00:00+08:00 --reason "Fire test"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asset == "" || reason == "" {
				return errors.New("--asset and --reason are needed: which asset is worked on, and why")
			}
			if until.IsZero() == (lasting == 0) {
				return errors.New("say how long: either --until or --for")
			}
			body := map[string]any{"asset": asset, "reason": reason}
			if lasting > 0 {
				until = time.Now().Add(lasting)
				if !from.IsZero() {
					until = from.Add(lasting)
				}
			}
			body["until"] = until
			if !from.IsZero() {
				body["from"] = from
			}
			if class != "" {
				body["fault_class"] = class
			}
			if site != "" {
				body["site"] = site
			}
			if key == "" {
				key = rand.Text()
			}
			var w board.Window
			if _, err := askAPI(cmd, http.MethodPost, "/windows", map[string]string{"Idempotency-Key": key}, body, &w); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s on %s until %s\n", w.ID, w.Asset, w.Until.Local().Format("2006-01-02 15:04"))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&asset, "asset", "", "asset that is worked on, with all that it contains")
	f.StringVar(&class, "fault-class", "", "this fault class only, such as lift.door")
	f.TimeVar(&from, "from", time.Time{}, []string{time.RFC3339}, "when it begins (default: now)")
	f.TimeVar(&until, "until", time.Time{}, []string{time.RFC3339}, "when it ends")
	f.DurationVar(&lasting, "for", 0, "how long it lasts, in place of --until")
	f.StringVar(&reason, "reason", "", "what is done, for those who look for a missing order")
	f.StringVar(&site, "site", "", "site of the asset, when several have one of that name")
	keyFlag(cmd, &key)
	return cmd
}

func windowListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List windows and visits: open, planned, and over since yesterday",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list board.List[board.Window]
			if _, err := askAPI(cmd, http.MethodGet, "/windows", nil, nil, &list); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "WINDOW\tSTATE\tASSET\tFAULT\tFROM\tUNTIL\tBY\tREASON")
			for _, x := range list.Items {
				class, reason := x.FaultClass, x.Reason
				if class == "" {
					class = "all"
				}
				if x.Visit {
					reason = "technician on site"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, x.State, x.Asset, class, minute(x.From), minute(x.Until), x.By, reason)
			}
			return w.Flush()
		},
	}
}

func windowEndCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "end WINDOW",
		Short:   "End a window before its time; what still holds is opened then",
		Example: "  facilityd window end window-0a1b2c3d4e5f60718293",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := askAPI(cmd, http.MethodPost, "/windows/"+url.PathEscape(args[0])+"/end", nil, nil, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is over\n", args[0])
			return nil
		},
	}
}

func windowSuppressedCommand() *cobra.Command {
	var asset, rule, why string
	cmd := &cobra.Command{
		Use:   "suppressed",
		Short: "List what would have been opened and was not",
		Long: `Lists what a maintenance window, a technician on site, a shelved fault or a signal of
the asset itself (a lift in inspection, a fire panel under test) kept from being
opened, and what became of it: still suppressed; opened, when it still held at the
end; over, when it did not. Rules in shadow are listed with what they would have
opened. The newest 32 of each asset are kept, and counts of all.`,
		Example: "  facilityd window suppressed --why shadow",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{}
			for k, v := range map[string]string{"asset": asset, "rule": rule, "why": why} {
				if v != "" {
					q.Set(k, v)
				}
			}
			var list board.SuppressedList
			if _, err := askAPI(cmd, http.MethodGet, "/suppressed?"+q.Encode(), nil, nil, &list); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ASSET\tRULE\tSEVERITY\tWHY\tHELD SINCE\tWOULD HAVE OPENED\tBECAME\tAT")
			for _, x := range list.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Asset, x.Rule, x.Severity, x.Why, minute(x.Onset), minute(x.From), x.Outcome, minute(x.End))
			}
			if len(list.Counts) > 0 {
				fmt.Fprintln(w)
				fmt.Fprintln(w, "ASSET\tRULE\tTIMES\tWHY\tSINCE")
				for _, c := range list.Counts {
					fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", c.Asset, c.Rule, c.Times, c.Why, minute(c.Since))
				}
			}
			return w.Flush()
		},
	}
	f := cmd.Flags()
	f.StringVar(&asset, "asset", "", "this asset only")
	f.StringVar(&rule, "rule", "", "this rule only")
	f.StringVar(&why, "why", "", "window, visit, shelved, signal or shadow")
	return cmd
}

// minute is a time as tables show it, "-" for none.
func minute(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}
