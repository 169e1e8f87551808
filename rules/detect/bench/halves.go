package bench

import (
	"math"
	"math/rand/v2"

	"github.com/facilityd/facilityd/rules/detect"
)

// Spread is a mean and a range over repetitions.
type Spread struct {
	Mean, Low, High float64
	Each            []float64
	Candidates      int // among which each half chose
}

// halfSeed fixes the eight random halves.
const halfSeed = 20260301

// Halves estimates what a choice made on some files is worth on others: on a random half of
// the files the best of a family of tunings (weights of the streams, threshold, rise) is
// chosen by its standard score, and scored on the other half; eight times.
//
// The family was thought of by people who had seen all these files, so this is an estimate
// of the cost of choosing numbers, not of having had the ideas.
//
// With every > 1 only each so many-th of the family is tried, which takes so much less time.
func Halves(files []*NABFile, every int) Spread {
	var tunings []detect.Tuning
	for i, t := range family() {
		if i%max(every, 1) == 0 {
			tunings = append(tunings, t)
		}
	}
	// The raw score at a given threshold is a sum over files, so one pass per tuning serves all halves.
	raw, _ := each(tunings, func(t detect.Tuning) ([]float64, error) {
		out := make([]float64, len(files))
		for i, f := range files {
			scores := signalScores(detect.Config{Tuning: &t}, f.Times, f.Values)
			out[i] = ScoreAt(files[i:i+1], [][]float64{scores}, Standard, 0.5).Raw
		}
		return out, nil
	})
	rng := rand.New(rand.NewPCG(halfSeed, 0))
	out := Spread{Low: math.Inf(1), High: math.Inf(-1), Candidates: len(tunings)}
	for range 8 {
		order := rng.Perm(len(files))
		choose, test := order[:len(order)/2], order[len(order)/2:]
		best, top := 0, math.Inf(-1)
		for k := range tunings {
			if s := sum(raw[k], choose); s > top {
				best, top = k, s
			}
		}
		windows := 0
		for _, i := range test {
			windows += len(files[i].Windows)
		}
		score := 100 * (sum(raw[best], test) + float64(windows)) / float64(2*windows)
		out.Each = append(out.Each, score)
		out.Mean += score / 8
		out.Low, out.High = min(out.Low, score), max(out.High, score)
	}
	return out
}

// family spans the neighbourhood of a design with all weights alike; the shipped tuning is
// in it as one of many.
func family() []detect.Tuning {
	var out []detect.Tuning
	base := detect.DefaultTuning()
	for k := range base.Weights {
		base.Weights[k] = 1
	}
	add := func(w [detect.Streams]float64) {
		total := 0.0
		for _, x := range w {
			total += x
		}
		for _, threshold := range []float64{1.2, 1.35, 1.5} {
			for _, rise := range []float64{0.08, 0.12} {
				t := base
				t.Weights = w
				t.Threshold = threshold * total
				t.Rise = rise * t.Threshold
				out = append(out, t)
			}
		}
	}
	add(base.Weights)
	for k := range base.Weights {
		for _, x := range []float64{0, 2} {
			w := base.Weights
			w[k] = x
			add(w)
		}
	}
	return out
}

func sum(v []float64, idx []int) float64 {
	total := 0.0
	for _, i := range idx {
		total += v[i]
	}
	return total
}
