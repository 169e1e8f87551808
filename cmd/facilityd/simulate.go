package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/simulator/load"
)

func simulateCommand() *cobra.Command {
	var cfg load.Config
	var rate float64
	var messages, connections, inFlight int
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Publish numbered load, to see what a broker and a daemon bear",
		Long: `Publishes the telemetry of many devices, QoS 1, seven points a message, and counts
what the broker confirms. Every message has a point "pulse_count", the number that
it is of its device, so that what is missing or came twice can be counted wherever
it arrives.

Even devices are pumps whose messages carry their own times
(facility/pump/load-000000/telemetry), odd ones are gates that send events without
a time (facility/gate/load-000001/event). Once every --every messages of a device,
--length of them are an excursion that a rule can find: bearing_temp above 85 °C
and otherwise below 60 °C, obstruction and otherwise access_granted.

Ends after --messages or --duration, else with Ctrl-C. For an estate that lives,
see "facilityd demo".`,
		Example: `  facilityd simulate --devices 1000 --rate 5000 --broker mqtt://127.0.0.1:1883
  facilityd simulate --devices 100 --messages 200000 --broker mqtt://127.0.0.1:1883   as fast as it goes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case cfg.Devices < 1 || connections < 1 || inFlight < 1:
				return errors.New("--devices, --connections and --in-flight are at least 1")
			case rate < 0 || messages < 0 || duration < 0:
				return errors.New("--rate, --messages and --duration cannot be negative")
			case rate > 0 && duration > 0 && messages == 0:
				messages = max(1, int(rate*duration.Seconds()))
			}
			if cfg.Interval == 0 && rate > 0 {
				cfg.Interval = time.Duration(float64(cfg.Devices) / rate * float64(time.Second))
			}
			cfg.Interval = max(cfg.Interval, time.Millisecond)
			cfg.Start = time.Now()
			if rate == 0 && messages > 0 { // a backlog ends now
				cfg.Start = cfg.Start.Add(-time.Duration(messages/cfg.Devices+1) * cfg.Interval)
			}
			ctx := cmd.Context()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			var publishers []*mqtt.Publisher
			for range connections {
				p, err := newPublisher(cmd, max(1, inFlight/connections))
				if err != nil {
					return err
				}
				publishers = append(publishers, p)
			}
			return simulate(ctx, cmd, load.New(cfg), publishers, rate, messages)
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Devices, "devices", 1000, "how many devices")
	f.Float64Var(&rate, "rate", 0, "messages per second of all together; 0 is as fast as the broker confirms")
	f.IntVar(&messages, "messages", 0, "messages of all together; 0 is without end")
	f.DurationVar(&duration, "duration", 0, "how long; 0 is without end")
	f.DurationVar(&cfg.Interval, "interval", 0, "from one message of a device to its next in its own times; 0 follows from the rate")
	f.IntVar(&cfg.Every, "every", 500, "messages of a device from one excursion to the next")
	f.IntVar(&cfg.Length, "length", 20, "messages of an excursion")
	f.StringVar(&cfg.Name, "name", "load", "beginning of the devices' ids")
	f.IntVar(&connections, "connections", 1, "connections to the broker; a device stays on one")
	f.IntVar(&inFlight, "in-flight", 1000, "messages that are not yet confirmed, at most")
	brokerFlags(cmd)
	_ = cmd.MarkFlagRequired("broker")
	return cmd
}

func simulate(ctx context.Context, cmd *cobra.Command, g *load.Generator, publishers []*mqtt.Publisher, rate float64, messages int) error {
	total := int64(messages)
	if messages == 0 {
		total = -1
	}
	bar := newProgress(cmd.ErrOrStderr(), total, "published", false)
	began := time.Now()
	pace := load.Pace{Rate: rate, Messages: messages, Now: time.Now, Sleep: sleep}
	sent, err := g.Run(ctx, pace, func(ctx context.Context, device int, topic string, payload []byte) error {
		_ = bar.Add(1)
		return publishers[device%len(publishers)].Publish(ctx, topic, payload, false)
	})
	if ctx.Err() != nil {
		err = nil // the duration is over, or Ctrl-C
	}
	var confirmed, again uint64
	for _, p := range publishers {
		err = errors.Join(err, closePublisher(cmd.Context(), p))
		n, _ := p.Confirmed()
		confirmed += n
		again += p.Repeated()
	}
	took := time.Since(began)
	_ = bar.Exit()
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "published %s messages of %s devices in %v (%s/s), %s confirmed, %s sent again\n",
		humanize.Comma(int64(sent)), humanize.Comma(int64(g.Devices())), took.Round(time.Millisecond),
		humanize.Comma(int64(float64(sent)/took.Seconds())), humanize.Comma(int64(confirmed)), humanize.Comma(int64(again)))
	if n := g.Sent(0, sent); n > 0 {
		fmt.Fprintf(out, "%s ended at number %d, %s at %d\n", g.Device(0), n, g.Device(g.Devices()-1), g.Sent(g.Devices()-1, sent))
	}
	timed, untimed := 0, 0
	for _, x := range g.Excursions(sent) {
		if x.Timed {
			timed++
		} else {
			untimed++
		}
	}
	fmt.Fprintf(out, "excursions begun: %d of bearing_temp on pumps, %d of obstruction on gates\n", timed, untimed)
	return err
}

// newProgress shows a bar on a terminal and nothing elsewhere. A total of -1 is
// unknown.
func newProgress(w io.Writer, total int64, what string, bytes bool) *progressbar.ProgressBar {
	f, isFile := w.(*os.File)
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionShowBytes(bytes),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetVisibility(isFile && isatty.IsTerminal(f.Fd())))
}
