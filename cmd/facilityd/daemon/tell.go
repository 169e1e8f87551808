package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/facilityd/facilityd/configs/people"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/store"
)

const (
	// tellEvery is how soon it is seen that the time of an order, or of a person's
	// messages, has come. Changes of orders are seen at once.
	tellEvery = 500 * time.Millisecond
	// tellAtOnce bounds the orders of one transaction: people's commands wait for it.
	tellAtOnce = 100
	// keepEffects is how long it can be looked up what was sent.
	keepEffects = 30 * 24 * time.Hour
)

// A teller tells people and other systems about orders. It is off while nobody
// is configured.
type teller struct {
	d       *Daemon
	changed map[string]chan struct{} // by site: an order has changed
	outbox  *outbox.Deliverer
}

// newTeller prepares what the store needs to know; run starts it.
func newTeller(d *Daemon) *teller {
	t := &teller{d: d, changed: make(map[string]chan struct{})}
	for _, b := range d.bundles {
		t.changed[b.Site.ID] = make(chan struct{}, 1)
	}
	t.outbox = &outbox.Deliverer{
		Send: t.send, Workers: 8, Urgent: 4, Log: d.log.With("room", "outbox"), Metrics: outbox.NewMetrics(d.registry),
	}
	return t
}

// effects is what the store asks about every change of an order.
func (t *teller) effects() store.Effects {
	return store.Effects{
		Dispatched: func(string) bool { return t.d.Crew() != nil },
		Events:     t.events,
		Committed: func() {
			for _, wake := range t.changed { // all of them: who has nothing to do asks an index
				select {
				case wake <- struct{}{}:
				default:
				}
			}
			t.outbox.Wake()
		},
	}
}

// desk is who decides by the configuration in force.
func (t *teller) desk(c *Crew) *dispatch.Desk {
	return &dispatch.Desk{
		Roster: c.Roster, Policy: t.d.policy, Calendar: t.d.calendar,
		Skill: func(faultClass string) string {
			if tpl := t.d.template(faultClass); tpl != nil {
				return tpl.Skill
			}
			return ""
		},
	}
}

// run tells about the orders of one site until the context ends.
func (t *teller) run(ctx context.Context, c *chain) error {
	var before *Crew
	alone := int64(0)
	for {
		crew := t.d.Crew()
		err := t.round(ctx, c, crew, before)
		switch {
		case errors.Is(err, store.ErrFenced), ctx.Err() != nil:
			return nil // the chain says so
		case err != nil:
			t.d.log.Warn("people wait to be told about orders", "site", c.site, "error", err)
		default:
			before = crew
		}
		if n, err := t.d.orders.Nobody(ctx); err == nil && n != alone {
			if n > alone {
				t.d.log.Error("nobody can be told about open orders: look at rotas, escalation and contacts of the people file, and at facilityd outbox list --state dead", "orders", n)
			}
			alone = n
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.changed[c.site]:
		case <-time.After(tellEvery):
		}
	}
}

// round does what is due. A new crew also hears of the open orders of which
// nobody was told before.
func (t *teller) round(ctx context.Context, c *chain, crew, before *Crew) error {
	if crew == nil {
		return nil
	}
	if crew != before {
		if err := t.d.orders.AdoptDispatch(ctx, c.site); err != nil {
			return err
		}
	}
	desk := t.desk(crew)
	for {
		n, err := t.d.orders.Dispatch(ctx, c.site, c.keeper.epoch, t.d.Now(), desk, tellAtOnce)
		if err != nil {
			return err
		}
		// After each part: what is urgent does not wait for all the rest.
		written, err := t.d.orders.Mail(ctx, t.d.Now(), desk, func(m *dispatch.Message) (json.RawMessage, error) { return t.write(crew, m) })
		if written > 0 {
			t.outbox.Wake()
		}
		if err != nil || n < tellAtOnce {
			return err
		}
	}
}

// write puts a message into words.
func (t *teller) write(c *Crew, m *dispatch.Message) (json.RawMessage, error) {
	p := c.Roster.Person(m.Person)
	facts := make([]notify.Facts, len(m.Notices))
	for i := range m.Notices {
		facts[i] = t.facts(c, &m.Notices[i])
	}
	f := facts[0]
	if m.Digest() {
		f = notify.Facts{Kind: notify.Summary, Path: "/", Tier: m.Tier, Simulated: f.Simulated, Orders: facts}
		for i := range facts {
			f.Simulated = f.Simulated && facts[i].Simulated
		}
	}
	msg := c.Writer.Write(&f, p.Lang, t.d.Now())
	msg.Key = m.Key
	return json.Marshal(&msg)
}

// facts are what a notice says, in no language yet.
func (t *teller) facts(c *Crew, n *dispatch.Waiting) notify.Facts {
	site := &devices.Site{ID: n.Now.Site, Name: devices.Label{EN: n.Now.Site}}
	if b := t.d.configs.current(n.Now.Site); b != nil {
		site = b.Site
	}
	zone := site.Location
	if zone == nil {
		zone = time.UTC
	}
	in := func(at time.Time) time.Time {
		if at.IsZero() {
			return at
		}
		return at.In(zone)
	}
	f := notify.OrderFacts(n.Kind, n.Now, site, t.d.template(n.Now.FaultClass))
	f.Target, f.Due, f.Level = n.Target, in(n.Due), n.Level
	f.By, f.At = n.By, in(n.When)
	if p := c.Roster.Person(n.By); p != nil {
		f.By = p.Name
	}
	if n.Reason != "" {
		f.Reason = n.Reason
	}
	f.Under = len(n.Now.Consequences)
	return f
}

// send hands one effect over.
func (t *teller) send(ctx context.Context, e *outbox.Effect) (outbox.Receipt, error) {
	c := t.d.Crew()
	if c == nil {
		return outbox.Receipt{}, &outbox.Failure{Contacts: 1, Err: errors.New("nobody is configured any more: the settings name no people file")}
	}
	if e.Kind == outbox.Event {
		return t.sendEvent(ctx, c, e)
	}
	p := c.Roster.Person(e.To)
	if p == nil {
		return outbox.Receipt{}, &outbox.Failure{Refused: true, Contacts: 1, Err: errors.New("this person is not in the people file any more")}
	}
	if len(p.Contacts) == 0 {
		return outbox.Receipt{}, &outbox.Failure{Refused: true, Contacts: 1, Err: errors.New("this person has no contact")}
	}
	contact := p.Contacts[e.Contact%len(p.Contacts)]
	receipt := outbox.Receipt{Channel: contact.Channel, Address: contact.Address}
	if contact.Channel == people.Board {
		return receipt, nil // it is there already: the board shows the outbox
	}
	var m notify.Message
	if err := json.Unmarshal(e.Doc, &m); err != nil {
		return receipt, &outbox.Failure{Refused: true, Contacts: 1, Err: err}
	}
	ref, err := t.d.orders.ThreadRef(ctx, e.Thread, contact.Channel, contact.Address)
	if err != nil {
		return receipt, err
	}
	m.Replaces = ref
	if receipt.Ref, err = c.Channels.Send(ctx, contact.Channel, contact.Address, &m); err != nil {
		return receipt, failure(err, len(p.Contacts))
	}
	return receipt, nil
}

func failure(err error, contacts int) error {
	f := &outbox.Failure{Contacts: contacts, Err: err}
	if said := new(notify.Error); errors.As(err, &said) {
		f.Refused, f.After = !said.Temporary, said.RetryAfter
	}
	return f
}

// An orderEvent is what another system is told of an order.
type orderEvent struct {
	Type      string          `json:"type"` // order.opened, order.changed or order.closed
	Timestamp time.Time       `json:"timestamp"`
	Order     orderEventOrder `json:"order"`
}

type orderEventOrder struct {
	ID         string          `json:"id"`
	Number     string          `json:"number"`
	Version    int             `json:"version"` // grows with every change; keep the highest
	Site       string          `json:"site"`
	Asset      string          `json:"asset"`
	FaultClass string          `json:"fault_class"`
	State      ticketing.State `json:"state"`
	Tier       ticketing.Tier  `json:"tier"`
	Severity   string          `json:"severity"`
	Why        devices.Label   `json:"why"`
	Onset      time.Time       `json:"onset"`
	Opened     time.Time       `json:"opened"`
	Updated    time.Time       `json:"updated"`
	Assignee   string          `json:"assignee,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Simulated  bool            `json:"simulated,omitempty"`
	Link       string          `json:"link,omitempty"`
}

// events are what the subscribed systems are told of a change.
func (t *teller) events(o *ticketing.Order, change outbox.Change) []outbox.Effect {
	c := t.d.Crew()
	if c == nil {
		return nil
	}
	var out []outbox.Effect
	var doc []byte
	for i := range c.Subscriptions {
		s := &c.Subscriptions[i]
		if !s.Wants(o, change) {
			continue
		}
		if doc == nil {
			e := orderEvent{Type: "order." + string(change), Timestamp: o.Updated, Order: orderEventOrder{
				ID: o.ID, Number: o.NumberText(), Version: o.Version, Site: o.Site, Asset: o.Asset, FaultClass: o.FaultClass,
				State: o.State, Tier: o.Tier, Severity: o.Severity, Why: o.Why, Onset: o.Onset, Opened: o.Opened, Updated: o.Updated,
				Assignee: o.Assignee, Reason: o.Reason, Simulated: o.Simulated,
			}}
			if c.Writer.Board != "" {
				e.Order.Link = c.Writer.Board + "/orders/" + o.ID
			}
			var err error
			if doc, err = json.Marshal(&e); err != nil { // values of the program, all of which can be written
				t.d.log.Error("an event cannot be written", "order", o.ID, "error", err)
				return nil
			}
		}
		out = append(out, s.Event(o, doc, time.Now()))
	}
	return out
}

func (t *teller) sendEvent(ctx context.Context, c *Crew, e *outbox.Effect) (outbox.Receipt, error) {
	for i := range c.Subscriptions {
		if s := &c.Subscriptions[i]; s.Name == e.To {
			receipt := outbox.Receipt{Channel: s.Channel}
			if err := c.Channels.Post(ctx, s.Channel, e.Key, e.Doc); err != nil {
				return receipt, failure(err, 1)
			}
			return receipt, nil
		}
	}
	return outbox.Receipt{}, &outbox.Failure{Refused: true, Contacts: 1, Err: errors.New("there is no subscription of this name any more")}
}

// prune forgets now and then what was sent long ago.
func (t *teller) prune(ctx context.Context) error {
	for {
		if n, err := t.d.orders.PruneOutbox(ctx, time.Now().Add(-keepEffects)); err != nil && ctx.Err() == nil {
			t.d.log.Warn("what was sent long ago is kept longer", "error", err)
		} else if n > 0 {
			t.d.log.Info("forgot what was sent long ago", "effects", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Hour):
		}
	}
}
