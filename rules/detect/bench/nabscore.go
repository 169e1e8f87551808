package bench

import (
	"math"
	"slices"
	"sort"
)

// Profile is a set of costs under which the Numenta benchmark is scored.
type Profile struct {
	Name       string
	TP, FP, FN float64
}

// The three profiles of the benchmark.
var (
	Standard = Profile{"standard", 1, 0.11, 1}
	LowFP    = Profile{"reward_low_FP_rate", 1, 0.22, 1}
	LowFN    = Profile{"reward_low_FN_rate", 1, 0.11, 2}
)

// NABProfiles are the profiles in the order of the published tables.
func NABProfiles() []Profile { return []Profile{Standard, LowFP, LowFN} }

// NABScore is what a set of score series earns under one profile.
type NABScore struct {
	Threshold  float64
	Raw        float64
	Normalised float64 // 0 = says nothing, 100 = perfect
	Hit        int     // windows found
	Missed     int     // windows not found
	FalseRows  int     // detected rows outside all windows
	Windows    int
	Lead       float64 // mean position of the first detection in a found window, 0 = left edge, 1 = right edge
}

// maxSigmoid scales a detection at the left edge of a window to 1.
var maxSigmoid = sigmoid(-1)

type nabRow struct {
	score, value float64
	window       int
}

// Optimise returns the one threshold for all files that maximises the raw score,
// with 1.1 (nothing detected) when no threshold earns more than silence.
func Optimise(files []*NABFile, scores [][]float64, p Profile) float64 {
	var rows []nabRow
	windows := 0
	for k, f := range files {
		for i, s := range scores[k] {
			switch w := f.window[i]; w {
			case probation:
			case outside:
				rows = append(rows, nabRow{s, f.weight[i] * p.FP, outside})
			default:
				rows = append(rows, nabRow{s, f.weight[i] * p.TP / maxSigmoid, windows + w})
			}
		}
		windows += len(f.Windows)
	}
	scored := make([]bool, windows)
	for _, r := range rows {
		if r.window >= 0 {
			scored[r.window] = true
		}
	}
	best := make([]float64, windows)
	total := 0.0
	for w := range best {
		best[w] = -p.FN
		if scored[w] {
			total -= p.FN
		}
	}
	slices.SortStableFunc(rows, func(a, b nabRow) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	threshold, top := 1.1, total
	for i, r := range rows {
		if r.window == outside {
			total += r.value
		} else if r.value > best[r.window] {
			total += r.value - best[r.window]
			best[r.window] = r.value
		}
		if (i+1 == len(rows) || rows[i+1].score != r.score) && total > top {
			threshold, top = r.score, total
		}
	}
	return threshold
}

// ScoreAt scores the files at a given threshold.
func ScoreAt(files []*NABFile, scores [][]float64, p Profile, threshold float64) NABScore {
	out := NABScore{Threshold: threshold}
	lead := 0.0
	for k, f := range files {
		value := make([]float64, len(f.Windows))
		first := make([]int, len(f.Windows))
		exists := make([]bool, len(f.Windows))
		for w := range value {
			value[w], first[w] = math.Inf(-1), -1
		}
		for i, s := range scores[k] {
			w := f.window[i]
			if w == probation {
				continue
			}
			if w >= 0 {
				exists[w] = true
			}
			if s < threshold {
				continue
			}
			if w == outside {
				out.Raw += p.FP * f.weight[i]
				out.FalseRows++
				continue
			}
			if first[w] < 0 {
				first[w] = i
			}
			value[w] = max(value[w], f.weight[i]*p.TP/maxSigmoid)
		}
		out.Windows += len(f.Windows)
		for w := range value {
			switch {
			case !exists[w]:
			case first[w] < 0:
				out.Missed++
				out.Raw -= p.FN
			default:
				out.Hit++
				out.Raw += max(value[w], -p.FN)
				a, b := f.Windows[w][0], f.Windows[w][1]
				lead += float64(first[w]-a) / float64(b-a+1)
			}
		}
	}
	if out.Hit > 0 {
		out.Lead = lead / float64(out.Hit)
	}
	null := -p.FN * float64(out.Windows)
	if perfect := p.TP * float64(out.Windows); perfect > null {
		out.Normalised = 100 * (out.Raw - null) / (perfect - null)
	}
	return out
}

// ScoreNAB optimises the threshold and scores, as the published rows do.
func ScoreNAB(files []*NABFile, scores [][]float64, p Profile) NABScore {
	return ScoreAt(files, scores, p, Optimise(files, scores, p))
}

// ByCategory splits a score by category, each with its own windows, at the given common threshold.
func ByCategory(files []*NABFile, scores [][]float64, p Profile, threshold float64) map[string]NABScore {
	group := map[string][]int{}
	for i, f := range files {
		group[f.Category] = append(group[f.Category], i)
	}
	out := make(map[string]NABScore, len(group))
	for name, idx := range group {
		fs := make([]*NABFile, len(idx))
		ss := make([][]float64, len(idx))
		for j, i := range idx {
			fs[j], ss[j] = files[i], scores[i]
		}
		out[name] = ScoreAt(fs, ss, p, threshold)
	}
	return out
}

// Categories lists the categories present, sorted.
func Categories(files []*NABFile) []string {
	var names []string
	for _, f := range files {
		if !slices.Contains(names, f.Category) {
			names = append(names, f.Category)
		}
	}
	sort.Strings(names)
	return names
}
