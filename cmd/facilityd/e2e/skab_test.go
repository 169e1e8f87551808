package e2e

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/history/influxtest"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// The recording: a pump test bench whose rotor is thrown out of balance after
// nine and a half minutes, for nearly seven.
const imbalance = "skab/other/9.csv"

// limits of the rule on it, in m/s²; the bench measures in g.
const (
	shaking, calm = 4.0, 3.0
	held          = 30 * time.Second
	gravity       = 9.80665
)

const benchRule = `
rules:
  - id: bench-imbalance
    title: {en: The bench shakes, zh: 台架振动}
    fault_class: pump.bearing
    class: pump
    source: {text: "the recording itself, which is calm below 0.27 g and shakes above 0.5 g", mark: j}
    severity: high
    when: vibration_acceleration > 4 m/s2
    for: 30s
    clear: vibration_acceleration < 3 m/s2
    clear_for: 30s
`

// Two accelerometers look at one pump: what both find is one job.
const benchSite = `
site: bench
name: {en: Test bench, zh: 试验台}
assets:
  - {id: pump, class: pump, name: {en: The bench, zh: 台架}}
devices:
  - {id: skab, asset: pump}
  - {id: skab-far-end, asset: pump}
`

// TestAPumpBenchOpensOneWorkOrder is the main job on real input: telemetry of a
// real pump, through a real broker, into the built daemon.
func TestAPumpBenchOpensOneWorkOrder(t *testing.T) {
	rows := readBench(t)
	influx := influxtest.Start(t)
	bucket := influx.Bucket(t)
	broker := mosquittotest.Start(t, mosquittotest.Options{})

	// Sixty recorded seconds in one: the daemon runs on a clock as fast.
	const speed = 60
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	dir := write(t, map[string]string{
		"rules/bench.yaml": benchRule,
		"site.yaml":        benchSite,
		"facilityd.yaml": fmt.Sprintf(`
data: {{dir}}/data
listen: 127.0.0.1:0
sites: [site.yaml]
clock: {kind: estate, start: %q, factor: %d}
broker: {url: %q}
rules: {dir: rules, shipped: false}
influxdb: {url: %q, org: %s, bucket: %s, token: %q}
`, start.Format(time.RFC3339), speed, broker.URL(), influx.URL, influxtest.Org, bucket, influx.Token),
	})
	d := Start(t, program, "run", "--config", filepath.Join(dir, "facilityd.yaml"))

	replay := exec.Command(program, "replay", "--csv", filepath.Join(recordings(t), imbalance),
		"--map", "../../../configs/replay/skab.yaml", "--broker", broker.URL(),
		"--estate-clock", "--speed", fmt.Sprintf("%dx", speed), "--start", start.Format(time.RFC3339))
	if out, err := replay.CombinedOutput(); err != nil {
		t.Fatalf("replay: %v\n%s", err, out)
	}

	// What the data say, worked out here from the file alone.
	estate := func(row int) time.Time { return start.Add(rows[row].at.Sub(rows[0].at)) }
	onset, end := shakes(t, rows, 0)
	farOnset, farEnd := shakes(t, rows, 1)
	began, calmAt := estate(min(onset, farOnset)), estate(max(end, farEnd))

	type order struct {
		Asset      string    `json:"asset"`
		FaultClass string    `json:"fault_class"`
		Rule       string    `json:"rule"`
		Tier       string    `json:"tier"`
		Onset      time.Time `json:"onset"`
		Holds      bool      `json:"holds"`
	}
	var orders []order
	d.Until("the fault is over", func() bool {
		orders = All[order](d, "/api/v1/work-orders", nil)
		return len(orders) > 0 && !orders[0].Holds
	})
	if len(orders) != 1 {
		t.Fatalf("%d work orders were opened, want 1: %+v", len(orders), orders)
	}
	o := orders[0]
	if o.Asset != "pump" || o.FaultClass != "pump.bearing" || o.Rule != "bench-imbalance" || o.Tier != "P2" || !o.Onset.Equal(began) {
		t.Errorf("got %+v, want pump.bearing on pump since %v", o, began)
	}

	type episode struct {
		Phase     string    `json:"phase"`
		Onset     time.Time `json:"onset"`
		ActiveAt  time.Time `json:"active_at"`
		ClearedAt time.Time `json:"cleared_at"`
	}
	episodes := All[episode](d, "/api/v1/episodes", nil)
	if len(episodes) != 1 || episodes[0].Phase != "cleared" || !episodes[0].ActiveAt.Equal(began.Add(held)) {
		t.Errorf("episodes: %+v, want one that became active at %v and was cleared", episodes, began.Add(held))
	} else if !episodes[0].ClearedAt.Equal(calmAt.Add(held)) {
		t.Errorf("cleared at %v, want %v", episodes[0].ClearedAt, calmAt.Add(held))
	}

	// Every row is in InfluxDB, with its value.
	d.Until("all rows are in InfluxDB", func() bool {
		return influx.Count(t, bucket, "pump", "motor_temp") == len(rows)
	})
	stored := influx.Query(t, fmt.Sprintf(`from(bucket: %q) |> range(start: 0, stop: 2100-01-01T00:00:00Z)
	|> filter(fn: (r) => r._measurement == "pump" and r._field == "vibration_acceleration" and r.device == "skab" and r.site == "bench")
	|> sort(columns: ["_time"])`, bucket))
	if len(stored) != len(rows) {
		t.Fatalf("%d values are in InfluxDB, want %d", len(stored), len(rows))
	}
	for i, row := range stored {
		at, value := estate(i), rows[i].acceleration[0]
		if got := row["_value"].(float64); !row["_time"].(time.Time).Equal(at) || math.Abs(got-value) > 1e-8*value {
			t.Fatalf("row %d is %v at %v in InfluxDB, want %v at %v", i, got, row["_time"], value, at)
		}
	}
	if err := d.Stop(); err != nil {
		t.Errorf("facilityd ended with %v", err)
	}
}

// benchRow is what the test itself reads of the recording.
type benchRow struct {
	at           time.Time
	acceleration [2]float64 // m/s², near and far end
}

func readBench(t *testing.T) []benchRow {
	t.Helper()
	f, err := os.Open(filepath.Join(recordings(t), imbalance))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = ';'
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []benchRow
	for _, l := range lines[1:] {
		at, err := time.Parse("2006-01-02 15:04:05", l[0])
		if err != nil {
			t.Fatal(err)
		}
		row := benchRow{at: at}
		for i := range row.acceleration {
			g, err := strconv.ParseFloat(l[1+i], 64)
			if err != nil {
				t.Fatal(err)
			}
			row.acceleration[i] = g * gravity
		}
		rows = append(rows, row)
	}
	return rows
}

// shakes returns the row at which the only stretch of a sensor begins that stays
// above the limit for as long as the rule asks, and the first row after it that
// stays calm.
func shakes(t *testing.T, rows []benchRow, sensor int) (onset, end int) {
	t.Helper()
	stays := func(from int, ok func(float64) bool) bool {
		for i := from; i < len(rows); i++ {
			if !ok(rows[i].acceleration[sensor]) {
				return false
			}
			if rows[i].at.Sub(rows[from].at) >= held {
				return true
			}
		}
		return false
	}
	above := func(v float64) bool { return v > shaking }
	below := func(v float64) bool { return v < calm }
	onset = -1
	for i := range rows {
		switch {
		case onset < 0 && stays(i, above):
			onset = i
		case onset >= 0 && end == 0 && stays(i, below):
			end = i
		case end > 0 && stays(i, above):
			t.Fatal("the recording shakes twice")
		}
	}
	if onset < 0 || end == 0 {
		t.Fatal("the recording does not shake and calm down")
	}
	return onset, end
}
