package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// File is the text of one rule file.
type File struct {
	Name string
	Data []byte
}

// LoadOptions are what a checker needs to know beside the files.
type LoadOptions struct {
	// Timing is how engines with this set wait; zero fields are the defaults.
	Timing Timing
}

// Load parses, checks and compiles rule files. The list holds everything that
// was found, in all files; the set is nil when any of it is an error.
func Load(files []File, opts LoadOptions) (*Set, diag.List) {
	var diags diag.List
	set := &Set{Timing: opts.Timing}
	seen := make(map[string]*Rule)
	for _, f := range files {
		list, mutes := loadFile(f, &diags)
		set.addMutes(mutes, &diags)
		for _, r := range list {
			if other := seen[r.ID]; other != nil {
				diags.Add(diag.Diagnostic{File: r.File, Line: r.Line, Column: 1, Message: fmt.Sprintf("rule %q comes twice, first in %s:%d", r.ID, other.File, other.Line)})
				continue
			}
			seen[r.ID] = r
			set.Rules = append(set.Rules, r)
		}
	}
	slices.SortFunc(set.Rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	set.muteRules()
	for i, r := range set.Rules {
		r.index = i
	}
	diags.Sort()
	if diags.HasErrors() {
		return nil, diags
	}
	return set, diags
}

// Switch turns a rule on or off, whatever its file says. It is for whoever makes
// the set, before an engine has it; ok is false when there is no such rule.
func (s *Set) Switch(id string, on bool) (ok bool) {
	r := s.Rule(id)
	if r == nil {
		return false
	}
	r.Enabled = on
	return true
}

// maxRoles bounds the roles that one rule reads.
const maxRoles = 64

// maxFile bounds a rule file.
const maxFile = 4 << 20

func loadFile(f File, diags *diag.List) (list []*Rule, mutes []*Mute) {
	rd := &reader{file: f.Name, lines: strings.Split(string(f.Data), "\n"), diags: diags}
	if len(f.Data) > maxFile {
		diags.Add(diag.Diagnostic{File: f.Name, Message: "the file is larger than 4 MB"})
		return nil, nil
	}
	dec, err := yaml.NewLoader(bytes.NewReader(f.Data))
	var doc yaml.Node
	if err == nil {
		err = dec.Load(&doc)
	}
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		diags.Add(diag.Diagnostic{File: f.Name, Line: 1, Column: 1, Message: "the file is empty", Hint: "rules: [...]"})
		return nil, nil
	}
	if err != nil {
		diags.Add(yamlDiagnostic(f.Name, err))
		return nil, nil
	}
	root := doc.Content[0]
	if n := firstAlias(root); n != nil {
		rd.errorf(n, "write it out", "anchors and aliases are not used in rule files")
		return nil, nil
	}
	top := rd.fields(root, "a rule file", "rules", "mutes")
	if root.Kind == yaml.MappingNode && top["rules"] == nil && top["mutes"] == nil {
		rd.errorf(root, "", "no rules in this file")
	}
	for _, n := range rd.list(top["mutes"], "mutes") {
		if m := rd.mute(n); m != nil {
			mutes = append(mutes, m)
		}
	}
	for _, n := range rd.list(top["rules"], "rules") {
		if r := rd.rule(n); r != nil {
			list = append(list, r)
		}
	}
	return list, mutes
}

func firstAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, c := range n.Content {
		if a := firstAlias(c); a != nil {
			return a
		}
	}
	return nil
}

// yamlDiagnostic takes the position out of the YAML library's error.
func yamlDiagnostic(name string, err error) diag.Diagnostic {
	d := diag.Diagnostic{File: name, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if _, e := fmt.Sscanf(d.Message, "line %d", &d.Line); e == nil {
		d.Column = 1
	}
	return d
}

var ruleKeys = []string{
	"id", "ref", "title", "fault_class", "explains", "class", "source", "enabled", "shadow", "limits",
	"only_while", "thresholds", "severity", "when", "for", "clear", "clear_for",
	"meaning", "check_first", "if_ignored", "tests", "budget",
}

func (rd *reader) rule(n *yaml.Node) *Rule {
	f := rd.fields(n, "a rule", ruleKeys...)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	r := &Rule{
		ID: rd.text(f["id"]), Ref: rd.text(f["ref"]), File: rd.file, Line: n.Line,
		Title: rd.label(f["title"], "title"), Meaning: rd.label(f["meaning"], "meaning"),
		CheckFirst: rd.label(f["check_first"], "check_first"), IfIgnored: rd.label(f["if_ignored"], "if_ignored"),
		Enabled: rd.flag(f["enabled"], true), Shadow: rd.flag(f["shadow"], false),
	}
	if !validID(r.ID) {
		at := n
		if f["id"] != nil {
			at = f["id"]
		}
		rd.errorf(at, "small letters, digits and hyphens, such as pump-bearing-hot", "a rule needs an id, %q is none", r.ID)
	}
	if f["title"] == nil {
		rd.errorf(n, "title: {en: …, zh: …}", "rule %q has no title", r.ID)
	}
	rd.classification(r, n, f)
	r.Source = rd.source(f["source"], n)
	r.Version = version(n)
	rd.limits(r, f["limits"])
	c := &compiler{rule: r, diags: rd.diags, filename: rd.file}
	rd.onlyWhile(r, c, f["only_while"])
	rd.thresholds(r, c, n, f)
	rd.budget(r, f["budget"])
	if f["tests"] != nil {
		rd.scenarios(r, f["tests"])
	}
	for i := range r.Limits {
		if !r.Limits[i].used {
			rd.add(diag.Warning, f["limits"], "", "limit %q is not used", r.Limits[i].Name)
		}
	}
	r.own = len(r.roles)
	if len(r.roles) > maxRoles {
		rd.errorf(n, "make two rules of it", "rule %q reads more than %d roles", r.ID, maxRoles)
	}
	if len(r.roles) == 0 && len(r.Thresholds) > 0 {
		r.clock = true
	}
	if len(r.related) > 0 && !slices.ContainsFunc(r.roles, func(u roleUse) bool { return u.anchor }) {
		rd.errorf(n, "compare them with a value of the asset", "rule %q asks of related assets only, and nothing of the asset itself", r.ID)
	}
	if r.silence && len(r.roles) > 0 {
		rd.errorf(n, "make two rules of it", "rule %q mixes silence, which follows the clock, with readings", r.ID)
	}
	return r
}

func validID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

func (rd *reader) classification(r *Rule, n *yaml.Node, f map[string]*yaml.Node) {
	if fc := f["fault_class"]; fc == nil {
		rd.errorf(n, "", "rule %q has no fault_class", r.ID)
	} else if r.FaultClass = FaultClassByID(fc.Value); r.FaultClass == nil {
		rd.errorf(fc, diag.DidYouMean(fc.Value, faultClassIDs()), "unknown fault class %q", fc.Value)
	}
	for _, x := range rd.texts(f["explains"]) {
		if fc := FaultClassByID(x.Value); fc != nil {
			r.Explains = append(r.Explains, fc)
		} else {
			rd.errorf(x, diag.DidYouMean(x.Value, faultClassIDs()), "unknown fault class %q", x.Value)
		}
	}
	if f["class"] == nil {
		rd.errorf(n, "class: pump, or class: any", "rule %q does not say for which class of asset it is", r.ID)
	}
	for _, c := range rd.texts(f["class"]) {
		if c.Value != AnyClass && !slices.Contains(devices.Classes, c.Value) {
			rd.errorf(c, diag.DidYouMean(c.Value, append(slices.Clone(devices.Classes), AnyClass)), "unknown class %q", c.Value)
		}
		r.Classes = append(r.Classes, c.Value)
	}
}

func faultClassIDs() []string {
	ids := make([]string, len(FaultClasses))
	for k, c := range FaultClasses {
		ids[k] = c.ID
	}
	return ids
}

func (rd *reader) source(n, rule *yaml.Node) Source {
	if n == nil {
		rd.add(diag.Warning, rule, "source: {text: …, mark: j}", "the rule does not say where its numbers come from")
		return Source{Mark: "j"}
	}
	f := rd.fields(n, "source", "text", "mark")
	s := Source{Text: rd.text(f["text"]), Mark: rd.text(f["mark"])}
	if s.Mark != "v" && s.Mark != "c" && s.Mark != "k" && s.Mark != "j" {
		rd.errorf(n, "v read in the source, c read in code that cites it, k general knowledge, j our judgement", "mark %q is none of v, c, k, j", s.Mark)
	}
	return s
}

// version is the hash of a rule's text.
func version(n *yaml.Node) string {
	h := sha256.New()
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		fmt.Fprintf(h, "%d %q\n", n.Kind, n.Value)
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(n)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func (rd *reader) limits(r *Rule, n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		rd.errorf(n, "limits: {warn: 70 °C}", "limits must be a mapping")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i].Value, n.Content[i+1]
		l := Limit{Name: name, Source: r.Source}
		if v.Kind == yaml.MappingNode {
			f := rd.fields(v, "limit "+name, "value", "source", "mark")
			if f["source"] != nil || f["mark"] != nil {
				l.Source = Source{Text: rd.text(f["source"]), Mark: rd.text(f["mark"])}
			}
			if v = f["value"]; v == nil {
				rd.errorf(n.Content[i], "", "limit %q has no value", name)
				continue
			}
		}
		var ok bool
		if l.Value, l.Unit, ok = rd.quantity(v); ok {
			r.Limits = append(r.Limits, l)
		}
	}
}

func (rd *reader) onlyWhile(r *Rule, c *compiler, n *yaml.Node) {
	if n == nil {
		return
	}
	when := n
	if n.Kind == yaml.MappingNode {
		f := rd.fields(n, "only_while", "when", "after")
		r.After = rd.duration(f["after"])
		if when = f["when"]; when == nil {
			rd.errorf(n, "", "only_while has no when")
			return
		}
	}
	if cond, ok := rd.condition(c, when); ok {
		r.OnlyWhile = &cond
	}
}

func (rd *reader) condition(c *compiler, n *yaml.Node) (Condition, bool) {
	src := rd.text(n)
	if strings.TrimSpace(src) == "" {
		rd.errorf(n, "", "the condition is empty")
		return Condition{}, false
	}
	c.pos = rd.position(n)
	cond, ok := c.condition(src)
	cond.Text = strings.TrimSpace(src)
	return cond, ok
}

func (rd *reader) thresholds(r *Rule, c *compiler, n *yaml.Node, f map[string]*yaml.Node) {
	single := f["when"] != nil || f["severity"] != nil
	if single == (f["thresholds"] != nil) {
		rd.errorf(n, "", "rule %q needs either thresholds or one severity with its when", r.ID)
		return
	}
	if single {
		rd.threshold(r, c, n, f)
		return
	}
	for _, t := range rd.list(f["thresholds"], "thresholds") {
		rd.threshold(r, c, t, rd.fields(t, "a threshold", "severity", "when", "for", "clear", "clear_for"))
	}
	if len(r.Thresholds) == 0 {
		rd.errorf(f["thresholds"], "", "rule %q has no thresholds", r.ID)
	}
	slices.SortStableFunc(r.Thresholds, func(a, b Threshold) int { return int(b.Severity) - int(a.Severity) })
	for i := 1; i < len(r.Thresholds); i++ {
		if r.Thresholds[i].Severity == r.Thresholds[i-1].Severity {
			rd.errorf(f["thresholds"], "join their conditions with or", "severity %s comes twice", r.Thresholds[i].Severity)
		}
	}
}

func (rd *reader) threshold(r *Rule, c *compiler, n *yaml.Node, f map[string]*yaml.Node) {
	var t Threshold
	t.For, t.forLimit = rd.delay(r, f["for"])
	t.ClearFor, t.clearLimit = rd.delay(r, f["clear_for"])
	ok := true
	if s := f["severity"]; s == nil {
		rd.errorf(n, "severity: critical, high, medium or low", "the threshold has no severity")
		ok = false
	} else if t.Severity, ok = ParseSeverity(s.Value); !ok {
		rd.errorf(s, diag.DidYouMean(s.Value, severityNames[1:]), "unknown severity %q", s.Value)
	}
	if f["when"] == nil {
		rd.errorf(n, "", "the threshold has no when")
		ok = false
	} else {
		var good bool
		c.anchor = true
		t.When, good = rd.condition(c, f["when"])
		c.anchor = false
		ok = ok && good
	}
	if f["clear"] != nil {
		c.clearing = true
		clear, good := rd.condition(c, f["clear"])
		c.clearing = false
		t.Clear = &clear
		ok = ok && good
	}
	if ok {
		r.Thresholds = append(r.Thresholds, t)
	}
}

// delay reads a duration, or limit.NAME for a limit that is a time; limit is
// counted from 1.
func (rd *reader) delay(r *Rule, n *yaml.Node) (d time.Duration, limit int) {
	if n == nil {
		return 0, 0
	}
	name, named := strings.CutPrefix(rd.text(n), "limit.")
	if !named {
		return rd.duration(n), 0
	}
	k := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Name == name })
	if k < 0 {
		var known []string
		for _, l := range r.Limits {
			known = append(known, l.Name)
		}
		rd.errorf(n, diag.DidYouMean(name, known), "unknown limit %q", name)
		return 0, 0
	}
	r.Limits[k].used = true
	s, ok := toUnit(r.Limits[k].Value, r.Limits[k].Unit, "s")
	if !ok || s < 0 || s > maxDuration.Seconds() {
		rd.errorf(n, "give it a time, such as "+name+": 5 min", "limit %s is no length of time", r.Limits[k].String())
		return 0, 0
	}
	return time.Duration(s * float64(time.Second)), k + 1
}
