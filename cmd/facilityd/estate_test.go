package main

import (
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/profiles"
	"github.com/facilityd/facilityd/configs/sites"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/devices/simulator/load"
	"github.com/facilityd/facilityd/rules"
)

// TestDemoEstateAndItsSiteFileAgree: every simulated device is in the site file
// with its class, marked as simulated, and the other way round; every fault names
// a fault class and an asset that exist.
func TestDemoEstateAndItsSiteFileAgree(t *testing.T) {
	const file = "../../configs/sites/demo.yaml"
	site := demoSite(t)
	assets := map[string]devices.Asset{}
	for _, a := range site.Assets {
		assets[a.ID] = a
		if a.Name.EN == "" || a.Name.ZH == "" {
			t.Errorf("asset %s lacks a name in English or Chinese", a.ID)
		}
	}
	specs := map[string]devices.DeviceSpec{}
	for _, d := range site.Devices {
		specs[d.ID] = d
	}
	estate := simulator.DemoEstate()
	for _, d := range estate.Devices() {
		s, known := specs[d.ID]
		switch {
		case !known:
			t.Errorf("%s is simulated but not in %s", d.ID, file)
		case s.Class != d.Class || assets[s.Asset].Class != d.Class || !s.Simulated:
			t.Errorf("%s is a simulated %s, the site file says class %q, asset of class %q, simulated %v", d.ID, d.Class, s.Class, assets[s.Asset].Class, s.Simulated)
		}
		delete(specs, d.ID)
	}
	for id := range specs {
		t.Errorf("%s is in %s but not simulated", id, file)
	}
	estate.Start = time.Date(2026, 4, 13, 0, 0, 0, 0, time.UTC)
	e, err := simulator.New(estate, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range e.Faults() {
		if f.FaultClass != "" && rules.FaultClassByID(f.FaultClass) == nil {
			t.Errorf("%s names the unknown fault class %q", f.Kind, f.FaultClass)
		}
	}
}

// demoSite is the site of the demo estate.
func demoSite(t testing.TB) *devices.Site {
	t.Helper()
	file := configs.File{Name: "demo.yaml", Data: sites.Demo}
	used, list := configs.ReadUsed(file, daemon.Shipped().Calendars)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	site, list := configs.ParseSite(file.Name, file.Data, used...)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return site
}

// shippedProfiles loads the profiles that ship, without their own tests.
func shippedProfiles(t testing.TB) *profile.Set {
	t.Helper()
	names, err := fs.Glob(profiles.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var files []profile.Source
	for _, name := range names {
		data, err := profiles.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, profile.Source{Name: name, Data: data})
	}
	set, list := profile.Load(files, profile.LoadOptions{SkipTests: true})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestShippedProfilesUnderstandTheEstate decodes a day of the demo estate and some
// of the numbered load: every message by a profile, every value by a point of its
// role; what is bad are the values that a fault makes bad.
func TestShippedProfilesUnderstandTheEstate(t *testing.T) {
	set := shippedProfiles(t)
	site := &devices.Site{ID: "demo", Location: time.UTC}
	reg := devices.NewRegistry()
	decoder := profile.NewDecoder(set, site, reg)
	var batch profile.Batch
	seq := uint64(0)
	bad, last := map[string]bool{}, ""
	decode := func(m devices.Message) {
		seq++
		batch.Reset()
		decoder.Decode(&devices.Record{Seq: seq, Kind: devices.Messages, Site: "demo", Time: m.Received, Messages: []devices.Message{m}}, &batch)
		repeated := string(m.Payload) == last // a fault of the demo: an event twice is one
		last = string(m.Payload)
		if (len(batch.Readings) == 0) != repeated {
			t.Errorf("%d readings of %s %s", len(batch.Readings), m.Topic, m.Payload)
		}
		for _, r := range batch.Readings {
			if r.Quality != devices.Good {
				bad[r.Point.Device.ID+" "+r.Point.Name] = true
			}
			if r.Point.Role == "" && r.Point.Kind != devices.Availability {
				t.Errorf("%s %s has no role", r.Point.Device.ID, r.Point.Name)
			}
		}
	}
	cfg := simulator.DemoEstate()
	cfg.Start = time.Date(2026, 4, 13, 0, 0, 0, 0, time.UTC)
	e, err := simulator.New(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	e.Step(cfg.Start.Add(24*time.Hour), func(m simulator.Message) {
		decode(devices.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Received: m.Time.UnixNano()})
	})
	g := load.New(load.Config{Devices: 10, Start: cfg.Start})
	for k := range 5000 {
		device, n := g.Message(k)
		decode(devices.Message{Topic: g.Topic(device), Payload: g.Append(nil, device, n), QoS: 1, Received: g.Time(n).UnixNano()})
	}

	if s := decoder.Stats(); s.Decoded != s.Messages || s.Failed+s.Unmatched+s.Guarded > 0 {
		t.Errorf("%+v", s)
	}
	for _, f := range decoder.Failures() {
		t.Errorf("%s %s: %s in %s", f.Profile, f.Topic, f.Reason, f.Payload)
	}
	for _, u := range decoder.Unmapped() {
		if u.Name != "seq" {
			t.Errorf("%+v", u)
		}
	}
	t.Logf("%d messages, bad or uncertain: %v", seq, slices.Sorted(maps.Keys(bad)))
}
