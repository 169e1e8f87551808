package profile_test

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// tenPoints is a plain JSON message of ten values with a time.
const tenPoints = `{"time":"2026-03-01T04:00:00.000Z","voltage_l1":231.2,"voltage_l2":230.9,"voltage_l3":229.8,"current_l1":18.11,"current_l2":17.92,"current_l3":18.4,"power":12.43,"energy":53102.71,"frequency":50.01,"power_factor":0.97}`

// BenchmarkPlainJSON decodes ten points: by the shipped meter profile, from the
// record to the readings; and by bare gjson, which only fetches the fields.
func BenchmarkPlainJSON(b *testing.B) {
	b.Run("profile", func(b *testing.B) {
		bench(b, shippedSet(b), message("facility/meter/m1/telemetry", tenPoints))
	})
	names := []string{"time", "voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3", "power", "energy", "frequency", "power_factor"}
	b.Run("gjson", func(b *testing.B) {
		payload := []byte(tenPoints)
		b.ReportAllocs()
		for b.Loop() {
			if !gjson.ValidBytes(payload) {
				b.Fatal("not valid")
			}
			for _, n := range names {
				if !gjson.GetBytes(payload, n).Exists() {
					b.Fatal(n)
				}
			}
		}
	})
}

func BenchmarkMilesightTLV(b *testing.B) {
	bench(b, shippedSet(b), message("application/a/device/24e124136b502317/event/up",
		`{"time":"2026-03-01T03:59:59.5Z","deviceInfo":{"devEui":"24e124136b502317"},"fPort":85,"data":"AXVcA2c0AQRoZQ==","rxInfo":[{"rssi":-36}]}`))
}

func BenchmarkWMBusJSON(b *testing.B) {
	c := readCase(b, "wmbus-kamheat.json")
	bench(b, shippedSet(b), caseMessage(b, c))
}

func BenchmarkSparkplugDDATA50Metrics(b *testing.B) {
	set := shippedSet(b)
	d := newDecoder(set)
	ms := uint64(t0.UnixMilli())
	metric := func(name string, alias uint64, birth bool) []byte {
		var m []byte
		if birth {
			m = protowire.AppendTag(m, 1, protowire.BytesType)
			m = protowire.AppendString(m, name)
		}
		m = protowire.AppendTag(m, 2, protowire.VarintType)
		m = protowire.AppendVarint(m, alias)
		m = protowire.AppendTag(m, 3, protowire.VarintType)
		m = protowire.AppendVarint(m, ms)
		if birth {
			m = protowire.AppendTag(m, 4, protowire.VarintType)
			m = protowire.AppendVarint(m, 9) // Float
		}
		m = protowire.AppendTag(m, 12, protowire.Fixed32Type)
		return protowire.AppendFixed32(m, 0x41480000)
	}
	payload := func(seq uint64, birth bool, n int) []byte {
		var p []byte
		p = protowire.AppendTag(p, 1, protowire.VarintType)
		p = protowire.AppendVarint(p, ms)
		for i := range n {
			p = protowire.AppendTag(p, 2, protowire.BytesType)
			p = protowire.AppendBytes(p, metric(fmt.Sprintf("Motor/%d", i), uint64(i+1), birth))
		}
		p = protowire.AppendTag(p, 3, protowire.VarintType)
		return protowire.AppendVarint(p, seq)
	}
	nbirth, _ := hex.DecodeString("08eaf2f5a8a02b12120a05626453657118eaf2f5a8a02b200858001800")
	births := []devices.Message{
		{Topic: "spBv1.0/G/NBIRTH/N", Payload: nbirth, Received: t0.UnixNano()},
		{Topic: "spBv1.0/G/DBIRTH/N/D", Payload: payload(1, true, 50), Received: t0.UnixNano()},
	}
	if n := len(decode(b, d, births...)); n != 51 {
		b.Fatalf("the birth gave %d readings", n)
	}
	var data [256][]byte
	for i := range data {
		data[i] = payload(uint64(i), false, 50)
	}
	rec := devices.Record{Kind: devices.Messages, Messages: []devices.Message{{Topic: "spBv1.0/G/DDATA/N/D"}}}
	var out profile.Batch
	received := t0.UnixNano()
	b.ReportAllocs()
	for n := 2; b.Loop(); n++ {
		out.Reset()
		received += 1e6
		rec.Messages[0].Payload, rec.Messages[0].Received = data[n%256], received
		d.Decode(&rec, &out)
		if len(out.Actions) > 0 {
			b.Fatal("the session broke")
		}
	}
}

// BenchmarkTopicMatch finds the rule of a topic that was never seen before,
// with few and with many profiles and devices known: the time must not follow
// either of them.
func BenchmarkTopicMatch(b *testing.B) {
	for _, size := range []struct{ profiles, devices int }{{10, 1000}, {1000, 100_000}} {
		b.Run(fmt.Sprintf("%dprofiles_%ddevices", size.profiles, size.devices), func(b *testing.B) {
			d := newDecoder(manyProfiles(b, size.profiles))
			var out profile.Batch
			rec := devices.Record{Kind: devices.Messages, Messages: make([]devices.Message, 1)}
			for i := range size.devices {
				rec.Messages[0] = message(fmt.Sprintf("maker%d/site/dev%d/state", i%size.profiles, i), `{"p":1}`)
				out.Reset()
				d.Decode(&rec, &out)
			}
			runtime.GC()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				i := n % size.devices
				out.Reset()
				rec.Messages[0].Topic = topics[i%len(topics)]
				d.Decode(&rec, &out)
				n++
			}
		})
	}
}

// topics are of devices that both sizes know.
var topics = func() []string {
	var t []string
	for i := range 10 {
		t = append(t, fmt.Sprintf("maker%d/site/dev%d/state", i, i))
	}
	return t
}()

func manyProfiles(t testing.TB, n int) *profile.Set {
	var files []profile.Source
	for i := range n {
		files = append(files, profile.Source{Name: fmt.Sprintf("p%d.yaml", i), Data: []byte(fmt.Sprintf(`profile: maker%d/1
class: pump
sources:
  - topic: "maker%d/{site}/{device}/state"
    points: {power: {role: power, path: p, unit: W}}
  - topic: "maker%d/{device...}/log"
    points: {n: {path: n}}
`, i, i, i))})
	}
	set, list := profile.Load(files, profile.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func shippedSet(t testing.TB) *profile.Set {
	set, list := profile.Load(shipped(t), profile.LoadOptions{SkipTests: true})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// bench decodes one message again and again, a second later each time where its
// time can be moved.
func bench(b *testing.B, set *profile.Set, m devices.Message) {
	d := newDecoder(set)
	rec := devices.Record{Kind: devices.Messages, Messages: []devices.Message{m}}
	var out profile.Batch
	d.Decode(&rec, &out)
	if len(out.Readings) < 2 {
		b.Fatalf("the message gives %d readings", len(out.Readings))
	}
	b.ReportMetric(float64(len(out.Readings)-1), "readings/op")
	at := strings.Index(string(m.Payload), `T0`) + 4 // minutes of the time
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		out.Reset()
		if at > 4 {
			rec.Messages[0].Payload[at], rec.Messages[0].Payload[at+1] = byte('0'+n/10%6), byte('0'+n%10)
		}
		rec.Messages[0].Received += int64(time.Minute)
		d.Decode(&rec, &out)
	}
}

func TestTopicsOfManyProfilesAndDevicesAreMatchedByTheirLevels(t *testing.T) {
	d := newDecoder(manyProfiles(t, 1000))
	got := decode(t, d, message("maker777/site/dev5/state", `{"p":1500}`))
	if len(got) == 0 || got[0] != "dev5 power 1.5 kW" {
		t.Errorf("got %v", got)
	}
	if n := len(d.Devices("maker777/1")); n != 1 {
		t.Errorf("maker777 reads %d devices", n)
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	d := newDecoder(shippedSet(t))
	rec := devices.Record{Kind: devices.Messages, Messages: []devices.Message{message("facility/meter/m1/telemetry", tenPoints)}}
	var out profile.Batch
	second := strings.Index(tenPoints, ":00.000Z") + 2
	n := 0
	step := func() {
		n++
		out.Reset()
		rec.Messages[0].Payload[second] = byte('0' + n%10)
		rec.Messages[0].Received += 1e9
		d.Decode(&rec, &out)
	}
	for range 200 {
		step()
	}
	if allocs := testing.AllocsPerRun(1000, step); allocs > 0 {
		t.Errorf("%v allocations per message of ten points", allocs)
	}
	if len(out.Readings) != 10 {
		t.Errorf("%d readings", len(out.Readings))
	}
}
