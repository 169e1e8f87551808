package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

var shanghai = time.FixedZone("CST", 8*3600)

// monday is a working day in April at half past seven.
var monday = time.Date(2026, 4, 13, 7, 30, 0, 0, shanghai)

func demoAt(start time.Time) Config {
	cfg := DemoEstate()
	cfg.Start, cfg.Location = start, start.Location()
	return cfg
}

func mustNew(t testing.TB, cfg Config, seed uint64) *Estate {
	t.Helper()
	e, err := New(cfg, seed)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// digest runs an estate in steps of the given length and hashes all it says.
func digest(t *testing.T, seed uint64, length, step time.Duration) (sum uint64, messages int) {
	e := mustNew(t, demoAt(monday), seed)
	h := fnv.New64a()
	var last time.Time
	for at := time.Duration(0); at < length; {
		at = min(at+step, length)
		e.Step(monday.Add(at), func(m Message) {
			if m.Time.Before(last) {
				t.Fatalf("%s at %v comes after a message of %v", m.Topic, m.Time, last)
			}
			last = m.Time
			messages++
			fmt.Fprintf(h, "%d %s %s %d %v\n", m.Time.UnixNano(), m.Topic, m.Payload, m.QoS, m.Retain)
		})
	}
	return h.Sum64(), messages
}

func TestSameSeedSameBytesHoweverItIsStepped(t *testing.T) {
	whole, n := digest(t, 7, 12*time.Hour, 12*time.Hour)
	if n < 10_000 {
		t.Errorf("only %d messages in twelve hours", n)
	}
	for _, step := range []time.Duration{time.Second / 3, 41 * time.Second, time.Hour} {
		if got, _ := digest(t, 7, 12*time.Hour, step); got != whole {
			t.Errorf("steps of %v give other bytes than one step", step)
		}
	}
	if other, _ := digest(t, 8, 12*time.Hour, time.Hour); other == whole {
		t.Error("another seed gives the same bytes")
	}
}

func TestOneDeviceMoreDoesNotChangeTheOthers(t *testing.T) {
	hear := func(cfg Config) []string {
		var said []string
		mustNew(t, cfg, 3).Step(monday.Add(2*time.Hour), func(m Message) {
			if strings.Contains(m.Topic, "/lift-") || strings.Contains(m.Topic, "/barrier-") {
				said = append(said, m.Topic+string(m.Payload))
			}
		})
		return said
	}
	more := demoAt(monday)
	more.Doors = append(more.Doors, Door{ID: "door-9"})
	a, b := hear(demoAt(monday)), hear(more)
	if len(a) != len(b) {
		t.Fatalf("%d messages, with one door more %d", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%s\nbecomes\n%s", a[i], b[i])
		}
	}
}

// TestPayloadsAreRolesInUnits reads fourteen hours of everything and checks that each
// payload is a JSON object whose keys are roles that fit the class of the device.
func TestPayloadsAreRolesInUnits(t *testing.T) {
	e := mustNew(t, demoAt(monday), 11)
	seqs := map[string]float64{}
	seen := map[string]bool{}
	e.Step(monday.Add(14*time.Hour), func(m Message) {
		parts := strings.Split(m.Topic, "/")
		if len(parts) != 4 || parts[0] != "facility" {
			t.Fatalf("topic %s", m.Topic)
		}
		if parts[3] == "availability" {
			if !m.Retain || string(m.Payload) != "online" {
				t.Fatalf("availability %s retained %v", m.Payload, m.Retain)
			}
			return
		}
		var o map[string]any
		d := json.NewDecoder(bytes.NewReader(m.Payload))
		if err := d.Decode(&o); err != nil {
			t.Fatalf("%s: %v in %s", m.Topic, err, m.Payload)
		}
		if _, err := time.Parse(time.RFC3339, o["time"].(string)); err != nil {
			t.Fatal(err)
		}
		if n := o["seq"].(float64); n != seqs[parts[2]]+1 && n != seqs[parts[2]] {
			t.Fatalf("%s jumps from %v to %v", parts[2], seqs[parts[2]], n)
		} else {
			seqs[parts[2]] = n
		}
		for k, v := range o {
			if k == "time" || k == "seq" {
				continue
			}
			r := devices.RoleByName(k)
			switch {
			case r == nil:
				t.Fatalf("%s: %q is no role", m.Topic, k)
			case r.Class != "" && r.Class != parts[1]:
				t.Fatalf("%s: role %s belongs to class %s", m.Topic, k, r.Class)
			case r.Kind == devices.Gauge || r.Kind == devices.Counter:
				if _, ok := v.(float64); !ok {
					t.Fatalf("%s: %s is %v", m.Topic, k, v)
				}
			case r.Kind == devices.Event && parts[3] != "event":
				t.Fatalf("%s: event %s in telemetry", m.Topic, k)
			}
			seen[k] = true
		}
	})
	for _, d := range demoAt(monday).Devices() {
		if seqs[d.ID] == 0 {
			t.Errorf("%s said nothing", d.ID)
		}
	}
	t.Logf("%d roles are published", len(seen))
}

func TestImpossibleConfigurationsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"no start time":             func(c *Config) { c.Start = time.Time{} },
		`"lift-1" is empty or used`: func(c *Config) { c.Lifts = append(c.Lifts, Lift{ID: "lift-1"}) },
		`unknown kind "rust"`:       func(c *Config) { c.Faults = []Fault{{Kind: "rust", Device: "lift-1"}} },
		`unknown device "lift-7"`:   func(c *Config) { c.Faults = []Fault{{Kind: Entrapment, Device: "lift-7"}} },
		"a lift cannot have dry_run": func(c *Config) {
			c.Faults = []Fault{{Kind: DryRun, Device: "lift-1"}}
		},
		"must follow one another": func(c *Config) {
			c.Faults = []Fault{{Kind: Entrapment, Device: "lift-1", Onset: 2, Until: 1}}
		},
		`gas has no load "tower-a"`: func(c *Config) { c.Meters = []Meter{{"m", Gas, "tower-a"}} },
	} {
		cfg := demoAt(monday)
		cfg.Faults, cfg.FaultsPerWeek = nil, 0
		change(&cfg)
		if _, err := New(cfg, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func BenchmarkEstateDay(b *testing.B) {
	for b.Loop() {
		n := 0
		mustNew(b, demoAt(monday), 1).Step(monday.Add(24*time.Hour), func(Message) { n++ })
		b.ReportMetric(float64(n), "messages")
	}
}
