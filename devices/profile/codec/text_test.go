package codec

import (
	"testing"
)

func TestNumberInWords(t *testing.T) {
	take := func(l Locale) Func { return compile(t, &Number{Locale: l, Unit: "take"}) }
	t.Run("en", func(t *testing.T) {
		runJSON(t, take(English), []check{
			{"plain", "24.42 °C", `{"value":24.42,"unit":"°C"}`},
			{"percent", "95.00%", `{"value":95.00,"unit":"%"}`},
			{"thousands", "1,234,567.5 Wh", `{"value":1234567.5,"unit":"Wh"}`},
			{"leading zeros", "000123.456*kWh", `{"value":123.456,"unit":"*kWh"}`},
			{"leading point", ".5", `{"value":0.5,"unit":""}`},
			{"minus sign", "−3 °C", `{"value":-3,"unit":"°C"}`},
			{"exponent", "1.5e-3A", `{"value":1.5e-3,"unit":"A"}`},
			{"unit that looks like an exponent", "5 eV", `{"value":5,"unit":"eV"}`},
			{"decimal comma is refused", "23,4", "error:thousands mark"},
			{"dashes", "-- °C", "error:no number"},
			{"nan", "nan", "error:no number"},
			{"empty", "", "error:no number"},
			{"two points", "1.2.3", "error:second mark"},
		})
	})
	t.Run("de", func(t *testing.T) {
		runJSON(t, take(German), []check{
			{"thousands and decimals", "1.234,5 kWh", `{"value":1234.5,"unit":"kWh"}`},
			{"decimals", "23,4 °C", `{"value":23.4,"unit":"°C"}`},
			{"narrow space", "12\u202f345,6 l", `{"value":12345.6,"unit":"l"}`},
			{"english decimals are refused", "23.4", "error:thousands mark"},
			{"trailing mark", "17. Mai", `{"value":17,"unit":". Mai"}`},
		})
	})
	t.Run("auto", func(t *testing.T) {
		runJSON(t, take(Auto), []check{
			{"last mark is decimal", "1.234,5", `{"value":1234.5,"unit":""}`},
			{"last mark is decimal, en", "1,234.5", `{"value":1234.5,"unit":""}`},
			{"comma", "23,45", `{"value":23.45,"unit":""}`},
			{"point", "23.456", `{"value":23.456,"unit":""}`},
			{"may be either", "1,234", "error:may be decimal or thousands"},
			{"certainly decimal", "0,234", `{"value":0.234,"unit":""}`},
			{"many points", "1.234.567", `{"value":1234567,"unit":""}`},
		})
	})
	run(t, compile(t, &Number{Unit: "none"}), []check{
		{"bare", " 12 ", "12"},
		{"unit", "12 V", `error:offset 3: text "V" behind the number`},
	})
}

func TestHexInt(t *testing.T) {
	for _, c := range []struct {
		in     string
		signed bool
		bits   int
		want   int64
		bad    bool
	}{
		{"0x2A", false, 0, 42, false},
		{"FFD6", true, 0, -42, false},
		{"0xFFFFFFFFFFFFFFFF", true, 0, -1, false},
		{"fe0c", true, 16, -500, false},
		{"fe0c", true, 32, 65036, false},
		{"00:01", false, 0, 1, false},
		{"1FF", false, 8, 0, true},
		{"", false, 0, 0, true},
		{"12345678901234567", false, 0, 0, true},
		{"xyz", false, 0, 0, true},
	} {
		got, err := HexInt([]byte(c.in), c.signed, c.bits)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("HexInt(%q, %v, %d) = %d, %v", c.in, c.signed, c.bits, got, err)
		}
	}
}

func TestF32(t *testing.T) {
	if got := string(AppendFloat32(nil, F32(0x4396, 0x6666))); got != "300.8" {
		t.Errorf("got %s", got)
	}
}

func TestCSV(t *testing.T) {
	run(t, compile(t, &CSV{Header: true, Numbers: English}), []check{
		{"header", "id,temp,note\n007,21.5,\"a, b\"\n", `[{"id":"007","temp":21.5,"note":"a, b"}]`},
		{"short and long rows", "a,b\n1\n1,2,3\n", `[{"a":1},{"a":1,"b":2}]`},
	})
	run(t, compile(t, &CSV{Separator: ";", Columns: []string{"t", "", "v"}, Numbers: German, Skip: 1}), []check{
		{"columns", "Bericht\n10:00;x;1.234,5\n", `[{"t":"10:00","v":1234.5}]`},
	})
	run(t, compile(t, &CSV{}), []check{
		{"rows differ", "201,A,,x\n302,alarm,\"This is\"", `[["201","A","","x"],["302","alarm","This is"]]`},
		{"empty", "", `[]`},
	})
	for _, c := range []*CSV{{Separator: "ab"}, {Separator: `"`}, {Header: true, Columns: []string{"a"}}, {Numbers: "fr"}} {
		if _, err := c.Compile(); err == nil {
			t.Errorf("%+v is accepted", *c)
		}
	}
}

func TestLinesAndRegex(t *testing.T) {
	run(t, compile(t, &Lines{}), []check{{"lines", "a\r\n\nb", `["a","b"]`}, {"empty", "", `[]`}})
	run(t, compile(t, &Lines{KeepEmpty: true}), []check{{"lines", "a\n\nb\n", `["a","","b"]`}})
	run(t, compile(t, &Regex{Pattern: `level=(?P<v>-?[0-9.]+)( unit=(?P<u>\w+))?`}), []check{
		{"one group", "x level=-3.5", `{"v":"-3.5"}`},
		{"two groups", "level=3 unit=mm", `{"v":"3","u":"mm"}`},
		{"none", "hello", `error:no match in "hello"`},
	})
	run(t, compile(t, &Regex{Pattern: `(?P<k>\w+)=(?P<v>\w+)`, All: true}), []check{
		{"all", "a=1 b=2", `[{"k":"a","v":"1"},{"k":"b","v":"2"}]`},
		{"none", "", `[]`},
	})
	for _, p := range []string{"(", `(\d+)`} {
		if _, err := (&Regex{Pattern: p}).Compile(); err == nil {
			t.Errorf("pattern %q is accepted", p)
		}
	}
}

func TestLineProtocolCorpusCase(t *testing.T) {
	run(t, compile(t, &LineProtocol{}), []check{
		{"batch", string(file(t, "weather.line")),
			`[{"measurement":"weather","tags":{"location":"us-midwest"},"fields":{"temperature":82,"humidity":71},"time":1465839830100400200},` +
				`{"measurement":"weather","tags":{"location":"us-midwest","season":"summer"},"fields":{"temperature":82},"time":1465839830100400200},` +
				`{"measurement":"wind,gust","tags":{"location":"us east"},"fields":{"speed":"too hot","ok":true}}]`},
		{"64-bit integers", "m a=9223372036854775807i,b=18446744073709551615u", `[{"measurement":"m","tags":{},"fields":{"a":9223372036854775807,"b":18446744073709551615}}]`},
		{"bad line", "ok v=1\nbad", "error:lineprotocol: offset 10"},
	})
	run(t, compile(t, &LineProtocol{SkipBad: true}), []check{
		{"bad line", "bad\nok v=1", `[{"measurement":"ok","tags":{},"fields":{"v":1}}]`},
	})
}

func TestDSMR(t *testing.T) {
	f := compile(t, &DSMR{CRC: "report"})
	run(t, f, []check{
		{"telegram", string(file(t, "fluvius.dsmr")), `{"header":"FLU5\\123456789_A","crc":"81A9","crc_ok":false,"obis":{` +
			`"0-0:96.1.4":{"value":"50213"},"0-0:96.1.1":{"value":"12345678901234567890123456789012"},"0-0:1.0.0":{"value":"200807082711S"},` +
			`"1-0:1.8.1":{"value":1924.771,"unit":"kWh"},"1-0:1.8.2":{"value":2549.919,"unit":"kWh"},"1-0:2.8.1":{"value":1968.710,"unit":"kWh"},"1-0:2.8.2":{"value":692.984,"unit":"kWh"},` +
			`"0-0:96.14.0":{"value":"0001"},"1-0:1.7.0":{"value":0.000,"unit":"kW"},"1-0:2.7.0":{"value":0.611,"unit":"kW"},"1-0:32.7.0":{"value":235.6,"unit":"V"},"1-0:31.7.0":{"value":2,"unit":"A"},` +
			`"0-0:96.3.10":{"value":"1"},"0-0:17.0.0":{"value":999.9,"unit":"kW"},"1-0:31.4.0":{"value":999,"unit":"A"},"0-0:96.13.0":{"value":""},"0-1:24.1.0":{"value":"003"},` +
			`"0-1:96.1.1":{"value":"12345678901234567890123456789012"},"0-1:24.4.0":{"value":"1"},"0-1:24.2.3":{"time":"200807082502S","value":1414.287,"unit":"m3"}}}`},
		{"one line", "0-1:24.2.1(200913100000S)(04139.079*m3)\r", `{"obis":{"0-1:24.2.1":{"time":"200913100000S","value":4139.079,"unit":"m3"}}}`},
		{"failure log", "1-0:99.97.0(1)(0-0:96.7.19)(000101000001W)(2147483647*s)\r",
			`{"obis":{"1-0:99.97.0":{"groups":["1","0-0:96.7.19","000101000001W","2147483647*s"]}}}`},
		{"checksum alone", "!F798\r", `{"crc":"F798","obis":{}}`},
		{"old gas meter", "0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)\n(00001.001)\n", `{"obis":{"0-1:24.3.0":{"groups":["090212160000","00","60","1","0-1:24.2.1","m3","00001.001"]}}}`},
		{"not a telegram", "hello", "error:offset 0: no OBIS line"},
		{"cut off", "1-0:1.8.1(0019\r\n", "error:unfinished group"},
	})
	strict := compile(t, &DSMR{})
	run(t, strict, []check{
		{"wrong CRC", string(file(t, "fluvius.dsmr")), `error:CRC "81A9" is wrong`},
		{"right CRC", string(file(t, "short.dsmr")), `{"header":"ISk5\\2MT382-1000","crc":"5106","crc_ok":true,"obis":{"1-3:0.2.8":{"value":"50"}}}`},
	})
}

func TestSenML(t *testing.T) {
	f := compile(t, &SenML{})
	run(t, f, []check{
		{"RFC 8428 5.1.3", string(file(t, "rfc8428-5.1.3.json")),
			`[{"n":"urn:dev:ow:10e2073a0108006:voltage","base":"urn:dev:ow:10e2073a0108006:","name":"voltage","u":"V","v":120.1,"t":1276020076.001},` +
				`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.2,"t":1276020071.001},` +
				`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.3,"t":1276020072.001},` +
				`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.4,"t":1276020073.001},` +
				`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.5,"t":1276020074.001},` +
				`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.6,"t":1276020075.001},` +
				`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.7,"t":1276020076.001}]`},
		{"RFC 8428 5.1.1", `[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]`,
			`[{"n":"urn:dev:ow:10e2073a01080063","name":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1,"t":0}]`},
		{"other kinds of value", `[{"bn":"d/","n":"a","vb":true},{"n":"b","vs":"x"},{"n":"c","vd":"AQI"},{"n":"d","s":5,"ut":60}]`,
			`[{"n":"d/a","base":"d/","name":"a","vb":true,"t":0},{"n":"d/b","base":"d/","name":"b","vs":"x","t":0},{"n":"d/c","base":"d/","name":"c","vd":"AQI","t":0},{"n":"d/d","base":"d/","name":"d","s":5,"t":0,"ut":60}]`},
		{"base value and sum", `[{"bv":20,"bs":1000,"n":"a","v":0.1},{"n":"b","s":0.5}]`, `[{"n":"a","name":"a","v":20.1,"t":0},{"n":"b","name":"b","s":1000.5,"t":0}]`},
		{"base only", `[{"bn":"x"}]`, `[]`},
		{"must understand", `[{"n":"a","v":1,"k_":2}]`, `error:field "k_" must be understood`},
		{"no array", `{"n":"a"}`, "error:no pack"},
		{"no object", `[1]`, "error:a record is an object"},
	})
	run(t, f, []check{{"CBOR, RFC 8428 6", string(fromHex(t,
		"87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c7461676501615602fb405e066666666666"+
			"a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666"+
			"a3006763757272656e74062102f93e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333")),
		`[{"n":"urn:dev:ow:10e2073a0108006:voltage","base":"urn:dev:ow:10e2073a0108006:","name":"voltage","u":"V","v":120.1,"t":1276020076.001},` +
			`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.2,"t":1276020071.001},` +
			`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.3,"t":1276020072.001},` +
			`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.4,"t":1276020073.001},` +
			`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.5,"t":1276020074.001},` +
			`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.6,"t":1276020075.001},` +
			`{"n":"urn:dev:ow:10e2073a0108006:current","base":"urn:dev:ow:10e2073a0108006:","name":"current","u":"A","v":1.7,"t":1276020076.001}]`}})
}

func TestRegisters(t *testing.T) {
	magna := compile(t, &Registers{Values: "ModbusReceived.Values", Start: "ModbusReceived.StartAddress", Items: map[string]string{
		"head": "u16@300", "power": "u32@311", "hours": "u32@326", "energy": "u32@331", "starts": "u32@333", "outside": "u16@400"}})
	run(t, magna, []check{
		{"pump", string(file(t, "magna3.json")), `{"energy":67881,"head":412,"hours":41234,"power":246,"starts":187}`},
		{"no start", `{"ModbusReceived":{"Values":[1]}}`, "error:start"},
		{"not JSON", `{"ModbusReceived":`, "error:registers: payload: json: not valid"},
		{"no values", `{"ModbusReceived":{"StartAddress":300}}`, "error:nothing at"},
	})
	run(t, compile(t, &Registers{Values: "VR", Start: "ST", Items: map[string]string{"power": "f32@3053"}}), []check{
		{"array in a string", `{"ID":"2","ST":"3053","VR":"[17302,26214]"}`, `{"power":300.8}`},
	})
	run(t, compile(t, &Registers{Order: "low", Items: map[string]string{"a": "i32@0", "b": "u16@1", "c": "i32@0 high", "d": "i16@0", "e": "u64@0"}}), []check{
		{"hex", "FFFE FFFF", `{"a":-2,"b":65535,"c":-65537,"d":-2}`},
		{"signed numbers in an array", "[-2,-1]", `{"a":-2,"b":65535,"c":-65537,"d":-2}`},
		{"not a number", `[null,65536]`, `{"a":null,"b":null,"c":null,"d":null}`},
		{"odd", "FFFEFF", "error:odd number of bytes"},
	})
	run(t, compile(t, &Registers{Format: "bytes", Swap: true, Items: map[string]string{"a": "u32@0"}}), []check{
		{"low byte first", "\x34\x12\x78\x56", `{"a":305419896}`},
	})
	if _, err := (&Registers{Start: "ST", Items: map[string]string{"a": "u16@0"}}).Compile(); err == nil {
		t.Error("a path for start is accepted without values")
	}
	if _, err := (&Registers{Items: map[string]string{"a": "f16@0"}}).Compile(); err == nil {
		t.Error("f16 is accepted")
	}
}

func TestJSON5(t *testing.T) {
	runJSON(t, JSON5, []check{
		{"all of it", "{ // note\n a: 'it\\'s', \"b\": [1, +2, .5, 5., 0xFF,], /* x */ c-d: NaN, e: -Infinity, f: None, g: True,}",
			`{"a":"it's","b":[1,2,0.5,5,255],"c-d":null,"e":null,"f":null,"g":true}`},
		{"digits", "18446744073709551615", "18446744073709551615"},
		{"leading zeros", "[007]", "[7]"},
		{"escapes", `'\u00e9\ud83d\ude00\x41\n'`, "\"é😀A\\n\""},
		{"strict", `{"a":{"b":[]}}`, `{"a":{"b":[]}}`},
		{"no end", "{a:1", "error:expected a comma"},
		{"rest", "1 2", "error:after the value"},
		{"bare word", "{a: hello}", `error:"hello" is not a value`},
		{"empty", "", "error:expected a value"},
	})
}

func TestJSONDepth(t *testing.T) {
	deep := make([]byte, 0, 2000)
	for range 1000 {
		deep = append(deep, '[')
	}
	for range 1000 {
		deep = append(deep, ']')
	}
	for name, f := range map[string]Func{"json": JSON, "json5": JSON5} {
		if _, err := f(nil, deep); err == nil {
			t.Errorf("%s takes 1,000 levels", name)
		}
	}
	run(t, JSON, []check{
		{"brackets in text", `"` + string(deep) + `"`, `"` + string(deep) + `"`},
		{"nan", `{"a":nan}`, "error:not valid JSON"},
	})
	run(t, JSONOrText, []check{{"word", "online", `"online"`}, {"document", `{"state":"online"}`, `{"state":"online"}`}})
}

func TestAppendDecimal(t *testing.T) {
	for _, c := range []struct {
		mant int64
		exp  int
		want string
	}{
		{253, -1, "25.3"}, {-253, -1, "-25.3"}, {250, -1, "25"}, {0, -4, "0"}, {5, -3, "0.005"},
		{-5, -1, "-0.5"}, {7, 3, "7000"}, {-9223372036854775808, -2, "-92233720368547758.08"}, {1, -40, "1e-40"},
	} {
		if got := string(AppendDecimal(nil, c.mant, c.exp)); got != c.want {
			t.Errorf("AppendDecimal(%d, %d) = %s, want %s", c.mant, c.exp, got, c.want)
		}
	}
}

func TestCRC16ARC(t *testing.T) {
	if got := crc16ARC([]byte("123456789")); got != 0xbb3d { // the check value of the CRC catalogue
		t.Errorf("got %04x", got)
	}
}
