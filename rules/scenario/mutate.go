package scenario

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// A Mutant is a rule with one small change, and whether the tests noticed.
type Mutant struct {
	Rule   string
	Change string // what was changed, such as "for: 5m -> 10m"
	Killed bool
}

// Mutate changes a rule of a file in every small way that it knows (a number,
// a comparison, a delay, a unit, a role, and/or, not) and runs the rule's tests
// against each change, and against what was approved (nil: nothing was).
func Mutate(f rules.File, r *rules.Rule, approved []string) ([]Mutant, error) {
	var doc yaml.Node
	if err := yaml.Load(f.Data, &doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	node := ruleNode(&doc, r.ID)
	if node == nil {
		return nil, fmt.Errorf("no rule %s in %s", r.ID, f.Name)
	}
	var out []Mutant
	for _, place := range places(node, "") {
		was := place.node.Value
		for _, now := range changes(place.key, was, r) {
			place.node.Value = now
			m := Mutant{Rule: r.ID, Change: fmt.Sprintf("%s: %s -> %s", place.key, was, now)}
			killed, err := noticed(node, r, approved)
			if err != nil {
				return nil, err
			}
			m.Killed = killed
			out = append(out, m)
		}
		place.node.Value = was
	}
	return out, nil
}

// noticed reports whether the tests of a rule fail for its changed text. A text
// that does not load any more is noticed too.
func noticed(node *yaml.Node, r *rules.Rule, approved []string) (bool, error) {
	list := yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}}
	root := yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "rules"}, &list}}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	if err := enc.Encode(&root); err != nil {
		return false, err
	}
	if err := enc.Close(); err != nil {
		return false, err
	}
	set, _ := rules.Load([]rules.File{{Name: r.File, Data: text.Bytes()}}, rules.LoadOptions{})
	if set == nil {
		return true, nil
	}
	return !stands(set.Rules[0], r, approved), nil
}

func ruleNode(doc *yaml.Node, id string) *yaml.Node {
	if len(doc.Content) == 0 {
		return nil
	}
	top := doc.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		for _, n := range top.Content[i+1].Content {
			for k := 0; k+1 < len(n.Content); k += 2 {
				if n.Content[k].Value == "id" && n.Content[k+1].Value == id {
					return n
				}
			}
		}
	}
	return nil
}

// A place is a scalar of a rule that a mutation may change.
type place struct {
	key  string
	node *yaml.Node
}

// places finds conditions, delays and limits.
func places(n *yaml.Node, under string) []place {
	var out []place
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i].Value, n.Content[i+1]
		switch {
		case key == "tests":
		case under == "limits" && v.Kind == yaml.ScalarNode:
			out = append(out, place{"limit", v})
		case v.Kind == yaml.ScalarNode && slices.Contains([]string{"when", "clear", "for", "clear_for", "after", "only_while"}, key):
			out = append(out, place{key, v})
		case key == "limits":
			out = append(out, places(v, "limits")...)
		case key == "only_while":
			out = append(out, places(v, "")...)
		case key == "thresholds":
			for _, t := range v.Content {
				out = append(out, places(t, "")...)
			}
		}
	}
	return out
}

var (
	number     = regexp.MustCompile(`\b\d+(\.\d+)?`)
	comparison = regexp.MustCompile(`>=|<=|==|!=|>|<`)
	identifier = regexp.MustCompile(`"[^"]*"|\b[a-z_][a-z_0-9]*\b`)
	unit       = regexp.MustCompile(`(\d) ?(°C|MPa|bar|mg/L|mm|m3/h|L/h|mA|A)\b`)
)

var otherComparison = map[string][]string{
	">": {"<", ">="}, "<": {">", "<="}, ">=": {"<", ">"}, "<=": {">", "<"}, "==": {"!="}, "!=": {"=="},
}

var otherUnit = map[string]string{"°C": "°F", "MPa": "bar", "bar": "MPa", "mg/L": "g/L", "mm": "cm", "m3/h": "L/h", "L/h": "m3/h", "mA": "A", "A": "mA"}

// changes lists the mutations of one scalar.
func changes(key, text string, r *rules.Rule) []string {
	var out []string
	at := func(loc []int, by string) { out = append(out, text[:loc[0]]+by+text[loc[1]:]) }
	switch key {
	case "for", "clear_for", "after":
		for _, loc := range number.FindAllStringIndex(text, -1) {
			v, _ := strconv.ParseFloat(text[loc[0]:loc[1]], 64)
			if v == 0 {
				continue
			}
			at(loc, strconv.FormatFloat(2*v, 'f', -1, 64))
			at(loc, "0")
		}
		return out
	}
	for _, loc := range number.FindAllStringIndex(text, -1) {
		if inQuotes(text, loc[0]) || loc[0] > 0 && (text[loc[0]-1] == '_' || isLetter(text[loc[0]-1])) {
			continue
		}
		v, _ := strconv.ParseFloat(text[loc[0]:loc[1]], 64)
		if v == 0 {
			continue
		}
		if v == float64(int(v)) && v < 20 && isCount(text, loc[1]) {
			at(loc, strconv.Itoa(int(v)+1))
			if v > 1 {
				at(loc, strconv.Itoa(int(v)-1))
			}
			continue
		}
		at(loc, strconv.FormatFloat(v*1.2, 'g', 6, 64))
		at(loc, strconv.FormatFloat(v*0.8, 'g', 6, 64))
	}
	for _, loc := range unit.FindAllStringSubmatchIndex(text, -1) {
		at(loc[4:6], otherUnit[text[loc[4]:loc[5]]])
	}
	if key == "limit" {
		return out
	}
	for _, loc := range comparison.FindAllStringIndex(text, -1) {
		for _, by := range otherComparison[text[loc[0]:loc[1]]] {
			at(loc, by)
		}
	}
	for _, loc := range identifier.FindAllStringIndex(text, -1) {
		switch w := text[loc[0]:loc[1]]; w {
		case "and":
			at(loc, "or")
		case "or":
			at(loc, "and")
		case "not":
			at(loc, "")
		default:
			if other := sibling(w, r); other != "" {
				at(loc, other)
			}
		}
	}
	return out
}

// sibling is another role of the rule that could stand in a role's place.
func sibling(name string, r *rules.Rule) string {
	role := devices.RoleByName(name)
	if role == nil {
		return ""
	}
	for _, other := range r.Roles() {
		if o := devices.RoleByName(other); o != nil && other != name && o.Unit == role.Unit && o.Kind == role.Kind {
			return other
		}
	}
	return ""
}

func inQuotes(s string, at int) bool { return strings.Count(s[:at], `"`)%2 == 1 }

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// isCount tells a plain whole number from a quantity.
func isCount(s string, end int) bool {
	rest := strings.TrimLeft(s[end:], " ")
	return rest == "" || strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, ")") || strings.HasPrefix(rest, " and") || strings.HasPrefix(rest, " or")
}
