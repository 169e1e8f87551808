package codec

import (
	"bytes"
	"strconv"
)

// DSMR configures the codec dsmr.
type DSMR struct {
	CRC string `yaml:"crc" json:"crc,omitempty" jsonschema:"what to do when the telegram's CRC16 is wrong: refuse (default) or report (member crc_ok is false)"`
}

// Compile checks the words.
func (c *DSMR) Compile() (Func, error) {
	mode := c.CRC
	if mode == "" {
		mode = "refuse"
	}
	if err := oneOf("crc", mode, "refuse", "report"); err != nil {
		return nil, err
	}
	return func(dst, src []byte) ([]byte, error) { return telegram(dst, src, mode == "refuse") }, nil
}

// telegram decodes a DSMR P1 or IEC 62056-21 telegram, or single lines of one:
//
//	{"header": "FLU5\\…", "crc": "81A9", "crc_ok": true, "obis": {
//	  "1-0:1.8.1": {"value": 1924.771, "unit": "kWh"},
//	  "0-1:24.2.3": {"time": "200807082502S", "value": 1414.287, "unit": "m3"},
//	  "0-0:96.14.0": {"value": "0001"}}}
//
// A group with a unit is a number; without one it is text, because it may be an
// identifier. Lines with other groups have "groups" only, all text.
func telegram(dst, src []byte, refuse bool) ([]byte, error) {
	out := append(dst, '{')
	open := len(out)
	comma := func() {
		if len(out) > open {
			out = append(out, ',')
		}
	}
	rest, at := src, 0
	var records []byte
	var sum []byte
	var last obisLine
	flush := func() {
		if last.id != nil {
			records = last.append(records)
			last = obisLine{}
		}
	}
	for len(rest) > 0 {
		line, next, _ := bytes.Cut(rest, []byte("\n"))
		offset := at
		at += len(rest) - len(next)
		rest = next
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case line[0] == '/':
			comma()
			out = AppendString(AppendKey(out, "header"), line[1:])
		case line[0] == '!':
			sum = line[1:]
			at = offset + bytes.IndexByte(src[offset:], '!')
			rest = nil
		case line[0] == '(' && last.id != nil:
			// The value of an old gas meter stands on a line of its own.
			if !last.split(line) {
				return dst, errAt("dsmr", offset, "unfinished group in %q", clip(line))
			}
		default:
			flush()
			open := bytes.IndexByte(line, '(')
			if open <= 0 || open > 32 {
				return dst, errAt("dsmr", offset, "no OBIS line: %q", clip(line))
			}
			last.id = line[:open]
			if !last.split(line[open:]) {
				return dst, errAt("dsmr", offset, "unfinished group in %q", clip(line))
			}
		}
	}
	flush()
	if len(sum) > 0 {
		comma()
		out = AppendString(AppendKey(out, "crc"), sum)
		want, err := strconv.ParseUint(string(sum), 16, 16)
		if start := bytes.IndexByte(src, '/'); start >= 0 && start < at {
			ok := err == nil && uint16(want) == crc16ARC(src[start:at+1])
			if !ok && refuse {
				return dst, errAt("dsmr", at, "CRC %q is wrong", clip(sum))
			}
			out = AppendBool(AppendKey(append(out, ','), "crc_ok"), ok)
		}
	}
	comma()
	out = append(AppendKey(out, "obis"), '{')
	out = append(out, records...)
	return append(out, '}', '}'), nil
}

// crc16ARC is the CRC of a P1 telegram: polynomial 0x8005 reflected, start 0,
// over everything from / to ! (DSMR 5.0.2 P1, 5.2).
func crc16ARC(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

type obisLine struct {
	id     []byte
	groups [][]byte
}

// split takes (a)(b)… apart.
func (o *obisLine) split(s []byte) bool {
	for len(s) > 0 {
		end := bytes.IndexByte(s, ')')
		if s[0] != '(' || end < 0 {
			return false
		}
		o.groups = append(o.groups, s[1:end])
		s = s[end+1:]
	}
	return true
}

func (o *obisLine) append(dst []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = append(AppendKey(dst, o.id), '{')
	value := o.groups
	if len(value) == 2 && isDSMRTime(value[0]) {
		dst = AppendString(AppendKey(dst, "time"), value[0])
		dst = append(dst, ',')
		value = value[1:]
	}
	if len(value) == 1 {
		return append(appendObisValue(dst, value[0]), '}')
	}
	dst = append(AppendKey(dst, "groups"), '[')
	for i, g := range o.groups {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, g)
	}
	return append(dst, ']', '}')
}

func appendObisValue(dst, group []byte) []byte {
	dst = AppendKey(dst, "value")
	if star := bytes.LastIndexByte(group, '*'); star >= 0 {
		if out, rest, err := AppendNumber(dst, group[:star], English); err == nil && len(rest) == 0 {
			return AppendString(AppendKey(append(out, ','), "unit"), group[star+1:])
		}
	}
	return AppendString(dst, group)
}

// isDSMRTime recognises YYMMDDhhmmss with S or W.
func isDSMRTime(b []byte) bool {
	if len(b) != 13 || b[12] != 'S' && b[12] != 'W' {
		return false
	}
	for _, c := range b[:12] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
