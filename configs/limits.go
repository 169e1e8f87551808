package configs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// limitEntries are limits by the id of their rule, then by name.
type limitEntries map[string]map[string]limitEntry

// limitEntry is "75 °C", or the same with where it comes from and who set it.
type limitEntry struct {
	Pos    document.Pos
	Value  string `yaml:"value"`
	Source string `yaml:"source"`
	Mark   string `yaml:"mark"`
	By     string `yaml:"by"`
	At     string `yaml:"at"`
}

// UnmarshalText reads the short form.
func (l *limitEntry) UnmarshalText(text []byte) error { l.Value = string(text); return nil }

const limitForm = "write hot: 75 °C, or hot: {value: 75 °C, source: …, mark: j, by: li.na, at: 2026-03-01}"

// read takes the limits under a path of the file. Whether there are such rules
// and limits is seen when the rules are known.
func (all limitEntries) read(path string, places map[string]document.Pos, bad func(document.Pos, string, string)) devices.Limits {
	if len(all) == 0 {
		return nil
	}
	out := make(devices.Limits, len(all))
	for _, rule := range slices.Sorted(maps.Keys(all)) {
		out[rule] = make(map[string]devices.Limit, len(all[rule]))
		for _, name := range slices.Sorted(maps.Keys(all[rule])) {
			e := all[rule][name]
			at := func(key string) document.Pos {
				if p, ok := places[path+"."+rule+"."+name+"."+key]; ok {
					return p
				}
				return e.Pos
			}
			l := devices.Limit{Source: e.Source, Mark: e.Mark, By: e.By}
			number, unit := splitQuantity(e.Value)
			var err error
			switch l.Value, err = strconv.ParseFloat(number, 64); {
			case err != nil:
				bad(at("value"), fmt.Sprintf("limit %s of %s is %q", name, rule, e.Value), limitForm)
				continue
			case unit != "" && devices.UnitByCode(unit) == nil:
				bad(at("value"), fmt.Sprintf("limit %s of %s has the unknown unit %q", name, rule, unit), diag.DidYouMean(unit, devices.UnitWords()))
				continue
			case unit != "":
				l.Unit = devices.UnitByCode(unit).Code
			}
			if e.Mark != "" && !slices.Contains([]string{"v", "c", "k", "j"}, e.Mark) {
				bad(at("mark"), fmt.Sprintf("mark is %q", e.Mark), "v read in the source, c read in code that cites it, k general knowledge, j our judgement")
			}
			if e.At != "" {
				day, err := time.Parse(time.DateOnly, e.At)
				if err != nil {
					bad(at("at"), fmt.Sprintf("at is %q", e.At), "a day such as 2026-03-01")
				}
				l.At = devices.DateOf(day)
			}
			out[rule][name] = l
		}
	}
	return out
}

// splitQuantity cuts "75 °C" into its number and its unit.
func splitQuantity(text string) (number, unit string) {
	text = strings.TrimSpace(text)
	k := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.+-", r) })
	if k < 0 {
		return text, ""
	}
	return text[:k], strings.TrimSpace(text[k:])
}

// checkLimits finds limits of a site that no rule has, that have another unit
// than their rule's, or with which the rule cannot mean what it says.
func checkLimits(site *devices.Site, file File, set *rules.Set) diag.List {
	var list diag.List
	if set == nil {
		return nil
	}
	keys, values := document.Keys(file.Data), document.Places(file.Data)
	check := func(path string, own devices.Limits, layers ...devices.Limits) {
		for _, id := range slices.Sorted(maps.Keys(own)) {
			at := path + "." + id
			r := set.Rule(id)
			if r == nil {
				list.Add(keys[at].Error(file.Name, fmt.Sprintf("limits are set for the unknown rule %q", id), diag.DidYouMean(id, set.IDs())))
				continue
			}
			fits := true
			for _, name := range slices.Sorted(maps.Keys(own[id])) {
				l := r.Limit(name)
				if l == nil {
					fits = false
					list.Add(keys[at+"."+name].Error(file.Name, fmt.Sprintf("rule %s has no limit %q", id, name), limitHint(r, name)))
					continue
				}
				if _, ok := l.Take(own[id][name]); !ok {
					fits = false
					p, long := values[at+"."+name+".value"]
					if !long {
						p = values[at+"."+name]
					}
					list.Add(p.Error(file.Name, fmt.Sprintf("limit %s of %s is %s", name, id, rules.WithUnit(own[id][name].Value, own[id][name].Unit)), "the rule has "+l.String()))
				}
			}
			if !fits {
				continue
			}
			for _, d := range r.TryLimits(layers...) {
				d.File, d.Line, d.Column = file.Name, keys[at].Line, keys[at].Column
				list.Add(d)
			}
		}
	}
	check("limits", site.Limits, site.Limits)
	for k := range site.Assets {
		check(fmt.Sprintf("assets[%d].limits", k), site.Assets[k].Limits, site.Limits, site.Assets[k].Limits)
	}
	return list
}

func limitHint(r *rules.Rule, name string) string {
	if len(r.Limits) == 0 {
		return "it has no limits at all"
	}
	names := make([]string, len(r.Limits))
	for k := range r.Limits {
		names[k] = r.Limits[k].Name
	}
	return diag.DidYouMean(name, names)
}
