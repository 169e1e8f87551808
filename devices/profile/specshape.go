package profile

import (
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// Types of the language that may be written in more than one shape.

// entry is one key of a mapping whose order matters.
type entry[T any] struct {
	Key   string
	At    *yaml.Node // the key
	Value T
}

// ordered is a mapping in the order of the file.
type ordered[T any] []entry[T]

func (o *ordered[T]) readNode(r *reader, n *yaml.Node) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "keys with values are wanted here, found %s", describe(n))
		return
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if seen[key.Value] {
			r.errorf(key, "%q is given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		e := entry[T]{Key: key.Value, At: key}
		r.read(n.Content[i+1], reflect.ValueOf(&e.Value).Elem())
		*o = append(*o, e)
	}
}

func (o ordered[T]) get(key string) (T, bool) {
	for _, e := range o {
		if e.Key == key {
			return e.Value, true
		}
	}
	var zero T
	return zero, false
}

// nodeSpec keeps a part of the file for the package that understands it.
type nodeSpec struct{ Node *yaml.Node }

func (s *nodeSpec) readNode(_ *reader, n *yaml.Node) { s.Node = n }

// words is one text or a list of texts.
type words []word

type word struct {
	Text string
	At   *yaml.Node
}

func (w *words) readNode(r *reader, n *yaml.Node) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, c := range nodes {
		c = resolve(c)
		if s, ok := r.text(c); ok {
			*w = append(*w, word{s, c})
		}
	}
}

func (w words) texts() []string {
	out := make([]string, len(w))
	for i := range w {
		out[i] = w[i].Text
	}
	return out
}

// scalars is one scalar or a list of scalars.
type scalars []value

func (s *scalars) readNode(r *reader, n *yaml.Node) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, c := range nodes {
		c = resolve(c)
		if c.Kind != yaml.ScalarNode {
			r.errorf(c, "a single value is wanted here, found %s", describe(c))
			continue
		}
		*s = append(*s, scalarOf(c))
	}
}

// RefSpec says where a word or value comes from: a text with {words} in it,
// $word, or keys.
type RefSpec struct {
	At        *yaml.Node      `json:"-"`
	Text      string          `json:"text,omitempty" jsonschema:"text with {words} in it"`
	Path      *string         `json:"path,omitempty" jsonschema:"gjson path in the scope; $word.path from elsewhere"`
	Expr      string          `json:"expr,omitempty" jsonschema:"expression"`
	Match     string          `json:"match,omitempty" jsonschema:"regular expression; its first group is taken"`
	Replace   string          `json:"replace,omitempty" jsonschema:"what to make of the match, with $1, $2 for its groups"`
	Normalise words           `json:"normalise,omitempty" jsonschema:"lower, upper, trim, mac, eui, base64_hex"`
	Map       ordered[string] `json:"map,omitempty" jsonschema:"replacement for each word; else for any other"`
	Default   *string         `json:"default,omitempty" jsonschema:"word when there is none"`
}

type refKeys RefSpec

func (s *RefSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	if n.Kind == yaml.ScalarNode {
		s.Text = n.Value
		return
	}
	r.readStruct(n, reflect.ValueOf((*refKeys)(s)).Elem())
	s.At = n
}

// UnitSpec is a unit's code, or where the message states it.
type UnitSpec struct{ RefSpec }

func (s *UnitSpec) readNode(r *reader, n *yaml.Node) { s.RefSpec.readNode(r, n) }

// fixed returns the unit when it is written in the profile.
func (s *UnitSpec) fixed() (string, bool) {
	if s.Path == nil && s.Expr == "" && s.Match == "" && len(s.Map) == 0 && (s.Text == "" || s.Text[0] != '$') && !hasBraces(s.Text) {
		return s.Text, true
	}
	return "", false
}

// isFixed reports whether the unit is known before a message comes. One that the
// message may state does not make words a measurement.
func (s *UnitSpec) isFixed() bool {
	_, fixed := s.fixed()
	return fixed
}

// ScaleSpec is a factor or an expression.
type ScaleSpec struct {
	At     *yaml.Node
	Factor float64
	Digits string // the factor as it is written
	Expr   string
}

func (s *ScaleSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	if n.Kind != yaml.ScalarNode {
		r.errorf(n, "a number or an expression is wanted here, found %s", describe(n))
		return
	}
	if v := scalarOf(n); v.kind == numberValue {
		s.Factor, s.Digits = v.num, v.raw
		return
	}
	s.Expr = n.Value
}

// EnumSpec maps values to labels, truth values or numbers. A number as the key
// is the code of the state.
type EnumSpec struct {
	At      *yaml.Node
	Entries []enumEntry
	Else    *enumEntry
}

type enumEntry struct {
	Key, To value
	At      *yaml.Node // the key
	ToAt    *yaml.Node
}

func (s *EnumSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "values with labels are wanted here, found %s", describe(n))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, to := resolve(n.Content[i]), resolve(n.Content[i+1])
		if to.Kind != yaml.ScalarNode {
			r.errorf(to, "a label, true, false or a number is wanted here, found %s", describe(to))
			continue
		}
		if seen[k.Value] {
			r.errorf(k, "%q is given twice", k.Value)
			continue
		}
		seen[k.Value] = true
		e := enumEntry{Key: scalarOf(k), To: scalarOf(to), At: k, ToAt: to}
		if k.Value == "else" {
			s.Else = &e
			continue
		}
		s.Entries = append(s.Entries, e)
	}
}

// StepSpecs is a chain of decoding steps.
type StepSpecs []StepSpec

// StepSpec is one step: a name, with settings when it has some.
type StepSpec struct {
	At       *yaml.Node
	Name     string
	Args     *yaml.Node // nil for a bare name
	Steps    StepSpecs  // of a field step
	Field    string
	Into     string
	Optional bool
}

func (s *StepSpecs) readNode(r *reader, n *yaml.Node) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, c := range nodes {
		var st StepSpec
		st.readNode(r, resolve(c))
		*s = append(*s, st)
	}
}

func (s *StepSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	switch n.Kind {
	case yaml.ScalarNode:
		s.Name = n.Value
		return
	case yaml.MappingNode:
	default:
		r.errorf(n, "a step is a name or a name with settings, found %s", describe(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], resolve(n.Content[i+1])
		switch {
		case k.Value == "optional":
			s.Optional, _ = r.boolean(v)
		case k.Value == "field" && s.Name == "":
			s.Name = "field"
			s.Field, _ = r.text(v)
		case s.Name == "field" && k.Value == "steps":
			s.Steps.readNode(r, v)
		case s.Name == "field" && k.Value == "into":
			s.Into, _ = r.text(v)
		case s.Name == "":
			s.Name, s.Args = k.Value, v
		default:
			r.hintf(k, "one step has one name; put the next step into a list item of its own", "unexpected key %q beside step %q", k.Value, s.Name)
		}
	}
}

// WhenSpec is a condition: an expression, a test of one path, or a list of
// conditions that must all hold.
type WhenSpec struct {
	At  *yaml.Node
	All []CondSpec
}

// CondSpec tests one value.
type CondSpec struct {
	At      *yaml.Node `json:"-"`
	Expr    string     `json:"expr,omitempty" jsonschema:"expression that is true or false"`
	Path    *string    `json:"path,omitempty" jsonschema:"gjson path in the scope, or $word"`
	In      scalars    `json:"in,omitempty" jsonschema:"one of these values"`
	Equals  scalars    `json:"equals,omitempty" jsonschema:"this value"`
	Not     scalars    `json:"not,omitempty" jsonschema:"none of these values"`
	Matches string     `json:"matches,omitempty" jsonschema:"regular expression"`
	Differs string     `json:"not_matches,omitempty" jsonschema:"regular expression that must not match"`
	Exists  *bool      `json:"exists,omitempty" jsonschema:"whether the path is there"`
}

func (s *WhenSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, c := range nodes {
		c = resolve(c)
		var cond CondSpec
		if c.Kind == yaml.ScalarNode {
			cond = CondSpec{At: c, Expr: c.Value}
		} else {
			r.readStruct(c, reflect.ValueOf(&cond).Elem())
			if cond.Expr == "" && cond.Path == nil {
				r.hintf(c, "for example {path: fPort, in: [85]}", "a condition needs a path or an expression")
			}
		}
		s.All = append(s.All, cond)
	}
}

// TimeSpecs are time candidates in order: one, or a list.
type TimeSpecs []TimeSpec

// TimeSpec is one candidate; "receive" ends the list.
type TimeSpec struct {
	At      *yaml.Node      `json:"-"`
	Path    *string         `json:"path,omitempty" jsonschema:"gjson path in the scope; $word.path from elsewhere"`
	Text    string          `json:"text,omitempty" jsonschema:"text with {words} in it"`
	Expr    string          `json:"expr,omitempty" jsonschema:"expression"`
	Format  string          `json:"format,omitempty" jsonschema:"rfc3339, unix, unix_ms, unix_us, unix_ns, unix_hex, iso_basic, dsmr, senml, auto, or a Go layout"`
	Zone    string          `json:"zone,omitempty" jsonschema:"zone of local times: $site, UTC, Europe/Berlin, +08:00"`
	Zones   ordered[string] `json:"zones,omitempty" jsonschema:"offset of each zone abbreviation"`
	Fold    string          `json:"fold,omitempty" jsonschema:"earlier or later, for an hour that comes twice"`
	Receive bool            `json:"-"`
}

func (s *TimeSpecs) readNode(r *reader, n *yaml.Node) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, c := range nodes {
		c = resolve(c)
		if c.Kind == yaml.ScalarNode {
			if c.Value != "receive" {
				r.hintf(c, `write receive, or {path: …, format: …}`, "%q is no time", c.Value)
				continue
			}
			*s = append(*s, TimeSpec{At: c, Receive: true})
			continue
		}
		var t TimeSpec
		r.readStruct(c, reflect.ValueOf(&t).Elem())
		if t.Path == nil && t.Text == "" && t.Expr == "" {
			r.hintf(c, "for example {path: ts, format: unix_ms}", "a time needs a path")
			continue
		}
		*s = append(*s, t)
	}
}

func hasBraces(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '{' {
			return true
		}
	}
	return false
}

// oneOf reports a word that is not in the list.
func (r *reader) oneOf(n *yaml.Node, what, word string, list ...string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	r.hintf(n, diag.DidYouMean(word, list), "unknown %s %s", what, strconv.Quote(word))
	return false
}
