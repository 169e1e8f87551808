package profile

import (
	"math"
	"strconv"
	"strings"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile/codec"
)

// result is a transformed value: a number, a truth value or words. unit is set
// when the message stated it.
type result struct {
	num  float64
	raw  float64 // the number before factor and unit, for counters
	text string
	kind valueKind // numberValue, boolValue, stringValue; nullValue is bad
	unit *devices.Unit
	why  string // of a bad value
}

func bad(why string) result { return result{kind: nullValue, num: math.NaN(), why: why} }

// transform takes a value through the fixed order of steps: missing → parse →
// bits → enum → expr → scale and offset → unit → range.
func (r *run) transform(p *point, v value) (res result, absent bool) {
	if p.valid != nil {
		if ok := r.get(p.valid); ok.kind != noValue && !truthy(&ok) {
			return bad("the validity flag is not set"), false
		}
	}
	if v.kind == nullValue {
		return bad("null"), false
	}
	if len(p.missing) > 0 && isMissing(&v, p.missing) {
		return bad("a value that means missing"), false
	}
	var unit *devices.Unit
	if p.parse != nil {
		var why string
		if v, unit, why = p.parse.apply(v); why != "" {
			return bad(why), false
		}
		if len(p.missing) > 0 && isMissing(&v, p.missing) {
			return bad("a value that means missing"), false
		}
	}
	if p.bits != nil {
		n, ok := wholeNumber(&v)
		if !ok {
			return bad("no whole number to take bits of"), false
		}
		n = n >> p.bits.first & (1<<(p.bits.last-p.bits.first+1) - 1)
		v = value{kind: numberValue, num: float64(n), raw: strconv.FormatInt(n, 10)}
		if p.oneBit {
			v = value{kind: boolValue, num: float64(n), raw: "false"}
			if n == 1 {
				v.raw = "true"
			}
		}
	}
	if p.token != "" {
		on := false
		for w := range strings.FieldsFuncSeq(v.text(), func(c rune) bool { return c == ' ' || c == ',' || c == ';' || c == '|' || c == '\t' }) {
			on = on || w == p.token
		}
		v = value{kind: boolValue, raw: "false"}
		if on {
			v = value{kind: boolValue, num: 1, raw: "true"}
		}
	}
	if p.enum != nil {
		to, ok := p.enum.lookup(&v)
		if !ok {
			return r.enumMiss(p, &v), false
		}
		if to.kind == nullValue {
			return bad("a value that means missing"), false
		}
		if p.expr == nil && (to.kind != numberValue || p.div == 1 && p.mul == 1 && p.offset == 0 && !p.hasConv && !p.ranged) {
			return result{num: to.num, text: to.text, kind: to.kind}, false
		}
		v = value{kind: to.kind, num: to.num, str: to.text, raw: strconv.FormatFloat(to.num, 'g', -1, 64)}
	}
	if p.expr != nil {
		if v, absent = r.eval(p.expr, &v); absent {
			return result{}, true
		}
		if v.kind == nullValue {
			return bad("the expression gives no value"), false
		}
		if p.kindKnown && p.kind == devices.State && p.role != nil && len(p.role.Words) > 0 {
			if e := roleEnum(p.role); e != nil {
				if to, ok := e.lookup(&v); ok {
					return result{num: to.num, text: to.text, kind: to.kind}, false
				}
			}
		}
	}
	return r.number(p, v, unit), false
}

// number is the numeric half of the transformation.
func (r *run) number(p *point, v value, unit *devices.Unit) result {
	numeric := p.kindKnown && (p.kind == devices.Gauge || p.kind == devices.Counter) || p.typ == numberType ||
		!p.kindKnown && p.typ == autoType && p.unitRef != nil && r.statesUnit(p)
	switch v.kind {
	case stringValue:
		if !numeric {
			if p.typ == boolType {
				return textBool(v.str)
			}
			return result{kind: stringValue, text: v.str, num: math.NaN()}
		}
		f, ok := plainNumber(v.str)
		if !ok {
			return bad("no number: " + clip(v.str))
		}
		v.num = f
	case boolValue:
		if !numeric {
			if p.typ == stringType {
				return result{kind: stringValue, text: v.raw, num: math.NaN()}
			}
			return result{kind: boolValue, num: v.num}
		}
		if p.typ != numberType {
			return bad("true or false, where a number is wanted")
		}
	case numberValue:
		if p.typ == stringType {
			return result{kind: stringValue, text: v.raw, num: math.NaN()}
		}
		if p.typ == boolType {
			return result{kind: boolValue, num: toBit(v.num != 0)}
		}
	case jsonValue:
		if p.typ == stringType {
			return result{kind: stringValue, text: v.raw, num: math.NaN()}
		}
		return bad("an object or array, not a value")
	default:
		return bad("no value")
	}
	f := v.num
	if p.scaleExpr != nil {
		s, _ := r.eval(p.scaleExpr, &v)
		if s.kind != numberValue {
			return bad("the scale has no value")
		}
		f *= s.num
	}
	f = f*p.mul/p.div + p.offset
	res := result{kind: numberValue, num: f, raw: v.num, text: v.raw}
	if p.unitRef != nil || unit != nil {
		var why string
		if res, why = r.statedUnit(p, res, unit); why != "" {
			return bad(why)
		}
	} else if p.hasConv {
		res.num = p.conv.Apply(res.num)
	}
	if math.IsNaN(res.num) || math.IsInf(res.num, 0) {
		return bad("no finite number")
	}
	if p.ranged && (res.num < p.lo || res.num > p.hi) {
		return bad("out of range: " + strconv.FormatFloat(res.num, 'g', -1, 64))
	}
	return res
}

// statesUnit reports whether the message says in what its value is measured.
func (r *run) statesUnit(p *point) bool {
	w := r.get(p.unitRef)
	return w.kind != noValue && w.kind != nullValue && w.text() != ""
}

// statedUnit converts by the unit that the message states.
func (r *run) statedUnit(p *point, res result, unit *devices.Unit) (result, string) {
	if unit == nil {
		w := r.get(p.unitRef)
		if w.kind == noValue || w.kind == nullValue || w.text() == "" {
			return res, "" // no unit: the number as it is
		}
		if unit = devices.UnitByCode(w.text()); unit == nil {
			return res, "unknown unit " + clip(w.text())
		}
	}
	to := p.unitTo
	if to == nil {
		res.unit = unit
		return res, ""
	}
	conv, err := devices.Convert(unit, to, p.role != nil && p.role.Unit == "K")
	if err != nil {
		return res, err.Error()
	}
	res.num = conv.Apply(res.num)
	return res, ""
}

// enumMiss is a value that an enumeration does not list: a state keeps it as
// words, a truth value or a word of a role cannot be guessed.
func (r *run) enumMiss(p *point, v *value) result {
	r.problem("point %s: %s is not in its enumeration", p.key, clip(v.text()))
	if p.enum.bools() || p.role != nil && p.role.Kind == devices.State && p.role.Name != "fault_code" && p.role.Name != "escalator_fault_code" {
		return bad("not in the enumeration: " + clip(v.text()))
	}
	if v.kind == numberValue {
		return result{kind: stringValue, num: v.num, text: v.raw}
	}
	return result{kind: stringValue, num: -1, text: v.text()}
}

func isMissing(v *value, list []value) bool {
	if isOneOf(v, list) {
		return true
	}
	if v.kind != stringValue {
		return false
	}
	s := strings.TrimSpace(v.str)
	f, numeric := plainNumber(s)
	for i := range list {
		w := &list[i]
		switch {
		case w.kind == numberValue:
			if numeric && f == w.num {
				return true
			}
		case strings.EqualFold(s, w.text()):
			return true
		}
	}
	return false
}

func truthy(v *value) bool {
	switch v.kind {
	case boolValue, numberValue:
		return v.num != 0
	case stringValue:
		return textBool(v.str).num == 1
	}
	return false
}

func textBool(s string) result {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "yes", "1", "ok", "valid":
		return result{kind: boolValue, num: 1}
	case "false", "off", "no", "0", "":
		return result{kind: boolValue}
	}
	return bad("neither true nor false: " + clip(s))
}

func toBit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func clip(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strconv.Quote(s)
}

func wholeNumber(v *value) (int64, bool) {
	switch v.kind {
	case numberValue:
		if i, err := strconv.ParseInt(v.raw, 10, 64); err == nil {
			return i, true
		}
		return int64(v.num), v.num == math.Trunc(v.num) && math.Abs(v.num) < 1<<62
	case stringValue:
		i, err := strconv.ParseInt(strings.TrimSpace(v.str), 10, 64)
		return i, err == nil
	}
	return 0, false
}

// apply parses a text. A number that is a number already stays one.
func (ps *parseOf) apply(v value) (_ value, unit *devices.Unit, why string) {
	s := strings.TrimSpace(v.text())
	if ps.match != nil {
		groups := ps.match.FindStringSubmatch(s)
		if groups == nil {
			return v, nil, "the pattern does not match " + clip(s)
		}
		s = groups[len(groups)-1]
		if len(groups) > 2 {
			s = groups[1]
		}
		v = textValue(s)
	}
	switch {
	case ps.hex:
		n, ok := parseHex(s, ps.signed)
		if !ok {
			return v, nil, "not hexadecimal: " + clip(s)
		}
		return value{kind: numberValue, num: float64(n), raw: strconv.FormatInt(n, 10)}, nil, ""
	case ps.base != 0:
		n, err := strconv.ParseInt(s, ps.base, 64)
		if err != nil {
			return v, nil, "no whole number: " + clip(s)
		}
		return value{kind: numberValue, num: float64(n), raw: strconv.FormatInt(n, 10)}, nil, ""
	case (ps.number != "" || ps.unit != "") && v.kind == stringValue:
		locale := codec.English
		switch ps.number {
		case "de":
			locale = codec.German
		case "auto":
			locale = codec.Auto
		}
		out, rest, err := codec.AppendNumber(nil, []byte(s), locale)
		if err != nil {
			return v, nil, "no number: " + clip(s)
		}
		if word := strings.TrimSpace(string(rest)); word != "" {
			switch ps.unit {
			case "take":
				if unit = devices.UnitByCode(word); unit == nil {
					return v, nil, "unknown unit " + clip(word)
				}
			case "strip":
			default:
				return v, nil, "something follows the number: " + clip(word)
			}
		}
		return value{kind: numberValue, num: parseNumber(string(out)), raw: string(out)}, unit, ""
	}
	return v, nil, ""
}
