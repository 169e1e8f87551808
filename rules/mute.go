package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// A Mute keeps rules of some fault classes from opening anything on an asset while
// the asset itself says that this would be wrong: a lift in inspection, a fire
// panel under test. Unlike only_while the rules go on looking: what would have
// opened can be listed, and is looked at again when the mute is over. An unknown
// condition mutes nothing, nor is a rule muted that looks at no point (silence, a
// service that is due).
type Mute struct {
	ID           string
	Title        devices.Label
	Classes      []string // classes of asset it is for, or AnyClass
	FaultClasses []*FaultClass
	While        string // condition, as written
	Source       Source
	File         string
	Line         int

	node *yaml.Node
	rd   *reader
}

// A muteUse is a mute compiled for one rule.
type muteUse struct {
	mute *Mute
	cond Condition
}

// muteNow evaluates the mutes of a rule and returns the first that holds.
func (r *Rule) muteNow(c *evalContext) (m *Mute) {
	for k := range r.mutes {
		u := &r.mutes[k]
		if u.cond.eval(c) == True && m == nil {
			m = u.mute
		}
	}
	return m
}

func (rd *reader) mute(n *yaml.Node) *Mute {
	f := rd.fields(n, "a mute", "id", "title", "class", "fault_classes", "while", "source")
	if n.Kind != yaml.MappingNode {
		return nil
	}
	m := &Mute{ID: rd.text(f["id"]), Title: rd.label(f["title"], "title"), Source: rd.source(f["source"], n), File: rd.file, Line: n.Line, rd: rd}
	if !validID(m.ID) {
		rd.errorf(n, "small letters, digits and hyphens, such as lift-in-inspection", "a mute needs an id, %q is none", m.ID)
	}
	if f["title"] == nil {
		rd.errorf(n, "title: {en: …, zh: …}", "mute %q has no title", m.ID)
	}
	for _, x := range rd.texts(f["fault_classes"]) {
		if fc := FaultClassByID(x.Value); fc != nil {
			m.FaultClasses = append(m.FaultClasses, fc)
		} else {
			rd.errorf(x, diag.DidYouMean(x.Value, faultClassIDs()), "unknown fault class %q", x.Value)
		}
	}
	if len(m.FaultClasses) == 0 {
		rd.errorf(n, "fault_classes: [lift.door]", "mute %q does not say which fault classes it mutes", m.ID)
	}
	for _, c := range rd.texts(f["class"]) {
		if c.Value != AnyClass && !slices.Contains(devices.Classes, c.Value) {
			rd.errorf(c, diag.DidYouMean(c.Value, append(slices.Clone(devices.Classes), AnyClass)), "unknown class %q", c.Value)
		}
		m.Classes = append(m.Classes, c.Value)
	}
	if len(m.Classes) == 0 {
		rd.errorf(n, "class: elevator, or class: any", "mute %q does not say for which class of asset it is", m.ID)
	}
	if m.node = f["while"]; m.node == nil {
		rd.errorf(n, "while: service_mode == \"inspection\"", "mute %q has no while", m.ID)
		return m
	}
	m.While = rd.text(m.node)
	// Mistakes are said once, not for every rule that it mutes.
	alone := &Rule{Classes: m.Classes}
	if _, ok := rd.condition(&compiler{rule: alone, diags: rd.diags, filename: rd.file}, m.node); !ok {
		m.node = nil
	}
	if len(alone.facts) > 0 {
		rd.errorf(m.node, "use roles only", "a mute knows no facts: the rules that it mutes would be off where %s is not given", alone.facts[0].Name)
		m.node = nil
	}
	return m
}

func (s *Set) addMutes(list []*Mute, diags *diag.List) {
	for _, m := range list {
		if k := slices.IndexFunc(s.Mutes, func(o *Mute) bool { return o.ID == m.ID }); k >= 0 {
			diags.Add(diag.Diagnostic{File: m.File, Line: m.Line, Column: 1, Message: fmt.Sprintf("mute %q comes twice, first in %s:%d", m.ID, s.Mutes[k].File, s.Mutes[k].Line)})
			continue
		}
		s.Mutes = append(s.Mutes, m)
	}
}

// meets tells whether a rule for some classes of asset is for one of others too.
func meets(a, b []string) bool {
	return slices.Contains(a, AnyClass) || slices.Contains(b, AnyClass) || slices.ContainsFunc(a, func(c string) bool { return slices.Contains(b, c) })
}

// muteRules gives every rule the mutes of its fault class.
func (s *Set) muteRules() {
	for _, r := range s.Rules {
		for _, m := range s.Mutes {
			if m.node == nil || r.own == 0 || !slices.Contains(m.FaultClasses, r.FaultClass) || !meets(m.Classes, r.Classes) {
				continue
			}
			var said diag.List // said already
			cond, ok := m.rd.condition(&compiler{rule: r, diags: &said, filename: m.File}, m.node)
			if !ok || len(r.roles) > maxRoles {
				continue
			}
			r.mutes = append(r.mutes, muteUse{m, cond})
			sum := sha256.Sum256([]byte(r.Version + " " + m.ID + " " + m.While))
			r.Version = hex.EncodeToString(sum[:])[:16]
		}
	}
}
