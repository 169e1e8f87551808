package rules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/devices"
)

// sent is one message of a device, with the time at which the broker has it.
type sent struct {
	taken, at int64
	said      []said
}

// drawTelemetry makes what devices with clocks of their own say in half an hour:
// full messages at their interval, states also when they change. A message
// takes up to two seconds to the broker.
func drawTelemetry(t *rapid.T) []sent {
	var out []sent
	for _, d := range propertyDevices {
		if !d.timed {
			continue
		}
		skew := int64(rapid.IntRange(-90, 90).Draw(t, "clock")) * second
		state := make(map[string]float64)
		for now := at(0); now < at(30*time.Minute); {
			m := sent{taken: now + skew, at: now + int64(rapid.IntRange(50, 2000).Draw(t, "latency"))*int64(time.Millisecond)}
			for _, p := range d.points {
				_, roleName, ok := strings.Cut(p, ":")
				if !ok {
					roleName = p
				}
				s := said{dev: d.id, point: p, t: m.taken}
				switch devices.RoleByName(roleName).Kind {
				case devices.State:
					if rapid.IntRange(0, 6).Draw(t, "flips") == 0 {
						state[p] = 1 - state[p]
					}
					s.value = state[p]
				case devices.Event:
					continue
				default:
					if rapid.IntRange(0, 3).Draw(t, "moves") == 0 {
						state[p] = float64(rapid.IntRange(0, 9).Draw(t, "value"))
						if p == "bearing_temp" || p == "gas_concentration" {
							state[p] *= 10
						}
					}
					s.value = state[p]
				}
				m.said = append(m.said, s)
			}
			out = append(out, m)
			now += int64(d.interval)
			if rapid.IntRange(0, 20).Draw(t, "outage") == 0 {
				now += int64(rapid.IntRange(10, 400).Draw(t, "long")) * second
			}
		}
	}
	slices.SortStableFunc(out, func(a, b sent) int { return int((a.at - b.at) / int64(time.Millisecond)) })
	return out
}

// deliver is the journal of a daemon that was down in the given stretches: what
// the broker had meanwhile arrives when it is back, in order.
func deliver(messages []sent, down [][2]int64) []entry {
	var out []entry
	seq := uint64(0)
	add := func(e entry) {
		seq++
		e.rec.Seq, e.rec.Site, e.rec.Connection = seq, "site", "c"
		out = append(out, e)
	}
	add(entry{rec: devices.Record{Kind: devices.Start, Time: at(-time.Minute)}})
	add(entry{rec: devices.Record{Kind: devices.LinkState, Link: devices.Link{Up: true}, Time: at(-time.Minute)}})
	next := 0
	for now := at(-time.Minute); now < at(45*time.Minute); now += second {
		k := slices.IndexFunc(down, func(d [2]int64) bool { return now >= d[0] && now < d[1] })
		if k >= 0 {
			now = down[k][1]
			add(entry{rec: devices.Record{Kind: devices.Start, Time: now}})
			now += second
			add(entry{rec: devices.Record{Kind: devices.LinkState, Link: devices.Link{Up: true}, Time: now}})
		}
		for ; next < len(messages) && messages[next].at <= now; next++ {
			add(entry{rec: devices.Record{Kind: devices.Messages, Time: now}, said: messages[next].said})
		}
		add(entry{rec: devices.Record{Kind: devices.Tick, Time: now}})
	}
	return out
}

// asksOthers tells whether a rule asks other assets. It takes them as it knows
// them when a reading of its own or of theirs comes, so the order in which the
// messages of two devices arrive matters.
func asksOthers(rule string) bool {
	return strings.Contains(rule, "(siblings,") || strings.Contains(rule, "(children,")
}

// TestKillChangesNothing: episodes of devices with clocks of their own are the
// same whether or not the daemon was killed and the backlog came late. Every
// device is an asset of its own here: where the clocks of two devices of one
// asset differ, which of their faults joins the episode of the other depends on
// which came first, and so does which of two assets explains the other.
func TestKillChangesNothing(t *testing.T) {
	var list []string
	for _, r := range propertyRules {
		if !strings.Contains(r, "silent(") && !strings.Contains(r, "explains:") && !asksOthers(r) {
			list = append(list, r)
		}
	}
	set := mustLoad(t, "rules:\n"+strings.Join(list, ""))
	rapid.Check(t, func(t *rapid.T) {
		messages := drawTelemetry(t)
		var down [][2]int64
		for from := at(0); ; {
			from += int64(rapid.IntRange(20, 900).Draw(t, "up")) * second
			to := from + int64(rapid.IntRange(1, 200).Draw(t, "down"))*second
			if to > at(40*time.Minute) || len(down) == 20 {
				break
			}
			down, from = append(down, [2]int64{from, to}), to
		}
		run := func(down [][2]int64) []string {
			w := newWorld(set, propertySite())
			w.ownAssets = true
			var log []string
			for _, e := range deliver(messages, down) {
				for _, tr := range w.eng.Apply(&e.rec, w.readings(e.said)) {
					log = append(log, line(tr))
				}
			}
			slices.Sort(log)
			return log
		}
		if d := cmp.Diff(run(nil), run(down)); d != "" {
			t.Fatalf("down %v (-undisturbed +killed):\n%s", down, d)
		}
	})
}
