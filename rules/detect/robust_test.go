package detect_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/facilityd/facilityd/rules/detect"
)

// sane fails on a verdict that no caller could use.
func sane(t testing.TB, what string, i int, v detect.Verdict) {
	t.Helper()
	if math.IsNaN(v.Score) || v.Score < 0 || v.Score > 1 {
		t.Fatalf("%s row %d: score %v", what, i, v.Score)
	}
	for _, x := range []float64{v.Reason.Current, v.Reason.Normal, v.Reason.Margin} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Fatalf("%s row %d: reason %+v", what, i, v.Reason)
		}
	}
	if v.Onset && !v.Anomalous {
		t.Fatalf("%s row %d: onset without anomaly", what, i)
	}
}

// all runs one series through every detector.
func all(t testing.TB, what string, n int, at func(i int) (int64, float64)) {
	t.Helper()
	s, c := detect.NewSignal(detect.Config{}), detect.NewSignal(detect.Config{Counter: true})
	j, d := mustJoint(t, detect.Config{Train: 100}, 2), mustChange(t, detect.Config{Train: 100}, 1)
	b := detect.NewBudget(1)
	row := make([]float64, 2)
	for i := range n {
		ns, v := at(i)
		verdict := s.AddUnix(ns, v)
		sane(t, what, i, verdict)
		if o := b.AddUnix(ns, verdict); math.IsNaN(o.Limit) || math.IsNaN(o.Strength) {
			t.Fatalf("%s row %d: order %+v", what, i, o)
		}
		sane(t, what+" counter", i, c.AddUnix(ns, v))
		row[0], row[1] = v, -v
		sane(t, what+" joint", i, j.AddUnix(ns, row))
		sane(t, what+" change", i, d.AddUnix(ns, row[:1]))
	}
	for _, x := range []detector{s, c, j, d, b} {
		state, err := x.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(state) > 20<<10 {
			t.Fatalf("%s: state of %d bytes", what, len(state))
		}
		if err := x.UnmarshalBinary(state); err != nil {
			t.Fatalf("%s: own state: %v", what, err)
		}
	}
}

func TestAbsurdInputIsSurvived(t *testing.T) {
	steady := func(i int) int64 { return int64(i) * minute }
	tests := []struct {
		name string
		rows int
		at   func(i int) (int64, float64)
	}{
		{"constant", 3000, func(i int) (int64, float64) { return steady(i), 42 }},
		{"zero", 3000, func(i int) (int64, float64) { return steady(i), 0 }},
		{"alternating", 3000, func(i int) (int64, float64) { return steady(i), float64(i % 2) }},
		{"only NaN", 3000, func(i int) (int64, float64) { return steady(i), math.NaN() }},
		{"infinities", 3000, func(i int) (int64, float64) { return steady(i), math.Inf(i%2*2 - 1) }},
		{"NaN between", 3000, func(i int) (int64, float64) {
			if i%3 == 0 {
				return steady(i), math.NaN()
			}
			return steady(i), float64(i % 10)
		}},
		{"denormal", 3000, func(i int) (int64, float64) {
			return steady(i), float64(i%5) * math.SmallestNonzeroFloat64
		}},
		{"tiny and huge", 3000, func(i int) (int64, float64) { return steady(i), math.Pow(10, float64(i%600-300)) }},
		{"largest", 3000, func(i int) (int64, float64) {
			return steady(i), math.Copysign(math.MaxFloat64, float64(i%2)-0.5)
		}},
		{"just measurable", 3000, func(i int) (int64, float64) { return steady(i), math.Copysign(1e30, float64(i%2)-0.5) }},
		{"jumps of 10^12", 5000, func(i int) (int64, float64) { return steady(i), float64(i%7) + float64(i/500%2)*1e12 }},
		{"lone 10^12", 5000, func(i int) (int64, float64) {
			if i%1000 == 999 {
				return steady(i), 1e12
			}
			return steady(i), float64(i % 7)
		}},
		{"time stands still", 3000, func(i int) (int64, float64) { return minute, float64(i % 10) }},
		{"time goes back", 3000, func(i int) (int64, float64) { return -steady(i), float64(i % 10) }},
		{"time jumps", 3000, func(i int) (int64, float64) {
			return []int64{0, math.MaxInt64, math.MinInt64, 1}[i%4], float64(i % 10)
		}},
		{"late start", 3000, func(i int) (int64, float64) {
			if i < 1000 {
				return steady(i), 5
			}
			return steady(i), 5 + float64(i%13)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { all(t, tt.name, tt.rows, tt.at) })
	}
}

func TestAMillionRowsStaySmall(t *testing.T) {
	s := detect.NewSignal(detect.Config{})
	x := uint64(1)
	for i := range 1_000_000 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		sane(t, "million", i, s.AddUnix(int64(i)*1e9, float64(x%1000)))
	}
	state, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if len(state) > 2048 {
		t.Errorf("state of %d bytes after a million rows", len(state))
	}
	if err := s.UnmarshalBinary(state); err != nil {
		t.Error(err)
	}
}

// A signal that learnt to be one value must come to see when it lives.
func TestAConstantThatWakesIsNoticed(t *testing.T) {
	s := detect.NewSignal(detect.Config{})
	for i := range 2000 {
		if v := s.AddUnix(int64(i)*5*minute, 3); v.Anomalous {
			t.Fatalf("constant is odd at row %d", i)
		}
	}
	for i := range 20 {
		if s.AddUnix(int64(2000+i)*5*minute, 9).Onset {
			return
		}
	}
	t.Error("a step of a constant went unnoticed")
}

// One absurd reading must not make the detector blind for what follows.
func TestALoneGlitchDoesNotBlind(t *testing.T) {
	s := detect.NewSignal(detect.Config{})
	x := uint64(7)
	noise := func() float64 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		return float64(x%1000) / 1000
	}
	for i := range 4000 {
		v := 10 + noise()
		if i == 2000 {
			v = 1e12
		}
		s.AddUnix(int64(i)*5*minute, v)
	}
	for i := range 30 {
		if s.AddUnix(int64(4000+i)*5*minute, 14+noise()).Onset {
			return
		}
	}
	t.Error("a step of four times the range of noise went unnoticed after a glitch")
}

func TestAddDoesNotAllocate(t *testing.T) {
	s, j, d := detect.NewSignal(detect.Config{}), mustJoint(t, detect.Config{Train: 50}, 8), mustChange(t, detect.Config{Train: 50}, 8)
	b := detect.NewBudget(1)
	row := make([]float64, 8)
	i := int64(0)
	if n := testing.AllocsPerRun(3000, func() {
		i++
		v := float64(i % 17)
		for k := range row {
			row[k] = v
		}
		b.AddUnix(i*minute, s.AddUnix(i*minute, v))
		j.AddUnix(i*minute, row)
		d.AddUnix(i*minute, row)
	}); n != 0 {
		t.Errorf("%v allocations per row", n)
	}
}

func FuzzDetectors(f *testing.F) {
	seed := func(v ...float64) {
		var b []byte
		for i, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
			b = append(b, byte(i))
		}
		f.Add(b)
	}
	seed(1, 2, 3, math.NaN(), math.Inf(1), math.Inf(-1), 1e12, -1e12, math.SmallestNonzeroFloat64, math.MaxFloat64)
	seed(0, 0, 0, 0, 5)
	f.Fuzz(func(t *testing.T, data []byte) {
		const each = 9
		n := len(data) / each
		if n == 0 {
			return
		}
		ns := int64(0)
		// The series is repeated, so that short inputs get past the learning too.
		all(t, "fuzz", min(n*40, 4000), func(i int) (int64, float64) {
			chunk := data[i%n*each:]
			ns += int64(int8(chunk[8])) * 10e9
			return ns, math.Float64frombits(binary.LittleEndian.Uint64(chunk))
		})
	})
}

func FuzzStates(f *testing.F) {
	s := detect.NewSignal(detect.Config{})
	j, d, b := mustJoint(f, detect.Config{Train: 20}, 2), mustChange(f, detect.Config{Train: 20}, 1), detect.NewBudget(1)
	for i := range 300 {
		v := s.AddUnix(int64(i)*minute, float64(i%9))
		j.AddUnix(int64(i)*minute, []float64{float64(i % 5), 1})
		d.AddUnix(int64(i)*minute, []float64{float64(i % 5)})
		b.AddUnix(int64(i)*minute, v)
	}
	for _, x := range []detector{s, j, d, b} {
		state, err := x.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := detect.NewSignal(detect.Config{})
		j, d, b := mustJoint(t, detect.Config{}, 1), mustChange(t, detect.Config{}, 1), detect.NewBudget(1)
		taken := 0
		for _, x := range []detector{s, j, d, b} {
			if x.UnmarshalBinary(data) == nil {
				taken++
			}
		}
		if taken > 1 {
			t.Fatal("one state was taken by several kinds")
		}
		for i := range 50 {
			v := s.AddUnix(int64(i)*minute, float64(i%3))
			sane(t, "signal", i, v)
			sane(t, "joint", i, j.AddUnix(int64(i)*minute, []float64{1, 2, 3}))
			sane(t, "change", i, d.AddUnix(int64(i)*minute, []float64{1, 2, 3}))
			b.AddUnix(int64(i)*minute, v)
		}
	})
}
