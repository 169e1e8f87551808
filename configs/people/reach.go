package people

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// ahead is how far rotas are looked at for gaps.
const ahead = 28 * 24 * time.Hour

// reach finds who would not be reached: gaps of rotas, chains that end nowhere,
// orders for which there is no chain.
func (r *reader) reach(f *peopleFile) {
	ros := r.people.Roster
	for i, t := range ros.Rotas {
		p := r.at(f.Rotas[i].Pos, "rotas[%d].id", i)
		if !r.inChain(func(s roster.Step) bool { return s.Rota == t.ID }) {
			r.warn(p, "rota "+t.ID+" is in no escalation chain: nobody is told by it", "name it in a step of escalation")
		}
		if gap := hole(t, r.around.Now); gap != nil {
			r.warn(p, fmt.Sprintf("rota %s has nobody on call from %s to %s", t.ID, stamp(gap.From, t.Location), stamp(gap.To, t.Location)),
				"close the gap, or let the chain end at a person or a team")
		}
	}
	for i := range ros.Persons {
		p := &ros.Persons[i]
		if !r.told(p.ID) {
			r.warn(r.at(f.Persons[i].Pos, "persons[%d].id", i), p.ID+" is in no rota, team or step that a chain uses, and is never told", "")
		}
	}
	used := r.people.Allowed()
	for i, c := range r.people.Channels {
		subscribed := slices.ContainsFunc(r.people.Subscriptions, func(s outbox.Subscription) bool { return s.Channel == c.Name })
		if len(used[c.Name]) == 0 && !subscribed {
			r.warn(r.at(f.Channels[i].Pos, "channels[%d].name", i), "nobody is reached over channel "+c.Name, "")
		}
	}
	for i := range ros.Chains {
		r.reaches(&ros.Chains[i], f.Escalation[i].Pos)
	}
	r.complete(f)
}

// hole is the first gap of a rota that is meant to have none: with more than a
// tenth of the time uncovered it is for office hours or nights, and only the
// chain as a whole has to reach somebody.
func hole(t *roster.Rota, now time.Time) *roster.Duty {
	var first *roster.Duty
	var open time.Duration
	for _, d := range t.Duties(now, now.Add(ahead)) {
		if len(d.Who) > 0 {
			continue
		}
		open += d.To.Sub(d.From)
		if first == nil {
			first = &d
		}
	}
	if open > ahead/10 {
		return nil
	}
	return first
}

func stamp(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("Mon 2006-01-02 15:04")
}

func (r *reader) inChain(is func(roster.Step) bool) bool {
	return slices.ContainsFunc(r.people.Roster.Chains, func(c roster.Chain) bool { return slices.ContainsFunc(c.Steps, is) })
}

// told reports whether a person can be the one whom some step tells.
func (r *reader) told(person string) bool {
	ros := r.people.Roster
	holds := func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool {
			t := ros.Team(id)
			return id == person || t != nil && slices.Contains(t.Members, person)
		})
	}
	return r.inChain(func(s roster.Step) bool {
		if t := ros.Rota(s.Rota); t != nil {
			return slices.ContainsFunc(t.Shifts, func(sh *roster.Shift) bool { return holds(sh.Order) }) ||
				slices.ContainsFunc(t.Overrides, func(o roster.Override) bool { return holds(o.Persons) })
		}
		return holds([]string{s.Team, s.Person})
	})
}

// reaches checks that a chain tells somebody who can be reached, at any time of
// the weeks ahead. A chain for P1 that never does is an error.
func (r *reader) reaches(c *roster.Chain, p document.Pos) {
	ros := r.people.Roster
	name := c.Name
	if name == "" {
		name = "this chain"
	}
	reached := func(at time.Time) bool {
		return slices.ContainsFunc(c.Steps, func(s roster.Step) bool {
			return slices.ContainsFunc(ros.Reach(s, at), func(id string) bool { return len(ros.Person(id).Contacts) > 0 })
		})
	}
	// Only rotas change with time; between their changes nothing does.
	times := []time.Time{r.around.Now}
	for _, s := range c.Steps {
		if t := ros.Rota(s.Rota); t != nil {
			for _, d := range t.Duties(r.around.Now, r.around.Now.Add(ahead)) {
				times = append(times, d.From)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	var first time.Time
	ever := false
	for _, at := range times {
		ok := reached(at)
		ever = ever || ok
		if !ok && first.IsZero() {
			first = at
		}
	}
	loc := r.around.Now.Location()
	if len(r.around.Sites) > 0 && r.around.Sites[0].Location != nil {
		loc = r.around.Sites[0].Location
	}
	switch forP1 := len(c.Tiers) == 0 || slices.Contains(c.Tiers, ticketing.P1); {
	case !ever && forP1 && c.Urgency == roster.Page:
		r.bad(p, name+" reaches nobody, and P1 orders take it", "let a step tell somebody who has a contact")
	case !ever && c.Urgency != roster.Log:
		r.warn(p, name+" reaches nobody", "let a step tell somebody who has a contact")
	case ever && !first.IsZero():
		r.warn(p, fmt.Sprintf("%s reaches nobody from %s on for a while", name, stamp(first, loc)), "let its last step tell a person or a team")
	}
}

// complete checks that every order has a chain.
func (r *reader) complete(f *peopleFile) {
	p := r.at(f.Pos, "escalation")
	for _, site := range r.around.Sites {
		for tier := ticketing.P1; tier <= ticketing.P4; tier++ {
			var without []string
			for i := range rules.FaultClasses {
				class := rules.FaultClasses[i].ID
				skill := ""
				if t := r.around.Templates[class]; t != nil {
					skill = t.Skill
				}
				if r.people.Roster.Chain(site.ID, class, skill, tier) == nil {
					without = append(without, class)
				}
			}
			if len(without) == 0 {
				continue
			}
			what := "every fault class"
			if len(without) < len(rules.FaultClasses) {
				what = strings.Join(without[:min(3, len(without))], ", ")
				if n := len(without) - 3; n > 0 {
					what += fmt.Sprintf(" and %d more", n)
				}
			}
			message := fmt.Sprintf("no chain takes %s orders of site %s: %s", tier, site.ID, what)
			hint := "a last chain without sites, tiers, skills and fault_classes takes the rest"
			if tier == ticketing.P1 {
				r.bad(p, message, hint)
			} else {
				r.warn(p, message, hint)
			}
		}
	}
}
