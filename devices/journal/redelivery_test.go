package journal

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/facilityd/facilityd/devices"
)

func event(id uint16, text string, dup bool) devices.Message {
	return devices.Message{Topic: "door/1", Payload: []byte(text), QoS: 1, PacketID: id, Dup: dup}
}

// marks offers messages through one source and returns which were marked.
func marks(t *testing.T, w *Writer, messages ...devices.Message) (out []bool) {
	t.Helper()
	var safe atomic.Int64
	s := w.Source("main", func(n int) { safe.Add(int64(n)) })
	for i := range messages {
		if !s.Offer(&messages[i]) {
			t.Fatal("refused")
		}
		out = append(out, messages[i].Redelivered)
	}
	eventually(t, "committed", func() bool { return safe.Load() == int64(len(messages)) })
	return out
}

func TestRedeliveryIsMarkedExactly(t *testing.T) {
	dir := t.TempDir()
	j := open(t, quiet(t, dir))
	w, stop := running(t, j, "demo")
	if got := marks(t, w, event(1, "fault", false), event(2, "fault", false), event(3, "open", false)); got[0] || got[1] || got[2] {
		t.Errorf("first deliveries: %v", got)
	}
	// The daemon dies here: these three are in the journal and the broker never
	// got their acknowledgement. What comes after them in the journal until the
	// next start is only time.
	for range 2500 {
		if err := w.enqueue(w.control(devices.Record{Kind: devices.Tick})); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	j.Close()

	j = open(t, quiet(t, dir))
	w, stop = running(t, j, "demo")
	cases := []struct {
		what string
		m    devices.Message
		want bool
	}{
		{"redelivered", event(1, "fault", true), true},
		{"redelivered, although equal to another", event(2, "fault", true), true},
		{"the same id used again for another event", event(3, "closed", true), false},
		{"the same id and text without DUP: a second event", event(1, "fault", false), false},
		{"DUP of an id that is not in the journal", event(4, "fault", true), false},
		{"redelivered twice", event(2, "fault", true), true},
		{"QoS 0 never", devices.Message{Topic: "door/1", Payload: []byte("fault"), Dup: true, PacketID: 1}, false},
	}
	var in []devices.Message
	for _, c := range cases {
		in = append(in, c.m)
	}
	for i, got := range marks(t, w, in...) {
		if got != cases[i].want {
			t.Errorf("%s: marked %v", cases[i].what, got)
		}
	}
	stop()
	var stored []bool
	for _, r := range read(t, j, "demo", 0) {
		for _, m := range r.Messages {
			stored = append(stored, m.Redelivered)
		}
	}
	if len(stored) != 3+len(cases) || !stored[3] || stored[6] {
		t.Errorf("in the journal: %v", stored)
	}
}

func TestRedeliveryWindow(t *testing.T) {
	j := open(t, quiet(t, t.TempDir()))
	w, _ := running(t, j, "demo")
	var in []devices.Message
	for i := range redeliveryWindow + 2 {
		in = append(in, event(uint16(i), fmt.Sprint(i), false))
	}
	marks(t, w, in...)
	got := marks(t, w, event(0, "0", true), event(1, "1", true))
	if got[0] {
		t.Error("a message outside of the window was marked")
	}
	if got[1] {
		t.Error("a message that left the window was marked")
	}
	if got := marks(t, w, event(100, "100", true)); !got[0] {
		t.Error("a message within the window was not marked")
	}
}
