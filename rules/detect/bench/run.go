package bench

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/facilityd/facilityd/rules/detect"
)

// Paths are the ways in which rows become verdicts. The defaults call the detectors; the
// daemon gives its own way of the data, so that what is measured is what runs.
type Paths struct {
	// Signal gives the score of every row of one point.
	Signal func(times []int64, values []float64) ([]float64, error)
	// Joint gives the verdict on every row of several points.
	Joint func(times []int64, rows [][]float64) ([]bool, error)
	// Change marks the rows at which several points step.
	Change func(times []int64, rows [][]float64) ([]bool, error)
}

// Options of [Run].
type Options struct {
	Paths Paths
	// Halves also estimates what to expect on files that nobody tuned on, from each so
	// many-th of a family of tunings: 1 tries all, which takes a minute; 0 leaves it out.
	Halves int
	// Synthetic also runs the seeded suite with this seed; 0 leaves it out.
	Synthetic uint64
}

// Report holds what [Run] printed.
type Report struct {
	NAB       map[string]NABScore // by profile
	Outliers  Outliers
	Shifted   map[int]Outliers // by rows dropped
	Changes   Changes
	Quiet     Quiet
	Halves    Spread
	Cost      Cost
	Synthetic []Case
}

// Quiet is what the joint detector says of the bench's long run without a fault.
type Quiet struct {
	Rows, Anomalous, Episodes int
	Hours                     float64
}

// ErrNoData says that the labelled data are not where they were looked for.
var ErrNoData = errors.New("labelled data are not there")

// Shared is where the labelled data are looked for: the environment variable
// FACILITYD_SHARED, else the directory "shared" beside the root of the repository, which is
// found from dir upwards by its go.mod.
func Shared(dir string) string {
	if s := os.Getenv("FACILITYD_SHARED"); s != "" {
		return s
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "../shared"
		}
		dir = parent
	}
}

// Dropped are the numbers of first rows that the shifted versions of the pump bench lack.
var Dropped = []int{50, 100, 150}

// Run measures everything on the labelled data below shared and prints the tables to w.
func Run(w io.Writer, shared string, opts Options) (Report, error) {
	nabDir, skabDir := filepath.Join(shared, "data", "nab"), filepath.Join(shared, "data", "skab")
	if _, err := os.Stat(nabDir); errors.Is(err, fs.ErrNotExist) {
		return Report{}, fmt.Errorf("%w: no %s (set FACILITYD_SHARED)", ErrNoData, nabDir)
	}
	series, err := LoadNAB(nabDir)
	if err != nil {
		return Report{}, err
	}
	runs, err := LoadSKAB(skabDir)
	if err != nil {
		return Report{}, err
	}
	opts.Paths.fill()
	rep := Report{NAB: map[string]NABScore{}, Shifted: map[int]Outliers{}}
	p := printer{w: w}
	if err := runNAB(&p, series, opts.Paths, &rep); err != nil {
		return rep, err
	}
	if opts.Halves > 0 {
		rep.Halves = Halves(series, opts.Halves)
		p.halves(rep.Halves)
	}
	if err := runSKAB(&p, runs, opts.Paths, &rep); err != nil {
		return rep, err
	}
	if err := runQuiet(&p, skabDir, opts.Paths, &rep); err != nil {
		return rep, err
	}
	rep.Cost = Measure(series, runs)
	p.cost(rep.Cost)
	if opts.Synthetic != 0 {
		rep.Synthetic = Synthetic(opts.Synthetic)
		p.synthetic(opts.Synthetic, rep.Synthetic)
	}
	return rep, p.err
}

func runNAB(p *printer, files []*NABFile, paths Paths, rep *Report) error {
	scores, err := each(files, func(f *NABFile) ([]float64, error) { return paths.Signal(f.Times, f.Values) })
	if err != nil {
		return err
	}
	shipped := map[string]NABScore{}
	for _, profile := range NABProfiles() {
		rep.NAB[profile.Name] = ScoreNAB(files, scores, profile)
		shipped[profile.Name] = ScoreAt(files, scores, profile, 0.5)
	}
	p.nab(files, scores, rep.NAB, shipped)
	return nil
}

func runSKAB(p *printer, files []*SKABFile, paths Paths, rep *Report) error {
	joint := func(f *SKABFile) ([]bool, error) { return paths.Joint(f.Times, f.Rows) }
	verdicts, err := each(files, joint)
	if err != nil {
		return err
	}
	rep.Outliers = ScoreOutliers(files, verdicts)
	for _, d := range Dropped {
		shifted := make([]*SKABFile, len(files))
		for i, f := range files {
			shifted[i] = f.Drop(d)
		}
		v, err := each(shifted, joint)
		if err != nil {
			return err
		}
		rep.Shifted[d] = ScoreOutliers(shifted, v)
	}
	steps, err := each(files, func(f *SKABFile) ([]bool, error) { return paths.Change(f.Times, f.Rows) })
	if err != nil {
		return err
	}
	rep.Changes = ScoreChanges(files, steps)
	p.skab(files, verdicts, rep)
	return nil
}

func runQuiet(p *printer, dir string, paths Paths, rep *Report) error {
	f, err := loadSKABFile(filepath.Join(dir, "anomaly-free", "anomaly-free.csv"))
	if err != nil {
		return err
	}
	verdicts, err := paths.Joint(f.Times, f.Rows)
	if err != nil {
		return err
	}
	q := Quiet{Rows: len(verdicts), Hours: float64(f.Times[len(f.Times)-1]-f.Times[0]) / 3.6e12}
	for i, v := range verdicts {
		if v {
			q.Anomalous++
			if i == 0 || !verdicts[i-1] {
				q.Episodes++
			}
		}
	}
	rep.Quiet = q
	p.quiet(q)
	return nil
}

// each runs f over all files, two at a time, and keeps their order.
func each[F, T any](files []F, f func(F) (T, error)) ([]T, error) {
	out := make([]T, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i := range files {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			out[i], errs[i] = f(files[i])
		}()
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

func (p *Paths) fill() {
	if p.Signal == nil {
		p.Signal = func(times []int64, values []float64) ([]float64, error) {
			return signalScores(detect.Config{}, times, values), nil
		}
	}
	if p.Joint == nil {
		p.Joint = func(times []int64, rows [][]float64) ([]bool, error) {
			j, err := detect.NewJoint(detect.Config{Train: SKABTrain}, len(rows[0]))
			if err != nil {
				return nil, err
			}
			out := make([]bool, len(rows))
			for i, row := range rows {
				out[i] = j.AddUnix(times[i], row).Anomalous
			}
			return out, nil
		}
	}
	if p.Change == nil {
		p.Change = func(times []int64, rows [][]float64) ([]bool, error) {
			c, err := detect.NewChange(detect.Config{Train: SKABTrain}, len(rows[0]))
			if err != nil {
				return nil, err
			}
			out := make([]bool, len(rows))
			for i, row := range rows {
				out[i] = c.AddUnix(times[i], row).Onset
			}
			return out, nil
		}
	}
}

func signalScores(cfg detect.Config, times []int64, values []float64) []float64 {
	s := detect.NewSignal(cfg)
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = s.AddUnix(times[i], v).Score
	}
	return out
}
