package codec

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/tidwall/gjson"
)

func TestGzipCorpusCase(t *testing.T) {
	out, err := compile(t, new(Inflate))(nil, file(t, "opcua.json.gz"))
	if err != nil || !gjson.ValidBytes(out) || gjson.GetBytes(out, "#").Int() < 4 {
		t.Errorf("%v: %.80s", err, out)
	}
}

// bomb is 64 MiB of zeros, sixteen times what may come out.
func bomb(t testing.TB, w interface {
	Write([]byte) (int, error)
	Close() error
}) {
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADecompressionBombIsRefusedInBoundedMemory(t *testing.T) {
	var gz, zl bytes.Buffer
	bomb(t, gzip.NewWriter(&gz))
	bomb(t, zlib.NewWriter(&zl))
	for name, c := range map[string]struct {
		cfg Config
		in  []byte
	}{
		"gzip":             {new(Inflate), gz.Bytes()},
		"zlib":             {&Inflate{zlib: true}, zl.Bytes()},
		"own limit":        {&Inflate{MaxBytes: 1000}, gz.Bytes()},
		"limit above ours": {&Inflate{MaxBytes: 1 << 40}, gz.Bytes()},
	} {
		f := compile(t, c.cfg)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := f([]byte("kept"), c.in)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "unpacks to more than") || string(out) != "kept" {
			t.Errorf("%s: %v", name, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*MaxOutput {
			t.Errorf("%s: %d bytes allocated", name, grown)
		}
	}
}

// A name that the payload gives once and the result repeats is a bomb, too.
func TestRepeatedNamesAreBounded(t *testing.T) {
	name := strings.Repeat("n", 1<<18)
	for what, c := range map[string]struct {
		cfg Config
		in  string
	}{
		"csv":   {&CSV{Header: true}, name + "\n" + strings.Repeat("1\n", 1<<17)},
		"senml": {new(SenML), `[{"bn":"` + name + `"}` + strings.Repeat(`,{"v":1}`, 1<<15) + `]`},
	} {
		out, err := compile(t, c.cfg)([]byte("kept"), []byte(c.in))
		if err == nil || !strings.Contains(err.Error(), "gives more than 4194304 bytes") || string(out) != "kept" {
			t.Errorf("%s: %d bytes, %v", what, len(out), err)
		}
	}
}

func TestInflateAppendsAndJoinsMembers(t *testing.T) {
	var b bytes.Buffer
	for _, s := range []string{"one ", "two"} {
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f := compile(t, new(Inflate))
	for range 2 {
		if out, err := f([]byte("kept "), b.Bytes()); err != nil || string(out) != "kept one two" {
			t.Errorf("%q, %v", out, err)
		}
		for _, bad := range [][]byte{nil, b.Bytes()[:20], []byte("no gzip at all")} {
			if out, err := f([]byte("kept"), bad); err == nil || string(out) != "kept" {
				t.Errorf("%q, %v", out, err)
			}
		}
	}
}

func TestAppendStringIsJSON(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "a\"b\\": `"a\"b\\"`, "\x00\x1f\n\r\t": `"\u0000\u001f\n\r\t"`, "é😀": `"é😀"`,
		"\xff a \xc3": "\"\uFFFD a \uFFFD\"", "\xed\xa0\x80": "\"\uFFFD\uFFFD\uFFFD\"",
	} {
		if got := string(AppendString(nil, in)); got != want || !gjson.Valid(got) {
			t.Errorf("%q: %s", in, got)
		}
		if got := string(AppendString(nil, []byte(in))); got != want {
			t.Errorf("%q as bytes: %s", in, got)
		}
	}
}

func benchmark(b *testing.B, f Func, src []byte) {
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		var err error
		if out, err = f(out[:0], src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCBOR(b *testing.B)    { benchmark(b, CBOR, file(b, "numeric-keys.cbor")) }
func BenchmarkMsgPack(b *testing.B) { benchmark(b, MsgPack, file(b, "tracker.msgpack")) }
func BenchmarkDSMR(b *testing.B) {
	benchmark(b, compile(b, &DSMR{CRC: "report"}), file(b, "fluvius.dsmr"))
}
func BenchmarkSenML(b *testing.B) { benchmark(b, compile(b, &SenML{}), file(b, "rfc8428-5.1.3.json")) }
func BenchmarkGzip(b *testing.B)  { benchmark(b, compile(b, new(Inflate)), file(b, "opcua.json.gz")) }
func BenchmarkLineProtocol(b *testing.B) {
	benchmark(b, compile(b, &LineProtocol{}), file(b, "weather.line"))
}
