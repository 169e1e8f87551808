package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

type siteFile struct {
	Pos       document.Pos
	Site      string `yaml:"site"`
	Name      label  `yaml:"name"`
	TimeZone  string `yaml:"time_zone"`
	Adopt     string `yaml:"adopt"`
	Simulated bool   `yaml:"simulated"`
	// Calendar is when people work here.
	Calendar *calendarPart `yaml:"calendar"`
	// SLA is how long orders may take here.
	SLA *slaPart `yaml:"sla"`
	// Vars set variables of profiles here, by name of the profile.
	Vars map[string]map[string]string `yaml:"vars"`
	// Rules are switched on and off here.
	Rules ruleSwitches `yaml:"rules"`
	// Limits are numbers of rules that hold on this site.
	Limits  limitEntries  `yaml:"limits"`
	Assets  []assetEntry  `yaml:"assets"`
	Devices []deviceEntry `yaml:"devices"`
}

type assetEntry struct {
	Pos         document.Pos
	ID          string          `yaml:"id"`
	Class       string          `yaml:"class"`
	Name        label           `yaml:"name"`
	Parent      string          `yaml:"parent"`
	FedBy       []string        `yaml:"fed_by"`
	Criticality string          `yaml:"criticality"`
	Facts       map[string]fact `yaml:"facts"`
	Limits      limitEntries    `yaml:"limits"`
}

type deviceEntry struct {
	Pos       document.Pos
	ID        string   `yaml:"id"`
	Asset     string   `yaml:"asset"`
	Profile   string   `yaml:"profile"`
	Class     string   `yaml:"class"`
	TimeZone  string   `yaml:"time_zone"`
	Interval  Duration `yaml:"interval"`
	Lateness  Duration `yaml:"lateness"`
	Simulated bool     `yaml:"simulated"`
}

// label is a text in two languages, or a plain word for both.
type label struct {
	EN string `yaml:"en"`
	ZH string `yaml:"zh"`
}

// UnmarshalText reads the short form.
func (l *label) UnmarshalText(text []byte) error { l.EN = string(text); return nil }

// fact is a number with a unit ("32 A"), a number, or a word.
type fact devices.Quantity

// UnmarshalText reads any of the three.
func (f *fact) UnmarshalText(text []byte) error {
	number, unit, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if v, err := strconv.ParseFloat(number, 64); err == nil {
		f.Value, f.Unit = v, strings.TrimSpace(unit)
		return nil
	}
	f.Word = string(text)
	return nil
}

// ParseSite reads and checks one site file. used are the files that it names.
func ParseSite(file string, data []byte, used ...File) (*devices.Site, diag.List) {
	site, _, list := parseSite(file, data, used)
	return site, list
}

// parseSite gives the deadlines of the site as well, which rules do not ask for.
func parseSite(file string, data []byte, used []File) (*devices.Site, *ticketing.Policy, diag.List) {
	f := siteFile{TimeZone: "UTC", Adopt: "matched"}
	list := document.Decode(file, data, &f)
	bad := func(p document.Pos, message, hint string) { list.Add(p.Error(file, message, hint)) }
	places := document.Places(data)
	// at is where a value stands, or what it belongs to when it is not there.
	at := func(whole document.Pos, path string, index ...any) document.Pos {
		if p, ok := places[fmt.Sprintf(path, index...)]; ok {
			return p
		}
		return whole
	}

	site := &devices.Site{
		ID: f.Site, Name: devices.Label(f.Name), AdoptListed: f.Adopt == "listed", Simulated: f.Simulated,
		Location: time.UTC, ProfileVars: f.Vars, EnableRules: f.Rules.Enable, DisableRules: f.Rules.Disable,
	}
	if !validID(f.Site) {
		bad(at(f.Pos, "site"), fmt.Sprintf("site is %q", f.Site), "site: a short name of letters, digits, - and _")
	}
	if f.Adopt != "matched" && f.Adopt != "listed" {
		bad(at(f.Pos, "adopt"), fmt.Sprintf("adopt is %q", f.Adopt), diag.DidYouMean(f.Adopt, []string{"matched", "listed"}))
	}
	site.Location = zone(f.TimeZone, at(f.Pos, "time_zone"), bad)
	site.Limits = f.Limits.read("limits", places, bad)
	if f.Calendar != nil {
		var more diag.List
		site.Calendar, more = siteCalendar(file, f.Calendar, used, at)
		list = append(list, more...)
	}
	policy, more := siteSLA(file, f.SLA, used, site, at)
	list = append(list, more...)

	assets := map[string]int{}
	var ids []string
	for i, a := range f.Assets {
		if a.ID == "" {
			bad(a.Pos, "asset without an id", "id: a name that is unique within the site")
		} else if _, twice := assets[a.ID]; twice {
			bad(at(a.Pos, "assets[%d].id", i), fmt.Sprintf("asset %q is given twice", a.ID), "an id belongs to one asset")
		}
		if !slices.Contains(devices.Classes, a.Class) {
			bad(at(a.Pos, "assets[%d].class", i), fmt.Sprintf("class of asset %s is %q", a.ID, a.Class), diag.DidYouMean(a.Class, devices.Classes))
		}
		if a.Criticality != "" && !slices.Contains([]string{"minor", "normal", "vital"}, a.Criticality) {
			bad(at(a.Pos, "assets[%d].criticality", i), fmt.Sprintf("criticality of asset %s is %q", a.ID, a.Criticality), "one of: minor, normal, vital")
		}
		assets[a.ID] = i
		ids = append(ids, a.ID)
		out := devices.Asset{
			ID: a.ID, Class: a.Class, Name: devices.Label(a.Name), Parent: a.Parent, FedBy: a.FedBy,
			Criticality: devices.Criticality(a.Criticality),
		}
		if len(a.Facts) > 0 {
			out.Facts = make(map[string]devices.Quantity, len(a.Facts))
			for k, v := range a.Facts {
				out.Facts[k] = devices.Quantity(v)
			}
		}
		out.Limits = a.Limits.read(fmt.Sprintf("assets[%d].limits", i), places, bad)
		site.Assets = append(site.Assets, out)
	}
	for _, a := range f.Assets {
		for _, other := range append([]string{a.Parent}, a.FedBy...) {
			if _, known := assets[other]; other != "" && !known {
				bad(a.Pos, fmt.Sprintf("asset %s refers to %q, which is not an asset here", a.ID, other), diag.DidYouMean(other, ids))
			}
		}
		if loop := ancestry(f.Assets, assets, a.ID); loop != "" {
			bad(a.Pos, "assets contain one another: "+loop, "a parent may not be inside its own child")
		}
	}
	seen := map[string]bool{}
	for i, d := range f.Devices {
		switch {
		case d.ID == "":
			bad(d.Pos, "device without an id", "id: as the profile names it")
		case seen[d.ID]:
			bad(at(d.Pos, "devices[%d].id", i), fmt.Sprintf("device %q is given twice", d.ID), "a device belongs to one asset")
		}
		seen[d.ID] = true
		if _, known := assets[d.Asset]; d.Asset != "" && !known {
			bad(at(d.Pos, "devices[%d].asset", i), fmt.Sprintf("device %s belongs to %q, which is not an asset here", d.ID, d.Asset), diag.DidYouMean(d.Asset, ids))
		}
		if d.Class != "" && !slices.Contains(devices.Classes, d.Class) {
			bad(at(d.Pos, "devices[%d].class", i), fmt.Sprintf("class of device %s is %q", d.ID, d.Class), diag.DidYouMean(d.Class, devices.Classes))
		}
		spec := devices.DeviceSpec{
			ID: d.ID, Asset: d.Asset, Profile: d.Profile, Class: d.Class,
			Interval: time.Duration(d.Interval), Lateness: time.Duration(d.Lateness), Simulated: d.Simulated || f.Simulated,
		}
		if l := int64(d.Lateness); l < 0 || l > devices.MaxLateness {
			bad(at(d.Pos, "devices[%d].lateness", i), fmt.Sprintf("lateness of device %s is %v", d.ID, time.Duration(l)), "at most 1h; what comes later is evaluated at its own time all the same")
		}
		if d.TimeZone != "" {
			spec.TimeZone = zone(d.TimeZone, at(d.Pos, "devices[%d].time_zone", i), bad)
		}
		site.Devices = append(site.Devices, spec)
	}
	list.Sort()
	return site, policy, list
}

func zone(name string, p document.Pos, bad func(document.Pos, string, string)) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		bad(p, fmt.Sprintf("time zone is %q", name), "an IANA name such as Asia/Shanghai or Europe/Berlin")
		return time.UTC
	}
	return loc
}

// validID keeps site ids usable as part of a key, a subject and a file name.
func validID(s string) bool {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return !ok(r) })
}

// ancestry follows parents from an asset and returns the loop it runs into.
func ancestry(all []assetEntry, index map[string]int, id string) string {
	path := []string{id}
	for at := id; ; {
		i, known := index[at]
		if !known || all[i].Parent == "" {
			return ""
		}
		at = all[i].Parent
		path = append(path, at)
		if at == id {
			return strings.Join(path, " → ")
		}
		if len(path) > len(all)+1 {
			return "" // a loop further up is reported by its own members
		}
	}
}
