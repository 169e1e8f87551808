package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/devices/simulator/recording"
	"github.com/facilityd/facilityd/ticketing/board"
)

func replayCommand() *cobra.Command {
	var csvFile, mapFile, speedText, startText, daemonURL string
	var keepTimes, estateClock, check bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Publish recorded telemetry, to try rules on real data",
		Long: `Reads a CSV file with a header and publishes its rows as MQTT messages, as a map
file says: which column is the time, which columns become which keys, under which
topic. The first row is published now and says so; the others follow at the pace
at which they were recorded.

A replay that is faster (--speed 60x), or that keeps the recorded times
(--keep-times), needs a daemon on the estate clock: on the machine's clock its
times would lie in the future or in the past, and a rule that waits ten minutes
would wait them really. Start the daemon with

  facilityd run --clock estate --config …    (clock.factor: 60, clock.start: the first recorded time)

and name its board with --daemon: replay asks it for its clock and begins there.
Where the board cannot be reached from here, say --estate-clock instead.

A map file:

  time: {column: datetime, format: "2006-01-02 15:04:05", zone: Asia/Shanghai}
  messages:
    - device: bench
      topic: facility/pump/{device}/telemetry
      fields:
        current: Current
        flow: {column: Volume Flow RateRMS, unit: L/min}   # becomes the role's m3/h`,
		Example: `  facilityd replay --csv pump.csv --map map.yaml --check
  facilityd replay --csv pump.csv --map map.yaml --broker mqtt://127.0.0.1:1883
  facilityd replay --csv pump.csv --map map.yaml --broker mqtt://127.0.0.1:1883 --daemon http://127.0.0.1:8080 --speed 60x`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt := recording.Options{}
			var err error
			if opt.Speed, err = parseSpeed(speedText); err != nil {
				return err
			}
			var clock *board.DaemonClock
			if daemonURL != "" {
				if clock, err = askClock(cmd.Context(), daemonURL); err != nil {
					return err
				}
				if estateClock = clock.Kind == "estate"; estateClock && clock.Factor != opt.Speed && !keepTimes {
					return fmt.Errorf("the daemon's estate clock runs %g times as fast, and --speed is %gx: give --speed %gx", clock.Factor, opt.Speed, clock.Factor)
				}
			}
			if !estateClock && (opt.Speed != 1 || keepTimes) {
				return fmt.Errorf(`%s needs a daemon on the estate clock, because the times in the messages would not be those of the machine's clock:
start it with "facilityd run --clock estate", clock.factor: %g, and name it here with --daemon http://127.0.0.1:8080`, wants(opt.Speed, keepTimes), opt.Speed)
			}
			if keepTimes && startText != "" {
				return errors.New("--keep-times and --start say different things: leave one out")
			}
			if !keepTimes {
				opt.Start = time.Now()
			}
			if clock != nil && clock.Kind == "estate" && !keepTimes {
				opt.Start = clock.Now
			}
			if startText != "" {
				if opt.Start, err = time.Parse(time.RFC3339, startText); err != nil {
					return fmt.Errorf("--start is %q: write it like 2026-05-01T08:00:00+08:00", startText)
				}
				if !estateClock {
					return errors.New("--start needs a daemon on the estate clock: add --estate-clock when it is")
				}
			}
			return replay(cmd, csvFile, mapFile, opt, check)
		},
	}
	f := cmd.Flags()
	f.StringVar(&csvFile, "csv", "", "recorded telemetry, a CSV file with a header; - is standard input")
	f.StringVar(&mapFile, "map", "", "map file")
	f.StringVar(&speedText, "speed", "1x", "how many times as fast as recorded; other than 1x only with --estate-clock")
	f.BoolVar(&keepTimes, "keep-times", false, "keep the recorded times; only with --estate-clock")
	f.StringVar(&daemonURL, "daemon", "", "board of the daemon that reads this broker, http://127.0.0.1:8080; it is asked for its clock (FACILITYD_TOKEN beyond loopback)")
	f.BoolVar(&estateClock, "estate-clock", false, "the daemon that reads this broker runs on the estate clock, and cannot be asked")
	f.StringVar(&startText, "start", "", "time of the first row on the estate clock; empty: now")
	f.BoolVar(&check, "check", false, "read everything and print the first messages, publish nothing")
	brokerFlags(cmd)
	_ = cmd.MarkFlagRequired("csv")
	_ = cmd.MarkFlagRequired("map")
	return cmd
}

// askClock asks a daemon in which time it works.
func askClock(ctx context.Context, address string) (*board.DaemonClock, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+"/api/v1/status", nil)
	if err != nil {
		return nil, fmt.Errorf("--daemon: %w", err)
	}
	if token := os.Getenv("FACILITYD_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon for its clock: %w", err)
	}
	defer resp.Body.Close()
	var status board.Status
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the daemon for its clock: it answers %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return nil, fmt.Errorf("ask the daemon for its clock: %w", err)
	}
	return &status.Clock, nil
}

func wants(speed float64, keepTimes bool) string {
	if keepTimes {
		return "--keep-times"
	}
	return fmt.Sprintf("--speed %gx", speed)
}

func parseSpeed(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "x"), 64)
	if err != nil || !(v > 0 && v <= 1e6) {
		return 0, fmt.Errorf("--speed is %q: write it like 60x", s)
	}
	return v, nil
}

func replay(cmd *cobra.Command, csvFile, mapFile string, opt recording.Options, check bool) error {
	text, err := os.ReadFile(mapFile)
	if err != nil {
		return fmt.Errorf("read map: %w", err)
	}
	m, list := recording.ParseMap(mapFile, text)
	if list.HasErrors() {
		_ = list.Print(cmd.ErrOrStderr())
		return exitError{}
	}
	in, size := io.Reader(cmd.InOrStdin()), int64(-1)
	if csvFile != "-" {
		f, err := os.Open(csvFile)
		if err != nil {
			return fmt.Errorf("read recording: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		in = f
	}
	bar := newProgress(cmd.ErrOrStderr(), size, "replayed", true)
	r, more := recording.NewReader(io.TeeReader(in, bar), filepath.Base(csvFile), m, opt)
	list = append(list, more...)
	_ = list.Print(cmd.ErrOrStderr())
	if list.HasErrors() {
		return exitError{}
	}
	if check {
		return preview(cmd, r)
	}
	if broker, _ := cmd.Flags().GetString("broker"); broker == "" {
		return errors.New("--broker is missing: write mqtt://host:1883, or --check to publish nothing")
	}
	p, err := newPublisher(cmd, 1000)
	if err != nil {
		return err
	}
	began := time.Now()
	clock := recording.Clock{Now: time.Now, Sleep: sleep}
	published := 0
	err = recording.Play(cmd.Context(), r, clock, func(ctx context.Context, m simulator.Message) error {
		published++
		return p.PublishQoS(ctx, m.Topic, m.Payload, m.QoS, m.Retain)
	})
	if cmd.Context().Err() != nil {
		err = nil // Ctrl-C
	}
	err = errors.Join(err, closePublisher(cmd.Context(), p))
	confirmed, _ := p.Confirmed()
	_ = bar.Exit()
	fmt.Fprintf(cmd.OutOrStdout(), "published %s messages of %s rows in %v, %s confirmed, %s sent again\n",
		humanize.Comma(int64(published)), humanize.Comma(int64(r.Rows)), time.Since(began).Round(time.Millisecond),
		humanize.Comma(int64(confirmed)), humanize.Comma(int64(p.Repeated())))
	skipped(cmd, r)
	return err
}

func skipped(cmd *cobra.Command, r *recording.Reader) {
	if r.Skipped > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s rows skipped; the first: %s\n", humanize.Comma(int64(r.Skipped)), r.Trouble)
	}
}

// preview prints the first messages and reads the rest.
func preview(cmd *cobra.Command, r *recording.Reader) error {
	const few = 4
	n := 0
	var last recording.Timed
	for {
		t, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if n++; n <= few {
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", t.Topic, t.Payload)
		}
		last = t
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s messages of %s rows, %v long\n",
		humanize.Comma(int64(n)), humanize.Comma(int64(r.Rows)), last.Due.Round(time.Second))
	skipped(cmd, r)
	return nil
}
