package layout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices/profile/codec"
)

// Bounds of a layout and of a message.
const (
	// MaxReads is how many fields one message may read.
	MaxReads = 1 << 16
	maxKey   = 8  // bytes of a TLV key
	maxNest  = 16 // blocks in blocks
)

// A Layout is compiled and immutable; Decode is safe for concurrent use.
type Layout struct {
	name     string
	find     []byte
	skip     int
	min, max int // length of the frame; 0 is open
	checks   []check
	head     *block
	tlv      *tlv
	names    []string // fields that expressions use
	little   bool
	wordLow  bool
	lsb      bool
	states   pool
}

type block struct{ fields []field }

type field struct {
	name    string
	key     []byte // `"name":`
	hidden  bool
	scalar  scalar
	size    *vm.Program // of scalar.arg
	little  bool
	wordLow bool
	bits    []field // parts of an integer
	when    *vm.Program
	value   *vm.Program // computed
	array   bool
	count   int // constant; -1: program or until the end
	counter *vm.Program
	at      int
	seek    bool
	block   *block // object, elements of an array, or several fields (name "")
	member  int    // index in tlv.members, -1 outside
}

type compiler struct {
	file  string
	list  diag.List
	env   map[string]any // names read so far, with a value of their type
	used  map[string]bool
	out   *Layout
	inTLV bool
	depth int
}

// Compile checks the YAML of one layout. name is for errors at run time, file
// for positions. The layout is nil when the list has errors.
func Compile(name, file string, node *yaml.Node) (*Layout, diag.List) {
	c := &compiler{file: file, env: map[string]any{}, used: map[string]bool{}, out: &Layout{name: name}}
	c.layout(resolve(node))
	if c.list.HasErrors() {
		c.list.Sort()
		return nil, c.list
	}
	for n := range c.used {
		c.out.names = append(c.out.names, n)
	}
	slices.Sort(c.out.names)
	return c.out, c.list
}

func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && (n.Kind == yaml.AliasNode || n.Kind == yaml.DocumentNode) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		} else {
			n = n.Content[0]
		}
	}
	return n
}

func (c *compiler) fail(n *yaml.Node, hint, format string, args ...any) {
	d := diag.Diagnostic{File: c.file, Message: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		d.Line, d.Column = n.Line, n.Column
	}
	c.list.Add(d)
}

// pairs yields the keys and values of a map and refuses anything else.
func (c *compiler) pairs(n *yaml.Node, what string) [][2]*yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		c.fail(n, "", "%s is a map", what)
		return nil
	}
	var out [][2]*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, [2]*yaml.Node{n.Content[i], resolve(n.Content[i+1])})
	}
	return out
}

var layoutKeys = []string{"endian", "word_order", "bit_order", "find", "skip", "length", "check", "fields", "tlv", "items", "doc"}

func (c *compiler) layout(n *yaml.Node) {
	var fields, head, items, checks *yaml.Node
	for _, kv := range c.pairs(n, "a layout") {
		k, v := kv[0], kv[1]
		switch k.Value {
		case "doc":
		case "endian":
			c.out.little = c.word(v, "little", "big", "little") == "little"
		case "word_order":
			c.out.wordLow = c.word(v, "low", "high", "low") == "low"
		case "bit_order":
			c.out.lsb = c.word(v, "lsb", "msb", "lsb") == "lsb"
		case "find":
			b, err := codec.Hex(nil, []byte(v.Value))
			if err != nil || len(b) == 0 {
				c.fail(v, `like "FF 99 04 05"`, "find %q is not hexadecimal bytes", v.Value)
			}
			c.out.find = b
		case "skip":
			c.out.skip = c.integer(v, 0, 1<<16)
		case "length":
			c.length(v)
		case "check":
			checks = v
		case "fields":
			fields = v
		case "tlv":
			head = v
		case "items":
			items = v
		default:
			c.fail(k, diag.DidYouMean(k.Value, layoutKeys), "unknown key %q in a layout", k.Value)
		}
	}
	// These depend on the keys above, wherever those stand in the text.
	if checks != nil {
		c.checks(checks)
	}
	if fields != nil {
		c.out.head = c.block(fields)
	}
	switch {
	case head != nil && items != nil:
		c.tlv(head, items)
	case head != nil || items != nil:
		c.fail(n, "", "tlv and items belong together")
	case fields == nil:
		c.fail(n, "add fields, or tlv and items", "a layout without fields")
	}
}

func (c *compiler) word(n *yaml.Node, preset string, words ...string) string {
	if slices.Contains(words, n.Value) {
		return n.Value
	}
	c.fail(n, diag.DidYouMean(n.Value, words), "%q is not known here", n.Value)
	return preset
}

func (c *compiler) integer(n *yaml.Node, lo, hi int) int {
	v, err := strconv.Atoi(n.Value)
	if err != nil || v < lo || v > hi {
		c.fail(n, "", "%q is not a number from %d to %d", n.Value, lo, hi)
		return lo
	}
	return v
}

func (c *compiler) length(n *yaml.Node) {
	lo, hi, isRange := strings.Cut(n.Value, "..")
	if !isRange {
		hi = lo
	}
	var err1, err2 error
	c.out.min, err1 = strconv.Atoi(strings.TrimSpace(lo))
	c.out.max, err2 = strconv.Atoi(strings.TrimSpace(hi))
	if err1 != nil || err2 != nil || c.out.min < 0 || c.out.max < c.out.min {
		c.fail(n, "like 12 or 8..12", "length %q is not a number of bytes", n.Value)
	}
}

var checkKeys = []string{"sum", "from", "to", "at", "endian", "equals"}

func (c *compiler) checks(n *yaml.Node) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, n := range nodes {
		n = resolve(n)
		k := check{}
		var err error
		if n.Kind == yaml.ScalarNode {
			err = k.parse(n.Value)
			k.little = c.out.little
		} else {
			endian := ""
			for _, kv := range c.pairs(n, "a check") {
				switch v := kv[1]; kv[0].Value {
				case "sum":
					k.sum = v.Value
				case "from":
					k.from = c.integer(v, -1<<16, 1<<16)
				case "to":
					k.to = c.integer(v, -1<<16, 1<<16)
				case "at":
					k.at = c.integer(v, -1<<16, 1<<16)
				case "endian":
					endian = c.word(v, "big", "big", "little")
				case "equals":
					k.equals, err = strconv.ParseInt(v.Value, 0, 64)
					k.constant = true
				default:
					c.fail(kv[0], diag.DidYouMean(kv[0].Value, checkKeys), "unknown key %q in a check", kv[0].Value)
				}
			}
			if err == nil {
				err = k.known()
			}
			k.little = endian == "little" || endian == "" && c.out.little
			if k.sum == "crc16-modbus" && endian == "" {
				k.little = true
			}
		}
		if k.sum == "crc16-modbus" && n.Kind == yaml.ScalarNode {
			k.little = true // as Modbus RTU sends it
		}
		if err != nil {
			c.fail(n, "", "%v", err)
			continue
		}
		c.out.checks = append(c.out.checks, k)
	}
}

// block compiles a map of name: type, or a list of maps with attributes.
func (c *compiler) block(n *yaml.Node) *block {
	b := &block{}
	if c.depth++; c.depth > maxNest {
		c.fail(n, "", "blocks nested deeper than %d", maxNest)
		c.depth--
		return b
	}
	defer func() { c.depth-- }()
	if n.Kind == yaml.SequenceNode {
		for _, e := range n.Content {
			if f, ok := c.attributed(resolve(e)); ok {
				b.fields = append(b.fields, f)
			}
		}
		return b
	}
	for _, kv := range c.pairs(n, "a block of fields") {
		if f, ok := c.field(kv[0], kv[0].Value, kv[1], nil); ok {
			b.fields = append(b.fields, f)
		}
	}
	return b
}

var attributes = []string{"name", "type", "bits", "if", "endian", "word_order", "count", "at", "fields"}

// attributed compiles one element of a list of fields.
func (c *compiler) attributed(n *yaml.Node) (field, bool) {
	attr := map[string]*yaml.Node{}
	var name, typ *yaml.Node
	for _, kv := range c.pairs(n, "a field") {
		k := kv[0]
		if slices.Contains(attributes, k.Value) {
			attr[k.Value] = kv[1]
			continue
		}
		if name != nil {
			c.fail(k, "attributes are: "+strings.Join(attributes, ", "), "a field has one name, found %q and %q", name.Value, k.Value)
			return field{}, false
		}
		name, typ = k, kv[1]
	}
	if name == nil {
		name, typ = attr["name"], attr["type"]
	} else if attr["name"] != nil || attr["type"] != nil {
		c.fail(name, "", "%q beside name or type", name.Value)
		return field{}, false
	}
	if name == nil && attr["fields"] != nil {
		f := field{member: -1}
		f.when = c.condition(attr["if"])
		f.block = c.block(attr["fields"])
		return f, true
	}
	if name == nil || typ == nil {
		c.fail(n, "write {temp: i16}; a field named like an attribute is {name: count, type: u8}", "a field without name or type")
		return field{}, false
	}
	return c.field(name, name.Value, typ, attr)
}

// field compiles one field; at is where its name stands.
func (c *compiler) field(at *yaml.Node, name string, typ *yaml.Node, attr map[string]*yaml.Node) (field, bool) {
	f := field{member: -1, count: -1, little: c.out.little, wordLow: c.out.wordLow}
	f.name, f.array = strings.CutSuffix(name, "[]")
	f.hidden = strings.HasPrefix(f.name, "_")
	if f.name == "" {
		c.fail(at, "", "a field needs a name")
		return f, false
	}
	f.key = codec.AppendKey(nil, f.name)
	f.when = c.condition(attr["if"])
	if n := attr["endian"]; n != nil {
		f.little = c.word(n, "big", "big", "little") == "little"
	}
	if n := attr["word_order"]; n != nil {
		f.wordLow = c.word(n, "high", "high", "low") == "low"
	}
	if n := attr["at"]; n != nil {
		f.at, f.seek = c.integer(n, -1<<16, 1<<16), true
	}
	c.count(&f, attr["count"])
	if c.inTLV && !f.hidden {
		f.member = c.member(at, f.name, f.array)
	}
	if typ.Kind != yaml.ScalarNode {
		inTLV := c.inTLV
		c.inTLV = false
		f.block = c.block(typ)
		c.inTLV = inTLV
		if attr["bits"] != nil {
			c.fail(attr["bits"], "", "bits belong to an integer")
		}
		return f, true
	}
	if text, ok := strings.CutPrefix(strings.TrimSpace(typ.Value), "="); ok {
		f.scalar = scalar{kind: computed, affine: identity}
		f.value = c.expression(typ, text, anyValue)
	} else {
		s, err := parseScalar(typ.Value, false)
		if err != nil {
			c.fail(typ, "", "field %s: %v", f.name, err)
			return f, false
		}
		f.scalar = s
		if s.arg != "" {
			f.size = c.expression(typ, s.arg, intValue)
		}
		if s.endian != "" {
			f.little = s.endian == "le"
		}
	}
	if n := attr["bits"]; n != nil {
		c.bits(&f, n)
	}
	switch {
	case f.array:
	case f.value != nil:
		c.declare(f.name, zero(f.value))
	default:
		c.declare(f.name, f.scalar.goType())
	}
	return f, true
}

func (c *compiler) count(f *field, n *yaml.Node) {
	if n == nil {
		if c.inTLV && f.array {
			f.count = 1 // one record for each time the item comes
		}
		return
	}
	if !f.array {
		c.fail(n, fmt.Sprintf("write %q", f.name+"[]"), "count of a field that is not an array")
		return
	}
	if v, err := strconv.Atoi(n.Value); err == nil && v >= 0 && v <= MaxReads {
		f.count = v
	} else if n.Value != "end" {
		f.counter = c.expression(n, n.Value, intValue)
	}
}

// bits compiles the parts of an integer.
func (c *compiler) bits(f *field, n *yaml.Node) {
	k := f.scalar.kind
	if k != unsigned && k != signed && k != bitsUnsigned {
		c.fail(n, "", "bits belong to an integer")
		return
	}
	for _, kv := range c.pairs(n, "bits") {
		s, err := parseScalar(kv[1].Value, true)
		if err == nil && s.kind != bitRange {
			err = fmt.Errorf("%q is not a range of bits, like 0..13 or 7", kv[1].Value)
		}
		if width := f.scalar.size * 8; err == nil && f.scalar.arg == "" && k != bitsUnsigned && s.hi >= width {
			err = fmt.Errorf("bit %d of %d", s.hi, width)
		}
		if err != nil {
			c.fail(kv[1], "", "bits %s: %v", kv[0].Value, err)
			continue
		}
		part := field{name: kv[0].Value, key: codec.AppendKey(nil, kv[0].Value), scalar: s, member: -1}
		part.hidden = strings.HasPrefix(part.name, "_")
		if c.inTLV && !part.hidden {
			part.member = c.member(kv[0], part.name, false)
		}
		c.declare(part.name, s.goType())
		f.bits = append(f.bits, part)
	}
}

// declare makes a name known to the expressions that follow, with the type of
// its latest reading.
func (c *compiler) declare(name string, value any) { c.env[name] = value }

func (c *compiler) member(n *yaml.Node, name string, array bool) int {
	for i, m := range c.out.tlv.members {
		if m.name == name {
			if m.array != array {
				c.fail(n, "", "%q is an array here and not elsewhere, or the reverse", name)
			}
			return i
		}
	}
	c.out.tlv.members = append(c.out.tlv.members, member{name, array})
	return len(c.out.tlv.members) - 1
}
