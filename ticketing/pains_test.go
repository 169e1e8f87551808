package ticketing

import (
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
)

// PAINS 13: an alarm that somebody acknowledged and then forgot was never heard
// of again. Who takes an order and says nothing is found.
func TestPain13AcceptedAndForgottenIsFound(t *testing.T) {
	p := DefaultPolicy()
	o := &Order{}
	first := step(1, rules.Active, rules.High)
	apply(t, o, Receive(nil, nil, &first, "", 1, minute(1))...)
	if o.Forgotten(&p, minute(10000)) {
		t.Error("an order that nobody has is late, not forgotten")
	}
	apply(t, o, Entry{Version: 2, Kind: Accept, At: minute(10), Arrived: minute(10), By: "li.na"})
	worse := step(200, rules.Active, rules.High) // what rules say is no sign of life of a person
	worse.Episode.Seq = 1
	worse.Cause = rules.CauseSeverity
	apply(t, o, Receive(o, &EpisodeState{Phase: rules.Active, Seq: 1}, &worse, "", 1, minute(200))...)
	for m, want := range map[int]bool{10: false, 250: false, 251: true} {
		if got := o.Forgotten(&p, minute(m)); got != want {
			t.Errorf("%d minutes after it was accepted: forgotten %v", m-10, got)
		}
	}
	apply(t, o, Entry{Version: o.Version + 1, Kind: Note, At: minute(300), Arrived: minute(300), By: "li.na", Detail: Detail{Text: "on my way"}})
	if o.Forgotten(&p, minute(301)) {
		t.Error("forgotten right after a note")
	}
}

// PAINS 22 asks for both times of what was done without a signal; the order keeps
// the time of the action for its clocks and the time of arrival for its log.
func TestPain22TimeOfActionAndTimeOfArrivalAreBothKept(t *testing.T) {
	o := &Order{}
	first := step(1, rules.Active, rules.High)
	apply(t, o, Receive(nil, nil, &first, "", 1, minute(1))...)
	c := Command{Verb: DoArrive, Order: o.ID, By: "li.na", Key: "1", Version: 1, At: minute(20), Arrived: minute(200)}
	e, err := Decide(o, &c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, o, *e)
	if !o.ArrivedAt.Equal(minute(20)) || !o.Updated.Equal(minute(200)) || !o.Heard.Equal(minute(200)) {
		t.Errorf("%+v", o)
	}
	c.At = minute(200).Add(3 * time.Minute)
	if _, err := Decide(o, &c, nil, nil); err == nil {
		t.Error("an action in the future is taken")
	}
}
