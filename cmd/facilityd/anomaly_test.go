package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/rules"
)

// learning are the shipped rules that learn from the past of an asset.
var learning = []string{"pump-behaves-oddly", "barrier-slows-down", "power-use-unusual", "flow-unusual", "lift-runs-oddly"}

// learningRules loads them alone, with the budget replaced.
func learningRules(t testing.TB, budget string) *rules.Set {
	t.Helper()
	s := configs.DefaultSettings()
	contents, list := configs.ReadContents(&s, daemon.Shipped())
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	var files []rules.File
	for _, f := range contents[0].Rules {
		text := strings.ReplaceAll(string(f.Data), "budget: 1 per", "budget: "+budget+" per")
		files = append(files, rules.File{Name: f.Name, Data: []byte(text)})
	}
	set, list := rules.Load(files, rules.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	var own []*rules.Rule
	for _, id := range learning {
		r := set.Rule(id)
		if r == nil {
			t.Fatalf("no rule %s", id)
		}
		own = append(own, r)
	}
	return rules.SetOf(own...)
}

// runEstate puts an estate through decoder and one engine for each set of rules, and
// returns their steps. Of the ticks one a minute is enough for rules that wait for
// readings only.
func runEstate(t testing.TB, cfg simulator.Config, seed uint64, length time.Duration, sets ...*rules.Set) [][]rules.Transition {
	t.Helper()
	site := demoSite(t)
	e, err := simulator.New(cfg, seed)
	if err != nil {
		t.Fatal(err)
	}
	reg := devices.NewRegistry()
	decoder := profile.NewDecoder(shippedProfiles(t), site, reg)
	var engines []*rules.Engine
	for _, s := range sets {
		engines = append(engines, rules.NewEngine(s, site, reg))
	}
	out := make([][]rules.Transition, len(sets))
	var batch profile.Batch
	e.Records("demo", cfg.Start.Add(length), func(r *devices.Record) {
		if r.Kind == devices.Tick && r.Time/int64(time.Second)%60 != 0 {
			return
		}
		batch.Reset()
		decoder.Decode(r, &batch)
		for k, engine := range engines {
			out[k] = append(out[k], engine.Apply(r, batch.Readings)...)
		}
	})
	return out
}

const day = 24 * time.Hour

// smallEstate is the demo estate with less of each: pumps speak every ten seconds and
// are most of its messages.
func smallEstate() simulator.Config {
	loc := time.FixedZone("CST", 8*3600)
	cfg := simulator.DemoEstate()
	cfg.Start, cfg.Location = time.Date(2026, 4, 13, 6, 0, 0, 0, loc), loc
	cfg.Faults, cfg.FaultsPerWeek = nil, 0
	cfg.Lifts, cfg.Doors, cfg.Detectors = cfg.Lifts[:2], nil, nil
	cfg.Circulation.Pumps = cfg.Circulation.Pumps[:1]
	cfg.Booster.Pumps = cfg.Booster.Pumps[:1]
	cfg.Sump.Pumps = nil
	cfg.Meters = slices.DeleteFunc(slices.Clone(cfg.Meters), func(m simulator.Meter) bool { return m.ID == "meter-e4" || m.ID == "meter-e5" })
	return cfg
}

// budgets are false orders per asset and month.
var budgets = []struct {
	text    string
	allowed float64
}{{"0.1", 0.1}, {"1", 1}, {"3", 3}}

var watchedClasses = []string{"elevator", "gate", "meter", "pump"}

// quietMonth lets an estate in which nothing is wrong live for thirty days, and returns
// by budget and class of asset how many orders there were per asset.
func quietMonth(t testing.TB, cfg simulator.Config, seed uint64) []map[string]float64 {
	var sets []*rules.Set
	for _, b := range budgets {
		sets = append(sets, learningRules(t, b.text))
	}
	assets, class := map[string]float64{}, map[string]string{}
	for _, d := range cfg.Devices() {
		assets[d.Class]++
		class[d.ID] = d.Class
	}
	var out []map[string]float64
	for k, steps := range runEstate(t, cfg, seed, 30*day, sets...) {
		rates := map[string]float64{}
		for _, s := range steps {
			if s.Cause == rules.CauseHeld {
				c := class[s.Episode.Asset]
				rates[c] += 1 / assets[c]
				t.Logf("seed %d, budget %s: %s after %.1f days: %s", seed, budgets[k].text, s.Episode.Asset, time.Unix(0, s.At).Sub(cfg.Start).Hours()/24, s.Evidence.Reason.EN)
			}
		}
		for _, c := range watchedClasses {
			t.Logf("seed %d, budget %s: %s has %.2f false orders per asset and month, on %.0f assets", seed, budgets[k].text, c, rates[c], assets[c])
		}
		out = append(out, rates)
	}
	return out
}

// TestQuietMonthKeepsTheBudget: thirty days of an estate in which nothing is wrong cost
// no class of asset more false orders per asset than the budget that was set. Ten of the
// days pass before the budget knows anything and any order can be due.
func TestQuietMonthKeepsTheBudget(t *testing.T) {
	for k, rates := range quietMonth(t, smallEstate(), 1) {
		for _, c := range watchedClasses {
			if rates[c] > budgets[k].allowed {
				t.Errorf("budget %s: %s has %.2f false orders per asset and month", budgets[k].text, c, rates[c])
			}
		}
	}
}

// BenchmarkQuietMonths does the same for the whole demo estate and other seeds, and
// reports the mean rates.
func BenchmarkQuietMonths(b *testing.B) {
	cfg := smallEstate()
	demo := simulator.DemoEstate()
	cfg.Lifts, cfg.Doors, cfg.Booster, cfg.Circulation, cfg.Sump, cfg.Meters = demo.Lifts, demo.Doors, demo.Booster, demo.Circulation, demo.Sump, demo.Meters
	for range b.N {
		const seeds = 3
		sum := map[string]float64{}
		for seed := range uint64(seeds) {
			for k, rates := range quietMonth(b, cfg, 2+seed) {
				for _, c := range watchedClasses {
					sum[c+"-at-"+budgets[k].text] += rates[c] / seeds
				}
			}
		}
		for _, c := range watchedClasses {
			for _, x := range budgets {
				b.ReportMetric(sum[c+"-at-"+x.text], c+"-at-"+x.text)
			}
		}
	}
}

// TestDriftsOfTheDemoGetTheirOrders: the demo's two drifts, which stay far below every
// limit, after two weeks in which the rules could learn what is normal.
func TestDriftsOfTheDemoGetTheirOrders(t *testing.T) {
	cfg := smallEstate()
	const learnt = 14 * day
	for _, f := range simulator.DemoEstate().Faults {
		if f.Kind == simulator.BearingWear || f.Kind == simulator.BoomSlow {
			f.Onset += learnt
			cfg.Faults = append(cfg.Faults, f)
		}
	}
	cfg.Lifts, cfg.Meters, cfg.Booster.Pumps = nil, nil, nil
	steps := runEstate(t, cfg, 1, learnt+4*day, learningRules(t, "1"))[0]
	for _, f := range cfg.Faults {
		begins := cfg.Start.Add(f.Onset)
		k := slices.IndexFunc(steps, func(s rules.Transition) bool { return s.Episode.Asset == f.Device && s.Cause == rules.CauseHeld })
		if k < 0 {
			t.Errorf("%s on %s got no order", f.Kind, f.Device)
			continue
		}
		s := steps[k]
		after := time.Unix(0, s.At).Sub(begins)
		t.Logf("%s on %s: order %v after it began, %.0f %% of its ramp: %s", f.Kind, f.Device, after.Round(time.Minute), 100*after.Hours()/f.Ramp.Hours(), s.Evidence.Reason.EN)
		if after < 0 || after > f.Ramp {
			t.Errorf("%s on %s: order %v after it began; its ramp takes %v", f.Kind, f.Device, after, f.Ramp)
		}
		if end := slices.IndexFunc(steps, func(x rules.Transition) bool { return x.Episode == s.Episode && x.Phase == rules.Cleared }); end >= 0 {
			t.Errorf("%s on %s: the order was cleared though nobody repaired anything", f.Kind, f.Device)
		}
	}
	for _, s := range steps {
		if !slices.ContainsFunc(cfg.Faults, func(f simulator.Fault) bool { return f.Device == s.Episode.Asset }) {
			t.Errorf("%s %s %s without a fault", s.Episode.Asset, s.Cause, s.Rule)
		}
	}
}
