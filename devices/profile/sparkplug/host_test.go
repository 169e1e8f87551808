package sparkplug

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/tidwall/gjson"
)

// say applies one message and gives what it said as short lines.
func say(t *testing.T, h *Host, topic string, p []byte, at time.Duration) []string {
	t.Helper()
	var out Result
	if err := h.Apply(topic, p, t0+int64(at), &out); err != nil {
		return []string{"error " + err.Error()}
	}
	return lines(t, &out)
}

func lines(t *testing.T, out *Result) []string {
	t.Helper()
	var l []string
	for _, a := range out.Availability {
		l = append(l, fmt.Sprintf("%s %s", a.path(), a.State))
	}
	for _, m := range out.Metrics {
		v := string(m.Value)
		if m.Null {
			v = "null"
		} else if !gjson.Valid(v) {
			t.Errorf("%s: not JSON: %s", m.Name, v)
		}
		s := fmt.Sprintf("%s %s=%s", m.path(), m.Name, v)
		if m.Unit != "" {
			s += " " + m.Unit
		}
		if m.Quality != Good {
			s += " " + m.Quality.String()
		}
		if m.Historical {
			s += " historical"
		}
		if m.Time != t0 && m.Time != 0 {
			s += fmt.Sprintf(" %+d ms", (m.Time-t0)/1e6)
		}
		l = append(l, s)
	}
	for _, a := range out.Actions {
		l = append(l, "ask "+a.Topic+": "+a.Reason)
	}
	if out.Dropped != "" {
		l = append(l, "dropped: "+out.Dropped)
	}
	return l
}

func (s Source) path() string {
	p := s.Group + "/" + s.Node
	if s.Device != "" {
		p += "/" + s.Device
	}
	return p
}

// step is one message of a session and what it has to say.
type step struct {
	topic string
	p     pb
	at    time.Duration
	want  []string
}

func session(t *testing.T, cfg Config, steps []step) *Host {
	t.Helper()
	h := NewHost(cfg)
	for i, s := range steps {
		if diff := cmp.Diff(s.want, say(t, h, s.topic, s.p, s.at)); diff != "" {
			t.Errorf("step %d, %s (-want +got)\n%s", i, s.topic, diff)
		}
		// A restart between any two messages changes nothing.
		saved := h.AppendState(nil)
		next := NewHost(cfg)
		if err := next.Restore(saved); err != nil {
			t.Fatal(err)
		}
		if again := next.AppendState(nil); string(again) != string(saved) {
			t.Fatalf("step %d: the state differs after Restore", i)
		}
		h = next
	}
	return h
}

const (
	nbirth = "spBv1.0/g/NBIRTH/n"
	ndeath = "spBv1.0/g/NDEATH/n"
	ndata  = "spBv1.0/g/NDATA/n"
	dbirth = "spBv1.0/g/DBIRTH/n/d"
	ddeath = "spBv1.0/g/DDEATH/n/d"
	ddata  = "spBv1.0/g/DDATA/n/d"
)

func bd(v uint64) pb { return metricMsg("bdSeq", -1, Int64).varint(11, v) }

func speed(v uint64) pb { return metricMsg("speed", 1, Int16).varint(10, v) }

var born = []step{
	{nbirth, pay(0, bd(7), speed(5)), 0, []string{"g/n online", "g/n speed=5"}},
	{dbirth, pay(1, metricMsg("on", 2, Boolean).varint(14, 1)), 0, []string{"g/n/d online", "g/n/d on=true"}},
}

func TestCorpusSessions(t *testing.T) {
	for name, want := range map[string][]string{
		"nbirth": {
			"Sparkplug B Devices/Raspberry Pi online",
			"Sparkplug B Devices/Raspberry Pi Node Control/Reboot=false",
			"Sparkplug B Devices/Raspberry Pi Node Control/Rebirth=false",
			"Sparkplug B Devices/Raspberry Pi Node Control/Next Server=false",
			"Sparkplug B Devices/Raspberry Pi Node Control/Scan Rate=3000",
			`Sparkplug B Devices/Raspberry Pi Properties/Hardware Make="Raspberry Pi"`,
			`Sparkplug B Devices/Raspberry Pi Properties/Hardware Model="Pi 3 Model B"`,
			`Sparkplug B Devices/Raspberry Pi Properties/OS="Raspbian"`,
			`Sparkplug B Devices/Raspberry Pi Properties/OS Version="Jessie with PIXEL/11.01.2017"`,
			"Sparkplug B Devices/Raspberry Pi Supply Voltage=12.1",
		},
		"ddata-alias": {
			"Sparkplug B Devices/Raspberry Pi/Pibrella Inputs/A=true",
			"Sparkplug B Devices/Raspberry Pi/Pibrella Inputs/C=true",
		},
		"ndeath": {
			"Sparkplug B Devices/Raspberry Pi offline",
			"Sparkplug B Devices/Raspberry Pi/Pibrella offline",
		},
		"unknown-alias": {
			"ask spBv1.0/Sparkplug B Devices/NCMD/Raspberry Pi: data before the birth of the node",
			"dropped: data before the birth of the node",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			h := NewHost(Config{})
			var got []string
			for line := range strings.Lines(string(text)) {
				topic, payload, _ := strings.Cut(strings.TrimSpace(line), "\t")
				b, err := hex.DecodeString(payload)
				if err != nil {
					t.Fatal(err)
				}
				var out Result
				if err := h.Apply(topic, b, t0, &out); err != nil {
					t.Fatal(err)
				}
				for i := range out.Metrics {
					if at := time.Unix(0, out.Metrics[i].Time).UTC(); at.Year() != 2017 {
						t.Errorf("time of %s is %v", out.Metrics[i].Name, at)
					}
					out.Metrics[i].Time = t0
				}
				got = lines(t, &out)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDataNeedsABirth(t *testing.T) {
	session(t, Config{}, []step{
		{ndata, pay(3, speed(1)), 0, []string{"ask spBv1.0/g/NCMD/n: data before the birth of the node", "dropped: data before the birth of the node"}},
		{ndata, pay(4, speed(1)), 29 * time.Second, []string{"dropped: data before the birth of the node"}},
		{ndata, pay(5, speed(1)), 31 * time.Second, []string{"ask spBv1.0/g/NCMD/n: data before the birth of the node", "dropped: data before the birth of the node"}},
		{dbirth, pay(6), 32 * time.Second, []string{"dropped: birth of a device before the birth of the node"}},
		{nbirth, pay(0, bd(1), speed(5)), 33 * time.Second, []string{"g/n online", "g/n speed=5"}},
		{ddata, pay(1, metricMsg("", 2, Unknown).varint(14, 1)), 34 * time.Second, []string{"ask spBv1.0/g/NCMD/n: data of a device before its birth", "dropped: data of a device before its birth"}},
		{ndata, pay(2, metricMsg("", 1, Unknown).varint(10, 6)), 35 * time.Second, []string{"g/n speed=6"}},
	})
}

func TestUnknownAliasDropsTheMessage(t *testing.T) {
	session(t, Config{}, append(born[:2:2],
		step{ndata, pay(2, speed(6), metricMsg("", 99, Unknown).varint(10, 1)), 0, []string{"ask spBv1.0/g/NCMD/n: unknown alias 99", "dropped: unknown alias 99"}},
		step{ndata, pay(3, metricMsg("other", -1, Unknown).varint(10, 1)), 0, []string{`dropped: metric "other" is in no birth and has no type`}},
		step{ndata, pay(4, metricMsg("other", -1, Int8).varint(10, 1)), 0, []string{"g/n other=1"}},
		step{ndata, pay(5, pb{}.varint(10, 1)), 0, []string{"dropped: metric without name and alias"}},
	))
}

func TestAliasOfTwoMetricsIsNobodys(t *testing.T) {
	session(t, Config{}, []step{
		{nbirth, pay(0, metricMsg("b", 1, Int8).varint(10, 1), metricMsg("a", 1, Int8).varint(10, 2)), 0, []string{"g/n online", "g/n b=1", "g/n a=2"}},
		{ndata, pay(1, metricMsg("", 1, Unknown).varint(10, 3)), 0, []string{"ask spBv1.0/g/NCMD/n: unknown alias 1", "dropped: unknown alias 1"}},
	})
}

func TestSequenceGapDropsUntilTheNextBirth(t *testing.T) {
	session(t, Config{}, append(born[:2:2],
		step{ndata, pay(2, speed(6)), 0, []string{"g/n speed=6"}},
		step{ndata, pay(2, speed(6)), 0, []string{"dropped: sequence number of the message before: delivered twice"}},
		step{ndata, pay(4, speed(7)), 0, []string{"ask spBv1.0/g/NCMD/n: sequence number 4, expected 3", "dropped: data after a missing message"}},
		step{ndata, pay(5, speed(7)), 0, []string{"dropped: data after a missing message"}},
		step{ddeath, pay(6), 0, []string{"g/n/d offline"}},
		step{ndata, pay(-1, speed(7)), 0, []string{"dropped: data after a missing message"}},
		step{nbirth, pay(0, bd(7), speed(8)), time.Second, []string{"g/n online", "g/n speed=8"}},
		step{ndata, pay(1, speed(9)), time.Second, []string{"g/n speed=9"}},
	))
}

func TestWithoutAnAnswerMetricsAreUncertain(t *testing.T) {
	ask := func(why string) string { return "ask spBv1.0/g/NCMD/n: " + why }
	steps := append(born[:2:2],
		step{ndata, pay(9, speed(6)), 0, []string{ask("sequence number 9, expected 2"), "dropped: data after a missing message"}},
		step{ndata, pay(10, speed(6)), time.Minute, []string{ask("data after a missing message"), "dropped: data after a missing message"}},
		step{ndata, pay(11, speed(7)), 2 * time.Minute, []string{"g/n speed=7 uncertain", ask("data after a missing message")}},
		step{ddata, pay(12, metricMsg("", 2, Unknown).varint(14, 0)), 2*time.Minute + time.Second, []string{"g/n/d on=false uncertain"}},
		step{ddata, pay(13, metricMsg("", 77, Unknown).varint(14, 0)), 3 * time.Minute, []string{ask("data after a missing message"), "dropped: unknown alias 77"}},
		step{nbirth, pay(0, bd(7), speed(8)), 4 * time.Minute, []string{"g/n online", "g/n/d unknown", "g/n speed=8"}},
		step{ndata, pay(1, speed(9)), 4 * time.Minute, []string{"g/n speed=9"}},
	)
	session(t, Config{}, steps)
	steps = append(born[:2:2],
		step{ndata, pay(9, speed(6)), 0, []string{ask("sequence number 9, expected 2"), "dropped: data after a missing message"}},
		step{ndata, pay(10, speed(6)), time.Hour, []string{ask("data after a missing message"), "dropped: data after a missing message"}},
	)
	session(t, Config{KeepAfter: -1}, steps)
}

func TestSequenceWrapsAt256(t *testing.T) {
	h := NewHost(Config{})
	say(t, h, nbirth, pay(0, bd(1), speed(0)), 0)
	for i := 1; i < 600; i++ {
		if got := say(t, h, ndata, pay(i%256, speed(1)), 0); !cmp.Equal(got, []string{"g/n speed=1"}) {
			t.Fatalf("message %d: %v", i, got)
		}
	}
}

func TestLateWillChangesNothing(t *testing.T) {
	session(t, Config{}, append(born[:2:2],
		step{nbirth, pay(0, bd(8), speed(5)), 0, []string{"g/n online", "g/n/d unknown", "g/n speed=5"}},
		step{ndeath, pay(-1, bd(7)), 0, []string{"dropped: late will of an earlier session: bdSeq 7, session has 8"}},
		step{ndata, pay(1, speed(6)), 0, []string{"g/n speed=6"}},
		step{ndeath, pay(-1, bd(8)), time.Hour, []string{"g/n offline", "g/n/d offline"}},
		step{ndeath, pay(-1, bd(8)), time.Hour, []string{"dropped: death of a node that is not known to live"}},
		step{ndata, pay(2, speed(6)), time.Hour, []string{"ask spBv1.0/g/NCMD/n: data before the birth of the node", "dropped: data before the birth of the node"}},
	))
}

func TestDeathOfANodeWithoutBdSeq(t *testing.T) {
	session(t, Config{}, []step{
		{nbirth, pay(0, speed(5)), 0, []string{"g/n online", "g/n speed=5"}},
		{ndeath, pay(-1, bd(3)), 0, []string{"g/n offline"}},
		{nbirth, pay(0, bd(4)), 0, []string{"g/n online"}},
		{ndeath, pay(-1), 0, []string{"dropped: late will of an earlier session: bdSeq 0, session has 4"}},
	})
}

func TestDeathsTakeTheRightTime(t *testing.T) {
	h := NewHost(Config{})
	for _, s := range born {
		say(t, h, s.topic, s.p, 0)
	}
	var out Result
	for _, m := range []struct {
		topic string
		p     pb
	}{{ddeath, pay(2)}, {ndeath, pay(-1, bd(7))}} {
		if err := h.Apply(m.topic, m.p, t0+5e9, &out); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for _, a := range out.Availability {
		got = append(got, (a.Time-t0)/1e9)
	}
	// The device says when; a will was written when the node connected.
	if diff := cmp.Diff([]int64{0, 5, 5}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRebirthRequestIsACommand(t *testing.T) {
	h := NewHost(Config{})
	var out Result
	if err := h.Apply(ndata, pay(3, speed(1)), t0, &out); err != nil || len(out.Actions) != 1 {
		t.Fatalf("%v, %d actions", err, len(out.Actions))
	}
	p, err := readPayload(out.Actions[0].Payload)
	if err != nil || p.timestamp != t0ms || p.metrics != 1 {
		t.Errorf("payload %+v, %v", p, err)
	}
	r := reader{b: out.Actions[0].Payload}
	for r.next() {
		if r.num == 2 {
			m, err := readMetric(r.bytes, r.at)
			if err != nil || string(m.name) != "Node Control/Rebirth" || m.typ != Boolean || m.value.field != boolValue || m.value.v != 1 {
				t.Errorf("metric %+v, %v", m, err)
			}
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		name string
		m    pb
		want string
	}{
		{"int8, own width", metricMsg("v", 1, Int8).varint(10, 0xff), "-1"},
		{"int8, 32 bits", metricMsg("v", 1, Int8).varint(10, 0xffffffff), "-1"},
		{"int8, 64 bits", metricMsg("v", 1, Int8).varint(10, 1<<64-1), "-1"},
		{"int8 too large", metricMsg("v", 1, Int8).varint(10, 0x1ff), "null bad"},
		{"int16, own width", metricMsg("v", 1, Int16).varint(10, 0xfe0c), "-500"},
		{"int16, 32 bits", metricMsg("v", 1, Int16).varint(10, 0xfffffe0c), "-500"},
		{"int32", metricMsg("v", 1, Int32).varint(10, 0xfffffffe), "-2"},
		{"int32 in long_value", metricMsg("v", 1, Int32).varint(11, 1<<64-2), "-2"},
		{"int64", metricMsg("v", 1, Int64).varint(11, 1<<64-2), "-2"},
		{"uint32 in int_value", metricMsg("v", 1, UInt32).varint(10, 4294967295), "4294967295"},
		{"uint32 in long_value", metricMsg("v", 1, UInt32).varint(11, 4294967295), "4294967295"},
		{"uint16 too large", metricMsg("v", 1, UInt16).varint(10, 65536), "null bad"},
		{"uint64", metricMsg("v", 1, UInt64).varint(11, 1<<64-1), "18446744073709551615"},
		{"float", metricMsg("v", 1, Float).float(12, 12.1), "12.1"},
		{"not a number", metricMsg("v", 1, Double).double(13, nan()), "null bad"},
		{"double", metricMsg("v", 1, Double).double(13, 0.1), "0.1"},
		{"boolean in int_value", metricMsg("v", 1, Boolean).varint(10, 1), "true"},
		{"text", metricMsg("v", 1, String).text(15, "é\n"), `"é\n"`},
		{"date", metricMsg("v", 1, DateTime).varint(11, 1486144502122), "1486144502122"},
		{"bytes", metricMsg("v", 1, Bytes).text(16, "\x01\xff"), `"01ff"`},
		{"text in a number", metricMsg("v", 1, Int8).text(15, "5"), "null bad"},
		{"null", metricMsg("v", 1, Int8).varint(7, 1), "null"},
		{"null beside a value", metricMsg("v", 1, Int8).varint(7, 1).varint(10, 3), "null"},
		{"nothing", metricMsg("v", 1, Int8), "null"},
		{"historical", metricMsg("v", 1, Int8).varint(5, 1).varint(10, 3), "3 historical"},
		{"own time", metricMsg("v", 1, Int8).varint(3, t0ms-1500).varint(10, 3), "3 -1500 ms"},
		{"absurd time", metricMsg("v", 1, Int8).varint(3, 1<<63).varint(10, 3), "3"},
		{"bad quality", metricMsg("v", 1, Int8).varint(10, 3).msg(9, property("Quality", pb{}.varint(1, 3).varint(3, 0))), "3 bad"},
		{"stale quality", metricMsg("v", 1, Int8).varint(10, 3).msg(9, property("Quality", pb{}.varint(1, 3).varint(3, 500))), "3 stale"},
		{"good quality", metricMsg("v", 1, Int8).varint(10, 3).msg(9, property("Quality", pb{}.varint(1, 3).varint(3, 192))), "3"},
		{"unit", metricMsg("v", 1, Int8).varint(10, 3).msg(9, property("engUnit", pb{}.varint(1, 12).text(8, "bar"))), "3 bar"},
		{"int16 array", metricMsg("v", 1, Int16Array).text(16, "\xfe\xff\x01\x00"), "[-2,1]"},
		{"uint32 array", metricMsg("v", 1, UInt32Array).text(16, "\xff\xff\xff\xff"), "[4294967295]"},
		{"float array", metricMsg("v", 1, FloatArray).text(16, "\x9a\x99\x41\x41"), "[12.1]"},
		{"double array", metricMsg("v", 1, DoubleArray).text(16, "\x00\x00\x00\x00\x00\x00\xf0\x3f"), "[1]"},
		{"boolean array", metricMsg("v", 1, BooleanArray).text(16, "\x03\x00\x00\x00\xa0"), "[true,false,true]"},
		{"boolean array, short", metricMsg("v", 1, BooleanArray).text(16, "\xff\x00\x00\x00\xa0"), "null bad"},
		{"string array", metricMsg("v", 1, StringArray).text(16, "ab\x00\x00c\x00"), `["ab","","c"]`},
		{"array of half an element", metricMsg("v", 1, Int32Array).text(16, "\x01"), "null bad"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := NewHost(Config{})
			got := say(t, h, nbirth, pay(0, c.m), 0)
			if diff := cmp.Diff([]string{"g/n online", "g/n v=" + c.want}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func nan() float64 { return float64(0) / zero }

var zero float64

func property(key string, v pb) pb {
	other := pb{}.varint(1, 12).text(8, "x")
	return pb{}.text(1, "other").text(1, key).msg(2, other).msg(2, v)
}

func TestUnitOfTheBirthHoldsForData(t *testing.T) {
	session(t, Config{}, []step{
		{nbirth, pay(0, metricMsg("p", 1, Float).float(12, 1).msg(9, property("engUnit", pb{}.varint(1, 12).text(8, "bar")))), 0, []string{"g/n online", "g/n p=1 bar"}},
		{ndata, pay(1, metricMsg("", 1, Unknown).float(12, 2)), 0, []string{"g/n p=2 bar"}},
	})
}

func TestTemplatesAreFlattened(t *testing.T) {
	member := func(v uint64) pb { return metricMsg("speed", -1, Int16).varint(10, v) }
	instance := func(members ...pb) pb {
		b := pb{}.text(1, "1.0").text(4, "Motor")
		for _, m := range members {
			b = b.msg(2, m)
		}
		return b
	}
	definition := instance(member(0)).varint(5, 1)
	inner := metricMsg("bearing", -1, Template).msg(18, instance(metricMsg("temp", -1, Float).float(12, 40.5)))
	session(t, Config{}, []step{
		{nbirth, pay(0,
			metricMsg("_types_/Motor", -1, Template).msg(18, definition),
			metricMsg("M1", 4, Template).msg(18, instance(member(0xfe0c), inner))), 0,
			[]string{"g/n online", "g/n M1/speed=-500", "g/n M1/bearing/temp=40.5"}},
		{ndata, pay(1, metricMsg("", 4, Unknown).msg(18, instance(metricMsg("speed", -1, Unknown).varint(10, 0xfffffe0c)))), 0,
			[]string{"g/n M1/speed=-500"}},
	})
	deep := instance(member(1))
	for range maxTemplates + 1 {
		deep = instance(metricMsg("t", -1, Template).msg(18, deep))
	}
	got := say(t, NewHost(Config{}), nbirth, pay(0, metricMsg("x", -1, Template).msg(18, deep)), 0)
	if len(got) != 1 || !strings.Contains(got[0], "nested too deep") {
		t.Errorf("got %v", got)
	}
}

func TestDataSetsAreFlattened(t *testing.T) {
	row := func(a uint64, s string) pb {
		return pb{}.msg(1, pb{}.varint(1, a)).msg(1, pb{}.text(6, s))
	}
	set := pb{}.varint(1, 2).text(2, "n").text(2, "name").varint(3, uint64(Int8)).varint(3, uint64(String)).msg(4, row(0xff, "a")).msg(4, row(2, "b"))
	packed := pb{}.varint(1, 1).text(2, "n").text(3, "\x07").msg(4, pb{}.msg(1, pb{}.varint(2, 9)))
	session(t, Config{}, []step{
		{nbirth, pay(0, metricMsg("T", 1, DataSet).msg(17, set), metricMsg("P", 2, DataSet).msg(17, packed)), 0,
			[]string{"g/n online", "g/n T/0/n=-1", `g/n T/0/name="a"`, "g/n T/1/n=2", `g/n T/1/name="b"`, "g/n P/0/n=9"}},
		{ndata, pay(1, metricMsg("", 1, Unknown).msg(17, pb{}.text(2, "n").msg(4, row(1, "x")))), 0,
			[]string{"error sparkplug: offset 21: more elements than columns in a data set"}},
	})
}

func TestDamagedPayloadChangesNothing(t *testing.T) {
	h := NewHost(Config{})
	for _, s := range born {
		say(t, h, s.topic, s.p, 0)
	}
	before := h.AppendState(nil)
	for _, c := range []struct {
		topic string
		p     pb
	}{
		{nbirth, append(pay(0, speed(1)), 0x12, 0xff)},
		{nbirth, pay(0, append(speed(1), 0x0a, 0xff))},
		{dbirth, pay(2, pb{}.varint(1, 5))},
	} {
		if got := say(t, h, c.topic, c.p, 0); len(got) != 1 || !strings.HasPrefix(got[0], "error sparkplug: offset ") {
			t.Errorf("%s: %v", c.topic, got)
		}
	}
	h.nodes[nodeKey{"g", "n"}].seq = 1 // the damaged birth of the device took a number
	if string(h.AppendState(nil)) != string(before) {
		t.Error("the state has changed")
	}
}

func TestCompressedPayload(t *testing.T) {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	if _, err := w.Write(pay(0, bd(1), speed(5))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p := pb{}.varint(1, t0ms).msg(2, metricMsg("algorithm", -1, String).text(15, "GZIP")).text(4, compressed).text(5, b.String())
	if got := say(t, NewHost(Config{}), nbirth, p, 0); !cmp.Equal(got, []string{"g/n online", "g/n speed=5"}) {
		t.Errorf("got %v", got)
	}
	p = pb{}.msg(2, metricMsg("algorithm", -1, String).text(15, "LZ4")).text(4, compressed)
	if got := say(t, NewHost(Config{}), nbirth, p, 0); !strings.Contains(got[0], `compression "LZ4" is not known`) {
		t.Errorf("got %v", got)
	}
}

func TestTopics(t *testing.T) {
	for topic, want := range map[string]string{
		"spBv1.0/g/NBIRTH/n": "g/n", "spBv1.0/My Group/DDATA/n/d": "My Group/n/d",
		"spBv1.0/STATE/host": "", "STATE/host": "", "spBv1.0/g/NBIRTH/n/d": "", "spBv1.0/g/DDATA/n": "",
		"spBv1.0/g/DDATA/n/d/e": "", "spBv1.0/g/XDATA/n": "", "spBv1.0/g/NDATA": "", "": "", "spAv1.0/g/NDATA/n": "",
	} {
		got, ok := ParseTopic(topic)
		if ok != (want != "") || ok && got.path() != want {
			t.Errorf("%s: %+v, %v", topic, got, ok)
		}
	}
	for _, topic := range []string{"spBv1.0/STATE/host", "spBv1.0/g/NCMD/n"} {
		h := NewHost(Config{})
		if got := say(t, h, topic, []byte("ONLINE"), 0); !cmp.Equal(got, []string{"dropped: not a birth, death or data message"}) || len(h.nodes) != 0 {
			t.Errorf("%s: %v", topic, got)
		}
	}
}

func TestBounds(t *testing.T) {
	h := NewHost(Config{MaxNodes: 1, MaxMetrics: 2})
	for _, c := range []struct {
		topic string
		p     pb
		want  string
	}{
		{nbirth, pay(0, speed(1), metricMsg("b", -1, Int8), metricMsg("c", -1, Int8)), "more than the configured number of metrics"},
		{nbirth, pay(0, speed(1)), "g/n online"},
		{dbirth, pay(1, metricMsg("b", -1, Int8), metricMsg("c", -1, Int8)), "more than the configured number of metrics"},
		{"spBv1.0/g/NBIRTH/other", pay(0), "more than the configured number of edge nodes"},
	} {
		if got := say(t, h, c.topic, c.p, 0); !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: %v, want %s", c.topic, got, c.want)
		}
	}
}

func TestLongNamesAreBounded(t *testing.T) {
	set := pb{}.varint(1, 1).text(2, "n").varint(3, uint64(Int8))
	for range 1 << 12 {
		set = set.msg(4, pb{}.msg(1, pb{}.varint(1, 1)))
	}
	got := say(t, NewHost(Config{}), nbirth, pay(0, metricMsg(strings.Repeat("n", 1<<15), -1, DataSet).msg(17, set)), 0)
	if len(got) != 1 || !strings.Contains(got[0], "names of templates and data sets are too long") {
		t.Errorf("got %d lines", len(got))
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	h := NewHost(Config{})
	for _, s := range born {
		say(t, h, s.topic, s.p, 0)
	}
	good := h.AppendState(nil)
	for i := range good {
		if err := NewHost(Config{}).Restore(good[:i]); err == nil {
			t.Errorf("a state cut at %d is taken", i)
		}
	}
	if err := h.Restore(append([]byte{99}, good[1:]...)); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v", err)
	}
	if string(h.AppendState(nil)) != string(good) {
		t.Error("a refused state has changed the host")
	}
}

func TestAppendJSON(t *testing.T) {
	h := NewHost(Config{})
	var out Result
	if err := h.Apply(nbirth, pay(0, speed(0xffff)), t0, &out); err != nil {
		t.Fatal(err)
	}
	want := `[{"group":"g","node":"n","name":"speed","type":"Int16","value":-1,"time":1700000000000,"quality":"good","historical":false}]`
	if diff := cmp.Diff(want, string(out.AppendJSON(nil))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func BenchmarkDDATA50Metrics(b *testing.B) {
	h := NewHost(Config{})
	birth, data := make([]pb, 50), make([]pb, 50)
	for i := range birth {
		birth[i] = metricMsg(fmt.Sprintf("Outputs/Channel %d", i), i, Float).float(12, float32(i)*1.1)
		data[i] = metricMsg("", i, Unknown).varint(3, t0ms).float(12, float32(i)*1.1)
	}
	var out Result
	for _, m := range []struct {
		topic string
		p     pb
	}{{nbirth, pay(0, bd(1))}, {dbirth, pay(1, birth...)}} {
		if err := h.Apply(m.topic, m.p, t0, &out); err != nil {
			b.Fatal(err)
		}
	}
	var messages [256]pb
	for i := range messages {
		messages[i] = pay(i, data...)
	}
	b.SetBytes(int64(len(messages[0])))
	b.ReportAllocs()
	seq := 1
	for b.Loop() {
		seq = (seq + 1) % 256
		out.Reset()
		if err := h.Apply(ddata, messages[seq], t0, &out); err != nil || len(out.Metrics) != 50 {
			b.Fatal(err, len(out.Metrics), out.Dropped)
		}
	}
}
