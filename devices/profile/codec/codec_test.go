package codec

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// file reads a payload copied from the acceptance corpus.
func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compile(t testing.TB, c Config) Func {
	t.Helper()
	f, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// check runs one decoder over inputs; want starting with "error:" is a part of
// the error's text.
type check struct {
	name, in, want string
}

func run(t *testing.T, f Func, checks []check) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			prefix := []byte("kept")
			out, err := f(prefix, []byte(c.in))
			if want, ok := strings.CutPrefix(c.want, "error:"); ok {
				if err == nil {
					t.Fatalf("no error, output %s", out)
				}
				if !strings.Contains(err.Error(), want) {
					t.Fatalf("error %q does not say %q", err, want)
				}
				if string(out) != "kept" {
					t.Errorf("on error dst is %q", out)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("kept"+c.want, string(out)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func runJSON(t *testing.T, f Func, checks []check) {
	t.Helper()
	run(t, f, checks)
	for _, c := range checks {
		if !strings.HasPrefix(c.want, "error:") && !gjson.Valid(c.want) {
			t.Errorf("%s: the expectation is not JSON", c.name)
		}
	}
}

func TestBase64TakesEveryAlphabetAndPadding(t *testing.T) {
	run(t, Base64, []check{
		{"padded", "AXVkA3sKAA==", "\x01\x75\x64\x03\x7b\x0a\x00"},
		{"not padded", "AXVkA3sKAA", "\x01\x75\x64\x03\x7b\x0a\x00"},
		{"url", "-_-_", "\xfb\xff\xbf"},
		{"standard", "+/+/", "\xfb\xff\xbf"},
		{"broken lines", "AXVk\r\nA3sK\nAA==\n", "\x01\x75\x64\x03\x7b\x0a\x00"},
		{"empty", "", ""},
		{"dots", "...", `error:base64: offset 0: '.' is not a base64 digit`},
		{"one digit left", "AXVkA", "error:offset 5: ends within a byte"},
		{"after padding", "AA==AA==", "error:offset 4: digit after padding"},
	})
}

func TestHexToleratesSeparators(t *testing.T) {
	run(t, Hex, []check{
		{"plain", "0201FF", "\x02\x01\xff"},
		{"spaces", "02 01\nff ", "\x02\x01\xff"},
		{"colons", "AA:CC:ee", "\xaa\xcc\xee"},
		{"prefix", "0x0a0B", "\x0a\x0b"},
		{"odd", "abc", "error:offset 3: odd number of digits"},
		{"not hex", "abxy", `error:offset 2: 'x' is not`},
	})
}

func TestCBOR(t *testing.T) {
	run(t, func(dst, src []byte) ([]byte, error) { return CBOR(dst, fromHex(t, string(src))) }, []check{
		{"integer keys", "a3 01 02 22 03 1903e8 f5", `{"1":2,"-3":3,"1000":true}`},
		{"largest unsigned", "1bffffffffffffffff", `18446744073709551615`},
		{"smallest negative", "3bffffffffffffffff", `-18446744073709551616`},
		{"bignum", "c249010000000000000000", `18446744073709551616`},
		{"negative bignum", "c349010000000000000000", `-18446744073709551617`},
		{"decimal fraction", "c48221196ab3", `273.15`},
		{"half float", "f93c00", `1`},
		{"half float subnormal", "f90001", `5.9604645e-08`},
		{"float32 keeps its digits", "fa4141999a", `12.1`},
		{"float64", "fb4037c28f5c28f5c3", `23.76`},
		{"not a number", "83f97e00fa7f800000fbfff0000000000000", `[null,null,null]`},
		{"bytes", "4401020304", `"01020304"`},
		{"indefinite text", "7f657374726561646d696e67ff", `"streaming"`},
		{"indefinite array", "9f018202039f0405ffff", `[1,[2,3],[4,5]]`},
		{"indefinite map", "bf61610161629f0203ffff", `{"a":1,"b":[2,3]}`},
		{"tagged time", "c074323031332d30332d32315432303a30343a30305a", `"2013-03-21T20:04:00Z"`},
		{"undefined", "f7", `null`},
		{"simple", "f8ff", `255`},
		{"empty map", "a0", `{}`},
		{"order is kept", "a2617a01616102", `{"z":1,"a":2}`},
		{"bytes after the item", "0101", "error:not well formed"},
		{"ends early", "8301", "error:not well formed"},
		{"array as key", "a1800 1", "error:offset 1: an array or map as key"},
		{"billion elements", "9b00000000ffffffff", "error:not well formed"},
		{"deep", strings.Repeat("81", 100) + "01", "error:not well formed"},
	})
}

func TestCBORCorpusCase(t *testing.T) {
	run(t, CBOR, []check{{"numeric keys", string(file(t, "numeric-keys.cbor")),
		`[{"261":true,"259":"14ca85ed9","258":"002-2.1.x","264":23.76,"265":68.934,"263":3,"266":false,"260":1687787189711304960}]`}})
}

func TestMsgPack(t *testing.T) {
	run(t, func(dst, src []byte) ([]byte, error) { return MsgPack(dst, fromHex(t, string(src))) }, []check{
		{"integer keys", "83 01 02 fd 03 cd03e8 c3", `{"1":2,"-3":3,"1000":true}`},
		{"uint64", "cfffffffffffffffff", `18446744073709551615`},
		{"int64", "d38000000000000000", `-9223372036854775808`},
		{"float32", "ca4141999a", `12.1`},
		{"nan", "cb7ff8000000000000", `null`},
		{"nil", "c0", `null`},
		{"bin", "c403010203", `"010203"`},
		{"str8", "d903616263", `"abc"`},
		{"timestamp 32", "d6ff5a4af6a5", `"2018-01-02T03:04:05Z"`},
		{"timestamp 64", "d7ffa1dcd7c85a4af6a5", `"2018-01-02T03:04:05.678901234Z"`},
		{"extension", "d40510", `{"type":5,"data":"10"}`},
		{"array", "93010203", `[1,2,3]`},
		{"bytes after", "0101", "error:offset 1: bytes after the value"},
		{"ends early", "9301", "error:offset 2: ends within a value"},
		{"huge array", "ddffffffff", "error:offset 0: more than"},
		{"huge string", "dbffffffff41", "error:offset 0: damaged value"},
		{"huge extension", "c9ffffffff01", "error:4294967295 bytes announced, 5 left"},
		{"huge binary", "c6a7ef9db2", "error:offset 0: damaged value: 2817498546 bytes announced, 4 left"},
		{"reserved code", "c1", "error:code 0xc1 is not in use"},
		{"map as key", "818001", "error:offset 1: an array or map as key"},
		{"deep", strings.Repeat("91", 100) + "01", "error:nested deeper than 64"},
	})
}

func TestMsgPackCorpusCase(t *testing.T) {
	run(t, MsgPack, []check{{"tracker", string(file(t, "tracker.msgpack")),
		`{"geo":[37.78980863758897,-122.39931057256935],"device":"TrackerA","info":{"quality":2,"serial_number":"123abc456def","fix":true},"timestamp":1624528552}`}})
}

func TestErrorsUnwrap(t *testing.T) {
	f := compile(t, &Regex{Pattern: `(?P<v>\d+)`})
	_, err := f(nil, []byte("none"))
	var e *Error
	if !errors.Is(err, ErrNoMatch) || !errors.As(err, &e) || e.Codec != "regex" {
		t.Errorf("got %v", err)
	}
}

func TestTableNamesAreUniqueAndConfigsCompileOrExplain(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Table {
		if seen[c.Name] || c.Doc == "" {
			t.Errorf("%s: twice or without documentation", c.Name)
		}
		seen[c.Name] = true
		if _, err := c.New().Compile(); err != nil && c.Name != "regex" && c.Name != "registers" {
			t.Errorf("%s with nothing configured: %v", c.Name, err)
		}
		if got, ok := Lookup(c.Name); !ok || got.Name != c.Name {
			t.Errorf("Lookup(%q) finds %q", c.Name, got.Name)
		}
	}
	if _, ok := Lookup("protobuff"); ok {
		t.Error("Lookup finds what is not there")
	}
}
