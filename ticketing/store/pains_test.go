package store_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

// PAINS 6: one ticket for each alert buries people, one for each group hides what
// is to be done. The unit of work is an asset with a fault class: however many
// rules and episodes speak of it there is one order, and however alike the faults
// of several assets are, each has its own. Only a common cause makes one of many.
func TestPain06TheUnitOfWorkIsAnAssetWithAFaultClass(t *testing.T) {
	run := func(t *testing.T, url string) {
		s := open(t, store.Config{URL: url, Warranty: time.Hour})
		defer s.Close()
		if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
			t.Fatal(err)
		}
		seq := uint64(0)
		apply := func(steps ...rules.Transition) {
			t.Helper()
			seq += 10
			if err := s.ApplyTransitions(t.Context(), "demo", 1, seq, storetest.T0.Add(time.Hour), steps); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string, want ...string) {
			t.Helper()
			p, err := s.List(t.Context(), ticketing.Filter{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range p.Items {
				got = append(got, o.Asset+" "+o.FaultClass)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: orders for %q, want %q", what, got, want)
			}
		}
		step := func(asset, fault string, at uint64) rules.Transition {
			return storetest.Step(asset, fault, at, at, rules.Active, rules.Medium)
		}
		apply(step("server-1", "comms.quality", 1), step("server-2", "comms.quality", 2), step("server-3", "comms.quality", 3))
		want("three servers that are down need three people", "server-1 comms.quality", "server-2 comms.quality", "server-3 comms.quality")
		other := storetest.Step("server-1", "comms.quality", 1, 11, rules.Active, rules.High)
		other.Rule, other.Cause = "device-offline", rules.CauseSeverity
		apply(other, storetest.Step("server-1", "comms.quality", 1, 12, rules.Cleared, rules.High), step("server-1", "comms.quality", 13))
		want("another rule and another episode of the same", "server-1 comms.quality", "server-2 comms.quality", "server-3 comms.quality")
		apply(step("server-1", "power.overload", 21))
		want("another fault of the same server", "server-1 comms.quality", "server-1 power.overload", "server-2 comms.quality", "server-3 comms.quality")
		feeder := step("feeder", "power.quality", 31)
		behind := []rules.Transition{feeder}
		for i := range uint64(5) {
			tr := step("lamp-"+string(rune('a'+i)), "comms.quality", 32+i)
			tr.Under = feeder.Episode
			behind = append(behind, tr)
		}
		apply(behind...)
		want("what a dead feeder explains", "feeder power.quality", "server-1 comms.quality", "server-1 power.overload", "server-2 comms.quality", "server-3 comms.quality")
		storetest.CheckWhole(t, s)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "orders.db")) })
	t.Run("postgresql", func(t *testing.T) { run(t, storetest.StartPostgres(t).URL(t)) })
}
