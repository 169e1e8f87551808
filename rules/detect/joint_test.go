package detect_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/facilityd/facilityd/rules/detect"
)

// asset gives rows of four channels: flow, pressure, current, and a temperature that wanders.
type asset struct {
	rng  *rand.Rand
	warm float64
	row  []float64
}

func newAsset(seed uint64) *asset {
	return &asset{rng: rand.New(rand.NewPCG(seed, 1)), warm: 40, row: make([]float64, 4)}
}

func (a *asset) next() []float64 {
	a.warm += 0.1 * a.rng.NormFloat64()
	a.row[0] = 30 + a.rng.NormFloat64()
	a.row[1] = 2 + 0.1*a.rng.NormFloat64()
	a.row[2] = 8 + 0.3*a.rng.NormFloat64()
	a.row[3] = a.warm
	return a.row
}

func TestJointBeginsAndEndsWithTheFault(t *testing.T) {
	a, j := newAsset(1), mustJoint(t, detect.Config{}, 4)
	var first, last, onsets int
	for i := range 1600 {
		row := a.next()
		if i >= 700 && i < 1000 {
			row[0] -= 10
		}
		v := j.AddUnix(int64(i)*1e9, row)
		if v.Known != (i >= 400) {
			t.Fatalf("row %d: known %v", i, v.Known)
		}
		if v.Anomalous != (v.Score >= 0.5) {
			t.Fatalf("row %d: score %.3f and verdict %v disagree", i, v.Score, v.Anomalous)
		}
		if v.Onset {
			onsets++
			first = i
		}
		if v.Anomalous {
			last = i
			if i < 960 && (v.Reason.Channel != 0 || v.Reason.Carried&1 == 0 || v.Reason.Discounted != 1<<3 || v.Reason.Current >= v.Reason.Normal) {
				t.Fatalf("row %d: reason %+v", i, v.Reason)
			}
		}
	}
	if onsets != 1 || first < 700 || first > 710 || last < 990 || last > 1040 {
		t.Errorf("%d episodes, begun at %d, ended at %d; the fault was from 700 to 1000", onsets, first, last)
	}
}

// A channel may be missing for a while, or for ever, without a verdict of its own.
func TestJointLivesWithMissingChannels(t *testing.T) {
	a, j := newAsset(2), mustJoint(t, detect.Config{}, 4)
	for i := range 2000 {
		row := a.next()
		row[2] = math.NaN()
		if i%3 != 0 {
			row[1] = math.NaN()
		}
		if v := j.AddUnix(int64(i)*1e9, row); v.Anomalous {
			t.Fatalf("row %d: %+v", i, v)
		}
	}
	a.next()
	for i := range 15 {
		row := a.next()
		row[0] += 10
		if j.AddUnix(int64(2000+i)*1e9, row[:1]).Anomalous {
			return
		}
	}
	t.Error("a step of ten times the noise went unnoticed while others were missing")
}

// A channel that was not there while training has no scale: it must not judge.
func TestJointIgnoresAChannelThatComesLate(t *testing.T) {
	a, j := newAsset(6), mustJoint(t, detect.Config{}, 4)
	for i := range 1500 {
		row := a.next()
		if i < 450 {
			row[2] = math.NaN()
		}
		v := j.AddUnix(int64(i)*1e9, row)
		if v.Anomalous {
			t.Fatalf("row %d: %+v", i, v)
		}
	}
}

// Rows of a fault that is known from the start must not teach what is normal.
func TestJointTrainsOnlyWhenNotHeld(t *testing.T) {
	a, j := newAsset(7), mustJoint(t, detect.Config{}, 4)
	j.Hold(true)
	for i := range 500 {
		row := a.next()
		row[0] += 100
		if j.AddUnix(int64(i)*1e9, row).Known {
			t.Fatalf("row %d is judged though nothing was learnt", i)
		}
	}
	j.Hold(false)
	for i := range 400 {
		if v := j.AddUnix(int64(500+i)*1e9, a.next()); v.Known {
			t.Fatalf("judged after %d rows of training", i)
		}
	}
	if v := j.AddUnix(900e9, a.next()); !v.Known || v.Anomalous {
		t.Errorf("after training: %+v", v)
	}
}

func TestJointAcceptsANewNormal(t *testing.T) {
	a, j := newAsset(3), mustJoint(t, detect.Config{}, 4)
	for i := range 1500 {
		row := a.next()
		if i >= 600 {
			row[0] += 10
		}
		v := j.AddUnix(int64(i)*1e9, row)
		if i == 700 {
			if !v.Anomalous {
				t.Fatal("the step was not found")
			}
			j.Accept()
		}
		if i > 700 && v.Anomalous {
			t.Fatalf("row %d is odd though its level was accepted", i)
		}
	}
}

// A new set-point that nobody answers for becomes normal in the end; on hold it does not.
func TestJointForgetsUnlessHeld(t *testing.T) {
	for _, held := range []bool{false, true} {
		a, j := newAsset(4), mustJoint(t, detect.Config{}, 4)
		odd := false
		for i := range 12000 {
			row := a.next()
			if i >= 600 {
				row[0] += 10
			}
			odd = j.AddUnix(int64(i)*1e9, row).Anomalous
			if i == 700 {
				j.Hold(held)
			}
		}
		if odd != held {
			t.Errorf("held %v: odd after 12000 rows is %v", held, odd)
		}
	}
}

// A step is told at once, and again while the older rows still show the former level.
func TestChangeTellsSteps(t *testing.T) {
	const memory = 80 // rows in which a step is in the windows
	a, c := newAsset(5), mustChange(t, detect.Config{}, 4)
	var at []int
	strays := 0
	for i := range 2000 {
		row := a.next()
		if i >= 800 && i < 1300 {
			row[1]++
		}
		v := c.AddUnix(int64(i)*1e9, row)
		if !v.Onset {
			continue
		}
		if (i < 800 || i >= 800+memory) && (i < 1300 || i >= 1300+memory) {
			strays++
			continue
		}
		at = append(at, i)
		if v.Reason.Channel != 1 || v.Reason.Aspect != detect.Step {
			t.Errorf("row %d: reason %+v", i, v.Reason)
		}
		if up := v.Reason.Current > v.Reason.Normal; up != (i < 1300) {
			t.Errorf("row %d: up is %v", i, up)
		}
	}
	// The bar is set for finding: noise alone reaches it once in a few thousand rows.
	if strays > 1 {
		t.Errorf("%d steps told where there was none", strays)
	}
	if len(at) < 2 || at[0] > 815 || at[len(at)-1] < 1300 {
		t.Errorf("steps told at %v; they were at 800 and 1300", at)
	}
}

func TestChannelsAreLimited(t *testing.T) {
	for _, n := range []int{-1, 0, detect.MaxChannels + 1} {
		if _, err := detect.NewJoint(detect.Config{}, n); err == nil {
			t.Errorf("a joint detector of %d channels was made", n)
		}
		if _, err := detect.NewChange(detect.Config{}, n); err == nil {
			t.Errorf("a change detector of %d channels was made", n)
		}
	}
}
