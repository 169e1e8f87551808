package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/rules"
)

// A reel is what the demo estate says in an hour, as messages.
type reel struct{ frames []frame }

// frame is one message: the topic around the device's id, the payload, and the time
// in it.
type frame struct {
	before, id, after string
	payload           []byte
	own               time.Time // zero when it names none
	received          int64
	retained          bool
}

const ownTime = "2006-01-02T15:04:05.000Z"

func newReel(b testing.TB) *reel {
	l := new(reel)
	anHour(b, func(r *devices.Record) {
		for _, m := range r.Messages {
			level := strings.SplitN(m.Topic, "/", 4) // facility/class/id/…
			f := frame{before: level[0] + "/" + level[1] + "/", id: level[2], after: "/" + level[3],
				payload: bytes.Clone(m.Payload), received: r.Time, retained: m.Retained}
			if at := bytes.Index(f.payload, []byte(`"time":"`)); at == 1 {
				var err error
				if f.own, err = time.Parse(ownTime, string(f.payload[9:][:len(ownTime)])); err != nil {
					b.Fatal(err)
				}
			}
			l.frames = append(l.frames, f)
		}
	})
	return l
}

// An audience is one decoder and one engine that many estates speak to.
type audience struct {
	*crowd // its site and its devices
	reel   *reel
	dec    *profile.Decoder
	batch  profile.Batch
	suffix []string // of the ids of each copy

	made, decode, judge time.Duration // processor time
}

func newAudience(b testing.TB, set *rules.Set, t *tape, l *reel, n int) *audience {
	a := &audience{crowd: newCrowd(set, t, n), reel: l}
	a.reg = devices.NewRegistry() // the decoder finds its devices itself
	a.dec = profile.NewDecoder(shippedProfiles(b), a.site, a.reg)
	a.eng = rules.NewEngine(set, a.site, a.reg)
	for k := range a.copies {
		a.suffix = append(a.suffix, fmt.Sprintf("-%04d", k))
	}
	return a
}

// hear has decoder and engine take what every estate says next, for so long.
func (a *audience) hear(b testing.TB, length time.Duration) {
	rec := devices.Record{Kind: devices.Messages, Connection: "c", Site: "demo"}
	var payload []byte
	began := spent(b)
	for end := a.at() + int64(length); a.at() < end; {
		f := &a.reel.frames[a.next]
		shift := a.rounds * int64(tapeLength)
		payload = append(payload[:0], f.payload...)
		if !f.own.IsZero() {
			copy(payload[9:], f.own.Add(time.Duration(shift)).Format(ownTime))
		}
		rec.Time = f.received + shift
		for k := range a.copies {
			rec.Messages = append(rec.Messages, devices.Message{Topic: f.before + f.id + a.suffix[k] + f.after, Payload: payload, Retained: f.retained, Received: rec.Time})
			// A record of the journal holds many messages when there is much to do.
			if k%16 == 15 || k == a.copies-1 {
				rec.Seq = a.eng.Position() + 1
				made := spent(b)
				a.batch.Reset()
				a.dec.Decode(&rec, &a.batch)
				decoded := spent(b)
				a.eng.Apply(&rec, a.batch.Readings)
				judged := spent(b)
				a.made, a.decode, a.judge = a.made+made-began, a.decode+decoded-made, a.judge+judged-decoded
				began = judged
				rec.Messages = rec.Messages[:0]
			}
		}
		if a.next++; a.next == len(a.reel.frames) {
			a.next, a.rounds = 0, a.rounds+1
		}
	}
}

// at is the time of the next message.
func (a *audience) at() int64 {
	return a.reel.frames[a.next].received + a.rounds*int64(tapeLength)
}

// BenchmarkChain is what a reading costs on its way from the journal's record through
// decoder and engine, with all shipped profiles and rules and the devices of the demo
// estate many times over: a thousand devices and a hundred thousand take turns, so
// that whatever else the machine does slows both.
func BenchmarkChain(b *testing.B) {
	t, l, set := newTape(b), newReel(b), shippedRules(b)
	var sizes [2]*audience
	var was [2]uint64
	for k, n := range []int{1_000, 100_000} {
		a := newAudience(b, set, t, l, n)
		a.hear(b, tapeLength) // by then everything has been said once
		a.made, a.decode, a.judge = 0, 0, 0
		sizes[k], was[k] = a, a.eng.Stats().Readings
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		for range 10 {
			sizes[0].hear(b, 50*time.Minute)
			sizes[1].hear(b, 30*time.Second)
		}
	}
	runtime.ReadMemStats(&after)
	var decode, judge [2]float64
	all := 0.0
	for k, name := range []string{"1k", "100k"} {
		a := sizes[k]
		n := float64(a.eng.Stats().Readings - was[k])
		all += n
		decode[k], judge[k] = float64(a.decode.Nanoseconds())/n, float64(a.judge.Nanoseconds())/n
		b.ReportMetric(decode[k], "decode-ns/reading-"+name)
		b.ReportMetric(judge[k], "rules-ns/reading-"+name)
	}
	b.ReportMetric(decode[1]/decode[0], "growth-decode")
	b.ReportMetric(judge[1]/judge[0], "growth-rules")
	b.ReportMetric((decode[1]+judge[1])/(decode[0]+judge[0]), "growth")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/all, "allocs/reading")
	runtime.KeepAlive(sizes)
}
