package rules

import (
	"strconv"
	"strings"
	"unicode"
)

// A literal is a number with the unit that was written behind it.
type literal struct {
	value float64
	unit  string // as written; "" for a plain number
	text  string // number and unit as written
}

// firstLiteralRune starts a stretch of CJK letters that stand for literals with
// a unit: expr's lexer takes a letter for an identifier, and no role, fact or
// function has a name in them.
const firstLiteralRune = '\u3400'

// maxLiterals bounds the literals with a unit in one expression.
const maxLiterals = 1000

// extractLiterals replaces every number with a unit by one letter and blanks of
// the same length, so that the parser of expr reads it as an identifier and all
// positions stay what they were.
func extractLiterals(src string) (string, []literal) {
	in := []rune(src)
	out := make([]rune, 0, len(in))
	var lits []literal
	for i := 0; i < len(in); {
		r := in[i]
		switch {
		case r == '"' || r == '\'' || r == '`':
			j := i + 1
			for j < len(in) && in[j] != r {
				if in[j] == '\\' && r != '`' {
					j++
				}
				j++
			}
			j = min(j+1, len(in))
			out = append(out, in[i:j]...)
			i = j
		case isWordRune(r) && !isDigit(r):
			j := i
			for j < len(in) && isWordRune(in[j]) {
				j++
			}
			out = append(out, in[i:j]...)
			i = j
		case isDigit(r):
			j := i
			for j < len(in) && (isDigit(in[j]) || in[j] == '.' || in[j] == '_') {
				j++
			}
			if j+1 < len(in) && (in[j] == 'e' || in[j] == 'E') && (isDigit(in[j+1]) || in[j+1] == '-') {
				for j++; j < len(in) && (isDigit(in[j]) || in[j] == '-'); {
					j++
				}
			}
			k, unit := unitAt(in, j)
			v, err := strconv.ParseFloat(strings.ReplaceAll(string(in[i:j]), "_", ""), 64)
			if unit == "" || err != nil || len(lits) == maxLiterals {
				out = append(out, in[i:j]...)
				i = j
				continue
			}
			out = append(out, firstLiteralRune+rune(len(lits)))
			for range k - i - 1 {
				out = append(out, ' ')
			}
			lits = append(lits, literal{value: v, unit: unit, text: string(in[i:k])})
			i = k
		default:
			out = append(out, r)
			i++
		}
	}
	return string(out), lits
}

// unitAt finds the longest unit that starts at position j or after one blank.
func unitAt(in []rune, j int) (end int, unit string) {
	if j < len(in) && in[j] == ' ' {
		j++
	}
	for _, u := range literalUnits {
		ru := []rune(u)
		if len(in)-j < len(ru) || string(in[j:j+len(ru)]) != u {
			continue
		}
		if k := j + len(ru); k == len(in) || !isWordRune(in[k]) {
			return k, u
		}
	}
	return j, ""
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
