package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
)

// T0 is the beginning of time in the cases.
var T0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// A Step makes one step of an episode; zero fields get sensible values.
func Step(asset, fault string, episode, seq uint64, phase rules.Phase, sev rules.Severity) rules.Transition {
	at := T0.Add(time.Duration(seq) * time.Second).UnixNano()
	t := rules.Transition{
		Episode: rules.EpisodeID{Site: "demo", Asset: asset, FaultClass: fault, Seq: episode},
		Seq:     seq, Phase: phase, Severity: sev, Rule: "P07", Onset: T0.Add(time.Duration(episode)*time.Second - time.Minute).UnixNano(), At: at,
		Cause: map[rules.Phase]rules.Cause{rules.Active: rules.CauseHeld, rules.ActiveWithoutData: rules.CauseNoData, rules.Cleared: rules.CauseCleared}[phase],
	}
	if phase == rules.Active {
		limit := 36.8
		t.Evidence = &rules.Evidence{
			Rule: "P07", RuleVersion: "c0ffee", Condition: "current > 1.15 * asset.rated_current",
			Limits: []rules.LimitInForce{{Name: "margin", Value: 1.15, Layer: rules.LayerRule, Source: rules.Source{Text: "general knowledge", Mark: "k"}, Rule: 1.15}},
			Reason: devices.Label{EN: "Current 41 A is above 36.8 A", ZH: "电流41 A，超过36.8 A"},
			Inputs: []rules.Input{{Device: asset, Point: "current", Role: "current", Unit: "A", Value: 41, Quality: "good", Time: at}},
			Series: []rules.Series{{Device: asset, Point: "current", Unit: "A", Times: []int64{at - 1e9, at}, Values: []float64{30, 41}, Limit: &limit}},
		}
	}
	return t
}

// Run runs every case against stores that open makes; each gets an empty one.
func Run(t *testing.T, open func(t *testing.T, cfg store.Config) *store.Store) {
	for _, c := range slices.Concat(cases, outboxCases) {
		t.Run(c.name, func(t *testing.T) {
			cfg := store.Config{FileBudget: 4096, Warranty: 7 * 24 * time.Hour, Effects: TellEverybody(), Criticality: func(_, asset string) devices.Criticality {
				if strings.HasPrefix(asset, "lift") {
					return devices.VitalAsset
				}
				return devices.NormalAsset
			}}
			s := open(t, cfg)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
				t.Fatal(err)
			}
			c.run(&env{T: t, s: s, ctx: t.Context()})
			CheckWhole(t, s)
		})
	}
}

type env struct {
	*testing.T
	s   *store.Store
	ctx context.Context
	key int
}

type testCase struct {
	name string
	run  func(e *env)
}

var cases = []testCase{
	{"an episode opens an order with its evidence", (*env).opens},
	{"a second episode of the fault joins the open order", (*env).joins},
	{"an order for each asset and fault class, none for a group", (*env).otherClass},
	{"a batch that comes again changes nothing", (*env).again},
	{"a worker that lost the site writes nothing", (*env).fenced},
	{"silence and clearing leave the order open", (*env).silence},
	{"a vital asset and a rising severity raise the tier", (*env).tiers},
	{"a command that comes again changes nothing", (*env).replay},
	{"a decision on an old version is a conflict that says what changed", (*env).conflict},
	{"done while the fault holds needs a reason", (*env).stillHolds},
	{"what rules must know is queued with its cause", (*env).facts},
	{"a fault that returns within the warranty re-opens its order", (*env).warranty},
	{"time confirms a repair and closes the order, and the warranty re-opens it", (*env).review},
	{"time warns of a deadline once", (*env).deadlines},
	{"a fault that comes three times in 30 days is a problem", (*env).problems},
	{"merging moves the open episodes", (*env).merge},
	{"what a fault explains belongs to its order and opens none", (*env).consequences},
	{"a consequence may come before its cause", (*env).consequenceFirst},
	{"a cause that turns up later takes the orders that nobody has taken up", (*env).causeLater},
	{"a consequence that still holds when its cause is over stands for itself", (*env).standsAlone},
	{"consequences go with their cause from order to order", (*env).chain},
	{"a person who may be inside is no consequence", (*env).insideStandsAlone},
	{"a cause that people know of goes on explaining", (*env).knownCause},
	{"an order that was a false alarm lets its consequences go", (*env).letGo},
	{"an order waits for its consequences", (*env).waitsForConsequences},
	{"lists page without gaps and open items are never hidden by a time filter", (*env).pages},
	{"files are kept once, within their budget", (*env).files},
	{"evidence goes with an episode from order to order", (*env).evidence},
	{"tokens are hashed, replaced and revoked", (*env).tokens},
}

// apply gives steps to the store at the time of the last of them.
func (e *env) apply(steps ...rules.Transition) {
	e.Helper()
	upTo := steps[len(steps)-1].Seq
	if err := e.s.ApplyTransitions(e.ctx, "demo", 1, upTo, time.Unix(0, steps[len(steps)-1].At), steps); err != nil {
		e.Fatal(err)
	}
}

// one returns the only order.
func (e *env) one() ticketing.Order {
	e.Helper()
	all := allOrders(e, e.s)
	if len(all) != 1 {
		e.Fatalf("there are %d orders, want 1", len(all))
	}
	return all[0]
}

func (e *env) do(o ticketing.Order, c ticketing.Command) (*ticketing.Order, error) {
	e.key++
	c.Order, c.By, c.Via = o.ID, cmpOr(c.By, "li.na"), "api"
	if c.Key == "" {
		c.Key = fmt.Sprint("k", e.key)
	}
	if c.Version == 0 {
		c.Version = o.Version
	}
	if c.Arrived.IsZero() {
		c.Arrived = o.Updated.Add(time.Minute)
	}
	got, _, err := e.s.Command(e.ctx, c)
	return got, err
}

// must carries out a command that has to work.
func (e *env) must(o ticketing.Order, c ticketing.Command) ticketing.Order {
	e.Helper()
	got, err := e.do(o, c)
	if err != nil {
		e.Fatalf("%s: %v", c.Verb, err)
	}
	return *got
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (e *env) opens() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.High))
	o := e.one()
	want := ticketing.Order{
		ID: ticketing.OrderID(rules.EpisodeID{Site: "demo", Asset: "pump-1", FaultClass: "motor.overload", Seq: 10}), Number: 1,
		Site: "demo", Asset: "pump-1", FaultClass: "motor.overload", State: ticketing.Open, Tier: ticketing.P2, Severity: "high", Version: 1, Decided: 1,
		Why: devices.Label{EN: "Current 41 A is above 36.8 A", ZH: "电流41 A，超过36.8 A"}, Rule: "P07", Episodes: 1,
	}
	got := ticketing.Order{ID: o.ID, Number: o.Number, Site: o.Site, Asset: o.Asset, FaultClass: o.FaultClass, State: o.State, Tier: o.Tier,
		Severity: o.Severity, Version: o.Version, Decided: o.Decided, Why: o.Why, Rule: o.Rule, Episodes: o.Episodes}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Error(diff)
	}
	ev, err := e.s.Evidence(e.ctx, o.ID, 10)
	if err != nil || len(ev) != 1 || ev[0].Version != 1 || *ev[0].Series[0].Limit != 36.8 {
		e.Errorf("evidence %+v, %v", ev, err)
	}
	byNumber, err := e.s.Order(e.ctx, "demo-1")
	if err != nil || byNumber.ID != o.ID {
		e.Errorf("order demo-1 is %v, %v", byNumber, err)
	}
	p, err := e.s.Position(e.ctx, "demo")
	if err != nil || p.Seq != 10 || p.Epoch != 1 {
		e.Errorf("position %+v, %v", p, err)
	}
}

func (e *env) joins() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium), Step("pump-1", "motor.overload", 10, 12, rules.Cleared, rules.Medium))
	e.apply(Step("pump-1", "motor.overload", 20, 20, rules.Active, rules.Medium))
	o := e.one()
	if o.Episodes != 2 || len(o.Holding) != 1 || o.State != ticketing.Open {
		e.Errorf("order %+v", o)
	}
	p, err := e.s.Episodes(e.ctx, ticketing.EpisodeFilter{Order: o.ID})
	if err != nil || len(p.Items) != 2 || p.Items[0].Phase != "active" || p.Items[1].Phase != "cleared" || p.Items[1].ClearedAt.IsZero() {
		e.Errorf("episodes %+v, %v", p.Items, err)
	}
}

func (e *env) otherClass() {
	second := Step("pump-1", "pump.bearing", 10, 10, rules.Active, rules.Medium)
	second.Ordinal = 1
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium), second,
		Step("pump-2", "motor.overload", 11, 11, rules.Active, rules.Medium), Step("pump-3", "motor.overload", 12, 12, rules.Active, rules.Medium),
		Step("pump-3", "motor.overload", 12, 13, rules.Active, rules.High))
	if n := len(allOrders(e, e.s)); n != 4 {
		e.Errorf("three pumps, one of them with two faults, made %d orders, want 4", n)
	}
}

func (e *env) again() {
	steps := []rules.Transition{
		Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium),
		Step("lift-1", "lift.door", 11, 11, rules.Active, rules.Medium),
		Step("pump-1", "motor.overload", 10, 12, rules.Cleared, rules.Medium),
	}
	e.apply(steps...)
	before := allOrders(e, e.s)
	e.apply(steps...)
	e.apply(steps[:1]...)
	e.apply(append(steps, steps...)...)
	if diff := cmp.Diff(before, allOrders(e, e.s)); diff != "" {
		e.Error(diff)
	}
	if p, _ := e.s.Position(e.ctx, "demo"); p.Seq != 12 {
		e.Errorf("the position went back to %d", p.Seq)
	}
}

func (e *env) fenced() {
	if p, err := e.s.Begin(e.ctx, "demo", 3); err != nil || p.Epoch != 3 {
		e.Fatal(p, err)
	}
	err := e.s.ApplyTransitions(e.ctx, "demo", 1, 10, T0, []rules.Transition{Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium)})
	if !errors.Is(err, store.ErrFenced) {
		e.Errorf("an old worker got %v", err)
	}
	if _, err := e.s.Begin(e.ctx, "demo", 2); !errors.Is(err, store.ErrFenced) {
		e.Errorf("an old worker began: %v", err)
	}
	if n := len(allOrders(e, e.s)); n != 0 {
		e.Errorf("an old worker opened %d orders", n)
	}
}

func (e *env) silence() {
	e.apply(
		Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium),
		Step("pump-1", "motor.overload", 10, 20, rules.ActiveWithoutData, rules.Medium),
	)
	if o := e.one(); o.State != ticketing.Open || !o.Holding[0].NoData {
		e.Errorf("after silence: %+v", o)
	}
	back := Step("pump-1", "motor.overload", 10, 30, rules.Active, rules.Medium)
	back.Cause = rules.CauseDataBack
	e.apply(back, Step("pump-1", "motor.overload", 10, 40, rules.Cleared, rules.Medium))
	o := e.one()
	if o.State != ticketing.Open || o.Holds() {
		e.Errorf("after clearing: %+v", o)
	}
	log, err := e.s.Log(e.ctx, o.ID, 0)
	if err != nil {
		e.Fatal(err)
	}
	var kinds []ticketing.Kind
	for _, l := range log {
		kinds = append(kinds, l.Kind)
	}
	if want := []ticketing.Kind{ticketing.Opened, ticketing.NoData, ticketing.DataBack, ticketing.Cleared}; !reflect.DeepEqual(kinds, want) {
		e.Errorf("log %v, want %v", kinds, want)
	}
}

func (e *env) tiers() {
	e.apply(Step("lift-1", "lift.door", 10, 10, rules.Active, rules.Medium))
	if o := e.one(); o.Tier != ticketing.P2 {
		e.Errorf("medium on a vital asset is %s", o.Tier)
	}
	worse := Step("lift-1", "lift.door", 10, 11, rules.Active, rules.High)
	worse.Cause = rules.CauseSeverity
	better := Step("lift-1", "lift.door", 10, 12, rules.Active, rules.Low)
	better.Cause = rules.CauseSeverity
	e.apply(worse, better)
	o := e.one()
	if o.Tier != ticketing.P1 || o.Severity != "high" {
		e.Errorf("after high then low: %s %s", o.Tier, o.Severity)
	}
	if ev, err := e.s.Evidence(e.ctx, o.ID, 10); err != nil || len(ev) != 3 {
		e.Errorf("%d pieces of evidence, %v", len(ev), err)
	}
}

func (e *env) replay() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium))
	o := e.one()
	accept := ticketing.Command{Verb: ticketing.DoAccept, Key: "phone-1", Version: 1}
	first := e.must(o, accept)
	again := e.must(o, accept)
	if diff := cmp.Diff(first, again); diff != "" {
		e.Error(diff)
	}
	if first.State != ticketing.Accepted || first.Assignee != "li.na" {
		e.Errorf("%+v", first)
	}
	if _, err := e.do(first, ticketing.Command{Verb: ticketing.DoNote, Text: "x", Key: "phone-1"}); !errors.Is(err, ticketing.ErrKeyReused) {
		e.Errorf("the key on another command: %v", err)
	}
	if _, err := e.do(first, ticketing.Command{Verb: ticketing.DoNote, Text: "x", Key: "phone-1", By: "wang"}); err != nil {
		e.Errorf("the same key of another person: %v", err)
	}
}

func (e *env) conflict() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium))
	seen := e.one()
	e.must(seen, ticketing.Command{Verb: ticketing.DoAccept, By: "wang"})
	_, err := e.do(seen, ticketing.Command{Verb: ticketing.DoAccept, Arrived: seen.Updated.Add(2 * time.Minute)})
	var conflict *ticketing.ConflictError
	if !errors.As(err, &conflict) || len(conflict.Changed) != 1 || conflict.Changed[0].By != "wang" || conflict.Changed[0].Kind != ticketing.Accept {
		e.Errorf("conflict %+v", err)
	}
	if o := e.must(seen, ticketing.Command{Verb: ticketing.DoNote, Text: "a note never conflicts"}); o.Assignee != "wang" {
		e.Errorf("%+v", o)
	}
	// More of the same telemetry is no reason to refuse what a person decided.
	e.apply(Step("pump-1", "motor.overload", 10, 20, rules.ActiveWithoutData, rules.Medium))
	o, _ := e.s.Order(e.ctx, seen.ID)
	e.must(*o, ticketing.Command{Verb: ticketing.DoArrive, Version: 2, By: "wang"})
}

func (e *env) stillHolds() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium))
	o := e.one()
	_, err := e.do(o, ticketing.Command{Verb: ticketing.DoDone})
	var holds *ticketing.StillHoldsError
	if !errors.As(err, &holds) || !holds.Since.Equal(T0.Add(10*time.Second-time.Minute)) {
		e.Fatalf("done while the fault holds: %v", err)
	}
	o = e.must(o, ticketing.Command{Verb: ticketing.DoDone, Reason: "replaced the sensor, waits for its first message"})
	if o.State != ticketing.Done || !o.QuietFrom.IsZero() {
		e.Errorf("%+v", o)
	}
	e.apply(Step("pump-1", "motor.overload", 10, 200, rules.Cleared, rules.Medium))
	if o = e.one(); !o.QuietFrom.Equal(T0.Add(200 * time.Second)) {
		e.Errorf("quiet from %s", o.QuietFrom)
	}
}

func (e *env) facts() {
	e.apply(Step("lift-1", "lift.entrapment", 10, 10, rules.Active, rules.Critical))
	o := e.one()
	o = e.must(o, ticketing.Command{Verb: ticketing.DoArrive})
	e.must(o, ticketing.Command{Verb: ticketing.DoDone, Cleared: true, Text: "two people freed"})
	facts, err := e.s.PendingFacts(e.ctx, "demo", 10)
	if err != nil {
		e.Fatal(err)
	}
	var kinds []devices.FactKind
	for _, f := range facts {
		kinds = append(kinds, f.Kind)
		if f.Asset != "lift-1" || f.By != "li.na" || f.Episode != "demo/lift-1/lift.entrapment/10" {
			e.Errorf("fact %+v", f)
		}
	}
	want := []devices.FactKind{devices.FactCheckedIn, devices.FactDone, devices.FactCleared, devices.FactCheckedOut}
	if !reflect.DeepEqual(kinds, want) {
		e.Fatalf("facts %v, want %v", kinds, want)
	}
	for i, f := range facts {
		if err := e.s.MarkFactJournaled(e.ctx, f.ID, uint64(100+i)); err != nil {
			e.Fatal(err)
		}
	}
	if left, err := e.s.PendingFacts(e.ctx, "demo", 10); err != nil || len(left) != 0 {
		e.Errorf("still pending %v, %v", left, err)
	}
}

func (e *env) warranty() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium), Step("pump-1", "motor.overload", 10, 11, rules.Cleared, rules.Medium))
	o := e.must(e.one(), ticketing.Command{Verb: ticketing.DoDone})
	e.apply(Step("pump-1", "motor.overload", 300, 300, rules.Active, rules.Medium))
	o = e.one()
	if o.State != ticketing.Open || o.Revisits != 1 || o.Tier != ticketing.P2 || !o.DoneAt.IsZero() {
		e.Errorf("the fault came back: %+v", o)
	}
}

func (e *env) review() {
	known := true
	r := store.Reviewer{
		Template: func(string) *ticketing.Template {
			return &ticketing.Template{Verify: ticketing.Verification{For: time.Hour}}
		},
		Observe: func(*ticketing.Order, string) ticketing.Observation { return ticketing.Observation{Known: known} },
		SignOff: time.Hour,
	}
	pass := func(d time.Duration, want ticketing.State) {
		e.Helper()
		if _, err := e.s.Review(e.ctx, "demo", 1, T0.Add(d), r); err != nil {
			e.Fatal(err)
		}
		if o := e.one(); o.State != want {
			e.Fatalf("after %s the order is %s, want %s", d, o.State, want)
		}
	}
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium), Step("pump-1", "motor.overload", 10, 60, rules.Cleared, rules.Medium))
	e.must(e.one(), ticketing.Command{Verb: ticketing.DoDone, Arrived: T0.Add(2 * time.Minute)})
	pass(time.Hour, ticketing.Done)
	known = false
	pass(90*time.Minute, ticketing.Done)
	pass(10*time.Hour, ticketing.Done)
	known = true
	pass(11*time.Hour, ticketing.Verified) // the hour to see had been seen before the silence
	if n, err := e.s.Review(e.ctx, "demo", 1, T0.Add(11*time.Hour), r); n != 0 || err != nil {
		e.Errorf("the same moment again changed %d orders, %v", n, err)
	}
	if _, err := e.s.Review(e.ctx, "demo", 9, T0.Add(20*time.Hour), r); !errors.Is(err, store.ErrFenced) {
		e.Errorf("a worker without the site reviewed: %v", err)
	}
	pass(12*time.Hour, ticketing.Closed)
	late := uint64((3 * 24 * time.Hour).Seconds())
	e.apply(Step("pump-1", "motor.overload", late, late, rules.Active, rules.Medium))
	if o := e.one(); o.State != ticketing.Open || o.Revisits != 1 {
		e.Errorf("within the warranty: %+v", o)
	}
	e.apply(Step("pump-1", "motor.overload", late, late+1, rules.Cleared, rules.Medium))
	e.must(e.one(), ticketing.Command{Verb: ticketing.DoDone})
	from := 3*24*time.Hour + time.Hour
	pass(from+2*time.Hour, ticketing.Verified)
	pass(from+4*time.Hour, ticketing.Closed)
	later := late + uint64((9 * 24 * time.Hour).Seconds())
	e.apply(Step("pump-1", "motor.overload", later, later, rules.Active, rules.Medium))
	if n := len(allOrders(e, e.s)); n != 2 {
		e.Errorf("after the warranty there are %d orders, want a new one", n)
	}
}

func (e *env) problems() {
	day := uint64((24 * time.Hour).Seconds())
	for i, at := range []uint64{10, 20 * day, 29 * day, 45 * day} {
		e.apply(Step("pump-1", "motor.overload", at, at, rules.Active, rules.Medium), Step("pump-1", "motor.overload", at, at+5, rules.Cleared, rules.Medium))
		e.apply(Step("pump-2", "motor.overload", at+7, at+7, rules.Active, rules.Medium)) // one order that only goes on
		for _, o := range allOrders(e, e.s) {
			if o.Asset == "pump-1" && o.State == ticketing.Open {
				e.must(o, ticketing.Command{Verb: ticketing.DoCancel, Reason: "false_alarm", Arrived: T0.Add(time.Duration(at+60) * time.Second)})
			}
		}
		list, err := e.s.Problems(e.ctx, "demo", "", "", T0.Add(time.Duration(at+100)*time.Second))
		if want := map[int]int{2: 3, 3: 3}[i]; err != nil || want == 0 && len(list) != 0 || want > 0 && (len(list) != 1 || list[0].Count != want || list[0].Asset != "pump-1") {
			e.Errorf("after %d orders the problems are %+v, %v", i+1, list, err)
		}
	}
}

func (e *env) merge() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium), Step("pump-1", "pump.bearing", 11, 11, rules.Active, rules.High))
	all := allOrders(e, e.s) // newest first
	bearing, overload := all[0], all[1]
	if bearing.FaultClass != "pump.bearing" {
		bearing, overload = overload, bearing
	}
	gone := e.must(overload, ticketing.Command{Verb: ticketing.DoMerge, Into: bearing.ID})
	if gone.State != ticketing.Cancelled || gone.Into != bearing.ID || gone.Holds() {
		e.Errorf("%+v", gone)
	}
	into, err := e.s.Order(e.ctx, bearing.ID)
	if err != nil || into.Episodes != 2 || len(into.Holding) != 2 {
		e.Errorf("%+v, %v", into, err)
	}
	e.apply(Step("pump-1", "motor.overload", 10, 20, rules.Cleared, rules.Medium))
	if into, _ = e.s.Order(e.ctx, bearing.ID); len(into.Holding) != 1 {
		e.Errorf("the moved episode's end did not reach the order: %+v", into.Holding)
	}
	if facts, _ := e.s.PendingFacts(e.ctx, "demo", 9); len(facts) != 0 {
		e.Errorf("a merge shelves nothing, yet %v", facts)
	}
}

func (e *env) pages() {
	const n = 137
	var steps []rules.Transition
	for i := uint64(1); i <= n; i++ {
		steps = append(steps, Step(fmt.Sprintf("pump-%03d", i), "motor.overload", i, i, rules.Active, rules.Severity(1+i%4)))
	}
	e.apply(steps...)
	for _, sort := range []ticketing.Sort{ticketing.ByNewest, ticketing.ByUrgency} {
		seen := map[string]bool{}
		f := ticketing.Filter{Sort: sort, Limit: 10}
		var last ticketing.Tier
		for {
			p, err := e.s.List(e.ctx, f)
			if err != nil {
				e.Fatal(err)
			}
			for _, o := range p.Items {
				if seen[o.ID] {
					e.Fatalf("%s twice", o.NumberText())
				}
				seen[o.ID] = true
				if sort == ticketing.ByUrgency && o.Tier < last {
					e.Fatalf("%s after %s", o.Tier, last)
				}
				last = o.Tier
			}
			if f.Cursor = p.Next; p.Next == "" {
				break
			}
		}
		if len(seen) != n {
			e.Errorf("%s: %d orders over the pages, want %d", sort, len(seen), n)
		}
	}
	p, err := e.s.List(e.ctx, ticketing.Filter{Tiers: []ticketing.Tier{ticketing.P1, ticketing.P3}, States: []ticketing.State{ticketing.Open}, Limit: 500})
	if err != nil || len(p.Items) != 69 {
		e.Errorf("%d orders are P1 or P3, %v", len(p.Items), err)
	}
	if p, err := e.s.List(e.ctx, ticketing.Filter{Asset: "pump-007", Site: "demo", FaultClass: "motor.overload", From: T0, To: T0.Add(time.Hour)}); err != nil || len(p.Items) != 1 {
		e.Errorf("%d orders of one pump, %v", len(p.Items), err)
	}
	var invalid *ticketing.InvalidError
	if _, err := e.s.List(e.ctx, ticketing.Filter{Sort: ticketing.ByUrgency, From: T0}); !errors.As(err, &invalid) {
		e.Errorf("open orders were hidden by a time filter: %v", err)
	}
	if _, err := e.s.List(e.ctx, ticketing.Filter{Cursor: "nonsense"}); !errors.Is(err, ticketing.ErrCursor) {
		e.Errorf("a wrong cursor: %v", err)
	}
	stats, err := e.s.Stats(e.ctx)
	if err != nil || len(stats) != 4 || stats[0].Tier != ticketing.P1 {
		e.Errorf("stats %+v, %v", stats, err)
	}
}

func (e *env) tokens() {
	token, err := e.s.AddPerson(e.ctx, ticketing.Person{ID: "li.na", Name: "Li Na", Lang: "zh"}, T0)
	if err != nil {
		e.Fatal(err)
	}
	if p, err := e.s.PersonByToken(e.ctx, token); err != nil || p.Name != "Li Na" {
		e.Errorf("%+v, %v", p, err)
	}
	second, err := e.s.AddPerson(e.ctx, ticketing.Person{ID: "li.na", Name: "Li Na"}, T0)
	if err != nil || second == token {
		e.Errorf("%v", err)
	}
	if _, err := e.s.PersonByToken(e.ctx, token); !errors.Is(err, ticketing.ErrNotFound) {
		e.Errorf("the replaced token: %v", err)
	}
	if err := e.s.RevokePerson(e.ctx, "li.na", T0); err != nil {
		e.Error(err)
	}
	if _, err := e.s.PersonByToken(e.ctx, second); !errors.Is(err, ticketing.ErrNotFound) {
		e.Errorf("the revoked token: %v", err)
	}
	var invalid *ticketing.InvalidError
	if _, err := e.s.AddPerson(e.ctx, ticketing.Person{ID: "Li Na"}, T0); !errors.As(err, &invalid) {
		e.Errorf("an id with a space: %v", err)
	}
}
