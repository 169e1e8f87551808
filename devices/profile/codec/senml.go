package codec

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"
)

// SenML configures the codec senml.
type SenML struct {
	Format string `yaml:"format" json:"format,omitempty" jsonschema:"json, cbor or auto (default: by the first byte)"`
}

// Compile checks the words.
func (c *SenML) Compile() (Func, error) {
	format := c.Format
	if format == "" {
		format = "auto"
	}
	if err := oneOf("format", format, "auto", "json", "cbor"); err != nil {
		return nil, err
	}
	return func(dst, src []byte) ([]byte, error) { return senml(dst, src, format) }, nil
}

// senml resolves a SenML pack (RFC 8428, 4.6) to an array of records that stand
// alone: n with its base name (base and name are its two parts), v and s with
// their base values, t with its base time, u with the base unit. t is in seconds as the RFC has it: below 2^28 it
// counts from the time of reception. Sums are exact in decimal.
func senml(dst, src []byte, format string) ([]byte, error) {
	head := bytes.TrimLeft(src, " \t\r\n")
	text := src
	if format == "cbor" || format == "auto" && (len(head) == 0 || head[0] != '[') {
		tree, err := CBOR(nil, src)
		if err != nil {
			return dst, wrapAt("senml", -1, "no pack in JSON or CBOR", err)
		}
		text = tree
	} else if err := CheckJSON(src); err != nil {
		return dst, wrapAt("senml", -1, "no pack", err)
	}
	pack := gjson.ParseBytes(text)
	if !pack.IsArray() {
		return dst, errAt("senml", 0, "a pack is an array")
	}
	var base senmlBase
	var failed error
	out := append(dst, '[')
	open := len(out)
	pack.ForEach(func(_, rec gjson.Result) bool {
		if !rec.IsObject() {
			failed = errAt("senml", rec.Index, "a record is an object")
			return false
		}
		r := readSenML(rec)
		if r.must != "" {
			failed = errAt("senml", rec.Index, "field %q must be understood and is not", r.must)
			return false
		}
		base.update(&r)
		if r.empty() {
			return true
		}
		if len(out) > open {
			out = append(out, ',')
		}
		out = base.resolve(out, &r)
		if len(out)-len(dst) > MaxOutput { // a long base name comes again with each record
			failed = errAt("senml", rec.Index, "gives more than %d bytes", MaxOutput)
			return false
		}
		return true
	})
	if failed != nil {
		return dst, failed
	}
	return append(out, ']'), nil
}

// senmlRecord holds the fields of one record by label; each is raw JSON.
type senmlRecord struct {
	bn, bu, bt, bv, bs gjson.Result
	n, u, t, v, s, ut  gjson.Result
	vs, vb, vd         gjson.Result
	must               string
}

// senmlLabels maps JSON names and CBOR labels (RFC 8428, table 4) to fields.
func (r *senmlRecord) field(label string) *gjson.Result {
	switch label {
	case "bn", "-2":
		return &r.bn
	case "bt", "-3":
		return &r.bt
	case "bu", "-4":
		return &r.bu
	case "bv", "-5":
		return &r.bv
	case "bs", "-6":
		return &r.bs
	case "n", "0":
		return &r.n
	case "u", "1":
		return &r.u
	case "v", "2":
		return &r.v
	case "vs", "3":
		return &r.vs
	case "vb", "4":
		return &r.vb
	case "s", "5":
		return &r.s
	case "t", "6":
		return &r.t
	case "ut", "7":
		return &r.ut
	case "vd", "8":
		return &r.vd
	}
	return nil
}

func readSenML(rec gjson.Result) (r senmlRecord) {
	rec.ForEach(func(key, value gjson.Result) bool {
		if f := r.field(key.Str); f != nil {
			*f = value
		} else if n := len(key.Str); n > 0 && key.Str[n-1] == '_' {
			r.must = key.Str
		}
		return true
	})
	return r
}

func (r *senmlRecord) empty() bool {
	return !r.v.Exists() && !r.vs.Exists() && !r.vb.Exists() && !r.vd.Exists() && !r.s.Exists()
}

// senmlBase carries base fields from record to record; numbers are JSON text.
type senmlBase struct {
	name, unit         string
	time, value, total string
}

func (b *senmlBase) update(r *senmlRecord) {
	if r.bn.Exists() {
		b.name = r.bn.String()
	}
	if r.bu.Exists() {
		b.unit = r.bu.String()
	}
	for _, f := range []struct {
		have gjson.Result
		to   *string
	}{{r.bt, &b.time}, {r.bv, &b.value}, {r.bs, &b.total}} {
		if f.have.Type == gjson.Number {
			*f.to = f.have.Raw
		}
	}
}

func (b *senmlBase) resolve(dst []byte, r *senmlRecord) []byte {
	dst = AppendKey(append(dst, '{'), "n")
	dst = AppendString(dst, b.name+r.n.String())
	if b.name != "" {
		dst = AppendString(AppendKey(append(dst, ','), "base"), b.name)
	}
	if r.n.Exists() {
		dst = AppendString(AppendKey(append(dst, ','), "name"), r.n.String())
	}
	unit := b.unit
	if r.u.Exists() {
		unit = r.u.String()
	}
	if unit != "" {
		dst = AppendString(AppendKey(append(dst, ','), "u"), unit)
	}
	if r.v.Type == gjson.Number {
		dst = addNumbers(AppendKey(append(dst, ','), "v"), b.value, r.v.Raw)
	}
	if r.vs.Exists() {
		dst = AppendString(AppendKey(append(dst, ','), "vs"), r.vs.String())
	}
	if r.vb.IsBool() {
		dst = AppendBool(AppendKey(append(dst, ','), "vb"), r.vb.Bool())
	}
	if r.vd.Exists() {
		dst = AppendString(AppendKey(append(dst, ','), "vd"), r.vd.String())
	}
	if r.s.Type == gjson.Number {
		dst = addNumbers(AppendKey(append(dst, ','), "s"), b.total, r.s.Raw)
	}
	t := ""
	if r.t.Type == gjson.Number {
		t = r.t.Raw
	}
	dst = addNumbers(AppendKey(append(dst, ','), "t"), b.time, t)
	if r.ut.Type == gjson.Number {
		if ut, err := strconv.ParseFloat(r.ut.Raw, 64); err == nil {
			dst = AppendFloat(AppendKey(append(dst, ','), "ut"), ut)
		}
	}
	return append(dst, '}')
}
