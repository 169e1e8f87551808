package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/rules/detect"
	"github.com/facilityd/facilityd/rules/detect/csvscan"
)

func detectCommand() *cobra.Command {
	var file, chart, zone, lang string
	var asJSON bool
	var opts csvscan.Options
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "Look for what is unusual in a table of readings, with the detectors of the rules",
		Long: `Reads a table (separated by commas or semicolons) row by row, as the daemon would
have met it, and says for every row: time, score from 0 to 1, verdict (unknown
while too little was seen, normal, anomalous), whether a step was found, and the
reason. What it says about a row never depends on later rows.

One column is judged by itself, several together. Columns named label, anomaly,
changepoint and the like are what a person knew already: they are never read.`,
		Example: `  facilityd detect --csv pump.csv --chart pump.svg
  facilityd detect --csv bench.csv --time datetime --points Pressure,Current --train 400 --json
  zcat flow.csv.gz | facilityd detect`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if opts.Location, err = time.LoadLocation(zone); err != nil {
				return fmt.Errorf("--timezone: %w; give an IANA name such as Asia/Shanghai", err)
			}
			if opts.Language = detect.Lang(lang); lang != "en" && lang != "zh" {
				return fmt.Errorf("--lang is %q: en or zh", lang)
			}
			in := cmd.InOrStdin()
			if file != "" && file != "-" {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				in, opts.File = f, file
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			writers := []csvscan.Writer{csvscan.NewText(out)}
			if asJSON {
				writers[0] = csvscan.NewJSON(out)
			}
			if chart != "" {
				f, err := os.Create(chart)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				writers = append(writers, csvscan.NewChart(f))
			}
			if err := scan(in, opts, writers); err != nil {
				return errors.Join(err, out.Flush())
			}
			return out.Flush()
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "csv", "", "file to read; standard input when it is left out")
	f.StringVar(&opts.Time, "time", "", "column of the time (default: the first that is called like one)")
	f.StringSliceVar(&opts.Points, "points", nil, "columns to watch, separated by commas (default: all with numbers)")
	f.DurationVar(&opts.Interval, "interval", 0, "time between rows of a table without times, for example 1s")
	f.IntVar(&opts.Train, "train", 0, "rows from which several columns together learn what is normal (default 400)")
	f.StringVar(&zone, "timezone", "UTC", "zone of times that name none, and of the daily rhythm")
	f.StringVar(&lang, "lang", "en", "language of the reasons: en or zh")
	f.BoolVar(&asJSON, "json", false, "one JSON object per row")
	f.StringVar(&chart, "chart", "", "write a chart as SVG to this file too")
	return cmd
}

func scan(in io.Reader, opts csvscan.Options, writers []csvscan.Writer) error {
	err := csvscan.Scan(in, opts, func(r csvscan.Row) error {
		for _, w := range writers {
			if err := w.Write(r); err != nil {
				return err
			}
		}
		return nil
	})
	for _, w := range writers {
		err = errors.Join(err, w.Close())
	}
	return err
}
