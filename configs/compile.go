package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// A Bundle is the configuration of one site, checked and compiled. It is never
// changed; a reload makes a new one.
type Bundle struct {
	Hash    string
	Content *Content
	Site    *devices.Site
	// SLA is how long the orders of the site may take, Calendar when its people work.
	SLA      *ticketing.Policy
	Calendar *calendar.Calendar
	Profiles *profile.Set
	Rules    *rules.Set
	// Tasks are facts about assets that a person has to provide before a rule
	// is switched on.
	Tasks diag.List
}

// Compile checks everything in a content together. The bundle is usable when no
// finding is an error; tasks are in the bundle, not in the findings.
func Compile(c *Content) (*Bundle, diag.List) {
	b := &Bundle{Hash: c.Hash(), Content: c}
	var list, more diag.List
	b.Site, b.SLA, list = parseSite(c.Site.Name, c.Site.Data, c.Used)
	b.Calendar = ticketing.CalendarOf(b.Site)
	var profiles []profile.Source
	for _, f := range c.Profiles {
		profiles = append(profiles, profile.Source{Name: f.Name, Data: f.Data})
	}
	b.Profiles, more = profile.Load(profiles, profile.LoadOptions{})
	list = append(list, more...)
	if b.Profiles != nil && len(b.Site.ProfileVars) > 0 {
		// The tests inside the profiles have run, with the profiles' own words.
		list = append(list, unknownProfiles(c.Site.Name, b)...)
		b.Profiles, more = profile.Load(profiles, profile.LoadOptions{Vars: b.Site.ProfileVars, SkipTests: true})
		list = append(list, more...)
	}
	var files []rules.File
	for _, f := range c.Rules {
		files = append(files, rules.File{Name: f.Name, Data: f.Data})
	}
	b.Rules, more = rules.Load(files, rules.LoadOptions{})
	list = append(list, more...)
	list = append(list, switchRules(b.Site, c.Site, b.Rules)...)
	list = append(list, checkLimits(b.Site, c.Site, b.Rules)...)
	findings := list[:0]
	for _, d := range list {
		if d.Level == diag.Task {
			b.Tasks.Add(d)
		} else {
			findings.Add(d)
		}
	}
	findings.Sort()
	return b, findings
}

// unknownProfiles finds variables that are set for a profile that is not there.
func unknownProfiles(file string, b *Bundle) diag.List {
	var names []string
	for _, id := range b.Profiles.IDs() {
		name, _, _ := strings.Cut(id, "/")
		names = append(names, name)
	}
	var list diag.List
	for _, name := range slices.Sorted(maps.Keys(b.Site.ProfileVars)) {
		if !slices.Contains(names, name) {
			list.Add(diag.Diagnostic{File: file, Message: fmt.Sprintf("vars are set for profile %q, which is not there", name), Hint: diag.DidYouMean(name, names)})
		}
	}
	return list
}
