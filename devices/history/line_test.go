package history

import (
	"math"
	"strings"
	"testing"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api/write"
	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/facilityd/facilityd/devices"
)

// estate makes points for tests.
type estate struct{ reg *devices.Registry }

func newEstate() *estate { return &estate{devices.NewRegistry()} }

func (e *estate) point(device, class, name string, kind devices.Kind) *devices.Point {
	d := e.reg.Add(devices.Device{ID: device, Class: class, Asset: "asset-of-" + device})
	return e.reg.AddPoint(d, devices.Point{Name: name, Kind: kind})
}

func encode(readings ...devices.Reading) string {
	l := lines{site: "demo"}
	for i := range readings {
		l.add(&readings[i])
	}
	l.finish()
	return string(l.buf)
}

func TestWhatAReadingBecomes(t *testing.T) {
	e := newEstate()
	temp := e.point("p1", "pump", "bearing_temp", devices.Gauge)
	energy := e.point("p1", "pump", "energy", devices.Counter)
	mode := e.point("p1", "pump", "mode", devices.State)
	fault := e.point("p1", "pump", "door_fault", devices.Event)
	note := e.point("p1", "pump", "note", devices.Text)
	online := e.reg.Lookup([]byte("p1")).Point(devices.AvailabilityPoint)
	other := e.point("p2", "", "time", devices.Gauge)
	odd := e.point("hall 2, \"east\"=a\\", "gate", "flow rate\n", devices.Gauge)

	const head = "pump,asset=asset-of-p1,device=p1,site=demo "
	for _, c := range []struct {
		name     string
		readings []devices.Reading
		want     string
	}{
		{"gauge", []devices.Reading{{Point: temp, Time: 7, Value: 41.25}}, head + "bearing_temp=41.25 7\n"},
		{"two of one time share a line", []devices.Reading{{Point: temp, Time: 7, Value: 41}, {Point: energy, Time: 7, Value: 1e21}},
			head + "bearing_temp=41,energy=1e+21 7\n"},
		{"another time, another line", []devices.Reading{{Point: temp, Time: 7, Value: 1}, {Point: temp, Time: 8, Value: 2}},
			head + "bearing_temp=1 7\n" + head + "bearing_temp=2 8\n"},
		{"a field never twice in a line", []devices.Reading{{Point: temp, Time: 7, Value: 1}, {Point: temp, Time: 7, Value: 2}},
			head + "bearing_temp=1 7\n" + head + "bearing_temp=2 7\n"},
		{"truth value", []devices.Reading{{Point: mode, Time: 7, Value: 1}}, head + "mode=1 7\n"},
		{"word of an enumeration", []devices.Reading{{Point: mode, Time: 7, Value: 3, Text: "auto"}},
			head + `mode=3,mode_text="auto" 7` + "\n"},
		{"word without a code", []devices.Reading{{Point: mode, Time: 7, Value: math.NaN(), Text: "auto"}},
			head + `mode_text="auto" 7` + "\n"},
		{"event", []devices.Reading{{Point: fault, Time: 7, Text: `E"17\`}}, head + `door_fault=1,door_fault_text="E\"17\\" 7` + "\n"},
		{"event without words", []devices.Reading{{Point: fault, Time: 7}}, head + "door_fault=1 7\n"},
		{"text", []devices.Reading{{Point: note, Time: 7, Text: "a\nb"}}, head + "note_text=\"a\nb\" 7\n"},
		{"empty text", []devices.Reading{{Point: note, Time: 7}}, head + `note_text="" 7` + "\n"},
		{"text that is not UTF-8", []devices.Reading{{Point: note, Time: 7, Text: "a\xff"}}, head + "note_text=\"a\ufffd\" 7\n"},
		{"online", []devices.Reading{{Point: online, Time: 7, Text: "online"}}, head + `availability=1,availability_text="online" 7` + "\n"},
		{"offline", []devices.Reading{{Point: online, Time: 7, Text: "offline"}}, head + `availability=0,availability_text="offline" 7` + "\n"},
		{"availability unknown", []devices.Reading{{Point: online, Time: 7, Text: "unknown"}}, head + `availability_text="unknown" 7` + "\n"},
		{"availability without a word", []devices.Reading{{Point: online, Time: 7}}, head + `availability_quality="bad" 7` + "\n"},
		{"uncertain", []devices.Reading{{Point: temp, Time: 7, Value: 1, Quality: devices.Uncertain}},
			head + `bearing_temp=1,bearing_temp_quality="uncertain" 7` + "\n"},
		{"bad has no number", []devices.Reading{{Point: temp, Time: 7, Value: math.NaN(), Quality: devices.Bad}},
			head + `bearing_temp_quality="bad" 7` + "\n"},
		{"NaN that claims to be good", []devices.Reading{{Point: temp, Time: 7, Value: math.NaN()}}, head + `bearing_temp_quality="bad" 7` + "\n"},
		{"infinite", []devices.Reading{{Point: temp, Time: 7, Value: math.Inf(-1)}}, head + `bearing_temp_quality="bad" 7` + "\n"},
		{"reserved name, no class", []devices.Reading{{Point: other, Time: -7, Value: 1}}, "device,asset=asset-of-p2,device=p2,site=demo time_=1 -7\n"},
		{"names that need escapes", []devices.Reading{{Point: odd, Time: 7, Value: 1}},
			`gate,asset=asset-of-hall\ 2\,\ "east"\=a\_,device=hall\ 2\,\ "east"\=a\_,site=demo flow\ rate_=1 7` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := encode(c.readings...); got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSimulatedDevicesAreMarked(t *testing.T) {
	reg := devices.NewRegistry()
	d := reg.Add(devices.Device{ID: "p1", Class: "pump", Simulated: true})
	p := reg.AddPoint(d, devices.Point{Name: "flow"})
	want := "pump,asset=p1,device=p1,simulated=true,site=demo flow=2 7\n"
	if got := encode(devices.Reading{Point: p, Time: 7, Value: 2}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPointsOfAnotherRegistryAreNotMixedUp(t *testing.T) {
	l := lines{site: "demo"}
	for _, device := range []string{"p1", "p2"} {
		p := newEstate().point(device, "pump", "of_"+device, devices.Gauge)
		l.reset()
		l.add(&devices.Reading{Point: p, Time: 7, Value: 1})
		l.finish()
		if got := string(l.buf); !strings.Contains(got, ",device="+device+",") || !strings.Contains(got, " of_"+device+"=1 ") {
			t.Errorf("%s: %s", device, got)
		}
	}
}

// FuzzLines gives names and texts as they may come from a topic or payload to the
// encoder; the result must parse as one line that says the same.
func FuzzLines(f *testing.F) {
	f.Add("p1", "flow", "auto", 1.5)
	f.Add("hall 2,=\\", "a\\", "\"\\\n", math.MaxFloat64)
	f.Add("\x00", "\xff", "\xff", math.SmallestNonzeroFloat64)
	f.Fuzz(func(t *testing.T, device, point, text string, value float64) {
		e := newEstate()
		p := e.point(device, "pump", point, devices.State)
		out := encode(devices.Reading{Point: p, Time: 7, Value: value, Text: text})
		d := lineprotocol.NewDecoderWithBytes([]byte(out))
		n := 0
		for d.Next() {
			n++
			if m, err := d.Measurement(); err != nil || string(m) != "pump" {
				t.Fatalf("measurement %q, %v in %q", m, err, out)
			}
			for {
				key, _, err := d.NextTag()
				if err != nil {
					t.Fatalf("tag: %v in %q", err, out)
				}
				if key == nil {
					break
				}
			}
			for {
				key, v, err := d.NextField()
				if err != nil {
					t.Fatalf("field: %v in %q", err, out)
				}
				if key == nil {
					break
				}
				if v.Kind() == lineprotocol.Float && v.FloatV() != value {
					t.Errorf("%s is %v, want %v", key, v.FloatV(), value)
				}
				if strings.HasSuffix(string(key), "_text") && v.Kind() == lineprotocol.String && v.StringV() != strings.ToValidUTF8(text, "\ufffd") {
					t.Errorf("%s is %q, want %q", key, v.StringV(), text)
				}
			}
			if ts, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil || ts.UnixNano() != 7 {
				t.Fatalf("time %v, %v in %q", ts, err, out)
			}
		}
		if n != 1 {
			t.Errorf("%d lines in %q", n, out)
		}
	})
}

func TestLinesDoNotAllocate(t *testing.T) {
	readings := pumpReadings(100)
	l := lines{site: "demo"}
	fill := func() {
		l.reset()
		for i := range readings {
			l.add(&readings[i])
		}
		l.finish()
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("%v allocations for %d readings", n, len(readings))
	}
}

// pumpReadings makes messages of seven points each, as pumps send them.
func pumpReadings(messages int) []devices.Reading {
	e := newEstate()
	points := make([]*devices.Point, 0, 7)
	for _, name := range []string{"flow", "pressure_in", "pressure_out", "motor_current", "bearing_temp", "vibration", "running"} {
		points = append(points, e.point("pump-17", "pump", name, devices.Gauge))
	}
	var out []devices.Reading
	for m := range messages {
		for i, p := range points {
			out = append(out, devices.Reading{
				Point: p, Time: 1_700_000_000_000_000_000 + int64(m)*1e9, Value: math.Round(1000*math.Sin(float64(m+i))) / 100,
			})
		}
	}
	return out
}

// BenchmarkLines compares three ways to line protocol, per reading: the package's
// own, the encoder of line-protocol/v2, and the points of the client library.
func BenchmarkLines(b *testing.B) {
	readings := pumpReadings(1000)
	per := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(readings)), "ns/reading")
		b.ReportAllocs()
	}
	b.Run("own", func(b *testing.B) {
		l := lines{site: "demo"}
		for b.Loop() {
			l.reset()
			for i := range readings {
				l.add(&readings[i])
			}
			l.finish()
		}
		per(b)
	})
	b.Run("encoder", func(b *testing.B) {
		var e lineprotocol.Encoder
		for b.Loop() {
			e.Reset()
			for i := range readings {
				r := &readings[i]
				if i%7 == 0 {
					e.StartLine(r.Point.Device.Class)
					e.AddTag("asset", r.Point.Device.Asset)
					e.AddTag("device", r.Point.Device.ID)
					e.AddTag("site", "demo")
				}
				v, _ := lineprotocol.FloatValue(r.Value)
				e.AddField(r.Point.Name, v)
				if i%7 == 6 {
					e.EndLine(time.Unix(0, r.Time))
				}
			}
		}
		per(b)
	})
	b.Run("points", func(b *testing.B) {
		for b.Loop() {
			var p *write.Point
			for i := range readings {
				r := &readings[i]
				if i%7 == 0 {
					p = influxdb.NewPointWithMeasurement(r.Point.Device.Class).
						AddTag("asset", r.Point.Device.Asset).AddTag("device", r.Point.Device.ID).AddTag("site", "demo").
						SetTime(r.At())
				}
				p.AddField(r.Point.Name, r.Value)
				if i%7 == 6 {
					_ = write.PointToLineProtocol(p, time.Nanosecond)
				}
			}
		}
		per(b)
	})
}
