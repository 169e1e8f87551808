package profile

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

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

// enumOf maps values; labels are shared by all readings.
type enumOf struct {
	byText   map[string]enumValue
	byNumber map[float64]enumValue
	fallback *enumValue
	labels   bool
}

type enumValue struct {
	num  float64
	text string
	kind valueKind // boolValue, numberValue, or stringValue for a label
}

func (c *compiler) point(e *entry[PointSpec], part *part, names *scopeNames) *point {
	s := &e.Value
	if s.At == nil { // a bare "name:" takes everything from its key
		s.At = e.At
	}
	p := &point{key: e.Key, mul: 1, div: 1, historical: s.Historical, required: s.Required}
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

func (c *compiler) pointEnum(p *point, s *PointSpec) {
	switch {
	case s.Enum != nil && s.Bool != nil:
		c.errorf(child(s.At, "bool"), "enum and bool exclude one another")
	case s.Enum != nil:
		p.enum = c.enum(s.Enum, p.role)
	case s.Bool != nil:
		p.enum = &enumOf{byText: make(map[string]enumValue), byNumber: make(map[float64]enumValue)}
		for _, v := range s.Bool.False {
			p.enum.set(v, enumValue{kind: boolValue})
		}
		for _, v := range s.Bool.True {
			p.enum.set(v, enumValue{kind: boolValue, num: 1})
		}
		if len(s.Bool.False) == 0 {
			p.enum.fallback = &enumValue{kind: boolValue}
		}
	case p.role != nil && p.role.Kind == devices.State && p.bits == nil && p.token == "" && s.Expr == "":
		p.enum = roleEnum(p.role)
	}
}

// enum compiles labels. A role with words takes only these, with their codes.
func (c *compiler) enum(s *EnumSpec, role *devices.Role) *enumOf {
	e := &enumOf{byText: make(map[string]enumValue), byNumber: make(map[float64]enumValue)}
	ordinal := 0
	compile := func(ent *enumEntry) enumValue {
		v := enumValue{kind: ent.To.kind, num: ent.To.num, text: ent.To.str}
		switch {
		case ent.To.kind == boolValue || ent.To.kind == numberValue:
			if role != nil && len(role.Words) > 0 {
				c.hintf(ent.ToAt, "one of: "+strings.Join(wordNames(role), ", "), "role %s has words", role.Name)
			}
		case ent.To.kind == nullValue:
		default:
			e.labels = true
			v.num = float64(ordinal)
			if ent.Key.kind == numberValue {
				v.num = ent.Key.num
			}
			if role != nil && role.Kind == devices.State {
				word := role.Word(v.text)
				switch {
				case word != nil:
					v.num, v.text = float64(word.Code), word.Name
				case len(role.Words) > 0:
					c.hintf(ent.ToAt, diag.DidYouMean(v.text, wordNames(role)), "role %s has no word %q", role.Name, v.text)
				default:
					if role.Name != "info_code" {
						c.hintf(ent.ToAt, "map each value to true or false", "role %s is a truth value, %q is none", role.Name, v.text)
					}
				}
			}
		}
		ordinal++
		return v
	}
	for i := range s.Entries {
		ent := &s.Entries[i]
		e.set(ent.Key, compile(ent))
	}
	if s.Else != nil {
		v := compile(s.Else)
		e.fallback = &v
	}
	return e
}

func wordNames(role *devices.Role) []string {
	var names []string
	for _, w := range role.Words {
		names = append(names, w.Name)
	}
	return names
}

func (e *enumOf) set(key value, to enumValue) {
	if key.kind == numberValue {
		e.byNumber[key.num] = to
	}
	e.byText[key.text()] = to
}

// roleEnum reads the words of a role, or the usual spellings of true and false.
func roleEnum(role *devices.Role) *enumOf {
	if role.Name == "info_code" {
		return nil
	}
	e := &enumOf{byText: make(map[string]enumValue), byNumber: make(map[float64]enumValue), labels: len(role.Words) > 0}
	for _, w := range role.Words {
		v := enumValue{num: float64(w.Code), text: w.Name, kind: stringValue}
		e.byText[w.Name] = v
		e.byNumber[v.num] = v
	}
	if len(role.Words) > 0 {
		return e
	}
	for _, w := range []string{"true", "TRUE", "True", "on", "ON", "On", "1"} {
		e.byText[w] = enumValue{kind: boolValue, num: 1}
	}
	for _, w := range []string{"false", "FALSE", "False", "off", "OFF", "Off", "0"} {
		e.byText[w] = enumValue{kind: boolValue}
	}
	e.byNumber[1], e.byNumber[0] = enumValue{kind: boolValue, num: 1}, enumValue{kind: boolValue}
	return e
}

// lookup finds what a value means.
func (e *enumOf) lookup(v *value) (enumValue, bool) {
	if v.kind == numberValue {
		if to, ok := e.byNumber[v.num]; ok {
			return to, true
		}
	}
	if to, ok := e.byText[v.text()]; ok {
		return to, true
	}
	if v.kind == stringValue && len(e.byNumber) > 0 {
		if f, ok := plainNumber(v.str); ok {
			if to, ok := e.byNumber[f]; ok {
				return to, true
			}
		}
	}
	if e.fallback == nil {
		return enumValue{}, false
	}
	to := *e.fallback
	if to.kind == stringValue && v.kind == numberValue {
		to.num = v.num
	}
	return to, true
}

func (c *compiler) pointScale(p *point, s *PointSpec, names *scopeNames) {
	p.offset = s.Offset
	if s.Scale == nil {
		return
	}
	if s.Scale.Expr != "" {
		p.scaleExpr = names.expression(s.Scale.At, s.Scale.Expr)
		return
	}
	f := s.Scale.Factor
	if f == 0 {
		c.errorf(s.Scale.At, "a factor of 0 makes every value 0")
		return
	}
	// 87 * 0.1 is 8.700000000000001; 87 / 10 is 8.7.
	if inv := math.Round(1 / f); f < 1 && f > 0 && math.Abs(inv*f-1) < 1e-15 {
		p.div = inv
		return
	}
	p.mul = f
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

func (e *enumOf) bools() bool {
	for _, v := range e.byText { // order does not matter: all must be truth values
		if v.kind != boolValue {
			return false
		}
	}
	return e.fallback == nil || e.fallback.kind == boolValue
}

func (c *compiler) pointUnit(p *point, s *PointSpec, names *scopeNames) {
	var target *devices.Unit
	targetAt := s.At
	if s.As != "" {
		target, targetAt = c.unit(child(s.At, "as"), s.As), child(s.At, "as")
	}
	difference := false
	if p.role != nil {
		roleUnit := devices.UnitByCode(p.role.Unit)
		difference = p.role.Unit == "K"
		if target != nil && target.Code != roleUnit.Code {
			c.hintf(targetAt, "leave as out", "role %s is in %s", p.role.Name, unitName(roleUnit))
		}
		if p.role.Kind == devices.Gauge || p.role.Kind == devices.Counter {
			target = roleUnit
		}
	}
	from := devices.UnitByCode("")
	fixed, isFixed := "", true
	if s.Unit != nil {
		if fixed, isFixed = s.Unit.fixed(); isFixed {
			from = c.unit(s.Unit.At, fixed)
		} else {
			p.unitRef = names.ref(&s.Unit.RefSpec)
		}
	}
	if s.Counter != nil && s.Counter.PerPulse != "" {
		num, code, _ := strings.Cut(s.Counter.PerPulse, " ")
		f, ok := plainNumber(num)
		if !ok || f <= 0 {
			c.hintf(child(s.Counter.At, "per_pulse"), "for example 10 L", "%q is no quantity", s.Counter.PerPulse)
		}
		p.mul *= f
		if s.Unit != nil {
			c.errorf(s.Unit.At, "per_pulse gives the unit already")
		}
		from = c.unit(child(s.Counter.At, "per_pulse"), code)
	} else if s.Unit == nil && target != nil && target.Code != "" && !p.unitTake {
		c.hintf(s.At, "unit: "+target.Code+" when the message is in "+target.Code, "point %s: nothing says in which unit the message is", p.key)
		from = nil
	}
	p.unitTo = target
	if target == nil && isFixed {
		target = from
	}
	if target != nil {
		p.unit = target.Code
	}
	if from != nil && target != nil && p.unitRef == nil {
		conv, err := devices.Convert(from, target, difference)
		if err != nil {
			at := s.At
			if s.Unit != nil {
				at = s.Unit.At
			}
			c.errorf(at, "point %s: %v", p.key, err)
		}
		p.conv, p.hasConv = conv, err == nil && !conv.Identity()
	}
	if p.unitTake && p.unitTo == nil && isFixed && s.Unit != nil {
		p.unitTo = from
	}
	c.pointRange(p, s, from, target, difference)
}

// pointRange brings the range, which is in the unit of as or else of the
// message, into the unit of the readings.
func (c *compiler) pointRange(p *point, s *PointSpec, from, target *devices.Unit, difference bool) {
	if len(s.Range) == 0 {
		return
	}
	if len(s.Range) != 2 || s.Range[0] >= s.Range[1] {
		c.hintf(child(s.At, "range"), "range: [-50, 150]", "a range has a smallest and a largest value")
		return
	}
	p.ranged, p.lo, p.hi = true, s.Range[0], s.Range[1]
	if s.As == "" && from != nil && target != nil && s.Unit != nil {
		if conv, err := devices.Convert(from, target, difference); err == nil {
			p.lo, p.hi = conv.Apply(p.lo), conv.Apply(p.hi)
		}
	}
}

func (c *compiler) unit(n *yaml.Node, code string) *devices.Unit {
	u := devices.UnitByCode(code)
	if u == nil {
		c.hintf(n, diag.DidYouMean(code, devices.UnitWords()), "unknown unit %q", code)
	}
	return u
}

func unitName(u *devices.Unit) string {
	if u.Code == "" {
		return "a plain number"
	}
	return u.Code
}
