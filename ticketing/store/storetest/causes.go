package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
)

// feeder is the episode of a dead feeder at a position.
func feeder(seq uint64) rules.Transition {
	return Step("feeder", "power.quality", seq, seq, rules.Active, rules.High)
}

// under is a step of an episode that the feeder explains.
func under(t, cause rules.Transition) rules.Transition {
	t.Under = cause.Episode
	return t
}

func explained(asset string, episode, seq uint64, cause rules.Transition) rules.Transition {
	t := Step(asset, "motor.overload", episode, seq, rules.Active, rules.Medium)
	t.Cause, t.Evidence = rules.CauseExplained, nil
	return under(t, cause)
}

func onItsOwn(asset string, episode, seq uint64) rules.Transition {
	t := Step(asset, "motor.overload", episode, seq, rules.Active, rules.Medium)
	t.Cause, t.Evidence = rules.CauseOnItsOwn, nil
	return t
}

// of finds the orders of an asset, the oldest first.
func (e *env) of(asset string) []ticketing.Order {
	all := allOrders(e, e.s)
	all = slices.DeleteFunc(all, func(o ticketing.Order) bool { return o.Asset != asset })
	slices.SortFunc(all, func(a, b ticketing.Order) int { return int(a.Number - b.Number) })
	return all
}

func (e *env) kinds(o ticketing.Order) []ticketing.Kind {
	log, err := e.s.Log(e.ctx, o.ID, 0)
	if err != nil {
		e.Fatal(err)
	}
	out := make([]ticketing.Kind, len(log))
	for i := range log {
		out[i] = log[i].Kind
	}
	return out
}

func (e *env) wantKinds(o ticketing.Order, want ...ticketing.Kind) {
	e.Helper()
	if diff := cmp.Diff(want, e.kinds(o)); diff != "" {
		e.Errorf("the log of %s (-want +got):\n%s", o.NumberText(), diff)
	}
}

func (e *env) consequences() {
	cause := feeder(10)
	steps := []rules.Transition{cause}
	for i := range uint64(3) {
		steps = append(steps, under(Step(fmt.Sprintf("pump-%d", i), "motor.overload", 11+i, 11+i, rules.Active, rules.Medium), cause))
	}
	e.apply(steps...)
	e.apply(under(Step("pump-3", "motor.overload", 20, 20, rules.Active, rules.Medium), cause)) // its cause is of an earlier batch
	e.apply(under(Step("pump-0", "motor.overload", 11, 21, rules.Cleared, rules.Medium), cause),
		under(Step("pump-1", "motor.overload", 12, 22, rules.ActiveWithoutData, rules.Medium), cause))
	o := e.one()
	if o.Explains != 4 || len(o.Consequences) != 3 || !o.Consequences[0].NoData || len(o.Holding) != 1 || o.Tier != ticketing.P2 || o.Episodes != 1 {
		e.Errorf("%+v", o)
	}
	list, err := e.s.Episodes(e.ctx, ticketing.EpisodeFilter{Order: o.ID, Consequences: true})
	if err != nil || len(list.Items) != 4 || list.Items[0].Asset != "pump-3" || list.Items[0].Under != cause.Episode.String() || list.Items[3].Phase != "cleared" {
		e.Errorf("%+v, %v", list.Items, err)
	}
	own, err := e.s.Evidence(e.ctx, o.ID, 10)
	if err != nil || len(own) != 1 || own[0].Inputs[0].Device != "feeder" {
		e.Errorf("the order's own evidence is %+v, %v", own, err)
	}
	if ev, err := e.s.EvidenceAt(e.ctx, o.ID, 2); err != nil || ev == nil || ev.Inputs[0].Device != "pump-0" {
		e.Errorf("the evidence of its first consequence is %+v, %v", ev, err)
	}
	// A vital asset that follows makes the one order more urgent.
	e.apply(under(Step("lift-1", "lift.drive", 30, 30, rules.Active, rules.High), cause))
	if o = e.one(); o.Tier != ticketing.P1 {
		e.Errorf("with a vital lift that stands it is %s", o.Tier)
	}
}

func (e *env) consequenceFirst() {
	cause := feeder(10)
	child := under(Step("pump-1", "motor.overload", 11, 11, rules.Active, rules.Medium), cause)
	e.apply(child)
	if o := e.one(); o.State != ticketing.Open || o.Asset != "pump-1" {
		e.Errorf("as long as its cause is not known it has its own order, not %+v", o)
	}
	e.apply(cause)
	e.apply(child, cause)
	own, order := e.of("pump-1")[0], e.of("feeder")[0]
	if own.State != ticketing.Cancelled || own.Reason != ticketing.ReasonCommonCause || own.Into != order.ID || own.Holds() || len(order.Consequences) != 1 {
		e.Errorf("own %+v\ncause %+v", own, order)
	}
	if ev, err := e.s.EvidenceAt(e.ctx, order.ID, 2); err != nil || ev == nil || ev.Inputs[0].Device != "pump-1" {
		e.Errorf("its evidence did not come with it: %+v, %v", ev, err)
	}
}

func (e *env) causeLater() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Medium), Step("pump-2", "motor.overload", 2, 2, rules.Active, rules.Medium))
	taken := e.must(e.of("pump-2")[0], ticketing.Command{Verb: ticketing.DoAccept})
	cause := feeder(10)
	a, b := explained("pump-1", 1, 10, cause), explained("pump-2", 2, 10, cause)
	a.Ordinal, b.Ordinal = 1, 2
	e.apply(cause, a, b)
	order, gone := e.of("feeder")[0], e.of("pump-1")[0]
	if gone.State != ticketing.Cancelled || gone.Into != order.ID {
		e.Errorf("nobody had taken it up: %+v", gone)
	}
	e.wantKinds(gone, ticketing.Opened, ticketing.Cancel)
	linked := e.of("pump-2")[0]
	if linked.State != ticketing.Accepted || linked.Under != order.ID || !linked.Holds() {
		e.Errorf("somebody has it: %+v", linked)
	}
	e.wantKinds(linked, ticketing.Opened, ticketing.Accept, ticketing.Explained)
	e.wantKinds(order, ticketing.Opened, ticketing.Consequence)
	// Being told is no reason to refuse what the person does next.
	e.must(linked, ticketing.Command{Verb: ticketing.DoArrive, Version: taken.Version})
	over := onItsOwn("pump-2", 2, 20)
	e.apply(over)
	if o := e.of("pump-2")[0]; o.Under != "" || o.State != ticketing.OnSite {
		e.Errorf("%+v", o)
	}
}

func (e *env) standsAlone() {
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Medium))
	cause := feeder(10)
	late := explained("pump-1", 1, 10, cause)
	late.Ordinal = 1
	e.apply(cause, late, under(Step("pump-2", "motor.overload", 11, 11, rules.Active, rules.Medium), cause),
		under(Step("pump-3", "motor.overload", 12, 12, rules.Active, rules.Medium), cause))
	over := Step("feeder", "power.quality", 10, 30, rules.Cleared, rules.High)
	e.apply(over, under(Step("pump-3", "motor.overload", 12, 31, rules.Cleared, rules.Medium), cause), onItsOwn("pump-1", 1, 40), onItsOwn("pump-2", 11, 41))
	first, second, order := e.of("pump-1"), e.of("pump-2"), e.of("feeder")[0]
	if len(first) != 1 || first[0].State != ticketing.Open || first[0].Number != 1 || !first[0].Holds() || first[0].Into != "" || !first[0].VisitFrom.Equal(T0.Add(41*time.Second)) {
		e.Errorf("its old order is open again: %+v", first)
	}
	e.wantKinds(first[0], ticketing.Opened, ticketing.Cancel, ticketing.Reopened)
	if len(second) != 1 || second[0].State != ticketing.Open || second[0].ID != ticketing.OrderID(rules.EpisodeID{Site: "demo", Asset: "pump-2", FaultClass: "motor.overload", Seq: 11}) {
		e.Errorf("%+v", second)
	}
	if ev, err := e.s.Evidence(e.ctx, second[0].ID, 5); err != nil || len(ev) != 1 || ev[0].Series[0].Device != "pump-2" || second[0].Why.EN == "" {
		e.Errorf("the evidence did not come along: %+v, %v", ev, err)
	}
	if len(e.of("pump-3")) != 0 || len(order.Consequences) != 0 || order.Explains != 3 || order.Holds() {
		e.Errorf("%+v", order)
	}
	// An episode of the fault that is over before joins the order that is open.
	e.apply(Step("pump-2", "motor.overload", 11, 50, rules.Cleared, rules.Medium))
	again := feeder(60)
	e.apply(again, under(Step("pump-2", "motor.overload", 61, 61, rules.Active, rules.Medium), again), onItsOwn("pump-2", 61, 70))
	if second = e.of("pump-2"); len(second) != 1 || second[0].Episodes != 2 || len(second[0].Holding) != 1 {
		e.Errorf("%+v", second)
	}
}

func (e *env) chain() {
	gateway := Step("gateway", "comms.quality", 5, 5, rules.Active, rules.Medium)
	e.apply(gateway, under(Step("meter-1", "comms.quality", 6, 6, rules.Active, rules.Low), gateway),
		under(Step("meter-2", "comms.quality", 7, 7, rules.Active, rules.Low), gateway))
	cause := feeder(10)
	found := under(Step("gateway", "comms.quality", 5, 10, rules.Active, rules.Medium), cause)
	found.Cause, found.Evidence, found.Ordinal = rules.CauseExplained, nil, 1
	e.apply(cause, found)
	order := e.of("feeder")[0]
	if len(order.Consequences) != 3 || order.Explains != 3 || e.of("gateway")[0].State != ticketing.Cancelled {
		e.Errorf("%+v", order)
	}
	// Power is back, the gateway is broken: what is behind it follows from that.
	broken := Step("gateway", "comms.quality", 5, 30, rules.Active, rules.Medium)
	broken.Cause, broken.Evidence = rules.CauseOnItsOwn, nil
	e.apply(Step("feeder", "power.quality", 10, 29, rules.Cleared, rules.High), broken)
	gone, own := e.of("feeder")[0], e.of("gateway")
	if len(gone.Consequences) != 0 || len(own) != 1 || own[0].State != ticketing.Open || len(own[0].Consequences) != 2 || len(e.of("meter-1")) != 0 {
		e.Errorf("feeder %+v\ngateway %+v", gone, own)
	}
}

func (e *env) insideStandsAlone() {
	cause := feeder(10)
	inside := under(Step("lift-1", "lift.levelling", 11, 11, rules.Active, rules.Medium), cause)
	inside.Evidence.Inputs = append(inside.Evidence.Inputs, rules.Input{Device: "lift-1", Role: "passenger_present", Value: 1, Quality: "good"})
	e.apply(cause, inside, under(Step("lift-2", "lift.levelling", 12, 12, rules.Active, rules.Medium), cause))
	o := e.of("lift-1")
	if len(o) != 1 || o[0].Tier != ticketing.P1 || !o[0].Inside || o[0].Under != e.of("feeder")[0].ID {
		e.Errorf("%+v", o)
	}
	// A passenger who is noticed later counts as well, and keeps the order.
	worse := under(Step("lift-2", "lift.levelling", 12, 20, rules.Active, rules.High), cause)
	worse.Cause, worse.Evidence = rules.CauseSeverity, inside.Evidence
	e.apply(worse)
	if o = e.of("lift-2"); len(o) != 1 || o[0].Tier != ticketing.P1 || o[0].State != ticketing.Open {
		e.Errorf("%+v", o)
	}
	again := under(Step("lift-2", "lift.levelling", 12, 21, rules.Active, rules.High), cause)
	again.Cause, again.Evidence = rules.CauseExplained, nil
	e.apply(again)
	if o = e.of("lift-2"); o[0].State != ticketing.Open || o[0].Under == "" {
		e.Errorf("%+v", o)
	}
}

func (e *env) knownCause() {
	cause := feeder(10)
	e.apply(cause, under(Step("pump-1", "motor.overload", 11, 11, rules.Active, rules.Medium), cause))
	o := e.one()
	e.must(o, ticketing.Command{Verb: ticketing.DoCancel, Reason: "known", Arrived: T0.Add(time.Hour), Until: T0.Add(24 * time.Hour)})
	over := Step("feeder", "power.quality", 10, 12, rules.Cleared, rules.High)
	e.apply(over, under(Step("pump-2", "motor.overload", 13, 13, rules.Active, rules.Medium), cause))
	if o := e.one(); o.State != ticketing.Cancelled || o.Explains != 2 || len(o.Consequences) != 2 {
		e.Errorf("a cause that people know of explains what it explained and what comes: %+v", o)
	}
	e.apply(onItsOwn("pump-2", 13, 200))
	if pump := e.of("pump-2"); len(pump) != 1 || pump[0].State != ticketing.Open {
		e.Errorf("when the rules say that it stands alone it has its order: %+v", pump)
	}
}

func (e *env) letGo() {
	cause, gateway := feeder(10), Step("gateway", "comms.quality", 12, 12, rules.Active, rules.Medium)
	e.apply(cause, under(Step("pump-1", "motor.overload", 11, 11, rules.Active, rules.Medium), cause), under(gateway, cause),
		under(Step("meter-1", "comms.quality", 13, 13, rules.Active, rules.Low), gateway))
	e.must(e.one(), ticketing.Command{Verb: ticketing.DoCancel, Reason: "false_alarm"})
	order, pump, gate := e.of("feeder")[0], e.of("pump-1"), e.of("gateway")
	if order.State != ticketing.Cancelled || len(order.Consequences) != 0 || len(pump) != 1 || pump[0].State != ticketing.Open ||
		len(gate) != 1 || len(gate[0].Consequences) != 1 || len(e.of("meter-1")) != 0 {
		e.Errorf("feeder %+v\npump %+v\ngateway %+v", order, pump, gate)
	}
	// What the rules say of it afterwards changes nothing any more.
	e.apply(onItsOwn("pump-1", 11, 200))
	if after := e.of("pump-1"); len(after) != 1 || after[0].State != ticketing.Open || after[0].Episodes != 1 {
		e.Errorf("%+v", after)
	}
	// A merge takes consequences along.
	e.apply(feeder(300), under(Step("pump-2", "motor.overload", 301, 301, rules.Active, rules.Medium), feeder(300)))
	merged := e.of("feeder")[1]
	e.must(merged, ticketing.Command{Verb: ticketing.DoMerge, Into: pump[0].ID})
	if into := e.of("pump-1")[0]; len(into.Holding) != 2 || len(into.Consequences) != 1 || into.Tier != ticketing.P2 {
		e.Errorf("%+v", into)
	}
	if ev, err := e.s.Evidence(e.ctx, pump[0].ID, 9); err != nil || len(ev) != 2 || ev[0].Inputs[0].Device != "feeder" {
		e.Errorf("evidence after a merge: %+v, %v", ev, err)
	}
}

func (e *env) waitsForConsequences() {
	cause := feeder(10)
	e.apply(cause, under(Step("pump-1", "motor.overload", 11, 11, rules.Active, rules.Medium), cause),
		Step("feeder", "power.quality", 10, 20, rules.Cleared, rules.High))
	e.must(e.one(), ticketing.Command{Verb: ticketing.DoDone, Arrived: T0.Add(time.Minute)})
	r := store.Reviewer{
		Template: func(string) *ticketing.Template {
			return &ticketing.Template{Verify: ticketing.Verification{For: time.Hour}}
		},
		Observe: func(*ticketing.Order, string) ticketing.Observation { return ticketing.Observation{Known: true} },
		SignOff: time.Hour,
	}
	for hours, want := range map[int]ticketing.State{5: ticketing.Done, 6: ticketing.Done} {
		if _, err := e.s.Review(e.ctx, "demo", 1, T0.Add(time.Duration(hours)*time.Hour), r); err != nil || e.one().State != want {
			e.Errorf("after %d hours %s, %v", hours, e.one().State, err)
		}
	}
	at := uint64((7 * time.Hour).Seconds())
	e.apply(under(Step("pump-1", "motor.overload", 11, at, rules.Cleared, rules.Medium), cause))
	if _, err := e.s.Review(e.ctx, "demo", 1, T0.Add(8*time.Hour), r); err != nil || e.one().State != ticketing.Verified {
		e.Errorf("%s, %v", e.one().State, err)
	}
}
