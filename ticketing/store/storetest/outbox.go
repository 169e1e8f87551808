package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/roster"
	"github.com/facilityd/facilityd/ticketing/store"
)

var outboxCases = []testCase{
	{"what follows outside is written with its cause or not at all", (*env).withItsCause},
	{"an effect is taken by one, urgent ones first, and comes back when its lease is over", (*env).taking},
	{"effects of a thread are delivered in their order", (*env).threads},
	{"what nobody takes is dead until somebody retries or drops it", (*env).dead},
	{"a new order is told, and the message about it is updated", (*env).told},
	{"what was decided goes on after a restart", (*env).goesOn},
	{"a message that was not taken yet is superseded by a newer one", (*env).superseded},
	{"who cannot be reached is stood in for at once", (*env).standIn},
	{"open orders from before anybody was configured are told too", (*env).adopted},
}

// TellEverybody are effects as a daemon has them: people are told about every
// order, and one system hears of every change.
func TellEverybody() store.Effects {
	return store.Effects{
		Dispatched: func(string) bool { return true },
		Events: func(o *ticketing.Order, c outbox.Change) []outbox.Effect {
			return []outbox.Effect{{
				Key: fmt.Sprintf("cmms/%s/%d", o.ID, o.Version), Kind: outbox.Event, To: "cmms", Thread: "cmms/" + o.ID, Turn: int64(o.Version),
				Site: o.Site, Order: o.ID, Tier: o.Tier, Doc: json.RawMessage(fmt.Sprintf(`{"change":%q,"version":%d}`, c, o.Version)), Created: time.Now(),
			}}
		},
	}
}

// Desk tells li.na, and ten minutes later wang.wei.
func Desk(persons ...roster.Person) *dispatch.Desk {
	if len(persons) == 0 {
		persons = []roster.Person{{ID: "li.na"}, {ID: "wang.wei"}}
	}
	chain := roster.Chain{Urgency: roster.Page}
	for i, p := range persons {
		chain.Steps = append(chain.Steps, roster.Step{Person: p.ID, After: time.Duration(i) * 10 * time.Minute})
	}
	p := ticketing.DefaultPolicy()
	return &dispatch.Desk{
		Roster: &roster.Roster{Persons: persons, Chains: []roster.Chain{chain}},
		Policy: func(string) *ticketing.Policy { return &p }, Skill: func(string) string { return "" },
		Calendar: func(string) *calendar.Calendar { return calendar.Always() },
	}
}

// Words writes a message as the numbers of its orders and what it says of each.
func Words(m *dispatch.Message) (json.RawMessage, error) {
	var says []string
	for _, n := range m.Notices {
		says = append(says, fmt.Sprintf("%s %s", n.Kind, n.Now.NumberText()))
	}
	return json.Marshal(strings.Join(says, ", "))
}

// tell lets the desk decide and the messages be written.
func (e *env) tell(now time.Time) {
	e.Helper()
	for {
		n, err := e.s.Dispatch(e.ctx, "demo", 1, now, Desk(), 100)
		if err != nil {
			e.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if _, err := e.s.Mail(e.ctx, now, Desk(), Words); err != nil {
		e.Fatal(err)
	}
}

// effects lists what the outbox holds of a kind, the oldest first.
func (e *env) effects(f outbox.Filter) (out []string) {
	e.Helper()
	f.Limit = 500
	p, err := e.s.Effects(e.ctx, f)
	if err != nil {
		e.Fatal(err)
	}
	for _, x := range p.Items {
		out = append(out, fmt.Sprintf("%s %s %s", x.To, x.State, strings.Trim(string(x.Doc), `"`)))
	}
	slices.Reverse(out)
	return out
}

func (e *env) expect(got []string, want ...string) {
	e.Helper()
	if !slices.Equal(got, want) {
		e.Errorf("got  %q\nwant %q", got, want)
	}
}

func (e *env) withItsCause() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Medium))
	o := e.one()
	e.must(o, ticketing.Command{Verb: ticketing.DoAccept})
	if _, err := e.do(o, ticketing.Command{Verb: ticketing.DoResume, Version: 2}); err == nil {
		e.Fatal("an order that does not wait was resumed")
	}
	e.expect(e.effects(outbox.Filter{Kind: outbox.Event}), `cmms queued {"change":"opened","version":1}`, `cmms queued {"change":"changed","version":2}`)
	if s, err := e.s.DispatchState(e.ctx, o.ID); err != nil || s == nil {
		e.Errorf("the order is not noted to be told about: %v, %v", s, err)
	}
}

// take takes effects at a time on the outbox's clock.
func (e *env) take(n int, urgent bool, at time.Time) []outbox.Effect {
	e.Helper()
	list, err := e.s.TakeEffects(e.ctx, n, urgent, at, at.Add(outbox.Lease))
	if err != nil {
		e.Fatal(err)
	}
	return list
}

func (e *env) taking() {
	for i, sev := range []rules.Severity{rules.Low, rules.Medium, rules.Critical} {
		n := uint64(i + 1)
		e.apply(Step(fmt.Sprintf("pump-%d", n), "motor.overload", n, n, rules.Active, sev))
	}
	e.tell(T0.Add(time.Minute))
	e.tell(T0.Add(2 * time.Minute))
	now := time.Now()
	if next, err := e.s.NextEffect(e.ctx, true); err != nil || next.IsZero() || next.After(now) {
		e.Errorf("the urgent one is due at %v, %v", next, err)
	}
	if list := e.take(10, true, now); len(list) != 1 || list[0].Tier != ticketing.P1 || list[0].Kind != outbox.Message {
		e.Errorf("urgent are %+v", list)
	}
	first := e.take(3, false, now)
	second := e.take(10, false, now)
	if len(first) != 3 || len(second) == 0 || len(e.take(10, false, now)) != 0 {
		e.Errorf("taken were %d, %d and some more", len(first), len(second))
	}
	for _, x := range second {
		if slices.ContainsFunc(first, func(y outbox.Effect) bool { return x.Key == y.Key }) {
			e.Errorf("%s was taken twice", x.Key)
		}
	}
	if list := e.take(10, true, now.Add(outbox.UrgentLease)); len(list) != 1 {
		e.Errorf("of a killed process %d urgent ones come back soon", len(list))
	}
	again := e.take(10, false, now.Add(outbox.Lease+time.Second))
	attempts := 0
	for _, x := range again {
		attempts += x.Attempts
	}
	if len(again) != 1+len(first)+len(second) || attempts != 2*len(again)+1 {
		e.Errorf("after the lease %d come back, of %d", len(again), 1+len(first)+len(second))
	}
	// The only process that works on the database waits for no lease of the one
	// before it; what failed still waits for its time.
	if err := e.s.EffectFailed(e.ctx, &again[0], outbox.Verdict{Due: now.Add(time.Hour)}, "busy", now); err != nil {
		e.Fatal(err)
	}
	if err := e.s.ReclaimEffects(e.ctx, now.Add(outbox.Lease+2*time.Second)); err != nil {
		e.Fatal(err)
	}
	if list := e.take(10, false, now.Add(outbox.Lease+2*time.Second)); len(list) != len(again)-1 {
		e.Errorf("reclaimed were %d, want %d", len(list), len(again)-1)
	}
	// Who comes too late marks nothing: another one has it now.
	if err := e.s.EffectSent(e.ctx, &first[0], outbox.Receipt{}, now); err != nil {
		e.Fatal(err)
	}
	if list, err := e.s.Effects(e.ctx, outbox.Filter{Key: first[0].Key}); err != nil || list.Items[0].State != outbox.Queued {
		e.Errorf("%+v, %v", list.Items, err)
	}
}

func (e *env) threads() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Medium))
	e.must(e.one(), ticketing.Command{Verb: ticketing.DoAccept})
	now := time.Now()
	first := e.take(10, false, now)
	if len(first) != 1 || first[0].Turn != 1 {
		e.Fatalf("taken were %+v, want the first event alone", first)
	}
	if err := e.s.EffectFailed(e.ctx, &first[0], outbox.Verdict{Due: now.Add(time.Minute)}, "no", now); err != nil {
		e.Fatal(err)
	}
	if list := e.take(10, false, now); len(list) != 0 {
		e.Errorf("%+v went ahead of the one before it", list)
	}
	first = e.take(10, false, now.Add(time.Minute))
	if err := e.s.EffectSent(e.ctx, &first[0], outbox.Receipt{Channel: "cmms"}, now); err != nil {
		e.Fatal(err)
	}
	if list := e.take(10, false, now); len(list) != 1 || list[0].Turn != 2 {
		e.Errorf("%+v follow, want the second event", list)
	}
}

func (e *env) dead() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Medium))
	now := time.Now()
	if stats, err := e.s.OutboxStats(e.ctx); err != nil || len(stats) != 1 || stats[0].State != outbox.Queued || stats[0].Count != 1 || stats[0].Oldest.IsZero() {
		e.Errorf("%+v, %v", stats, err)
	}
	x := e.take(1, false, now)[0]
	if err := e.s.EffectFailed(e.ctx, &x, outbox.Verdict{Dead: true}, "410 gone", now); err != nil {
		e.Fatal(err)
	}
	list, err := e.s.Effects(e.ctx, outbox.Filter{State: outbox.Dead})
	if err != nil || len(list.Items) != 1 || list.Items[0].Error != "410 gone" {
		e.Fatalf("%+v, %v", list.Items, err)
	}
	if len(e.take(1, false, now.Add(time.Hour))) != 0 {
		e.Error("a dead effect was taken")
	}
	if n, err := e.s.PruneOutbox(e.ctx, now.Add(time.Hour)); err != nil || n != 0 {
		e.Errorf("%d dead effects were forgotten, %v", n, err)
	}
	if err := e.s.RetryEffect(e.ctx, x.Key, now); err != nil {
		e.Fatal(err)
	}
	if x = e.take(1, false, now)[0]; x.Refused != 0 || x.Contact != 0 {
		e.Errorf("%+v", x)
	}
	if err := e.s.DropEffect(e.ctx, x.Key, now); err != nil {
		e.Fatal(err)
	}
	if err := e.s.DropEffect(e.ctx, x.Key, now); !errors.Is(err, outbox.ErrNoEffect) {
		e.Errorf("dropped twice: %v", err)
	}
	if stats, err := e.s.OutboxStats(e.ctx); err != nil || len(stats) != 0 {
		e.Errorf("%+v, %v", stats, err)
	}
	if n, err := e.s.PruneOutbox(e.ctx, now.Add(time.Hour)); err != nil || n != 1 {
		e.Errorf("%d effects were forgotten, %v", n, err)
	}
}

// deliver marks every message as sent.
func (e *env) deliver(ref string) {
	e.Helper()
	now := time.Now()
	for _, x := range e.take(100, false, now) {
		if err := e.s.EffectSent(e.ctx, &x, outbox.Receipt{Channel: "chat", Address: x.To, Ref: ref}, now); err != nil {
			e.Fatal(err)
		}
	}
}

func (e *env) told() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.High))
	e.tell(T0.Add(time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message})) // others of the same cause may come
	e.tell(T0.Add(2 * time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na queued new demo-1")
	e.deliver("ref-1")
	o := e.one()
	if ref, err := e.s.ThreadRef(e.ctx, "li.na/"+o.ID, "chat", "li.na"); err != nil || ref != "ref-1" {
		e.Errorf("the reference is %q, %v", ref, err)
	}
	if ref, err := e.s.ThreadRef(e.ctx, "li.na/"+o.ID, "mail", "li.na"); err != nil || ref != "" {
		e.Errorf("on another channel the reference is %q, %v", ref, err)
	}
	e.must(o, ticketing.Command{Verb: ticketing.DoAccept, By: "wang.wei"})
	e.tell(T0.Add(3 * time.Minute))
	e.tell(T0.Add(4 * time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na sent new demo-1", "li.na queued update demo-1")
}

func (e *env) goesOn() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Critical))
	e.tell(T0.Add(time.Minute))
	e.tell(T0.Add(10 * time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na queued new demo-1")
	// Nothing but the database is left of what was decided before.
	e.tell(T0.Add(11 * time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na queued new demo-1", "wang.wei queued escalated demo-1")
	if n, err := e.s.Nobody(e.ctx); err != nil || n != 0 {
		e.Errorf("%d orders reach nobody, %v", n, err)
	}
	if _, err := e.s.Begin(e.ctx, "demo", 2); err != nil {
		e.Fatal(err)
	}
	if _, err := e.s.Dispatch(e.ctx, "demo", 1, T0.Add(24*time.Hour), Desk(), 100); !errors.Is(err, store.ErrFenced) {
		e.Errorf("a worker that lost the site went on telling: %v", err)
	}
}

func (e *env) superseded() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.High))
	e.tell(T0.Add(time.Minute))
	e.tell(T0.Add(2 * time.Minute))
	e.must(e.one(), ticketing.Command{Verb: ticketing.DoAccept, By: "wang.wei"})
	e.tell(T0.Add(3 * time.Minute))
	e.tell(T0.Add(4 * time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na superseded new demo-1", "li.na queued update demo-1")
}

func (e *env) standIn() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Critical))
	e.tell(T0.Add(time.Minute))
	now := time.Now()
	for _, x := range e.take(10, true, now) {
		if err := e.s.EffectFailed(e.ctx, &x, outbox.Verdict{Due: now.Add(time.Hour), Contact: 1, Unreached: true}, "no", now); err != nil {
			e.Fatal(err)
		}
	}
	e.tell(T0.Add(2 * time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na queued new demo-1", "wang.wei queued escalated demo-1")
	for _, x := range e.take(10, true, time.Now()) {
		if err := e.s.EffectFailed(e.ctx, &x, outbox.Verdict{Dead: true, Unreached: true}, "no", now); err != nil {
			e.Fatal(err)
		}
	}
	e.tell(T0.Add(3 * time.Minute))
	if n, err := e.s.Nobody(e.ctx); err != nil || n != 1 {
		e.Errorf("%d orders reach nobody, %v; want 1", n, err)
	}
}

func (e *env) adopted() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Critical))
	if err := e.s.AdoptDispatch(e.ctx, "demo"); err != nil { // it is noted already
		e.Fatal(err)
	}
	e.tell(T0.Add(time.Minute))
	e.expect(e.effects(outbox.Filter{Kind: outbox.Message}), "li.na queued new demo-1")
}
