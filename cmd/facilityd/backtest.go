package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/history"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/backtest"
)

// backtestFlags are what a backtest is asked for.
type backtestFlags struct {
	rules, enable    []string
	from, to         string
	csv, site        string
	journal, influx  bool
	json             bool
	html, lang       string
	trial            []rules.File
	fromTime, toTime time.Time
}

func backtestCommand() *cobra.Command {
	var o backtestFlags
	cmd := &cobra.Command{
		Use:   "backtest",
		Short: "Say what rules would have opened, before they page anybody",
		Long: `Puts what was recorded through the live engine and says which work orders the
rules would have opened: how many a week and on which asset, how many at night,
the hours that they would have cost, and what is different from the current rules.

Rules from --rules stand beside the current ones, and in the place of those with
the same id; --enable switches on rules that are off. Without both, the rules in
force are judged.

Where the readings come from:
  --journal  the daemon's own journal, also while it runs. It holds everything that
             the daemon saw: with the same rules the same orders come out.
  --influx   the InfluxDB of the settings. An approximation: it tells neither the
             order in which readings arrived nor whether a device could be heard.
  --csv      a table with the columns time, device, point, value and perhaps
             quality, one value a row; the site file says what the devices are. A
             point called like a role is that role, else the device's profile says
             what it is. Values are in the unit of the role (facilityd profile list --roles
             lists them). An approximation, as above.

What lies before --from is not reported; rules learn from it as long as their
longest window is. Where the past is too short for a rule, the report says so.`,
		Example: `  facilityd backtest --rules bearing.yaml --csv march.csv --site estate.yaml
  facilityd backtest --enable current-unbalance --journal --config facilityd.yaml --from 2026-03-01 --html report.html
  facilityd backtest --rules rules --influx --config facilityd.yaml --from 2026-01-01 --to 2026-04-01 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBacktest(cmd, &o) },
	}
	settingsFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.rules, "rules", nil, "files or directories of rules on trial")
	f.StringSliceVar(&o.enable, "enable", nil, "rules to switch on that are off, by id")
	f.StringVar(&o.from, "from", "", "begin of the report: a date of the site, or an RFC 3339 time (default: the oldest reading)")
	f.StringVar(&o.to, "to", "", "end of the report (default: the newest reading)")
	f.StringVar(&o.csv, "csv", "", "table in long form; - is standard input")
	f.BoolVar(&o.journal, "journal", false, "read the daemon's journal")
	f.BoolVar(&o.influx, "influx", false, "read the InfluxDB of the settings")
	f.StringVar(&o.site, "site", "", "site file, or the id of one of the sites of the settings")
	f.BoolVar(&o.json, "json", false, "print the whole report as JSON")
	f.StringVar(&o.html, "html", "", "write the report with charts to this file: one page, nothing else is needed to look at it")
	f.StringVar(&o.lang, "lang", "", "language of the report: en or zh (default: the settings')")
	cmd.MarkFlagsMutuallyExclusive("csv", "journal", "influx")
	cmd.MarkFlagsOneRequired("csv", "journal", "influx")
	return cmd
}

func runBacktest(cmd *cobra.Command, o *backtestFlags) error {
	e, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	if o.lang == "" {
		o.lang = e.Language
	}
	printer, err := printerFor(o.lang)
	if err != nil {
		return err
	}
	if len(o.rules) > 0 {
		if o.trial, err = ruleFiles(o.rules); err != nil {
			return err
		}
		if len(o.trial) == 0 {
			return fmt.Errorf("--rules %v: there is no *.yaml file in it", o.rules)
		}
	}
	bundle, err := siteOf(cmd, &e.Settings, o.site)
	if err != nil {
		return err
	}
	if o.fromTime, err = siteTime("--from", o.from, bundle.Site); err != nil {
		return err
	}
	if o.toTime, err = siteTime("--to", o.to, bundle.Site); err != nil {
		return err
	}
	if !o.fromTime.IsZero() && !o.toTime.IsZero() && !o.fromTime.Before(o.toTime) {
		return fmt.Errorf("--from %s is not before --to %s", o.from, o.to)
	}
	// What is wrong with the rules is said before hours of readings are read.
	trial, list := backtest.OnTrial(bundle.Rules, o.trial, o.enable)
	_ = list.Print(cmd.ErrOrStderr())
	if list.HasErrors() {
		return exitError{}
	}
	var report *backtest.Report
	switch {
	case o.journal:
		report, err = fromJournal(cmd, &e, bundle, o)
	case o.influx:
		report, err = fromInflux(cmd, &e, bundle, trial, o)
	default:
		report, err = fromTable(cmd, bundle, trial, o)
	}
	if err != nil {
		return err
	}
	return writeReport(cmd, report, o, printer)
}

// siteOf loads the configuration of the site that a command is about: of a site
// file, or of one of the settings' sites.
func siteOf(cmd *cobra.Command, s *configs.Settings, site string) (*configs.Bundle, error) {
	own := *s
	if _, err := os.Stat(site); site != "" && err == nil {
		own.Sites, site = []string{site}, ""
	}
	bundles, list := daemon.Check(&own)
	if list.HasErrors() {
		_ = list.Print(cmd.ErrOrStderr())
		return nil, exitError{}
	}
	var ids []string
	for _, b := range bundles {
		if b.Site.ID == site || site == "" && len(bundles) == 1 {
			return b, nil
		}
		ids = append(ids, b.Site.ID)
	}
	if site == "" {
		return nil, fmt.Errorf("--site is missing: there are several, name one of %v", ids)
	}
	return nil, fmt.Errorf("--site %s is neither a file nor a site of the settings (%s)", site, diag.DidYouMean(site, ids))
}

// siteTime reads a date of the site, or an instant.
func siteTime(flag, text string, site *devices.Site) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, site.Location); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s %q: give a date such as 2026-03-01, or a time such as 2026-03-01T08:00:00+08:00", flag, text)
	}
	return t, nil
}

func fromJournal(cmd *cobra.Command, e *configs.Effective, b *configs.Bundle, o *backtestFlags) (*backtest.Report, error) {
	q := daemon.BacktestRequest{Site: b.Site.ID, Rules: o.trial, Enable: o.enable, From: o.fromTime, To: o.toTime}
	return askOrOpen(cmd, e, func(progress func(done, of uint64)) (*backtest.Report, error) {
		return daemon.AskBacktest(cmd.Context(), e.Data, q, progress)
	}, func(past *daemon.Past, progress func(done, of uint64)) (*backtest.Report, error) {
		report, _, err := past.Backtest(cmd.Context(), b, q, progress)
		return report, err
	})
}

// askOrOpen has the running daemon look into its journal or, when none runs,
// opens the journal itself; a bar shows how far it is.
func askOrOpen[T any](cmd *cobra.Command, e *configs.Effective, ask func(func(done, of uint64)) (*T, error), open func(*daemon.Past, func(done, of uint64)) (*T, error)) (answer *T, err error) {
	var bar *progressbar.ProgressBar
	progress := func(done, of uint64) {
		if bar == nil {
			bar = newProgress(cmd.ErrOrStderr(), int64(of), "reading the journal", false)
		}
		_ = bar.Set64(int64(done))
	}
	defer func() {
		if bar != nil {
			_ = bar.Exit()
		}
	}()
	answer, err = ask(progress)
	if !errors.Is(err, daemon.ErrNotRunning) {
		return answer, err
	}
	past, closePast, err := daemon.OpenPast(&e.Settings, daemon.NewLogger(cmd.ErrOrStderr(), configs.Log{Format: e.Log.Format, Level: "warn"}))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closePast()) }()
	return open(past, progress)
}

// recorded prepares a backtest of readings that are not a journal's.
func recorded(b *configs.Bundle, trial *rules.Set) (*backtest.Backtest, *backtest.Feed, *backtest.Inventory) {
	inv := backtest.NewInventory(b.Site, b.Profiles)
	cfg := backtest.Config{Site: b.Site, Rules: trial, Registry: inv.Registry, Workers: runtime.GOMAXPROCS(0)}
	current := b.Rules
	if trial == nil {
		cfg.Rules, current = b.Rules, nil
	}
	bt := backtest.New(cfg, current, false)
	return bt, backtest.NewFeed(bt, b.Site.ID), inv
}

func fromTable(cmd *cobra.Command, b *configs.Bundle, trial *rules.Set, o *backtestFlags) (*backtest.Report, error) {
	in, size, name := cmd.InOrStdin(), int64(-1), "standard input"
	if o.csv != "-" {
		f, err := os.Open(o.csv)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		in, name = f, o.csv
	}
	bar := newProgress(cmd.ErrOrStderr(), size, "reading "+name, true)
	bt, feed, inv := recorded(b, trial)
	opt := backtest.TableOptions{File: name, Location: b.Site.Location, To: o.toTime, Progress: func(n int64) { _ = bar.Set64(n) }}
	if !o.fromTime.IsZero() {
		opt.From = o.fromTime.Add(-backtest.WarmUp(trial, b.Rules))
	}
	read, err := backtest.ReadTable(interrupted{cmd.Context(), in}, inv, opt, feed.Add)
	feed.Flush()
	_ = bar.Exit()
	from, to := stretch(o, read.First, read.Last)
	report, _ := bt.Finish(backtest.Options{Site: b.Site, Source: "csv", From: from, To: to, Warranty: daemon.Warranty})
	if err != nil {
		return nil, err
	}
	_ = read.Findings.Print(cmd.ErrOrStderr())
	if read.Findings.HasErrors() {
		return nil, exitError{}
	}
	return report, nil
}

func fromInflux(cmd *cobra.Command, e *configs.Effective, b *configs.Bundle, trial *rules.Set, o *backtestFlags) (*backtest.Report, error) {
	cfg, err := daemon.HistoryConfig(&e.Settings)
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		return nil, errors.New("--influx: the settings name no InfluxDB; set influxdb.url, or FACILITYD_INFLUXDB_URL")
	}
	cfg.Site = b.Site.ID
	reader, err := history.NewReader(*cfg)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	begin := time.Unix(0, 0)
	if !o.fromTime.IsZero() {
		begin = o.fromTime.Add(-backtest.WarmUp(trial, b.Rules))
	}
	begin, ok, err := reader.Since(cmd.Context(), begin)
	if err != nil {
		return nil, err
	}
	end := o.toTime
	if end.IsZero() {
		end = time.Now()
	}
	if !ok || !begin.Before(end) {
		return nil, fmt.Errorf("InfluxDB at %s, bucket %s, holds nothing of site %s in that time", cfg.URL, cfg.Bucket, cfg.Site)
	}
	bar := newProgress(cmd.ErrOrStderr(), int64(end.Sub(begin).Seconds()), "reading InfluxDB", false)
	bt, feed, inv := recorded(b, trial)
	var last time.Time
	err = reader.Read(cmd.Context(), begin, end, func(s *history.Stored) error {
		p, err := inv.Point(s.Device, s.Point, s.Class)
		if p == nil {
			return err
		}
		last = time.Unix(0, s.Time)
		feed.Add(devices.Reading{Point: p, Time: s.Time, Value: s.Value, Text: s.Text, Quality: s.Quality, Delta: math.NaN()})
		return nil
	}, func(at time.Time) { _ = bar.Set64(int64(at.Sub(begin).Seconds())) })
	feed.Flush()
	_ = bar.Exit()
	from, to := stretch(o, begin, last)
	report, _ := bt.Finish(backtest.Options{Site: b.Site, Source: "influxdb", From: from, To: to, Warranty: daemon.Warranty})
	if err != nil {
		return nil, err
	}
	for _, u := range inv.Unused() {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s\n", u.Error())
	}
	if last.IsZero() {
		return nil, fmt.Errorf("InfluxDB at %s, bucket %s, holds no point of site %s that rules look at in that time", cfg.URL, cfg.Bucket, cfg.Site)
	}
	return report, nil
}

// stretch is what is reported: what was asked for, within what there is.
func stretch(o *backtestFlags, first, last time.Time) (from, to time.Time) {
	from, to = o.fromTime, o.toTime
	if from.IsZero() {
		from = first
	}
	if to.IsZero() {
		to = last.Add(time.Nanosecond) // the last reading is in it
	}
	return from, to
}

// interrupted ends a reader with the context.
type interrupted struct {
	ctx context.Context
	r   io.Reader
}

func (i interrupted) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

func writeReport(cmd *cobra.Command, r *backtest.Report, o *backtestFlags, p *messages.Printer) error {
	if o.html != "" {
		f, err := os.Create(o.html)
		if err != nil {
			return err
		}
		if err := errors.Join(r.HTML(f, p), f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", o.html, err)
		}
	}
	if o.json {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return r.Text(cmd.OutOrStdout(), p)
}
