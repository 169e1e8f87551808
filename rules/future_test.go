package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

const lateProfile = `profile: pump/1
class: pump
time: {path: ts, format: unix}
sources:
  - topic: p/{device}
    points:
      bearing_temp: {role: bearing_temp, path: t, unit: °C, lateness: 30s}
`

// decoded is a bench whose readings come out of messages.
type decoded struct {
	*bench
	decoder *profile.Decoder
}

func newDecoded(t *testing.T, rules ...string) *decoded {
	set, list := profile.Load([]profile.Source{{Name: "p.yaml", Data: []byte(lateProfile)}}, profile.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, rules...)
	return &decoded{b, profile.NewDecoder(set, b.site, b.reg)}
}

func (d *decoded) message(received time.Duration, taken time.Time, temp float64) {
	d.seq++
	rec := devices.Record{Seq: d.seq, Kind: devices.Messages, Connection: "c", Time: at(received), Messages: []devices.Message{{
		Topic: "p/p1", Payload: fmt.Appendf(nil, `{"ts": %d, "t": %v}`, taken.Unix(), temp), Received: at(received)}}}
	var out profile.Batch
	d.decoder.Decode(&rec, &out)
	d.note(d.eng.Apply(&rec, out.Readings))
}

// Pain 15: a device whose clock says 2036 for a while neither opens anything nor
// keeps what it says after that from being seen.
func TestPain15ReadingFrom2036SuppressesNothing(t *testing.T) {
	b := newDecoded(t, rule("hot", "pump", "pump.bearing", "severity: high\nwhen: bearing_temp > 80\nfor: 2m\nclear_for: 1m"))
	for m := range 20 {
		now := time.Duration(m) * time.Minute
		taken, temp := epoch.Add(now), 50.0
		if m == 5 || m == 6 {
			taken = time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC)
		}
		if m >= 8 && m < 13 {
			temp = 90
		}
		b.message(now, taken, temp)
		b.idle(now+time.Second, now+59*time.Second)
	}
	b.want("pump.bearing p1 active condition_held high onset=8m0s at=10m0s hot",
		"pump.bearing p1 cleared clear_held high onset=8m0s at=14m0s hot")
	if late := b.eng.Stats().Late; late != 0 {
		t.Errorf("%d readings were taken for late ones", late)
	}
}

// A lateness that a point of a profile declares reaches the engine.
func TestLatenessOfAProfileIsWaitedFor(t *testing.T) {
	b := newDecoded(t, rule("hot", "pump", "pump.bearing", "severity: high\nwhen: bearing_temp > 70\nfor: 1m"))
	for k, m := range []int{0, 1, 3, 2, 4, 6, 5, 7} {
		temp := 50.0
		if m >= 3 {
			temp = 75
		}
		b.message(time.Duration(k)*20*time.Second, epoch.Add(time.Duration(m)*20*time.Second), temp)
	}
	b.idle(141*time.Second, 3*time.Minute)
	b.want("pump.bearing p1 active condition_held high onset=1m0s at=2m0s hot")
	if late := b.eng.Stats().Late; late != 0 {
		t.Errorf("%d readings were late", late)
	}
	if d := b.reg.Lookup([]byte("p1")); d.Lateness != int64(30*time.Second) {
		t.Errorf("the device waits %v", time.Duration(d.Lateness))
	}
	_, list := profile.Load([]profile.Source{{Name: "p.yaml", Data: []byte(strings.Replace(lateProfile, "30s", "2h", 1))}}, profile.LoadOptions{})
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "p.yaml:7:71: error: a lateness of 2h0m0s is too long (at most 1h") {
		t.Errorf("two hours: %v", err)
	}
}
