package profile

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// A ref is where a word or value comes from, compiled.
type ref struct {
	kind  refKind
	root  *ref   // where else to look, when the path is absent in the scope
	text  string // constant, gjson path, or metadata key
	index int    // capture, frame or slot
	field int    // word of a frame
	parts []refPart
	expr  *expression

	match     *regexp.Regexp
	replace   string // template over the groups of match; "" takes the first
	normalise []func(string) string
	mapping   map[string]string
	fallback  *string // of mapping
	def       *string
}

type refKind uint8

const (
	constRef    refKind = iota
	captureRef          // a topic word
	frameRef            // a word of a fan-out element
	framePath           // a path in a fan-out element
	slotRef             // a plain path in the scope, filled by the scan
	rootSlotRef         // a plain path in the whole message
	pathRef             // any other path in the scope
	rootPathRef         // any other path in the whole message
	metaRef             // a remembered word
	topicRef            // the topic
	textRef             // a text with words in it
	dynPathRef          // a path with words in it
	dynRootRef
	exprRef
)

// fields of a frame before its named words.
const (
	frameKey = iota
	frameValue
	framePathField
	frameNames
)

// refPart is one piece of a text with words; an optional group is dropped when
// a word in it is missing.
type refPart struct {
	text  string
	ref   *ref
	group []refPart
	path  bool // the word is a path already: do not escape it
}

// A scopeNames is what names mean at one place of a profile.
type scopeNames struct {
	r        *reader
	captures captureTable
	vars     map[string]string
	frames   []frameNamesOf
	plan     *plan // of the innermost scope; nil while slots are not filled for it
	noPaths  bool  // there is no message to look into
	orRoot   bool  // paths that are absent in the scope mean the whole message
	atRoot   bool  // paths mean the whole message, wherever they are evaluated
	root     *plan // of the message
	metas    *bool // set when metadata is used
	before   *bool // set when values of earlier points are used
	points   []string
}

type frameNamesOf struct {
	as    string
	names []string
	own   bool // the element is the scope
}

// word resolves a name with an optional path behind it.
func (c *scopeNames) word(n *yaml.Node, name, path string) *ref {
	switch name {
	case "root":
		return c.rootPath(n, path)
	case "meta":
		if c.metas != nil {
			*c.metas = true
		}
		return &ref{kind: metaRef, text: path}
	case "topic":
		return &ref{kind: topicRef}
	}
	for i := len(c.frames) - 1; i >= 0; i-- {
		f := &c.frames[i]
		if k := slices.Index(f.names, name); k >= 0 {
			if path != "" {
				c.checkPath(n, path)
				return &ref{kind: framePath, index: i, field: frameNames + k, text: path}
			}
			return &ref{kind: frameRef, index: i, field: frameNames + k}
		}
		field := -1
		switch {
		case f.as != "" && f.as == name:
			switch path {
			case "key":
				field = frameKey
			case "value", "":
				field = frameValue
			case "path":
				field = framePathField
			default:
				if rest, ok := strings.CutPrefix(path, "value."); ok {
					path = rest
				}
				c.checkPath(n, path)
				return &ref{kind: framePath, index: i, field: frameValue, text: path}
			}
			return &ref{kind: frameRef, index: i, field: field}
		case i == len(c.frames)-1 && path == "":
			switch name {
			case "key":
				return &ref{kind: frameRef, index: i, field: frameKey}
			case "value":
				return &ref{kind: frameRef, index: i, field: frameValue}
			case "path":
				return &ref{kind: frameRef, index: i, field: framePathField}
			}
		}
	}
	if path == "" {
		if i := slices.Index(c.captures, name); i >= 0 {
			return &ref{kind: captureRef, index: i}
		}
		if v, ok := c.vars[name]; ok {
			return &ref{kind: constRef, text: v}
		}
	}
	return nil
}

// known lists the names that word resolves.
func (c *scopeNames) known() []string {
	names := []string{"root", "meta", "topic"}
	for _, f := range c.frames {
		if f.as != "" {
			names = append(names, f.as)
		}
		names = append(names, f.names...)
	}
	if len(c.frames) > 0 {
		names = append(names, "key", "value")
	}
	return append(names, c.captures...)
}

// dollar resolves $word.path.
func (c *scopeNames) dollar(n *yaml.Node, text string) *ref {
	name, path, _ := strings.Cut(text[1:], ".")
	if hasBraces(path) && name == "root" {
		return &ref{kind: dynRootRef, parts: c.parts(n, path)}
	}
	if f := c.word(n, name, path); f != nil {
		return f
	}
	c.r.hintf(n, diag.DidYouMean(name, c.known()), "unknown word $%s", name)
	return &ref{}
}

// path compiles a path: in the scope, or elsewhere with $.
func (c *scopeNames) path(n *yaml.Node, path string) *ref {
	if strings.HasPrefix(path, "$") {
		return c.dollar(n, path)
	}
	if hasBraces(path) {
		if c.atRoot {
			return &ref{kind: dynRootRef, parts: c.parts(n, path)}
		}
		return &ref{kind: dynPathRef, parts: c.parts(n, path)}
	}
	if c.atRoot {
		return c.rootPath(n, path)
	}
	c.checkPath(n, path)
	var elsewhere *ref
	if c.orRoot && path != "" {
		elsewhere = c.rootPath(n, path)
	}
	if c.plan != nil {
		if slot := c.plan.add(path); slot >= 0 {
			return &ref{kind: slotRef, index: slot, root: elsewhere}
		}
	}
	return &ref{kind: pathRef, text: path, root: elsewhere}
}

func (c *scopeNames) rootPath(n *yaml.Node, path string) *ref {
	c.checkPath(n, path)
	if slot := c.root.add(path); slot >= 0 {
		return &ref{kind: rootSlotRef, index: slot}
	}
	return &ref{kind: rootPathRef, text: path}
}

// checkPath refuses what gjson offers beyond plain paths, # and #(…).
func (c *scopeNames) checkPath(n *yaml.Node, path string) {
	switch {
	case strings.HasPrefix(path, "@"), strings.Contains(path, "|@"), strings.Contains(path, ".@"):
		c.r.errorf(n, "modifiers (@…) are not part of paths here")
	case strings.HasPrefix(path, "["), strings.HasPrefix(path, "!"), strings.HasPrefix(path, "$"):
		c.r.hintf(n, "keys with dots: data\\.value; elements of arrays: values.0, values.#", "%q is no path", path)
	}
}

// parts splits a text with {words} and [optional parts].
func (c *scopeNames) parts(n *yaml.Node, text string) []refPart {
	var out []refPart
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			out = append(out, refPart{text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			end := closingBrace(text, i)
			if end < 0 {
				c.r.errorf(n, "a { without }")
				return out
			}
			flush()
			name := text[i+1 : end]
			f := c.inBraces(n, name)
			out = append(out, refPart{ref: f, path: f.kind == frameRef && f.field == framePathField})
			i = end
		case '[':
			end := strings.IndexByte(text[i:], ']')
			if end < 0 || !hasBraces(text[i:i+end]) {
				lit.WriteByte('[')
				continue
			}
			flush()
			out = append(out, refPart{group: c.parts(n, text[i+1:i+end])})
			i += end
		default:
			lit.WriteByte(text[i])
		}
	}
	flush()
	return out
}

// inBraces resolves {name}: a word, else a path in the scope.
func (c *scopeNames) inBraces(n *yaml.Node, name string) *ref {
	if strings.HasPrefix(name, "$") {
		return c.dollar(n, name)
	}
	word, path, _ := strings.Cut(name, ".")
	if f := c.word(n, word, path); f != nil {
		return f
	}
	if c.noPaths {
		c.r.hintf(n, diag.DidYouMean(word, c.known()), "unknown word {%s}", name)
		return &ref{}
	}
	return c.path(n, name)
}

// ref compiles a RefSpec.
func (c *scopeNames) ref(s *RefSpec) *ref {
	var f *ref
	switch {
	case s.Expr != "":
		f = &ref{kind: exprRef, expr: c.expression(child(s.At, "expr"), s.Expr)}
	case s.Path != nil:
		f = c.path(child(s.At, "path"), *s.Path)
	case strings.HasPrefix(s.Text, "$"):
		f = c.dollar(s.At, s.Text)
	case hasBraces(s.Text):
		f = &ref{kind: textRef, parts: c.parts(child(s.At, "text"), s.Text)}
	default:
		f = &ref{kind: constRef, text: s.Text}
	}
	f = &ref{kind: f.kind, root: f.root, text: f.text, index: f.index, field: f.field, parts: f.parts, expr: f.expr, def: s.Default}
	if s.Match != "" {
		re, err := regexp.Compile(s.Match)
		if err != nil {
			c.r.errorf(child(s.At, "match"), "%v", err)
		}
		f.match, f.replace = re, s.Replace
	}
	f.normalise = c.r.normalisers(s.Normalise)
	if len(s.Map) > 0 {
		f.mapping = make(map[string]string, len(s.Map))
		for _, e := range s.Map {
			if e.Key == "else" {
				f.fallback = &e.Value
				continue
			}
			f.mapping[e.Key] = e.Value
		}
	}
	return f
}

// static reports whether the ref follows from the topic alone.
func (f *ref) static() bool {
	switch f.kind {
	case constRef, captureRef, topicRef:
		return true
	case textRef:
		return partsStatic(f.parts)
	}
	return false
}

func partsStatic(parts []refPart) bool {
	for _, p := range parts {
		if p.ref != nil && !p.ref.static() || !partsStatic(p.group) {
			return false
		}
	}
	return true
}
