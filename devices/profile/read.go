package profile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// A reader turns YAML nodes into the types of spec.go. It is strict (an
// unknown key is an error), collects every finding instead of stopping at the
// first, and reads scalars by the field that wants them: a text field keeps
// ON, yes and 00010204 exactly as they are written.
type reader struct {
	file   string
	owner  map[*yaml.Node]string // file of a node that came in by extends
	list   *diag.List
	visits int
}

// maxNodes bounds the work that aliases of aliases can cause.
const maxNodes = 200_000

// nodeReader is a type that reads its own node, because several shapes are
// allowed for it.
type nodeReader interface {
	readNode(r *reader, n *yaml.Node)
}

var nodeReaderType = reflect.TypeFor[nodeReader]()

// parseYAML reads one document; nil when it is not YAML, which is reported.
func (r *reader) parseYAML(data []byte) *yaml.Node {
	var doc yaml.Node
	err := yaml.Load(data, &doc)
	if len(bytes.TrimSpace(data)) == 0 {
		err = nil
	}
	if err != nil {
		line, column, text := yamlProblem(err)
		r.list.Add(diag.Diagnostic{File: r.file, Line: line, Column: column, Message: text})
		return nil
	}
	if len(doc.Content) != 1 {
		r.list.Add(diag.Diagnostic{File: r.file, Line: 1, Column: 1, Message: "the file is empty", Hint: "a profile begins with profile: name/version"})
		return nil
	}
	return doc.Content[0]
}

func yamlProblem(err error) (line, column int, text string) {
	var load *yaml.LoadError
	if errors.As(err, &load) {
		return load.Mark.Line, load.Mark.Column, "the file is not YAML: " + load.Message
	}
	return 1, 1, fmt.Sprintf("the file is not YAML: %v", err)
}

func (r *reader) fileOf(n *yaml.Node) string {
	if f, ok := r.owner[n]; ok {
		return f
	}
	return r.file
}

// errorf reports an error at a node; the words after "; " become the hint.
func (r *reader) errorf(n *yaml.Node, format string, args ...any) {
	r.report(n, diag.Error, fmt.Sprintf(format, args...), "")
}

func (r *reader) hintf(n *yaml.Node, hint, format string, args ...any) {
	r.report(n, diag.Error, fmt.Sprintf(format, args...), hint)
}

func (r *reader) report(n *yaml.Node, level diag.Level, message, hint string) {
	d := diag.Diagnostic{File: r.file, Level: level, Message: message, Hint: hint}
	if n != nil {
		d.File, d.Line, d.Column = r.fileOf(n), n.Line, n.Column
	}
	r.list.Add(d)
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// read decodes a node into v.
func (r *reader) read(n *yaml.Node, v reflect.Value) {
	n = resolve(n)
	if r.visits++; r.visits > maxNodes {
		if r.visits == maxNodes+1 {
			r.errorf(n, "the file is too large: more than %d values", maxNodes)
		}
		return
	}
	if v.CanAddr() && v.Addr().Type().Implements(nodeReaderType) {
		v.Addr().Interface().(nodeReader).readNode(r, n)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*yaml.Node]() {
			v.Set(reflect.ValueOf(n))
			return
		}
		if isNull(n) {
			return
		}
		p := reflect.New(v.Type().Elem())
		r.read(n, p.Elem())
		v.Set(p)
	case reflect.Struct:
		r.readStruct(n, v)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			r.errorf(n, "a list is wanted here, found %s", describe(n))
			return
		}
		for _, c := range n.Content {
			e := reflect.New(v.Type().Elem()).Elem()
			r.read(c, e)
			v.Set(reflect.Append(v, e))
		}
	case reflect.Map:
		r.readMap(n, v)
	case reflect.String:
		if s, ok := r.text(n); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if b, ok := r.boolean(n); ok {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			if d, ok := r.duration(n); ok {
				v.SetInt(int64(d))
			}
			return
		}
		if f, ok := r.number(n); ok {
			if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
				r.errorf(n, "a whole number is wanted here, found %s", describe(n))
				return
			}
			v.SetInt(int64(f))
		}
	case reflect.Float64:
		if f, ok := r.number(n); ok {
			v.SetFloat(f)
		}
	}
}

func (r *reader) readStruct(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "keys with values are wanted here, found %s", describe(n))
		return
	}
	fields := structFields(v.Type())
	if at, ok := fields["-at"]; ok {
		v.FieldByIndex(at).Set(reflect.ValueOf(n))
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		name := key.Value
		if seen[name] {
			r.errorf(key, "%q is given twice", name)
			continue
		}
		seen[name] = true
		index, ok := fields[name]
		if !ok || name == "-at" {
			r.hintf(key, diag.DidYouMean(name, fieldNames(fields)), "unknown key %q", name)
			continue
		}
		r.read(val, v.FieldByIndex(index))
	}
}

// readMap fills a map with text keys.
func (r *reader) readMap(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "keys with values are wanted here, found %s", describe(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := reflect.New(v.Type().Elem()).Elem()
		r.read(n.Content[i+1], e)
		v.SetMapIndex(reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key()), e)
	}
}

// structFields maps keys to fields by their json tags; embedded structs are
// part of their parent, and "-at" is the field that wants the node itself.
func structFields(t reflect.Type) map[string][]int {
	m := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
		case name == "-" && f.Name == "At":
			if _, ok := m["-at"]; !ok || len(f.Index) == 1 {
				m["-at"] = f.Index
			}
		case name != "" && name != "-":
			m[name] = f.Index
		}
	}
	return m
}

func fieldNames(fields map[string][]int) []string {
	names := make([]string, 0, len(fields))
	for k := range fields {
		if k != "-at" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return names
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 &&
		(n.Value == "" || n.Value == "~" || n.Value == "null")
}

func (r *reader) text(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		r.errorf(n, "a text is wanted here, found %s", describe(n))
		return "", false
	}
	return n.Value, true
}

func (r *reader) boolean(n *yaml.Node) (bool, bool) {
	if n.Kind == yaml.ScalarNode {
		switch n.Value {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	r.errorf(n, "true or false is wanted here, found %s", describe(n))
	return false, false
}

func (r *reader) number(n *yaml.Node) (float64, bool) {
	if n.Kind == yaml.ScalarNode {
		if s := scalarOf(n); s.kind == numberValue {
			return s.num, true
		}
	}
	r.errorf(n, "a number is wanted here, found %s", describe(n))
	return 0, false
}

func (r *reader) duration(n *yaml.Node) (time.Duration, bool) {
	if n.Kind == yaml.ScalarNode {
		d, err := parseDuration(n.Value)
		if err == nil {
			return d, true
		}
	}
	r.hintf(n, "for example 30s, 15m, 2h or 1d", "a duration is wanted here, found %s", describe(n))
	return 0, false
}

// parseDuration reads Go's durations and whole days ("2d").
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil {
			return 0, fmt.Errorf("read days: %w", err)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		return 0, errors.New("a duration is not negative")
	}
	return d, err
}

// describe names what was found, in words and never by a Go type.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if isNull(n) {
			return "nothing"
		}
		v := n.Value
		if len(v) > 40 {
			v = v[:40] + "…"
		}
		return strconv.Quote(v)
	}
	return "something else"
}

// child returns the value node under a key of a mapping, else the mapping
// itself, so that a finding always has a position.
func child(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return n
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return cmp.Or(resolve(n.Content[i+1]), n)
		}
	}
	return n
}

// scalarOf reads an untyped scalar by YAML 1.2's core schema with one
// difference: digits with leading zeros are words, not numbers.
func scalarOf(n *yaml.Node) value {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return textValue(n.Value)
	}
	switch n.Value {
	case "", "~", "null":
		return value{kind: nullValue, raw: "null"}
	case "true":
		return value{kind: boolValue, num: 1, raw: "true"}
	case "false":
		return value{kind: boolValue, raw: "false"}
	}
	digits := strings.TrimLeft(n.Value, "+-")
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		if u, err := strconv.ParseUint(hex, 16, 64); err == nil {
			return numValue(float64(u))
		}
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return textValue(n.Value)
	}
	if digits != "" && digits[0] >= '0' && digits[0] <= '9' || strings.HasPrefix(digits, ".") {
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !strings.ContainsAny(n.Value, "_xXpPiInN") {
			return value{kind: numberValue, num: f, raw: n.Value}
		}
	}
	return textValue(n.Value)
}
