package backtest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/calendars"
	"github.com/facilityd/facilityd/configs/profiles"
	shipped "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/rules"
)

// estate is the demo's site with all that ships.
func estate(t testing.TB) *configs.Bundle {
	t.Helper()
	s := configs.DefaultSettings()
	s.Sites = []string{"../../configs/sites/demo.yaml"}
	contents, list := configs.ReadContents(&s, configs.Shipped{Profiles: profiles.FS, Rules: shipped.FS, Calendars: calendars.FS})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	bundle, list := configs.Compile(contents[0])
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return bundle
}

// play lives an estate in which much goes wrong, and hands on each record with
// what was decoded from it.
func play(t testing.TB, b *configs.Bundle, reg *devices.Registry, seed uint64, length time.Duration, take func(*devices.Record, []devices.Reading)) {
	t.Helper()
	cfg := simulator.DemoEstate()
	cfg.Start, cfg.Location = time.Date(2026, 3, 2, 6, 0, 0, 0, b.Site.Location), b.Site.Location
	cfg.Faults, cfg.FaultsPerWeek, cfg.Horizon = nil, 1500, length
	e, err := simulator.New(cfg, seed)
	if err != nil {
		t.Fatal(err)
	}
	decoder := profile.NewDecoder(b.Profiles, b.Site, reg)
	var batch profile.Batch
	e.Records(b.Site.ID, cfg.Start.Add(length), func(r *devices.Record) {
		batch.Reset()
		decoder.Decode(r, &batch)
		take(r, batch.Readings)
	})
}

func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	t.Logf("seed %d", s)
	return s
}

// TestRecordsOfAJournalGiveWhatTheEngineSays: links that break, facts and another
// configuration in the middle, judged beside the goroutine that decodes.
func TestRecordsOfAJournalGiveWhatTheEngineSays(t *testing.T) {
	b := estate(t)
	reg, mirrored := devices.NewRegistry(), devices.NewRegistry()
	engine := rules.NewEngine(b.Rules, b.Site, mirrored)
	second := profile.NewDecoder(b.Profiles, b.Site, mirrored)
	var batch profile.Batch
	run := NewRun(Config{Site: b.Site, Rules: b.Rules, Registry: reg, Live: true})
	var want []rules.Transition
	other := *b.Site
	other.Devices = slices.Clone(other.Devices[1:]) // one is its own asset from then on
	n := 0
	play(t, b, reg, seed(t), 5*time.Hour, func(r *devices.Record, readings []devices.Reading) {
		batch.Reset()
		second.Decode(r, &batch)
		run.Apply(r, readings)
		want = append(want, engine.Apply(r, batch.Readings)...)
		extra := devices.Record{Seq: r.Seq, Time: r.Time, Site: r.Site, Connection: r.Connection}
		switch n++; n {
		case 4000:
			extra.Kind = devices.LinkState
		case 4400:
			extra.Kind, extra.Link.Up = devices.LinkState, true
		case 6000:
			extra.Kind, extra.Fact = devices.FactRecord, &devices.Fact{ID: "w", Kind: devices.FactWindow, From: time.Unix(0, r.Time), Until: time.Unix(0, r.Time).Add(time.Hour)}
		case 8000:
			extra.Kind = devices.ConfigVersion
			run.Swap(&extra, b.Rules, &other)
			want = append(want, engine.Swap(&extra, b.Rules, &other)...)
			return
		default:
			return
		}
		run.Apply(&extra, nil)
		want = append(want, engine.Apply(&extra, nil)...)
	})
	out := run.Finish(time.Time{})
	if len(want) < 4 {
		t.Fatalf("only %d steps: the estate is too well", len(want))
	}
	if diff := cmp.Diff(want, out.Steps, cmpopts.IgnoreUnexported(rules.Evidence{})); diff != "" {
		t.Errorf("the run differs from the engine (-engine +run):\n%s", diff)
	}
}

// TestSeveralCoresGiveWhatOneGives, and one gives what an engine gives that is
// told the time every second.
func TestSeveralCoresGiveWhatOneGives(t *testing.T) {
	b := estate(t)
	for i := range b.Site.Assets { // all of it on one ground
		if a := &b.Site.Assets[i]; a.Parent == "" {
			a.Parent = "ground"
		}
	}
	b.Site.Assets = append(b.Site.Assets, devices.Asset{ID: "ground", Class: place})
	reg := devices.NewRegistry()
	one := New(Config{Site: b.Site, Rules: b.Rules, Registry: reg, Workers: 1}, nil, false)
	four := New(Config{Site: b.Site, Rules: b.Rules, Registry: reg, Workers: 4}, nil, false)
	plain := rules.NewEngine(b.Rules, b.Site, reg)
	var want []rules.Transition
	tick, begun := int64(0), false
	all := []devices.Reading(nil)
	play(t, b, reg, seed(t), 5*time.Hour, func(_ *devices.Record, readings []devices.Reading) {
		all = append(all, slices.DeleteFunc(slices.Clone(readings), func(r devices.Reading) bool {
			return r.Point.Kind == devices.Availability // said at other times than the readings
		})...)
	})
	slices.SortStableFunc(all, func(a, b devices.Reading) int { return int(a.Time - b.Time) })
	feeds := []*Feed{NewFeed(one, b.Site.ID), NewFeed(four, b.Site.ID)}
	for _, r := range all {
		feeds[0].Add(r)
		feeds[1].Add(r)
	}
	feeds[0].Flush()
	feeds[1].Flush()
	// The plain engine, with a time record every second.
	apply := func(rec devices.Record, readings []devices.Reading) {
		want = append(want, plain.Apply(&rec, readings)...)
	}
	reference := func(rec devices.Record, readings []devices.Reading) {
		if !begun {
			begun, tick = true, rec.Time/int64(time.Second)*int64(time.Second)
			apply(devices.Record{Kind: devices.Start, Time: rec.Time}, nil)
			apply(devices.Record{Kind: devices.LinkState, Time: rec.Time, Connection: connection, Link: devices.Link{Up: true}}, nil)
		}
		for tick += int64(time.Second); tick < rec.Time; tick += int64(time.Second) {
			apply(devices.Record{Kind: devices.Tick, Seq: position(tick), Time: tick}, nil)
		}
		tick -= int64(time.Second)
		apply(rec, readings)
	}
	moments(all, func(t int64, readings []devices.Reading) {
		reference(devices.Record{Kind: devices.Messages, Seq: position(t), Time: t, Connection: connection}, readings)
	})
	end := time.Unix(0, all[len(all)-1].Time).Add(time.Hour) // everything falls silent
	for tick += int64(time.Second); tick <= end.UnixNano(); tick += int64(time.Second) {
		apply(devices.Record{Kind: devices.Tick, Seq: position(tick), Time: tick}, nil)
	}
	o := Options{Site: b.Site, Source: "csv", From: time.Unix(0, all[0].Time), To: end, Warranty: time.Hour}
	report, first := one.Finish(o)
	again, second := four.Finish(o)
	if len(first.Steps) < 4 {
		t.Fatalf("only %d steps: the estate is too well", len(first.Steps))
	}
	evidence := cmpopts.IgnoreUnexported(rules.Evidence{})
	sorted := func(steps []rules.Transition) []rules.Transition {
		out := slices.Clone(steps)
		for i := range out {
			out[i].Ordinal = 0 // counts the steps of one engine
		}
		slices.SortStableFunc(out, compareSteps)
		return out
	}
	if diff := cmp.Diff(sorted(first.Steps), sorted(second.Steps), evidence); diff != "" {
		t.Errorf("four cores differ from one (-one +four):\n%s", diff)
	}
	if diff := cmp.Diff(report, again, cmp.AllowUnexported(Order{})); diff != "" {
		t.Errorf("the reports differ (-one +four):\n%s", diff)
	}
	if diff := cmp.Diff(sorted(want), sorted(first.Steps), evidence); diff != "" {
		t.Errorf("the run differs from an engine with time records (-engine +run):\n%s", diff)
	}
}

// moments hands on what one device says at one time, devices by id.
func moments(all []devices.Reading, take func(int64, []devices.Reading)) {
	for k := 0; k < len(all); {
		n := k
		for n < len(all) && all[n].Time == all[k].Time {
			n++
		}
		now := slices.Clone(all[k:n])
		slices.SortStableFunc(now, func(a, b devices.Reading) int {
			return strings.Compare(a.Point.Device.ID, b.Point.Device.ID)
		})
		for i := 0; i < len(now); {
			j := i
			for j < len(now) && now[j].Point.Device == now[i].Point.Device {
				j++
			}
			take(now[i].Time, now[i:j])
			i = j
		}
		k = n
	}
}

func TestWhatDependsOnOneAnotherIsOneGroup(t *testing.T) {
	site := &devices.Site{
		Assets: []devices.Asset{
			{ID: "estate", Class: place}, {ID: "feeder", Class: "power", Parent: "estate"},
			{ID: "tower-a", Class: place, Parent: "estate"}, {ID: "tower-b", Class: place, Parent: "estate", FedBy: []string{"feeder"}},
			{ID: "lift-1", Class: "elevator", Parent: "tower-a"}, {ID: "lift-2", Class: "elevator", Parent: "tower-a"}, {ID: "door-1", Class: "gate", Parent: "tower-a"},
			{ID: "lift-3", Class: "elevator", Parent: "tower-b"}, {ID: "door-2", Class: "gate", Parent: "tower-b"},
			{ID: "room", Class: place, Parent: "tower-b"}, {ID: "fan", Class: "hvac", Parent: "room"},
			{ID: "main", Class: "meter"}, {ID: "unit-1", Class: "meter", Parent: "main"},
			{ID: "hall", Class: place}, {ID: "lamp", Class: "lighting", Parent: "hall"},
		},
		Devices: []devices.DeviceSpec{{ID: "beacon", Asset: "hall"}},
	}
	g := groupsOf(site)
	for _, x := range []struct {
		a, b string
		want bool
		why  string
	}{
		{"lift-1", "lift-2", true, "one class in one tower is compared"},
		{"lift-1", "door-1", false, "nothing is common to them but the tower"},
		{"lift-1", "lift-3", false, "they are in two towers"},
		{"lift-3", "door-2", true, "the tower is fed"},
		{"lift-3", "feeder", true, "the tower is fed"},
		{"fan", "feeder", true, "the room is in a tower that is fed"},
		{"main", "unit-1", true, "a meter under a meter"},
		{"main", "lift-1", false, "they have nothing in common"},
		{"lamp", "hall", true, "the hall has a device"},
	} {
		if got := g.find(x.a) == g.find(x.b); got != x.want {
			t.Errorf("%s and %s in one group: %v, but %s", x.a, x.b, got, x.why)
		}
	}
}
