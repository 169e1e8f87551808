// Package roster says who is responsible when: persons and how they are reached,
// teams, rotas, and the chains by which an order climbs until somebody takes it.
//
// A [Roster] is checked configuration (package configs/people reads it from a
// file) and is never changed; a reload makes a new one. Everything is a function
// of the roster and a time that is passed in, so the same question has the same
// answer tomorrow.
package roster

import (
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

// A Person is somebody who can be reached. The id is the one that signs in
// (facilityd person add).
type Person struct {
	ID     string
	Name   string
	Lang   string   // en or zh
	Skills []string // words of ticketing.Skills
	// Contacts are tried in this order: the next one when a channel fails for good.
	Contacts []Contact
	// Quiet are the hours in which the person is left alone, except by P1.
	Quiet []Quiet
	// Budget is how many messages the person gets at most in its time; what is
	// more comes as one digest. P1 is not counted.
	Budget   Budget
	Location *time.Location // in which quiet hours are meant and times are written
}

// A Contact is one way to reach a person.
type Contact struct {
	Channel string // name of a configured channel
	Address string // an e-mail address, a chat id, a topic; "" where the channel has one place only
}

// Quiet are hours of the local clock in which messages of some tiers wait.
type Quiet struct {
	Tiers []ticketing.Tier
	// From and To are minutes from local midnight; To may be on the next day.
	From, To int
	// Days limits the quiet hours to days that begin on these weekdays; none
	// means every day.
	Days []time.Weekday
}

// A Budget is how many messages are sent in a length of time.
type Budget struct {
	Messages int
	Per      time.Duration
}

// A Team is persons who can stand in for one another.
type Team struct {
	ID      string
	Name    devices.Label
	Members []string
}

// Urgency is what an order does to people: it pages them, it is listed in the
// next digest, or it is only on the board (PAINS 14).
type Urgency string

// The urgencies, most urgent first. A P1 always pages.
const (
	Page   Urgency = "page"
	Digest Urgency = "digest"
	Log    Urgency = "log"
)

// A Chain says to whom an order goes, and to whom next when nobody takes it.
type Chain struct {
	Name string
	// What the chain is for; an empty list means all. The first chain of a
	// roster that fits is taken.
	Sites        []string
	Tiers        []ticketing.Tier
	Skills       []string
	FaultClasses []string // ids, or lift.* for all that begin so
	Urgency      Urgency
	Steps        []Step
	// Repeat is how many times the chain begins again after its last step,
	// each time after Again.
	Repeat int
	Again  time.Duration
}

// A Step is who is told next. One of Rota, Team and Person is set. A step that
// reaches nobody when its time has come, because its rota has a gap, is passed
// over at once: the next one does not wait for it.
type Step struct {
	Rota, Team, Person string
	// After is how long after the step before the order must still lie unaccepted;
	// 0 on the first step.
	After time.Duration
}

// A Roster is who is responsible when. It is safe for concurrent use.
type Roster struct {
	Persons []Person
	Teams   []Team
	Rotas   []*Rota
	Chains  []Chain
}

// Person returns a person, nil when nobody has the id.
func (r *Roster) Person(id string) *Person {
	i := slices.IndexFunc(r.Persons, func(p Person) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Persons[i]
}

// Team returns a team, nil when there is none of the id.
func (r *Roster) Team(id string) *Team {
	i := slices.IndexFunc(r.Teams, func(t Team) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Teams[i]
}

// Rota returns a rota, nil when there is none of the id.
func (r *Roster) Rota(id string) *Rota {
	i := slices.IndexFunc(r.Rotas, func(t *Rota) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return r.Rotas[i]
}

// OnCall returns the ids of the persons on call in a rota, the first to be told
// first; none in a gap of the rota.
func (r *Roster) OnCall(rota string, at time.Time) []string {
	t := r.Rota(rota)
	if t == nil {
		return nil
	}
	return r.Members(t.At(at))
}

// Members replaces teams by their members and keeps everybody once.
func (r *Roster) Members(ids []string) []string {
	var out []string
	for _, id := range ids {
		who := []string{id}
		if t := r.Team(id); t != nil {
			who = t.Members
		}
		for _, p := range who {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// Reach returns the ids of the persons whom a step tells at a time.
func (r *Roster) Reach(s Step, at time.Time) []string {
	switch {
	case s.Rota != "":
		return r.OnCall(s.Rota, at)
	case s.Team != "":
		return r.Members([]string{s.Team})
	default:
		return []string{s.Person}
	}
}

// Chain returns the first chain that fits an order; nil when none does. skill is
// that of the order's template.
func (r *Roster) Chain(site, faultClass, skill string, tier ticketing.Tier) *Chain {
	for i := range r.Chains {
		if c := &r.Chains[i]; c.fits(site, faultClass, skill, tier) {
			return c
		}
	}
	return nil
}

func (c *Chain) fits(site, faultClass, skill string, tier ticketing.Tier) bool {
	return any(c.Sites, site) && any(c.Tiers, tier) && any(c.Skills, skill) &&
		(len(c.FaultClasses) == 0 || slices.ContainsFunc(c.FaultClasses, func(pattern string) bool {
			begin, all := strings.CutSuffix(pattern, "*")
			return pattern == faultClass || all && strings.HasPrefix(faultClass, begin)
		}))
}

// any reports whether a list is empty or holds the value.
func any[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// QuietUntil is when the quiet hours end in which an instant lies for a tier; zero
// when it lies in none. P1 knows no quiet hours.
func (p *Person) QuietUntil(tier ticketing.Tier, at time.Time) time.Time {
	if tier == ticketing.P1 {
		return time.Time{}
	}
	var end time.Time
	for now := at; ; now = end {
		next := p.quietEnd(tier, now)
		if !next.After(now) || next.Sub(at) > 14*24*time.Hour {
			return end
		}
		end = next
	}
}

// quietEnd is the latest end of the quiet hours around an instant, zero for none.
func (p *Person) quietEnd(tier ticketing.Tier, at time.Time) time.Time {
	var end time.Time
	today := devices.DateOf(at.In(p.location()))
	for _, q := range p.Quiet {
		if !slices.Contains(q.Tiers, tier) {
			continue
		}
		for _, d := range []devices.Date{addDays(today, -1), today} {
			if !any(q.Days, weekday(d)) {
				continue
			}
			from, to := Wall(d, q.From, p.location()), Wall(d, q.To, p.location())
			if !at.Before(from) && at.Before(to) && to.After(end) {
				end = to
			}
		}
	}
	return end
}

func (p *Person) location() *time.Location {
	if p.Location == nil {
		return time.UTC
	}
	return p.Location
}
