package profile_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// FuzzLoad: any text is a profile or a list of findings with positions.
func FuzzLoad(f *testing.F) {
	for _, s := range shipped(f) {
		if len(s.Data) < 6000 {
			f.Add(string(s.Data))
		}
	}
	files, _ := filepath.Glob("testdata/capabilities/*.yaml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, list := profile.Load([]profile.Source{{Name: "f.yaml", Data: []byte(text)}}, profile.LoadOptions{SkipTests: true})
		if (set == nil) != list.HasErrors() {
			t.Fatalf("set %v with findings %v", set != nil, list)
		}
		if set == nil {
			return
		}
		d := newDecoder(set)
		var out profile.Batch
		for _, topic := range []string{"m/a", "application/x/device/y/event/up"} {
			m := message(topic, `{"a":{"b":[1,"x",null]},"ts":1,"v":"1"}`)
			d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{m}}, &out)
		}
	})
}

// FuzzDecode: with every shipped profile, any message gives readings that are
// within the contract, and the account of every device is even.
func FuzzDecode(f *testing.F) {
	set, list := profile.Load(shipped(f), profile.LoadOptions{SkipTests: true})
	if err := list.Err(); err != nil {
		f.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/cases/*.json")
	for _, name := range files {
		c := readCase(f, filepath.Base(name))
		if m := caseMessage(f, c); m.Payload != nil {
			f.Add(m.Topic, m.Payload, m.Retained)
		}
	}
	f.Add("facility/pump/p/telemetry", []byte(strings.Repeat("[", 100000)), false)
	f.Add("facility/pump/p/telemetry", []byte(`{"current":1e999,"power":-0,"time":"9999-99-99T99:99:99Z"}`), false)
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		d := newDecoder(set)
		var out profile.Batch
		m := devices.Message{Topic: topic, Payload: payload, Retained: retained, Received: t0.UnixNano()}
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{m, m}}, &out)
		checkReadings(t, d, &out)
		again := newDecoder(set)
		if err := again.Restore(d.AppendState(nil)); err != nil {
			t.Fatalf("a written state is not readable: %v", err)
		}
	})
}

func checkReadings(t *testing.T, d *profile.Decoder, out *profile.Batch) {
	t.Helper()
	seen := make(map[*devices.Device]uint64)
	for i := range out.Readings {
		r := &out.Readings[i]
		seen[r.Point.Device]++
		if r.Time > t0.Add(10*time.Minute).UnixNano() || r.Time < time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() {
			t.Errorf("%s has the time %s", line(r), r.At())
		}
		if math.IsInf(r.Value, 0) || r.Quality == devices.Good && math.IsNaN(r.Value) && r.Text == "" && r.Point.Kind != devices.Text {
			t.Errorf("%s: value %v is good", line(r), r.Value)
		}
		if r.Quality == devices.Bad && (!math.IsNaN(r.Value) || r.Text != "") {
			t.Errorf("%s: a bad reading has a value", line(r))
		}
	}
	for dev := range seen {
		c := d.Counts(dev)
		if c.Decoded != c.Stored+c.Duplicate+c.Ignored+c.Unmapped+c.Pending {
			t.Errorf("%s: the account is not even: %+v", dev.ID, c)
		}
		if c.Stored != seen[dev] {
			t.Errorf("%s: %d stored, %d came out", dev.ID, c.Stored, seen[dev])
		}
	}
}

// FuzzScan: the scanner accepts exactly the documents that gjson calls valid,
// and finds in them what gjson finds.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":{"c":[1,2,{"d":"x"}]}}`, `{"a":"\u00e9\ud83d\ude00\n","b":{}}`, `[1,2]`, `"x"`, ` {"a" : -1.5e+3 , "b":null}`, `{"a":01}`, `{"a":1,}`, `{"":{"":1}}`, "{\"a\":\"\x01\"}"} {
		f.Add(s)
	}
	set := load(f, `profile: s/1
class: sensor
sources:
  - topic: "s/{device}"
    points: {a: {path: a}, c: {path: b.c}, d: {path: b.c.2.d}, n: {path: b.n, type: string}}
`)
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) == 0 || strings.Count(doc, "[")+strings.Count(doc, "{") > 60 {
			return
		}
		d := newDecoder(set)
		var out profile.Batch
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("s/x", doc)}}, &out)
		valid := gjson.Valid(doc)
		if refused := len(d.Failures()) > 0 && strings.HasPrefix(d.Failures()[0].Reason, "not JSON"); refused == valid {
			t.Fatalf("gjson says valid=%v, failures %v", valid, d.Failures())
		}
		for i := range out.Readings {
			r := &out.Readings[i]
			if r.Point.Name != "a" || r.Quality == devices.Bad {
				continue
			}
			want := gjson.Get(doc, "a")
			switch {
			case want.Type == gjson.Number && math.Abs(want.Num) < math.MaxFloat64 && want.Num != r.Value:
				t.Errorf("a is %v, gjson has %v", r.Value, want.Num)
			case want.Type == gjson.String && r.Text != want.Str && utf8.ValidString(want.Str):
				t.Errorf("a is %q, gjson has %q", r.Text, want.Str)
			}
		}
	})
}

// FuzzTopic: a topic that a filter of the set covers either fits a rule or not,
// without panic, and what fits is covered by a filter.
func FuzzTopic(f *testing.F) {
	for _, s := range []string{"a/b/c", "a//c", "/a/b", "$a/b", "a/x/y/z/tail", "", "/", "a/probe7/x"} {
		f.Add("a/{device...}/tail", s)
		f.Add("a/{device}[/{part}]", s)
		f.Add("/a/{device:[a-z]+}", s)
		f.Add("a/probe{device}/x", s)
	}
	f.Fuzz(func(t *testing.T, template, topic string) {
		if strings.ContainsAny(template, "\n\"\\") || len(template) > 200 || len(topic) > 2000 {
			return
		}
		set, _ := profile.Load([]profile.Source{{Name: "f.yaml", Data: []byte("profile: t/1\nclass: sensor\nidentity: {device: x}\nsources: [{topic: \"" + template + "\", decode: text, points: {p: {path: ''}}}]\n")}}, profile.LoadOptions{})
		if set == nil {
			return
		}
		d := newDecoder(set)
		var out profile.Batch
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message(topic, "1")}}, &out)
		if len(out.Readings) == 0 {
			return
		}
		for _, filter := range set.Filters() {
			if covers(filter, topic) {
				return
			}
		}
		t.Errorf("template %q takes topic %q, and no filter of %v brings it", template, topic, set.Filters())
	})
}

// covers is MQTT's rule (3.1.1, 4.7), written anew for the test.
func covers(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "#") || strings.HasPrefix(filter, "+")) {
		return false
	}
	fs, ts := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, f := range fs {
		if f == "#" {
			return true
		}
		if i >= len(ts) || f != "+" && f != ts[i] {
			return false
		}
	}
	return len(fs) == len(ts)
}
