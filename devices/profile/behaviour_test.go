package profile_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

func TestListedSitesLeaveOthersSeenNotKnownUntilAdopted(t *testing.T) {
	site := &devices.Site{ID: "s", Location: time.UTC, AdoptListed: true, Devices: []devices.DeviceSpec{{ID: "a", Asset: "pump-1", Class: "pump", Interval: time.Minute}}}
	d := profile.NewDecoder(load(t, meterProfile), site, devices.NewRegistry())
	if got := decode(t, d, message("m/a", `{"p":1000}`)); len(got) != 2 {
		t.Errorf("the listed device gave %v", got)
	}
	if got := decode(t, d, message("m/b", `{"p":1000}`), message("m/b", `{"p":1000}`)); len(got) != 0 {
		t.Errorf("a device that nobody listed gave %v", got)
	}
	seen := d.Seen()
	if len(seen) != 1 || seen[0].ID != "b" || seen[0].Profile != "meter/1" || seen[0].Messages != 2 || seen[0].Topic != "m/b" {
		t.Errorf("seen: %+v", seen)
	}
	var out profile.Batch
	d.Decode(&devices.Record{Kind: devices.FactRecord, Fact: &devices.Fact{Kind: devices.FactAdopted, Device: "b", Asset: "meter-2"}}, &out)
	if got := decode(t, d, message("m/b", `{"p":1000}`)); len(got) != 2 || len(d.Seen()) != 0 {
		t.Errorf("after adoption: %v, seen %v", got, d.Seen())
	}
}

// A device that takes over stands for the asset from then on, also one that spoke
// for itself before; the one before it stands for itself. A restart knows it.
func TestReplacedDeviceChangesPlacesWithTheOneBefore(t *testing.T) {
	site := &devices.Site{ID: "s", Location: time.UTC, AdoptListed: true, Devices: []devices.DeviceSpec{{ID: "a", Asset: "pump-1"}, {ID: "b"}}}
	reg := devices.NewRegistry()
	d := profile.NewDecoder(load(t, meterProfile), site, reg)
	decode(t, d, message("m/a", `{"p":1000}`), message("m/b", `{"p":1000}`))
	var out profile.Batch
	for _, device := range []string{"b", "c"} {
		before := map[string]string{"b": "a", "c": "b"}[device]
		d.Decode(&devices.Record{Kind: devices.FactRecord, Fact: &devices.Fact{Kind: devices.FactReplaced, Device: device, Replaces: before, Asset: "pump-1"}}, &out)
	}
	fresh := devices.NewRegistry()
	again := profile.NewDecoder(load(t, meterProfile), site, fresh)
	if err := again.Restore(d.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		d   *profile.Decoder
		reg *devices.Registry
	}{{d, reg}, {again, fresh}} {
		if got := decode(t, x.d, message("m/c", `{"p":1000}`)); len(got) != 2 {
			t.Errorf("the new device gave %v", got)
		}
		for id, asset := range map[string]string{"a": "a", "b": "b", "c": "pump-1"} {
			if dev := x.reg.Lookup([]byte(id)); dev == nil || dev.Asset != asset {
				t.Errorf("%s: %+v, want asset %s", id, dev, asset)
			}
		}
	}
}

func TestSiteFileDecidesOverClassAssetIntervalAndProfile(t *testing.T) {
	other := strings.NewReplacer("meter/1", "another/1").Replace(meterProfile)
	reg := devices.NewRegistry()
	site := &devices.Site{ID: "s", Location: time.UTC, Simulated: true, Devices: []devices.DeviceSpec{{ID: "a", Asset: "pump-1", Class: "pump", Interval: time.Minute, Profile: "meter"}}}
	d := profile.NewDecoder(load(t, meterProfile, other), site, reg)
	decode(t, d, message("m/a", `{"p":1000}`), message("m/b", `{"p":1000}`))
	a, b := reg.Lookup([]byte("a")), reg.Lookup([]byte("b"))
	if a.Profile != "meter/1" || a.Class != "pump" || a.Asset != "pump-1" || a.Interval != int64(time.Minute) || !a.Simulated {
		t.Errorf("%+v", a)
	}
	if b.Profile != "another/1" || b.Class != "meter" || b.Asset != "b" {
		t.Errorf("the first profile by id reads what is not pinned: %+v", b)
	}
}

func TestDuplicatesLateReadingsAndTheAccount(t *testing.T) {
	d := newDecoder(load(t, meterProfile))
	one := func(payload string) []string { return decode(t, d, message("m/a", payload)) }
	if got := one(`{"ts":1772337600,"e":10}`); got[0] != "a energy 10 kWh" {
		t.Error(got)
	}
	if got := one(`{"ts":1772337600,"e":10}`); len(got) != 0 {
		t.Errorf("the same reading twice gave %v", got)
	}
	if got := one(`{"ts":1772337600,"e":11}`); len(got) != 1 {
		t.Errorf("another value at the same time: the last wins: %v", got)
	}
	if got := one(`{"ts":1772337000,"e":9}`); len(got) != 1 || got[0] != "a energy 9 kWh historical" {
		t.Errorf("a late reading gave %v", got)
	}
	if got := one(`{"ts":1772337000,"e":9}`); len(got) != 0 {
		t.Errorf("a late reading twice gave %v", got)
	}
	var out profile.Batch
	d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("m/a", `{"ts":1772337605,"e":12}`)}}, &out)
	if out.Readings[0].Delta != 1 {
		t.Errorf("the late reading disturbed the growth: %v", out.Readings[0].Delta)
	}
	want := profile.DeviceCounts{Decoded: 7, Stored: 5, Duplicate: 2}
	if diff := cmp.Diff(want, d.Counts(out.Readings[0].Point.Device)); diff != "" {
		t.Error(diff)
	}
	redelivered := message("m/a", `{"ts":1772337700,"e":99}`)
	redelivered.Redelivered = true
	if got := decode(t, d, redelivered); len(got) != 0 {
		t.Errorf("a redelivery that the journal marked gave %v", got)
	}
}

func TestBridgeAndDeviceAvailabilityCombine(t *testing.T) {
	d := newDecoder(load(t, `profile: b/1
class: meter
sources: [{topic: "{bridge}/{device}/v", decode: number, points: {v: {path: ""}}}]
availability:
  - {topic: "{bridge}/status", scope: bridge}
  - {topic: "{bridge}/{device}/status"}
`))
	steps := []struct{ topic, payload, want string }{
		{"x/status", "online", ""},
		{"x/a/v", "1", "a availability online; a v 1"},
		{"x/a/status", "offline", "a availability offline"},
		{"x/a/v", "2", "a v 2"},
		{"x/status", "offline", ""},
		{"x/a/status", "online", ""},
		{"x/status", "online", "a availability online"},
		{"y/b/v", "5", "b v 5; b availability online"},
		{"x/status", "offline", "a availability offline"},
	}
	for i, s := range steps {
		if got := strings.Join(decode(t, d, message(s.topic, s.payload)), "; "); got != s.want {
			t.Errorf("step %d, %s %s: got %q, want %q", i+1, s.topic, s.payload, got, s.want)
		}
	}
}

func TestEqualRecordsGiveEqualReadingsAndState(t *testing.T) {
	set := shippedSet(t)
	run := func() (string, string) {
		d := newDecoder(set)
		var all strings.Builder
		for _, name := range []string{"thingsboard-gateway-batch.json", "hillstate-elevator.json", "wmbus-kamheat.json", "counter-reset-duplicate-order.json", "spb-nbirth.json", "homie5-float-with-description.json"} {
			c := readCase(t, name)
			for i := range c.Preceding {
				m, err := c.Preceding[i].Bytes()
				if err != nil {
					t.Fatal(err)
				}
				all.WriteString(strings.Join(decode(t, d, devices.Message{Topic: c.Preceding[i].Topic, Payload: m, Received: t0.UnixNano()}), "\n"))
			}
			all.WriteString(strings.Join(decode(t, d, caseMessage(t, c)), "\n"))
		}
		return all.String(), string(d.AppendState(nil))
	}
	r1, s1 := run()
	for range 5 {
		if r2, s2 := run(); r1 != r2 || s1 != s2 {
			t.Fatal("the same records gave something else")
		}
	}
}

func TestProfileThatFitsBestIsNamedForAnUnknownTopic(t *testing.T) {
	d := newDecoder(shippedSet(t))
	decode(t, d, message("attic/plug7", `{"current":0.05,"energy":53.87,"power":1,"state":"ON","voltage":224,"linkquality":80}`))
	u := d.Unmapped()
	if len(u) != 1 || u[0].Name != "attic/plug7" {
		t.Fatalf("unmapped: %+v", u)
	}
	fits := shippedSet(t).Fits(u[0].Name, u[0].Sample)
	if len(fits) == 0 || fits[0].Profile != "zigbee2mqtt/1" || fits[0].Score != 1 {
		t.Errorf("fits: %+v", fits)
	}
}

func TestMaskReplacesSecretsAndPersonalData(t *testing.T) {
	got := string(profile.Mask([]byte(`{"user":"Lee","wifi":{"ssid":"home","rssi":-60},"uid":"0012","lat":52.3,"power":12.5,"list":[{"token":"x"}]}`)))
	var doc map[string]any
	if err := json.Unmarshal([]byte(got), &doc); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Lee", "home", "0012", "52.3", `"x"`} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is still in %s", secret, got)
		}
	}
	if doc["power"] != 12.5 || doc["wifi"].(map[string]any)["rssi"] != -60.0 {
		t.Errorf("more than needed is gone: %s", got)
	}
	if again := string(profile.Mask([]byte(`{"user":"Lee"}`))); !strings.Contains(got, again[9:len(again)-2]) {
		t.Error("the same text is masked differently")
	}
	if string(profile.Mask([]byte("21.5"))) != "21.5" || string(profile.Mask([]byte("not json"))) != "not json" {
		t.Error("what is no object was changed")
	}
}

func TestProposedProfilesPassTheirOwnTests(t *testing.T) {
	message := func(topic, payload string, sec int) *profile.Case {
		c := &profile.Case{ID: topic, ReceiveTime: t0.Add(time.Duration(sec) * time.Second).Format(time.RFC3339Nano)}
		c.Topic, c.Payload = topic, payload
		return c
	}
	for name, c := range map[string]struct {
		cases []*profile.Case
		want  []string
	}{
		"documents": {[]*profile.Case{
			message("acme/p1/data", `{"ts":1772337600,"powerW":120.5,"energy":{"total":10},"ok":true,"mode":"eco's","batteryLevel":80}`, 0),
			message("acme/p2/data", `{"ts":1772337600,"powerW":121,"energy":{"total":10},"ok":false,"mode":"on: off"}`, 1),
			message("acme/p1/data", `{"ts":1772337610,"powerW":122,"energy":{"total":12},"ok":true,"mode":"eco"}`, 10),
			message("acme/p1/data", `{"ts":1772337620,"powerW":122,"energy":{"total":13},"ok":true,"mode":"eco"}`, 20),
		}, []string{`topic: "acme/{device}/data"`, "{path: ts, format: unix}", "unit: W", "kind: counter", "interval: 10s", "range: [0, 100]"}},
		"scalars": {[]*profile.Case{
			message("house/boiler/temperature", "61.5", 0), message("house/boiler/pump", "ON", 1),
			message("house/cellar/temperature", "11.5", 2), message("house/cellar/leak", "false", 3),
		}, []string{`topic: "house/{device}/{point}"`, `unit: "°C"`, "by: $point"}},
		"one device with an id in the payload": {[]*profile.Case{
			message("sensors/all", `{"id":"A1","v":1,"text":"line\nbreak"}`, 0), message("sensors/all", `{"id":"A2","v":2}`, 1),
		}, []string{"identity: {device: {path: id}}"}},
	} {
		text, err := profile.Propose("draft/1", c.cases)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range append(c.want, "tests:") {
			if !strings.Contains(string(text), strings.Trim(w, `"`)) && !strings.Contains(string(text), w) {
				t.Errorf("%s: the proposal has no %s:\n%s", name, w, text)
			}
		}
	}
}

func TestCounterGrowth(t *testing.T) {
	set := load(t, `profile: c/1
class: meter
sources: [{topic: "c/{device}", points: {n: {path: n, counter: {width: 16}}, r: {path: r, kind: counter}, k: {path: k, counter: {reset: none}}}}]
`)
	d := newDecoder(set)
	var got []float64
	for _, p := range []string{`{"n":65530,"r":100,"k":5}`, `{"n":4,"r":3,"k":4}`, `{"n":2,"r":3,"k":9}`} {
		var out profile.Batch
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("c/a", p)}}, &out)
		for _, r := range out.Readings {
			if r.Point.Kind == devices.Counter {
				got = append(got, r.Delta)
			}
		}
	}
	nan := math.NaN()
	want := []float64{nan, nan, nan, 10, 3, nan, 2, 0, 5}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })); diff != "" {
		t.Error(diff)
	}
}

func TestTwoSourcesOfOnePointMayUseTwoUnits(t *testing.T) {
	d := newDecoder(load(t, `profile: u/1
class: sensor
sources:
  - {topic: "c/{device}", points: {temperature: {path: t, unit: °C}}}
  - {topic: "f/{device}", points: {temperature: {path: t, unit: °F}}}
`))
	if got := decode(t, d, message("c/a", `{"t":20}`), message("f/a", `{"t":212}`)); got[0] != "a temperature 100 °C" {
		t.Error(got)
	}
}

func TestReloadedProfileCountsForPointsThatWereThere(t *testing.T) {
	before := newDecoder(load(t, strings.Replace(meterProfile, "{role: power, path: p, unit: W", "{path: p, unit: W", 1)))
	decode(t, before, message("m/a", `{"p":1000}`))
	after := newDecoder(load(t, strings.Replace(meterProfile, "profile: meter/1", "profile: meter/2\ninterval: 30s", 1)))
	if err := after.Restore(before.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	var out profile.Batch
	after.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("m/a", `{"p":1000}`)}}, &out)
	p := out.Readings[0].Point
	if out.Readings[0].Value != 1 || p.Unit != "kW" || p.Role != "power" || p.Device.Profile != "meter/2" || p.Device.Interval != int64(30*time.Second) {
		t.Errorf("%s, role %q, profile %s, interval %d", line(&out.Readings[0]), p.Role, p.Device.Profile, p.Device.Interval)
	}
}

func TestSuccessorOnTheSameRegistryRenewsItsPoints(t *testing.T) {
	reg, site := devices.NewRegistry(), &devices.Site{ID: "s", Location: time.UTC}
	old := profile.NewDecoder(load(t, strings.Replace(meterProfile, "{role: power, path: p, unit: W", "{path: p, unit: W", 1)), site, reg)
	decode(t, old, message("m/a", `{"p":1000}`))
	next := profile.NewDecoder(load(t, meterProfile), site, reg)
	if err := next.Restore(old.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	p := reg.Lookup([]byte("a")).Point("power")
	if p.Role != "power" || p.Unit != "kW" {
		t.Errorf("before the next message the point has role %q, unit %q", p.Role, p.Unit)
	}
	if got := decode(t, next, message("m/a", `{"p":1000}`)); got[0] != "a power 1 kW" {
		t.Error(got)
	}
}

func TestReportsOfSeveralSitesAddUp(t *testing.T) {
	a, b := newDecoder(load(t, meterProfile)), newDecoder(load(t, meterProfile))
	decode(t, a, message("m/a", `{"p":1}`), message("unknown/x", "1"))
	decode(t, b, message("m/b", `{"p":"?"}`), message("m/b", `not json`))
	sum := a.Coverage()
	sum.Add(b.Coverage())
	if s := sum.Stats; s.Messages != 4 || s.Decoded != 2 || s.Unmatched != 1 || s.Failed != 1 || len(s.Profiles) != 1 || s.Profiles[0].Messages != 2 {
		t.Errorf("%+v", s)
	}
	var text strings.Builder
	if err := sum.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"unknown/x", "no profile reads it", "not JSON", `no number: "?"`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, text.String())
		}
	}
}

func TestSkippedFieldsAreNotReportedAsUnmapped(t *testing.T) {
	d := newDecoder(shippedSet(t))
	decode(t, d, message("facility/pump/p1/telemetry", `{"power":1,"seq":5,"colour":"red"}`))
	u := d.Unmapped()
	if len(u) != 1 || u[0].Name != "colour" {
		t.Errorf("unmapped: %+v", u)
	}
}

func TestSilenceIsDeclaredPerDevice(t *testing.T) {
	reg := devices.NewRegistry()
	d := profile.NewDecoder(load(t, meterProfile+"availability: [{silence: 3x, expect: 60s}]\n"), &devices.Site{ID: "s"}, reg)
	decode(t, d, message("m/a", `{"p":1}`))
	if dev := reg.Lookup([]byte("a")); dev.Interval != int64(time.Minute) || dev.Silence != int64(3*time.Minute) {
		t.Errorf("interval %d, silence %d", dev.Interval, dev.Silence)
	}
}
