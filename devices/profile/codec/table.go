package codec

// A Config is what a profile may say about one codec. Its fields carry yaml
// names and their documentation (tag jsonschema); Compile checks them and
// returns the decoder.
type Config interface {
	Compile() (Func, error)
}

// A Codec is one entry of the Table.
type Codec struct {
	Name string
	Doc  string // one sentence for people
	// Bytes: the output is bytes for a next step; otherwise it is JSON.
	Bytes bool
	// Main names the field that a bare value sets, as in {regex: '…'}; "" when
	// there is none.
	Main string
	// New returns an empty configuration, a pointer to decode YAML into.
	New func() Config
}

// fixed is the configuration of a codec that has nothing to configure.
type fixed struct{ f Func }

func (c *fixed) Compile() (Func, error) { return c.f, nil }

func plain(f Func) func() Config { return func() Config { return &fixed{f} } }

// Table lists the codecs in the order in which documentation shows them.
// Layouts, scripts and Sparkplug B have packages of their own.
var Table = []Codec{
	{Name: "json", Doc: "One JSON value, checked, nested at most 64 deep.", New: plain(JSON)},
	{Name: "json_or_text", Doc: "JSON where the payload is JSON, else the payload as one text.", New: plain(JSONOrText)},
	{Name: "json5", Doc: "JSON with comments, trailing commas, single quotes, bare keys, hexadecimal numbers; NaN and Infinity become null.", New: plain(JSON5)},
	{Name: "text", Doc: "The payload as one text.", New: plain(Text)},
	{Name: "number", Doc: "A number in text, with or without a unit behind it, in an English or German way of writing.", Main: "locale", New: func() Config { return new(Number) }},
	{Name: "csv", Doc: "Comma-separated rows as an array of objects (with column names) or of arrays.", Main: "columns", New: func() Config { return new(CSV) }},
	{Name: "lines", Doc: "The lines of a text as an array.", New: func() Config { return new(Lines) }},
	{Name: "regex", Doc: "Named groups of a regular expression as an object of texts.", Main: "pattern", New: func() Config { return new(Regex) }},
	{Name: "base64", Doc: "Base64 in the standard or URL alphabet, padded or not, to bytes.", Bytes: true, New: plain(Base64)},
	{Name: "hex", Doc: "Hexadecimal text (spaces, colons, 0x tolerated) to bytes.", Bytes: true, New: plain(Hex)},
	{Name: "gzip", Doc: "gzip to bytes, bounded.", Bytes: true, Main: "max_bytes", New: func() Config { return new(Inflate) }},
	{Name: "zlib", Doc: "zlib to bytes, bounded.", Bytes: true, Main: "max_bytes", New: func() Config { return &Inflate{zlib: true} }},
	{Name: "cbor", Doc: "CBOR (RFC 8949): integer keys as decimal strings, byte strings as hexadecimal text.", New: plain(CBOR)},
	{Name: "msgpack", Doc: "MessagePack: integer keys as decimal strings, binary as hexadecimal text, time stamps as RFC 3339.", New: plain(MsgPack)},
	{Name: "senml", Doc: "SenML (RFC 8428) in JSON or CBOR, resolved to records that stand alone.", Main: "format", New: func() Config { return new(SenML) }},
	{Name: "lineprotocol", Doc: "InfluxDB line protocol: an array of measurement, tags, fields, time in nanoseconds.", New: func() Config { return new(LineProtocol) }},
	{Name: "dsmr", Doc: "DSMR P1 and IEC 62056-21 telegrams or single OBIS lines, CRC checked.", Main: "crc", New: func() Config { return new(DSMR) }},
	{Name: "registers", Doc: "Modbus registers by number from an array, hexadecimal text, base64 or bytes.", New: func() Config { return new(Registers) }},
}

// Lookup finds a codec by name.
func Lookup(name string) (Codec, bool) {
	for _, c := range Table {
		if c.Name == name {
			return c, true
		}
	}
	return Codec{}, false
}
