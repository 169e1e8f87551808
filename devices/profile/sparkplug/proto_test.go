package sparkplug

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// pb writes protobuf messages by field number, as the tests need them.
type pb []byte

func (b pb) varint(n int, v uint64) pb {
	return protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(n), protowire.VarintType), v)
}

func (b pb) text(n int, s string) pb {
	return protowire.AppendString(protowire.AppendTag(b, protowire.Number(n), protowire.BytesType), s)
}

func (b pb) msg(n int, m pb) pb {
	return protowire.AppendBytes(protowire.AppendTag(b, protowire.Number(n), protowire.BytesType), m)
}

func (b pb) float(n int, f float32) pb {
	return protowire.AppendFixed32(protowire.AppendTag(b, protowire.Number(n), protowire.Fixed32Type), math.Float32bits(f))
}

func (b pb) double(n int, f float64) pb {
	return protowire.AppendFixed64(protowire.AppendTag(b, protowire.Number(n), protowire.Fixed64Type), math.Float64bits(f))
}

// metricMsg begins a metric with a name and a type; alias below 0 is none.
func metricMsg(name string, alias int, t DataType) pb {
	var b pb
	if name != "" {
		b = b.text(1, name)
	}
	if alias >= 0 {
		b = b.varint(2, uint64(alias))
	}
	if t != Unknown {
		b = b.varint(4, uint64(t))
	}
	return b
}

// pay builds a payload at t0 with a sequence number; below 0 is none.
func pay(seq int, metrics ...pb) pb {
	b := pb{}.varint(1, t0ms)
	for _, m := range metrics {
		b = b.msg(2, m)
	}
	if seq >= 0 {
		b = b.varint(3, uint64(seq))
	}
	return b
}

const (
	t0ms = 1_700_000_000_000
	t0   = t0ms * 1_000_000
)
