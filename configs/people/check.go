package people

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// id is what persons, teams, rotas and channels are called: as signing in has it.
var id = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

const hintID = "lower-case letters, digits, dot, dash and underscore, beginning with a letter or digit"

// named checks an id and that nothing before has it.
func (r *reader) named(p document.Pos, what, name string, taken func(string) bool) {
	switch {
	case name == "":
		r.bad(p, what+" without a name of its own", hintID)
	case !id.MatchString(name):
		r.bad(p, fmt.Sprintf("%s is called %q", what, name), hintID)
	case taken(name):
		r.bad(p, fmt.Sprintf("%s %q is given twice", what, name), "a name belongs to one")
	}
}

func (r *reader) channel(e *channelEntry, i int) {
	at := func(key string) document.Pos { return r.at(e.Pos, "channels[%d].%s", i, key) }
	r.named(at("name"), "channel", e.Name, func(name string) bool {
		return name == Board || slices.ContainsFunc(r.people.Channels, func(c notify.Config) bool { return c.Name == name })
	})
	c := notify.Config{Name: e.Name, Type: e.Type, URL: e.URL, Token: e.Token, Secret: e.Secret, User: e.User, Password: e.Password, From: e.From, CA: e.CA}
	known := slices.Contains(notify.Types(), e.Type)
	if !known {
		r.bad(at("type"), fmt.Sprintf("type of channel %s is %q", e.Name, e.Type), diag.DidYouMean(e.Type, notify.Types()))
	}
	unread := false
	for _, s := range []struct {
		key, file string
		into      *string
	}{{"url", e.URLFile, &c.URL}, {"token", e.TokenFile, &c.Token}, {"secret", e.SecretFile, &c.Secret}, {"password", e.PasswordFile, &c.Password}} {
		if s.file == "" {
			continue
		}
		if *s.into != "" {
			r.bad(at(s.key+"_file"), s.key+" and "+s.key+"_file are both given", "keep one")
			continue
		}
		data, err := os.ReadFile(r.path(s.file))
		if err != nil || strings.TrimSpace(string(data)) == "" {
			unread = true
			message := s.file + " is empty"
			if err != nil {
				message = err.Error()
			}
			r.bad(at(s.key+"_file"), message, "a file that holds the "+s.key+" and nothing else")
			continue
		}
		*s.into = strings.TrimSpace(string(data))
	}
	if c.CA != "" {
		c.CA = r.path(c.CA)
		if _, err := os.Stat(c.CA); err != nil {
			r.bad(at("ca"), err.Error(), "a PEM file")
		}
	}
	if known && !unread {
		for _, f := range c.Check() {
			p := at(f.Key)
			if _, ok := r.places[fmt.Sprintf("channels[%d].%s_file", i, f.Key)]; ok {
				p = at(f.Key + "_file")
			}
			r.bad(p, f.Message, f.Hint)
		}
	}
	if c.InClear() {
		r.warn(at("url"), fmt.Sprintf("channel %s sends in clear: everybody on the way can read it", e.Name), "https:// or smtps:// where the server has it")
	}
	r.people.Channels = append(r.people.Channels, c)
}

// path takes a path from the file's own directory.
func (r *reader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

func (r *reader) channelNames() []string {
	names := []string{Board}
	for _, c := range r.people.Channels {
		names = append(names, c.Name)
	}
	return names
}

func (r *reader) person(f *peopleFile, e *personEntry, i int) {
	at := func(path string, index ...any) document.Pos {
		return r.at(e.Pos, "persons[%d]."+path, append([]any{i}, index...)...)
	}
	ros := r.people.Roster
	r.named(at("id"), "person", e.ID, func(id string) bool { return ros.Person(id) != nil })
	p := roster.Person{ID: e.ID, Name: e.Name, Lang: e.Lang, Skills: e.Skills, Budget: roster.Budget(e.Budget)}
	if p.Name == "" {
		p.Name = e.ID
	}
	if p.Lang == "" {
		p.Lang = f.Defaults.Lang
	}
	if !slices.Contains(messages.Languages, p.Lang) {
		r.bad(at("lang"), fmt.Sprintf("language of %s is %q", e.ID, p.Lang), "one of: "+strings.Join(messages.Languages, ", "))
	}
	for j, s := range e.Skills {
		if !slices.Contains(ticketing.Skills, s) {
			r.bad(at("skills[%d]", j), fmt.Sprintf("skill %q is not known", s), diag.DidYouMean(s, ticketing.Skills))
		}
	}
	for j, c := range e.Contacts {
		typ := ""
		for _, have := range r.people.Channels {
			if have.Name == c.Channel {
				typ = have.Type
			}
		}
		switch {
		case c.Channel == Board && c.Address == "":
		case c.Channel == Board:
			r.bad(at("contacts[%d].address", j), "the board takes no address", "leave it out")
		case typ == "":
			r.bad(at("contacts[%d]", j), fmt.Sprintf("%s is reached over channel %q, which is not there", e.ID, c.Channel), diag.DidYouMean(c.Channel, r.channelNames()))
		case slices.Contains(notify.Types(), typ):
			if err := notify.CheckAddress(typ, c.Address); err != nil {
				r.bad(at("contacts[%d]", j), err.Error(), "")
			}
		}
		p.Contacts = append(p.Contacts, roster.Contact{Channel: c.Channel, Address: c.Address})
	}
	if len(e.Contacts) == 0 {
		r.warn(e.Pos, e.ID+" has no contact and hears of nothing", "contacts: the channels in the order in which they are tried")
	}
	if p.Budget.Messages == 0 {
		p.Budget = roster.Budget(f.Defaults.Budget)
	}
	if p.Budget.Messages == 0 {
		p.Budget = defaultBudget
	}
	p.Location = r.zone(e.TimeZone, at("time_zone"), f)
	if e.Quiet != nil {
		p.Quiet = r.quiet(*e.Quiet)
	} else {
		p.Quiet = r.quiet(f.Defaults.Quiet)
	}
	ros.Persons = append(ros.Persons, p)
}

// zone is where quiet hours are meant: of the person, else of the file, else of
// the first site.
func (r *reader) zone(own string, p document.Pos, f *peopleFile) *time.Location {
	name := own
	if name == "" {
		name, p = f.TimeZone, r.at(f.Pos, "time_zone")
	}
	if name == "" {
		if len(r.around.Sites) > 0 {
			return r.around.Sites[0].Location
		}
		return time.UTC
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		r.bad(p, fmt.Sprintf("time zone is %q", name), "an IANA name such as Asia/Shanghai or Europe/Berlin")
		return time.UTC
	}
	return loc
}

func (r *reader) quiet(list []quietEntry) []roster.Quiet {
	var out []roster.Quiet
	for _, e := range list {
		q := roster.Quiet{From: e.Hours.from, To: e.Hours.to, Days: e.Days}
		if !e.Hours.given {
			r.once(e.Pos, "quiet without hours", "hours: 20:00-07:30")
		}
		for _, t := range e.Tiers {
			tier, err := ticketing.ParseTier(t)
			switch {
			case err != nil:
				r.once(e.Pos, err.Error(), "")
			case tier == ticketing.P1:
				r.once(e.Pos, "P1 knows no quiet hours: a person may be in danger", "leave P1 out")
			}
			q.Tiers = append(q.Tiers, tier)
		}
		if len(e.Tiers) == 0 {
			q.Tiers = []ticketing.Tier{ticketing.P2, ticketing.P3, ticketing.P4}
		}
		out = append(out, q)
	}
	return out
}

// once reports what stands in the defaults, which every person has, only once.
func (r *reader) once(p document.Pos, message, hint string) {
	if d := p.Error(r.file, message, hint); !slices.Contains(r.list, d) {
		r.list.Add(d)
	}
}

func (r *reader) team(e *teamEntry, i int) {
	ros := r.people.Roster
	r.named(r.at(e.Pos, "teams[%d].id", i), "team", e.ID, func(id string) bool { return ros.Team(id) != nil || ros.Person(id) != nil })
	if len(e.Members) == 0 {
		r.bad(e.Pos, "team "+e.ID+" has no members", "members: ids of persons")
	}
	for j, m := range e.Members {
		if ros.Person(m) == nil {
			r.bad(r.at(e.Pos, "teams[%d].members[%d]", i, j), fmt.Sprintf("member %q of team %s is not a person here", m, e.ID), diag.DidYouMean(m, r.personIDs()))
		}
	}
	ros.Teams = append(ros.Teams, roster.Team{ID: e.ID, Name: devices.Label(e.Name), Members: e.Members})
}

func (r *reader) personIDs() []string {
	var ids []string
	for _, p := range r.people.Roster.Persons {
		ids = append(ids, p.ID)
	}
	return ids
}

// onCall checks that ids are persons or teams.
func (r *reader) onCall(list []string, at func(j int) document.Pos, of string) {
	ros := r.people.Roster
	for j, id := range list {
		if ros.Person(id) == nil && ros.Team(id) == nil {
			ids := r.personIDs()
			for _, t := range ros.Teams {
				ids = append(ids, t.ID)
			}
			r.bad(at(j), fmt.Sprintf("%q in %s is neither a person nor a team here", id, of), diag.DidYouMean(id, ids))
		}
	}
}

func (r *reader) site(name string, p document.Pos) *devices.Site {
	var ids []string
	for _, s := range r.around.Sites {
		if s.ID == name {
			return s
		}
		ids = append(ids, s.ID)
	}
	if name == "" && len(r.around.Sites) == 1 {
		return r.around.Sites[0]
	}
	if name == "" {
		r.bad(p, "the rota does not say for which site, and there are several", "site: gives time zone, holidays and workdays")
	} else {
		r.bad(p, fmt.Sprintf("site %q is not loaded", name), diag.DidYouMean(name, ids))
	}
	return nil
}

func (r *reader) rota(e *rotaEntry, i int) {
	at := func(path string, index ...any) document.Pos {
		return r.at(e.Pos, "rotas[%d]."+path, append([]any{i}, index...)...)
	}
	ros := r.people.Roster
	r.named(at("id"), "rota", e.ID, func(id string) bool { return ros.Rota(id) != nil })
	out := &roster.Rota{ID: e.ID, Name: devices.Label(e.Name), Location: time.UTC}
	if site := r.site(e.Site, at("site")); site != nil {
		out.Site, out.Location, out.Calendar = site.ID, site.Location, site.Calendar
	}
	if len(e.Shifts) == 0 {
		r.bad(e.Pos, "rota "+e.ID+" has no shifts", "shifts: each with hours, first and order")
	}
	for j := range e.Shifts {
		s := &e.Shifts[j]
		shift := &roster.Shift{
			Name: devices.Label(s.Name), Rule: s.Repeats, First: s.First.Date, From: s.Hours.from, To: s.Hours.to,
			On: roster.Days(s.On), Order: s.Order, Turn: s.Turn.days,
		}
		if shift.Rule == "" {
			shift.Rule = "FREQ=DAILY"
		}
		for _, d := range s.Except {
			shift.Except = append(shift.Except, d.Date)
		}
		for _, d := range s.Also {
			shift.Also = append(shift.Also, d.Date)
		}
		if !s.Hours.given {
			r.bad(s.Pos, "shift without hours", "hours: 08:00-16:00")
		}
		if on := []string{"", string(roster.Workdays), string(roster.DaysOff)}; !slices.Contains(on, s.On) {
			r.bad(at("shifts[%d].on", j), fmt.Sprintf("on is %q", s.On), diag.DidYouMean(s.On, on[1:]))
		}
		if len(s.Order) == 0 {
			r.bad(s.Pos, "shift with nobody in its order", "order: ids of persons or teams")
		}
		r.onCall(s.Order, func(k int) document.Pos { return at("shifts[%d].order[%d]", j, k) }, "the order of rota "+e.ID)
		if s.First.Year == 0 {
			r.bad(s.Pos, "shift without its first day", "first: 2026-01-05; turns are counted from it")
		} else if err := shift.Compile(); err != nil {
			r.bad(at("shifts[%d].repeats", j), err.Error(), "FREQ=DAILY, or FREQ=WEEKLY;BYDAY=SA,SU")
		}
		out.Shifts = append(out.Shifts, shift)
	}
	for j := range e.Overrides {
		o := &e.Overrides[j]
		if !o.From.in(out.Location).Before(o.To.in(out.Location)) {
			r.bad(o.Pos, "override without a beginning before its end", "from: 2026-02-17 08:00, to: 2026-02-18 08:00")
		}
		if len(o.Persons) == 0 {
			r.bad(o.Pos, "override with nobody in it", "persons: ids of persons or teams")
		}
		r.onCall(o.Persons, func(k int) document.Pos { return at("overrides[%d].persons[%d]", j, k) }, "an override of rota "+e.ID)
		if o.For != "" {
			r.onCall([]string{o.For}, func(int) document.Pos { return at("overrides[%d].for", j) }, "an override of rota "+e.ID)
		}
		out.Overrides = append(out.Overrides, roster.Override{
			From: o.From.in(out.Location), To: o.To.in(out.Location), Persons: o.Persons, For: o.For, Note: o.Note,
		})
	}
	ros.Rotas = append(ros.Rotas, out)
}

func (r *reader) chain(e *chainEntry, i int) {
	at := func(path string, index ...any) document.Pos {
		return r.at(e.Pos, "escalation[%d]."+path, append([]any{i}, index...)...)
	}
	c := roster.Chain{Name: e.Name, Sites: e.Sites, Skills: e.Skills, FaultClasses: e.FaultClasses, Repeat: e.Repeat, Again: time.Duration(e.Again), Urgency: roster.Page}
	var sites []string
	for _, s := range r.around.Sites {
		sites = append(sites, s.ID)
	}
	each := func(key string, list, known []string, what string) {
		for j, v := range list {
			if !slices.Contains(known, v) {
				r.bad(at(key+"[%d]", j), fmt.Sprintf("%s %q is not known", what, v), diag.DidYouMean(v, known))
			}
		}
	}
	each("sites", e.Sites, sites, "site")
	each("skills", e.Skills, ticketing.Skills, "skill")
	for j, pattern := range e.FaultClasses {
		var ids []string
		begin, all := strings.CutSuffix(pattern, "*")
		if slices.ContainsFunc(rules.FaultClasses, func(f rules.FaultClass) bool {
			ids = append(ids, f.ID)
			return f.ID == pattern || all && strings.HasPrefix(f.ID, begin)
		}) {
			continue
		}
		r.bad(at("fault_classes[%d]", j), fmt.Sprintf("there is no fault class %q", pattern), diag.DidYouMean(pattern, ids))
	}
	for j, t := range e.Tiers {
		tier, err := ticketing.ParseTier(t)
		if err != nil {
			r.bad(at("tiers[%d]", j), err.Error(), "")
		}
		c.Tiers = append(c.Tiers, tier)
	}
	if e.Urgency != "" {
		c.Urgency = roster.Urgency(e.Urgency)
		words := []string{string(roster.Page), string(roster.Digest), string(roster.Log)}
		if !slices.Contains(words, e.Urgency) {
			r.bad(at("urgency"), fmt.Sprintf("urgency is %q", e.Urgency), diag.DidYouMean(e.Urgency, words))
		}
		if c.Urgency != roster.Page && (len(c.Tiers) == 0 || slices.Contains(c.Tiers, ticketing.P1)) {
			r.bad(at("urgency"), "a chain for P1 always pages", "give the other tiers a chain of their own: tiers: [P3, P4]")
		}
	}
	if len(e.Steps) == 0 {
		r.bad(e.Pos, "chain without steps", "steps: each with rota, team or person, and after how long")
	}
	if e.Repeat < 0 || e.Repeat > 100 || e.Repeat > 0 && e.Again <= 0 {
		r.bad(at("repeat"), "repeat and again go together", "repeat: 3, again: 10m")
	}
	for j := range e.Steps {
		s := &e.Steps[j]
		r.step(s, j, func(key string) document.Pos { return r.at(s.Pos, "escalation[%d].steps[%d].%s", i, j, key) })
		c.Steps = append(c.Steps, roster.Step{Rota: s.Rota, Team: s.Team, Person: s.Person, After: time.Duration(s.After)})
	}
	r.people.Roster.Chains = append(r.people.Roster.Chains, c)
}

func (r *reader) step(s *stepEntry, j int, at func(string) document.Pos) {
	ros := r.people.Roster
	given := 0
	for _, v := range []string{s.Rota, s.Team, s.Person} {
		if v != "" {
			given++
		}
	}
	if given != 1 {
		r.bad(s.Pos, "a step tells a rota, a team or a person", "give one of them; a further one is a further step")
	}
	if s.Rota != "" && ros.Rota(s.Rota) == nil {
		var ids []string
		for _, t := range ros.Rotas {
			ids = append(ids, t.ID)
		}
		r.bad(at("rota"), fmt.Sprintf("there is no rota %q", s.Rota), diag.DidYouMean(s.Rota, ids))
	}
	if s.Team != "" && ros.Team(s.Team) == nil {
		var ids []string
		for _, t := range ros.Teams {
			ids = append(ids, t.ID)
		}
		r.bad(at("team"), fmt.Sprintf("there is no team %q", s.Team), diag.DidYouMean(s.Team, ids))
	}
	if s.Person != "" && ros.Person(s.Person) == nil {
		r.bad(at("person"), fmt.Sprintf("there is no person %q", s.Person), diag.DidYouMean(s.Person, r.personIDs()))
	}
	switch {
	case j == 0 && s.After != 0:
		r.bad(at("after"), "the first step is told at once", "leave after out, or use urgency and quiet hours")
	case j > 0 && s.After <= 0:
		r.bad(s.Pos, "step without after", "after: 5m; how long the order may lie unaccepted after the step before")
	}
}
