package detect_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/facilityd/facilityd/rules/detect"
)

const minute = int64(60e9)

// wave is a day of ups and downs with noise, one value per five minutes.
func wave(rng *rand.Rand, i int) float64 {
	return 20 + 8*math.Sin(2*math.Pi*float64(i)/288) + rng.NormFloat64()
}

type detector interface {
	AppendBinary([]byte) ([]byte, error)
	UnmarshalBinary([]byte) error
}

// restart saves and restores into fresh.
func restart(t *testing.T, from, into detector) int {
	t.Helper()
	b, err := from.AppendBinary([]byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	if string(b[:4]) != "kept" {
		t.Fatal("AppendBinary does not append")
	}
	if err := into.UnmarshalBinary(b[4:]); err != nil {
		t.Fatal(err)
	}
	return len(b) - 4
}

func TestSignalGoesOnExactlyAfterARestart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	whole, cut := detect.NewSignal(detect.Config{}), detect.NewSignal(detect.Config{})
	for i := range 12000 {
		v := wave(rng, i)
		if i%3000 > 2900 {
			v += 15
		}
		if i%977 == 500 {
			v = math.NaN()
		}
		if i%501 == 0 {
			next := detect.NewSignal(detect.Config{})
			if n := restart(t, cut, next); n > 4096 {
				t.Fatalf("state of %d bytes", n)
			}
			cut = next
		}
		whole.Hold(i > 6000 && i < 6500)
		cut.Hold(i > 6000 && i < 6500)
		at := int64(i) * 5 * minute
		if a, b := whole.AddUnix(at, v), cut.AddUnix(at, v); a != b {
			t.Fatalf("row %d: %+v, restored %+v", i, a, b)
		}
	}
}

func TestJointAndChangeGoOnExactlyAfterARestart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	cfg := detect.Config{Train: 200}
	joint, change := mustJoint(t, cfg, 3), mustChange(t, cfg, 3)
	joint2, change2 := mustJoint(t, cfg, 3), mustChange(t, cfg, 3)
	row := make([]float64, 3)
	for i := range 3000 {
		for k := range row {
			row[k] = rng.NormFloat64()
			if i%700 > 600 {
				row[k] += 5
			}
		}
		if i%40 == 0 {
			row[1] = math.NaN()
		}
		if i%131 == 0 {
			j, c := mustJoint(t, cfg, 1), mustChange(t, cfg, 1)
			restart(t, joint2, j)
			restart(t, change2, c)
			joint2, change2 = j, c
		}
		at := int64(i) * minute
		if a, b := joint.AddUnix(at, row), joint2.AddUnix(at, row); a != b {
			t.Fatalf("joint row %d: %+v, restored %+v", i, a, b)
		}
		if a, b := change.AddUnix(at, row), change2.AddUnix(at, row); a != b {
			t.Fatalf("change row %d: %+v, restored %+v", i, a, b)
		}
	}
}

func TestBudgetGoesOnExactlyAfterARestart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	whole, cut := detect.NewBudget(1), detect.NewBudget(1)
	for i := range 20000 {
		if i%333 == 0 {
			next := detect.NewBudget(1)
			restart(t, cut, next)
			cut = next
		}
		v := detect.Verdict{Known: true, Strength: rng.Float64(), Anomalous: i%50 > 45}
		at := int64(i) * 30 * minute
		if a, b := whole.AddUnix(at, v), cut.AddUnix(at, v); a != b {
			t.Fatalf("row %d: %+v, restored %+v", i, a, b)
		}
	}
}

func TestDamagedStatesAreRefused(t *testing.T) {
	s := detect.NewSignal(detect.Config{})
	for i := range 500 {
		s.AddUnix(int64(i)*minute, float64(i%7))
	}
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"empty":         nil,
		"other kind":    append([]byte{'j'}, b[1:]...),
		"other version": append([]byte{b[0], 99}, b[2:]...),
		"cut":           b[:len(b)-1],
		"longer":        append(append([]byte(nil), b...), 0),
	} {
		if err := detect.NewSignal(detect.Config{}).UnmarshalBinary(bad); err == nil {
			t.Errorf("%s state was taken", name)
		}
	}
}

func mustJoint(t testing.TB, cfg detect.Config, n int) *detect.Joint {
	t.Helper()
	j, err := detect.NewJoint(cfg, n)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustChange(t testing.TB, cfg detect.Config, n int) *detect.Change {
	t.Helper()
	c, err := detect.NewChange(cfg, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
