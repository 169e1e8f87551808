package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/rules/backtest"
)

func redecodeCommand() *cobra.Command {
	var from, site, lang string
	var dry, asJSON bool
	cmd := &cobra.Command{
		Use:   "redecode",
		Short: "Decode past records again after a profile was corrected, and mend the history",
		Long: `When a profile read something wrongly (a factor, a unit, a register), correct it,
let the daemon take it over (facilityd reload), and run this: every record of the
journal from the time given is decoded again, and what comes out otherwise is
written to InfluxDB over what stands there, in the same series at the same times.

It also says what the corrected readings would have opened, against what was opened
then. It opens nothing by itself, and closes nothing. --dry-run shows all this and
writes nothing; look at it first.`,
		Example: `  facilityd redecode --from 2026-03-01 --dry-run --config facilityd.yaml
  facilityd redecode --from 2026-03-01T08:00:00+08:00 --config facilityd.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			if lang == "" {
				lang = e.Language
			}
			p, err := printerFor(lang)
			if err != nil {
				return err
			}
			if from == "" {
				return errors.New("--from is missing: give the time from which the profile was wrong, such as 2026-03-01")
			}
			b, err := siteOf(cmd, &e.Settings, site)
			if err != nil {
				return err
			}
			at, err := siteTime("--from", from, b.Site)
			if err != nil {
				return err
			}
			q := daemon.RedecodeRequest{Site: b.Site.ID, From: at, Dry: dry}
			r, err := askOrOpen(cmd, &e, func(progress func(done, of uint64)) (*daemon.Redecoded, error) {
				return daemon.AskRedecode(cmd.Context(), e.Data, q, progress)
			}, func(past *daemon.Past, progress func(done, of uint64)) (*daemon.Redecoded, error) {
				return past.RedecodeInto(cmd.Context(), &e.Settings, b, q, progress)
			})
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(r)
			}
			if err := printRedecoded(cmd.OutOrStdout(), p, r); err != nil {
				return err
			}
			return r.Report.Text(cmd.OutOrStdout(), p)
		},
	}
	settingsFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "first time to decode anew: a date of the site, or an RFC 3339 time")
	f.StringVar(&site, "site", "", "id of the site; may be left out when there is one")
	f.BoolVar(&dry, "dry-run", false, "show what would come of it and write nothing")
	f.BoolVar(&asJSON, "json", false, "print everything as JSON")
	f.StringVar(&lang, "lang", "", "language of the report: en or zh (default: the settings')")
	return cmd
}

// printRedecoded says what became of the readings.
func printRedecoded(w io.Writer, p *messages.Printer, r *daemon.Redecoded) error {
	zone := r.Report.From.Location()
	at := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") }
	m := &r.Mended
	var b strings.Builder
	say := func(key string, args ...any) { fmt.Fprintln(&b, p.Text("redecode."+key, args...)) }
	say("title", r.Site, at(r.From), at(r.To))
	say("summary", int(m.Readings), int(m.Unchanged), int(m.Changed), int(m.New), int(m.Gone))
	if r.Dry {
		say("dry")
	} else {
		say("written", int(m.Written), int(m.Rejected))
		say("tail", at(r.To))
	}
	if m.Gone > 0 {
		say("gone", int(m.Gone))
	}
	if m.NowBad > 0 {
		say("now_bad", int(m.NowBad))
	}
	if len(m.Points) > 0 {
		word := func(s string) string {
			if s == "" {
				return p.Text("redecode.absent")
			}
			return s
		}
		rows := [][]string{{
			p.Text("redecode.class"), p.Text("redecode.point"), p.Text("redecode.changed"), p.Text("redecode.new"), p.Text("redecode.gone_short"), p.Text("redecode.example"),
		}}
		for _, c := range m.Points {
			rows = append(rows, []string{c.Class, c.Point, fmt.Sprint(c.Changed), fmt.Sprint(c.New), fmt.Sprint(c.Gone),
				fmt.Sprintf("%s, %s: %s → %s", c.Device, at(c.Time), word(c.Before), word(c.After))})
		}
		backtest.Align(&b, rows)
	}
	say("opened")
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// printerFor gives the texts of a language.
func printerFor(lang string) (*messages.Printer, error) {
	for _, l := range messages.Languages {
		if l == lang {
			catalogue, err := messages.Load()
			if err != nil {
				return nil, err
			}
			return catalogue.Printer(lang), nil
		}
	}
	return nil, fmt.Errorf("--lang %s: use one of %v", lang, messages.Languages)
}
