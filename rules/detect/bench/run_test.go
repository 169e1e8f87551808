package bench_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/facilityd/facilityd/rules/detect/bench"
)

// TestMustHold holds the shipped default to what is required on the public files.
func TestMustHold(t *testing.T) {
	shared := bench.Shared(".")
	rep, err := bench.Run(os.Stdout, shared, bench.Options{Halves: true, Synthetic: 1})
	if errors.Is(err, bench.ErrNoData) {
		fmt.Printf("LABELLED DATA LEFT OUT: %v; nothing was measured on them\n", err)
		t.Log(err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	atLeast := func(what string, got, want float64) {
		t.Helper()
		if got < want {
			t.Errorf("%s is %.3f, must be at least %g", what, got, want)
		}
	}
	atMost := func(what string, got, want float64) {
		t.Helper()
		if got > want {
			t.Errorf("%s is %.3f, must be at most %g", what, got, want)
		}
	}
	atLeast("NAB standard", rep.NAB[bench.Standard.Name].Normalised, 70)
	atLeast("NAB low FP", rep.NAB[bench.LowFP.Name].Normalised, 62)
	atLeast("NAB low FN", rep.NAB[bench.LowFN.Name].Normalised, 75)
	atLeast("NAB on unseen halves", rep.Halves.Mean, 62)
	atLeast("SKAB F1", rep.Outliers.F1(), 0.82)
	atMost("SKAB FAR", rep.Outliers.FAR(), 18)
	for d, o := range rep.Shifted {
		atMost(fmt.Sprintf("change of F1 without the first %d rows", d), abs(o.F1()-rep.Outliers.F1()), 0.03)
	}
	atLeast("SKAB change points, low FP", rep.Changes.LowFP, 50)
	atMost("SKAB change points, false", float64(rep.Changes.False), 80)
	atMost("bytes per signal", float64(rep.Cost.SignalBytes), 20<<10)
	atMost("bytes per joint channel", float64(rep.Cost.JointBytes), 20<<10)
	atMost("allocations per row", rep.Cost.AllocsPerRow, 0.01)
}

func abs(x float64) float64 { return max(x, -x) }
