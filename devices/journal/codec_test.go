package journal

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/facilityd/facilityd/devices"
)

func records() []devices.Record {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC).UnixNano()
	return []devices.Record{
		{Kind: devices.Messages, Site: "demo", Time: at + 9, Epoch: 3, Connection: "main", Session: 4, Messages: []devices.Message{
			{Topic: "a/b", Payload: []byte(`{"v":1}`), QoS: 1, PacketID: 65535, Received: at},
			{Topic: "空/气", Payload: []byte{}, QoS: 0, Retained: true, Received: at},
			{Topic: "", Payload: []byte{0, 1, 2}, QoS: 2, Dup: true, Redelivered: true, PacketID: 7, Received: at + 9},
		}},
		{Kind: devices.Messages, Site: "demo", Time: at, Epoch: 3, Connection: "main"},
		{Kind: devices.Tick, Site: "demo", Time: at, Epoch: math.MaxUint32},
		{Kind: devices.Start, Site: "", Time: -5, Epoch: 1},
		{Kind: devices.LinkState, Site: "demo", Time: at, Epoch: 1, Connection: "main", Session: 2, Link: devices.Link{Reason: "broker stopped"}},
		{Kind: devices.LinkState, Site: "demo", Time: at, Epoch: 1, Connection: "main", Session: 2, Link: devices.Link{Up: true}},
		{Kind: devices.ClockStep, Site: "demo", Time: at, Epoch: 1, Step: -time.Hour},
		{Kind: devices.ConfigVersion, Site: "demo", Time: at, Epoch: 1, Config: "0a1b"},
		{Kind: devices.FactRecord, Site: "demo", Time: at, Epoch: 1, Fact: &devices.Fact{ID: "x", Kind: devices.FactDone, By: "li", At: time.Unix(5, 0).UTC()}},
	}
}

func TestEncodeDecode(t *testing.T) {
	var names Names
	for _, want := range records() {
		data, err := Encode(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		got := devices.Record{Seq: 9, Config: "left over", Messages: make([]devices.Message, 1, 8)}
		if err := Decode(data, &got, &names); err != nil {
			t.Fatal(err)
		}
		want.Seq = 9
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", want.Kind, d)
		}
		for n := range data { // every cut is noticed
			if err := Decode(data[:n], &got, &names); !errors.Is(err, ErrFormat) {
				t.Errorf("%s cut to %d of %d bytes: %v", want.Kind, n, len(data), err)
			}
		}
		if err := Decode(append(data, 0), &got, &names); !errors.Is(err, ErrFormat) {
			t.Errorf("%s with a byte too much: %v", want.Kind, err)
		}
		data[0]++
		if err := Decode(data, &got, &names); !errors.Is(err, ErrFormat) {
			t.Errorf("%s of another version: %v", want.Kind, err)
		}
	}
	back := devices.Record{Kind: devices.Messages, Messages: []devices.Message{{Received: 2}, {Received: 1}}}
	if _, err := Encode(nil, &back); err == nil {
		t.Error("a record whose time goes back was encoded")
	}
	if _, err := Encode(nil, &devices.Record{Kind: 99}); err == nil {
		t.Error("an unknown kind was encoded")
	}
}

// FuzzDecode: any bytes decode to a record that says the same when it is encoded
// and decoded again, or give an error; never a panic, never a large allocation
// for a short input.
func FuzzDecode(f *testing.F) {
	for _, r := range records() {
		data, err := Encode(nil, &r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var names Names
		var r, again devices.Record
		if err := Decode(data, &r, &names); err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		if len(r.Messages) > len(data) {
			t.Fatalf("%d messages in %d bytes", len(r.Messages), len(data))
		}
		out, err := Encode(nil, &r)
		if err != nil {
			if r.Kind == devices.FactRecord {
				return // a time in a fact that JSON reads but does not write
			}
			t.Fatal(err)
		}
		if err := Decode(out, &again, &names); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func TestNamesAreBounded(t *testing.T) {
	var n Names
	for i := range 3 * maxNames {
		if got, want := n.Of([]byte(fmt.Sprint(i))), fmt.Sprint(i); got != want {
			t.Fatalf("%q for %q", got, want)
		}
	}
	if len(n.known) > maxNames {
		t.Errorf("%d names are kept", len(n.known))
	}
}

func TestDecodeAllocatesNothingPerMessage(t *testing.T) {
	r := devices.Record{Kind: devices.Messages, Site: "demo", Connection: "main"}
	for i := range 1000 {
		m := message(i)
		m.Received = int64(i)
		r.Messages = append(r.Messages, m)
	}
	data, err := Encode(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	var names Names
	var out devices.Record
	if n := testing.AllocsPerRun(100, func() {
		if err := Decode(data, &out, &names); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%.0f allocations for a record of 1,000 messages", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	r := benchRecord()
	data, err := Encode(nil, &r)
	if err != nil {
		b.Fatal(err)
	}
	var names Names
	var out devices.Record
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(data, &out, &names); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(r.Messages)), "ns/msg")
	b.ReportMetric(float64(len(data))/float64(len(r.Messages)), "bytes/msg")
}

func BenchmarkEncode(b *testing.B) {
	r := benchRecord()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = Encode(buf[:0], &r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(r.Messages)), "ns/msg")
}

// benchPayload has seven points, as the pumps of the load have.
var benchPayload = []byte(`{"ts":1770000000000,"current":12.31,"voltage":398.2,"discharge_pressure":5.42,"suction_pressure":1.1,"bearing_temp":48.6,"vibration_rms":2.31,"running":true}`)

func benchRecord() devices.Record {
	r := devices.Record{Kind: devices.Messages, Site: "demo", Connection: "main"}
	for i := range 1000 {
		r.Messages = append(r.Messages, devices.Message{
			Topic: fmt.Sprintf("site/pump-%d/telemetry", i), Payload: benchPayload, QoS: 1, PacketID: uint16(i), Received: int64(i) * 10_000,
		})
	}
	return r
}
