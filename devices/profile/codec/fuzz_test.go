package codec

import (
	"bytes"
	"testing"

	"github.com/tidwall/gjson"
)

// fuzzConfigs are the codecs of the table with settings that make them work.
func fuzzConfigs() map[string]Config {
	all := map[string]Config{}
	for _, c := range Table {
		all[c.Name] = c.New()
	}
	all["number"] = &Number{Locale: Auto, Unit: "take"}
	all["csv"] = &CSV{Header: true, Numbers: Auto}
	all["regex"] = &Regex{Pattern: `(?P<k>\w+)=(?P<v>[^,]*)`, All: true}
	all["registers"] = &Registers{Values: "v", Start: "s", Items: map[string]string{"a": "u16@0", "b": "f32@1 low", "c": "i64@3"}}
	all["dsmr"] = &DSMR{CRC: "report"}
	return all
}

// FuzzCodecs gives any bytes to every codec: no panic, JSON where JSON is
// promised, dst kept, the same again the second time, and output bounded by the
// input (but for compression, which has its own bound).
func FuzzCodecs(f *testing.F) {
	for _, name := range []string{"numeric-keys.cbor", "tracker.msgpack", "weather.line", "fluvius.dsmr", "short.dsmr", "rfc8428-5.1.3.json", "magna3.json", "opcua.json.gz"} {
		f.Add(file(f, name))
	}
	for _, s := range []string{
		`{"v":[1,-2,65535],"s":"0"}`, `{"v":"00ff 12","s":3}`, "a,b\n1,2\n", "1.234,5 kWh", "-- °C", "{a:'b',// c\n}", "[NaN,.5,0x1F,]",
		"AXVkA3sKAA==", "0x01:02", "k=v,l=w", "\x82\xa1a\x01\xa1b\xc0", "\xd7\xff\xa1\xdc\xd7\xc8\x5a\x4a\xf6\xa5", "\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"m,t=1 f=1i,g=2u,h=\"x\",i=t 5\n", "0-1:24.2.1(200913100000S)(04139.079*m3)\r",
	} {
		f.Add([]byte(s))
	}
	funcs := map[string]Func{}
	for name, c := range fuzzConfigs() {
		funcs[name] = compile(f, c)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<16 {
			return
		}
		for _, c := range Table {
			in := bytes.Clone(src)
			out, err := funcs[c.Name]([]byte("["), in)
			if !bytes.Equal(in, src) {
				t.Fatalf("%s writes into its input", c.Name)
			}
			if err != nil {
				if string(out) != "[" {
					t.Fatalf("%s: dst is %q after an error", c.Name, out)
				}
				continue
			}
			if again, err := funcs[c.Name]([]byte("["), in); err != nil || !bytes.Equal(again, out) {
				t.Fatalf("%s differs the second time", c.Name)
			}
			if c.Bytes {
				continue
			}
			if !gjson.ValidBytes(out[1:]) {
				t.Fatalf("%s: not JSON: %q", c.Name, out[1:])
			}
			if limit := 64 + 40*len(src); len(out) > limit && c.Name != "csv" && c.Name != "senml" || len(out) > 2*MaxOutput {
				t.Fatalf("%s: %d bytes from %d", c.Name, len(out), len(src))
			}
		}
	})
}

// FuzzNumber: what AppendNumber takes is a JSON number, and no digit of it is
// made up.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1.234,5 kWh", "23,4", "−3", "1e5", "12\u202f345,6", "0x1", "1'000.5", ".", "-,5", "007"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, l := range Locales {
			out, unit, err := AppendNumber(nil, []byte(s), l)
			if err != nil {
				continue
			}
			if !gjson.ValidBytes(out) || gjson.ParseBytes(out).Type != gjson.Number {
				t.Fatalf("%s %q: %q", l, s, out)
			}
			if !bytes.Contains([]byte(s), unit) {
				t.Fatalf("%s %q: unit %q", l, s, unit)
			}
			if countDigits(out) > countDigits([]byte(s))+1 {
				t.Fatalf("%s %q: %q has more digits", l, s, out)
			}
		}
	})
}

func countDigits(b []byte) (n int) {
	for _, c := range b {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n
}
