package profile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// maxDepth bounds how deeply a JSON document may nest.
const maxDepth = codec.MaxDepth

var errDepth = fmt.Errorf("nested more than %d levels deep", maxDepth)

// A planNode is where plain paths lead: the tree of all paths that one part of
// a profile reads, so that one pass over a document fills every slot. gjson
// would read the document once for every path.
type planNode struct {
	slot     int // -1: nothing is wanted here
	children map[string]*planNode
}

// plan is the tree and the number of its slots.
type plan struct {
	root  planNode
	slots int
	index map[string]int
}

func newPlan() *plan { return &plan{root: planNode{slot: -1}, index: make(map[string]int)} }

// add returns the slot of a path, or -1 when the path needs gjson.
func (p *plan) add(path string) int {
	if i, ok := p.index[path]; ok {
		return i
	}
	n := &p.root
	if path != "" {
		if strings.ContainsAny(path, `#*?|@!{}[]()<>="%~`) || strings.HasPrefix(path, "..") || strings.HasPrefix(path, ".") || strings.HasSuffix(path, ".") {
			return -1
		}
		for key := range splitPath(path) {
			next := n.children[key]
			if next == nil {
				if n.children == nil {
					n.children = make(map[string]*planNode)
				}
				next = &planNode{slot: -1}
				n.children[key] = next
			}
			n = next
		}
	}
	n.slot = p.slots
	p.index[path] = p.slots
	p.slots++
	return n.slot
}

// splitPath yields the keys of a plain gjson path: dots separate, a backslash
// takes the next character as it is.
func splitPath(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		var b strings.Builder
		for i := 0; i < len(path); i++ {
			switch c := path[i]; {
			case c == '\\' && i+1 < len(path):
				i++
				b.WriteByte(path[i])
			case c == '.':
				if !yield(b.String()) {
					return
				}
				b.Reset()
			default:
				b.WriteByte(c)
			}
		}
		yield(b.String())
	}
}

// A scanner reads one JSON document, checks all of it and fills the slots of a
// plan on the way.
type scanner struct {
	s       string
	i       int
	depth   int
	slots   []value
	filled  []int32          // slots in the order of the document
	unknown func(key string) // called for scalars of the top level that no path names; may be nil
}

var errJSON = errors.New("not JSON")

func (sc *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", errJSON, what, sc.i+1)
}

// scan reads the document. The slots must be empty before.
func (sc *scanner) scan(doc string, p *plan, slots []value) error {
	sc.s, sc.i, sc.depth, sc.slots, sc.filled = doc, 0, 0, slots, sc.filled[:0]
	sc.space()
	if err := sc.value(&p.root); err != nil {
		return err
	}
	sc.space()
	if sc.i != len(sc.s) {
		return sc.fail("something follows the document")
	}
	return nil
}

func (sc *scanner) space() {
	for sc.i < len(sc.s) && sc.s[sc.i] <= ' ' {
		switch sc.s[sc.i] {
		case ' ', '\t', '\n', '\r':
			sc.i++
		default:
			return
		}
	}
}

// value reads one value; n is nil when nothing in it is wanted.
func (sc *scanner) value(n *planNode) error {
	if sc.i >= len(sc.s) {
		return sc.fail("unexpected end")
	}
	slot := -1
	if n != nil {
		slot = n.slot
		if slot >= 0 && sc.slots[slot].kind != noValue {
			slot = -1 // a key that is given twice: the first one holds
		}
		if slot >= 0 {
			sc.filled = append(sc.filled, int32(slot))
		}
	}
	start := sc.i
	switch c := sc.s[sc.i]; c {
	case '{', '[':
		sc.depth++
		if sc.depth > maxDepth {
			return errDepth
		}
		var err error
		if c == '{' {
			err = sc.object(n)
		} else {
			err = sc.array(n)
		}
		if err != nil {
			return err
		}
		sc.depth--
		if slot >= 0 {
			sc.slots[slot] = value{kind: jsonValue, raw: sc.s[start:sc.i]}
		}
	case '"':
		raw, escaped, err := sc.str()
		if err != nil {
			return err
		}
		if slot >= 0 {
			v := value{kind: stringValue, raw: sc.s[start:sc.i], str: raw}
			if escaped {
				v.str = unescape(raw)
			}
			sc.slots[slot] = v
		}
	case 't':
		return sc.literal("true", slot, value{kind: boolValue, num: 1, raw: "true"})
	case 'f':
		return sc.literal("false", slot, value{kind: boolValue, raw: "false"})
	case 'n':
		return sc.literal("null", slot, value{kind: nullValue, raw: "null"})
	default:
		num, err := sc.number()
		if err != nil {
			return err
		}
		if slot >= 0 {
			sc.slots[slot] = value{kind: numberValue, num: parseNumber(num), raw: num}
		}
	}
	return nil
}

func (sc *scanner) literal(word string, slot int, v value) error {
	if !strings.HasPrefix(sc.s[sc.i:], word) {
		return sc.fail("an unknown word")
	}
	sc.i += len(word)
	if slot >= 0 {
		sc.slots[slot] = v
	}
	return nil
}

func (sc *scanner) object(n *planNode) error {
	sc.i++
	sc.space()
	if sc.i < len(sc.s) && sc.s[sc.i] == '}' {
		sc.i++
		return nil
	}
	for {
		if sc.i >= len(sc.s) || sc.s[sc.i] != '"' {
			return sc.fail("a key is missing")
		}
		key, escaped, err := sc.str()
		if err != nil {
			return err
		}
		sc.space()
		if sc.i >= len(sc.s) || sc.s[sc.i] != ':' {
			return sc.fail("a colon is missing")
		}
		sc.i++
		sc.space()
		var next *planNode
		if n != nil && n.children != nil {
			if escaped {
				key = unescape(key)
			}
			next = n.children[key]
		}
		if next == nil && sc.unknown != nil && sc.depth == 1 && sc.i < len(sc.s) && sc.s[sc.i] != '{' && sc.s[sc.i] != '[' {
			sc.unknown(key)
		}
		if err := sc.value(next); err != nil {
			return err
		}
		sc.space()
		if sc.i >= len(sc.s) {
			return sc.fail("unexpected end")
		}
		switch sc.s[sc.i] {
		case ',':
			sc.i++
			sc.space()
		case '}':
			sc.i++
			return nil
		default:
			return sc.fail("a comma is missing")
		}
	}
}

func (sc *scanner) array(n *planNode) error {
	sc.i++
	sc.space()
	if sc.i < len(sc.s) && sc.s[sc.i] == ']' {
		sc.i++
		return nil
	}
	for k := 0; ; k++ {
		var next *planNode
		if n != nil && n.children != nil {
			var buf [20]byte
			next = n.children[string(strconv.AppendInt(buf[:0], int64(k), 10))]
		}
		if err := sc.value(next); err != nil {
			return err
		}
		sc.space()
		if sc.i >= len(sc.s) {
			return sc.fail("unexpected end")
		}
		switch sc.s[sc.i] {
		case ',':
			sc.i++
			sc.space()
		case ']':
			sc.i++
			return nil
		default:
			return sc.fail("a comma is missing")
		}
	}
}

// str reads a string and returns what is between the quotes.
func (sc *scanner) str() (raw string, escaped bool, err error) {
	s := sc.s
	start := sc.i + 1
	for i := start; i < len(s); i++ {
		c := s[i]
		if c > '\\' {
			continue
		}
		switch {
		case c == '"':
			sc.i = i + 1
			return s[start:i], escaped, nil
		case c == '\\':
			escaped = true
			if i++; i >= len(s) {
				break
			}
			switch s[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(s) || !isHex(s[i+1:i+5]) {
					sc.i = i
					return "", false, sc.fail("a wrong escape")
				}
				i += 4
			default:
				sc.i = i
				return "", false, sc.fail("a wrong escape")
			}
		case c < ' ':
			sc.i = i
			return "", false, sc.fail("a control character in a string")
		}
	}
	sc.i = len(s)
	return "", false, sc.fail("a string without end")
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'f') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func (sc *scanner) number() (string, error) {
	s, i := sc.s, sc.i
	start := i
	if s[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(s) && s[i]-'0' < 10 {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return "", sc.fail("a value is missing")
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return "", sc.fail("a number without digits after the point")
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return "", sc.fail("a number without exponent")
		}
	}
	sc.i = i
	return s[start:i], nil
}

// unescape resolves the escapes of a string that str has checked.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hexRune(s[i+1 : i+5])
			i += 4
			if utf16.IsSurrogate(r) && i+7 <= len(s) && strings.HasPrefix(s[i+1:], `\u`) {
				if full := utf16.DecodeRune(r, hexRune(s[i+3:i+7])); full != utf8.RuneError {
					r = full
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hexRune(s string) rune {
	u, _ := strconv.ParseUint(s, 16, 32)
	return rune(u)
}
