package sparkplug

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// An Error says where in the payload decoding stopped, and why.
type Error struct {
	Offset int
	Reason string
}

// Error formats the finding as "sparkplug: offset N: reason".
func (e *Error) Error() string {
	return fmt.Sprintf("sparkplug: offset %d: %s", e.Offset, e.Reason)
}

// reader goes over the fields of one protobuf message. base is the message's
// place in the payload.
type reader struct {
	b     []byte
	base  int
	pos   int
	num   protowire.Number
	typ   protowire.Type
	v     uint64 // of varint, fixed32, fixed64
	bytes []byte
	at    int // where bytes start in the payload
	err   error
}

func (r *reader) next() bool {
	if r.err != nil || r.pos >= len(r.b) {
		return false
	}
	start := r.pos
	num, typ, n := protowire.ConsumeTag(r.b[r.pos:])
	if n < 0 {
		return r.fail(start, n)
	}
	r.pos += n
	r.num, r.typ = num, typ
	switch typ {
	case protowire.VarintType:
		r.v, n = protowire.ConsumeVarint(r.b[r.pos:])
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(r.b[r.pos:])
		r.v = uint64(v)
	case protowire.Fixed64Type:
		r.v, n = protowire.ConsumeFixed64(r.b[r.pos:])
	case protowire.BytesType:
		r.bytes, n = protowire.ConsumeBytes(r.b[r.pos:])
	default:
		n = protowire.ConsumeFieldValue(num, typ, r.b[r.pos:])
	}
	if n < 0 {
		return r.fail(start, n)
	}
	r.pos += n
	r.at = r.base + r.pos - len(r.bytes)
	return true
}

func (r *reader) fail(at, code int) bool {
	r.err = &Error{r.base + at, "damaged field: " + protowire.ParseError(code).Error()}
	return false
}

// want refuses a known field in another wire format.
func (r *reader) want(t protowire.Type) bool {
	if r.typ != t && r.err == nil {
		r.err = &Error{r.base + r.pos, fmt.Sprintf("field %d has wire type %d, expected %d", r.num, r.typ, t)}
	}
	return r.err == nil
}

// payload is a Payload message; its metrics are read where they are used.
type payload struct {
	timestamp uint64
	seq       uint64
	hasTime   bool
	hasSeq    bool
	metrics   int // how many
	uuid      []byte
	body      []byte
}

func readPayload(b []byte) (p payload, err error) {
	r := reader{b: b}
	for r.next() {
		switch r.num {
		case 1:
			p.timestamp, p.hasTime = r.v, r.want(protowire.VarintType)
		case 2:
			r.want(protowire.BytesType)
			p.metrics++
		case 3:
			p.seq, p.hasSeq = r.v, r.want(protowire.VarintType)
		case 4:
			if r.want(protowire.BytesType) {
				p.uuid = r.bytes
			}
		case 5:
			if r.want(protowire.BytesType) {
				p.body = r.bytes
			}
		}
	}
	return p, r.err
}

// valueField is which member of the value oneof a message has.
type valueField uint8

const (
	noValue valueField = iota
	intValue
	longValue
	floatValue
	doubleValue
	boolValue
	stringValue
	bytesValue
	dataSetValue
	templateValue
	extensionValue
)

// value is a oneof of metric, property, parameter or data set element.
type value struct {
	field valueField
	v     uint64
	bytes []byte
	at    int
}

// wireTypes of the members in the order of valueField.
var wireTypes = [...]protowire.Type{
	intValue: protowire.VarintType, longValue: protowire.VarintType,
	floatValue: protowire.Fixed32Type, doubleValue: protowire.Fixed64Type,
	boolValue: protowire.VarintType, stringValue: protowire.BytesType,
	bytesValue: protowire.BytesType, dataSetValue: protowire.BytesType,
	templateValue: protowire.BytesType, extensionValue: protowire.BytesType,
}

func (v *value) set(r *reader, f valueField) {
	if r.want(wireTypes[f]) {
		*v = value{f, r.v, r.bytes, r.at}
	}
}

// metric is a Metric message.
type metric struct {
	name       []byte
	alias      uint64
	hasAlias   bool
	timestamp  uint64
	hasTime    bool
	typ        DataType
	historical bool
	transient  bool
	null       bool
	properties []byte
	propsAt    int
	value      value
}

func readMetric(b []byte, base int) (m metric, err error) {
	r := reader{b: b, base: base}
	for r.next() {
		switch r.num {
		case 1:
			if r.want(protowire.BytesType) {
				m.name = r.bytes
			}
		case 2:
			m.alias, m.hasAlias = r.v, r.want(protowire.VarintType)
		case 3:
			m.timestamp, m.hasTime = r.v, r.want(protowire.VarintType)
		case 4:
			if r.want(protowire.VarintType) && r.v <= 255 {
				m.typ = DataType(r.v)
			}
		case 5:
			m.historical = r.want(protowire.VarintType) && r.v != 0
		case 6:
			m.transient = r.want(protowire.VarintType) && r.v != 0
		case 7:
			m.null = r.want(protowire.VarintType) && r.v != 0
		case 9:
			if r.want(protowire.BytesType) {
				m.properties, m.propsAt = r.bytes, r.at
			}
		case 10, 11, 12, 13, 14, 15, 16, 17, 18, 19:
			m.value.set(&r, valueField(r.num-10)+intValue)
		}
	}
	return m, r.err
}

// readElement reads a DataSetValue, or with first 3 a PropertyValue: members
// from int_value to string_value have consecutive numbers in both.
func readElement(b []byte, base int, first protowire.Number) (v value, typ DataType, null bool, err error) {
	r := reader{b: b, base: base}
	for r.next() {
		switch {
		case r.num >= first && r.num <= first+5:
			v.set(&r, valueField(r.num-first)+intValue)
		case first == 3 && r.num == 1:
			if r.want(protowire.VarintType) && r.v <= 255 {
				typ = DataType(r.v)
			}
		case first == 3 && r.num == 2:
			null = r.want(protowire.VarintType) && r.v != 0
		}
	}
	return v, typ, null, r.err
}

// properties are the two of a PropertySet that mean something to a host.
type properties struct {
	quality    int64
	hasQuality bool
	unit       []byte // engUnit, as Ignition names it
}

func readProperties(b []byte, base int) (p properties, err error) {
	var quality, unit = -1, -1
	key, val := 0, 0
	keys := reader{b: b, base: base}
	for keys.next() {
		if keys.num != 1 || !keys.want(protowire.BytesType) {
			continue
		}
		switch string(keys.bytes) {
		case "Quality", "quality":
			quality = key
		case "engUnit", "EngUnit", "Engineering Units":
			unit = key
		}
		key++
	}
	if keys.err != nil || quality < 0 && unit < 0 {
		return p, keys.err
	}
	vals := reader{b: b, base: base}
	for vals.next() {
		if vals.num != 2 || !vals.want(protowire.BytesType) {
			continue
		}
		if val == quality || val == unit {
			v, _, null, err := readElement(vals.bytes, vals.at, 3)
			switch {
			case err != nil:
				return p, err
			case null:
			case val == quality && (v.field == intValue || v.field == longValue):
				p.quality, p.hasQuality = int64(int32(v.v)), true
			case val == unit && v.field == stringValue:
				p.unit = v.bytes
			}
		}
		val++
	}
	return p, vals.err
}
