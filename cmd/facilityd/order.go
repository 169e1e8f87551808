package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
)

func orderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "order",
		Short: "Look at work orders and work on them, through the API of a running daemon",
		Long: `Speaks to the API of a running facilityd, on this machine or another. Beyond
loopback it needs a person's token: FACILITYD_TOKEN, or a file with --token-file.`,
	}
	apiFlags(cmd.PersistentFlags())
	cmd.AddCommand(orderListCommand(), orderShowCommand(), orderMeasureCommand(), orderAttachCommand())
	for _, v := range orderVerbs {
		cmd.AddCommand(orderVerbCommand(v.verb, v.args, v.short, v.example))
	}
	return cmd
}

// apiFlags say where the daemon is and who asks.
func apiFlags(f *pflag.FlagSet) {
	f.String("url", "http://127.0.0.1:8080", "address of the daemon's board and API")
	f.String("token-file", "", "file that holds a person's token (default FACILITYD_TOKEN)")
}

// orderVerbs are the commands of people, each with the argument after the order
// that it cannot do without: the name of a field of its body.
var orderVerbs = []struct {
	verb    ticketing.Verb
	args    string
	short   string
	example string // what follows the number of the order
}{
	{ticketing.DoAccept, "", "Take an order", ""},
	{ticketing.DoArrive, "", "Say that you are at the asset", ""},
	{ticketing.DoWait, "reason", "Say why work cannot go on: parts, access, contractor or weather", ` parts --text "Spring ordered, here on Friday"`},
	{ticketing.DoResume, "", "Say that work goes on", ""},
	{ticketing.DoNote, "text", "Add a note", ` "The belt is worn"`},
	{ticketing.DoDone, "", "Report the job done", ` --code repaired --text "Belt replaced"`},
	{ticketing.DoRefuse, "reason", "Refuse the reported work: a re-visit", ` "It still rattles"`},
	{ticketing.DoCancel, "reason", "Say that it is not a job: false_alarm, duplicate or known", " known --days 14"},
	{ticketing.DoReassign, "person", "Give the order to a person", " li.na"},
	{ticketing.DoMerge, "into", "Make the order part of another one", " demo-12"},
	{ticketing.DoNewNormal, "text", "Say what changed, so that what the rule found unusual is normal from now on", ` "Larger impeller since Monday"`},
	{ticketing.DoClose, "", "Sign the confirmed work off now", ""},
}

func orderListCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List open orders, the most urgent first",
		Long:  "Lists open orders, the most urgent first. Times are those of each order's site.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sort := ticketing.ByUrgency
			if all {
				sort = ticketing.ByNewest
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ORDER\tTIER\tSTATE\tASSET\tFAULT\tSINCE\tDUE\tWITH")
			for cursor := ""; ; {
				var page board.List[board.WorkOrder]
				q := url.Values{"sort": {string(sort)}, "limit": {"500"}, "cursor": {cursor}}
				if cursor == "" {
					q.Del("cursor")
				}
				if _, err := askAPI(cmd, http.MethodGet, "/work-orders?"+q.Encode(), nil, nil, &page); err != nil {
					return err
				}
				for _, o := range page.Items {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Number, o.Tier, o.State, o.Asset, o.FaultClass, o.Onset.Format("2006-01-02 15:04"), dueText(o.Next), o.Assignee)
				}
				if cursor = page.Next; cursor == "" {
					return w.Flush()
				}
			}
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "closed and cancelled ones too, the newest first")
	return cmd
}

// dueText is what is due next, at the time of the order's site.
func dueText(c *board.Clock) string {
	switch {
	case c == nil:
		return "-"
	case c.Paused:
		return c.Target + " paused"
	case c.Missed:
		return c.Target + " OVERDUE since " + c.Due.Format("01-02 15:04")
	case c.Due.IsZero(): // the calendar never works that long
		return c.Target
	}
	return c.Target + " by " + c.Due.Format("01-02 15:04")
}

// spentText is how much of its time a clock has used.
func spentText(c *board.Clock) string {
	return lengthText(c.Spent) + " of " + lengthText(c.Allowed)
}

// warningText is what a warning in the log is of; "" for every other entry.
func warningText(target string, level int) string {
	if level == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %d %% of the time", target, level)
}

func orderShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ORDER",
		Short: "Show one order with its log",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var o board.WorkOrderDetail
			if _, err := askAPI(cmd, http.MethodGet, "/work-orders/"+url.PathEscape(args[0]), nil, nil, &o); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				e := json.NewEncoder(out)
				e.SetIndent("", "  ")
				return e.Encode(o)
			}
			fmt.Fprintf(out, "%s  %s  %s  version %d\n%s: %s\n%s\n\n", o.Number, o.Tier, o.State, o.Version, o.AssetName.EN, o.Title.EN, o.Why.EN)
			if err := writeConsequences(out, &o); err != nil {
				return err
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			for i := range o.Clocks {
				c := &o.Clocks[i]
				if !c.Met.IsZero() {
					fmt.Fprintf(w, "%s\tmet %s, due %s\t%s\n", c.Target, c.Met.Format("2006-01-02 15:04"), c.Due.Format("2006-01-02 15:04"), spentText(c))
				} else {
					fmt.Fprintf(w, "%s\t%s\t%s\n", c.Target, strings.TrimPrefix(dueText(c), c.Target+" "), spentText(c))
				}
			}
			fmt.Fprintln(w)
			for _, e := range o.Log {
				by := e.By
				if by == "" {
					by = "facilityd"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.At.In(o.Opened.Location()).Format("2006-01-02 15:04:05"), e.Kind, by, strings.Join(strings.Fields(e.Asset+" "+e.FaultClass+" "+e.Reason+" "+warningText(e.Target, e.Level)+" "+e.Text), " "))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as the API gives it, with all evidence")
	return cmd
}

// writeConsequences lists what the order's fault explains.
func writeConsequences(out io.Writer, o *board.WorkOrderDetail) error {
	if o.Explains == 0 {
		return nil
	}
	fmt.Fprintf(out, "%d consequences, %d of them hold:\n", o.Explains, o.Following)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range o.Consequences {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", c.Asset, c.FaultClass, c.Onset.Local().Format("2006-01-02 15:04"), c.Phase)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func orderVerbCommand(verb ticketing.Verb, arg, short, example string) *cobra.Command {
	var text, reason, code, key string
	var at time.Time
	var version int
	var cleared bool
	var days int
	name := strings.ReplaceAll(string(verb), "_", "-")
	use, n := name+" ORDER", 1
	if arg != "" {
		use, n = use+" "+strings.ToUpper(arg), 2
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(n), Example: "  facilityd order " + name + " demo-17" + example,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/work-orders/" + url.PathEscape(args[0])
			if version == 0 {
				var o board.WorkOrderDetail
				if _, err := askAPI(cmd, http.MethodGet, path, nil, nil, &o); err != nil {
					return err
				}
				version = o.Version
			}
			body := map[string]any{"version": version}
			if arg != "" {
				body[arg] = args[1]
			}
			for field, value := range map[string]string{"text": text, "reason": reason, "code": code} {
				if value != "" {
					body[field] = value
				}
			}
			if !at.IsZero() {
				body["at"] = at
			}
			if cleared {
				body["cleared"] = true
			}
			if days > 0 {
				body["until"] = time.Now().AddDate(0, 0, days)
			}
			if key == "" {
				key = rand.Text()
			}
			var o board.WorkOrder
			head := map[string]string{"Idempotency-Key": key}
			if _, err := askAPI(cmd, http.MethodPost, path+"/"+string(verb), head, body, &o); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s (version %d)\n", o.Number, o.State, o.Version)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&version, "version", 0, "version of the order that you had seen (default: the one now)")
	f.StringVar(&key, "key", "", "idempotency key: give the same one when you try again (default: a new one)")
	f.TimeVar(&at, "at", time.Time{}, []string{time.RFC3339}, "time of the action, when it was earlier")
	if arg != "text" && verb != ticketing.DoAccept && verb != ticketing.DoArrive && verb != ticketing.DoResume && verb != ticketing.DoRefuse {
		f.StringVar(&text, "text", "", "what to say with it")
	}
	switch verb {
	case ticketing.DoDone:
		f.StringVar(&reason, "reason", "", "why it is done although the fault still holds")
		f.StringVar(&code, "code", "", "what it was: "+strings.Join(ticketing.DoneCodes(), ", "))
		f.BoolVar(&cleared, "cleared", false, "a competent person has looked: nobody is in danger, the fault is gone")
	case ticketing.DoCancel:
		f.IntVar(&days, "days", 0, "for how many days a known fault is shelved")
	}
	return cmd
}

// askAPI makes one call; a problem document becomes an error that says it all. A nil
// answer is not read.
func askAPI(cmd *cobra.Command, method, path string, head map[string]string, body, answer any) (*http.Response, error) {
	return askAPIWithin(cmd, 30*time.Second, method, path, head, body, answer)
}

func askAPIWithin(cmd *cobra.Command, patience time.Duration, method, path string, head map[string]string, body, answer any) (*http.Response, error) {
	base, _ := cmd.Flags().GetString("url")
	var in io.Reader
	typ := "application/json"
	if raw, ok := body.(rawBody); ok {
		in, typ = bytes.NewReader(raw), "application/octet-stream"
	} else if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+"/api/v1"+path, in)
	if err != nil {
		return nil, fmt.Errorf("--url %s: %w", base, err)
	}
	if in != nil {
		r.Header.Set("Content-Type", typ)
	}
	r.Header.Set("User-Agent", board.CommandLine)
	for k, v := range head {
		r.Header.Set(k, v)
	}
	token, err := apiToken(cmd)
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask facilityd: %w; is it running, and is --url right?", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("ask facilityd: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return resp, problemError(resp, data)
	}
	if answer == nil {
		return resp, nil
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return resp, fmt.Errorf("read the answer of %s: %w", base, err)
	}
	return resp, nil
}

func problemError(resp *http.Response, data []byte) error {
	var p board.Conflict
	if err := json.Unmarshal(data, &p); err != nil || p.Detail == "" {
		return fmt.Errorf("facilityd answered %s", resp.Status)
	}
	lines := []string{p.Detail}
	for _, e := range p.Errors {
		if e.Message != "" && !strings.Contains(p.Detail, e.Message) {
			lines = append(lines, e.Location+": "+e.Message)
		}
	}
	for _, e := range p.Changed {
		lines = append(lines, fmt.Sprintf("  since then: %s %s by %s", e.At.Local().Format("15:04:05"), e.Kind, e.By))
	}
	return errors.New(strings.Join(lines, "\n"))
}

func apiToken(cmd *cobra.Command) (string, error) {
	path, _ := cmd.Flags().GetString("token-file")
	if path == "" {
		return os.Getenv("FACILITYD_TOKEN"), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read --token-file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
