package bench

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// SKABFile is one labelled run of the Skoltech pump bench.
type SKABFile struct {
	Name     string // "valve1/3"
	Group    string // first part of Name
	Channels []string
	Times    []int64 // ns
	Rows     [][]float64
	Anomaly  []bool
	Change   []bool
}

// SKABTrain is the number of first rows of a run that are given as normal and not scored.
const SKABTrain = 400

// LoadSKAB reads the labelled runs below dir (valve1, valve2, other), in the order of the published scorer.
func LoadSKAB(dir string) ([]*SKABFile, error) {
	var files []*SKABFile
	for _, group := range []string{"valve1", "valve2", "other"} {
		paths, err := filepath.Glob(filepath.Join(dir, group, "*.csv"))
		if err != nil {
			return nil, fmt.Errorf("list SKAB runs: %w", err)
		}
		sort.Slice(paths, func(i, j int) bool { return number(paths[i]) < number(paths[j]) })
		for _, p := range paths {
			f, err := loadSKABFile(p)
			if err != nil {
				return nil, err
			}
			f.Group = group
			f.Name = fmt.Sprintf("%s/%d", group, number(p))
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no SKAB runs below %s", dir)
	}
	return files, nil
}

func number(path string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".csv"))
	return n
}

func loadSKABFile(path string) (*SKABFile, error) {
	fh, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open SKAB run: %w", err)
	}
	defer fh.Close()
	r := csv.NewReader(fh)
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read SKAB run %s: %w", path, err)
	}
	f := &SKABFile{Channels: rows[0][1:9]}
	for i, row := range rows[1:] {
		t, err := time.Parse("2006-01-02 15:04:05", row[0])
		if err != nil {
			return nil, fmt.Errorf("%s row %d: %w", path, i+2, err)
		}
		var v [10]float64
		for k := range min(10, len(row)-1) {
			if v[k], err = strconv.ParseFloat(row[k+1], 64); err != nil {
				return nil, fmt.Errorf("%s row %d: %w", path, i+2, err)
			}
		}
		f.Times = append(f.Times, t.UnixNano())
		f.Rows = append(f.Rows, append([]float64(nil), v[:8]...))
		f.Anomaly = append(f.Anomaly, v[8] == 1)
		f.Change = append(f.Change, v[9] == 1)
	}
	return f, nil
}

// Drop returns the run without its first d rows: the shifted version that a clock fails.
func (f *SKABFile) Drop(d int) *SKABFile {
	g := *f
	g.Times, g.Rows, g.Anomaly, g.Change = f.Times[d:], f.Rows[d:], f.Anomaly[d:], f.Change[d:]
	return &g
}

// Outliers counts verdicts against labels over all test rows of all runs.
type Outliers struct {
	TP, FP, FN, TN int
}

// F1 is the harmonic mean of precision and recall.
func (o Outliers) F1() float64 {
	if o.TP == 0 {
		return 0
	}
	return float64(o.TP) / (float64(o.TP) + float64(o.FN+o.FP)/2)
}

// FAR is the share of normal rows that were called anomalous, in percent.
func (o Outliers) FAR() float64 { return 100 * float64(o.FP) / float64(max(1, o.FP+o.TN)) }

// MAR is the share of anomalous rows that were called normal, in percent.
func (o Outliers) MAR() float64 { return 100 * float64(o.FN) / float64(max(1, o.FN+o.TP)) }

// ScoreOutliers pools the verdicts (one per row, the training rows too) of the runs.
func ScoreOutliers(files []*SKABFile, verdicts [][]bool) Outliers {
	var o Outliers
	for k, f := range files {
		for i := SKABTrain; i < len(f.Rows); i++ {
			switch y, p := f.Anomaly[i], verdicts[k][i]; {
			case y && p:
				o.TP++
			case y:
				o.FN++
			case p:
				o.FP++
			default:
				o.TN++
			}
		}
	}
	return o
}

// Changes is what a set of change-point detections earns.
type Changes struct {
	Standard, LowFP, LowFN float64
	Points, Missed         int
	False                  int
	Delay                  float64 // mean seconds from a change point to its first detection
}

type changeCost struct{ tp, fp, fn float64 }

// changeWindow is how long after a change point a detection still counts, in seconds.
const changeWindow = 60

// positionScore is the value of a detection at relative position f of its window.
func positionScore(f float64, c changeCost) float64 {
	e := min(int(f*1000), 999)
	x := -math.Pi/2 + math.Pi*float64(e)/999
	return (c.tp-c.fp)/2*-math.Tanh(x)/math.Tanh(math.Pi/2) + (c.tp-c.fp)/2 + c.fp
}

// ScoreChanges scores detections (one flag per row, the training rows too).
func ScoreChanges(files []*SKABFile, detected [][]bool) Changes {
	costs := [3]changeCost{{1, -0.11, -1}, {1, -0.22, -1}, {1, -0.11, -2}}
	var sum, null, perfect [3]float64
	var out Changes
	delay, found := 0.0, 0
	for k, f := range files {
		type span struct{ from, to float64 }
		var windows []span
		var hits []float64
		for i := SKABTrain; i < len(f.Rows); i++ {
			sec := float64(f.Times[i]) / 1e9
			if f.Change[i] {
				windows = append(windows, span{sec, sec + changeWindow})
			}
			if detected[k][i] {
				hits = append(hits, sec)
			}
		}
		for i := 0; i+1 < len(windows); i++ {
			if windows[i].to >= windows[i+1].from {
				windows[i+1].from = windows[i].to
			}
		}
		first := make([]float64, len(windows))
		for i := range first {
			first[i] = math.NaN()
		}
		false_ := 0
		for _, h := range hits {
			in := false
			for i, w := range windows {
				if h >= w.from && h <= w.to {
					in = true
					if math.IsNaN(first[i]) {
						first[i] = h
					}
				}
			}
			if !in {
				false_++
			}
		}
		out.False += false_
		out.Points += len(windows)
		for p, c := range costs {
			sum[p] += c.fp * float64(false_)
			null[p] += c.fn * float64(len(windows))
			perfect[p] += c.tp * float64(len(windows))
		}
		for i, w := range windows {
			if math.IsNaN(first[i]) {
				out.Missed++
				for p, c := range costs {
					sum[p] += c.fn
				}
				continue
			}
			found++
			delay += first[i] - w.from
			pos := 0.0
			if w.to > w.from {
				pos = (first[i] - w.from) / (w.to - w.from)
			}
			for p, c := range costs {
				sum[p] += positionScore(pos, c)
			}
		}
	}
	norm := func(p int) float64 {
		if perfect[p] == null[p] {
			return 0
		}
		return 100 * (sum[p] - null[p]) / (perfect[p] - null[p])
	}
	out.Standard, out.LowFP, out.LowFN = norm(0), norm(1), norm(2)
	if found > 0 {
		out.Delay = delay / float64(found)
	}
	return out
}
