package layout

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices/profile/codec"
)

type tlv struct {
	key     int // bytes
	length  int // bytes of the length; 0 for none
	little  bool
	unknown string // stop, error, skip
	skip    int
	items   []item
	exact   map[string]*block // items without wildcards, by key
	members []member          // names that items emit, in the order of the text
}

type item struct {
	key, mask []byte
	block     *block
}

// member is one name that a TLV item emits; a later value replaces an earlier.
type member struct {
	name  string
	array bool
}

var tlvKeys = []string{"key", "length", "unknown"}

func (c *compiler) tlv(head, items *yaml.Node) {
	t := &tlv{unknown: "stop", exact: map[string]*block{}, little: c.out.little}
	c.out.tlv = t
	unknown := false
	for _, kv := range c.pairs(head, "tlv") {
		switch k, v := kv[0], kv[1]; k.Value {
		case "key":
			t.key = c.keySize(v)
		case "length":
			t.length = c.keySize(v)
		case "unknown":
			unknown = true
			if v.Kind == yaml.MappingNode {
				for _, kv := range c.pairs(v, "unknown") {
					if kv[0].Value != "skip" {
						c.fail(kv[0], "one of: stop, error, {skip: n}", "unknown key %q", kv[0].Value)
						continue
					}
					t.unknown, t.skip = "skip", c.integer(kv[1], 0, 1<<16)
				}
			} else {
				t.unknown = c.word(v, "stop", "stop", "error")
			}
		default:
			c.fail(k, diag.DidYouMean(k.Value, tlvKeys), "unknown key %q in tlv", k.Value)
		}
	}
	if t.key == 0 {
		c.fail(head, "like key: [u8, u8]", "tlv needs a key")
		return
	}
	if t.length > 0 && !unknown {
		t.unknown = "skip"
	}
	c.inTLV = true
	for _, kv := range c.pairs(items, "items") {
		c.item(t, kv[0], kv[1])
	}
	c.inTLV = false
}

// keySize reads u8, u16, … or a list of them.
func (c *compiler) keySize(n *yaml.Node) int {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	size := 0
	for _, n := range nodes {
		s, err := parseScalar(resolve(n).Value, false)
		if err != nil || s.kind != unsigned || s.arg != "" || !s.affine.identity {
			c.fail(n, "like u8 or [u8, u8]", "%q is not an unsigned integer", n.Value)
			return 1
		}
		size += s.size
	}
	if size > maxKey {
		c.fail(n, "", "more than %d bytes", maxKey)
		return maxKey
	}
	return size
}

func (c *compiler) item(t *tlv, k, v *yaml.Node) {
	text := strings.ReplaceAll(k.Value, " ", "")
	mask := make([]byte, 0, maxKey)
	for i := 0; i+1 < len(text); i += 2 {
		m := byte(0xff)
		if text[i:i+2] == "??" {
			m = 0
		}
		mask = append(mask, m)
	}
	key, err := codec.Hex(nil, []byte(strings.ReplaceAll(text, "??", "00")))
	if err != nil || len(key) != t.key {
		c.fail(k, fmt.Sprintf("%d bytes like %q", t.key, strings.TrimSpace(strings.Repeat("01 ", t.key))), "item key %q does not fit", k.Value)
		return
	}
	b := c.block(v)
	if !slices.Contains(mask, 0) {
		if t.exact[string(key)] != nil {
			c.fail(k, "", "item %q stands twice", k.Value)
		}
		t.exact[string(key)] = b
		return
	}
	t.items = append(t.items, item{key, mask, b})
}

// tlv reads items to the end and writes their last values.
func (s *state) tlv(dst []byte, t *tlv) []byte {
	s.inTLV = true
	for s.err == nil && s.pos < s.end {
		if s.end-s.pos < t.key+t.length {
			if t.unknown == "error" {
				s.fail("", "%d bytes left, not enough for a key", s.end-s.pos)
			}
			break
		}
		at := s.pos
		s.key = s.src[s.pos : s.pos+t.key]
		s.pos += t.key
		end := s.end
		if t.length > 0 {
			n := number(s.src[s.pos:s.pos+t.length], t.little, false)
			s.pos += t.length
			if n > uint64(s.end-s.pos) {
				s.fail("", "item % X of %d bytes, %d left", s.key, n, s.end-s.pos)
				break
			}
			s.end = s.pos + int(n)
		}
		b := t.find(s.key)
		if b == nil {
			if !s.unknownItem(t, at) {
				break
			}
		} else if s.scratch = s.block(s.scratch, b); s.err == nil {
			s.align()
		}
		if t.length > 0 {
			s.pos, s.bit = s.end, 0
		}
		s.end = end
	}
	s.inTLV = false
	if s.err != nil {
		return dst
	}
	for i := range t.members {
		switch sp := s.spans[i]; {
		case t.members[i].array && len(s.arrays[i]) > 0:
			dst = codec.AppendKey(separate(dst), t.members[i].name)
			dst = append(dst, '[')
			dst = append(dst, s.arrays[i]...)
			dst = append(dst, ']')
		case sp.to > sp.from:
			dst = codec.AppendKey(separate(dst), t.members[i].name)
			dst = append(dst, s.scratch[sp.from:sp.to]...)
		}
	}
	return dst
}

// unknownItem reports whether reading goes on.
func (s *state) unknownItem(t *tlv, at int) bool {
	switch {
	case t.unknown == "error":
		s.pos = at
		s.fail("", "unknown item % X", s.key)
		return false
	case t.unknown == "stop":
		return false
	case t.length > 0:
		return true
	case t.skip > s.end-s.pos:
		s.pos = s.end
	default:
		s.pos += t.skip
	}
	return true
}

func (t *tlv) find(key []byte) *block {
	if b := t.exact[string(key)]; b != nil {
		return b
	}
	for i := range t.items {
		it := &t.items[i]
		match := true
		for k, c := range key {
			match = match && c&it.mask[k] == it.key[k]
		}
		if match {
			return it.block
		}
	}
	return nil
}
