package bench_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/facilityd/facilityd/rules/detect"
	"github.com/facilityd/facilityd/rules/detect/bench"
)

// pythonDriver scores the given series with the independent scorers that stand beside the
// labelled data, and answers in JSON.
const pythonDriver = `
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, nab_score, skab_score
given = json.load(open(sys.argv[2]))
out = {}
files = nab_score.prepare(nab_score.load_corpus(sys.argv[3]))
res = nab_score.evaluate(files, [np.array(given['nab'][f.name]) for f in files])
for p, r in res.items():
    out['nab ' + p] = [r['norm'], r['thr'], r['tp'], r['fprows']]
out['nab categories'] = [c[6] for c in nab_score.category(files, res) if c[6] is not None]
runs = skab_score.load(sys.argv[4])
preds = [np.array(given['joint'][f.name[:-4]][400:]) for f in runs]
steps = [np.array(given['change'][f.name[:-4]][400:]) for f in runs]
b = skab_score.binary(runs, preds)
out['skab outliers'] = [b['F1'], b['FAR'], b['MAR'], b['TP'], b['FP']]
for name, cps in (('steps', steps), ('edges', [skab_score.cp_from_binary(p) for p in preds])):
    c = skab_score.nab(runs, cps)
    out['skab ' + name] = [c['Standard'], c['LowFP'], c['LowFN'], c['missed'], c['FPs'], c['cps'], c['delay']]
print(json.dumps(out, default=float))
`

// TestGoScorersAgreeWithPython compares both scorers on the same verdicts to three decimals.
func TestGoScorersAgreeWithPython(t *testing.T) {
	shared := bench.Shared(".")
	nabDir, skabDir := filepath.Join(shared, "data", "nab"), filepath.Join(shared, "data", "skab")
	scorers := filepath.Join(shared, "scorers")
	if _, err := os.Stat(scorers); errors.Is(err, os.ErrNotExist) {
		fmt.Printf("LABELLED DATA LEFT OUT: no %s; the scorers were not compared\n", scorers)
		t.Logf("no %s", scorers)
		return
	}
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import numpy").CombinedOutput(); err != nil {
		fmt.Printf("PYTHON LEFT OUT: numpy is not importable (package python3-numpy); the scorers were not compared\n")
		t.Logf("%v: %s", err, out)
		return
	}
	series, err := bench.LoadNAB(nabDir)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := bench.LoadSKAB(skabDir)
	if err != nil {
		t.Fatal(err)
	}
	type given struct {
		NAB    map[string][]float64 `json:"nab"`
		Joint  map[string][]int     `json:"joint"`
		Change map[string][]int     `json:"change"`
	}
	g := given{map[string][]float64{}, map[string][]int{}, map[string][]int{}}
	want := map[string][]float64{}

	scores := make([][]float64, len(series))
	for i, f := range series {
		s := detect.NewSignal(detect.Config{})
		for k, v := range f.Values {
			scores[i] = append(scores[i], s.AddUnix(f.Times[k], v).Score)
		}
		g.NAB[f.Name] = scores[i]
	}
	for _, p := range bench.NABProfiles() {
		r := bench.ScoreNAB(series, scores, p)
		want["nab "+p.Name] = []float64{r.Normalised, r.Threshold, float64(r.Hit), float64(r.FalseRows)}
	}
	threshold := bench.Optimise(series, scores, bench.Standard)
	byCategory := bench.ByCategory(series, scores, bench.Standard, threshold)
	for _, c := range bench.Categories(series) {
		if s := byCategory[c]; s.Windows > 0 {
			want["nab categories"] = append(want["nab categories"], math.Round(10*s.Normalised)/10)
		}
	}
	var verdicts, steps, edges [][]bool
	for _, f := range runs {
		j, err := detect.NewJoint(detect.Config{}, len(f.Channels))
		if err != nil {
			t.Fatal(err)
		}
		c, err := detect.NewChange(detect.Config{}, len(f.Channels))
		if err != nil {
			t.Fatal(err)
		}
		var v, s, e []bool
		for k, row := range f.Rows {
			v = append(v, j.AddUnix(f.Times[k], row).Anomalous)
			s = append(s, c.AddUnix(f.Times[k], row).Onset)
			e = append(e, k > 0 && k != bench.SKABTrain && v[k] != v[k-1] || k == bench.SKABTrain && v[k])
		}
		verdicts, steps, edges = append(verdicts, v), append(steps, s), append(edges, e)
		g.Joint[f.Name], g.Change[f.Name] = bits(v), bits(s)
	}
	o := bench.ScoreOutliers(runs, verdicts)
	want["skab outliers"] = []float64{o.F1(), o.FAR(), o.MAR(), float64(o.TP), float64(o.FP)}
	for name, marks := range map[string][][]bool{"steps": steps, "edges": edges} {
		c := bench.ScoreChanges(runs, marks)
		want["skab "+name] = []float64{c.Standard, c.LowFP, c.LowFN, float64(c.Missed), float64(c.False), float64(c.Points), c.Delay}
	}

	input := filepath.Join(t.TempDir(), "given.json")
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(input, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", pythonDriver, scorers, input, nabDir, skabDir)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "NAB_DATA="+nabDir, "SKAB_DATA="+skabDir)
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the Python scorers: %v", err)
	}
	var got map[string][]float64
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	for name, w := range want {
		if len(got[name]) != len(w) {
			t.Errorf("%s: Python gives %v, Go %v", name, got[name], w)
			continue
		}
		for i := range w {
			if math.Abs(got[name][i]-w[i]) > 0.0005 {
				t.Errorf("%s, figure %d: Python gives %.5f, Go %.5f", name, i, got[name][i], w[i])
			}
		}
	}
}

func bits(v []bool) []int {
	out := make([]int, len(v))
	for i, b := range v {
		if b {
			out[i] = 1
		}
	}
	return out
}
