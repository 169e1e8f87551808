package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// A Waiting notice has not become a message yet.
type Waiting struct {
	Notice
	Now  *ticketing.Order // the order as it is now
	Told bool             // the person has, or will get, a message of its own about the order
}

// A Box is what is known of the messages to one person.
type Box struct {
	// Sent are the times of those that count for the budget, the oldest first.
	Sent []time.Time `json:"sent,omitempty"`
	// Digest is when notices of urgency digest are listed next; zero while none
	// waits.
	Digest time.Time `json:"digest,omitzero"`
}

// A Message is what is sent to one person: about one order, or a digest of
// several.
type Message struct {
	// Key is made of what the message says, so that the same decision made twice
	// is one message.
	Key     string
	Person  string
	Tier    ticketing.Tier // of the most urgent order
	Notices []Waiting      // one for each order, the most urgent first
}

// Digest reports whether the message is one about several orders.
func (m *Message) Digest() bool { return len(m.Notices) > 1 }

// Post is what [Desk.Mail] decides.
type Post struct {
	Messages []Message
	// Settled are the notices that wait no longer: those in messages, those that
	// another one made superfluous, and those of which nothing has to be said any
	// more.
	Settled []Waiting
	// Due is when to ask again if no further notice comes; zero for never.
	Due time.Time
}

const (
	// Settle is how long a notice waits for others of the same cause. P1 does not.
	Settle = 15 * time.Second
	// many orders of one site that come within Settle are one message.
	many = 3
	// digestHour is when the orders that page nobody are listed, by the person's
	// clock (own judgement: before the morning's work is given out).
	digestHour = 7
)

// defaultBudget is that of a person for whom none is set (own judgement: one
// message in five minutes is what somebody at work still reads).
var defaultBudget = roster.Budget{Messages: 12, Per: time.Hour}

// Mail turns the notices that wait for a person into messages, as far as it is
// time and the person's budget allows; p is nil for a person who is no longer in
// the roster. It changes box.
func (d *Desk) Mail(p *roster.Person, box *Box, waiting []Waiting, now time.Time) Post {
	if p == nil {
		return Post{Settled: waiting}
	}
	m := &mail{p: p, box: box, now: now, budget: p.Budget}
	if m.budget.Messages <= 0 || m.budget.Per <= 0 {
		m.budget = defaultBudget
	}
	box.Sent = slices.DeleteFunc(box.Sent, func(t time.Time) bool { return !t.After(now.Add(-m.budget.Per)) })
	var page, later []Waiting
	for _, n := range m.newest(waiting) {
		switch {
		case n.Tier == ticketing.P1:
			m.send(false, n)
		case n.Urgency == roster.Digest:
			later = append(later, n)
		default:
			page = append(page, n)
		}
	}
	m.pages(page)
	m.digests(later)
	m.sort()
	return m.post
}

// mail is one answer to one person.
type mail struct {
	p      *roster.Person
	box    *Box
	now    time.Time
	budget roster.Budget
	post   Post
	all    map[string][]Waiting // by order
}

// newest keeps one notice for each order: the newest, or, when that only updates
// what the person was not told yet, the one before if it is still wanted.
func (m *mail) newest(waiting []Waiting) []Waiting {
	m.all = make(map[string][]Waiting)
	var orders []string
	for _, n := range waiting {
		if len(m.all[n.Order]) == 0 {
			orders = append(orders, n.Order)
		}
		m.all[n.Order] = append(m.all[n.Order], n)
	}
	var out []Waiting
	for _, id := range orders {
		list := m.all[id]
		slices.SortStableFunc(list, func(a, b Waiting) int {
			if a.Version != b.Version {
				return a.Version - b.Version
			}
			return a.At.Compare(b.At)
		})
		keep := -1
		for i := range list {
			if list[i].wanted() {
				keep = i
			}
		}
		if keep < 0 {
			m.post.Settled = append(m.post.Settled, list...)
			continue
		}
		out = append(out, list[keep])
	}
	return out
}

// wanted reports whether the notice still says something: nobody is called to an
// order that somebody has, and nothing is taken back that was not said.
func (w *Waiting) wanted() bool {
	switch w.Kind {
	case notify.New, notify.Again, notify.Escalated:
		return w.Now.State == ticketing.Open || w.Now.State == ticketing.Dispatched
	case notify.Update, notify.Cleared:
		return w.Told
	default:
		return w.Now.State.Working()
	}
}

// pages sends what pages, when it has settled and the person is not left alone.
func (m *mail) pages(list []Waiting) {
	var ready []Waiting
	for _, n := range list {
		at := n.At.Add(Settle)
		if quiet := m.p.QuietUntil(n.Tier, m.now); quiet.After(at) {
			at = quiet
		}
		if at.After(m.now) {
			m.post.Due = sooner(m.post.Due, at)
			continue
		}
		ready = append(ready, n)
	}
	// What has waited for the same site is told at once: the rest of a storm goes
	// with what settled first.
	var batches [][]Waiting
	bySite := make(map[string]int)
	for _, n := range ready {
		if n.quiet() { // an update belongs to its own message
			batches = append(batches, []Waiting{n})
			continue
		}
		i, ok := bySite[n.Now.Site]
		if !ok {
			i = len(batches)
			bySite[n.Now.Site] = i
			batches = append(batches, nil)
		}
		batches[i] = append(batches[i], n)
	}
	var single [][]Waiting
	for _, b := range batches {
		if len(b) >= many {
			single = append(single, b)
			continue
		}
		for i := range b {
			single = append(single, b[i:i+1])
		}
	}
	slices.SortStableFunc(single, func(a, b []Waiting) int { return urgent(a) - urgent(b) })
	m.spend(single)
}

// quiet reports whether a notice only changes what an earlier message said.
func (w *Waiting) quiet() bool { return w.Kind == notify.Update || w.Kind == notify.Cleared }

func urgent(list []Waiting) int {
	best := int(ticketing.P4) * 2
	for i := range list {
		rank := int(list[i].Tier) * 2
		if list[i].quiet() {
			rank++
		}
		best = min(best, rank)
	}
	return best
}

// spend sends batches within the budget. The first half of it goes to messages of
// their own. What is left goes to digests of all that waits, spread over the time
// of the budget, so that in a storm nothing waits long to be seen.
func (m *mail) spend(batches [][]Waiting) {
	free := m.budget.Messages - len(m.box.Sent)
	for len(batches) > 0 && free > max(m.budget.Messages/2, 1) {
		m.send(true, batches[0]...)
		batches, free = batches[1:], free-1
	}
	if len(batches) == 0 {
		return
	}
	var next time.Time
	if n := len(m.box.Sent); n > 0 {
		next = m.box.Sent[n-1].Add(m.budget.Per / time.Duration(m.budget.Messages))
		if free <= 0 {
			next = m.box.Sent[n-m.budget.Messages].Add(m.budget.Per)
		}
	}
	if next.After(m.now) {
		m.post.Due = sooner(m.post.Due, next)
		return
	}
	var rest []Waiting
	for _, b := range batches {
		rest = append(rest, b...)
	}
	m.send(true, rest...)
}

// digests lists what pages nobody, once a day.
func (m *mail) digests(list []Waiting) {
	if len(list) == 0 {
		m.box.Digest = time.Time{}
		return
	}
	if m.box.Digest.IsZero() {
		local := m.now.In(zone(m.p))
		next := time.Date(local.Year(), local.Month(), local.Day(), digestHour, 0, 0, 0, local.Location())
		if !next.After(m.now) {
			next = time.Date(local.Year(), local.Month(), local.Day()+1, digestHour, 0, 0, 0, local.Location())
		}
		m.box.Digest = next
	}
	if m.box.Digest.After(m.now) {
		m.post.Due = sooner(m.post.Due, m.box.Digest)
		return
	}
	m.box.Digest = time.Time{}
	m.spend([][]Waiting{list})
}

func zone(p *roster.Person) *time.Location {
	if p.Location == nil {
		return time.UTC
	}
	return p.Location
}

// send makes one message of notices of different orders.
func (m *mail) send(counts bool, list ...Waiting) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Waiting) int {
		if a.Tier != b.Tier {
			return int(a.Tier) - int(b.Tier)
		}
		return a.Now.Onset.Compare(b.Now.Onset)
	})
	msg := Message{Person: m.p.ID, Tier: list[0].Tier, Notices: list}
	var says strings.Builder
	for i := range list {
		n := &list[i]
		fmt.Fprintf(&says, "%s\n%s\n%d\n%s\n%d\n", n.Person, n.Order, n.Version, n.Kind, n.At.UnixNano())
		m.post.Settled = append(m.post.Settled, m.all[n.Order]...)
	}
	sum := sha256.Sum256([]byte(says.String()))
	msg.Key = "m-" + hex.EncodeToString(sum[:12])
	m.post.Messages = append(m.post.Messages, msg)
	if counts {
		m.box.Sent = append(m.box.Sent, m.now)
	}
}

// sort puts the most urgent message first.
func (m *mail) sort() {
	slices.SortStableFunc(m.post.Messages, func(a, b Message) int { return int(a.Tier) - int(b.Tier) })
}
