package profile

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// Profile is one checked and compiled profile. It is immutable.
type Profile struct {
	ID    string // name/version
	Name  string
	File  string
	Title devices.Label
	Class string
	Spec  *File // as written, merged with what it extends

	index    int
	interval int64
	lateness int64 // the longest of its points
	silence  int64
	after    int64 // first believable time
	future   int64
	zone     *time.Location // nil: the site's
	rules    []*topicRule
	gone     bool
	pokes    []*poke
}

// source is a compiled SourceSpec.
type source struct {
	name  string
	chain *chain
	plan  *plan
	early []cond // guards that the message answers before its fields are decoded
	when  []cond
	parts []*part
}

// part is a compiled PartSpec.
type part struct {
	index      int // dense over the set
	when       []cond
	fans       []fan
	own        bool  // the scope is an element, not the message
	plan       *plan // of the scope
	by, value  *ref
	skip       []glob
	identity   *identity
	class      string
	times      []timeCandidate
	timesRoot  bool // candidates look at the whole message
	quality    *qualityOf
	historical bool
	points     []*point
	byKey      map[string]int
	bySlot     []int32 // slot → place of its point + 1, when every point has a slot of its own
	star       int
	needsMeta  bool
	keepValues bool // expressions use the values of points before theirs
}

type identity struct {
	device    *ref
	normalise []func(string) string
	static    bool
}

type cond struct {
	expr          *expression
	ref           *ref
	in            []value
	not           []value
	matches       *regexp.Regexp
	differs       *regexp.Regexp
	exists        *bool
	text          string // as written, for traces
	hasIn, hasNot bool
}

type qualityOf struct {
	ref      *ref
	byWord   map[string]devices.Quality
	fallback devices.Quality
}

var qualityWords = map[string]devices.Quality{"good": devices.Good, "uncertain": devices.Uncertain, "bad": devices.Bad}

// compiler compiles one profile of a set.
type compiler struct {
	*reader
	set   *Set
	p     *Profile
	spec  *File
	files func(name string) ([]byte, error)
	vars  map[string]string
}

func (c *compiler) profile() {
	s, p := c.spec, c.p
	p.Title, p.Class = s.Title, s.Class
	if s.Class != "" {
		c.oneOf(child(s.At, "class"), "class", s.Class, devices.Classes...)
	}
	p.interval = int64(s.Interval)
	p.after = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	p.future = int64(10 * time.Minute)
	if s.Plausible.After != "" {
		t, err := time.Parse(time.DateOnly, s.Plausible.After)
		if err != nil {
			c.hintf(child(s.Plausible.At, "after"), "for example 2020-01-01", "%q is no day", s.Plausible.After)
		}
		p.after = t.UnixNano()
	}
	if s.Plausible.Future > 0 {
		p.future = int64(s.Plausible.Future)
	}
	if s.TimeZone != "" {
		loc, site, err := parseZone(s.TimeZone)
		if err != nil {
			c.errorf(child(s.At, "timezone"), "%v", err)
		}
		if !site {
			p.zone = loc
		}
	}
	if s.Requires != "" && s.Requires != "engine>=1" {
		c.hintf(child(s.At, "requires"), "this program understands engine>=1", "the profile requires %s", s.Requires)
	}
	if len(s.Sources)+len(s.Availability)+len(s.Remember)+len(s.Quality) == 0 {
		c.errorf(s.At, "the profile has no sources")
	}
	for i := range s.Sources {
		c.source(&s.Sources[i])
	}
	for i := range s.Remember {
		c.remember(&s.Remember[i])
	}
	for i := range s.Availability {
		c.availability(&s.Availability[i])
	}
	for i := range s.Quality {
		c.qualityTopic(&s.Quality[i])
	}
	for i := range s.Poke {
		c.poke(&s.Poke[i])
	}
}

// rule compiles the topics of one rule.
func (c *compiler) rule(kind ruleKind, topics, ignore words) *topicRule {
	rule := &topicRule{profile: c.p, kind: kind}
	for _, t := range topics {
		alts, err := parseTopic(t.Text, c.vars, &rule.captures)
		if err != nil {
			c.errorf(t.At, "topic %q: %v", t.Text, err)
			continue
		}
		rule.topics = append(rule.topics, alts...)
	}
	var table captureTable
	for _, t := range ignore {
		alts, err := parseTopic(t.Text, c.vars, &table)
		if err != nil {
			c.errorf(t.At, "topic %q: %v", t.Text, err)
			continue
		}
		rule.ignore = append(rule.ignore, alts...)
	}
	rule.scratch = len(table)
	c.p.rules = append(c.p.rules, rule)
	return rule
}

func (c *compiler) source(s *SourceSpec) {
	if len(s.Topic) == 0 {
		c.hintf(s.At, `topic: "meters/{device}/telemetry"`, "the source has no topic")
	}
	rule := c.rule(sourceRule, s.Topic, s.Ignore)
	rule.also = s.Also
	src := &source{name: s.Name, plan: newPlan()}
	if src.name == "" && len(s.Topic) > 0 {
		src.name = s.Topic[0].Text
	}
	rule.source = src
	src.chain = c.chain(s.Decode, "json")
	root := c.names(rule, src.plan)
	src.when = c.when(&s.When, root)
	src.early = c.early(s, rule)
	s.PartSpec.At = s.At
	if len(s.Parts) > 0 && len(s.Fanout) > 0 {
		c.hintf(child(s.At, "fanout"), "move this fan-out into an item of parts", "a source has either a fan-out of its own or parts")
	}
	if len(s.Points) > 0 || len(s.Parts) == 0 {
		src.parts = append(src.parts, c.part(&s.PartSpec, nil, rule, src.plan))
	}
	for i := range s.Parts {
		p := c.part(&s.Parts[i], &s.PartSpec, rule, src.plan)
		p.when = c.when(&s.Parts[i].When, root)
		src.parts = append(src.parts, p)
	}
	for _, p := range src.parts { // the plan has all its slots now
		p.indexSlots()
	}
}

// early compiles the guards that look at the message as it came. Testing them
// before fields are decoded tells "not meant for me" from "cannot be decoded".
func (c *compiler) early(s *SourceSpec, rule *topicRule) []cond {
	if len(s.Decode) < 2 || s.Decode[0].Name != "json" {
		return nil
	}
	var fields []string
	for _, st := range s.Decode[1:] {
		if st.Name != "field" {
			return nil
		}
		fields = append(fields, st.Into)
	}
	var spec WhenSpec
	for _, k := range s.When.All {
		if k.Path == nil || k.Expr != "" || (*k.Path) == "" || (*k.Path)[0] == '$' {
			continue
		}
		if first, _, _ := strings.Cut(*k.Path, "."); !slices.Contains(fields, first) {
			spec.All = append(spec.All, k)
		}
	}
	names := c.names(rule, newPlan())
	names.plan = nil
	return c.when(&spec, names)
}

func (c *compiler) names(rule *topicRule, root *plan) *scopeNames {
	return &scopeNames{r: c.reader, captures: rule.captures, vars: c.vars, plan: root, root: root}
}

func (c *compiler) when(s *WhenSpec, names *scopeNames) []cond {
	var out []cond
	for i := range s.All {
		cs := &s.All[i]
		var k cond
		if cs.Expr != "" {
			k.expr = names.expression(cs.At, cs.Expr)
			k.text = cs.Expr
		}
		if cs.Path != nil {
			k.ref = names.path(child(cs.At, "path"), *cs.Path)
			k.text = *cs.Path
		}
		k.in = append(append(k.in, cs.In...), cs.Equals...)
		k.hasIn = len(k.in) > 0
		k.not, k.hasNot = cs.Not, len(cs.Not) > 0
		k.exists = cs.Exists
		if cs.Matches != "" {
			re, err := regexp.Compile(cs.Matches)
			if err != nil {
				c.errorf(child(cs.At, "matches"), "%v", err)
			}
			k.matches = re
		}
		if cs.Differs != "" {
			re, err := regexp.Compile(cs.Differs)
			if err != nil {
				c.errorf(child(cs.At, "not_matches"), "%v", err)
			}
			k.differs = re
		}
		if k.ref != nil && !k.hasIn && !k.hasNot && k.exists == nil && k.matches == nil && k.differs == nil {
			c.hintf(cs.At, "in: […], equals: …, not: […], matches: …, or exists: true", "the condition does not say what %s must be", *cs.Path)
		}
		out = append(out, k)
	}
	return out
}

func (c *compiler) qualityOf(s *QualityOf, names *scopeNames) *qualityOf {
	q := &qualityOf{byWord: qualityWords, fallback: devices.Good}
	q.ref = names.ref(&RefSpec{At: s.At, Path: s.Path, Expr: s.Expr})
	if s.Path == nil && s.Expr == "" {
		c.hintf(s.At, "quality: {path: status, map: {ok: good, else: bad}}", "quality needs a path or an expression")
	}
	if len(s.Map) > 0 {
		q.byWord = make(map[string]devices.Quality, len(s.Map))
		for _, e := range s.Map {
			word, ok := qualityWords[e.Value]
			if !ok {
				c.oneOf(e.At, "quality", e.Value, slices.Sorted(maps.Keys(qualityWords))...)
			}
			if e.Key == "else" {
				q.fallback = word
				continue
			}
			q.byWord[e.Key] = word
		}
	}
	return q
}

// glob is a word in which * stands for any text, cut at the stars.
type glob []string

func newGlob(s string) glob { return strings.Split(s, "*") }

func (g glob) match(s string) bool {
	if len(g) == 1 {
		return s == g[0]
	}
	rest, ok := strings.CutPrefix(s, g[0])
	if !ok {
		return false
	}
	for _, part := range g[1 : len(g)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, g[len(g)-1])
}

// profileID checks name/version.
func (c *compiler) profileID(n *yaml.Node, id string) {
	name, version, ok := strings.Cut(id, "/")
	if _, err := strconv.Atoi(version); !ok || err != nil || name == "" || strings.ContainsAny(name, " /") {
		c.report(n, diag.Error, "the id "+strconv.Quote(id)+" is not name/version", "for example maker-model/1")
	}
}
