package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

// bench runs f on both databases; SQLite flushes, PostgreSQL does not.
func bench(b *testing.B, f func(b *testing.B, s *store.Store)) {
	run := func(b *testing.B, url string) {
		s, err := store.Open(b.Context(), store.Config{URL: url, Warranty: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Begin(b.Context(), "demo", 1); err != nil {
			b.Fatal(err)
		}
		f(b, s)
	}
	b.Run("sqlite", func(b *testing.B) { run(b, "sqlite:"+filepath.Join(b.TempDir(), "orders.db")) })
	b.Run("postgresql", func(b *testing.B) { run(b, storetest.StartPostgres(b).URL(b)) })
}

const batchSize = 500

// apply gives n steps in batches: for each asset an episode, then its end.
func apply(b *testing.B, s *store.Store, from, n int) {
	b.Helper()
	steps := make([]rules.Transition, 0, batchSize)
	for i := from; i < from+n; i++ {
		asset := fmt.Sprintf("pump-%06d", i/2)
		step := storetest.Step(asset, "motor.overload", uint64(i/2*2+1), uint64(i+1), rules.Active, rules.Severity(1+i/2%4))
		if i%2 == 1 {
			step = storetest.Step(asset, "motor.overload", uint64(i), uint64(i+1), rules.Cleared, rules.Medium)
		}
		steps = append(steps, step)
		if len(steps) == batchSize || i == from+n-1 {
			if err := s.ApplyTransitions(b.Context(), "demo", 1, steps[len(steps)-1].Seq, storetest.T0, steps); err != nil {
				b.Fatal(err)
			}
			steps = steps[:0]
		}
	}
}

func BenchmarkApplyTransitions(b *testing.B) {
	bench(b, func(b *testing.B, s *store.Store) {
		b.ResetTimer()
		apply(b, s, 0, b.N)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	})
}

// BenchmarkOpenOrders opens an order with its evidence by every step.
func BenchmarkOpenOrders(b *testing.B) {
	bench(b, func(b *testing.B, s *store.Store) {
		b.ResetTimer()
		raise(b, s, b.N, func(i int, t *rules.Transition) {})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	})
}

// BenchmarkConsequences attaches an episode to one order by every step.
func BenchmarkConsequences(b *testing.B) {
	bench(b, func(b *testing.B, s *store.Store) {
		raise(b, s, 1, func(int, *rules.Transition) {})
		cause := rules.EpisodeID{Site: "demo", Asset: "lamp-000000", FaultClass: "comms.quality", Seq: 1}
		b.ResetTimer()
		raise(b, s, b.N, func(i int, t *rules.Transition) {
			t.Episode.Seq, t.Seq, t.Under = t.Episode.Seq+1, t.Seq+1, cause
			t.Episode.Asset = fmt.Sprintf("behind-%06d", i)
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "episodes/s")
	})
}

// raise gives the first step of n episodes in batches.
func raise(b *testing.B, s *store.Store, n int, change func(i int, t *rules.Transition)) {
	b.Helper()
	var steps []rules.Transition
	for i := range n {
		t := storetest.Step(fmt.Sprintf("lamp-%06d", i), "comms.quality", uint64(i+1), uint64(i+1), rules.Active, rules.Severity(1+i%4))
		change(i, &t)
		if steps = append(steps, t); len(steps) == batchSize || i == n-1 {
			if err := s.ApplyTransitions(b.Context(), "demo", 1, t.Seq, storetest.T0, steps); err != nil {
				b.Fatal(err)
			}
			steps = steps[:0]
		}
	}
}

func BenchmarkCommand(b *testing.B) {
	bench(b, func(b *testing.B, s *store.Store) {
		apply(b, s, 0, 2)
		o, err := s.Order(b.Context(), "demo-1")
		if err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for i := range b.N {
			c := ticketing.Command{Verb: ticketing.DoNote, Order: o.ID, By: "li.na", Text: "x", Version: 1, Key: fmt.Sprint(i), Arrived: storetest.T0.Add(time.Hour)}
			if _, _, err := s.Command(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
	})
}

func BenchmarkListOf100000(b *testing.B) {
	bench(b, func(b *testing.B, s *store.Store) {
		apply(b, s, 0, 200_000)
		for name, f := range map[string]ticketing.Filter{
			"urgency": {Sort: ticketing.ByUrgency}, "newest": {}, "asset": {Asset: "pump-077777"}, "state and tier": {States: []ticketing.State{ticketing.Open}, Tiers: []ticketing.Tier{ticketing.P3}},
		} {
			b.Run(name, func(b *testing.B) {
				for range b.N {
					p, err := s.List(b.Context(), f)
					if err != nil || len(p.Items) == 0 {
						b.Fatal(len(p.Items), err)
					}
					f.Cursor = p.Next // page by page through all of them
				}
			})
		}
		b.Run("stats", func(b *testing.B) {
			for range b.N {
				if _, err := s.Stats(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkFigures accounts for 10,000 orders, as a large estate has in a year.
func BenchmarkFigures(b *testing.B) {
	const orders = 10_000
	bench(b, func(b *testing.B, s *store.Store) {
		apply(b, s, 0, 2*orders)
		p := ticketing.DefaultPolicy()
		for b.Loop() {
			var tally ticketing.Tally
			err := tally.Count(b.Context(), s, ticketing.Filter{}, func(string) *ticketing.Policy { return &p },
				func(string) *calendar.Calendar { return calendar.Always() }, storetest.T0.Add(time.Hour))
			if err != nil || tally.Figures().Orders != orders {
				b.Fatal(tally.Figures().Orders, err)
			}
		}
		b.ReportMetric(orders*float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	})
}

// BenchmarkWarn lets time pass over 10,000 open orders: all of them looked at, as
// after a change of the configuration, and none due, as every few seconds.
func BenchmarkWarn(b *testing.B) {
	const open = 10_000
	bench(b, func(b *testing.B, s *store.Store) {
		var steps []rules.Transition
		for i := range uint64(open) {
			steps = append(steps, storetest.Step(fmt.Sprintf("pump-%06d", i), "motor.overload", i+1, i+1, rules.Active, rules.Low))
		}
		if err := s.ApplyTransitions(b.Context(), "demo", 1, open, storetest.T0, steps); err != nil {
			b.Fatal(err)
		}
		p := ticketing.DefaultPolicy()
		for _, c := range []struct {
			name string
			all  bool
		}{{"all", true}, {"none", false}} {
			b.Run(c.name, func(b *testing.B) {
				for b.Loop() {
					if c.all {
						if err := s.DeadlinesChanged(b.Context(), "demo"); err != nil {
							b.Fatal(err)
						}
					}
					if n, err := s.Warn(b.Context(), "demo", 1, storetest.T0.Add(time.Minute), &p, calendar.Always()); err != nil || n > 0 {
						b.Fatal(n, err)
					}
				}
			})
		}
	})
}
