package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices/simulator"
)

const pumpMap = `
time: {column: when, format: "2006-01-02 15:04:05", zone: Asia/Shanghai}
messages:
  - device: "p-{Unit}"
    topic: facility/pump/{device}/telemetry
    fields:
      current: Amps
      flow: {column: Flow, unit: L/min, offset: 50, scale: 0.5}
      floor: {column: Note, text: true}
    constants: {running: true, speed: 1450, tag: "0010"}
`

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func mustMap(t testing.TB, text string) *Map {
	t.Helper()
	m, list := ParseMap("map.yaml", []byte(text))
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

// tell reads a recording and writes one line a message.
func tell(t testing.TB, mapText, csv string, opt Options) (string, *Reader) {
	t.Helper()
	r, list := NewReader(strings.NewReader(csv), "data.csv", mustMap(t, mapText), opt)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.String(), r
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%v %s q%d %s\n", m.Due, m.Topic, m.QoS, m.Payload)
		if !json.Valid(m.Payload) {
			t.Errorf("not JSON: %s", m.Payload)
		}
	}
}

func TestRowsBecomeMessages(t *testing.T) {
	const csv = "\ufeffwhen;Unit;Amps;Flow;Note\n" +
		"2024-03-01 08:00:00;1;4.50;100;\"says \"\"hm\"\"; twice\"\n" +
		"2024-03-01 08:00:30;2;NaN;;\n" +
		"yesterday;2;1;1;x\n" +
		"2024-03-01 08:00:10;1/+;07;-;b\n" +
		"2024-03-01 08:01:00;1\n"
	rest := `"running":true,"speed":1450,"tag":"0010"}` + "\n"
	cases := []struct {
		name string
		opt  Options
		want string
	}{
		{"moved", Options{Start: start}, `0s facility/pump/p-1/telemetry q1 {"time":"2026-05-01T12:00:00.000Z","current":4.50,"flow":6,"floor":"says \"hm\"; twice",` + rest +
			`30s facility/pump/p-2/telemetry q1 {"time":"2026-05-01T12:00:30.000Z",` + rest +
			`30s facility/pump/p-1__/telemetry q1 {"time":"2026-05-01T12:00:10.000Z","current":7,"flow":"-","floor":"b",` + rest +
			`1m0s facility/pump/p-1/telemetry q1 {"time":"2026-05-01T12:01:00.000Z",` + rest},
		{"kept and fast", Options{Speed: 60}, `0s facility/pump/p-1/telemetry q1 {"time":"2024-03-01T08:00:00.000+08:00","current":4.50,"flow":6,"floor":"says \"hm\"; twice",` + rest +
			`500ms facility/pump/p-2/telemetry q1 {"time":"2024-03-01T08:00:30.000+08:00",` + rest +
			`500ms facility/pump/p-1__/telemetry q1 {"time":"2024-03-01T08:00:10.000+08:00","current":7,"flow":"-","floor":"b",` + rest +
			`1s facility/pump/p-1/telemetry q1 {"time":"2024-03-01T08:01:00.000+08:00",` + rest},
	}
	for _, c := range cases {
		got, r := tell(t, pumpMap, csv, c.opt)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if r.Rows != 5 || r.Skipped != 1 || r.Trouble != `line 4: "yesterday" is no time of the format 2006-01-02 15:04:05` {
			t.Errorf("%d rows, %d skipped: %s", r.Rows, r.Skipped, r.Trouble)
		}
	}
}

func TestBatchesAreArrays(t *testing.T) {
	const text = "time: {column: t, format: unix_ms}\nbatch: 2\ndecimal: \",\"\nmessages: [{topic: a/b, qos: 0, time_key: ts, fields: {x: x}}]\n"
	got, _ := tell(t, text, "t\tx\n0\t1,5\n1000\t2\n2000\t-3\n", Options{Start: start})
	want := `1s a/b q0 [{"ts":"2026-05-01T12:00:00.000Z","x":1.5},{"ts":"2026-05-01T12:00:01.000Z","x":2}]
2s a/b q0 [{"ts":"2026-05-01T12:00:02.000Z","x":-3}]
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPlayKeepsThePace: with a clock that only moves when it is slept on, every
// message is published when it is due, and a slow publisher delays, not drops.
func TestPlayKeepsThePace(t *testing.T) {
	const text = "time: {column: t, format: unix}\nmessages: [{topic: a, time_key: none, fields: {x: x}}]\n"
	r, list := NewReader(strings.NewReader("t,x\n100,1\n110,2\n112,3\n130,4\n"), "d.csv", mustMap(t, text), Options{Start: start, Speed: 2})
	if list.HasErrors() {
		t.Fatal(list)
	}
	now := start
	clock := Clock{
		Now:   func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
	}
	var got []string
	err := Play(t.Context(), r, clock, func(_ context.Context, m simulator.Message) error {
		got = append(got, fmt.Sprintf("%v %s", now.Sub(start), m.Payload))
		if string(m.Payload) == `{"x":2}` {
			now = now.Add(4 * time.Second)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`0s {"x":1}`, `5s {"x":2}`, `9s {"x":3}`, `15s {"x":4}`}, got); d != "" {
		t.Error(d)
	}
}

func TestPlayEndsWithItsContext(t *testing.T) {
	r, _ := NewReader(strings.NewReader("t,x\n1,1\n2,1\n"), "d.csv", mustMap(t, "time: {column: t, format: unix}\nmessages: [{topic: a, fields: {x: x}}]\n"), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	clock := Clock{Now: func() time.Time { return start }, Sleep: func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }}
	if err := Play(ctx, r, clock, func(context.Context, simulator.Message) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("want canceled, got %v", err)
	}
}

// shared finds the recordings that stand beside the project; they are not part
// of it (SKAB is under the GPL).
func shared(t *testing.T, path ...string) string {
	t.Helper()
	root := os.Getenv("FACILITYD_SHARED")
	for dir := "../../.."; root == "" && len(dir) < 40; dir += "/.." {
		if _, err := os.Stat(filepath.Join(dir, "shared", "data")); err == nil {
			root = filepath.Join(dir, "shared")
		}
	}
	if root == "" {
		return ""
	}
	return filepath.Join(append([]string{root, "data"}, path...)...)
}

// TestSKABRecordings reads every recording of the pump bench that is there
// through the shipped map: all rows become messages whose values are in the
// units of the roles.
func TestSKABRecordings(t *testing.T) {
	root := shared(t, "skab")
	if root == "" {
		t.Log("LEFT OUT: the SKAB recordings are not here; set FACILITYD_SHARED to where they are")
		return
	}
	text, err := os.ReadFile("../../../configs/replay/skab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", root, err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		r, list := NewReader(f, file, mustMap(t, string(text)), Options{Start: start})
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		n, last := 0, Timed{}
		for {
			m, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
			if m.Due < last.Due {
				t.Errorf("%s: %v after %v", file, m.Due, last.Due)
			}
			last = m
			if strings.Contains(m.Topic, "far-end") {
				continue
			}
			var v struct {
				Current     float64 `json:"current"`
				Flow        float64 `json:"flow"`
				Voltage     float64 `json:"voltage"`
				Temperature float64 `json:"motor_temp"`
			}
			if err := json.Unmarshal(m.Payload, &v); err != nil {
				t.Fatal(err)
			}
			// What the bench can do: up to 8 m³/h, a motor of some amperes on 230 V.
			if v.Flow < 0 || v.Flow > 10 || v.Current < -1 || v.Current > 10 || v.Voltage < 150 || v.Voltage > 300 || v.Temperature < 20 || v.Temperature > 120 {
				t.Fatalf("%s: %s", file, m.Payload)
			}
		}
		if n != 2*r.Rows || r.Skipped != 0 || r.Rows < 500 || last.Due < 8*time.Minute {
			t.Errorf("%s: %d messages of %d rows, %d skipped (%s), %v long", file, n, r.Rows, r.Skipped, r.Trouble, last.Due)
		}
		f.Close()
	}
	t.Logf("%d recordings", len(files))
}

func FuzzReader(f *testing.F) {
	f.Add("when;Unit;Amps;Flow;Note\n2024-03-01 08:00:00;1;4.50;100;x\n", false)
	f.Add("when,Unit,Amps,Flow,Note\n2024-03-01 08:00:00,\"1,4.50\n,100,x\n", true)
	f.Add("\ufeffwhen\tUnit\tAmps\tFlow\tNote\r\n9999-12-31 23:59:59\t\xff\t1e999\t0x10\t\x00\r\n", true)
	f.Fuzz(func(t *testing.T, csv string, comma bool) {
		m := mustMap(t, pumpMap)
		if comma {
			m.decimal = ","
		}
		r, list := NewReader(strings.NewReader(csv), "d.csv", m, Options{Start: start})
		if list.HasErrors() {
			return
		}
		due := time.Duration(0)
		for {
			msg, err := r.Next()
			if err != nil {
				return
			}
			if !json.Valid(msg.Payload) {
				t.Fatalf("not JSON: %s", msg.Payload)
			}
			if strings.ContainsAny(msg.Topic, "+#") || msg.Due < due {
				t.Fatalf("topic %q due %v after %v", msg.Topic, msg.Due, due)
			}
			due = msg.Due
		}
	})
}
