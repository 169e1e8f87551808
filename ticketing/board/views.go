package board

import (
	"context"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// What the API shows. Names are the words of the design; every text for people
// comes in both languages.

// WorkOrder is a work order in lists. Its times carry the offset of its site.
type WorkOrder struct {
	ID         string           `json:"id" doc:"Stable id, derived from the episode that raised the order"`
	Number     string           `json:"number" doc:"What people call it: site and running number" example:"demo-17"`
	Version    int              `json:"version" doc:"Entries in its log; give it with a command"`
	Site       string           `json:"site"`
	Asset      string           `json:"asset"`
	AssetName  devices.Label    `json:"asset_name"`
	FaultClass string           `json:"fault_class" example:"pump.dry_run"`
	Title      devices.Label    `json:"title" doc:"The fault in words"`
	Why        devices.Label    `json:"why" doc:"One sentence why the order was raised"`
	State      ticketing.State  `json:"state" enum:"open,dispatched,accepted,on_site,waiting,done,verified,closed,cancelled"`
	StateSince time.Time        `json:"state_since"`
	Tier       string           `json:"tier" enum:"P1,P2,P3,P4"`
	Severity   string           `json:"severity" enum:"critical,high,medium,low"`
	Rule       string           `json:"rule"`
	Onset      time.Time        `json:"onset" doc:"When the fault began"`
	Opened     time.Time        `json:"opened"`
	Updated    time.Time        `json:"updated"`
	Assignee   string           `json:"assignee,omitempty" doc:"Id of the person who has it"`
	Reason     string           `json:"reason,omitempty" doc:"Why it waits or was cancelled"`
	Code       string           `json:"code,omitempty" enum:"repaired,made_safe,external,no_fault,device_fault" doc:"What it was, as reported with done"`
	Until      time.Time        `json:"until,omitzero"`
	Into       string           `json:"into,omitempty" doc:"Id of the order that it was merged into, or whose consequence it is"`
	Under      string           `json:"under,omitempty" doc:"Id of the order whose fault explains this one, as long as it does"`
	Explains   int              `json:"explains" doc:"How many episodes of other assets and fault classes this order's fault explained: its consequences"`
	Following  int              `json:"following" doc:"How many of its consequences still hold"`
	Inside     bool             `json:"inside" doc:"A person may be inside the asset"`
	Simulated  bool             `json:"simulated" doc:"Raised by a simulated device"`
	Holds      bool             `json:"holds" doc:"The fault holds, or nobody can tell"`
	NoData     bool             `json:"no_data" doc:"The fault is not known to be over, and its inputs are silent"`
	Episodes   int              `json:"episodes"`
	Revisits   int              `json:"revisits"`
	AcceptedAt time.Time        `json:"accepted_at,omitzero"`
	ArrivedAt  time.Time        `json:"arrived_at,omitzero"`
	DoneAt     time.Time        `json:"done_at,omitzero"`
	VerifiedAt time.Time        `json:"verified_at,omitzero"`
	ClosedAt   time.Time        `json:"closed_at,omitzero"`
	Commands   []ticketing.Verb `json:"commands" doc:"Commands that its state takes"`
	Forgotten  bool             `json:"forgotten" doc:"Somebody took it and has said nothing for too long"`
	Next       *Clock           `json:"next,omitempty" doc:"What is due next, absent when nothing is"`
}

// Clock is how the time for one target of a work order stands.
type Clock struct {
	Target  string    `json:"target" enum:"accept,arrive,done"`
	Visit   int       `json:"visit" doc:"0 is the first visit, 1 the first re-visit"`
	Tier    string    `json:"tier" doc:"Whose time it runs for"`
	Start   time.Time `json:"start"`
	Due     time.Time `json:"due,omitzero" doc:"Absent while the clock is paused"`
	Met     time.Time `json:"met,omitzero" doc:"When it was met; absent while it is not"`
	Allowed float64   `json:"allowed_seconds"`
	Spent   float64   `json:"spent_seconds" doc:"Pauses are not counted"`
	Paused  bool      `json:"paused"`
	Missed  bool      `json:"missed"`
	Level   int       `json:"level" enum:"0,50,80,100" doc:"How many percent of the time are gone, in steps of the warnings"`
}

// viewClock shows a clock at a place: its times carry the place's offset.
func viewClock(c *ticketing.Clock, loc *time.Location) *Clock {
	if c == nil {
		return nil
	}
	return &Clock{
		Target: string(c.Target), Visit: c.Visit, Tier: c.Tier.String(), Start: c.Start.In(loc), Due: c.Due.In(loc), Met: c.Met.In(loc), Allowed: c.Allowed.Seconds(),
		Spent: c.Spent.Seconds(), Paused: c.Paused, Missed: c.Missed(), Level: c.Level(),
	}
}

// WorkOrderDetail is one work order with all that belongs to it.
type WorkOrderDetail struct {
	WorkOrder
	Log      []LogEntry `json:"log" doc:"Everything that happened, oldest first"`
	Evidence []Evidence `json:"evidence" doc:"What the rules saw, newest first, at most 20"`
	// Consequences come from the episodes.
	Consequences []Episode `json:"consequences,omitempty" doc:"Episodes that this order's fault explains, the newest 500; all of them are at /episodes with work_order and consequences"`
	Clocks       []Clock   `json:"clocks" doc:"Every clock of every visit"`
	Guide        *Guide    `json:"guide,omitempty" doc:"What to do about this fault class"`
}

// Guide is what to do about a fault class.
type Guide struct {
	Source    string          `json:"source" doc:"Where it comes from; (v) read, (c) third-party code, (k) general knowledge, (j) own judgement"`
	Skill     string          `json:"skill"`
	Safety    []devices.Label `json:"safety"`
	First     []devices.Label `json:"first" doc:"What to check first"`
	Checklist []GuideCheck    `json:"checklist"`
	Parts     []devices.Label `json:"parts,omitempty" doc:"Likely parts"`
	Signature bool            `json:"signature" doc:"Somebody signs that it is safe again"`
	Watch     float64         `json:"watch_seconds" doc:"How long the fault has to stay away before the repair counts as confirmed"`
	Cycles    int             `json:"watch_cycles,omitempty" doc:"How many cycles have to pass as well"`
}

// GuideCheck is one item of a checklist.
type GuideCheck struct {
	Text  devices.Label `json:"text"`
	Unit  string        `json:"unit,omitempty" doc:"A value is read off in this unit"`
	Min   *float64      `json:"min,omitempty" doc:"The value must be at least this"`
	Max   *float64      `json:"max,omitempty" doc:"The value must be at most this"`
	Limit devices.Label `json:"limit,omitzero" doc:"What the value must be, in words, where that depends on the asset"`
	Ref   string        `json:"ref,omitempty" doc:"Item of TSG T5002-2017, annex A" example:"A-1 29"`
	Photo bool          `json:"photo,omitempty"`
	Key   bool          `json:"key,omitempty" doc:"The job is not finished without it"`
}

func viewGuide(t *ticketing.Template) *Guide {
	if t == nil {
		return nil
	}
	g := &Guide{
		Source: t.Source, Skill: t.Skill, Safety: t.Safety, First: t.First, Parts: t.Parts, Signature: t.Signature,
		Watch: t.Verify.For.Seconds(), Cycles: t.Verify.Cycles,
	}
	for _, c := range t.Checklist {
		g.Checklist = append(g.Checklist, GuideCheck(c))
	}
	return g
}

// Evidence is what the rules saw when they spoke.
type Evidence struct {
	Version int `json:"version" doc:"Log entry that it belongs to"`
	rules.Evidence
}

// LogEntry is one line of a work order's log.
type LogEntry struct {
	Version    int                    `json:"version"`
	Kind       ticketing.Kind         `json:"kind"`
	At         time.Time              `json:"at" doc:"Time of the action or of the reading"`
	Arrived    time.Time              `json:"arrived" doc:"When facilityd learnt of it"`
	By         string                 `json:"by,omitempty" doc:"Person id; absent when facilityd itself"`
	Via        string                 `json:"via,omitempty" enum:"board,api,cli,rules,clock"`
	Text       string                 `json:"text,omitempty"`
	Reason     string                 `json:"reason,omitempty"`
	Code       string                 `json:"code,omitempty"`
	Person     string                 `json:"person,omitempty"`
	Until      time.Time              `json:"until,omitzero"`
	Into       string                 `json:"into,omitempty"`
	Episode    string                 `json:"episode,omitempty"`
	Severity   string                 `json:"severity,omitempty"`
	Tier       string                 `json:"tier,omitempty"`
	Rule       string                 `json:"rule,omitempty"`
	Cause      string                 `json:"cause,omitempty"`
	Why        *devices.Label         `json:"why,omitempty"`
	Target     string                 `json:"target,omitempty" enum:"accept,arrive,done" doc:"Of a warning: what there is little time left for"`
	Level      int                    `json:"level,omitempty" enum:"50,80,100" doc:"Of a warning: so many percent of the time are gone"`
	Due        time.Time              `json:"due,omitzero" doc:"Of a warning: when the time is over"`
	Cleared    bool                   `json:"cleared,omitempty"`
	Asset      string                 `json:"asset,omitempty" doc:"Of a consequence: the asset that it is on"`
	FaultClass string                 `json:"fault_class,omitempty" doc:"Of a consequence"`
	Value      *ticketing.Measurement `json:"value,omitempty"`
	Outside    bool                   `json:"outside,omitempty" doc:"The value breaks the limits of the checklist"`
	Attachment *ticketing.Attachment  `json:"attachment,omitempty"`
}

// Episode is one stretch of time in which a fault held.
type Episode struct {
	ID         string        `json:"id" doc:"site/asset/fault class/position in the journal"`
	WorkOrder  string        `json:"work_order"`
	Site       string        `json:"site"`
	Asset      string        `json:"asset"`
	FaultClass string        `json:"fault_class"`
	Title      devices.Label `json:"title"`
	Phase      string        `json:"phase" enum:"active,active_without_data,cleared"`
	Severity   string        `json:"severity" enum:"critical,high,medium,low"`
	Rule       string        `json:"rule"`
	Simulated  bool          `json:"simulated"`
	Onset      time.Time     `json:"onset"`
	ActiveAt   time.Time     `json:"active_at"`
	ClearedAt  time.Time     `json:"cleared_at,omitzero"`
	Under      string        `json:"under,omitempty" doc:"The episode that explains it"`
	// Consequence is about the order, Under about the cause.
	Consequence bool `json:"consequence" doc:"It is in the order of its cause, not in one of its own"`
}

// Problem is an asset that has the same fault again and again.
type Problem struct {
	Site       string        `json:"site"`
	Asset      string        `json:"asset"`
	AssetName  devices.Label `json:"asset_name"`
	FaultClass string        `json:"fault_class"`
	Title      devices.Label `json:"title"`
	Count      int           `json:"count" doc:"How often the fault opened or re-opened an order within 30 days"`
	First      time.Time     `json:"first"`
	Last       time.Time     `json:"last"`
	// Orders hold what rules and people saw each time.
	Orders []ProblemOrder `json:"orders" doc:"The orders of this fault within that time, the newest first: their logs and evidence are the problem's"`
}

// ProblemOrder is one time that the fault of a problem came.
type ProblemOrder struct {
	Number   string          `json:"number"`
	State    ticketing.State `json:"state"`
	Opened   time.Time       `json:"opened"`
	Why      devices.Label   `json:"why"`
	Episodes int             `json:"episodes"`
	Code     string          `json:"code,omitempty" doc:"What it was, once somebody said"`
}

// Asset is what a site file says about an asset, with its open orders counted.
type Asset struct {
	Site        string        `json:"site"`
	ID          string        `json:"id"`
	Class       string        `json:"class"`
	Name        devices.Label `json:"name"`
	Parent      string        `json:"parent,omitempty"`
	FedBy       []string      `json:"fed_by,omitempty"`
	Criticality string        `json:"criticality" enum:"minor,normal,vital"`
	Implicit    bool          `json:"implicit" doc:"Stands for a device that no site file maps"`
}

func faultTitle(id string) devices.Label {
	if fc := rules.FaultClassByID(id); fc != nil {
		return devices.Label{EN: fc.Title, ZH: fc.TitleZH}
	}
	return devices.Label{EN: id}
}

func (s siteInfo) viewOrder(o *ticketing.Order) WorkOrder {
	v := WorkOrder{
		ID: o.ID, Number: o.NumberText(), Version: o.Version, Site: o.Site, Asset: o.Asset, AssetName: s.assetName(o.Site, o.Asset),
		FaultClass: o.FaultClass, Title: faultTitle(o.FaultClass), Why: o.Why, State: o.State, StateSince: o.Since, Tier: o.Tier.String(),
		Severity: o.Severity, Rule: o.Rule, Onset: o.Onset, Opened: o.Opened, Updated: o.Updated, Assignee: o.Assignee, Reason: o.Reason,
		Code: o.Code, Until: o.Until, Into: o.Into, Under: o.Under, Explains: o.Explains, Following: len(o.Consequences), Inside: o.Inside && o.State.Working(), Simulated: o.Simulated, Holds: o.Holds(), Episodes: o.Episodes, Revisits: o.Revisits,
		AcceptedAt: o.AcceptedAt, ArrivedAt: o.ArrivedAt, DoneAt: o.DoneAt, VerifiedAt: o.VerifiedAt, ClosedAt: o.ClosedAt, Commands: o.Allowed(),
	}
	loc := s.location(o.Site)
	for _, at := range []*time.Time{&v.StateSince, &v.Onset, &v.Opened, &v.Updated, &v.Until, &v.AcceptedAt, &v.ArrivedAt, &v.DoneAt, &v.VerifiedAt, &v.ClosedAt} {
		*at = at.In(loc)
	}
	for _, h := range o.Holding {
		v.NoData = v.NoData || h.NoData
	}
	return v
}

// viewOrders adds to each order of a list what is due next.
func (b *Board) viewOrders(ctx context.Context, orders []ticketing.Order) ([]WorkOrder, error) {
	var working []string
	for i := range orders {
		if orders[i].State.Working() {
			working = append(working, orders[i].ID)
		}
	}
	logs, err := b.cfg.Orders.Milestones(ctx, working)
	if err != nil {
		return nil, err
	}
	sites, now := b.sites(), b.cfg.Now()
	out := make([]WorkOrder, len(orders))
	for i := range orders {
		o := &orders[i]
		out[i] = sites.viewOrder(o)
		out[i].Forgotten = o.Forgotten(b.cfg.Policy(o.Site), now)
		if log := logs[o.ID]; log != nil {
			out[i].Next = viewClock(ticketing.Next(ticketing.Clocks(log, b.cfg.Policy(o.Site), b.cfg.Calendar(o.Site), now)), sites.location(o.Site))
		}
	}
	return out, nil
}

// withClocks adds the clocks of one order.
func (b *Board) withClocks(v *WorkOrderDetail, o *ticketing.Order, log []ticketing.Entry) {
	clocks := ticketing.Clocks(log, b.cfg.Policy(o.Site), b.cfg.Calendar(o.Site), b.cfg.Now())
	loc := b.sites().location(o.Site)
	v.Clocks = make([]Clock, len(clocks))
	for i := range clocks {
		v.Clocks[i] = *viewClock(&clocks[i], loc)
	}
	v.Forgotten = o.Forgotten(b.cfg.Policy(o.Site), b.cfg.Now())
	if o.State.Working() {
		v.Next = viewClock(ticketing.Next(clocks), loc)
	}
}

func viewLog(log []ticketing.Entry, t *ticketing.Template) []LogEntry {
	out := make([]LogEntry, len(log))
	for i := range log {
		e := &log[i]
		out[i] = LogEntry{
			Version: e.Version, Kind: e.Kind, At: e.At, Arrived: e.Arrived, By: e.By, Via: e.Via, Text: e.Text, Reason: e.Reason, Code: e.Code,
			Person: e.Person, Until: e.Until, Episode: e.Episode, Severity: e.Severity, Rule: e.Rule, Cause: string(e.Cause),
			Why: e.Why, Target: string(e.Target), Level: e.Level, Due: e.Due, Cleared: e.Cleared, Value: e.Value, Attachment: e.Attachment,
		}
		out[i].Outside = t.Outside(e.Value)
		if e.Tier != 0 {
			out[i].Tier = e.Tier.String()
		}
		if e.Kind != ticketing.Opened {
			out[i].Into, out[i].Asset, out[i].FaultClass = e.Into, e.Asset, e.FaultClass
		}
	}
	return out
}

func viewEpisode(e *ticketing.Episode) Episode {
	return Episode{
		ID: e.ID, WorkOrder: e.Order, Site: e.Site, Asset: e.Asset, FaultClass: e.FaultClass, Title: faultTitle(e.FaultClass), Phase: e.Phase,
		Severity: e.Severity, Rule: e.Rule, Simulated: e.Simulated, Onset: e.Onset, ActiveAt: e.ActiveAt, ClearedAt: e.ClearedAt,
		Under: e.Under, Consequence: e.Consequence,
	}
}

func viewAsset(site string, a *devices.Asset) Asset {
	crit := a.Criticality
	if crit == "" {
		crit = devices.NormalAsset
	}
	return Asset{Site: site, ID: a.ID, Class: a.Class, Name: a.Name, Parent: a.Parent, FedBy: a.FedBy, Criticality: string(crit), Implicit: a.Implicit}
}
