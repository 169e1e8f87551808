package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing/board"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

func outboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "outbox",
		Short: "What is sent to people and other systems, what waits and what was given up",
		Long: `Speaks to the API of a running facilityd. Messages to people and events for
other systems are kept until a channel has taken them; what all contacts have
refused, or what is too old, is dead until somebody decides. To retry or drop
needs a person's token: FACILITYD_TOKEN, or a file with --token-file.`,
	}
	apiFlags(cmd.PersistentFlags())
	cmd.AddCommand(outboxListCommand(), outboxRetryCommand(), outboxDropCommand())
	return cmd
}

func outboxListCommand() *cobra.Command {
	var state, to string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List messages and events, the newest first",
		Example: "  facilityd outbox list --state dead\n  facilityd outbox list --to li.na",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" {
				if _, err := outbox.ParseState(state); err != nil {
					return fmt.Errorf("--state: %w", err)
				}
			}
			page, err := listEffects(cmd, state, to, "", limit)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tSTATE\tTIER\tTO\tDECIDED\tATTEMPTS\tWHAT")
			for _, e := range page.Items {
				what := e.Title
				if e.Error != "" {
					what += " (" + e.Error + ")"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", e.Key, e.State, e.Tier, e.To, e.At.Local().Format("2006-01-02 15:04:05"), e.Attempts, what)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if page.Next != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "There are more than %d; raise --limit, or choose with --state and --to.\n", limit)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "queued, sent, dead, dropped or superseded")
	f.StringVar(&to, "to", "", "id of a person, or name of a subscription")
	f.IntVar(&limit, "limit", 50, "at most so many, up to 500")
	return cmd
}

func listEffects(cmd *cobra.Command, state, to, cursor string, limit int) (page board.List[board.Effect], err error) {
	q := url.Values{"limit": {fmt.Sprint(limit)}}
	for key, value := range map[string]string{"state": state, "to": to, "cursor": cursor} {
		if value != "" {
			q.Set(key, value)
		}
	}
	_, err = askAPI(cmd, http.MethodGet, "/outbox?"+q.Encode(), nil, nil, &page)
	return page, err
}

func outboxRetryCommand() *cobra.Command {
	var dead bool
	cmd := &cobra.Command{
		Use:   "retry [KEY]...",
		Short: "Deliver now what waits or was given up",
		Long: `Delivers messages or events again, from the first contact on and under the same
key. --dead retries all that was given up: after a channel was repaired.`,
		Example: "  facilityd outbox retry m-70ab3d1dbf45e214f9422c42\n  facilityd outbox retry --dead",
		RunE: func(cmd *cobra.Command, keys []string) error {
			if dead == (len(keys) > 0) {
				return errors.New("give the keys to retry, or --dead for all that was given up; facilityd outbox list shows them")
			}
			// Each page is retried before the next is asked for, so the first page is
			// always a new one.
			for dead {
				page, err := listEffects(cmd, string(outbox.Dead), "", "", 500)
				if err != nil {
					return err
				}
				for _, e := range page.Items {
					keys = append(keys, e.Key)
				}
				if dead = page.Next != ""; dead {
					if err := changeEffects(cmd, keys, "retry"); err != nil {
						return err
					}
					keys = nil
				}
			}
			return changeEffects(cmd, keys, "retry")
		},
	}
	cmd.Flags().BoolVar(&dead, "dead", false, "all that was given up")
	return cmd
}

func outboxDropCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "drop KEY...",
		Short:   "Never deliver what waits or was given up",
		Example: "  facilityd outbox drop m-70ab3d1dbf45e214f9422c42",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, keys []string) error { return changeEffects(cmd, keys, "drop") },
	}
}

func changeEffects(cmd *cobra.Command, keys []string, verb string) error {
	for _, key := range keys {
		var e board.Effect
		if _, err := askAPI(cmd, http.MethodPost, "/outbox/"+url.PathEscape(key)+"/"+verb, nil, nil, &e); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s\n", e.Key, e.State, e.Title)
	}
	return nil
}
