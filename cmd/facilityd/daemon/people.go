package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/configs/people"
	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
	"github.com/facilityd/facilityd/ticketing/notify"
)

// A Crew is who is told of orders, over which channels and in which words. It is
// made anew by every reload, and never changed.
type Crew struct {
	*people.People
	Channels *notify.Channels
	Writer   *notify.Writer
}

// OpenCrew reads and checks the people file that the settings name and makes its
// channels; nothing is contacted. The crew is nil when the settings name none.
func OpenCrew(s *configs.Settings, bundles []*configs.Bundle, now time.Time) (*Crew, diag.List) {
	if s.People == "" {
		return nil, nil
	}
	around, list := around(bundles, now)
	if list.HasErrors() {
		return nil, list
	}
	p, list := people.Load(s.People, around)
	return openCrew(s, p, list)
}

// ParseCrew makes a crew of a text that is no file: the demo's.
func ParseCrew(s *configs.Settings, f configs.File, bundles []*configs.Bundle, now time.Time) (*Crew, diag.List) {
	around, list := around(bundles, now)
	if list.HasErrors() {
		return nil, list
	}
	p, list := people.Parse(f.Name, f.Data, around)
	return openCrew(s, p, list)
}

func openCrew(s *configs.Settings, p *people.People, list diag.List) (*Crew, diag.List) {
	if list.HasErrors() {
		return nil, list
	}
	catalogue, err := messages.Load()
	if err != nil {
		return nil, append(list, diag.Diagnostic{Message: err.Error()})
	}
	channels, err := notify.Open(p.Channels, notify.Options{Allowed: p.Allowed()})
	if err != nil {
		return nil, append(list, diag.Diagnostic{File: s.People, Message: err.Error()})
	}
	return &Crew{p, channels, &notify.Writer{Messages: catalogue, Board: strings.TrimSuffix(s.BoardURL, "/")}}, list
}

func around(bundles []*configs.Bundle, now time.Time) (people.Around, diag.List) {
	set, list := templates.Shipped()
	a := people.Around{Templates: set, Now: now}
	for _, b := range bundles {
		a.Sites = append(a.Sites, b.Site)
	}
	return a, list
}

// Template says what to do about a fault class.
func Template(faultClass string) (*ticketing.Template, error) {
	set, list := templates.Shipped()
	return set[faultClass], list.Err()
}

// Site finds a site of some bundles, nil when none has the id.
func Site(bundles []*configs.Bundle, id string) *devices.Site {
	for _, b := range bundles {
		if b.Site.ID == id {
			return b.Site
		}
	}
	return nil
}

// Crew is who is told now; nil when nobody is configured.
func (d *Daemon) Crew() *Crew { return d.crew.Load() }

// takeCrew puts a new crew in the place of the one before.
func (d *Daemon) takeCrew(c *Crew) {
	if old := d.crew.Swap(c); old != nil {
		old.Channels.Close()
	}
}

// greetCrew says at start who is not told, and who is told and cannot act.
func (d *Daemon) greetCrew(ctx context.Context) {
	c := d.Crew()
	if c == nil {
		d.log.Warn("nobody is told of work orders: the settings name no people file; orders are on the board only")
		return
	}
	if d.opts.People != nil { // the demo's people are on the board only
		return
	}
	persons, err := d.orders.Persons(ctx)
	if err != nil {
		d.log.Warn("who may sign in cannot be read", "error", err)
		return
	}
	var signIn, strangers []string
	for _, p := range persons {
		if !p.Revoked.IsZero() {
			continue
		}
		signIn = append(signIn, p.ID)
		if c.Roster.Person(p.ID) == nil {
			strangers = append(strangers, p.ID)
		}
	}
	var without []string
	for _, p := range c.Roster.Persons {
		if !slices.Contains(signIn, p.ID) {
			without = append(without, p.ID)
		}
	}
	if len(without) > 0 {
		d.log.Warn("people are told of orders and cannot accept them: they have no token; give them one with facilityd person add", "persons", strings.Join(without, ", "))
	}
	if len(strangers) > 0 {
		d.log.Info("people may sign in and are not in the people file: they are never told", "persons", strings.Join(strangers, ", "))
	}
}

// onCall is who is on call now and in the week ahead, for the board.
func (d *Daemon) onCall(now time.Time) []board.Rota {
	c := d.Crew()
	if c == nil {
		return nil
	}
	var out []board.Rota
	for _, t := range c.Roster.Rotas {
		r := board.Rota{ID: t.ID, Name: t.Name, Site: t.Site}
		// From before now on, so that the duty that holds begins when it began.
		for _, duty := range t.Duties(now.AddDate(0, 0, -2), now.AddDate(0, 0, 7)) {
			if !duty.To.After(now) {
				continue
			}
			persons := []board.OnCall{}
			for _, id := range c.Roster.Members(duty.Who) {
				persons = append(persons, board.OnCall{ID: id, Name: c.Roster.Person(id).Name})
			}
			r.Duties = append(r.Duties, board.Duty{From: duty.From, To: duty.To, Persons: persons})
		}
		out = append(out, r)
	}
	return out
}
