package profile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

var t0 = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

// load compiles profiles written in a test, under the names that are given.
func load(t testing.TB, texts ...string) *profile.Set {
	t.Helper()
	var files []profile.Source
	for i, text := range texts {
		files = append(files, profile.Source{Name: fmt.Sprintf("p%d.yaml", i+1), Data: []byte(text)})
	}
	set, list := profile.Load(files, profile.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func newDecoder(set *profile.Set) *profile.Decoder {
	return profile.NewDecoder(set, &devices.Site{ID: "s", Location: time.UTC}, devices.NewRegistry())
}

func message(topic, payload string) devices.Message {
	return devices.Message{Topic: topic, Payload: []byte(payload), Received: t0.UnixNano()}
}

// decode feeds messages one by one and returns the readings of the last one as
// lines "device point value unit quality flags".
func decode(t testing.TB, d *profile.Decoder, msgs ...devices.Message) []string {
	t.Helper()
	var out profile.Batch
	for _, m := range msgs {
		out.Reset()
		d.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{m}}, &out)
	}
	var lines []string
	for i := range out.Readings {
		lines = append(lines, line(&out.Readings[i]))
	}
	return lines
}

func line(r *devices.Reading) string {
	words := []string{r.Point.Device.ID, r.Point.Name, fmt.Sprint(profile.Value(r))}
	if r.Point.Unit != "" {
		words = append(words, r.Point.Unit)
	}
	if r.Quality != devices.Good {
		words = append(words, r.Quality.String())
	}
	if r.Historical() {
		words = append(words, "historical")
	}
	return strings.Join(words, " ")
}

func BenchmarkDecode7PointMessage(b *testing.B) {
	set, list := profile.Load(shipped(b), profile.LoadOptions{SkipTests: true})
	if err := list.Err(); err != nil {
		b.Fatal(err)
	}
	d := newDecoder(set)
	rec := devices.Record{Kind: devices.Messages}
	for i := range 1000 {
		rec.Messages = append(rec.Messages, message(fmt.Sprintf("facility/pump/pump-%d/telemetry", i),
			`{"running":true,"current":14.23,"power":7.13,"discharge_pressure":4.91,"flow":18.25,"vibration_rms":2.14,"bearing_temp":52.5,"time":"2026-03-01T04:00:00.000Z","seq":123456}`))
	}
	var out profile.Batch
	d.Decode(&rec, &out)
	second := strings.Index(string(rec.Messages[0].Payload), ":00.000Z") + 2
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n%1000 == 0 {
			out.Reset()
		}
		one := devices.Record{Kind: devices.Messages, Messages: rec.Messages[n%1000 : n%1000+1]}
		one.Messages[0].Payload[second] = byte('0' + n/1000%10)
		one.Messages[0].Received += 1e9
		d.Decode(&one, &out)
		n++
	}
}

func TestRestoredDecoderContinues(t *testing.T) {
	set, list := profile.Load(shipped(t), profile.LoadOptions{SkipTests: true})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	a := newDecoder(set)
	decode(t, a,
		message("facility/meter/w1/telemetry", `{"volume": 100, "time": "2026-03-01T03:00:00Z"}`),
		message("facility/meter/w1/availability", "online"),
		message("facility/elevator/l1/telemetry", `{"fault_code": 3, "floor": "B2"}`))
	state := a.AppendState(nil)
	b := newDecoder(set)
	if err := b.Restore(state); err != nil {
		t.Fatal(err)
	}
	if again := b.AppendState(nil); string(again) != string(state) {
		t.Error("a restored decoder writes another state")
	}
	next := message("facility/meter/w1/telemetry", `{"volume": 101.5, "time": "2026-03-01T03:30:00Z"}`)
	var out profile.Batch
	b.Decode(&devices.Record{Kind: devices.Messages, Messages: []devices.Message{next}}, &out)
	if len(out.Readings) != 1 || out.Readings[0].Delta != 1.5 {
		t.Errorf("after a restart the counter grew by %v, want 1.5", out.Readings)
	}
	for n := range state {
		if err := newDecoder(set).Restore(state[:n]); err == nil {
			t.Fatalf("a state cut at byte %d of %d was accepted", n, len(state))
		}
	}
}
