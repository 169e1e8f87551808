// Package document reads a YAML file strictly into a Go value. Every finding
// carries its line and column and all of them are reported together: an unknown
// key (with the nearest known one), a value of the wrong shape, a key given
// twice. Words are read as YAML 1.2 means them: an unquoted ON or 0010 that
// goes into a string stays as it is written.
package document

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// Pos is where something stands in its file. A struct that has a field of this
// type gets it filled in, so that later checks can name the place.
type Pos struct{ Line, Column int }

// Error makes a diagnostic at this place.
func (p Pos) Error(file, message, hint string) diag.Diagnostic {
	return diag.Diagnostic{File: file, Line: p.Line, Column: p.Column, Message: message, Hint: hint}
}

// Pairs are a mapping of texts to texts in the order of the file, for keys that
// are values themselves, such as dates.
type Pairs []Pair

// A Pair is one line of a mapping, with the places of both its sides.
type Pair struct {
	Key, Value     string
	KeyPos, ValPos Pos
}

var (
	pairsType = reflect.TypeFor[Pairs]()
	posType   = reflect.TypeFor[Pos]()
	nodeType  = reflect.TypeFor[*yaml.Node]()
	textType  = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Decode reads one YAML document into the struct that into points to. Fields
// are matched by their yaml tag. An empty document leaves the value as it is.
func Decode(file string, data []byte, into any) diag.List {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return syntaxError(file, err)
	}
	if len(root.Content) == 0 {
		return nil
	}
	d := decoder{file: file}
	d.value(root.Content[0], reflect.ValueOf(into).Elem(), "")
	return d.list
}

func syntaxError(file string, err error) diag.List {
	d := diag.Diagnostic{File: file, Message: "not readable as YAML: " + err.Error()}
	var pe *yaml.LoadError
	if errors.As(err, &pe) {
		d.Line, d.Column, d.Message = pe.Mark.Line, pe.Mark.Column, "not readable as YAML: "+pe.Message
	}
	return diag.List{d}
}

type decoder struct {
	file string
	list diag.List
}

func (d *decoder) add(n *yaml.Node, hint, format string, args ...any) {
	d.list.Add(diag.Diagnostic{File: d.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// value stores node n in v; path names the place in the user's words.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if v.Type() == pairsType {
		d.pairs(n, v, path)
		return
	}
	// A struct that also reads text may be written short (as text) or in full.
	if v.CanAddr() && v.Addr().Type().Implements(textType) && (n.Kind == yaml.ScalarNode || v.Kind() != reflect.Struct) {
		d.text(n, v, path)
		setPos(n, v)
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" && v.Kind() != reflect.String {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.object(n, v, path)
	case reflect.Map:
		d.entries(n, v, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.add(n, "write it as [a, b] or as lines that begin with a dash", "%s must be a list", named(path))
			return
		}
		out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, c := range n.Content {
			d.value(c, out.Index(i), element(path, i))
		}
		v.Set(out)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.add(n, "", "%s must be a single value", named(path))
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		d.add(n, "", "%s: %v", named(path), err)
	}
}

// setPos tells a struct that was written short where it stands.
func setPos(n *yaml.Node, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Type == posType {
			v.Field(i).Set(reflect.ValueOf(Pos{n.Line, n.Column}))
		}
	}
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(n, "keys are: "+strings.Join(keys(v.Type()), ", "), "%s must be a mapping of keys to values", named(path))
		return
	}
	fields := make(map[string]int)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Type == posType {
			v.Field(i).Set(reflect.ValueOf(Pos{n.Line, n.Column}))
		} else if k := key(f); k != "" {
			fields[k] = i
		}
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		f, known := fields[k.Value]
		switch {
		case !known:
			d.add(k, diag.DidYouMean(k.Value, keys(v.Type())), "unknown key %q%s", k.Value, in(path))
		case seen[k.Value]:
			d.add(k, "keep one of them", "key %q is given twice%s", k.Value, in(path))
		default:
			d.value(c, v.Field(f), join(path, k.Value))
		}
		seen[k.Value] = true
	}
}

func (d *decoder) entries(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(n, "", "%s must be a mapping of names to values", named(path))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(c, item, join(path, k.Value))
		name := reflect.ValueOf(k.Value).Convert(v.Type().Key())
		if out.MapIndex(name).IsValid() {
			d.add(k, "keep one of them", "%q is given twice%s", k.Value, in(path))
		}
		out.SetMapIndex(name, item)
	}
	v.Set(out)
}

func (d *decoder) pairs(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(n, "write one a line, as key: value", "%s must be a mapping of texts to texts", named(path))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		if c.Kind == yaml.AliasNode {
			c = c.Alias
		}
		switch {
		case seen[k.Value]:
			d.add(k, "keep one of them", "%q is given twice%s", k.Value, in(path))
		case c.Kind != yaml.ScalarNode:
			d.add(c, "", "%s must be a single value", join(path, k.Value))
		default:
			v.Set(reflect.Append(v, reflect.ValueOf(Pair{k.Value, c.Value, Pos{k.Line, k.Column}, Pos{c.Line, c.Column}})))
		}
		seen[k.Value] = true
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.add(n, "", "%s must be a single value", named(path))
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(n.Value)
		v.SetBool(b)
		if err != nil {
			d.add(n, "true or false", "%s is %q", named(path), n.Value)
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		var i int64
		i, err = strconv.ParseInt(n.Value, 10, v.Type().Bits())
		v.SetInt(i)
		if err != nil {
			d.add(n, "a whole number", "%s is %q", named(path), n.Value)
		}
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(n.Value, 64)
		v.SetFloat(f)
		if err != nil {
			d.add(n, "a number", "%s is %q", named(path), n.Value)
		}
	default:
		panic("document: cannot decode into " + v.Type().String())
	}
}

// key returns the name a field has in files, "" for one that has none.
func key(f reflect.StructField) string {
	k, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if k == "-" {
		return ""
	}
	return k
}

func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if k := key(t.Field(i)); k != "" {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func named(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
