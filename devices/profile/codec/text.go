package codec

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"
)

// Text appends the whole payload as one JSON string.
func Text(dst, src []byte) ([]byte, error) { return AppendString(dst, src), nil }

// Lines configures the codec lines.
type Lines struct {
	KeepEmpty bool `yaml:"keep_empty" json:"keep_empty,omitempty" jsonschema:"keep empty lines (default: drop them)"`
}

// Compile returns the splitter.
func (c *Lines) Compile() (Func, error) {
	keep := c.KeepEmpty
	return func(dst, src []byte) ([]byte, error) {
		dst = append(dst, '[')
		first := true
		for len(src) > 0 {
			line, rest, _ := bytes.Cut(src, []byte("\n"))
			src = rest
			line = bytes.TrimSuffix(line, []byte("\r"))
			if len(line) == 0 && !keep {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendString(dst, line)
		}
		return append(dst, ']'), nil
	}, nil
}

// ErrNoMatch is the cause when a pattern does not fit the payload.
var ErrNoMatch = errors.New("pattern does not match")

// Regex configures the codec regex.
type Regex struct {
	Pattern string `yaml:"pattern" json:"pattern" jsonschema:"RE2 expression; its named groups (?P<name>…) become the members of an object, all of them text"`
	All     bool   `yaml:"all" json:"all,omitempty" jsonschema:"give an array with one object for each match instead of the first match only; no match is then an empty array"`
}

// Compile checks the pattern.
func (c *Regex) Compile() (Func, error) {
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return nil, err
	}
	names := re.SubexpNames()
	named := false
	for _, n := range names {
		named = named || n != ""
	}
	if !named {
		return nil, fmt.Errorf("pattern %q has no named group (?P<name>…)", c.Pattern)
	}
	object := func(dst, src []byte, loc []int) []byte {
		dst = append(dst, '{')
		first := true
		for i, n := range names {
			if n == "" || loc[2*i] < 0 {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendKey(dst, n)
			dst = AppendString(dst, src[loc[2*i]:loc[2*i+1]])
		}
		return append(dst, '}')
	}
	if !c.All {
		return func(dst, src []byte) ([]byte, error) {
			loc := re.FindSubmatchIndex(src)
			if loc == nil {
				return dst, &Error{Codec: "regex", Offset: -1, Reason: "no match in " + fmt.Sprintf("%q", clip(src)), Err: ErrNoMatch}
			}
			return object(dst, src, loc), nil
		}, nil
	}
	return func(dst, src []byte) ([]byte, error) {
		dst = append(dst, '[')
		for i, loc := range re.FindAllSubmatchIndex(src, MaxElements) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = object(dst, src, loc)
		}
		return append(dst, ']'), nil
	}, nil
}

// CSV configures the codec csv.
type CSV struct {
	Separator string   `yaml:"separator" json:"separator,omitempty" jsonschema:"one character between cells (default comma)"`
	Header    bool     `yaml:"header" json:"header,omitempty" jsonschema:"the first row names the columns"`
	Columns   []string `yaml:"columns" json:"columns,omitempty" jsonschema:"names of the columns; without names each row is an array"`
	Skip      int      `yaml:"skip" json:"skip,omitempty" jsonschema:"rows to drop at the start (before the header)"`
	Comment   string   `yaml:"comment" json:"comment,omitempty" jsonschema:"rows that start with this character are dropped"`
	Numbers   Locale   `yaml:"numbers" json:"numbers,omitempty" jsonschema:"turn cells that are numbers of this locale (en, de, auto) into JSON numbers; without it every cell is text"`
}

// Compile checks the configuration. The result is an array with one object (or
// array) for each row.
func (c *CSV) Compile() (Func, error) {
	cfg := *c
	sep, err := oneRune("separator", cfg.Separator, ',')
	if err != nil {
		return nil, err
	}
	comment, err := oneRune("comment", cfg.Comment, 0)
	if err != nil {
		return nil, err
	}
	if sep == comment || sep == '"' || sep == '\r' || sep == '\n' || comment == '\r' || comment == '\n' {
		return nil, errors.New("separator and comment must be two different characters that are neither a quote nor a line end")
	}
	if cfg.Header && len(cfg.Columns) > 0 {
		return nil, errors.New("header and columns exclude each other")
	}
	if cfg.Numbers != "" {
		if err := oneOf("numbers", cfg.Numbers, Locales...); err != nil {
			return nil, err
		}
	}
	return func(dst, src []byte) ([]byte, error) { return cfg.decode(dst, src, sep, comment) }, nil
}

func oneRune(what, s string, preset rune) (rune, error) {
	if s == "" {
		return preset, nil
	}
	if s == `\t` {
		return '\t', nil
	}
	r, n := utf8.DecodeRuneInString(s)
	if n != len(s) || r == utf8.RuneError {
		return 0, fmt.Errorf("%s %q is not one character", what, s)
	}
	return r, nil
}

func (c *CSV) decode(dst, src []byte, sep, comment rune) ([]byte, error) {
	r := csv.NewReader(bytes.NewReader(src))
	r.Comma, r.Comment = sep, comment
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	columns := c.Columns
	out := append(dst, '[')
	rows := 0
	for n := 0; ; n++ {
		at := int(r.InputOffset())
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return append(out, ']'), nil
		}
		if err != nil {
			return dst, wrapAt("csv", at, "damaged row", err)
		}
		if n < c.Skip {
			continue
		}
		if c.Header && n == c.Skip {
			columns = append([]string(nil), row...)
			continue
		}
		if rows++; rows > 1 {
			out = append(out, ',')
		}
		out = c.row(out, row, columns)
		if len(out)-len(dst) > MaxOutput { // a long name of a column comes again with each row
			return dst, errAt("csv", at, "gives more than %d bytes", MaxOutput)
		}
	}
}

func (c *CSV) row(dst []byte, row, columns []string) []byte {
	if len(columns) == 0 {
		dst = append(dst, '[')
		for i, cell := range row {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = c.cell(dst, cell)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	first := true
	for i, cell := range row[:min(len(row), len(columns))] {
		if columns[i] == "" {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = AppendKey(dst, columns[i])
		dst = c.cell(dst, cell)
	}
	return append(dst, '}')
}

// cell keeps text with leading zeros as text: it is an identifier.
func (c *CSV) cell(dst []byte, cell string) []byte {
	if c.Numbers == "" || len(cell) > 1 && cell[0] == '0' && cell[1] >= '0' && cell[1] <= '9' {
		return AppendString(dst, cell)
	}
	out, unit, err := AppendNumber(dst, []byte(cell), c.Numbers)
	if err != nil || len(unit) > 0 {
		return AppendString(dst, cell)
	}
	return out
}
