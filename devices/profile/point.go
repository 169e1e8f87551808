package profile

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// point is a compiled PointSpec.
type point struct {
	key   string // as written, for traces and counters
	name  *ref   // nil: the key is the name
	role  *devices.Role
	src   *ref // nil: the value of the element
	when  []cond
	valid *ref

	missing []value
	parse   *parseOf
	typ     valueType
	bits    *bitRange
	oneBit  bool
	token   string
	enum    *enumOf
	expr    *expression

	mul, div, offset float64
	scaleExpr        *expression

	unit     string // canonical code of the readings
	conv     devices.Conversion
	hasConv  bool
	unitRef  *ref          // unit is stated by the message
	unitTo   *devices.Unit // what a stated unit is converted to; nil: as stated
	unitTake bool          // unit follows the number in the text
	lo, hi   float64
	ranged   bool

	kind       devices.Kind
	kindKnown  bool
	counter    counterOf
	id         []*ref
	quality    *qualityOf
	times      []timeCandidate
	historical bool
	privacy    string
	required   bool
	// plain points take numbers as they are, but for a factor and a unit.
	plain bool
}

type valueType uint8

const (
	autoType valueType = iota
	numberType
	stringType
	boolType
)

type bitRange struct{ first, last uint }

type parseOf struct {
	number, unit string
	hex, signed  bool
	base         int
	match        *regexp.Regexp
}

// counterOf is how a counter counts; modulus 0 means that it never rolls over.
type counterOf struct {
	modulus float64
	detect  bool
}

func (c *compiler) point(e *entry[PointSpec], part *part, names *scopeNames) *point {
	s := &e.Value
	if s.At == nil { // a bare "name:" takes everything from its key
		s.At = e.At
	}
	p := &point{key: e.Key, mul: 1, div: 1, historical: s.Historical, required: s.Required}
	if l := int64(s.Lateness); l < 0 || l > devices.MaxLateness {
		c.hintf(child(s.At, "lateness"), "at most 1h; what comes later is evaluated at its own time all the same", "a lateness of %v is too long", s.Lateness)
	}
	// The readings of a device are evaluated together, so all wait for the latest.
	c.p.lateness = max(c.p.lateness, int64(s.Lateness))
	if s.Name != nil {
		p.name = names.ref(s.Name)
	}
	p.role = c.role(s)
	c.pointSource(p, s, e, part, names)
	p.when = c.when(&s.When, names)
	if s.ValidIf != nil {
		v := *s.ValidIf
		if v.Path == nil && v.Expr == "" && v.Text != "" {
			v.Path = &v.Text
		}
		p.valid = names.ref(&v)
	}
	p.missing = s.Missing
	c.pointParse(p, s, names)
	c.pointEnum(p, s)
	c.pointScale(p, s, names)
	c.pointKind(p, s)
	c.pointUnit(p, s, names)
	for i := range s.ID {
		p.id = append(p.id, names.ref(&s.ID[i]))
	}
	if len(s.ID) > 0 && p.kind != devices.Event {
		c.hintf(child(s.At, "id"), "kind: event", "only events have an id")
	}
	if s.Quality != nil {
		p.quality = c.qualityOf(s.Quality, names)
	}
	if len(s.Time) > 0 {
		p.times = c.times(s.Time, names)
	}
	if s.Privacy != "" && c.oneOf(child(s.At, "privacy"), "privacy", s.Privacy, "drop", "hash") {
		p.privacy = s.Privacy
	}
	p.plain = (p.kind == devices.Gauge || p.kind == devices.Counter) && p.kindKnown && p.missing == nil && p.parse == nil &&
		p.bits == nil && p.token == "" && p.enum == nil && p.expr == nil && p.scaleExpr == nil && p.unitRef == nil &&
		p.valid == nil && p.quality == nil && p.privacy == "" && p.typ != stringType && p.typ != boolType
	return p
}

func (c *compiler) role(s *PointSpec) *devices.Role {
	if s.Role == "" {
		return nil
	}
	role := devices.RoleByName(s.Role)
	if role == nil {
		c.hintf(child(s.At, "role"), diag.DidYouMean(s.Role, devices.RoleNames()), "unknown role %q", s.Role)
	}
	return role
}

// pointSource finds where the value comes from.
func (c *compiler) pointSource(p *point, s *PointSpec, e *entry[PointSpec], part *part, names *scopeNames) {
	given := 0
	if s.Path != nil {
		given++
		p.src = names.path(child(s.At, "path"), *s.Path)
	}
	if s.Value != nil {
		given++
		p.src = names.ref(s.Value)
	}
	if s.Expr != "" {
		p.expr = names.expression(child(s.At, "expr"), s.Expr)
	}
	switch {
	case given > 1:
		c.errorf(s.At, "point %s has both path and value", e.Key)
	case given == 0 && s.Expr == "" && part.by == nil && part.value == nil:
		c.hintf(e.At, "path: "+e.Key, "nothing says where the value of %s is", e.Key)
	}
}

func (c *compiler) pointParse(p *point, s *PointSpec, names *scopeNames) {
	if s.Type != "" && c.oneOf(child(s.At, "type"), "type", s.Type, "number", "string", "bool", "auto") {
		p.typ = map[string]valueType{"number": numberType, "string": stringType, "bool": boolType}[s.Type]
	}
	if ps := s.Parse; ps != nil {
		p.parse = &parseOf{number: ps.Number, unit: ps.Unit, base: ps.Int}
		if ps.Number != "" {
			c.oneOf(child(ps.At, "number"), "number format", ps.Number, "plain", "de", "en", "auto")
		}
		if ps.Unit != "" {
			c.oneOf(child(ps.At, "unit"), "unit handling", ps.Unit, "strip", "take")
			p.unitTake = ps.Unit == "take"
		}
		if ps.Hex != "" {
			c.oneOf(child(ps.At, "hex"), "hexadecimal reading", ps.Hex, "unsigned", "signed")
			p.parse.hex, p.parse.signed = true, ps.Hex == "signed"
		}
		if ps.Int != 0 && (ps.Int < 2 || ps.Int > 36) {
			c.errorf(child(ps.At, "int"), "a base between 2 and 36 is wanted")
		}
		if ps.Match != "" {
			re, err := regexp.Compile(ps.Match)
			if err != nil {
				c.errorf(child(ps.At, "match"), "%v", err)
			}
			p.parse.match = re
		}
	}
	if s.Bit != nil {
		if *s.Bit < 0 || *s.Bit > 62 {
			c.errorf(child(s.At, "bit"), "a bit between 0 and 62 is wanted")
		} else {
			p.bits, p.oneBit = &bitRange{uint(*s.Bit), uint(*s.Bit)}, true
		}
	}
	if s.Bits != "" {
		first, last, ok := strings.Cut(s.Bits, "..")
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if !ok || err1 != nil || err2 != nil || a < 0 || b < a || b > 62 {
			c.hintf(child(s.At, "bits"), "for example 0..3", "%q is no range of bits", s.Bits)
		} else {
			p.bits = &bitRange{uint(a), uint(b)}
		}
	}
	p.token = s.Token
}

// pointKind decides the kind where profile or role say it; a point without any
// hint takes it from its first value.
func (c *compiler) pointKind(p *point, s *PointSpec) {
	p.kindKnown = true
	if s.Counter != nil {
		cs := s.Counter
		p.counter = counterOf{detect: true}
		if cs.Width != 0 {
			if cs.Width < 8 || cs.Width > 64 {
				c.errorf(child(cs.At, "width"), "a counter is 8 to 64 bits wide")
			}
			p.counter.modulus = math.Ldexp(1, cs.Width)
		}
		if cs.Reset != "" && c.oneOf(child(cs.At, "reset"), "reset", cs.Reset, "detect", "none") {
			p.counter.detect = cs.Reset == "detect"
		}
	} else {
		p.counter = counterOf{detect: true}
	}
	switch {
	case s.Kind != "":
		kinds := []string{"gauge", "counter", "state", "event", "text"}
		if c.oneOf(child(s.At, "kind"), "kind", s.Kind, kinds...) {
			p.kind = devices.Kind(slices.Index(kinds, s.Kind))
		}
		if p.role != nil && p.role.Kind != p.kind {
			c.hintf(child(s.At, "kind"), "leave kind out: the role gives it", "role %s is a %s, not a %s", p.role.Name, p.role.Kind, p.kind)
		}
	case p.role != nil:
		p.kind = p.role.Kind
	case s.Counter != nil:
		p.kind = devices.Counter
	case p.typ == stringType:
		p.kind = devices.Text
	case p.token != "" || p.oneBit || p.typ == boolType:
		p.kind = devices.State
	case p.enum != nil:
		p.kind = devices.State
		if !p.enum.labels && !p.enum.bools() {
			p.kind = devices.Gauge
		}
	case p.bits != nil || s.Scale != nil || s.Offset != 0 || s.Unit != nil && s.Unit.isFixed() || s.As != "" || len(s.Range) > 0 || p.typ == numberType ||
		p.parse != nil && (p.parse.number != "" || p.parse.hex || p.parse.base != 0):
		p.kind = devices.Gauge
	default:
		p.kindKnown = false
	}
	if p.role != nil && p.role.Kind == devices.Text && p.typ == autoType {
		p.typ = stringType
	}
}
