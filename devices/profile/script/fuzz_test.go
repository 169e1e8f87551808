package script

import (
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// FuzzDecode gives any bytes to a codec of the usual kind: JSON or an error.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 0x75, 92, 3, 0x67, 0x34, 1}, 85)
	f.Add([]byte{}, 0)
	f.Add([]byte{1, 0x67}, -1)
	r := runner(f, tlv, Config{})
	f.Fuzz(func(t *testing.T, b []byte, port int) {
		out, _, err := r.Decode(nil, Input{Bytes: b, FPort: port, ReceiveTime: t0})
		if err == nil && !gjson.ValidBytes(out) {
			t.Fatalf("not JSON: %q", out)
		}
	})
}

// FuzzCompile gives any source: no panic, an error or a codec that runs.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{tlv, "function Decode(p, b) { return {a: b[0]} }", "exports.decodeUplink = i => ({data: {d: new Date()}})", "});({", "`${", "class A { #x; static {} }"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 2048 {
			return
		}
		p, err := Compile("fuzz.js", source, Config{Deadline: 20 * time.Millisecond, MaxMemory: 16 << 20})
		if err != nil {
			return
		}
		r, err := p.NewRunner()
		if err != nil {
			t.Fatal(err)
		}
		if out, _, err := r.Decode(nil, Input{Bytes: []byte{1, 2, 3}}); err == nil && !gjson.ValidBytes(out) {
			t.Fatalf("not JSON: %q", out)
		}
	})
}
