package layout

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

func node(t testing.TB, text string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return &n
}

func mustCompile(t testing.TB, text string) *Layout {
	t.Helper()
	l, list := Compile("test", "test.yaml", node(t, text))
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

func frame(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The layouts of the acceptance corpus, with the payloads as they are there.
const (
	em300 = `
endian: little
tlv: {key: [u8, u8], unknown: stop}
items:
  "01 75": {battery: u8}
  "03 67": {temperature: i16/10}
  "04 68": {humidity: u8/2}
  "20 CE": {"history[]": {ts: u32, temperature: i16/10, humidity: u8/2, kind: u8, gpio: u8, pulses: u32}}
`
	uc300 = `
endian: little
tlv: {key: [u8, u8]}
items:
  "03 C8": {counter_1: u32}
  "05 00": {input_3: bool}
  "07 01": {output_1: bool}
  "0B E2": {current_1: f16, _max: f16, _min: f16, _avg: f16}
  "FF 19": {"modbus[]": {ch: u8, size: u8, type: u8, v: "uint(size)"}}
`
	lht65 = `
endian: big
fields:
  - {_w: u16, bits: {mv: 0..13, status: 14..15}}
  - {t: i16/100}
  - {h: u16/10}
  - {ext: u8}
  - {te: i16/100, if: "bitand(ext, 15) == 1"}
`
	ruuvi5 = `
endian: big
find: "FF 99 04 05"
fields:
  - {t: i16*0.005}
  - {h: u16*0.0025}
  - {p: u16+50000}
  - {ax: i16/1000}
  - {ay: i16/1000}
  - {az: i16/1000}
  - {_power: u16, bits: {tx: 0..4*2-40, mv: 5..15+1600}}
  - {mov: u8}
  - {seq: u16}
  - {mac: bytes6}
`
	aliyun = `fields: {command: u8, request: u32, prop_int16: i16, prop_bool: bool, prop_float: f32}`
)

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, layout, frame, want string }{
		// Corpus cases.
		{"em300-di with history", em300, "01755c0367340104686520ce9e74466310015d020000010000",
			`{"battery":92,"temperature":30.8,"humidity":50.5,"history":[{"ts":1665561758,"temperature":27.2,"humidity":46.5,"kind":2,"gpio":0,"pulses":256}]}`},
		{"uc300", uc300, "03c80a0000000500010701010be20044004400440044ff190002020b00ff190102020200",
			`{"counter_1":10,"input_3":true,"output_1":true,"current_1":4,"modbus":[{"ch":0,"size":2,"type":2,"v":11},{"ch":1,"size":2,"type":2,"v":2}]}`},
		{"lht65", lht65, "cbf60b0d0376010add7fff", `{"mv":3062,"status":3,"t":28.29,"h":88.6,"ext":1,"te":27.81}`},
		{"lht65 without probe", lht65, "cbf60b0d0376040add7fff", `{"mv":3062,"status":3,"t":28.29,"h":88.6,"ext":4}`},
		{"ruuvi", ruuvi5, "0201061BFF99040517037758C5C703FCFF30FFF89416B7958AE375CF374E23",
			`{"t":29.455,"h":76.38,"p":100631,"ax":1.02,"ay":-0.208,"az":-0.008,"tx":4,"mv":2784,"mov":183,"seq":38282,"mac":"e375cf374e23"}`},
		{"aliyun", aliyun, "00002233441232013fa00000", `{"command":0,"request":2241348,"prop_int16":4658,"prop_bool":true,"prop_float":1.25}`},

		// TLV.
		{"last of equal items wins", em300, "01750a01750b", `{"battery":11}`},
		{"records add up", em300, "20ce01000000640064010203000000 20ce02000000640064010204000000",
			`{"history":[{"ts":1,"temperature":10,"humidity":50,"kind":1,"gpio":2,"pulses":3},{"ts":2,"temperature":10,"humidity":50,"kind":1,"gpio":2,"pulses":4}]}`},
		{"unknown stops", em300, "01750aff010203", `{"battery":10}`},
		{"unknown skips", "tlv: {key: u8, unknown: {skip: 2}}\nitems: {'01': {a: u8}}", "09ffff0105", `{"a":5}`},
		{"unknown skips past the end", "tlv: {key: u8, unknown: {skip: 9}}\nitems: {'01': {a: u8}}", "010509ffff", `{"a":5}`},
		{"unknown is an error", "tlv: {key: u8, unknown: error}\nitems: {'01': {a: u8}}", "010509", "error:offset 2: unknown item 09"},
		{"own length", "tlv: {key: u8, length: u8}\nitems: {'01': {a: u8, b: rest}, '02': {c: u16}}", "0103aabbcc 0902ffff 02030102ff", `{"a":170,"b":"bbcc","c":258}`},
		{"own length too long", "tlv: {key: u8, length: u8}\nitems: {'01': {a: u8}}", "010501", "error:offset 2: item 01 of 5 bytes, 1 left"},
		{"item longer than its length", "tlv: {key: u8, length: u8}\nitems: {'01': {a: u16}}", "0101aabb", "error:offset 2: field a: needs 2 bytes, 1 left"},
		{"any channel", "endian: little\ntlv: {key: [u8, u8]}\nitems: {'?? 67': {'temperature[]': {channel: key(0), value: i16/10}}, '02 68': {h: u8}}", "0367 fa00 0267 ffff 026805",
			`{"temperature":[{"channel":3,"value":25},{"channel":2,"value":-0.1}],"h":5}`},
		{"cut item", em300, "017505036734", "error:layout test: offset 5: field temperature: needs 2 bytes, 1 left"},
		{"header before items", "fields: {version: u8}\ntlv: {key: u8}\nitems: {'01': {a: u8}}", "070105", `{"version":7,"a":5}`},
		{"bits in an item", "tlv: {key: u8}\nitems: {'01': [{_f: u8, bits: {open: 0, mode: 1..3, _x: 4..5}}]}", "010b", `{"open":true,"mode":5}`},
		{"object in an item", "tlv: {key: u8}\nitems: {'01': {gps: {lat: i8, lon: i8}}}", "01ff02", `{"gps":{"lat":-1,"lon":2}}`},
		{"condition in an item", "tlv: {key: u8}\nitems: {'01': [{n: u8}, {fields: {a: u8, b: u8}, if: n > 1}]}", "01020304 0100", `{"n":0,"a":3,"b":4}`},

		// Fields.
		{"flags", "fields: [{flags: u16}, {a: u16, if: 'bit(flags,0)'}, {b: '(u16-1000)/50', if: 'bit(flags,1)'}]", "000204b0", `{"flags":2,"b":4}`},
		{"nibbles", "check: sum8 == 0\nfields: [{b0: u8, bits: {code: 0..3, kind: 4..7}}, {temp: i8}, {_crc: u8}]", "a5f665", `{"b0":165,"code":5,"kind":10,"temp":-10}`},
		{"bit array", "fields: [{'slots[]': bits(3), count: 4}, {x: bits(4)}]", "29cb", `{"slots":[1,2,3,4],"x":11}`},
		{"bits lsb first", "bit_order: lsb\nfields: {a: bits(3), b: ibits(5), c: u8}", "f907", `{"a":1,"b":-1,"c":7}`},
		{"align after bits", "fields: {a: bits(3), b: u8}", "a0ff", `{"a":5,"b":255}`},
		{"widths", "fields: {a: u24, b: i24, c: u40, d: i48, e: u64, f: i64}", "ffffff fffffe ffffffffff fffffffffffe ffffffffffffffff fffffffffffffffe",
			`{"a":16777215,"b":-2,"c":1099511627775,"d":-2,"e":18446744073709551615,"f":-2}`},
		{"floats", "endian: little\nfields: {a: f16, b: f32, c: f64, d: f32/1000, e: f32}", "003c 9a994141 713d0ad7a3703740 66669643 0000c07f", `{"a":1,"b":12.1,"c":23.44,"d":0.3008,"e":null}`},
		{"endian per field", "fields: [{a: u16le}, {b: u16, endian: little}, {c: u16}, {d: u32, word_order: low}, {e: f32, word_order: low}]", "0100 0100 0001 00020001 999a4141", `{"a":1,"b":1,"c":1,"d":65538,"e":12.1}`},
		{"bcd", "endian: little\nfields: {a: bcd4, id: digits4, none: bcd1, big: bcd2be}", "78563412 04020100 ff 1234", `{"a":12345678,"id":"00010204","none":null,"big":1234}`},
		{"text and rest", "fields: {a: ascii(4), b: bytes2, c: rest}", "41420000 0102 0304", `{"a":"AB","b":"0102","c":"0304"}`},
		{"text to the end", "fields: {n: u8, a: ascii(n), b: text}", "02414243c3a9", `{"n":2,"a":"AB","b":"Cé"}`},
		{"records to the end", "fields: {n: u8, 'rec[]': {t: u8, v: i16/10}}", "01 01000a 02fff6", `{"n":1,"rec":[{"t":1,"v":1},{"t":2,"v":-1}]}`},
		{"counted", "fields: [{n: u8}, {'v[]': u16, count: n * 2}, {z: u8}]", "0100010002ff", `{"n":1,"v":[1,2],"z":255}`},
		{"from the end", "fields: [{a: u8}, {rssi: i8, at: -1}, {b: u8, at: 1}]", "0102c4", `{"a":1,"rssi":-60,"b":2}`},
		{"computed", "fields: [{_raw: u16}, {mv: '= bitand(_raw, 0x3fff)'}, {v: '= mv * 0.001'}, {low: '= v < 3.1'}, {word: '= low ? \"low\" : \"ok\"'}]", "cbf6", `{"mv":3062,"v":3.062,"low":true,"word":"low"}`},
		{"optional end", "fields: [{a: u8}, {b: u8, if: $left > 0}]", "01", `{"a":1}`},
		{"fields named like attributes", "fields: [{name: count, type: u8}, {name: if, type: u8}]", "0102", `{"count":1,"if":2}`},
		{"skip and length", "skip: 1\nlength: 2..3\nfields: {a: u8}", "ff07", `{"a":7}`},
		{"signed bits", "fields: [{_w: u16, bits: {t: i4..15/10, ok: 0}}]", "fff1", `{"t":-0.1,"ok":true}`},

		// Refused.
		{"short", "fields: {a: u8, b: u32}", "010203", "error:layout test: offset 1: field b: needs 4 bytes, 2 left"},
		{"bits past the end", "fields: {a: bits(9)}", "ff", "error:field a: needs 9 bits, 8 left"},
		{"no marker", ruuvi5, "0201", "error:the bytes FF 99 04 05 are not in the frame"},
		{"wrong length", "length: 2\nfields: {a: u8}", "01", "error:frame of 1 bytes, expected 2 to 2"},
		{"wrong check", "check: sum8 == 0\nfields: {a: u8}", "01", "error:check sum8 gives 0x1, frame says 0x0"},
		{"negative count", "fields: [{n: i8}, {'v[]': u8, count: n}]", "ff", "error:count -1 is out of bounds"},
		{"size out of bounds", "fields: {n: u8, v: uint(n)}", "09010203040506070809", "error:size 9 is out of bounds"},
		{"elements without bytes", "fields: [{'v[]': [{x: u8, if: '1 > 2'}]}]", "01", "error:an element without bytes"},
		{"too many reads", "fields: [{'a[]': [{'b[]': '= 1', count: 60000}], count: 60000}]", "", "error:more than 65536 fields"},
		{"the same bytes again and again", "fields: [{n: u16}, {'a[]': [{r: bytes60, at: 0}], count: n}]", "ffff" + strings.Repeat("00", 60), "error:gives more than 4194304 bytes"},
		{"field that was not read", "fields: [{a: u8, if: '1 > 2'}, {b: u8, if: a == 1}]", "01", "error:field b: expression fails"},
		{"seek outside", "fields: [{a: u8, at: -4}]", "01", "error:offset -4 is outside of the frame"},
		{"too large for an expression", "fields: [{a: u64}, {b: '= a'}]", "ffffffffffffffff", "error:too large for an expression"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mustCompile(t, c.layout)
			for range 2 { // the second run meets used scratch space
				out, err := l.Decode([]byte("kept"), frame(t, c.frame))
				if want, ok := strings.CutPrefix(c.want, "error:"); ok {
					var e *Error
					if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &e) || string(out) != "kept" {
						t.Fatalf("got %q, %v; want the error %q", out, err, want)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if !gjson.ValidBytes(out[4:]) {
					t.Fatalf("not JSON: %s", out)
				}
				if diff := cmp.Diff("kept"+c.want, string(out)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

func TestCompileNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ layout, want string }{
		{"endain: big\nfields: {a: u8}", `test.yaml:1:1: error: unknown key "endain" in a layout (did you mean "endian"?)`},
		{"endian: middle\nfields: {a: u8}", `test.yaml:1:9: error: "middle" is not known here (one of: big, little)`},
		{"fields: {a: u9}", `test.yaml:1:13: error: field a: "u9" is not a type: did you mean "u8"?`},
		{"fields: {a: u8+u8}", `two types in "u8+u8"`},
		{"fields: {a: 5/u8}", "division by a value"},
		{"fields: {a: u8/0}", "division by a value or by zero"},
		{"fields: {a: '(u8-3'}", "a parenthesis is not closed"},
		{"fields: {a: '5*3'}", "no type in"},
		{"fields: {a: bytes2*3}", "not a number"},
		{"fields: {a: u8*}", "ends early"},
		{"fields: {a: u8 x}", "is not understood"},
		{"fields: {a: u8*1e300}", "out of bounds"},
		{"fields: [{a: u8, if: 'b == 1'}]", "test.yaml:1:22: error: expression \"b == 1\": unknown name b"},
		{"fields: [{a: u8}, {b: u8, if: 'a & 1'}]", "there is no & or |"},
		{"fields: [{a: u8}, {b: u8, if: 'a + 1'}]", "expected bool"},
		{"fields: [{a: u8, b: u8}]", `a field has one name, found "a" and "b"`},
		{"fields: [{type: u8}]", "a field without name or type"},
		{"fields: [{a: u8, bits: {x: 0..8}}]", "bits x: bit 8 of 8"},
		{"fields: [{a: u8, bits: {x: 3..1}}]", "not a range of bits"},
		{"fields: [{a: u8, bits: {x: u8}}]", "not a range of bits"},
		{"fields: [{a: f32, bits: {x: 1}}]", "bits belong to an integer"},
		{"fields: [{a: u8, count: 3}]", "count of a field that is not an array"},
		{"find: xyz\nfields: {a: u8}", "not hexadecimal bytes"},
		{"check: crc17\nfields: {a: u8}", `check sum "crc17" is not known`},
		{"check: {sum: xor8, form: 1}\nfields: {a: u8}", `unknown key "form" in a check (did you mean "from"?)`},
		{"tlv: {key: u8}", "tlv and items belong together"},
		{"tlv: {}\nitems: {'01': {a: u8}}", "tlv needs a key"},
		{"tlv: {key: u8}\nitems: {'01 02': {a: u8}}", `item key "01 02" does not fit (1 bytes like "01")`},
		{"tlv: {key: u8}\nitems: {'01': {a: u8}, '0 1': {b: u8}}", `stands twice`},
		{"tlv: {key: u8}\nitems: {'01': {a: u8}, '02': {'a[]': {b: u8}}}", "is an array here and not elsewhere"},
		{"tlv: {key: u8, unknown: skip}\nitems: {'01': {a: u8}}", "one of: stop, error"},
		{"doc: nothing", "a layout without fields"},
		{"[1, 2]", "a layout is a map"},
		{"length: long\nfields: {a: u8}", "is not a number of bytes"},
		{"fields: " + strings.Repeat("{a: ", 20) + "u8" + strings.Repeat("}", 20), "nested deeper than"},
	} {
		l, list := Compile("test", "test.yaml", node(t, c.layout))
		if err := list.Err(); err == nil || l != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngives %v\nwant %s", c.layout, err, c.want)
		}
	}
}

func TestCompileReportsEverythingAtOnce(t *testing.T) {
	_, list := Compile("test", "test.yaml", node(t, "skip: x\nfields:\n  - {a: u9}\n  - {b: u8, if: c}\n"))
	var got []string
	for _, d := range list {
		if d.Level != diag.Error {
			t.Errorf("level of %v", d)
		}
		got = append(got, fmt.Sprint(d.Line, ":", d.Column))
	}
	if diff := cmp.Diff([]string{"1:7", "3:9", "4:17"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The check values are those of the catalogue of parametrised CRC algorithms
// for "123456789".
func TestSums(t *testing.T) {
	want := map[string]uint32{
		"sum8": 0xdd, "sum16": 0x1dd, "xor8": 0x31, "crc8": 0xf4, "crc8-maxim": 0xa1, "crc16-modbus": 0x4b37, "crc16-arc": 0xbb3d,
		"crc16-ccitt": 0x29b1, "crc16-xmodem": 0x31c3, "crc16-kermit": 0x2189, "crc16-x25": 0x906e, "crc32": 0xcbf43926,
	}
	for _, name := range Sums {
		if got, _ := sumOf(name, []byte("123456789")); got != want[name] {
			t.Errorf("%s = %x, want %x", name, got, want[name])
		}
	}
}

func TestStoredCheck(t *testing.T) {
	for _, c := range []struct{ check, frame string }{
		{"check: crc16-modbus", "010300000001840a"},
		{"check: crc16-xmodem", "313233343536373839 31c3"},
		{"endian: little\ncheck: crc16-xmodem", "313233343536373839 c331"},
		{"check: {sum: xor8, from: 1, to: -1}", "ff01020407"},
		{"check: {sum: xor8, at: 1, from: 2}", "ff030102"},
		{"check: [sum8 == 0, {sum: xor8, equals: 0}]", "80800000"},
	} {
		l := mustCompile(t, c.check+"\nfields: {a: u8}")
		if _, err := l.Decode(nil, frame(t, c.frame)); err != nil {
			t.Errorf("%s %s: %v", c.check, c.frame, err)
		}
		bad := frame(t, c.frame)
		bad[2] ^= 0x10
		if _, err := l.Decode(nil, bad); err == nil {
			t.Errorf("%s takes a damaged frame", c.check)
		}
	}
	l := mustCompile(t, "check: crc32\nfields: {a: u8}")
	if _, err := l.Decode(nil, []byte{1}); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("got %v", err)
	}
}

func TestArithmeticIsExact(t *testing.T) {
	for _, c := range []struct {
		typ, frame, want string
	}{
		{"i16/10", "00fd", "25.3"}, {"u16*0.0025", "7758", "76.38"}, {"u16+50000", "c5c7", "100631"},
		{"(u16-1000)/50", "04b1", "4.02"}, {"u8/3", "01", "0.3333333333333333"}, {"-u8", "05", "-5"},
		{"2*u8-40", "16", "4"}, {"u8/2/2", "01", "0.25"}, {"(i8*9)/5+32", "ec", "-4"},
		{"u64/1000", "ffffffffffffffff", "18446744073709550"}, {"i64*1000", "7fffffffffffffff", "9.223372036854776e+21"},
		{"u32/10000000", "1e3d4c2b", "50.7333675"}, {"u8*0.1", "03", "0.3"}, {"u8", "ff", "255"},
	} {
		out, err := mustCompile(t, "fields: {v: '"+c.typ+"'}").Decode(nil, frame(t, c.frame))
		if got := gjson.GetBytes(out, "v").Raw; err != nil || got != c.want {
			t.Errorf("%s of %s = %s, %v; want %s", c.typ, c.frame, got, err, c.want)
		}
	}
}
