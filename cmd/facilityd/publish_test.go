package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
	"github.com/facilityd/facilityd/devices/simulator/load"
)

// received collects what a broker delivers under a filter.
type received struct {
	mu       sync.Mutex
	messages []devices.Message
}

func subscribe(t *testing.T, broker *mosquittotest.Broker, filter string) *received {
	t.Helper()
	r := new(received)
	c, err := mqtt.New(mqtt.Config{
		Name: "test", Broker: mqtt.Broker{URL: broker.URL(), ClientID: "facilityd-test"}, Filters: []string{filter}, QoS: 1,
		Open: func(committed func(int)) func(*devices.Message) bool {
			return func(m *devices.Message) bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.messages = append(r.messages, *m)
				go committed(1)
				return true
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() { c.Run(t.Context()) })
	t.Cleanup(wait.Wait)
	eventually(t, "subscription", func() bool { return c.Status().State == mqtt.Connected })
	return r
}

func (r *received) all() []devices.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]devices.Message(nil), r.messages...)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// execute runs one command as main would.
func execute(t *testing.T, cmd *cobra.Command, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

func TestSimulatedLoadArrivesWhole(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	r := subscribe(t, broker, "facility/#")
	const n = 5000
	out, _, err := execute(t, simulateCommand(), "--broker", broker.URL(), "--devices", "50", "--messages", "5000", "--connections", "2", "--every", "60")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out, "published 5,000 messages of 50 devices in ") || !strings.Contains(out, ", 5,000 confirmed, ") {
		t.Error(out)
	}
	eventually(t, "all messages", func() bool { return len(r.all()) >= n })
	g := load.New(load.Config{Devices: 50})
	report := g.Verify(n, func(yield func(string, int) bool) {
		for _, m := range r.all() {
			var v struct {
				Number int `json:"pulse_count"`
			}
			if err := json.Unmarshal(m.Payload, &v); err != nil {
				t.Fatal(err)
			}
			if !yield(strings.Split(m.Topic, "/")[2], v.Number) {
				return
			}
		}
	})
	if report.Received != n || report.Lost+report.Duplicated+report.Reordered+report.Unknown > 0 {
		t.Errorf("%+v", report)
	}
}

const benchMap = `time: {column: at, format: unix}
messages:
  - device: bench
    topic: facility/pump/{device}/telemetry
    fields: {current: I, flow: {column: Q, unit: L/min}}
`

// write puts files into a new directory and returns their paths.
func write(t *testing.T, files ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i := 0; i < len(files); i += 2 {
		paths = append(paths, filepath.Join(dir, files[i]))
		if err := os.WriteFile(paths[i/2], []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func TestReplayPublishesARecording(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	r := subscribe(t, broker, "facility/#")
	files := write(t, "bench.csv", "at;I;Q\n100;1.5;100\nsoon;1;1\n160;;200\n", "map.yaml", benchMap)
	out, errs, err := execute(t, replayCommand(), "--csv", files[0], "--map", files[1], "--broker", broker.URL(),
		"--estate-clock", "--speed", "1000x", "--start", "2026-05-01T08:00:00+08:00")
	if err != nil {
		t.Fatal(err, errs)
	}
	eventually(t, "both rows", func() bool { return len(r.all()) >= 2 })
	var got []string
	for _, m := range r.all() {
		got = append(got, m.Topic+" "+string(m.Payload))
	}
	want := []string{
		`facility/pump/bench/telemetry {"time":"2026-05-01T08:00:00.000+08:00","current":1.5,"flow":6}`,
		`facility/pump/bench/telemetry {"time":"2026-05-01T08:01:00.000+08:00","flow":12}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(out, "published 2 messages of 3 rows in ") || errs != "1 rows skipped; the first: line 3: \"soon\" is no time of the format unix\n" {
		t.Errorf("%s%s", out, errs)
	}
}

// TestPublishingRefusals: what a person is told who asks for what cannot be.
func TestPublishingRefusals(t *testing.T) {
	files := write(t, "bench.csv", "at,I,Q\n1,1,1\n", "map.yaml", benchMap, "bad.yaml", strings.Replace(benchMap, "I,", "Amps,", 1))
	base := []string{"--csv", files[0], "--map", files[1]}
	for _, c := range []struct {
		cmd  *cobra.Command
		args []string
		want string // in the error or on standard error
	}{
		{replayCommand(), append(base, "--broker", "mqtt://127.0.0.1:1", "--speed", "60x"), "--speed 60x needs a daemon on the estate clock"},
		{replayCommand(), append(base, "--broker", "mqtt://127.0.0.1:1", "--keep-times"), "--keep-times needs a daemon on the estate clock"},
		{replayCommand(), append(base, "--start", "2026-05-01T08:00:00Z"), "--start needs a daemon on the estate clock"},
		{replayCommand(), append(base, "--estate-clock", "--start", "yesterday"), `--start is "yesterday": write it like`},
		{replayCommand(), append(base, "--speed", "fast"), `--speed is "fast": write it like 60x`},
		{replayCommand(), base, "--broker is missing"},
		{replayCommand(), append(base, "--broker", "mqtt://127.0.0.1:1"), "nobody listens there"},
		{replayCommand(), []string{"--csv", files[0], "--map", files[2], "--check"}, `bad.yaml:5:23: error: bench.csv has no column "Amps" (one of: at, I, Q)`},
		{replayCommand(), []string{"--csv", "nowhere.csv", "--map", files[1]}, "read recording: open nowhere.csv"},
		{simulateCommand(), nil, `required flag(s) "broker" not set`},
		{simulateCommand(), []string{"--broker", "localhost"}, "write it as mqtt://host:1883"},
		{simulateCommand(), []string{"--broker", "mqtt://127.0.0.1:1", "--devices", "0"}, "--devices, --connections and --in-flight are at least 1"},
	} {
		_, errs, err := execute(t, c.cmd, c.args...)
		if err == nil || !strings.Contains(err.Error()+errs, c.want) {
			t.Errorf("%s %v\nwant %q\ngot  %v\n%s", c.cmd.Name(), c.args, c.want, err, errs)
		}
	}
}

func TestReplayCheckShowsWhatWouldBePublished(t *testing.T) {
	files := write(t, "bench.csv", "at,I,Q\n0,1,100\n3600,2,100\n", "map.yaml", benchMap)
	out, errs, err := execute(t, replayCommand(), "--csv", files[0], "--map", files[1], "--check", "--keep-times", "--estate-clock")
	want := `facility/pump/bench/telemetry {"time":"1970-01-01T00:00:00.000Z","current":1,"flow":6}
facility/pump/bench/telemetry {"time":"1970-01-01T01:00:00.000Z","current":2,"flow":6}
2 messages of 2 rows, 1h0m0s long
`
	if d := cmp.Diff(want, out); err != nil || errs != "" || d != "" {
		t.Errorf("%v %s %s", err, errs, d)
	}
}
