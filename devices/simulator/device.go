package simulator

import (
	"math/rand/v2"
	"time"
)

// device is what all devices have in common: an identity, a sequence of
// messages, a clock that may be wrong, and faults.
type device struct {
	id           string
	telemetry    string // topics
	event        string
	availability string
	seq          int64
	rng          *rand.Rand
	troubles     troubles
	announced    bool
	longest      int     // payload so far
	visits       []int64 // see troubles.visits
}

func newDevice(o owner, start int64, faults []Fault, seed uint64) device {
	base := "facility/" + o.class + "/" + o.id
	d := device{
		id: o.id, telemetry: base + "/telemetry", event: base + "/event", availability: base + "/availability",
		rng: stream(seed, o.id),
	}
	for _, f := range faults {
		if f.Device != o.id {
			continue
		}
		t := trouble{kind: f.Kind, onset: start + int64(f.Onset), until: never, size: f.Size, work: kindOf(f.Kind).work}
		t.full = t.onset + int64(f.Ramp)
		if f.Until != 0 {
			t.until = start + int64(f.Until)
		}
		if t.size == 0 {
			t.size = 1
		}
		d.troubles = append(d.troubles, t)
	}
	d.visits = d.troubles.visits()
	return d
}

// visit returns when somebody comes for certain, or never.
func (d *device) visit() int64 {
	if len(d.visits) == 0 {
		return never
	}
	return d.visits[0]
}

// visited reports whether somebody comes for certain now, once per visit.
func (d *device) visited(now int64) bool {
	if d.visit() > now {
		return false
	}
	d.visits = d.visits[1:]
	return true
}

// era is what a clock shows beyond the truth when its NTP era rolled over: the
// 32-bit seconds of NTP end on 2036-02-07 06:28:16 UTC (RFC 5905, section 6).
var era = time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC).UnixNano()

// clock returns what the device's own clock shows.
func (d *device) clock(now int64) int64 {
	for i := range d.troubles {
		if t := &d.troubles[i]; t.kind == Clock2036 && now >= t.onset && now < t.until {
			return era + (now - t.onset)
		}
	}
	return now
}

// object begins a payload with the device's time and next sequence number.
func (d *device) object(now int64, e *Estate) object {
	d.seq++
	o := object{b: make([]byte, 0, d.longest+16)}
	o.time(d.clock(now), e.loc)
	o.integer("seq", d.seq)
	return o
}

// publish sends a finished payload, as telemetry or as an event.
func (d *device) publish(topic string, o *object, now int64, e *Estate) {
	payload := o.end()
	d.longest = max(d.longest, len(payload))
	if d.troubles.active(Silent, now) {
		d.seq-- // it never counted this one
		return
	}
	at := time.Unix(0, now).In(e.loc)
	if !d.announced {
		d.announced = true
		e.emit(Message{Topic: d.availability, Payload: online, QoS: 1, Retain: true, Time: at})
	}
	m := Message{Topic: topic, Payload: payload, QoS: 1, Time: at}
	e.emit(m)
	if topic == d.event && d.troubles.active(DuplicateEvents, now) {
		e.emit(m)
	}
}

var online = []byte("online")

// phase spreads the first reports of devices with an interval over it.
func (d *device) phase(interval time.Duration) int64 {
	return int64(d.rng.Float64()*float64(interval)) / int64(time.Millisecond) * int64(time.Millisecond)
}

// noise is a Gaussian of the given standard deviation.
func (d *device) noise(sigma float64) float64 { return d.rng.NormFloat64() * sigma }

// between draws evenly from a range of seconds, to the millisecond.
func (d *device) between(low, high float64) int64 {
	return seconds(low + d.rng.Float64()*(high-low))
}

func seconds(s float64) int64 { return int64(s*1000) * int64(time.Millisecond) }

// arrival draws the time of the next of a Poisson stream with the given highest
// rate (per hour); rate thins it to what the hour of the day asks for.
func (d *device) arrival(now int64, highest float64) int64 {
	if highest <= 0 {
		return never
	}
	return now + 1 + seconds(d.rng.ExpFloat64()/highest*3600)
}
