package layout

import (
	"bytes"
	"testing"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v4"
)

// fuzzLayouts use every type and attribute.
var fuzzLayouts = []string{em300, uc300, lht65, ruuvi5, aliyun,
	"fields: [{n: u8}, {'rec[]': {t: u32, v: i16/10, 'b[]': bits(3)}, count: n}, {r: rest}]",
	"endian: little\nfields: [{flags: u8, bits: {a: 0, b: 1..3, c: i4..7}}, {x: f32, if: 'bit(flags, 0)'}, {y: uint(b), if: 'b < 9'}, {z: bcd3}, {w: digits2}, {s: ascii(n), if: '1 > 2'}, {q: '= b * 2'}]",
	"bit_order: lsb\nfields: [{a: bits(5)}, {b: ibits(11)}, {'c[]': u16, count: a}, {d: f16, at: -2}]",
	"check: crc16-modbus\nlength: 3..40\nfields: {a: u8, b: text}",
	"tlv: {key: u8, length: u8}\nitems: {'01': {'a[]': {v: u16}}, '?2': {}, '02': {b: rest}}",
	"tlv: {key: [u8, u8], unknown: {skip: 1}}\nitems: {'?? 67': {'t[]': {c: key(0), v: i16/10}}, '01 02': [{gps: {lat: i24, lon: i24}}, {o: u8, bits: {p: 1}}]}",
}

// FuzzDecode gives any frame to layouts of every kind: no panic, JSON or an
// error with an offset inside the frame, and the same again the second time.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"01755c0367340104686520ce9e74466310015d020000010000", "03c80a0000000500010701010be20044004400440044ff190002020b00ff190102020200",
		"cbf60b0d0376010add7fff", "0201061bff99040517037758c5c703fcff30fff89416b7958ae375cf374e23", "00002233441232013fa00000",
		"010300000001840a", "0103aabbcc0902ffff02030102ff", "0367fa00026700ff",
	} {
		f.Add(frame(f, s))
	}
	var layouts []*Layout
	for _, text := range fuzzLayouts {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			f.Fatal(err)
		}
		if l, list := Compile("fuzz", "fuzz.yaml", &n); list.Err() == nil {
			layouts = append(layouts, l)
		}
	}
	if len(layouts) < len(fuzzLayouts)-2 { // two are wrong on purpose
		f.Fatalf("%d of %d layouts compile", len(layouts), len(fuzzLayouts))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for i, l := range layouts {
			out, err := l.Decode([]byte("["), src)
			again, err2 := l.Decode([]byte("["), src)
			if !bytes.Equal(out, again) || (err == nil) != (err2 == nil) {
				t.Fatalf("layout %d differs the second time: %q, %q", i, out, again)
			}
			if err != nil {
				e := err.(*Error)
				if string(out) != "[" || e.Offset < 0 || e.Offset > len(src) {
					t.Fatalf("layout %d: %q, %v", i, out, err)
				}
				continue
			}
			if !gjson.ValidBytes(out[1:]) {
				t.Fatalf("layout %d: not JSON: %q", i, out)
			}
		}
	})
}

// FuzzCompile gives any text to the compiler: no panic, and what compiles
// decodes without one.
func FuzzCompile(f *testing.F) {
	for _, s := range fuzzLayouts {
		f.Add(s)
	}
	for _, s := range []string{"fields: {a: '(u8-3'}", "check: {sum: xor8, at: -1}", "fields: [{a: u8, bits: {x: i0..3*2}}]", "skip: 3\nfind: 00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n yaml.Node
		if len(text) > 4096 || yaml.Unmarshal([]byte(text), &n) != nil || len(n.Content) == 0 {
			return
		}
		l, list := Compile("fuzz", "fuzz.yaml", &n)
		if (l == nil) != list.HasErrors() {
			t.Fatalf("layout %v beside %v", l, list)
		}
		if l == nil {
			return
		}
		for _, src := range [][]byte{nil, {0}, []byte("\x01\x75\x5c\x03\x67\x34\x01\x04\x68\x65\xff\xff\xff\xff\xff\xff")} {
			if out, err := l.Decode(nil, src); err == nil && !gjson.ValidBytes(out) {
				t.Fatalf("not JSON: %q", out)
			}
		}
	})
}

func benchmark(b *testing.B, layout, hex string) {
	l, src := mustCompile(b, layout), frame(b, hex)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		var err error
		if out, err = l.Decode(out[:0], src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMilesightTLV(b *testing.B) {
	benchmark(b, em300, "01755c0367340104686520ce9e74466310015d020000010000")
}

func BenchmarkConditionalFields(b *testing.B) { benchmark(b, lht65, "cbf60b0d0376010add7fff") }

func BenchmarkFixedFrame(b *testing.B) {
	benchmark(b, ruuvi5, "0201061bff99040517037758c5c703fcff30fff89416b7958ae375cf374e23")
}
