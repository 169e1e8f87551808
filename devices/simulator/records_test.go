package simulator

import (
	"fmt"
	"hash/fnv"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// TestRecordsAreAJournal: positions without a gap, time that never goes back,
// something every second, every message once and as Step emits it; and the same
// however the time is cut, at whole seconds.
func TestRecordsAreAJournal(t *testing.T) {
	const length = 3 * time.Hour
	var want []string
	mustNew(t, demoAt(monday), 4).Step(monday.Add(length), func(m Message) {
		want = append(want, fmt.Sprint(m.Time.UnixNano(), m.Topic, string(m.Payload), m.Retain))
	})
	var sums []uint64
	for _, step := range []time.Duration{length, 7 * time.Second} {
		e := mustNew(t, demoAt(monday), 4)
		h := fnv.New64a()
		var got []string
		var seq uint64
		last := int64(0)
		for at := time.Duration(0); at < length; {
			at = min(at+step, length)
			e.Records("demo", monday.Add(at), func(r *devices.Record) {
				seq++
				if r.Seq != seq || r.Time < last || r.Time > last+int64(time.Second) && last > 0 {
					t.Fatalf("record %d (%v) at %v after %v", r.Seq, r.Kind, r.Time, last)
				}
				if first := []devices.RecordKind{devices.Start, devices.LinkState}; seq <= 2 && r.Kind != first[seq-1] {
					t.Fatalf("record %d is %v", seq, r.Kind)
				}
				last = r.Time
				fmt.Fprintln(h, r.Seq, r.Kind, r.Time, len(r.Messages))
				if r.Kind != devices.Messages {
					return
				}
				for _, m := range r.Messages {
					if m.Received > r.Time || m.Received <= r.Time-int64(time.Second) && m.Received != r.Time-int64(time.Second) {
						t.Fatalf("received at %v in a record of %v", m.Received, r.Time)
					}
					got = append(got, fmt.Sprint(m.Received, m.Topic, string(m.Payload), m.Retained))
				}
			})
		}
		if len(got) != len(want) {
			t.Fatalf("%d messages in records, Step emits %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("message %d is %s, not %s", i, got[i], want[i])
			}
		}
		sums = append(sums, h.Sum64())
	}
	if sums[0] != sums[1] {
		t.Error("the records depend on how the time is cut")
	}
}

func BenchmarkMonth(b *testing.B) {
	for b.Loop() {
		records, messages := 0, 0
		mustNew(b, demoAt(monday), 1).Records("demo", monday.Add(30*24*time.Hour), func(r *devices.Record) {
			records++
			if r.Kind == devices.Messages {
				messages += len(r.Messages)
			}
		})
		b.ReportMetric(float64(records), "records")
		b.ReportMetric(float64(messages), "messages")
	}
}
