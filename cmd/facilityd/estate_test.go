package main

import (
	"os"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/rules"
)

// TestDemoEstateAndItsSiteFileAgree: every simulated device is in the site file
// with its class, marked as simulated, and the other way round; every fault names
// a fault class and an asset that exist.
func TestDemoEstateAndItsSiteFileAgree(t *testing.T) {
	const file = "../../configs/sites/demo.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	site, list := configs.ParseSite(file, data)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
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
