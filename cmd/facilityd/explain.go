package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing/board"
)

// lookBackPatience bounds how long a replay of the journal may take.
const lookBackPatience = 30 * time.Minute

func explainCommand() *cobra.Command {
	var rule, at, lang, site string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "explain DEVICE|ASSET|ORDER",
		Short: "Say why rules fired, or why not yet",
		Long: `Tells for each rule of a device, an asset or the asset of an order how it stands: off
and what it lacks, not looking because only_while is not true, without an input that
it needs, pending and for how long, kept back by a maintenance window or a technician,
open, clearing. With --rule all of it is shown: inputs with quality and age, the parts
of the condition, limits and who set them.

With --at the journal is replayed up to that time, and the answer is what was known
then; --at opened is the moment at which an order was opened.`,
		Example: `  facilityd explain lift-1
  facilityd explain pump-1 --rule pump-bearing-temperature
  facilityd explain demo-17 --at opened
  facilityd explain demo-17 --at 2026-03-02T06:40:00+08:00`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(messages.Languages, lang) {
				return fmt.Errorf("--lang %s: use one of %v", lang, messages.Languages)
			}
			q := url.Values{}
			for k, v := range map[string]string{"rule": rule, "site": site} {
				if v != "" {
					q.Set(k, v)
				}
			}
			switch t, err := time.Parse(time.RFC3339, at); {
			case at == "":
			case at == "opened":
				var o board.WorkOrder
				if _, err := askAPI(cmd, http.MethodGet, "/work-orders/"+url.PathEscape(args[0]), nil, nil, &o); err != nil {
					return fmt.Errorf("--at opened needs an order: %w", err)
				}
				q.Set("at", o.Opened.Format(time.RFC3339Nano))
			case err != nil:
				return fmt.Errorf("--at %q: give an RFC 3339 time such as 2026-03-02T06:40:00+08:00, or opened for an order", at)
			default:
				q.Set("at", t.Format(time.RFC3339))
			}
			var x board.Explained
			if _, err := askAPIWithin(cmd, lookBackPatience, http.MethodGet, "/explain/"+url.PathEscape(args[0])+"?"+q.Encode(), nil, nil, &x); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				e := json.NewEncoder(out)
				e.SetIndent("", "  ")
				return e.Encode(x)
			}
			catalogue, err := messages.Load()
			if err != nil {
				return err
			}
			e := explainer{out: out, say: catalogue.Printer(lang)}
			return e.print(&x, rule != "" || x.WorkOrder != "", all)
		},
	}
	apiFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&rule, "rule", "", "this rule only, with all of its details")
	f.StringVar(&at, "at", "", "as it was known at this time; opened for the moment at which an order was")
	f.StringVar(&site, "site", "", "site of the device or asset, when several have one of that name")
	f.StringVar(&lang, "lang", messages.Languages[0], "language of the answer: en or zh")
	f.BoolVar(&all, "all", false, "rules that are off and switched off too")
	f.BoolVar(&asJSON, "json", false, "as the API gives it")
	return cmd
}

// An explainer prints explanations.
type explainer struct {
	out io.Writer
	say *messages.Printer
}

func (e *explainer) print(x *board.Explained, details, all bool) error {
	name := x.AssetName.In(e.say.Lang)
	if name != x.Asset {
		name += " (" + x.Asset + ")"
	}
	zone, err := time.LoadLocation(x.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	key := "explain.now"
	if x.Past {
		key = "explain.past"
	}
	fmt.Fprintln(e.out, e.say.Text(key, name, x.At.In(zone).Format("2006-01-02 15:04:05 MST")))
	if !x.Begins.IsZero() {
		fmt.Fprintln(e.out, e.say.Text("explain.begins", x.Begins.In(zone).Format("2006-01-02 15:04 MST")))
	}
	fmt.Fprintln(e.out)
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	hidden := 0
	for i := range x.Rules {
		r := &x.Rules[i]
		if r.Off == rules.OffDisabled && !all && !details {
			hidden++
			continue
		}
		rule := r.Rule
		if r.Device != "" && r.Device != x.Device && r.Device != x.Asset {
			rule += " " + r.Device
		}
		if !details {
			fmt.Fprintf(w, "%s\t%s\t%s\n", rule, e.say.Text("explain.state_"+string(r.State)), r.Text.In(e.say.Lang))
			continue
		}
		fmt.Fprintf(e.out, "%s  %s: %s\n", rule, r.Title.In(e.say.Lang), e.say.Text("explain.state_"+string(r.State)))
		fmt.Fprintf(e.out, "  %s\n", r.Text.In(e.say.Lang))
		e.details(r)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintln(e.out, e.say.Text("explain.hidden", hidden))
	}
	return nil
}

func (e *explainer) details(r *board.Explanation) {
	if o := r.OnlyWhile; o != nil {
		fmt.Fprintf(e.out, "  %s\n", e.say.Text("explain.only_while"))
		e.parts(o.Parts)
	}
	for i := range r.Thresholds {
		t := &r.Thresholds[i]
		fmt.Fprintf(e.out, "  %s\n", e.say.Text("explain.threshold", e.say.Text("severity."+t.Severity), e.seconds(t.For)))
		e.parts(t.Parts)
		if t.Clear != "" {
			fmt.Fprintf(e.out, "  %s\n", e.say.Text("explain.clear", e.seconds(t.ClearFor)))
			e.parts(t.ClearParts)
		}
	}
	if len(r.Inputs) > 0 {
		fmt.Fprintf(e.out, "  %s\n", e.say.Text("order.inputs"))
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for _, in := range r.Inputs {
			value := in.Text
			if value == "" && in.Value != nil {
				value = rules.WithUnit(*in.Value, in.Unit)
			}
			age := e.say.Text("explain.input_none")
			if !in.Time.IsZero() {
				age = e.seconds(in.Age)
			}
			fmt.Fprintf(w, "    %s\t%s\t%s\t%s\n", in.Device+" "+in.Point, value, e.say.Text("quality."+in.Quality), age)
		}
		_ = w.Flush()
	}
	for _, l := range r.Limits {
		fmt.Fprintf(e.out, "  %s\n", l)
	}
	for _, f := range r.Facts {
		value := f.Word
		if value == "" {
			value = rules.WithUnit(f.Value, f.Unit)
		}
		fmt.Fprintf(e.out, "  %s = %s\n", f.Name, value)
	}
	fmt.Fprintln(e.out)
}

func (e *explainer) parts(list []board.Part) {
	for i, p := range list {
		word := ""
		if i > 0 {
			word = map[bool]string{true: "or ", false: "and "}[p.Or]
		}
		var saw []string
		for _, s := range p.Sides {
			switch {
			case s.Word != "":
				saw = append(saw, s.Text+": "+s.Word)
			case s.Value != nil:
				saw = append(saw, s.Text+": "+rules.WithUnit(*s.Value, s.Unit))
			default:
				saw = append(saw, s.Text+": ?")
			}
		}
		text := strings.Repeat("  ", p.Depth) + word + p.Text
		if len(saw) > 0 {
			text += "  [" + strings.Join(saw, ", ") + "]"
		}
		fmt.Fprintf(e.out, "    %-8s %s\n", e.say.Text("explain.value_"+p.Value), text)
	}
}

func (e *explainer) seconds(s float64) string {
	text := time.Duration(s * float64(time.Second)).Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
