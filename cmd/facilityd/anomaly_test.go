package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/devices/simulator"
	"github.com/facilityd/facilityd/rules"
)

func TestExperiment(t *testing.T) {
	cand := []string{
		"class: pump|only_while: {when: running, after: 10m}|anomaly(vibration_rms, bearing_temp, current, flow, discharge_pressure, 15m)",
		"class: pump|only_while: {when: running, after: 10m}|anomaly(vibration_rms, bearing_temp, 15m)",
		"class: pump|only_while: {when: running, after: 10m}|anomaly(vibration_rms, 15m)",
		"class: pump|only_while: {when: running, after: 10m}|anomaly(bearing_temp, 15m)",
		"class: pump|only_while: {when: running, after: 10m}|anomaly(vibration_rms, bearing_temp, 1h)",
		"class: pump|only_while: {when: running, after: 10m}|anomaly(vibration_rms, 1h)",
		"class: pump|only_while: {when: running, after: 10m}|anomaly(bearing_temp, 1h)",
		"class: gate|severity: low|anomaly(motion_time)",
		"class: gate|severity: low|anomaly(motion_time, 1h)",
		"class: gate|severity: low|anomaly(cabinet_temp, supply_voltage, 15m)",
		"class: meter|severity: low|anomaly(power, 15m)",
		"class: meter|severity: low|anomaly(flow, 15m)",
		"class: meter|severity: low|anomaly(power, 1h)",
		"class: meter|severity: low|anomaly(flow, 1h)",
		"class: elevator|severity: low|anomaly(car_vib_horizontal, car_vib_vertical, brake_on_time, door_open_time, machine_room_temp, 15m)",
		"class: elevator|severity: low|anomaly(door_open_time, brake_on_time, car_vib_vertical, 1h)",
	}
	names, _ := os.ReadFile("../../configs/sites/demo.yaml")
	site, list := configs.ParseSite("demo.yaml", names)
	if list.Err() != nil {
		t.Fatal(list.Err())
	}
	profiles := shippedProfiles(t)
	loc := time.FixedZone("CST", 8*3600)
	for _, drift := range []bool{false, true} {
		cfg := simulator.DemoEstate()
		cfg.Start, cfg.Location, cfg.FaultsPerWeek = time.Date(2026, 4, 13, 6, 0, 0, 0, loc), loc, 0
		cfg.Faults = nil
		days := 30
		if drift {
			cfg.Faults = []simulator.Fault{
				{Kind: simulator.BearingWear, Device: "pump-3", Onset: 15 * 24 * time.Hour, Ramp: 60 * time.Hour},
				{Kind: simulator.EfficiencyLoss, Device: "pump-1", Onset: 15 * 24 * time.Hour, Ramp: 60 * time.Hour},
				{Kind: simulator.BoomSlow, Device: "barrier-2", Onset: 15 * 24 * time.Hour, Ramp: 72 * time.Hour}}
			days = 21
		}
		e, err := simulator.New(cfg, 1)
		if err != nil {
			t.Fatal(err)
		}
		reg := devices.NewRegistry()
		dec := profile.NewDecoder(profiles, site, reg)
		var engines []*rules.Engine
		var label []string
		for _, b := range []string{"0.1", "1", "3"} {
			if drift && b != "1" {
				continue
			}
			for _, c := range cand {
				var class, gate, when string
				p := 0
				for k, r := range c {
					if r == '|' {
						if p == 0 {
							class = c[:k]
						} else {
							gate = c[p:k]
							when = c[k+1:]
						}
						p = k + 1
					}
				}
				if gate == "severity: low" {
					gate = "source: {text: x, mark: j}"
				}
				src := fmt.Sprintf("rules:\n  - id: x\n    title: {en: x}\n    %s\n    fault_class: pump.bearing\n    severity: low\n    %s\n    budget: %s per asset per month\n    when: %s\n    clear_for: 6h\n", class, gate, b, when)
				set, l := rules.Load([]rules.File{{Name: "x", Data: []byte(src)}}, rules.LoadOptions{})
				if l.Err() != nil {
					t.Fatal(l.Err())
				}
				engines = append(engines, rules.NewEngine(set, site, reg))
				label = append(label, b+" "+when)
			}
		}
		out := make([][]string, len(engines))
		var batch profile.Batch
		begin := time.Now()
		var dd time.Duration
		e.Records("demo", cfg.Start.Add(time.Duration(days)*24*time.Hour), func(r *devices.Record) {
			if r.Kind == devices.Tick && r.Time/1e9%60 != 0 {
				return
			}
			batch.Reset()
			x := time.Now()
			dec.Decode(r, &batch)
			dd += time.Since(x)
			for k, en := range engines {
				for _, tr := range en.Apply(r, batch.Readings) {
					s := fmt.Sprintf("   %s %s d%.2f", tr.Episode.Asset, tr.Cause, time.Unix(0, tr.At).Sub(cfg.Start).Hours()/24)
					if tr.Evidence != nil {
						s += " " + tr.Evidence.Reason.EN
					}
					out[k] = append(out[k], s)
				}
			}
		})
		fmt.Println("drift", drift, "took", time.Since(begin), "decode", dd)
		for k := range engines {
			fmt.Println(label[k])
			for _, s := range out[k] {
				fmt.Println(s)
			}
		}
	}
}
