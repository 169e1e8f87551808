package codec

import (
	"errors"
	"strconv"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// LineProtocol configures the codec lineprotocol.
type LineProtocol struct {
	SkipBad bool `yaml:"skip_bad" json:"skip_bad,omitempty" jsonschema:"drop lines that are damaged (default: the whole message is refused)"`
}

// Compile returns the decoder.
func (c *LineProtocol) Compile() (Func, error) {
	skip := c.SkipBad
	return func(dst, src []byte) ([]byte, error) { return lines(dst, src, skip) }, nil
}

// lines decodes InfluxDB line protocol to an array of
// {"measurement": m, "tags": {…}, "fields": {…}, "time": ns}; a line without a
// time has no such member. Integers keep their digits.
func lines(dst, src []byte, skipBad bool) ([]byte, error) {
	d := lineprotocol.NewDecoderWithBytes(src)
	out := append(dst, '[')
	open := len(out)
	for d.Next() {
		mark := len(out)
		if mark > open {
			out = append(out, ',')
		}
		var err error
		out, err = line(out, d)
		if err == nil {
			continue
		}
		if !skipBad {
			return dst, lineError(src, err)
		}
		out = out[:mark]
	}
	return append(out, ']'), nil
}

func line(dst []byte, d *lineprotocol.Decoder) ([]byte, error) {
	m, err := d.Measurement()
	if err != nil {
		return dst, err
	}
	dst = AppendKey(append(dst, '{'), "measurement")
	dst = AppendString(dst, m)
	dst = append(dst, `,"tags":{`...)
	for n := 0; ; n++ {
		key, value, err := d.NextTag()
		if err != nil {
			return dst, err
		}
		if key == nil {
			break
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(AppendKey(dst, key), value)
	}
	dst = append(dst, `},"fields":{`...)
	for n := 0; ; n++ {
		key, value, err := d.NextField()
		if err != nil {
			return dst, err
		}
		if key == nil {
			break
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = AppendKey(dst, key)
		switch value.Kind() {
		case lineprotocol.Int:
			dst = strconv.AppendInt(dst, value.IntV(), 10)
		case lineprotocol.Uint:
			dst = strconv.AppendUint(dst, value.UintV(), 10)
		case lineprotocol.Float:
			dst = AppendFloat(dst, value.FloatV())
		case lineprotocol.Bool:
			dst = AppendBool(dst, value.BoolV())
		default:
			dst = AppendString(dst, value.StringV())
		}
	}
	dst = append(dst, '}')
	t, err := d.TimeBytes()
	if err != nil {
		return dst, err
	}
	if len(t) > 0 {
		ns, err := strconv.ParseInt(string(t), 10, 64)
		if err != nil {
			return dst, err
		}
		dst = append(dst, `,"time":`...)
		dst = strconv.AppendInt(dst, ns, 10)
	}
	return append(dst, '}'), nil
}

// lineError turns the library's line and column into an offset.
func lineError(src []byte, err error) error {
	offset := -1
	var de *lineprotocol.DecodeError
	if errors.As(err, &de) {
		line := int64(1)
		for i := 0; i <= len(src); i++ {
			if line == de.Line {
				offset = i + de.Column - 1
				break
			}
			if i < len(src) && src[i] == '\n' {
				line++
			}
		}
	}
	return wrapAt("lineprotocol", offset, "damaged line", err)
}
