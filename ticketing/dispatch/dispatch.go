// Package dispatch decides who is told what, and when: from the log of an order
// to notices ([Desk.Order]), and from the notices that wait for a person to
// messages ([Desk.Mail]). Both are pure: what they need to know from one call to
// the next is in [State] and [Box], which the store keeps beside the orders, so
// that a restart goes on where it was.
//
// An order climbs its chain until somebody takes it. Who has it and is silent is
// reminded, and then reported to the last step of the chain. A person gets one
// message for an order, which is updated; more than the person's budget comes as
// one digest. P1 waits for nothing.
package dispatch

import (
	"slices"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// A Desk is what decisions are made with. It is not changed after it was made.
type Desk struct {
	Roster *roster.Roster
	// Policy is how long the orders of a site may take.
	Policy func(site string) *ticketing.Policy
	// Skill is what the fault class asks for, "" for nothing known.
	Skill func(faultClass string) string
	// Calendar is the working time of a site.
	Calendar func(site string) *calendar.Calendar
}

const (
	// lateOnset is how old an onset may be when its order opens for it to wake
	// somebody outside working hours.
	lateOnset = time.Hour
	// againWaiting is how often it is said that an order waits longer than it may.
	againWaiting = 24 * time.Hour
)

// A Notice is something that a person should be told about an order.
type Notice struct {
	Person  string         `json:"person"`
	Order   string         `json:"order"`
	Version int            `json:"version"` // of the order when it was decided
	Kind    notify.Kind    `json:"kind"`
	Tier    ticketing.Tier `json:"tier"`
	Urgency roster.Urgency `json:"urgency"`
	At      time.Time      `json:"at"` // when it was decided
	// By did at When what the notice is about, for Reason.
	By     string           `json:"by,omitempty"`
	When   time.Time        `json:"when,omitzero"`
	Reason string           `json:"reason,omitempty"`
	Target ticketing.Target `json:"target,omitempty"`
	Due    time.Time        `json:"due,omitzero"`
	Level  int              `json:"level,omitempty"`
}

// State is how far the telling of one order is.
type State struct {
	Seen int `json:"seen"` // version of the order up to which its log was looked at
	// Kind is what the steps of the chain say first: a new order, or one again.
	Kind    notify.Kind    `json:"kind,omitempty"`
	Tier    ticketing.Tier `json:"tier,omitzero"` // whose chain it climbs
	Step    int            `json:"step"`          // the next of the chain
	Round   int            `json:"round,omitempty"`
	Next    time.Time      `json:"next,omitzero"`     // when the next step is due; zero for never
	Began   time.Time      `json:"began,omitzero"`    // when the first step was told
	Told    []string       `json:"told,omitempty"`    // who was told about the order
	Heard   time.Time      `json:"heard,omitzero"`    // of the order, when Reminded was counted
	Nagged  time.Time      `json:"nagged,omitzero"`   // the last reminder
	Nags    int            `json:"nags,omitempty"`    // reminders of the same silence
	Overdue time.Time      `json:"overdue,omitzero"`  // when it was last said that it waits too long
	Reached bool           `json:"reached,omitempty"` // somebody was told by the chain
	Nobody  bool           `json:"nobody,omitempty"`  // the chain is over and nobody could be told
	Failed  []string       `json:"failed,omitempty"`  // persons whom no channel reaches now
}

// Order says who is to be told about an order, now that entries were added to
// its log or time has passed. unreached are persons whom no channel reached. It
// changes s; the returned time is when it wants to be asked again, zero for not
// before the order changes.
func (d *Desk) Order(s *State, o *ticketing.Order, entries []ticketing.Entry, unreached []string, now time.Time) ([]Notice, time.Time) {
	c := &call{desk: d, s: s, o: o, now: now}
	c.chain = d.Roster.Chain(o.Site, o.FaultClass, d.Skill(o.FaultClass), o.Tier)
	c.read(entries)
	c.fallBack(unreached)
	c.climb()
	c.nag()
	c.overdue()
	s.Seen = o.Version
	return c.notices, c.due()
}

// A call is one question about one order.
type call struct {
	desk    *Desk
	s       *State
	o       *ticketing.Order
	now     time.Time
	chain   *roster.Chain
	notices []Notice
	woken   time.Time // when the silence or the waiting is over
}

// free reports whether nobody has the order.
func (c *call) free() bool { return c.o.State == ticketing.Open || c.o.State == ticketing.Dispatched }

// read takes over what the log says since the last time.
func (c *call) read(entries []ticketing.Entry) {
	s := c.s
	var news *ticketing.Entry // the newest that changes what was told
	for i := range entries {
		e := &entries[i]
		switch e.Kind {
		case ticketing.Opened:
			c.begin(notify.New, e)
		case ticketing.Recur, ticketing.Refuse:
			c.begin(notify.Again, e)
		case ticketing.Raised:
			c.worse(e)
		case ticketing.Assigned:
			c.assigned(e)
		case ticketing.SLAWarned, ticketing.SLAMissed:
			c.warn(e)
		case ticketing.Accept, ticketing.Finish, ticketing.Verify, ticketing.Close, ticketing.Cancel:
			news = e
		}
	}
	if news != nil && !c.free() {
		s.Next = time.Time{}
		for _, p := range s.Told {
			if p != news.By {
				c.tell(p, notify.Update, news)
			}
		}
	}
	if !c.o.State.Working() {
		s.Next = time.Time{}
	}
}

// begin starts the chain. What is told late, because its onset came late, wakes
// nobody outside working hours, unless it is a P1.
func (c *call) begin(kind notify.Kind, e *ticketing.Entry) {
	told := c.s.Told
	*c.s = State{Kind: kind, Tier: c.o.Tier, Next: c.now, Told: told}
	cal := c.desk.Calendar(c.o.Site)
	if kind == notify.New && c.o.Tier != ticketing.P1 && e.Arrived.Sub(e.Onset) > lateOnset && !cal.Working(c.now) {
		if next := cal.Next(c.now); !next.IsZero() {
			c.s.Next = next
		}
	}
}

// worse climbs the chain of the new tier from its beginning, or tells who has the
// order.
func (c *call) worse(e *ticketing.Entry) {
	switch {
	case !c.o.State.Working() || c.s.Tier == 0 || c.o.Tier >= c.s.Tier:
	case c.free():
		told := c.s.Told
		*c.s = State{Kind: notify.Worse, Tier: c.o.Tier, Next: c.now, Told: told}
	default:
		c.s.Tier = c.o.Tier
		c.tell(c.o.Assignee, notify.Worse, e)
	}
}

// assigned tells the person who was given the order. The chain goes on from its
// second step, should that person not accept.
func (c *call) assigned(e *ticketing.Entry) {
	if c.o.State != ticketing.Dispatched || c.o.Assignee != e.Person {
		return
	}
	if e.Person != e.By {
		c.tell(e.Person, notify.Assigned, e)
	}
	c.s.Step, c.s.Round, c.s.Began, c.s.Next = 1, 0, c.now, time.Time{}
	if c.chain != nil && len(c.chain.Steps) > 1 {
		c.s.Next = c.now.Add(c.chain.Steps[1].After)
	}
}

// warn tells that time runs out: who has the order, and from four fifths of the
// time on the last step of the chain. While nobody has it the chain is still
// climbing: who was told so far hears of it, and the last step when it is over.
func (c *call) warn(e *ticketing.Entry) {
	if !c.o.State.Working() || c.urgency() != roster.Page {
		return
	}
	var who []string
	switch {
	case !c.free():
		who = append(who, c.o.Assignee)
	case e.Level > 50:
		who = append(who, c.s.Told...)
	}
	if e.Level >= 100 || !c.free() && e.Level > 50 {
		who = append(who, c.last()...)
	}
	c.all(who, Notice{Kind: notify.Warning, When: e.At, Target: e.Target, Due: e.Due, Level: e.Level})
}

// fallBack goes on to the next step at once when nobody of those who were told
// can be reached.
func (c *call) fallBack(unreached []string) {
	s := c.s
	fresh := slices.ContainsFunc(unreached, func(p string) bool { return !slices.Contains(s.Failed, p) })
	s.Failed = unreached
	all := len(s.Told) > 0
	for _, p := range s.Told {
		all = all && slices.Contains(s.Failed, p)
	}
	if !fresh || !all || !c.free() {
		return
	}
	s.Nobody = true // until a step reaches somebody
	if !s.Next.IsZero() {
		s.Next = c.now
	}
}

// climb tells the steps of the chain that are due.
func (c *call) climb() {
	s := c.s
	if !c.free() || s.Next.IsZero() {
		return
	}
	if c.chain == nil || len(c.chain.Steps) == 0 {
		s.Next, s.Nobody = time.Time{}, true
		return
	}
	if c.urgency() == roster.Log {
		s.Next = time.Time{}
		return
	}
	for !s.Next.IsZero() && !s.Next.After(c.now) {
		c.step()
	}
}

// urgency is what the chain says; a P1 always pages.
func (c *call) urgency() roster.Urgency {
	switch {
	case c.o.Tier == ticketing.P1 || c.chain == nil || c.chain.Urgency == "":
		return roster.Page
	default:
		return c.chain.Urgency
	}
}

// step tells one step and says when the next is due. A step that reaches nobody
// is none: the next follows at once.
func (c *call) step() {
	s, steps := c.s, c.chain.Steps
	if s.Step >= len(steps) { // the roster has changed meanwhile
		s.Step = len(steps) - 1
	}
	kind := s.Kind
	if s.Step > 0 || s.Round > 0 {
		kind = notify.Escalated
	} else {
		s.Began = c.now
	}
	reached := 0
	for _, p := range c.desk.Roster.Reach(steps[s.Step], c.now) {
		if c.desk.Roster.Person(p) == nil || slices.Contains(s.Failed, p) {
			continue
		}
		c.notices = append(c.notices, Notice{
			Person: p, Order: c.o.ID, Version: c.o.Version, Kind: kind, Tier: c.o.Tier, Urgency: c.urgency(), At: c.now,
			When: s.Began, Reason: c.o.Reason,
		})
		if !slices.Contains(s.Told, p) {
			s.Told = append(slices.Clip(s.Told), p)
		}
		reached++
	}
	s.Reached = s.Reached || reached > 0
	s.Nobody = s.Nobody && reached == 0
	s.Step++
	switch {
	case s.Step < len(steps) && reached == 0:
		s.Next = c.now
	case c.urgency() == roster.Digest: // a digest does not climb
		s.Next, s.Nobody = time.Time{}, s.Nobody || !s.Reached
	case s.Step < len(steps):
		s.Next = c.now.Add(steps[s.Step].After)
	case s.Round < c.chain.Repeat || c.o.Tier == ticketing.P1 && s.Round < alwaysRepeat:
		s.Step, s.Round = 0, s.Round+1
		s.Next, s.Nobody = c.now.Add(max(c.chain.Again, repeatAfter)), s.Nobody || !s.Reached
	default:
		s.Next, s.Nobody = time.Time{}, s.Nobody || !s.Reached
	}
}

const (
	// A P1 that nobody takes is told again and again, for a day at least (own
	// judgement: somebody may be inside). Other tiers do what their chain says.
	alwaysRepeat = 96
	repeatAfter  = 5 * time.Minute
)

// last are the persons of the chain's last step: those to whom it is reported
// that somebody does not do what was accepted.
func (c *call) last() []string {
	if c.chain == nil || len(c.chain.Steps) == 0 {
		return nil
	}
	return c.desk.Roster.Reach(c.chain.Steps[len(c.chain.Steps)-1], c.now)
}

// nag reminds who has the order and has been silent, then also reports it to the
// last step of the chain: accepted is not yet done.
func (c *call) nag() {
	s, o := c.s, c.o
	silence := c.desk.Policy(o.Site).Silence[o.Tier]
	taken := o.State == ticketing.Accepted || o.State == ticketing.OnSite || o.State == ticketing.Dispatched && s.Next.IsZero()
	if !taken || silence <= 0 || c.urgency() == roster.Log {
		return
	}
	if !s.Heard.Equal(o.Heard) {
		s.Heard, s.Nags, s.Nagged = o.Heard, 0, time.Time{}
	}
	from := o.Heard
	if from.Before(o.Since) && o.State == ticketing.Dispatched || from.IsZero() {
		from = o.Since
	}
	if s.Nags > 0 {
		from = s.Nagged
	}
	due := from.Add(silence)
	if s.Nags == 1 { // the one reminded has half as long again
		due = from.Add(silence / 2)
	}
	if due.After(c.now) {
		c.woken = sooner(c.woken, due)
		return
	}
	s.Nags++
	s.Nagged = c.now
	who := []string{o.Assignee}
	if s.Nags > 1 {
		who = append(who, c.last()...)
	}
	c.all(who, Notice{Kind: notify.Silent, By: o.Assignee, When: from})
	next := silence
	if s.Nags == 1 {
		next = silence / 2
	}
	c.woken = sooner(c.woken, c.now.Add(next))
}

// overdue tells who has an order that waits longer than it may, and the last
// step of its chain.
func (c *call) overdue() {
	s, o := c.s, c.o
	if o.State != ticketing.Waiting || c.urgency() == roster.Log {
		s.Overdue = time.Time{}
		return
	}
	due := o.Until
	if due.IsZero() {
		due = o.Since.Add(c.desk.Policy(o.Site).MaxPause[o.Reason])
	}
	if !s.Overdue.IsZero() {
		due = s.Overdue.Add(againWaiting)
	}
	if due.After(c.now) {
		c.woken = sooner(c.woken, due)
		return
	}
	s.Overdue = c.now
	c.all(append([]string{o.Assignee}, c.last()...), Notice{Kind: notify.Overdue, By: o.Assignee, When: o.Since, Reason: o.Reason})
	c.woken = sooner(c.woken, c.now.Add(againWaiting))
}

// all tells several persons the same, everybody once.
func (c *call) all(persons []string, n Notice) {
	n.Order, n.Version, n.Tier, n.Urgency, n.At = c.o.ID, c.o.Version, c.o.Tier, roster.Page, c.now
	var told []string
	for _, p := range persons {
		if p == "" || slices.Contains(told, p) || c.desk.Roster.Person(p) == nil {
			continue
		}
		told = append(told, p)
		n.Person = p
		c.notices = append(c.notices, n)
		if !slices.Contains(c.s.Told, p) {
			c.s.Told = append(slices.Clip(c.s.Told), p)
		}
	}
}

// tell notes that a person is told of an entry.
func (c *call) tell(person string, kind notify.Kind, e *ticketing.Entry) {
	if person == "" || c.desk.Roster.Person(person) == nil {
		return
	}
	c.all([]string{person}, Notice{Kind: kind, By: e.By, When: e.At, Reason: e.Reason})
}

// due is when the order wants to be looked at again.
func (c *call) due() time.Time {
	due := c.woken
	if c.free() {
		due = sooner(due, c.s.Next)
	}
	return due
}

// sooner is the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
