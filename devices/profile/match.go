package profile

import (
	"slices"
	"strings"
)

// A matcher finds the rules whose topic templates fit a topic. It is a trie
// over topic levels: the work per topic follows the number of its levels, not
// the number of profiles or devices.
type matcher struct{ root matchNode }

type matchNode struct {
	literal map[string]*matchNode
	any     *matchNode
	ends    []matchEntry
	// deep holds templates whose multi-level capture begins here, by their last
	// level when that is literal, else under "".
	deep map[string][]matchEntry
}

type matchEntry struct {
	template *topicTemplate
	rule     *topicRule
}

// topicRule is what a profile wants with the messages of some topics.
type topicRule struct {
	profile  *Profile
	kind     ruleKind
	index    int // dense over the set
	topics   []topicTemplate
	ignore   []topicTemplate
	captures captureTable
	scratch  int // captures of the ignore templates
	order    int // place in the set, for equal precedence
	also     bool

	source   *source
	remember *remember
	avail    *availability
	quality  *qualityTopic
}

type ruleKind uint8

const (
	sourceRule ruleKind = iota
	rememberRule
	availRule
	qualityRule
)

func (m *matcher) add(rule *topicRule) {
	for i := range rule.topics {
		t := &rule.topics[i]
		n := &m.root
		e := matchEntry{t, rule}
		for j := range t.levels {
			l := &t.levels[j]
			if j == t.many {
				last := ""
				if end := &t.levels[len(t.levels)-1]; len(t.levels)-1 > j && end.isLiteral() {
					last = end.text
				}
				if n.deep == nil {
					n.deep = make(map[string][]matchEntry)
				}
				n.deep[last] = append(n.deep[last], e)
				n = nil
				break
			}
			if l.isLiteral() {
				next := n.literal[l.text]
				if next == nil {
					if n.literal == nil {
						n.literal = make(map[string]*matchNode)
					}
					next = new(matchNode)
					n.literal[l.text] = next
				}
				n = next
				continue
			}
			if n.any == nil {
				n.any = new(matchNode)
			}
			n = n.any
		}
		if n != nil {
			n.ends = append(n.ends, e)
		}
	}
}

// matched is one rule that fits a topic, with its captures.
type matched struct {
	rule     *topicRule
	literal  int
	captures []string
}

// find returns the rules for a topic: what describes devices before what carries
// readings, then most literal levels first, then in the order of the set. The captures are substrings of the topic.
func (m *matcher) find(topic *splitTopic) []matched {
	var out []matched
	m.root.walk(topic, 0, &out)
	slices.SortStableFunc(out, func(a, b matched) int {
		if x, y := a.rule.kind == sourceRule, b.rule.kind == sourceRule; x != y {
			if x {
				return 1
			}
			return -1
		}
		if a.literal != b.literal {
			return b.literal - a.literal
		}
		return a.rule.order - b.rule.order
	})
	return out
}

func (n *matchNode) walk(topic *splitTopic, i int, out *[]matched) {
	if n.deep != nil && i < len(topic.levels) && !(i == 0 && strings.HasPrefix(topic.topic, "$")) {
		last := topic.levels[len(topic.levels)-1]
		if last != "" {
			collect(n.deep[last], topic, out)
		}
		collect(n.deep[""], topic, out)
	}
	if i == len(topic.levels) {
		collect(n.ends, topic, out)
		return
	}
	if next := n.literal[topic.levels[i]]; next != nil {
		next.walk(topic, i+1, out)
	}
	if n.any != nil && !(i == 0 && strings.HasPrefix(topic.topic, "$")) {
		n.any.walk(topic, i+1, out)
	}
}

func collect(entries []matchEntry, topic *splitTopic, out *[]matched) {
next:
	for _, e := range entries {
		captures := make([]string, len(e.rule.captures))
		if !e.template.match(topic, captures) {
			continue
		}
		scratch := make([]string, e.rule.scratch)
		for i := range e.rule.ignore {
			if e.rule.ignore[i].match(topic, scratch) {
				continue next
			}
		}
		for i := range *out { // two alternatives of one rule: the more specific one
			if have := &(*out)[i]; have.rule == e.rule {
				if e.template.literal > have.literal {
					*have = matched{e.rule, e.template.literal, captures}
				}
				continue next
			}
		}
		*out = append(*out, matched{e.rule, e.template.literal, captures})
	}
}

// filters are the MQTT filters of all rules, sorted, without those that another
// one covers.
func (m *matcher) filters(rules []*topicRule) []string {
	var all []string
	for _, r := range rules {
		for i := range r.topics {
			all = append(all, r.topics[i].filter())
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	var out []string
	for _, f := range all {
		if !slices.ContainsFunc(all, func(g string) bool { return g != f && covers(g, f) }) {
			out = append(out, f)
		}
	}
	return out
}

// covers reports whether filter a takes every topic that filter b takes.
func covers(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	if strings.HasPrefix(b, "$") && as[0] != bs[0] {
		return false
	}
	for i, l := range as {
		if l == "#" {
			return true
		}
		if i >= len(bs) || bs[i] == "#" || l != "+" && l != bs[i] {
			return false
		}
	}
	return len(as) == len(bs)
}
