package profile_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// The tests of this file are named after what users of neighbouring systems
// suffered from, and what follows from it for this one.

const meterProfile = `profile: meter/1
class: meter
time: {path: ts, format: unix}
sources:
  - topic: "m/{device}"
    points:
      power: {role: power, path: p, unit: W, missing: [-32768, "--", nan]}
      energy: {role: energy, path: e, unit: kWh}
      mode: {path: mode, type: string}
`

func TestPartialPayloadGivesNeitherLogFloodNorZero(t *testing.T) {
	d := newDecoder(load(t, meterProfile))
	var got []string
	for range 1000 {
		got = append(got, decode(t, d, message("m/a", `{"mode":"eco"}`))...)
	}
	for _, l := range got {
		if !strings.Contains(l, "mode") && !strings.Contains(l, "availability") {
			t.Fatalf("a point that is not in the message gave %q", l)
		}
	}
	if f := d.Failures(); len(f) != 0 {
		t.Errorf("absent points are failures: %v", f)
	}
	decode(t, d, message("m/a", `{"p":"x"}`), message("m/a", `{"p":"x"}`), message("m/a", `{"p":"x"}`))
	f := d.Failures()
	if len(f) != 1 || f[0].Count != 3 {
		t.Errorf("the same failure three times should be noted once, with its count: %v", f)
	}
}

func TestRetainedReplayNeverLooksFresh(t *testing.T) {
	d := newDecoder(load(t, meterProfile))
	retained := message("m/a", `{"p":100}`)
	retained.Retained = true
	var out profile.Batch
	one := func(m devices.Message) []devices.Reading {
		out.Reset()
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{m}}, &out)
		return out.Readings
	}
	got := one(retained)
	if len(got) != 1 {
		t.Fatalf("a retained message gives its value and says nothing about the device being there: %v", got)
	}
	if r := got[0]; r.Quality != devices.Uncertain || r.Flags&devices.RetainedMessage == 0 {
		t.Errorf("quality %v, flags %b", r.Quality, r.Flags)
	}
	if r := one(message("m/a", `{"p":101}`)); r[0].Quality != devices.Good {
		t.Errorf("the first live message is %v", r[0].Quality)
	}
	old := message("m/a", fmt.Sprintf(`{"p":99,"ts":%d}`, t0.Add(-time.Hour).Unix()))
	old.Retained = true
	if r := one(old); len(r) != 1 || !r[0].Historical() {
		t.Errorf("an older retained value replaced the live one: %v", r)
	}
	same := message("m/a", `{"p":101}`)
	same.Retained = true
	if r := one(same); len(r) != 0 {
		t.Errorf("the copy of the live value came again: %v", r)
	}
}

func TestNoNumberIsEverStoredForNoValue(t *testing.T) {
	for _, payload := range []string{
		`{"p":"NaN"}`, `{"p":"nan"}`, `{"p":""}`, `{"p":null}`, `{"p":-32768}`, `{"p":"--"}`, `{"p":"Inf"}`,
		`{"p":"0x10"}`, `{"p":true}`, `{"p":[]}`, `{"p":{}}`, `{"p":1e999}`, `{"p":"1_000"}`,
	} {
		d := newDecoder(load(t, meterProfile))
		var out profile.Batch
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("m/a", payload)}}, &out)
		for _, r := range out.Readings {
			if r.Point.Name != "power" {
				continue
			}
			if r.Quality != devices.Bad || !math.IsNaN(r.Value) {
				t.Errorf("%s gave %v, %v", payload, r.Value, r.Quality)
			}
		}
	}
}

func TestTimeAndIdentityPerElement(t *testing.T) {
	d := newDecoder(load(t, `profile: gw/1
class: sensor
sources:
  - topic: gw
    fanout: [{each: readings}]
    identity: {device: "{site}-{id}"}
    time: {path: at, format: rfc3339}
    points: {v: {path: v}}
`))
	var out profile.Batch
	d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("gw",
		`{"readings":[{"site":"x","id":1,"at":"2026-03-01T03:59:00Z","v":1},{"site":"y","id":2,"at":"2026-03-01T03:59:30Z","v":2},{"site":"x","id":1,"at":"2026-03-01T03:59:45Z","v":3}]}`)}}, &out)
	var got []string
	for _, r := range out.Readings {
		if r.Point.Name == "v" {
			got = append(got, fmt.Sprintf("%s %v %s", r.Point.Device.ID, r.Value, r.At().Format("15:04:05")))
		}
	}
	want := []string{"x-1 1 03:59:00", "y-2 2 03:59:30", "x-1 3 03:59:45"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// spbProfile and the messages below are those of the corpus' first node.
const spbProfile = `profile: spb/1
class: sensor
sources:
  - topic: spBv1.0/{group}/{type}/{node}[/{dev}]
    decode: sparkplug_b
    identity: {device: "{group}/{node}[/{dev}]"}
    skip: [bdSeq, "Node Control/*"]
    points: {"*": {name: $metric}}
`

func TestRestartInTheMiddleOfASparkplugSessionRecoversByItself(t *testing.T) {
	set := load(t, spbProfile)
	c := readCase(t, "spb-ddata-alias.json")
	a := newDecoder(set)
	var births []devices.Message
	for i := range c.Preceding {
		births = append(births, hexMessage(t, c.Preceding[i].Topic, c.Preceding[i].Payload, c.ReceiveTime))
	}
	data := hexMessage(t, c.Topic, c.Payload, c.ReceiveTime)
	decode(t, a, births...)
	want := []string{"Sparkplug B Devices/Raspberry Pi/Pibrella Inputs/A true", "Sparkplug B Devices/Raspberry Pi/Pibrella Inputs/C true"}

	// With its checkpoint a decoder goes on with the aliases that it had.
	b := newDecoder(set)
	if err := b.Restore(a.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, decode(t, b, data)); diff != "" {
		t.Errorf("after a restart with checkpoint: %s", diff)
	}

	// Without one it guesses nothing and asks for a birth, which repairs it.
	n := newDecoder(set)
	var out profile.Batch
	n.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{data}}, &out)
	if len(out.Readings) != 0 || len(out.Actions) != 1 || out.Actions[0].Kind != profile.Rebirth {
		t.Fatalf("data without a birth gave %v and %v", out.Readings, out.Actions)
	}
	decode(t, n, births...)
	if diff := cmp.Diff(want, decode(t, n, data)); diff != "" {
		t.Errorf("after the birth that was asked for: %s", diff)
	}
}

func TestWrongProfileIsRefusedWithFileAndLineAndTheOldOneKeepsRunning(t *testing.T) {
	running := load(t, meterProfile)
	broken := strings.Replace(meterProfile, "unit: W", "unit: Watts per hour", 1)
	set, list := profile.Load([]profile.Source{{Name: "meter.yaml", Data: []byte(broken)}}, profile.LoadOptions{})
	if set != nil {
		t.Fatal("a wrong profile loaded")
	}
	if len(list) != 1 || list[0].File != "meter.yaml" || list[0].Line != 7 || list[0].Column == 0 {
		t.Errorf("findings: %v", list)
	}
	if got := decode(t, newDecoder(running), message("m/a", `{"p":1000}`)); got[0] != "a power 1 kW" {
		t.Errorf("the set that was there decodes %v", got)
	}
}

func TestTraceTellsWhichRulesMatchedAndWhyOthersDidNot(t *testing.T) {
	set := load(t, meterProfile, strings.NewReplacer("meter/1", "guarded/1", `"m/{device}"`, "\"m/{device}\"\n    when: {path: model, equals: X9}").Replace(meterProfile),
		strings.NewReplacer("meter/1", "other/1", "m/{device}", "other/{device}/state").Replace(meterProfile))
	d := newDecoder(set)
	m := message("m/a", `{"p":1000}`)
	var text strings.Builder
	for _, s := range append(d.Trace(&m, new(profile.Batch)).Steps, set.Why("m/a")...) {
		fmt.Fprintf(&text, "%s: %s\n", s.Stage, s.Text)
	}
	for _, want := range []string{
		"guarded/1: source m/{device} reads this topic",
		"when: guarded/1: model does not hold",
		"identity: device a",
		"time: receive time",
		"reading: a power = 1 kW",
		"other/1, source other/{device}/state: the topic has 2 levels, other/+/state has 3",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the trace does not say %q:\n%s", want, text.String())
		}
	}
}
