package store_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/roster"
	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

var (
	sender   = flag.String("sender", "", "database that a child process of the kill test sends from")
	receiver = flag.String("receiver", "", "where the child process sends to")
)

// PAINS 7: 5,000 episodes in a minute. Nobody gets more messages than the budget
// allows, nothing is left out, and what is P1 goes ahead of all else.
func TestPain07AStormOfEpisodesIsNoStormOfMessages(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { stormOfMessages(t, "sqlite:"+filepath.Join(t.TempDir(), "orders.db"), 5000) })
	t.Run("postgresql", func(t *testing.T) { stormOfMessages(t, storetest.StartPostgres(t).URL(t), 500) })
}

// burst makes n episodes, one in a hundred of them a P1.
func burst(r *rand.Rand, from, n int) (steps []rules.Transition) {
	for i := from; i < from+n; i++ {
		sev := rules.Severity(1 + r.IntN(3))
		if r.IntN(100) == 0 {
			sev = rules.Critical
		}
		steps = append(steps, storetest.Step(fmt.Sprintf("pump-%d", i), "motor.overload", uint64(i+1), uint64(i+1), rules.Active, sev))
	}
	return steps
}

func stormOfMessages(t *testing.T, url string, n int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := open(t, store.Config{URL: url, Effects: store.Effects{Dispatched: func(string) bool { return true }}})
	defer s.Close()
	if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	budget := roster.Budget{Messages: 8, Per: time.Hour}
	desk := storetest.Desk(roster.Person{ID: "li.na", Budget: budget}, roster.Person{ID: "wang.wei", Budget: budget}, roster.Person{ID: "chen.jie", Budget: budget})
	began := storetest.T0.Add(24 * time.Hour)
	made := 0
	var sent []outbox.Effect
	for sec := 0; sec < 90*60; sec++ {
		now := began.Add(time.Duration(sec) * time.Second)
		if sec < 60 {
			size := n*(sec+1)/60 - made
			steps := burst(r, made, size)
			if err := s.ApplyTransitions(t.Context(), "demo", 1, uint64(made+size), now, steps); err != nil {
				t.Fatal(err)
			}
			made += size
		} else if sec%20 != 0 {
			continue
		}
		tellUntilQuiet(t, s, desk, now)
		taken, err := s.TakeEffects(t.Context(), 1000, false, time.Now(), time.Now().Add(outbox.Lease))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(taken, func(a, b outbox.Effect) int { return strings.Compare(a.Key, b.Key) })
		for i := range taken {
			if err := s.EffectSent(t.Context(), &taken[i], outbox.Receipt{Channel: "chat"}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		sent = append(sent, taken...)
	}
	first := map[string]map[string]time.Time{} // when a person was first told of an order
	counted := map[string][]time.Time{}
	for _, e := range sent {
		if first[e.To] == nil {
			first[e.To] = map[string]time.Time{}
		}
		for _, part := range strings.Split(strings.Trim(string(e.Doc), `"`), ", ") {
			number := strings.Fields(part)[1]
			if at, told := first[e.To][number]; !told || e.At.Before(at) {
				first[e.To][number] = e.At
			}
		}
		if e.Tier != ticketing.P1 {
			counted[e.To] = append(counted[e.To], e.At)
		} else if e.Order == "" {
			t.Errorf("a P1 is in a digest: %s", e.Doc)
		}
	}
	for person, times := range counted {
		slices.SortFunc(times, time.Time.Compare)
		for i := budget.Messages; i < len(times); i++ {
			if gap := times[i].Sub(times[i-budget.Messages]); gap < budget.Per {
				t.Errorf("%s got %d messages within %v", person, budget.Messages+1, gap)
			}
		}
	}
	page, err := s.List(t.Context(), ticketing.Filter{Limit: 500})
	for ; err == nil; page, err = s.List(t.Context(), ticketing.Filter{Limit: 500, Cursor: page.Next}) {
		for _, o := range page.Items {
			at, told := first["li.na"][o.NumberText()]
			switch {
			case !told:
				t.Errorf("nobody was told of %s", o.NumberText())
			case o.Tier == ticketing.P1 && !at.Equal(o.Opened):
				t.Errorf("%s is a P1 and was told %v after it opened", o.NumberText(), at.Sub(o.Opened))
			}
		}
		if page.Next == "" {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d orders, %d messages", made, len(sent))
}

func tellUntilQuiet(t *testing.T, s *store.Store, desk *dispatch.Desk, now time.Time) {
	t.Helper()
	for {
		n, err := s.Dispatch(t.Context(), "demo", 1, now, desk, 500)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Mail(t.Context(), now, desk, storetest.Words); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// What is P1 is taken before all that waited longer, and is not kept by receivers
// that hang.
func TestP1GoesAheadOfAllThatWaitsAndOfReceiversThatHang(t *testing.T) {
	s := open(t, store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "orders.db"), Effects: storetest.TellEverybody()})
	defer s.Close()
	if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	var mu sync.Mutex
	var order []outbox.Effect
	d := &outbox.Deliverer{Queue: s, Workers: 3, Urgent: 1, Log: slog.New(slog.DiscardHandler), Send: func(ctx context.Context, e *outbox.Effect) (outbox.Receipt, error) {
		mu.Lock()
		order = append(order, *e)
		mu.Unlock()
		if e.Kind == outbox.Event {
			select {
			case <-hang:
			case <-ctx.Done():
			}
		}
		return outbox.Receipt{}, nil
	}}
	var steps []rules.Transition
	for i := range uint64(20) {
		steps = append(steps, storetest.Step(fmt.Sprintf("pump-%d", i), "motor.overload", i+1, i+1, rules.Active, rules.Medium))
	}
	apply := func(upTo uint64, steps []rules.Transition) {
		t.Helper()
		if err := s.ApplyTransitions(t.Context(), "demo", 1, upTo, storetest.T0, steps); err != nil {
			t.Fatal(err)
		}
		tellUntilQuiet(t, s, storetest.Desk(), storetest.T0.Add(time.Minute))
	}
	apply(20, steps)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	until(t, "three events hang", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 3 })
	apply(21, []rules.Transition{storetest.Step("lift-1", "lift.entrapment", 21, 21, rules.Active, rules.Critical)})
	d.Wake()
	until(t, "the P1 is told", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 4 })
	if e := order[3]; e.Kind != outbox.Message || e.Tier != ticketing.P1 {
		t.Errorf("told was %+v", e)
	}
	close(hang)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// until polls for what other goroutines do.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s until %s", what)
		}
	}
}

// A sender that is killed at any moment, between commit and send, in the middle of
// sending, or before it has marked what was sent, leaves nothing undone, and does
// nothing twice under another key.
func TestKilledWhileItSends(t *testing.T) {
	run := func(t *testing.T, url string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		if s := open(t, store.Config{URL: url}); s != nil { // the schema is not what is killed here
			s.Close()
		}
		r := storetest.NewReceiver(t, seed, 20)
		for range 6 {
			killedSending(t, url, r.Server, 5+random.IntN(15), time.Duration(random.IntN(100))*time.Millisecond)
		}
		s := open(t, store.Config{URL: url, Effects: storetest.TellEverybody()})
		defer s.Close()
		storetest.CheckWhole(t, s)
		storetest.StartOutside(t, s, r, storetest.Desk(), 1).Check(t)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "orders.db")) })
	t.Run("postgresql", func(t *testing.T) { run(t, storetest.StartPostgres(t).URL(t)) })
}

// killedSending runs a child that opens and accepts orders and sends what follows,
// and kills it a while after so many orders.
func killedSending(t *testing.T, url string, r *httptest.Server, orders int, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSendingChild$", "-sender="+url, "-receiver="+r.URL)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, orders)); err != nil {
		t.Errorf("the child ended before it was killed: %v", err)
	}
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // it was killed
}

// TestSendingChild is the process that is killed; by itself it has nothing to do.
func TestSendingChild(t *testing.T) {
	if *sender == "" {
		return
	}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URL: *sender, Effects: storetest.TellEverybody()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Begin(ctx, "demo", 1)
	if err != nil {
		t.Fatal(err)
	}
	storetest.StartOutside(t, s, storetest.ReceiverAt(*receiver), storetest.Desk(), 1)
	for seq := p.Seq + 1; ; seq++ {
		step := storetest.Step(fmt.Sprintf("pump-%d", seq), "motor.overload", seq, seq, rules.Active, rules.Severity(1+seq%4))
		if err := s.ApplyTransitions(ctx, "demo", 1, seq, storetest.T0, []rules.Transition{step}); err != nil {
			t.Fatal(err)
		}
		c := ticketing.Command{Verb: ticketing.DoAccept, Order: ticketing.OrderID(step.Episode), By: "li.na", Via: "api", Key: fmt.Sprint(seq), Version: 1, Arrived: storetest.T0.Add(time.Hour)}
		if _, _, err := s.Command(ctx, c); err != nil {
			t.Fatal(err)
		}
		fmt.Print(".")
	}
}
