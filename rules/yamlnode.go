package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/file"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// reader walks the nodes of one file and reports what is wrong with them.
type reader struct {
	file  string
	lines []string
	diags *diag.List
}

func (rd *reader) add(level diag.Level, n *yaml.Node, hint, format string, args ...any) {
	rd.diags.Add(diag.Diagnostic{File: rd.file, Line: n.Line, Column: n.Column, Level: level, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (rd *reader) errorf(n *yaml.Node, hint, format string, args ...any) {
	rd.add(diag.Error, n, hint, format, args...)
}

// fields returns the values of a mapping by key; every key that is not known,
// or comes twice, is reported.
func (rd *reader) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	out := make(map[string]*yaml.Node)
	if n.Kind != yaml.MappingNode {
		rd.errorf(n, "", "%s must be a mapping", what)
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, k.Value):
			rd.errorf(k, diag.DidYouMean(k.Value, known), "unknown key %q in %s", k.Value, what)
		case out[k.Value] != nil:
			rd.errorf(k, "", "key %q comes twice", k.Value)
		default:
			out[k.Value] = v
		}
	}
	return out
}

func (rd *reader) text(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		rd.errorf(n, "", "a text is needed here")
		return ""
	}
	return n.Value
}

func (rd *reader) flag(n *yaml.Node, otherwise bool) bool {
	if n == nil {
		return otherwise
	}
	switch n.Value {
	case "true":
		return true
	case "false":
		return false
	}
	rd.errorf(n, "", "true or false is needed here, not %q", n.Value)
	return otherwise
}

// texts reads one text or a list of them.
func (rd *reader) texts(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func (rd *reader) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		rd.errorf(n, "", "%s must be a list", what)
		return nil
	}
	return n.Content
}

func (rd *reader) duration(n *yaml.Node) time.Duration {
	if n == nil {
		return 0
	}
	d, ok := parseDuration(rd.text(n))
	if !ok {
		rd.errorf(n, "write 30s, 5m, 2h or 7d", "%q is not a duration", n.Value)
	}
	return d
}

// label reads {en: …, zh: …}. Both languages are needed.
func (rd *reader) label(n *yaml.Node, what string) devices.Label {
	if n == nil {
		return devices.Label{}
	}
	f := rd.fields(n, what, "en", "zh")
	l := devices.Label{EN: strings.TrimSpace(rd.text(f["en"])), ZH: strings.TrimSpace(rd.text(f["zh"]))}
	if n.Kind == yaml.MappingNode {
		if l.EN == "" {
			rd.errorf(n, "", "%s has no English text (en)", what)
		}
		if l.ZH == "" {
			rd.add(diag.Warning, n, "", "%s has no Chinese text (zh)", what)
		}
	}
	return l
}

// quantity reads a number with a unit.
func (rd *reader) quantity(n *yaml.Node) (v float64, unit string, ok bool) {
	s := strings.TrimSpace(rd.text(n))
	i := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.-+eE", r) })
	if i < 0 {
		i = len(s)
	}
	v, err := strconv.ParseFloat(s[:i], 64)
	u := strings.TrimSpace(s[i:])
	if err != nil {
		rd.errorf(n, "write a number with its unit, such as 70 °C", "%q is not a quantity", s)
		return 0, "", false
	}
	if u == "" {
		return v, "", true
	}
	if devices.UnitByCode(u) == nil {
		rd.errorf(n, diag.DidYouMean(u, literalUnits), "unknown unit %q", u)
		return 0, "", false
	}
	return v, canonicalUnit(u), true
}

// position tells where a place in the text of a scalar is in the file.
func (rd *reader) position(n *yaml.Node) func(file.Location) (line, column int) {
	return func(loc file.Location) (int, int) {
		off := loc.From
		line, col := n.Line, n.Column
		switch {
		case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			line++
			col = rd.indent(line)
		case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
			col++
		}
		for line <= len(rd.lines) {
			length := len([]rune(strings.TrimRight(rd.lines[line-1], " \t\r"))) - (col - 1)
			if off <= length || line == len(rd.lines) || !strings.ContainsRune(n.Value, ' ') && !strings.ContainsRune(n.Value, '\n') {
				break
			}
			off -= length + 1
			line++
			col = rd.indent(line)
		}
		return line, col + off
	}
}

// indent is the column of the first letter of a line.
func (rd *reader) indent(line int) int {
	if line < 1 || line > len(rd.lines) {
		return 1
	}
	s := rd.lines[line-1]
	return len(s) - len(strings.TrimLeft(s, " ")) + 1
}
