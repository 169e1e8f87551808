package profile

import (
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

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

func (e *enumOf) bools() bool {
	for _, v := range e.byText { // order does not matter: all must be truth values
		if v.kind != boolValue {
			return false
		}
	}
	return e.fallback == nil || e.fallback.kind == boolValue
}
