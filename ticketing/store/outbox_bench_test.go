package store_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/roster"
	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

// withOutbox runs f on both databases with the outbox on; SQLite flushes,
// PostgreSQL does not.
func withOutbox(b *testing.B, f func(b *testing.B, s *store.Store)) {
	run := func(b *testing.B, url string) {
		s, err := store.Open(b.Context(), store.Config{URL: url, Warranty: time.Hour, Effects: storetest.TellEverybody()})
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

// Orders that are opened, with an event for another system each, and with what is
// told to people decided and queued.
func BenchmarkOrdersWithOutbox(b *testing.B) {
	withOutbox(b, func(b *testing.B, s *store.Store) {
		r := rand.New(rand.NewPCG(1, 0))
		b.ResetTimer()
		for from := 0; from < b.N; from += batchSize {
			n := min(batchSize, b.N-from)
			if err := s.ApplyTransitions(b.Context(), "demo", 1, uint64(from+n), storetest.T0, burst(r, from, n)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
		applied := b.Elapsed()
		now := storetest.T0.Add(time.Minute)
		for {
			n, err := s.Dispatch(b.Context(), "demo", 1, now, storetest.Desk(), 100)
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if _, err := s.Mail(b.Context(), now, storetest.Desk(), storetest.Words); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/(b.Elapsed()-applied).Seconds(), "told/s")
	})
}

// Messages of which each is taken, handed over at once and marked.
func BenchmarkDelivery(b *testing.B) {
	withOutbox(b, func(b *testing.B, s *store.Store) {
		r := rand.New(rand.NewPCG(1, 0))
		for from := 0; from < b.N; from += batchSize {
			n := min(batchSize, b.N-from)
			if err := s.ApplyTransitions(b.Context(), "demo", 1, uint64(from+n), storetest.T0, burst(r, from, n)); err != nil {
				b.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		wg.Add(b.N)
		d := &outbox.Deliverer{Queue: s, Workers: 8, Urgent: 4, Log: slog.New(slog.DiscardHandler), Send: func(context.Context, *outbox.Effect) (outbox.Receipt, error) {
			wg.Done()
			return outbox.Receipt{}, nil
		}}
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		b.ResetTimer()
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		wg.Wait()
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "effects/s")
	})
}

// 5,000 episodes in a minute of real time: how long it takes from a P1's step
// until its message is handed to a channel. Run it with -benchtime 1x.
func BenchmarkP1InAStorm(b *testing.B) {
	withOutbox(b, func(b *testing.B, s *store.Store) {
		const episodes, seconds = 5000, 60
		r := rand.New(rand.NewPCG(1, 0))
		desk := storetest.Desk(roster.Person{ID: "li.na"}, roster.Person{ID: "wang.wei"})
		var mu sync.Mutex
		began := map[string]time.Time{} // when the step of an order was given
		var delays []time.Duration
		d := &outbox.Deliverer{Queue: s, Workers: 8, Urgent: 4, Log: slog.New(slog.DiscardHandler), Send: func(_ context.Context, e *outbox.Effect) (outbox.Receipt, error) {
			mu.Lock()
			defer mu.Unlock()
			if at, ok := began[e.Order]; ok && e.Kind == outbox.Message && e.Tier == ticketing.P1 && e.To == "li.na" {
				delays = append(delays, time.Since(at))
				delete(began, e.Order)
			}
			return outbox.Receipt{}, nil
		}}
		ctx, cancel := context.WithCancel(b.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = d.Run(ctx) })
		wg.Go(func() {
			for ctx.Err() == nil {
				n, err := s.Dispatch(ctx, "demo", 1, time.Now(), desk, 100)
				if err == nil {
					_, err = s.Mail(ctx, time.Now(), desk, storetest.Words)
				}
				if err != nil && ctx.Err() == nil {
					b.Error(err)
					return
				}
				d.Wake()
				if n < 100 {
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
		start, made, urgent := time.Now(), 0, 0
		for made < episodes {
			size := min(episodes, int(time.Since(start).Seconds()*episodes/seconds)) - made
			if size == 0 {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			steps := burst(r, made, size)
			now := time.Now()
			mu.Lock()
			for i := range steps {
				if steps[i].Severity == rules.Critical {
					began[ticketing.OrderID(steps[i].Episode)] = now
					urgent++
				}
			}
			mu.Unlock()
			if err := s.ApplyTransitions(b.Context(), "demo", 1, uint64(made+size), now, steps); err != nil {
				b.Fatal(err)
			}
			made += size
		}
		for told := 0; told < urgent; time.Sleep(10 * time.Millisecond) {
			mu.Lock()
			told = len(delays)
			mu.Unlock()
		}
		cancel()
		wg.Wait()
		slices.Sort(delays)
		b.ReportMetric(delays[len(delays)/2].Seconds(), "p50-s")
		b.ReportMetric(delays[len(delays)*99/100].Seconds(), "p99-s")
		b.ReportMetric(delays[len(delays)-1].Seconds(), "max-s")
		b.ReportMetric(float64(len(delays)), "P1s")
	})
}
