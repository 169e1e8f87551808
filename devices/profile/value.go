package profile

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

type valueKind uint8

const (
	noValue   valueKind = iota // the path is absent
	nullValue                  // present and null
	boolValue
	numberValue
	stringValue
	jsonValue // an object or array
)

// A value is one JSON value of a decoded message, or a capture. raw is its
// text in the document (exact digits of numbers); str the unescaped string;
// num the number, or 1 and 0 for true and false.
type value struct {
	kind valueKind
	num  float64
	raw  string
	str  string
}

func textValue(s string) value { return value{kind: stringValue, str: s, raw: s} }

func numValue(f float64) value {
	return value{kind: numberValue, num: f, raw: strconv.FormatFloat(f, 'g', -1, 64)}
}

func fromGJSON(r gjson.Result) value {
	switch r.Type {
	case gjson.String:
		return value{kind: stringValue, str: r.Str, raw: r.Raw}
	case gjson.Number:
		return value{kind: numberValue, num: parseNumber(r.Raw), raw: r.Raw}
	case gjson.True:
		return value{kind: boolValue, num: 1, raw: "true"}
	case gjson.False:
		return value{kind: boolValue, raw: "false"}
	case gjson.JSON:
		return value{kind: jsonValue, raw: r.Raw}
	}
	if r.Raw == "null" {
		return value{kind: nullValue, raw: r.Raw}
	}
	return value{}
}

// text is the value as words: a string's content, the digits of a number as
// they were written, true or false.
func (v *value) text() string {
	switch v.kind {
	case stringValue:
		return v.str
	case boolValue, numberValue, jsonValue:
		return v.raw
	}
	return ""
}

// asAny gives the value to expressions.
func (v *value) asAny() any {
	switch v.kind {
	case boolValue:
		return v.num == 1
	case numberValue:
		if i, err := strconv.ParseInt(v.raw, 10, 64); err == nil {
			return int(i)
		}
		return v.num
	case stringValue:
		return v.str
	case jsonValue:
		return treeAny(gjson.Parse(v.raw))
	}
	return nil
}

// treeAny turns a tree into maps and slices; whole numbers stay whole, so that
// bitand and indexing work on them.
func treeAny(t gjson.Result) any {
	switch {
	case t.IsObject():
		m := make(map[string]any)
		t.ForEach(func(k, v gjson.Result) bool {
			if _, twice := m[k.Str]; !twice {
				m[k.Str] = treeAny(v)
			}
			return true
		})
		return m
	case t.IsArray():
		s := []any{}
		t.ForEach(func(_, v gjson.Result) bool {
			s = append(s, treeAny(v))
			return true
		})
		return s
	}
	v := fromGJSON(t)
	return v.asAny()
}

// parseNumber reads a JSON number. Up to 15 digits with a small exponent are
// exact in one division or multiplication; anything else goes to strconv.
func parseNumber(s string) float64 {
	var mant uint64
	digits, frac, i := 0, 0, 0
	neg := false
	if i < len(s) && s[i] == '-' {
		neg = true
		i++
	}
	for ; i < len(s) && s[i]-'0' < 10; i++ {
		mant = mant*10 + uint64(s[i]-'0')
		digits++
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i]-'0' < 10; i++ {
			mant = mant*10 + uint64(s[i]-'0')
			digits++
			frac++
		}
	}
	if i != len(s) || digits > 15 || digits == 0 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			return math.NaN()
		}
		return f
	}
	f := float64(mant) / pow10[frac]
	if neg {
		return -f
	}
	return f
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// plainNumber reads a text that is a number and nothing else. Words for "no
// number" (nan, inf) are none.
func plainNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, false
	}
	if c := s[len(s)-1]; c < '0' || c > '9' {
		if c != '.' || len(s) == 1 {
			return 0, false
		}
	}
	if strings.ContainsAny(s, "xXpP_iInN") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}
