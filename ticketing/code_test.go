package ticketing

import (
	"errors"
	"slices"
	"testing"

	"github.com/facilityd/facilityd/rules"
)

func TestClosingCodeIsKeptUntilTheFaultIsBack(t *testing.T) {
	o := &Order{}
	first := step(1, rules.Active, rules.High)
	apply(t, o, Receive(nil, nil, &first, "", 1, minute(1))...)
	cleared := step(2, rules.Cleared, rules.High)
	cleared.Episode.Seq = 1
	apply(t, o, Receive(o, &EpisodeState{Phase: rules.Active, Seq: 1}, &cleared, "", 1, minute(2))...)
	c := Command{Verb: DoDone, Order: o.ID, By: "li.na", Key: "1", Version: o.Version, Arrived: minute(20), Code: "repared"}
	var invalid *InvalidError
	if _, err := Decide(o, &c, nil, nil); !errors.As(err, &invalid) || invalid.Field != "code" {
		t.Errorf("an unknown code: %v", err)
	}
	c.Code = "repaired"
	e, err := Decide(o, &c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, o, *e)
	if o.ClosingCode() != "repaired" {
		t.Errorf("closing code %q", o.ClosingCode())
	}
	apply(t, o, Entry{Version: o.Version + 1, Kind: Refuse, At: minute(30), Arrived: minute(30), By: "li.na", Detail: Detail{Reason: "drips"}})
	if o.ClosingCode() != "" {
		t.Errorf("after the work was refused: %q", o.ClosingCode())
	}
	apply(t, o, Entry{Version: o.Version + 1, Kind: Cancel, At: minute(40), Arrived: minute(40), By: "li.na", Detail: Detail{Reason: "known"}})
	if o.ClosingCode() != "known" {
		t.Errorf("a cancelled order: %q", o.ClosingCode())
	}
}

// Every reason for cancelling is a closing code, and every code tells one thing.
func TestClosingCodesCoverHowAnOrderEnds(t *testing.T) {
	var all []string
	cancelled := append(slices.Clone(CancelReasons), ReasonNewNormal, ReasonCommonCause)
	for _, c := range closingCodes {
		if slices.Contains(all, c.code) || c.real && c.mute || c.done == slices.Contains(cancelled, c.code) {
			t.Errorf("%+v", c)
		}
		all = append(all, c.code)
	}
	for _, r := range cancelled {
		if !slices.Contains(all, r) {
			t.Errorf("reason %s is no closing code", r)
		}
	}
}
