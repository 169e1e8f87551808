package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/detect"
	"github.com/facilityd/facilityd/rules/detect/bench"
)

// benchRoles stand in for the channels of the labelled files; which they are does not
// matter to a detector.
var benchRoles = []string{"vibration_rms", "vibration_acceleration", "current", "pressure", "bearing_temp", "winding_temp", "voltage", "flow"}

// throughEngine puts rows through an engine with one rule as readings, one message a
// row, and gives what the detector made of each. A row whose time does not lie after
// the one before is late for the engine, and no row.
func throughEngine(condition string, times []int64, rows [][]float64) ([]rules.DetectorView, error) {
	text := "rules:\n  - {id: watch, title: {en: watch}, class: pump, fault_class: pump.bearing, source: {text: test, mark: j}, severity: low, when: \"" + condition + "\"}\n"
	set, list := rules.Load([]rules.File{{Name: "watch.yaml", Data: []byte(text)}}, rules.LoadOptions{})
	if err := list.Err(); err != nil {
		return nil, err
	}
	reg := devices.NewRegistry()
	dev := reg.Add(devices.Device{ID: "pump", Class: "pump"})
	var points []*devices.Point
	for _, name := range benchRoles[:len(rows[0])] {
		r := devices.RoleByName(name)
		points = append(points, reg.AddPoint(dev, devices.Point{Name: name, Role: name, Unit: r.Unit, Kind: r.Kind}))
	}
	engine := rules.NewEngine(set, &devices.Site{ID: "bench", Location: time.UTC}, reg)
	out := make([]rules.DetectorView, len(rows))
	readings := make([]devices.Reading, len(points))
	for k, row := range rows {
		for c, p := range points {
			readings[c] = devices.Reading{Point: p, Time: times[k], Value: row[c]}
		}
		engine.Apply(&devices.Record{Seq: uint64(k + 1), Site: "bench", Kind: devices.Messages, Time: times[k], Connection: "c"}, readings)
		if v := engine.Detectors("pump"); len(v) == 1 && v[0].At == times[k] {
			out[k] = v[0]
		}
	}
	return out, nil
}

func condition(function string, channels int) string {
	return function + "(" + strings.Join(benchRoles[:channels], ", ") + ")"
}

// enginePaths is the daemon's own way: readings into the engine. In the 37 public files of
// the Numenta benchmark a few rows repeat a time or go back an hour with daylight saving;
// the engine takes them for late and they get no score, which the detectors called directly
// would give them. Steps of several points are not part of the rule language, and go to the
// detector.
func enginePaths() bench.Paths {
	return bench.Paths{
		Signal: func(times []int64, values []float64) ([]float64, error) {
			rows := make([][]float64, len(values))
			for k := range values {
				rows[k] = values[k : k+1]
			}
			views, err := throughEngine(condition("anomaly", 1), times, rows)
			out := make([]float64, len(views))
			for k, v := range views {
				out[k] = v.Score
			}
			return out, err
		},
		Joint: func(times []int64, rows [][]float64) ([]bool, error) {
			views, err := throughEngine(condition("anomaly", len(rows[0])), times, rows)
			out := make([]bool, len(views))
			last := false
			for k, v := range views {
				if v.At != 0 { // else a row at a time that was told already
					last = v.Anomalous
				}
				out[k] = last
			}
			return out, err
		},
	}
}

// TestEngineJudgesAsTheDetectorsDo: what goes through the engine as readings comes out
// as when the detectors are called, bit for bit, on labelled files of both kinds.
func TestEngineJudgesAsTheDetectorsDo(t *testing.T) {
	shared := bench.Shared(".")
	series, err := bench.LoadNAB(shared + "/data/nab")
	if errors.Is(err, os.ErrNotExist) {
		fmt.Println("LABELLED DATA LEFT OUT: they are not there; nothing was compared")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	runs, err := bench.LoadSKAB(shared + "/data/skab")
	if err != nil {
		t.Fatal(err)
	}
	compared, left := 0, 0
	judge := func(name string, times []int64, rows [][]float64, direct func(int64, []float64) detect.Verdict) {
		t.Helper()
		views, err := throughEngine(condition("anomaly", len(rows[0])), times, rows)
		if err != nil {
			t.Fatal(err)
		}
		newest := int64(math.MinInt64)
		for k, v := range views {
			if times[k] <= newest {
				left++
				continue
			}
			newest = times[k]
			compared++
			want := direct(times[k], rows[k])
			if v.Known != want.Known || v.Anomalous != want.Anomalous || v.Onset != want.Onset || v.Score != want.Score || v.Strength != want.Strength {
				t.Fatalf("%s row %d: %+v through the engine, %+v directly", name, k, v, want)
			}
		}
	}
	for _, f := range series[:6] {
		s := detect.NewSignal(detect.Config{Location: time.UTC})
		rows := make([][]float64, len(f.Values))
		for k := range rows {
			rows[k] = f.Values[k : k+1]
		}
		judge(f.Name, f.Times, rows, func(t int64, row []float64) detect.Verdict { return s.AddUnix(t, row[0]) })
	}
	for _, f := range runs[:3] {
		j, err := detect.NewJoint(detect.Config{}, len(f.Channels))
		if err != nil {
			t.Fatal(err)
		}
		judge(f.Name, f.Times, f.Rows, j.AddUnix)
	}
	t.Logf("%d rows agree; %d repeat a time or go back", compared, left)
	if compared < 10_000 {
		t.Errorf("only %d rows were compared", compared)
	}
}

// BenchmarkDetectionThroughEngine prints the tables of the labelled files for the
// daemon's own way of the data.
func BenchmarkDetectionThroughEngine(b *testing.B) {
	for range b.N {
		rep, err := bench.Run(os.Stdout, bench.Shared("."), bench.Options{Paths: enginePaths()})
		if errors.Is(err, bench.ErrNoData) {
			fmt.Printf("LABELLED DATA LEFT OUT: %v; nothing was measured on them\n", err)
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(rep.NAB[bench.Standard.Name].Normalised, "nab-standard")
		b.ReportMetric(rep.Outliers.F1(), "skab-f1")
		b.ReportMetric(rep.Outliers.FAR(), "skab-far-%")
	}
}
