package sparkplug

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// DataType is the type of a metric as its birth declares it.
type DataType uint8

// The data types of the specification, 6.4.16.
const (
	Unknown DataType = iota
	Int8
	Int16
	Int32
	Int64
	UInt8
	UInt16
	UInt32
	UInt64
	Float
	Double
	Boolean
	String
	DateTime
	TextType
	UUID
	DataSet
	Bytes
	File
	Template
	PropertySet
	PropertySetList
	Int8Array
	Int16Array
	Int32Array
	Int64Array
	UInt8Array
	UInt16Array
	UInt32Array
	UInt64Array
	FloatArray
	DoubleArray
	BooleanArray
	StringArray
	DateTimeArray
)

var dataTypeNames = [...]string{
	"Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double",
	"Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet",
	"PropertySetList", "Int8Array", "Int16Array", "Int32Array", "Int64Array", "UInt8Array", "UInt16Array",
	"UInt32Array", "UInt64Array", "FloatArray", "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
}

// String returns the name of the specification.
func (t DataType) String() string {
	if int(t) < len(dataTypeNames) {
		return dataTypeNames[t]
	}
	return "DataType(" + strconv.Itoa(int(t)) + ")"
}

// appendValue writes v as JSON; ok is false when the type cannot hold it.
func appendValue(dst []byte, t DataType, v *value) (out []byte, ok bool) {
	switch v.field {
	case noValue:
		return dst, false
	case intValue, longValue:
		return appendInteger(dst, t, v.v)
	case floatValue:
		f := math.Float32frombits(uint32(v.v))
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return dst, false
		}
		return codec.AppendFloat32(dst, f), t == Float || t == Double || t == Unknown
	case doubleValue:
		f := math.Float64frombits(v.v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return dst, false
		}
		return codec.AppendFloat(dst, f), t == Float || t == Double || t == Unknown
	case boolValue:
		return codec.AppendBool(dst, v.v != 0), t == Boolean || t == Unknown
	case stringValue:
		switch t {
		case String, TextType, UUID, Unknown:
			return codec.AppendString(dst, v.bytes), true
		}
		return dst, false
	case bytesValue:
		if t >= Int8Array && t <= DateTimeArray {
			return appendArray(dst, t, v.bytes)
		}
		return codec.AppendHex(dst, v.bytes), t == Bytes || t == File || t == Unknown
	}
	return dst, false
}

// appendInteger reads int_value or long_value.
func appendInteger(dst []byte, t DataType, v uint64) ([]byte, bool) {
	switch t {
	case Int8, Int16, Int32:
		width := uint(8) << (t - Int8)
		if !holds(v, width) {
			return dst, false
		}
		return strconv.AppendInt(dst, int64(v<<(64-width))>>(64-width), 10), true
	case Int64:
		return strconv.AppendInt(dst, int64(v), 10), true
	case UInt8, UInt16, UInt32:
		return strconv.AppendUint(dst, v, 10), v>>(uint(8)<<(t-UInt8)) == 0
	case UInt64, DateTime, Unknown:
		return strconv.AppendUint(dst, v, 10), true
	case Boolean:
		return codec.AppendBool(dst, v == 1), v <= 1
	}
	return dst, false
}

// holds reports whether v is a number of width bits, alone or sign-extended to
// 32 or 64 bits.
func holds(v uint64, width uint) bool {
	if v>>width == 0 {
		return true
	}
	negative := v>>(width-1)&1 == 1
	return negative && (v>>(width-1) == math.MaxUint64>>(width-1) || v>>(width-1) == math.MaxUint32>>(width-1))
}

// elementSize of the array types with elements of one size.
var elementSize = map[DataType]int{
	Int8Array: 1, Int16Array: 2, Int32Array: 4, Int64Array: 8,
	UInt8Array: 1, UInt16Array: 2, UInt32Array: 4, UInt64Array: 8,
	FloatArray: 4, DoubleArray: 8, DateTimeArray: 8,
}

// appendArray unpacks the array types (specification 6.4.16: little-endian
// elements; a bit field behind a count of four bytes; strings that end in NUL).
func appendArray(dst []byte, t DataType, b []byte) ([]byte, bool) {
	switch t {
	case BooleanArray:
		return appendBooleans(dst, b)
	case StringArray:
		return appendStrings(dst, b)
	}
	size := elementSize[t]
	if size == 0 || len(b)%size != 0 {
		return dst, false
	}
	dst = append(dst, '[')
	for i := 0; i < len(b); i += size {
		if i > 0 {
			dst = append(dst, ',')
		}
		var raw [8]byte
		copy(raw[:], b[i:i+size])
		u := binary.LittleEndian.Uint64(raw[:])
		shift := 64 - 8*uint(size)
		switch {
		case t <= Int64Array:
			dst = strconv.AppendInt(dst, int64(u<<shift)>>shift, 10)
		case t == FloatArray:
			dst = codec.AppendFloat32(dst, math.Float32frombits(uint32(u)))
		case t == DoubleArray:
			dst = codec.AppendFloat(dst, math.Float64frombits(u))
		default:
			dst = strconv.AppendUint(dst, u, 10)
		}
	}
	return append(dst, ']'), true
}

func appendBooleans(dst, b []byte) ([]byte, bool) {
	if len(b) < 4 {
		return dst, false
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if bits := b[4:]; n > uint64(len(bits))*8 {
		return dst, false
	}
	dst = append(dst, '[')
	for i := range int(n) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = codec.AppendBool(dst, b[4+i/8]>>(7-i%8)&1 == 1)
	}
	return append(dst, ']'), true
}

func appendStrings(dst, b []byte) ([]byte, bool) {
	if len(b) > 0 && b[len(b)-1] != 0 {
		return dst, false
	}
	dst = append(dst, '[')
	from := 0
	for i, c := range b {
		if c != 0 {
			continue
		}
		if from > 0 {
			dst = append(dst, ',')
		}
		dst = codec.AppendString(dst, b[from:i])
		from = i + 1
	}
	return append(dst, ']'), true
}
