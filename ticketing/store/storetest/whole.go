package storetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
)

// CheckWhole is what must be true after every case: each log folds to the order
// beside it, each episode is in exactly one order, at most one open order per
// asset and fault class.
func CheckWhole(t testing.TB, s *store.Store) {
	t.Helper()
	ctx := context.Background()
	open, held := map[string]string{}, map[string]string{}
	for _, o := range allOrders(t, s) {
		log, err := s.Log(ctx, o.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		folded, err := ticketing.Fold(log)
		if err != nil {
			t.Fatalf("order %s: %v", o.NumberText(), err)
		}
		if diff := cmp.Diff(folded, &o); diff != "" {
			t.Errorf("order %s is not the fold of its log (-fold +stored):\n%s", o.NumberText(), diff)
		}
		for i, e := range log {
			if e.Version != i+1 || e.At.IsZero() || e.Arrived.IsZero() || e.Via == "" || e.Key == "" {
				t.Errorf("order %s: entry %+v does not say who, when and from where", o.NumberText(), e)
			}
		}
		if key := o.Site + "/" + o.Asset + "/" + o.FaultClass; o.State.Active() {
			if other, twice := open[key]; twice {
				t.Errorf("orders %s and %s are both open for %s", other, o.ID, key)
			}
			open[key] = o.ID
		}
		for how, list := range map[string][]ticketing.Holding{" its own": o.Holding, " a consequence": o.Consequences} {
			for _, h := range list {
				if other, twice := held[h.Episode]; twice {
					t.Errorf("episode %s holds in %s and in %s", h.Episode, other, o.ID+how)
				}
				held[h.Episode] = o.ID + how
			}
		}
	}
	for _, ep := range allEpisodes(t, s, ticketing.EpisodeFilter{}) {
		want := ep.Order + map[bool]string{false: " its own", true: " a consequence"}[ep.Consequence]
		if got := held[ep.ID]; got != want && (got != "" || ep.Phase != "cleared") {
			t.Errorf("episode %s, %s, is of %s, and holds in %q", ep.ID, ep.Phase, want, got)
		}
		delete(held, ep.ID)
	}
	for id, order := range held {
		t.Errorf("episode %s, %s, never was", id, order)
	}
}

func allEpisodes(t testing.TB, s *store.Store, f ticketing.EpisodeFilter) []ticketing.Episode {
	t.Helper()
	var all []ticketing.Episode
	for f.Limit = 500; ; {
		p, err := s.Episodes(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Items...)
		if f.Cursor = p.Next; p.Next == "" {
			return all
		}
	}
}

func allOrders(t testing.TB, s *store.Store) []ticketing.Order {
	t.Helper()
	var all []ticketing.Order
	f := ticketing.Filter{Limit: 500}
	for {
		p, err := s.List(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Items...)
		if f.Cursor = p.Next; p.Next == "" {
			return all
		}
	}
}
