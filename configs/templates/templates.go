// Package templates holds the shipped work-order templates, one per fault class,
// and reads a site's own.
package templates

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

//go:embed *.yaml
var shipped embed.FS

// A Source is one file of templates.
type Source struct {
	Name string
	Data []byte
}

// A Set holds the template of every fault class that has one.
type Set map[string]*ticketing.Template

type entry struct {
	At        document.Pos
	Source    string          `yaml:"source"`
	Skill     string          `yaml:"skill"`
	Signature bool            `yaml:"signature"`
	Verify    verification    `yaml:"verify"`
	First     []devices.Label `yaml:"first"`
	Safety    []devices.Label `yaml:"safety"`
	Checklist []check         `yaml:"checklist"`
	Parts     []devices.Label `yaml:"parts"`
}

type verification struct {
	At     document.Pos
	For    duration `yaml:"for"`
	Cycles int      `yaml:"cycles"`
	Role   string   `yaml:"role"`
}

type check struct {
	At    document.Pos
	EN    string        `yaml:"en"`
	ZH    string        `yaml:"zh"`
	Unit  string        `yaml:"unit"`
	Min   *float64      `yaml:"min"`
	Max   *float64      `yaml:"max"`
	Limit devices.Label `yaml:"limit"`
	Ref   string        `yaml:"ref"`
	Photo bool          `yaml:"photo"`
	Key   bool          `yaml:"key"`
}

// duration reads 90s, 15m, 48h.
type duration time.Duration

// UnmarshalText reads a length of time.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a length of time: write for example 30m or 48h", text)
	}
	*d = duration(v)
	return nil
}

// proves finds the items that are tests or measurements for the record: the job is
// not finished without them, and a picture shows them (reading of TSG T5002-2017
// for lifts; own judgement beyond).
var proves = regexp.MustCompile("试验|测试|校验|检测([^器仪]|$)")

// Shipped returns the templates that come with facilityd.
func Shipped() (Set, diag.List) {
	names, err := fs.Glob(shipped, "*.yaml")
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	var files []Source
	for _, name := range names {
		data, err := shipped.ReadFile(name)
		if err != nil {
			return nil, diag.List{{File: name, Message: err.Error()}}
		}
		files = append(files, Source{"templates/" + name, data})
	}
	return Load(files)
}

// Load reads templates; a later file replaces the template of an earlier one.
func Load(files []Source) (Set, diag.List) {
	set := Set{}
	var list diag.List
	for _, f := range files {
		doc := map[string]entry{}
		list = append(list, document.Decode(f.Name, f.Data, &doc)...)
		for _, id := range slices.Sorted(maps.Keys(doc)) {
			e := doc[id]
			e.check(f.Name, id, &list)
			set[id] = e.template(id)
		}
	}
	list.Sort()
	return set, list
}

func (e *entry) check(file, id string, list *diag.List) {
	bad := func(p document.Pos, message, hint string) { list.Add(p.Error(file, id+": "+message, hint)) }
	if rules.FaultClassByID(id) == nil {
		ids := make([]string, len(rules.FaultClasses))
		for i := range rules.FaultClasses {
			ids[i] = rules.FaultClasses[i].ID
		}
		bad(e.At, "there is no such fault class", diag.DidYouMean(id, ids))
	}
	if !slices.Contains(ticketing.Skills, e.Skill) {
		bad(e.At, fmt.Sprintf("skill %q is not known", e.Skill), diag.DidYouMean(e.Skill, ticketing.Skills))
	}
	if e.Source == "" {
		bad(e.At, "source is missing", "say where it comes from, or (j) for own judgement")
	}
	if len(e.First) == 0 || len(e.Checklist) == 0 || len(e.Safety) == 0 {
		bad(e.At, "first, safety and checklist each need an item", "")
	}
	if e.Verify.For <= 0 {
		bad(e.At, "verify.for is missing", "say how long the fault must stay away, for example 24h")
	}
	if r := e.Verify.Role; (e.Verify.Cycles > 0) != (r != "") {
		bad(e.Verify.At, "verify.cycles and verify.role go together", "name the counter whose cycles count")
	} else if role := devices.RoleByName(r); r != "" && (role == nil || role.Kind != devices.Counter) {
		bad(e.Verify.At, fmt.Sprintf("verify.role %q is not a counter of the role vocabulary", r), "")
	}
	for _, l := range slices.Concat(e.First, e.Safety, e.Parts) {
		if l.EN == "" || l.ZH == "" {
			bad(e.At, fmt.Sprintf("%q lacks a language", l.EN+l.ZH), "give en and zh")
		}
	}
	for _, c := range e.Checklist {
		if c.EN == "" || c.ZH == "" {
			bad(c.At, fmt.Sprintf("%q lacks a language", c.EN+c.ZH), "give en and zh")
		}
		if (c.Limit.EN == "") != (c.Limit.ZH == "") {
			bad(c.At, fmt.Sprintf("the limit %q lacks a language", c.Limit.EN+c.Limit.ZH), "give en and zh")
		}
		if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
			bad(c.At, fmt.Sprintf("%s: min %v is above max %v", c.EN, *c.Min, *c.Max), "")
		}
		if proves.MatchString(c.ZH) && !(c.Key && c.Photo) {
			bad(c.At, fmt.Sprintf("%q is a test, and those are shown", c.EN), "give key: true and photo: true")
		}
	}
}

func (e *entry) template(id string) *ticketing.Template {
	t := &ticketing.Template{
		FaultClass: id, Source: e.Source, Skill: e.Skill, Signature: e.Signature, First: e.First, Safety: e.Safety, Parts: e.Parts,
		Verify: ticketing.Verification{For: time.Duration(e.Verify.For), Cycles: e.Verify.Cycles, Role: e.Verify.Role},
	}
	for _, c := range e.Checklist {
		t.Checklist = append(t.Checklist, ticketing.Check{Text: devices.Label{EN: c.EN, ZH: c.ZH}, Unit: c.Unit, Min: c.Min, Max: c.Max, Limit: c.Limit, Ref: c.Ref, Photo: c.Photo, Key: c.Key})
	}
	return t
}
