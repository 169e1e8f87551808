package sparkplug

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// FuzzApply gives any payload to a host in the middle of a session, as each type
// of message: no panic, JSON values, a state that survives a restart, and the
// same again from the same state. A damaged message changes nothing but the
// sequence number.
func FuzzApply(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(err, "no corpus cases")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			_, payload, _ := strings.Cut(strings.TrimSpace(line), "\t")
			b, err := hex.DecodeString(payload)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	set := pb{}.varint(1, 1).text(2, "n").varint(3, 7).msg(4, pb{}.msg(1, pb{}.varint(1, 9)))
	template := pb{}.text(4, "T").msg(2, metricMsg("m", 3, Int8).varint(10, 255))
	f.Add([]byte(pay(2, speed(7), metricMsg("T", 5, DataSet).msg(17, set), metricMsg("M", 6, Template).msg(18, template))))
	f.Add([]byte(pay(2, metricMsg("v", 7, Float).float(12, 1.5).msg(9, property("Quality", pb{}.varint(1, 3).varint(3, 500))))))
	f.Add([]byte(pay(2, metricMsg("v", 7, BooleanArray).text(16, "\x03\x00\x00\x00\xa0"), metricMsg("w", 8, StringArray).text(16, "a\x00"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		for _, topic := range []string{nbirth, ndata, dbirth, ddata, ddeath, ndeath} {
			h := NewHost(Config{MaxMetrics: 1000})
			var out Result
			for _, s := range born {
				if err := h.Apply(s.topic, s.p, t0, &out); err != nil {
					t.Fatal(err)
				}
			}
			out.Reset()
			saved := h.AppendState(nil)
			err := h.Apply(topic, data, t0, &out)
			if err != nil && len(out.Metrics)+len(out.Availability) > 0 {
				t.Fatalf("%s: %d metrics beside the error %v", topic, len(out.Metrics), err)
			}
			for i := range out.Metrics {
				if m := &out.Metrics[i]; !m.Null && !gjson.ValidBytes(m.Value) || m.Null && m.Value != nil {
					t.Fatalf("%s: %s = %q", topic, m.Name, m.Value)
				}
			}
			tree := out.AppendJSON(nil)
			if !gjson.ValidBytes(tree) {
				t.Fatalf("%s: not JSON: %s", topic, tree)
			}
			state := h.AppendState(nil)
			again := NewHost(Config{MaxMetrics: 1000})
			if err := again.Restore(saved); err != nil {
				t.Fatal(err)
			}
			out.Reset()
			if err2 := again.Apply(topic, data, t0, &out); (err == nil) != (err2 == nil) || !bytes.Equal(out.AppendJSON(nil), tree) || !bytes.Equal(again.AppendState(nil), state) {
				t.Fatalf("%s: a restart before the message changes what it says", topic)
			}
		}
	})
}

// FuzzRestore gives any bytes as a saved state.
func FuzzRestore(f *testing.F) {
	h := NewHost(Config{})
	f.Add(h.AppendState(nil))
	var out Result
	for _, s := range born {
		if err := h.Apply(s.topic, s.p, t0, &out); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(h.AppendState(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		h := NewHost(Config{})
		if h.Restore(state) != nil {
			return
		}
		first := h.AppendState(nil)
		next := NewHost(Config{})
		if err := next.Restore(first); err != nil || !bytes.Equal(next.AppendState(nil), first) {
			t.Fatalf("a state that was taken does not come back: %v", err)
		}
	})
}
