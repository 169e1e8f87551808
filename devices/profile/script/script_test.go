package script

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

const t0 = 1_700_000_000_000_000_000 // 2023-11-14T22:13:20Z

func runner(t testing.TB, source string, cfg Config) *Runner {
	t.Helper()
	p, err := Compile("test.js", source, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.NewRunner()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decode(t testing.TB, r *Runner) string {
	t.Helper()
	out, _, err := r.Decode(nil, Input{Bytes: []byte{1, 0x75, 92, 3, 0x67, 0x34, 1}, FPort: 85, ReceiveTime: t0, Variables: map[string]string{"offset": "2"}})
	if err != nil {
		return "error " + err.Error()
	}
	if !gjson.ValidBytes(out) {
		t.Errorf("not JSON: %s", out)
	}
	return string(out)
}

// tlv is a codec written the way makers write theirs: globals that are not
// declared, a table at the top level, all three entries.
const tlv = `
var names = {0x75: "battery", 0x67: "temperature"};
function decodeUplink(input) { return { data: parse(input.bytes), warnings: ["low"] }; }
function Decode(fPort, bytes) { return parse(bytes); }
function Decoder(bytes, port) { return parse(bytes); }
function parse(bytes) {
    var decoded = {};
    for (i = 0; i < bytes.length;) {
        var channel_id = bytes[i++];
        var channel_type = bytes[i++];
        if (channel_type === 0x75) { decoded[names[channel_type]] = bytes[i]; i += 1; }
        else if (channel_type === 0x67) { decoded.temperature = readInt16LE(bytes.slice(i, i + 2)) / 10; i += 2; }
        else { break; }
    }
    return decoded;
}
function readInt16LE(bytes) { var v = (bytes[1] << 8) + bytes[0]; return v > 0x7fff ? v - 0x10000 : v; }
// no line end behind this comment`

func TestAllInterfaces(t *testing.T) {
	want := `{"battery":92,"temperature":30.8}`
	for _, api := range APIs {
		if got := decode(t, runner(t, tlv, Config{API: api})); got != want {
			t.Errorf("%s: %s", api, got)
		}
	}
	_, out, err := runner(t, tlv, Config{}).Decode(nil, Input{Bytes: []byte{1, 0x75, 1}})
	if diff := cmp.Diff([]string{"low"}, out.Warnings); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestArguments(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"ts013": {`function decodeUplink(i) { return {data: {p: i.fPort, t: i.recvTime.toISOString(), d: i.recvTime instanceof Date, v: i.variables.offset * 2, n: i.bytes.length, a: Array.isArray(i.bytes)}} }`,
			`{"p":85,"t":"2023-11-14T22:13:20.000Z","d":true,"v":4,"n":7,"a":true}`},
		"chirpstack 3": {`function Decode(fPort, bytes, variables) { return {p: fPort, b: bytes[2], v: variables.offset} }`, `{"p":85,"b":92,"v":"2"}`},
		"ttn 2":        {`function Decoder(bytes, port) { return {p: port, b: bytes[2]} }`, `{"p":85,"b":92}`},
		"exports":      {`exports.decodeUplink = function (i) { return {data: {p: i.fPort}} }`, `{"p":85}`},
		"module":       {`module.exports = {decodeUplink: function (i) { return {data: {p: i.fPort}} }}`, `{"p":85}`},
		"arrow":        {`const decodeUplink = (i) => ({data: {p: i.fPort}});`, `{"p":85}`},
		"strict":       {`"use strict"; function decodeUplink(i) { return {data: {p: i.fPort}} }`, `{"p":85}`},
		"array":        {`function decodeUplink(i) { return {data: [1, {a: 2}]} }`, `[1,{"a":2}]`},
		"not numbers":  {`function decodeUplink(i) { return {data: {a: NaN, b: 1/0, c: undefined, d: null}} }`, `{"a":null,"b":null,"d":null}`},
		"typed arrays": {`function decodeUplink(i) { var b = new ArrayBuffer(4), v = new DataView(b); new Uint8Array(b).set([0x41, 0x41, 0x99, 0x9a]); return {data: {f: v.getFloat32(0).toFixed(1), u: new Uint8Array([1, 2]).length, a: new Array(3).length, o: Array.of(1, 2)}} }`,
			`{"f":"12.1","u":2,"a":3,"o":[1,2]}`},
		"added method":        {`String.prototype.twice = function () { return this + this }; function decodeUplink(i) { return {data: {a: "x".twice()}} }`, `{"a":"xx"}`},
		"guarded replacement": {`if (!Object.assign) { Object.defineProperty(Object, "assign", {value: null}) } function decodeUplink(i) { return {data: Object.assign({}, {a: 1})} }`, `{"a":1}`},
		"console":             {`function decodeUplink(i) { console.log("x", i); return {data: {}} }`, `{}`},
	} {
		if got := decode(t, runner(t, c.source, Config{})); got != c.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestWhatACodecSaysIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"errors":     {`function decodeUplink(i) { return {errors: ["unknown port", "x"]} }`, "error codec test.js: unknown port"},
		"exception":  {"\nfunction decodeUplink(i) {\n  return i.none.x;\n}", "error codec test.js:3:17: TypeError: Cannot read property 'x' of undefined"},
		"thrown":     {`function decodeUplink(i) { throw "no" }`, "error codec test.js:1:28: no"},
		"no data":    {`function decodeUplink(i) { return {} }`, "error codec test.js: the codec returned no object"},
		"nothing":    {`function decodeUplink(i) { }`, "error codec test.js: decodeUplink returned no object"},
		"a promise":  {`async function decodeUplink(i) { return {data: {}} }`, "error codec test.js: the codec returned no object"},
		"circle":     {`function decodeUplink(i) { var a = {}; a.a = a; return {data: a} }`, "error codec test.js: TypeError: Converting circular structure to JSON"},
		"recursion":  {`function decodeUplink(i) { return decodeUplink(i) }`, "error codec test.js: calls nested deeper than 500"},
		"too long":   {`function decodeUplink(i) { return {data: {a: "x".repeat(1000000), b: "x".repeat(1000000)}} }`, "error codec test.js: result of 2000015 bytes, at most 1048576"},
		"require":    {`function decodeUplink(i) { return require("fs") }`, "error codec test.js:1:42: ReferenceError: require is not defined"},
		"eval":       {`function decodeUplink(i) { return eval("1") }`, "error codec test.js:1:39: ReferenceError: eval is not defined"},
		"function":   {`function decodeUplink(i) { return (function(){}).constructor("return 1")() }`, "error codec test.js:1:61: TypeError: Value is not an object: undefined"},
		"setTimeout": {`function decodeUplink(i) { setTimeout(decodeUplink, 1) }`, "error codec test.js:1:38: ReferenceError: setTimeout is not defined"},
	} {
		if got := decode(t, runner(t, c.source, Config{Deadline: time.Minute})); got != c.want {
			t.Errorf("%s: got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestCompileNamesTheLine(t *testing.T) {
	for source, want := range map[string]string{
		"\n\nfunction decodeUplink( { return 1 }": "codec test.js:3:",
		"var a = 1;": `no function for api "auto"`,
		"throw new Error('x'); function Decode() {}":   "codec test.js:1:",
		"while (true) {} function Decode() {}":         ErrDeadline.Error(),
		strings.Repeat("[", 1000):                      "brackets nested deeper than 200",
		strings.Repeat(" ", maxSource+1):               "at most 524288",
		"function Decode() {}\n}); (function() {":      "codec test.js:2:1: ",
		"function decodeUplink() { return import('x')": "codec test.js:1:",
	} {
		_, err := Compile("test.js", source, Config{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", source, err, want)
		}
	}
	if _, err := Compile("test.js", tlv, Config{API: "ts014"}); err == nil || !strings.Contains(err.Error(), `api "ts014" is not known`) {
		t.Errorf("got %v", err)
	}
	if _, err := Compile("test.js", "function Decode() {}", Config{API: TS013}); err == nil {
		t.Error("a codec without decodeUplink passes for ts013")
	}
}

func TestNothingIsLeftForTheNextMessage(t *testing.T) {
	for name, source := range map[string]string{
		"top level":        `var n = 0; let m = 0; function decodeUplink(i) { n++; m++; return {data: {n: n + m}} }`,
		"undeclared":       `function decodeUplink(i) { if (typeof n === "undefined") n = 0; n++; return {data: {n: n}} }`,
		"globalThis":       `function decodeUplink(i) { globalThis.n = (globalThis.n || 0) + 1; return {data: {n: globalThis.n}} }`,
		"array prototype":  `function decodeUplink(i) { Array.prototype.n = (Array.prototype.n || 0) + 1; return {data: {n: [].n || 1}} }`,
		"object prototype": `function decodeUplink(i) { Object.prototype.n = (Object.prototype.n || 0) + 1; return {data: {n: ({}).n || 1}} }`,
		"built-in":         `function decodeUplink(i) { Math.n = (Math.n || 0) + 1; return {data: {n: Math.n || 1}} }`,
		"function":         `function f() {} function decodeUplink(i) { f.n = (f.n || 0) + 1; return {data: {n: f.n}} }`,
		"random":           `function decodeUplink(i) { return {data: {n: Math.random()}} }`,
		"date":             `function decodeUplink(i) { return {data: {n: Date.now(), m: new Date()}} }`,
		"frozen built-in":  `function decodeUplink(i) { var p = [].constructor.prototype; p.n = (p.n || 0) + 1; return {data: {n: [].n || 1}} }`,
		"added method":     `String.prototype.n = (String.prototype.n || 0) + 1; Object.assign = function () { return 7 }; function decodeUplink(i) { return {data: {n: "".n, a: Object.assign()}} }`,
		"symbol":           `function decodeUplink(i) { var s = Symbol.for("x"); Array[s] = (Array[s] || 0) + 1; return {data: {n: Array[s] || 1}} }`,
	} {
		r := runner(t, source, Config{})
		first := decode(t, r)
		if second := decode(t, r); first != second || strings.HasPrefix(first, "error") {
			t.Errorf("%s: first %s, then %s", name, first, second)
		}
		if other := decode(t, runner(t, source, Config{})); other != first {
			t.Errorf("%s: another engine gives %s", name, other)
		}
	}
}

func TestTimeIsTheReceiveTimeInUTC(t *testing.T) {
	if os.Getenv("TZ") != "Asia/Shanghai" {
		again := exec.Command(os.Args[0], "-test.run=^TestTimeIsTheReceiveTimeInUTC$")
		again.Env = append(os.Environ(), "TZ=Asia/Shanghai")
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	r := runner(t, `function decodeUplink(i) {
		var d = new Date();
		return {data: [d.getHours(), d.getTimezoneOffset(), Date.now(), new Date(2020, 0, 2, 3).toISOString(),
			new Date("2020-01-02T03:04:05").toISOString(), new Date("2020-01-02T03:04:05+08:00").toISOString(), new Date("2020-01-02").getTime(),
			String(d), Date(), d.toLocaleString(), new Date(0).getTime(), new Date(NaN).getTime(), Date.UTC(1970, 0, 2), new Date(d).getTime() === d.getTime()]} }`, Config{})
	want := `[22,0,1700000000000,"2020-01-02T03:00:00.000Z","2020-01-02T03:04:05.000Z","2020-01-01T19:04:05.000Z",1577923200000,` +
		`"Tue, 14 Nov 2023 22:13:20 GMT","Tue, 14 Nov 2023 22:13:20 GMT","Tue, 14 Nov 2023 22:13:20 GMT",0,null,86400000,true]`
	if diff := cmp.Diff(want, decode(t, r)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"endless loop":         {`while (true) {}`, ErrDeadline},
		"loop that catches":    {`while (true) { try { while (true) {} } catch (e) {} finally { continue } }`, ErrDeadline},
		"arrays":               {`var a = []; while (true) a.push(new Array(100000).fill(1))`, ErrMemory},
		"doubled string":       {`var s = "x"; while (true) s += s`, ErrMemory},
		"objects":              {`var o = {}; for (var i = 0; ; i++) o["k" + i] = [i]`, ErrMemory},
		"nested arrays":        {`var a = []; while (true) a = [a]`, ErrMemory},
		"endless generator":    {`function* g() { while (true) yield 1 } for (var v of g()) {}`, ErrDeadline},
		"sort that never ends": {`[3, 2, 1].sort(function () { while (true) {} })`, ErrDeadline},
		"repeat":               {`"x".repeat(1e9)`, nil},
		"pad":                  {`"x".padStart(1e9)`, nil},
		"long array":           {`new Array(1e9).fill(0)`, nil},
		"long holes":           {`var a = []; a.length = 4e9; a.forEach(function () {})`, nil},
		"join of holes":        {`var a = []; a.length = 4e9; a.join("x")`, nil},
		"array-like":           {`Array.prototype.indexOf.call({length: 9e15}, 1)`, nil},
		"from length":          {`Array.from({length: 1e9})`, nil},
		"apply":                {`String.fromCharCode.apply(null, {length: 1e9})`, nil},
		"buffer":               {`new ArrayBuffer(1e10)`, nil},
		"typed array":          {`new Float64Array(1e9)`, nil},
		"deep JSON":            {`JSON.parse("[".repeat(1e5))`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			deadline := time.Minute
			if errors.Is(c.want, ErrDeadline) {
				deadline = 50 * time.Millisecond
			}
			r := runner(t, `function decodeUplink(i) { if (i.fPort === 1) return {data: {ok: true}}; `+c.body+`; return {data: {}} }`, Config{Deadline: deadline, MaxMemory: 64 << 20})
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, _, err := r.Decode(nil, Input{ReceiveTime: t0})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("no error")
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want == nil && !strings.Contains(err.Error(), "RangeError") {
				t.Errorf("got %v", err)
			}
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 1<<30 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			// The engine is as good as new.
			if out, _, err := r.Decode(nil, Input{FPort: 1}); err != nil || string(out) != `{"ok":true}` {
				t.Errorf("afterwards: %s, %v", out, err)
			}
		})
	}
}

// A regular expression with look-ahead backtracks inside a native function,
// which nothing can interrupt.
func TestACodecThatCannotBeInterruptedIsGivenUp(t *testing.T) {
	r := runner(t, `function decodeUplink(i) { return {data: {m: /^(?=x)(x+x+)+y/.test("x".repeat(40))}} }`, Config{Deadline: 20 * time.Millisecond})
	if _, _, err := r.Decode(nil, Input{}); !errors.Is(err, ErrDeadline) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := r.Decode(nil, Input{}); !errors.Is(err, ErrDead) {
		t.Errorf("got %v", err)
	}
	if _, err := r.p.NewRunner(); !errors.Is(err, ErrDead) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	r := runner(b, tlv, Config{})
	in := Input{Bytes: []byte{1, 0x75, 92, 3, 0x67, 0x34, 1}, FPort: 85, ReceiveTime: t0}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if out, _, err = r.Decode(out[:0], in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewRunner(b *testing.B) {
	p, err := Compile("test.js", tlv, Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.NewRunner(); err != nil {
			b.Fatal(err)
		}
	}
}
