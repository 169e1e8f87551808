package profile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A topicTemplate is one alternative of a topic template, split into levels.
type topicTemplate struct {
	levels  []topicLevel
	many    int // index of the multi-level capture, -1 for none
	literal int // how specific it is: two for a literal level, one for a partly literal one
}

type topicLevel struct {
	text     string         // a literal level
	captures []int          // indices into the captures; none for a literal
	re       *regexp.Regexp // nil when anything fits
}

func (l *topicLevel) isLiteral() bool { return len(l.captures) == 0 }

// captureTable numbers the captures of all alternatives of one rule.
type captureTable []string

func (t *captureTable) index(name string) int {
	for i, n := range *t {
		if n == name {
			return i
		}
	}
	*t = append(*t, name)
	return len(*t) - 1
}

// maxAlternatives bounds what optional parts expand to.
const maxAlternatives = 16

// parseTopic reads a template: {x} one level, {x...} one or more, [/{x}]
// optional, {x:regexp}. Several captures may share a level with text.
func parseTopic(text string, vars map[string]string, table *captureTable) ([]topicTemplate, error) {
	alternatives, err := expandOptional(text)
	if err != nil {
		return nil, err
	}
	var out []topicTemplate
	for _, alt := range alternatives {
		t, err := parseAlternative(alt, vars, table)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// expandOptional writes each [part] once with and once without.
func expandOptional(text string) ([]string, error) {
	outs := []string{""}
	depth, open := 0, -1
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
			if depth < 0 {
				return nil, errors.New("a } without {")
			}
		case c == '[' && depth == 0:
			if open >= 0 {
				return nil, errors.New("an optional part inside an optional part")
			}
			open = len(outs)
			if 2*len(outs) > maxAlternatives {
				return nil, fmt.Errorf("too many optional parts: at most %d alternatives", maxAlternatives)
			}
			outs = append(outs, outs...)
			continue
		case c == ']' && depth == 0:
			if open < 0 {
				return nil, errors.New("a ] without [")
			}
			open = -1
			continue
		}
		from := 0
		if open >= 0 {
			from = open
		}
		for j := from; j < len(outs); j++ {
			outs[j] += string(c)
		}
	}
	if depth != 0 {
		return nil, errors.New("a { without }")
	}
	if open >= 0 {
		return nil, errors.New("a [ without ]")
	}
	return outs, nil
}

func parseAlternative(text string, vars map[string]string, table *captureTable) (topicTemplate, error) {
	t := topicTemplate{many: -1}
	text, err := substituteVars(text, vars)
	if err != nil {
		return t, err
	}
	for _, part := range splitLevels(text) {
		l, many, err := parseLevel(part, table)
		if err != nil {
			return t, err
		}
		if many {
			if t.many >= 0 {
				return t, errors.New("two captures of several levels in one topic")
			}
			t.many = len(t.levels)
		}
		switch {
		case l.isLiteral():
			t.literal += 2
		case l.re != nil:
			t.literal++
		}
		t.levels = append(t.levels, l)
	}
	return t, nil
}

// substituteVars replaces {name} by the value of a variable of that name.
func substituteVars(text string, vars map[string]string) (string, error) {
	if len(vars) == 0 {
		return text, nil
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		end := closingBrace(text, i)
		if end < 0 {
			return "", errors.New("a { without }")
		}
		name := text[i+1 : end]
		b.WriteString(text[:i])
		if v, ok := vars[name]; ok {
			b.WriteString(v)
		} else {
			b.WriteString(text[i : end+1])
		}
		text = text[end+1:]
	}
}

func closingBrace(s string, open int) int {
	depth := 0
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// splitLevels splits at slashes outside braces.
func splitLevels(s string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, s[start:])
}

func parseLevel(part string, table *captureTable) (l topicLevel, many bool, err error) {
	if !hasBraces(part) {
		if strings.ContainsAny(part, "+#") {
			return l, false, fmt.Errorf("topic level %q: write {name} for one level, {name...} for several, instead of + and #", part)
		}
		l.text = part
		return l, false, nil
	}
	var pattern strings.Builder
	rest, whole := part, false
	for rest != "" {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			pattern.WriteString(regexp.QuoteMeta(rest))
			break
		}
		pattern.WriteString(regexp.QuoteMeta(rest[:i]))
		end := closingBrace(rest, i)
		if end < 0 {
			return l, false, errors.New("a { without }")
		}
		name, expr, hasExpr := strings.Cut(rest[i+1:end], ":")
		if n, ok := strings.CutSuffix(name, "..."); ok {
			if rest != part || i != 0 || end != len(rest)-1 || hasExpr {
				return l, false, fmt.Errorf("{%s...} must stand alone between slashes", n)
			}
			name, many = n, true
		}
		if !isName(name) {
			return l, false, fmt.Errorf("%q is not a name for a capture: letters, digits and _", name)
		}
		l.captures = append(l.captures, table.index(name))
		whole = i == 0 && end == len(rest)-1 && rest == part
		if !hasExpr {
			expr = "[^/]+?"
			if whole {
				expr = ""
			}
		}
		if expr != "" {
			re, err := regexp.Compile(expr)
			if err != nil {
				return l, false, fmt.Errorf("topic level %q: %w", part, err)
			}
			if re.NumSubexp() > 0 {
				return l, false, fmt.Errorf("topic level %q: write (?:…) instead of (…)", part)
			}
			pattern.WriteString("(" + expr + ")")
		}
		rest = rest[end+1:]
	}
	if pattern.Len() > 0 {
		l.re, err = regexp.Compile("^(?:" + pattern.String() + ")$")
	}
	return l, many, err
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// filter is the MQTT filter that covers the template.
func (t *topicTemplate) filter() string {
	var b strings.Builder
	for i, l := range t.levels {
		if i > 0 {
			b.WriteByte('/')
		}
		switch {
		case i == t.many:
			b.WriteByte('#')
			return b.String()
		case l.isLiteral():
			b.WriteString(l.text)
		default:
			b.WriteByte('+')
		}
	}
	return b.String()
}

// match tests a topic that is split into levels and fills the captures.
func (t *topicTemplate) match(topic *splitTopic, captures []string) bool {
	n := len(topic.levels)
	if t.many < 0 && n != len(t.levels) || t.many >= 0 && n < len(t.levels) {
		return false
	}
	for i := range t.levels {
		l := &t.levels[i]
		from := i
		if t.many >= 0 && i > t.many {
			from = n - len(t.levels) + i
		}
		if i == t.many {
			captures[l.captures[0]] = topic.join(i, n-len(t.levels)+i+1)
			continue
		}
		have := topic.levels[from]
		switch {
		case l.isLiteral():
			if l.text != have {
				return false
			}
		case l.re == nil:
			if have == "" {
				return false
			}
			captures[l.captures[0]] = have
		default:
			groups := l.re.FindStringSubmatch(have)
			if groups == nil {
				return false
			}
			for g, c := range l.captures {
				captures[c] = groups[g+1]
			}
		}
	}
	return true
}

// splitTopic is a topic with its levels.
type splitTopic struct {
	topic  string
	levels []string
	starts []int
}

// maxLevels bounds the work on one topic.
const maxLevels = 64

func (s *splitTopic) split(topic string) bool {
	s.topic, s.levels, s.starts = topic, s.levels[:0], s.starts[:0]
	start := 0
	for i := 0; i <= len(topic); i++ {
		if i == len(topic) || topic[i] == '/' {
			if len(s.levels) == maxLevels {
				return false
			}
			s.levels = append(s.levels, topic[start:i])
			s.starts = append(s.starts, start)
			start = i + 1
		}
	}
	return true
}

// join is the part of the topic from level i up to, not including, level j.
func (s *splitTopic) join(i, j int) string {
	end := s.starts[j-1] + len(s.levels[j-1])
	return s.topic[s.starts[i]:end]
}
