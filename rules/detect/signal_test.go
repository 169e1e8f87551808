package detect_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules/detect"
)

const perDay = 288 // rows of five minutes

// feed gives rows from, from+1, … to-1 of value to s and returns the verdicts.
func feed(s *detect.Signal, from, to int, value func(i int) float64) []detect.Verdict {
	var out []detect.Verdict
	for i := from; i < to; i++ {
		out = append(out, s.AddUnix(int64(i)*5*minute, value(i)))
	}
	return out
}

// onset returns the first alarm, or -1.
func onset(v []detect.Verdict) int {
	for i := range v {
		if v[i].Onset {
			return i
		}
	}
	return -1
}

func TestAspectsAreToldApart(t *testing.T) {
	const at = 20 * perDay
	steady := func(rng *rand.Rand) func(int) float64 {
		return func(int) float64 { return 50 + rng.NormFloat64() }
	}
	tests := []struct {
		name   string
		value  func(rng *rand.Rand) func(i int) float64
		within int
		want   []detect.Aspect
		down   bool
	}{
		{"level falls", func(rng *rand.Rand) func(int) float64 {
			base := steady(rng)
			return func(i int) float64 { return base(i) - 8*step(i >= at) }
		}, 20, []detect.Aspect{detect.Level, detect.Spike, detect.Rhythm, detect.Drift, detect.Spread}, true},
		{"stuck", func(rng *rand.Rand) func(int) float64 {
			base := steady(rng)
			return func(i int) float64 {
				if i >= at {
					return 50.25
				}
				return base(i)
			}
		}, 60, []detect.Aspect{detect.Flat}, false},
		{"restless", func(rng *rand.Rand) func(int) float64 {
			return func(i int) float64 { return 50 + (1+5*step(i >= at))*rng.NormFloat64() }
		}, 60, []detect.Aspect{detect.Spread, detect.Shape, detect.Spike, detect.Level, detect.Rhythm}, false},
		{"noon at midnight", func(rng *rand.Rand) func(int) float64 {
			return func(i int) float64 {
				if i >= at {
					i += perDay / 2
				}
				return 50 + 20*math.Sin(2*math.Pi*float64(i)/perDay) + rng.NormFloat64()
			}
		}, 120, []detect.Aspect{detect.Rhythm, detect.Shape}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := detect.NewSignal(detect.Config{})
			value := tt.value(rand.New(rand.NewPCG(1, 1)))
			feed(s, 0, at, value)
			v := feed(s, at, at+tt.within, value)
			i := onset(v)
			if i < 0 {
				t.Fatalf("not found in %d rows", tt.within)
			}
			got := v[i].Reason
			for _, a := range tt.want {
				if got.Aspect == a {
					if tt.down && got.Current >= got.Normal {
						t.Errorf("fell, but reason is %+v", got)
					}
					if got.Since == 0 {
						t.Error("reason does not say since when")
					}
					return
				}
			}
			t.Errorf("aspect %v, want one of %v", got.Aspect, tt.want)
		})
	}
}

func step(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// What happens while an episode is open must not become normal.
func TestHoldLearnsNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	value := func(i int) float64 { return wave(rng, i) }
	s := detect.NewSignal(detect.Config{})
	feed(s, 0, 20*perDay, value)
	s.Hold(true)
	feed(s, 20*perDay, 24*perDay, func(i int) float64 { return value(i) + 30 })
	strength := feed(s, 24*perDay, 24*perDay+30, func(i int) float64 { return value(i) + 30 })[29].Strength
	if strength < 1 {
		t.Errorf("after four days on hold the fault has strength %.2f", strength)
	}
	s.Hold(false)
	back := feed(s, 24*perDay+30, 26*perDay, value)
	quiet := 0
	for _, v := range back[2*30:] {
		if !v.Anomalous {
			quiet++
		}
	}
	if share := float64(quiet) / float64(len(back)-60); share < 0.95 {
		t.Errorf("after the fault only %.0f %% of rows are normal", 100*share)
	}
}

// Accepting a new normal must end the episode and make the old level the odd one.
func TestAcceptedLevelIsNormal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	high := func(i int) float64 { return wave(rng, i) + 25 }
	s := detect.NewSignal(detect.Config{})
	feed(s, 0, 20*perDay, func(i int) float64 { return wave(rng, i) })
	if onset(feed(s, 20*perDay, 20*perDay+60, high)) < 0 {
		t.Fatal("the step was not found")
	}
	s.Accept()
	odd := 0
	for _, v := range feed(s, 20*perDay+60, 23*perDay, high) {
		if v.Anomalous {
			odd++
		}
	}
	if odd > perDay/10 {
		t.Errorf("%d of %d rows at the accepted level are odd", odd, 3*perDay-60)
	}
}

// After a repair the level is learnt anew within hours, not weeks.
func TestRepairedSignalLearnsQuickly(t *testing.T) {
	for _, repaired := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 4))
		s := detect.NewSignal(detect.Config{})
		feed(s, 0, 40*perDay, func(i int) float64 { return wave(rng, i) })
		if repaired {
			s.Repaired()
		}
		better := func(i int) float64 { return wave(rng, i) - 12 }
		feed(s, 40*perDay, 42*perDay, better)
		sum := 0.0
		late := feed(s, 42*perDay, 43*perDay, better)
		for _, v := range late {
			sum += v.Strength / float64(len(late))
		}
		if repaired && sum > 0.35 {
			t.Errorf("two days after a repair the mean strength is %.2f", sum)
		}
		if !repaired && sum < 0.35 {
			t.Errorf("without a repair the new level is normal after two days (%.2f): the test shows nothing", sum)
		}
	}
}

// A counter is watched by its rate, and its reset says nothing.
func TestCounterResetIsNoNews(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	s := detect.NewSignal(detect.Config{Counter: true})
	total := 1e6
	value := func(i int) float64 {
		if i == 20*perDay {
			total = 0
		}
		total += wave(rng, i)
		return total
	}
	feed(s, 0, 20*perDay-10, value)
	if i := onset(feed(s, 20*perDay-10, 20*perDay+40, value)); i >= 0 {
		t.Errorf("alarm %d rows around a counter's reset", i)
	}
}

// At the change of clocks the course of a day stays where people are.
func TestRhythmFollowsTheClockOnTheWall(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	mean := func(loc *time.Location) float64 {
		rng := rand.New(rand.NewPCG(1, 6))
		s := detect.NewSignal(detect.Config{Location: loc})
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, berlin)
		change := time.Date(2026, 3, 29, 0, 0, 0, 0, berlin)
		sum, n := 0.0, 0.0
		for ; at.Before(change.AddDate(0, 0, 3)); at = at.Add(5 * time.Minute) {
			v := 10 + rng.NormFloat64()
			if h := at.In(berlin).Hour(); h >= 6 && h < 20 {
				v += 40
			}
			x := s.Add(at, v)
			if at.After(change) {
				sum += x.Strength
				n++
			}
		}
		return sum / n
	}
	if local, utc := mean(berlin), mean(time.UTC); local >= utc {
		t.Errorf("mean strength after the change of clocks is %.3f by local time, %.3f by UTC", local, utc)
	}
}
