package profile_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// What would eat time or memory without end is refused, counted, and leaves
// everything else running.
func TestHostileMessagesAreRefused(t *testing.T) {
	set := load(t, `profile: hostile/1
class: sensor
codecs:
  loop: |
    function decodeUplink(input) { if (input.bytes.length > 3) { while (true) {} } return {data: {v: 1}}; }
sources:
  - {topic: "json/{device}", points: {v: {path: v}}}
  - {topic: "zip/{device}", decode: [gzip, json], points: {v: {path: v}}}
  - {topic: "js/{device}", decode: {js: {codec: loop, port: "1", deadline: 20ms}}, points: {v: {path: v}}}
  - {topic: "each/{device}", fanout: [{each: ""}], points: {v: {path: v}}}
`)
	bomb := func() []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		zeros := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	d := newDecoder(set)
	for _, c := range []struct {
		name, topic string
		payload     []byte
		why         string
	}{
		{"1,000 levels of JSON", "json/a", []byte(strings.Repeat(`{"v":`, 1000) + "1" + strings.Repeat("}", 1000)), "levels deep"},
		{"half a million brackets", "json/a", []byte(strings.Repeat("[", 1<<19)), "levels deep"},
		{"a decompression bomb", "zip/a", bomb(), "gzip"},
		{"an endless loop", "js/a", []byte("long enough"), "deadline"},
		{"a document that ends early", "json/a", []byte(`{"v":1`), "not JSON"},
		{"two documents", "json/a", []byte(`{"v":1}{"v":2}`), "not JSON"},
	} {
		before := d.Stats().Failed
		var out profile.Batch
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{{Topic: c.topic, Payload: c.payload, Received: t0.UnixNano()}}}, &out)
		f := d.Failures()
		if len(out.Readings) != 0 || d.Stats().Failed != before+1 || !strings.Contains(f[len(f)-1].Reason, c.why) {
			t.Errorf("%s: %d readings, failure %v", c.name, len(out.Readings), f[len(f)-1].Reason)
		}
		if len(f[len(f)-1].Payload) > 4096 {
			t.Errorf("%s: %d bytes of it are kept", c.name, len(f[len(f)-1].Payload))
		}
	}
	many := "[" + strings.Repeat(`{"v":1},`, 30_000) + `{"v":2}]`
	var out profile.Batch
	d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("each/a", many)}}, &out)
	if len(out.Readings) > 20_001 {
		t.Errorf("one message gave %d readings", len(out.Readings))
	}
	if got := decode(t, d, message("js/a", "ok!"), message("json/b", `{"v":7}`)); len(got) == 0 || got[0] != "b v 7" {
		t.Errorf("afterwards: %v", got)
	}
}
