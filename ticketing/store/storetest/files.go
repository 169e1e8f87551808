package storetest

import (
	"errors"
	"fmt"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// files checks that contents are kept once under their hash, come back as they
// were, belong to their orders, and stay within the budget of 4 KB that the cases
// have.
func (e *env) files() {
	e.apply(Step("pump-1", "motor.overload", 10, 10, rules.Active, rules.Medium), Step("pump-2", "motor.overload", 11, 11, rules.Active, rules.Medium))
	one, two := e.of("pump-1")[0], e.of("pump-2")[0]
	attach := func(o ticketing.Order, content []byte, key string) (*ticketing.Order, error) {
		a, err := ticketing.NewAttachment("x.png", "photo", "image/png", content)
		if err != nil {
			e.Fatal(err)
		}
		return e.do(o, ticketing.Command{Verb: ticketing.DoAttach, Attachment: a, Content: content, Key: key})
	}
	big := func(first byte) []byte { return append([]byte{first}, make([]byte, 1499)...) }
	for i, o := range []ticketing.Order{one, two, one} { // the same picture thrice counts once
		if _, err := attach(o, big(1), fmt.Sprint("same", i)); err != nil {
			e.Fatal(err)
		}
	}
	if _, err := attach(one, big(2), "second"); err != nil {
		e.Errorf("3,000 of 4,096 bytes: %v", err)
	}
	var invalid *ticketing.InvalidError
	if _, err := attach(one, big(3), "third"); !errors.As(err, &invalid) || invalid.Code != "budget" {
		e.Errorf("4,500 of 4,096 bytes: %v", err)
	}
	if _, err := attach(two, big(2), "again"); err != nil {
		e.Errorf("what is there already takes no room: %v", err)
	}
	o, err := e.s.Order(e.ctx, one.ID)
	if err != nil || o.Photos != 3 {
		e.Errorf("%d photos, %v", o.Photos, err)
	}
	a, _ := ticketing.NewAttachment("x.png", "photo", "image/png", big(2))
	if got, data, err := e.s.File(e.ctx, two.ID, a.Hash); err != nil || string(data) != string(big(2)) || got.Name != "x.png" {
		e.Errorf("%+v of %d bytes, %v", got, len(data), err)
	}
	refused, _ := ticketing.NewAttachment("x.png", "photo", "image/png", big(3))
	if _, _, err := e.s.File(e.ctx, one.ID, refused.Hash); !errors.Is(err, ticketing.ErrNotFound) {
		e.Errorf("what was refused: %v", err)
	}
	e.apply(Step("pump-3", "motor.overload", 12, 12, rules.Active, rules.Medium))
	if _, _, err := e.s.File(e.ctx, e.of("pump-3")[0].ID, a.Hash); !errors.Is(err, ticketing.ErrNotFound) {
		e.Errorf("the file of another order: %v", err)
	}
}

// evidence goes with an episode through all that may happen to it: its rule and
// version, limits with their source, inputs with quality, readings around the
// onset with the limit to draw.
func (e *env) evidence() {
	whole := func(what, order string, version int) {
		e.Helper()
		ev, err := e.s.EvidenceAt(e.ctx, order, version)
		if err != nil || ev == nil {
			e.Errorf("%s: no evidence, %v", what, err)
			return
		}
		if ev.RuleVersion != "c0ffee" || ev.Condition == "" || len(ev.Limits) != 1 || ev.Limits[0].Source.Text == "" || ev.Inputs[0].Quality != "good" ||
			len(ev.Series) != 1 || len(ev.Series[0].Times) != 2 || *ev.Series[0].Limit != 36.8 || ev.Reason.ZH == "" {
			e.Errorf("%s: %+v", what, ev)
		}
	}
	e.apply(Step("pump-1", "motor.overload", 1, 1, rules.Active, rules.Medium))
	own := e.of("pump-1")[0]
	whole("when it was raised", own.ID, 1)
	cause := feeder(10)
	late := explained("pump-1", 1, 10, cause)
	late.Ordinal = 1
	e.apply(cause, late)
	order := e.of("feeder")[0]
	whole("as a consequence", order.ID, 2)
	e.apply(Step("feeder", "power.quality", 10, 20, rules.Cleared, rules.High), onItsOwn("pump-1", 1, 21))
	own = e.of("pump-1")[0]
	whole("on its own again", own.ID, own.Version)
	e.apply(Step("pump-2", "motor.overload", 30, 30, rules.Active, rules.Medium))
	into := e.of("pump-2")[0]
	e.must(own, ticketing.Command{Verb: ticketing.DoMerge, Into: into.ID})
	log, err := e.s.Log(e.ctx, into.ID, 0)
	if err != nil {
		e.Fatal(err)
	}
	for _, l := range log {
		if l.Kind == ticketing.Joined {
			whole("after a merge", into.ID, l.Version)
		}
	}
	if o, _ := e.s.Order(e.ctx, into.ID); len(o.Holding) != 2 {
		e.Errorf("%+v", o)
	}
	if list, err := e.s.Evidence(e.ctx, into.ID, 10); err != nil || len(list) != 2 {
		e.Errorf("%d pieces of evidence after the merge, %v", len(list), err)
	}
}
