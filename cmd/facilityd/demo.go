package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/sites"
	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/simulator"
)

// demoSeed makes every demo the same.
const demoSeed = 1

func demoCommand() *cobra.Command {
	var listen, mqttAddr, data string
	var speed float64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A simulated estate with its own broker, to look at",
		Long: `Starts an MQTT broker, a simulated estate (lifts, barriers, doors, pumps and
meters, with faults that develop) and the daemon, all in this process. Estate
time runs --speed times as fast as the clock on the wall, so that the first work
order is there within a minute. Ctrl-C ends it; the next start goes on where
this one ended.`,
		Example: "  facilityd demo\n  facilityd demo --speed 240 --listen 127.0.0.1:0",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if speed < 1 || speed > 3600 {
				return fmt.Errorf("--speed is %g: give a number from 1 to 3600 (estate seconds per second)", speed)
			}
			if data == "" {
				cache, err := os.UserCacheDir()
				if err != nil {
					cache = os.TempDir()
				}
				data = filepath.Join(cache, "facilityd", "demo")
			}
			return runDemo(cmd, listen, mqttAddr, data, speed)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "address of board and API; port 0 takes a free one")
	f.StringVar(&mqttAddr, "mqtt", "127.0.0.1:1883", "address of the demo's own broker; port 0 takes a free one")
	f.StringVar(&data, "data", "", "directory of the demo (default: facilityd/demo in your cache directory)")
	f.Float64Var(&speed, "speed", 60, "estate seconds per second")
	return cmd
}

// demoState is what the demo remembers between two starts.
type demoState struct {
	Began time.Time `json:"began"` // estate time at which the estate came to life
	Last  time.Time `json:"last"`  // estate time when it was last seen alive
}

func runDemo(cmd *cobra.Command, listen, mqttAddr, data string, speed float64) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	out := cmd.OutOrStdout()
	statePath := filepath.Join(data, "demo.json")
	state, again, err := readDemoState(statePath)
	if err != nil {
		return err
	}
	if !again {
		// The estate wakes at six in the morning, when people take the lifts.
		loc, err := time.LoadLocation("Asia/Shanghai")
		if err != nil {
			return err
		}
		y, m, d := time.Now().In(loc).Date()
		state.Began = time.Date(y, m, d, 6, 0, 0, 0, loc)
		state.Last = state.Began
	}

	e := configs.Effective{Settings: configs.DefaultSettings()}
	e.Data, e.Listen, e.Embedded.Listen = data, listen, mqttAddr
	e.Clock = configs.Clock{Kind: "estate", Start: state.Last.Format(time.RFC3339Nano), Factor: speed}
	e.Journal.Reserve, e.Journal.MaxSize = 100<<20, 2<<30
	e.Log.Level = "warn"
	content, list := configs.ReadContents(&e.Settings, daemon.Shipped())
	if err := list.Err(); err != nil {
		return err
	}
	if err := content[0].Replace(configs.File{Name: "shipped/demo.yaml", Data: sites.Demo}, daemon.Shipped()).Err(); err != nil {
		return err
	}

	log := daemon.NewLogger(cmd.ErrOrStderr(), e.Log)
	d, list := daemon.New(daemon.Options{
		Settings: e, Content: content, People: &configs.File{Name: "shipped/demo-people.yaml", Data: sites.DemoPeople}, Version: version, Out: out, Log: log, LocalPerson: "demo-technician",
	})
	if err := list.Err(); err != nil {
		return err
	}
	if again {
		fmt.Fprintf(out, "Harbour Court goes on at %s, estate time, %g times as fast as the clock on the wall.\n", state.Last.Format("15:04 on 2 January"), speed)
	} else {
		fmt.Fprintf(out, "Harbour Court, a simulated estate, wakes at %s; its time runs %g times as fast as the clock on the wall.\n", state.Began.Format("15:04"), speed)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	select {
	case <-d.Ready():
	case err := <-ended:
		return err
	}
	if !again {
		fmt.Fprintln(out, "Open the board: the first work order is due in less than a minute. Ctrl-C ends the demo.")
	}
	live := make(chan error, 1)
	go func() { live <- liveEstate(ctx, d, log, &state, statePath) }()
	select {
	case err = <-ended:
		cancel()
		<-live
	case err = <-live:
		cancel()
		err = errors.Join(err, <-ended)
	}
	if err == nil {
		fmt.Fprintf(out, "\nEnded at %s, estate time. The demo goes on from here next time; its data are in %s.\n", state.Last.Format("15:04 on 2 January"), data)
	}
	return err
}

// liveEstate lets the estate live and publish until the context ends.
func liveEstate(ctx context.Context, d *daemon.Daemon, log *slog.Logger, state *demoState, path string) error {
	pub, err := mqtt.NewPublisher(ctx, mqtt.PublisherConfig{Broker: mqtt.Broker{URL: d.EmbeddedBroker(), ClientID: "harbour-court"}})
	if err != nil {
		return fmt.Errorf("connect the estate to the demo's broker: %w", err)
	}
	defer pub.Close(context.WithoutCancel(ctx))
	cfg := simulator.DemoEstate()
	cfg.Start, cfg.Location = state.Began, state.Began.Location()
	estate, err := simulator.New(cfg, demoSeed)
	if err != nil {
		return err
	}
	// What the estate said before this start was heard then.
	estate.Step(state.Last, func(simulator.Message) {})
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			return writeDemoState(path, state)
		case <-ticker.C:
		}
		now := d.Now()
		estate.Step(now, func(m simulator.Message) {
			if err == nil {
				// The estate writes its next message into the same memory.
				err = pub.Publish(ctx, m.Topic, bytes.Clone(m.Payload), m.Retain)
			}
		})
		if err != nil && ctx.Err() == nil {
			log.Warn("the estate cannot publish", "error", err)
		}
		err = nil
		state.Last = now.In(cfg.Location)
		if time.Since(saved) > time.Second {
			saved = time.Now()
			if err := writeDemoState(path, state); err != nil {
				return err
			}
		}
	}
}

func readDemoState(path string) (s demoState, found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, false, fmt.Errorf("read where the demo ended: %w; delete its directory %s to begin anew", err, filepath.Dir(path))
	}
	return s, true, nil
}

func writeDemoState(path string, s *demoState) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
