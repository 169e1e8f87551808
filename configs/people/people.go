// Package people reads the file that says who is responsible and how they are
// reached: channels, persons, teams, rotas and escalation. Everything in it is
// checked together, with place and hint, before any of it is used.
package people

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// Board is the channel that is always there: the person's list on the board. Who
// has no other is reached when they look.
const Board = "board"

// People is a checked file.
type People struct {
	Roster   *roster.Roster
	Channels []notify.Config
	// Subscriptions are other systems that hear of orders, over a webhook.
	Subscriptions []outbox.Subscription
}

// Allowed are the addresses of the roster's persons by channel: the only ones
// that are ever contacted.
func (p *People) Allowed() map[string][]string {
	out := map[string][]string{}
	for i := range p.Roster.Persons {
		for _, c := range p.Roster.Persons[i].Contacts {
			if !slices.Contains(out[c.Channel], c.Address) {
				out[c.Channel] = append(out[c.Channel], c.Address)
			}
		}
	}
	return out
}

// Around is what a file is checked against.
type Around struct {
	Sites     []*devices.Site
	Templates map[string]*ticketing.Template // for the skill of each fault class
	// Now is from when on the rotas are looked at for gaps.
	Now time.Time
}

// Load reads a file and the secrets that it names. The people are usable when no
// finding is an error.
func Load(file string, around Around) (*People, diag.List) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, diag.List{{File: file, Message: err.Error(), Hint: "people names the file of persons, rotas and channels"}}
	}
	return Parse(file, data, around)
}

type peopleFile struct {
	Pos        document.Pos
	TimeZone   string         `yaml:"time_zone"`
	Channels   []channelEntry `yaml:"channels"`
	Defaults   defaultsEntry  `yaml:"defaults"`
	Persons    []personEntry  `yaml:"persons"`
	Teams      []teamEntry    `yaml:"teams"`
	Rotas      []rotaEntry    `yaml:"rotas"`
	Escalation []chainEntry   `yaml:"escalation"`
	// Subscriptions are other systems that hear of orders.
	Subscriptions []subscriptionEntry `yaml:"subscriptions"`
}

type channelEntry struct {
	Pos          document.Pos
	Name         string `yaml:"name"`
	Type         string `yaml:"type"`
	URL          string `yaml:"url"`
	URLFile      string `yaml:"url_file"`
	Token        string `yaml:"token"`
	TokenFile    string `yaml:"token_file"`
	Secret       string `yaml:"secret"`
	SecretFile   string `yaml:"secret_file"`
	User         string `yaml:"user"`
	Password     string `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
	From         string `yaml:"from"`
	CA           string `yaml:"ca"`
}

type defaultsEntry struct {
	Lang   string       `yaml:"lang"`
	Budget budget       `yaml:"budget"`
	Quiet  []quietEntry `yaml:"quiet"`
}

type personEntry struct {
	Pos      document.Pos
	ID       string         `yaml:"id"`
	Name     string         `yaml:"name"`
	Lang     string         `yaml:"lang"`
	TimeZone string         `yaml:"time_zone"`
	Skills   []string       `yaml:"skills"`
	Contacts []contactEntry `yaml:"contacts"`
	Quiet    *[]quietEntry  `yaml:"quiet"`
	Budget   budget         `yaml:"budget"`
}

type contactEntry struct {
	Pos     document.Pos
	Channel string `yaml:"channel"`
	Address string `yaml:"address"`
}

// UnmarshalText reads the short form, for channels that take no address.
func (c *contactEntry) UnmarshalText(text []byte) error { c.Channel = string(text); return nil }

type quietEntry struct {
	Pos   document.Pos
	Tiers []string `yaml:"tiers"`
	Hours hours    `yaml:"hours"`
	Days  days     `yaml:"days"`
}

type teamEntry struct {
	Pos     document.Pos
	ID      string   `yaml:"id"`
	Name    label    `yaml:"name"`
	Members []string `yaml:"members"`
}

type rotaEntry struct {
	Pos       document.Pos
	ID        string          `yaml:"id"`
	Name      label           `yaml:"name"`
	Site      string          `yaml:"site"`
	Shifts    []shiftEntry    `yaml:"shifts"`
	Overrides []overrideEntry `yaml:"overrides"`
}

type shiftEntry struct {
	Pos     document.Pos
	Name    label    `yaml:"name"`
	Hours   hours    `yaml:"hours"`
	First   date     `yaml:"first"`
	Repeats string   `yaml:"repeats"`
	On      string   `yaml:"on"`
	Except  []date   `yaml:"except"`
	Also    []date   `yaml:"also"`
	Order   []string `yaml:"order"`
	Turn    turn     `yaml:"turn"`
}

type overrideEntry struct {
	Pos     document.Pos
	From    clock    `yaml:"from"`
	To      clock    `yaml:"to"`
	Persons []string `yaml:"persons"`
	For     string   `yaml:"for"`
	Note    string   `yaml:"note"`
}

type chainEntry struct {
	Pos          document.Pos
	Name         string      `yaml:"name"`
	Sites        []string    `yaml:"sites"`
	Tiers        []string    `yaml:"tiers"`
	Skills       []string    `yaml:"skills"`
	FaultClasses []string    `yaml:"fault_classes"`
	Urgency      string      `yaml:"urgency"`
	Steps        []stepEntry `yaml:"steps"`
	Repeat       int         `yaml:"repeat"`
	Again        length      `yaml:"again"`
}

type stepEntry struct {
	Pos    document.Pos
	Rota   string `yaml:"rota"`
	Team   string `yaml:"team"`
	Person string `yaml:"person"`
	After  length `yaml:"after"`
}

// label is a text in two languages, or one for both.
type label struct {
	EN string `yaml:"en"`
	ZH string `yaml:"zh"`
}

// UnmarshalText reads the short form.
func (l *label) UnmarshalText(text []byte) error { l.EN = string(text); return nil }

// Budget of who has none of their own: own judgement. A message every ten minutes
// is what somebody with tools in their hands can still read.
var defaultBudget = roster.Budget{Messages: 6, Per: time.Hour}

// A reader collects what is wrong.
type reader struct {
	file   string
	dir    string
	around Around
	places map[string]document.Pos
	list   diag.List
	people People
}

// Parse reads and checks the text of a file. Paths in it are taken from its
// directory.
func Parse(file string, data []byte, around Around) (*People, diag.List) {
	f := peopleFile{Defaults: defaultsEntry{Lang: "en"}}
	r := &reader{file: file, dir: filepath.Dir(file), around: around, places: document.Places(data)}
	r.list = document.Decode(file, data, &f)
	// A value that could not be read would be reported as missing once more.
	if r.list.HasErrors() {
		r.list.Sort()
		return nil, r.list
	}
	ros := &roster.Roster{}
	r.people.Roster = ros
	for i := range f.Channels {
		r.channel(&f.Channels[i], i)
	}
	for i := range f.Persons {
		r.person(&f, &f.Persons[i], i)
	}
	for i := range f.Teams {
		r.team(&f.Teams[i], i)
	}
	for i := range f.Rotas {
		r.rota(&f.Rotas[i], i)
	}
	for i := range f.Escalation {
		r.chain(&f.Escalation[i], i)
	}
	for i := range f.Subscriptions {
		r.subscription(&f.Subscriptions[i], i)
	}
	if !r.list.HasErrors() {
		r.reach(&f)
	}
	r.list.Sort()
	return &r.people, r.list
}

// at is where a value stands, or the whole that it belongs to.
func (r *reader) at(whole document.Pos, path string, index ...any) document.Pos {
	if p, ok := r.places[fmt.Sprintf(path, index...)]; ok {
		return p
	}
	return whole
}

func (r *reader) bad(p document.Pos, message, hint string) {
	r.list.Add(p.Error(r.file, message, hint))
}

func (r *reader) warn(p document.Pos, message, hint string) {
	d := p.Error(r.file, message, hint)
	d.Level = diag.Warning
	r.list.Add(d)
}
