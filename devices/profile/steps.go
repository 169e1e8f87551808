package profile

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices/profile/codec"
	"github.com/facilityd/facilityd/devices/profile/layout"
)

// chain is a compiled list of decoding steps. The common cases have no step at
// all: the payload is scanned as it is.
type chain struct {
	mode  chainMode
	steps []step
}

type chainMode uint8

const (
	jsonMode   chainMode = iota // one JSON document
	textMode                    // one text
	scalarMode                  // JSON, else one text
	stepsMode                   // what the steps give
	spbMode                     // a Sparkplug B session
)

// step turns bytes into bytes or JSON. A field step works on one field of the
// document and puts its result under a name of its own.
type step struct {
	name     string
	bytes    bool // the output is bytes, not JSON
	fn       func(r *run, dst, src []byte) ([]byte, error)
	optional bool
	field    *string
	into     string
	steps    []step
}

// stepNames lists what may stand in decode, for hints.
func stepNames() []string {
	names := []string{"field", "binary", "js", "sparkplug_b"}
	for _, c := range codec.Table {
		names = append(names, c.Name)
	}
	return names
}

func (c *compiler) chain(specs StepSpecs, byDefault string) *chain {
	if len(specs) == 0 {
		specs = StepSpecs{{Name: byDefault}}
	}
	if len(specs) == 1 && specs[0].Args == nil {
		switch specs[0].Name {
		case "json":
			return &chain{mode: jsonMode}
		case "text":
			return &chain{mode: textMode}
		case "json_or_text":
			return &chain{mode: scalarMode}
		case "sparkplug_b":
			return &chain{mode: spbMode}
		}
	}
	ch := &chain{mode: stepsMode, steps: c.steps(specs)}
	for i := range ch.steps {
		if ch.steps[i].bytes && i == len(ch.steps)-1 {
			c.hintf(specs[i].At, "add text when the bytes are words", "the last step %s gives bytes; a further step must read them", specs[i].Name)
		}
	}
	return ch
}

func (c *compiler) steps(specs StepSpecs) []step {
	var out []step
	for i := range specs {
		s := &specs[i]
		st := step{name: s.Name, optional: s.Optional}
		switch s.Name {
		case "field":
			st.field = &s.Field
			c.checkPath(s.At, s.Field)
			st.into = s.Into
			st.steps = c.steps(s.Steps)
			if s.Into == "" {
				c.hintf(s.At, "into: name", "a field step needs a name for its result")
			}
			if len(s.Steps) == 0 {
				c.hintf(s.At, "steps: [base64, …]", "a field step needs steps")
			}
		case "binary":
			st.fn = c.binary(s)
		case "js":
			st.fn = c.script(s)
		case "sparkplug_b":
			c.errorf(s.At, "sparkplug_b stands alone")
		case "jq":
			c.hintf(s.At, "use fan-out, paths and expressions", "there is no jq step")
		default:
			st.fn, st.bytes = c.codec(s)
		}
		out = append(out, st)
	}
	return out
}

func (c *compiler) checkPath(n *yaml.Node, path string) {
	(&scopeNames{r: c.reader}).checkPath(n, path)
}

// codec compiles a step of package codec.
func (c *compiler) codec(s *StepSpec) (func(r *run, dst, src []byte) ([]byte, error), bool) {
	entry, ok := codec.Lookup(s.Name)
	if !ok {
		c.hintf(s.At, diag.DidYouMean(s.Name, stepNames()), "unknown decoding step %q", s.Name)
		return nil, false
	}
	cfg := entry.New()
	if s.Args != nil {
		v := reflect.ValueOf(cfg).Elem()
		switch {
		case s.Args.Kind != yaml.MappingNode && entry.Main != "":
			index, ok := structFields(v.Type())[entry.Main]
			if ok {
				c.read(s.Args, v.FieldByIndex(index))
			}
		default:
			c.readStruct(s.Args, v)
		}
	}
	fn, err := cfg.Compile()
	if err != nil {
		c.errorf(s.At, "step %s: %v", s.Name, err)
		return nil, entry.Bytes
	}
	return func(_ *run, dst, src []byte) ([]byte, error) { return fn(dst, src) }, entry.Bytes
}

// binary compiles a layout: by name, or written in place.
func (c *compiler) binary(s *StepSpec) func(r *run, dst, src []byte) ([]byte, error) {
	n, name := s.Args, "layout"
	if n == nil {
		c.hintf(s.At, "binary: name of a layout", "binary needs a layout")
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		spec, ok := c.spec.Layouts.get(n.Value)
		if !ok {
			var names []string
			for _, l := range c.spec.Layouts {
				names = append(names, l.Key)
			}
			c.hintf(n, diag.DidYouMean(n.Value, names), "unknown layout %q", n.Value)
			return nil
		}
		n, name = spec.Node, n.Value
	}
	l, list := layout.Compile(name, c.fileOf(n), n)
	*c.list = append(*c.list, list...)
	if l == nil || list.HasErrors() {
		return nil
	}
	return func(_ *run, dst, src []byte) ([]byte, error) { return l.Decode(dst, src) }
}

// decode runs the chain of a source on the payload: r.root and r.rootSlots
// afterwards hold the message.
func (r *run) decode(ch *chain, p *plan, payload []byte) error {
	doc := bytesAsString(payload)
	r.filled = nil
	r.rootSlots = resize(r.rootSlots, p.slots)
	switch ch.mode {
	case jsonMode:
	case textMode:
		r.setRoot(p, textValue(doc))
		return nil
	case scalarMode:
		if err := r.scanner.scan(doc, p, r.rootSlots); err != nil {
			r.rootSlots = resize(r.rootSlots, p.slots)
			r.setRoot(p, textValue(strings.TrimSpace(doc)))
			return nil
		}
		r.root = documentValue(doc)
		return nil
	case stepsMode:
		out, err := r.runSteps(ch.steps, payload)
		if err != nil {
			return err
		}
		doc = bytesAsString(out)
	}
	if err := r.scanner.scan(doc, p, r.rootSlots); err != nil {
		return err
	}
	r.rootFill = append(r.rootFill[:0], r.scanner.filled...)
	r.filled = r.rootFill
	r.root = documentValue(doc)
	return nil
}

// setRoot makes a value that is no JSON text the message.
func (r *run) setRoot(p *plan, v value) {
	r.root = v
	if slot, ok := p.index[""]; ok {
		r.rootSlots[slot] = v
	}
}

// documentValue is a checked document as a value.
func documentValue(doc string) value {
	trimmed := strings.TrimSpace(doc)
	if trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') {
		return value{kind: jsonValue, raw: trimmed}
	}
	return fromGJSON(gjson.Parse(trimmed))
}

func resize(s []value, n int) []value {
	if cap(s) < n {
		return make([]value, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// runSteps runs steps one after the other; their outputs live in buffers of the
// run until the next message.
func (r *run) runSteps(steps []step, src []byte) ([]byte, error) {
	for i := range steps {
		st := &steps[i]
		out, err := r.runStep(st, src)
		if err != nil {
			if st.optional {
				r.tracef("decode", "optional step %s left out: %v", st.name, err)
				continue
			}
			return nil, fmt.Errorf("step %s: %w", st.name, err)
		}
		r.tracef("decode", "%s → %s", st.name, clipped(out, st.bytes))
		src = out
	}
	return src, nil
}

func (r *run) runStep(st *step, src []byte) ([]byte, error) {
	if st.field == nil {
		buf := r.buffer()
		out, err := st.fn(r, buf[:0], src)
		r.keep(out)
		return out, err
	}
	if err := codec.CheckJSON(src); err != nil {
		return nil, err
	}
	in := src
	if *st.field != "" {
		v := gjson.GetBytes(src, *st.field)
		if !v.Exists() || v.Type == gjson.Null {
			// Nothing to decode is no failure: partial messages are normal.
			return src, nil
		}
		in = []byte(v.Raw)
		if v.Type == gjson.String {
			in = []byte(v.Str)
		}
	}
	outer := r.document
	r.document = src
	res, err := r.runSteps(st.steps, in)
	r.document = outer
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", *st.field, err)
	}
	if n := len(st.steps); n > 0 && st.steps[n-1].bytes {
		res = codec.AppendString(nil, res)
	}
	return insert(src, st.into, res)
}

// insert puts a member in front of the others of an object.
func insert(doc []byte, name string, member []byte) ([]byte, error) {
	rest := bytes.TrimLeft(doc, " \t\r\n")
	if len(rest) == 0 || rest[0] != '{' {
		return nil, fmt.Errorf("the message is no object that could take %q", name)
	}
	rest = rest[1:]
	out := make([]byte, 0, len(doc)+len(member)+len(name)+8)
	out = append(out, '{')
	out = codec.AppendKey(out, name)
	out = append(out, member...)
	if trimmed := bytes.TrimLeft(rest, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...), nil
}

func clipped(b []byte, binary bool) string {
	if binary {
		if len(b) > 32 {
			return fmt.Sprintf("% x … (%d bytes)", b[:32], len(b))
		}
		return fmt.Sprintf("% x", b)
	}
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}
