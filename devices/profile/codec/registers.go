package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"
)

// Registers configures the codec registers: a view of Modbus registers by their
// number, whatever the place where the gateway's answer starts.
type Registers struct {
	Values string            `yaml:"values" json:"values,omitempty" jsonschema:"path of the registers in a JSON payload: an array of numbers, such an array in a string, hexadecimal or base64 text. Without it the payload itself is that, or the raw bytes"`
	Start  string            `yaml:"start" json:"start,omitempty" jsonschema:"number of the first register, or the path where the payload tells it (default 0)"`
	Format string            `yaml:"format" json:"format,omitempty" jsonschema:"array, hex, base64, bytes or auto (default: an array in JSON, else hexadecimal text)"`
	Order  string            `yaml:"word_order" json:"word_order,omitempty" jsonschema:"of numbers in several registers: high (word first; default) or low"`
	Swap   bool              `yaml:"byte_swap" json:"byte_swap,omitempty" jsonschema:"the two bytes of each register are exchanged (low byte first)"`
	Items  map[string]string `yaml:"items" json:"items" jsonschema:"name: type@register, like power: u32@311; types u16 i16 u32 i32 u64 i64 f32 f64, with a trailing low or high for another word order; a register outside the answer gives nothing"`
}

type registerItem struct {
	name  string
	typ   string
	at    int
	words int
	low   bool
}

var registerPattern = regexp.MustCompile(`^([uif])(16|32|64)\s*@\s*(\d{1,6})(?:\s+(low|high))?$`)

// Compile parses the items.
func (c *Registers) Compile() (Func, error) {
	cfg := *c
	if cfg.Order == "" {
		cfg.Order = "high"
	}
	if cfg.Format == "" {
		cfg.Format = "auto"
	}
	var err error
	if _, notNumber := strconv.Atoi(cfg.Start); cfg.Start != "" && cfg.Values == "" && notNumber != nil {
		err = errors.New("start is a path only beside values")
	}
	err = errors.Join(err,
		oneOf("word_order", cfg.Order, "high", "low"),
		oneOf("format", cfg.Format, "auto", "array", "hex", "base64", "bytes"))
	if len(cfg.Items) == 0 {
		err = errors.Join(err, errors.New("registers need items"))
	}
	var items []registerItem
	for _, name := range slices.Sorted(maps.Keys(cfg.Items)) {
		m := registerPattern.FindStringSubmatch(cfg.Items[name])
		if m == nil || m[1]+m[2] == "f16" {
			err = errors.Join(err, fmt.Errorf("item %s: %q is not type@register, like u32@311", name, cfg.Items[name]))
			continue
		}
		at, _ := strconv.Atoi(m[3])
		bits, _ := strconv.Atoi(m[2])
		low := cfg.Order == "low"
		if m[4] != "" {
			low = m[4] == "low"
		}
		items = append(items, registerItem{name, m[1] + m[2], at, bits / 16, low})
	}
	if err != nil {
		return nil, err
	}
	return func(dst, src []byte) ([]byte, error) { return cfg.decode(dst, src, items) }, nil
}

func (c *Registers) decode(dst, src []byte, items []registerItem) ([]byte, error) {
	if c.Values != "" {
		if err := CheckJSON(src); err != nil {
			return dst, wrapAt("registers", -1, "payload", err)
		}
	}
	start, err := c.first(src)
	if err != nil {
		return dst, err
	}
	regs, err := c.words(src)
	if err != nil {
		return dst, err
	}
	for i, w := range regs {
		if c.Swap && w >= 0 {
			regs[i] = w>>8 | w&0xff<<8
		}
	}
	out := append(dst, '{')
	open := len(out)
	for i := range items {
		it := &items[i]
		from := it.at - start
		if from < 0 || from+it.words > len(regs) {
			continue
		}
		if len(out) > open {
			out = append(out, ',')
		}
		out = it.append(AppendKey(out, it.name), regs[from:from+it.words])
	}
	return append(out, '}'), nil
}

func (c *Registers) first(src []byte) (int, error) {
	if c.Start == "" {
		return 0, nil
	}
	text := c.Start
	if _, err := strconv.Atoi(text); err != nil && c.Values != "" {
		text = gjson.GetBytes(src, c.Start).String()
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<20 {
		return 0, errAt("registers", -1, "start %q is not the number of a register", clip([]byte(text)))
	}
	return n, nil
}

// words gives the registers; -1 stands for one that is not a number.
func (c *Registers) words(src []byte) ([]int32, error) {
	text, format := src, c.Format
	if c.Values != "" {
		v := gjson.GetBytes(src, c.Values)
		if !v.Exists() {
			return nil, errAt("registers", -1, "nothing at %q", c.Values)
		}
		text = []byte(v.Raw)
		if v.Type == gjson.String {
			text = []byte(v.Str)
		}
	}
	if format == "auto" {
		format = "hex"
		if t := bytes.TrimSpace(text); len(t) > 0 && t[0] == '[' {
			format = "array"
		}
	}
	raw := text
	var err error
	switch format {
	case "array":
		return registerArray(text)
	case "hex":
		raw, err = Hex(nil, text)
	case "base64":
		raw, err = Base64(nil, text)
	}
	if err != nil {
		return nil, wrapAt("registers", -1, "values", err)
	}
	if len(raw)%2 != 0 {
		return nil, errAt("registers", len(raw), "odd number of bytes")
	}
	regs := make([]int32, len(raw)/2)
	for i := range regs {
		regs[i] = int32(binary.BigEndian.Uint16(raw[2*i:]))
	}
	return regs, nil
}

func registerArray(text []byte) ([]int32, error) {
	if err := CheckJSON(text); err != nil {
		return nil, wrapAt("registers", -1, "values", err)
	}
	list := gjson.ParseBytes(text)
	if !list.IsArray() {
		return nil, errAt("registers", -1, "values are not an array")
	}
	var regs []int32
	list.ForEach(func(_, v gjson.Result) bool {
		n := v.Float() // a number in a string is read too
		switch {
		case v.Type == gjson.String && strconv.FormatFloat(n, 'f', -1, 64) != v.Str,
			v.Type != gjson.Number && v.Type != gjson.String,
			n != math.Trunc(n), n < math.MinInt16, n > math.MaxUint16:
			regs = append(regs, -1)
		default:
			regs = append(regs, int32(uint16(int32(n))))
		}
		return true
	})
	return regs, nil
}

func (it *registerItem) append(dst []byte, regs []int32) []byte {
	var v uint64
	for i := range regs {
		w := regs[i]
		if it.low {
			w = regs[len(regs)-1-i]
		}
		if w < 0 {
			return append(dst, "null"...)
		}
		v = v<<16 | uint64(uint16(w))
	}
	switch it.typ {
	case "i16":
		return strconv.AppendInt(dst, int64(int16(v)), 10)
	case "i32":
		return strconv.AppendInt(dst, int64(int32(v)), 10)
	case "i64":
		return strconv.AppendInt(dst, int64(v), 10)
	case "f32":
		return AppendFloat32(dst, math.Float32frombits(uint32(v)))
	case "f64":
		return AppendFloat(dst, math.Float64frombits(v))
	default:
		return strconv.AppendUint(dst, v, 10)
	}
}
