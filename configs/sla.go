package configs

import (
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

// slaPart is how long orders may take: in a site file under sla, or a file of its
// own that several sites use. What it does not say stays as it was.
type slaPart struct {
	Pos document.Pos
	Use []string `yaml:"use"`
	P1  tierPart `yaml:"P1"`
	P2  tierPart `yaml:"P2"`
	P3  tierPart `yaml:"P3"`
	P4  tierPart `yaml:"P4"`
	// MaxPause is how long a reason for waiting pauses clocks at most.
	MaxPause pausePart `yaml:"max_pause"`
}

type tierPart struct {
	Pos     document.Pos
	Accept  *Duration `yaml:"accept"`
	Arrive  *Duration `yaml:"arrive"`
	Done    *Duration `yaml:"done"`
	Working *bool     `yaml:"working"` // counts working time of the calendar
	Pauses  *bool     `yaml:"pauses"`  // waiting pauses the clocks
	Silence *Duration `yaml:"silence"` // after which somebody who has it counts as having forgotten
}

type pausePart struct {
	Parts      *Duration `yaml:"parts"`
	Access     *Duration `yaml:"access"`
	Contractor *Duration `yaml:"contractor"`
	Weather    *Duration `yaml:"weather"`
}

// longestSLA bounds what a policy allows: more is a slip of the pen.
const longestSLA = 366 * 24 * time.Hour

// siteSLA puts the deadlines of a site together: the defaults, what it uses, its
// own. own is nil for a site that says nothing.
func siteSLA(file string, own *slaPart, used []File, site *devices.Site, at func(whole document.Pos, path string, index ...any) document.Pos) (*ticketing.Policy, diag.List) {
	p := ticketing.DefaultPolicy()
	if own == nil {
		return &p, nil
	}
	var list diag.List
	for n, use := range own.Use {
		name := usedName(file, use)
		i := slices.IndexFunc(used, func(f File) bool { return f.Name == name })
		if i < 0 {
			list.Add(at(own.Pos, "sla.use[%d]", n).Error(file, fmt.Sprintf("sla uses %q, which is not there", use), "a file of yours that ends in .yaml, from the site file's directory"))
			continue
		}
		var part slaPart
		list = append(list, document.Decode(name, used[i].Data, &part)...)
		if len(part.Use) > 0 {
			list.Add(part.Pos.Error(name, "deadlines that are used use others themselves", "name all of them in the site file"))
		}
		part.into(&p)
		list = append(list, part.check(name, &p, site)...)
	}
	own.into(&p)
	return &p, append(list, own.check(file, &p, site)...)
}

func (s *slaPart) tier(t ticketing.Tier) *tierPart {
	return [...]*tierPart{ticketing.P1: &s.P1, ticketing.P2: &s.P2, ticketing.P3: &s.P3, ticketing.P4: &s.P4}[t]
}

// into adds what a part says to a policy.
func (s *slaPart) into(p *ticketing.Policy) {
	set := func(into *time.Duration, d *Duration) {
		if d != nil {
			*into = time.Duration(*d)
		}
	}
	for t := ticketing.P1; t <= ticketing.P4; t++ {
		part, allowed := s.tier(t), &p.Tiers[t]
		set(&allowed.Accept, part.Accept)
		set(&allowed.Arrive, part.Arrive)
		set(&allowed.Done, part.Done)
		set(&p.Silence[t], part.Silence)
		if part.Working != nil {
			allowed.Working = *part.Working
		}
		if part.Pauses != nil {
			allowed.Pauses = *part.Pauses
		}
	}
	for reason, d := range map[string]*Duration{
		"parts": s.MaxPause.Parts, "access": s.MaxPause.Access, "contractor": s.MaxPause.Contractor, "weather": s.MaxPause.Weather,
	} {
		if d != nil {
			p.MaxPause[reason] = time.Duration(*d)
		}
	}
}

// check finds what contradicts itself once the part is in the policy.
func (s *slaPart) check(file string, p *ticketing.Policy, site *devices.Site) diag.List {
	var list diag.List
	for t := ticketing.P1; t <= ticketing.P4; t++ {
		part, a := s.tier(t), p.Tiers[t]
		if part.Pos == (document.Pos{}) {
			continue
		}
		bad := func(message, hint string) { list.Add(part.Pos.Error(file, t.String()+": "+message, hint)) }
		targets := []struct {
			name string
			d    time.Duration
		}{{"accept", a.Accept}, {"arrive", a.Arrive}, {"done", a.Done}}
		for i, x := range targets {
			for _, y := range targets[i+1:] {
				if x.d > 0 && y.d > 0 && x.d > y.d {
					bad(fmt.Sprintf("%s within %s is later than %s within %s", x.name, Duration(x.d), y.name, Duration(y.d)), "accept, arrive and done follow one another; 0s is no deadline")
				}
			}
			if x.d > longestSLA {
				bad(fmt.Sprintf("%s within %s", x.name, Duration(x.d)), "at most a year")
			}
		}
		if a.Working && site.Calendar == nil {
			bad("it counts working time, and the site has no calendar", "calendar: {shifts: {mon-fri: 08:00-12:00, 13:30-17:30}}")
		}
		if t > ticketing.P1 && a.Arrive > 0 && a.Arrive < p.Tiers[t-1].Arrive && !a.Working {
			d := part.Pos.Error(file, fmt.Sprintf("%s is to be on site within %s, sooner than %s within %s", t, Duration(a.Arrive), t-1, Duration(p.Tiers[t-1].Arrive)), "P1 is the most urgent")
			d.Level = diag.Warning
			list.Add(d)
		}
	}
	return list
}
