package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
)

// Storm gives a store about n steps of episodes from several goroutines at once,
// each step several times and out of order, while people work on the orders.
// At the end each episode is in exactly one order, no asset and fault class has
// two open orders, and every order is the fold of its log.
func Storm(t *testing.T, s *store.Store, seed uint64, n int) {
	t.Helper()
	if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	steps, episodes := script(random, n)
	// Every step at least once, some twice or three times.
	var order []int
	for i := range steps {
		for range 1 + random.IntN(3)/2 + random.IntN(4)/3 {
			order = append(order, i)
		}
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	const workers = 4
	var wg sync.WaitGroup
	for w := range workers {
		mine := order[w*len(order)/workers : (w+1)*len(order)/workers]
		r := rand.New(rand.NewPCG(seed, uint64(100+w)))
		theirs := r.Uint64()
		wg.Go(func() { deliver(t, s, r, steps, mine) })
		wg.Go(func() { people(t, s, theirs, fmt.Sprintf("person-%d", w), n/40) })
	}
	wg.Wait()
	CheckWhole(t, s)
	checkEpisodes(t, s, episodes)
}

// script writes the steps of episodes on a few assets, so that they meet. Some
// explain others for a while.
func script(r *rand.Rand, n int) (steps []rules.Transition, episodes map[string]bool) {
	episodes = map[string]bool{}
	classes := []string{"motor.overload", "pump.bearing", "pump.dry_run"}
	open := map[string]uint64{}
	var causes []rules.EpisodeID
	add := func(st rules.Transition) {
		if n := len(causes); n > 0 && r.IntN(3) == 0 {
			if st.Under = causes[n-1-r.IntN(min(n, 4))]; st.Under == st.Episode {
				st.Under = rules.EpisodeID{}
			}
		}
		if st.Phase == rules.Active && r.IntN(3) == 0 {
			st.Cause = []rules.Cause{rules.CauseExplained, rules.CauseOnItsOwn, rules.CauseSeverity}[r.IntN(3)]
		}
		causes = append(causes, st.Episode)
		steps = append(steps, st)
	}
	for seq := uint64(1); len(steps) < n; seq++ {
		asset, class := fmt.Sprintf("pump-%d", r.IntN(12)), classes[r.IntN(len(classes))]
		key := asset + class
		sev := rules.Severity(1 + r.IntN(4))
		switch first, holds := open[key]; {
		case !holds:
			open[key] = seq
			st := Step(asset, class, seq, seq, rules.Active, sev)
			episodes[st.Episode.String()] = true
			add(st)
		case r.IntN(2) == 0:
			add(Step(asset, class, first, seq, rules.Cleared, sev))
			delete(open, key)
		default:
			add(Step(asset, class, first, seq, []rules.Phase{rules.Active, rules.ActiveWithoutData}[r.IntN(2)], sev))
		}
	}
	return steps, episodes
}

// deliver applies steps in batches of random size.
func deliver(t *testing.T, s *store.Store, r *rand.Rand, steps []rules.Transition, order []int) {
	for len(order) > 0 {
		n := min(len(order), 1+r.IntN(40))
		var batch []rules.Transition
		upTo := uint64(0)
		for _, i := range order[:n] {
			batch = append(batch, steps[i])
			upTo = max(upTo, steps[i].Seq)
		}
		if err := s.ApplyTransitions(context.Background(), "demo", 1, upTo, T0.Add(time.Hour), batch); err != nil {
			t.Errorf("apply: %v", err)
			return
		}
		order = order[n:]
	}
}

// people give commands on what they have seen, and often twice. Refusals are
// part of the game; anything else is an error.
func people(t *testing.T, s *store.Store, seed uint64, who string, n int) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range n {
		page, err := s.List(ctx, ticketing.Filter{Limit: 50})
		if err != nil {
			t.Errorf("list: %v", err)
			return
		}
		if len(page.Items) == 0 {
			continue
		}
		o := page.Items[r.IntN(len(page.Items))]
		verbs := ticketing.Verbs()
		c := ticketing.Command{
			Verb: verbs[r.IntN(len(verbs))], Order: o.ID, By: who, Via: "api", Key: fmt.Sprint(i), Version: o.Version, Arrived: T0.Add(2 * time.Hour), Text: "x",
			Reason: []string{"parts", "false_alarm", "it drips"}[r.IntN(3)], Person: "nobody", Into: page.Items[r.IntN(len(page.Items))].ID,
			Value: &ticketing.Measurement{Name: "current", Value: 1}, Cleared: r.IntN(2) == 0,
			Attachment: &ticketing.Attachment{Hash: fmt.Sprint(r.IntN(20)), Role: "photo", Type: "image/png", Size: 1}, Content: []byte{1},
		}
		first, _, err := s.Command(ctx, c)
		if err != nil {
			if !refusal(err) {
				t.Errorf("%s: %v", c.Verb, err)
			}
			continue
		}
		if r.IntN(2) == 0 {
			again, replayed, err := s.Command(ctx, c)
			if err != nil || !replayed || again.Version < first.Version {
				t.Errorf("%s again: replayed %v, %v", c.Verb, replayed, err)
			}
		}
		if r.IntN(8) == 0 {
			reviewer := store.Reviewer{
				Template: func(string) *ticketing.Template { return nil },
				Observe:  func(*ticketing.Order, string) ticketing.Observation { return ticketing.Observation{Known: true} },
			}
			if _, err := s.Review(ctx, "demo", 1, T0.Add(time.Duration(r.IntN(100))*time.Hour), reviewer); err != nil {
				t.Errorf("review: %v", err)
			}
		}
	}
}

// refusal reports whether an error is a decision about the command.
func refusal(err error) bool {
	var conflict *ticketing.ConflictError
	var state *ticketing.NotAllowedError
	var holds *ticketing.StillHoldsError
	var invalid *ticketing.InvalidError
	return errors.As(err, &conflict) || errors.As(err, &state) || errors.As(err, &holds) || errors.As(err, &invalid)
}

// checkEpisodes compares the episodes in the store, and the orders that hold
// them, with those that there were.
func checkEpisodes(t *testing.T, s *store.Store, want map[string]bool) {
	t.Helper()
	held := map[string]string{}
	for _, e := range allEpisodes(t, s, ticketing.EpisodeFilter{}) {
		if other, twice := held[e.ID]; twice {
			t.Errorf("episode %s is in the orders %s and %s", e.ID, other, e.Order)
		}
		held[e.ID] = e.Order
		if !want[e.ID] {
			t.Errorf("episode %s never was", e.ID)
		}
	}
	for id := range want {
		if held[id] == "" {
			t.Errorf("episode %s is in no order", id)
		}
	}
}
