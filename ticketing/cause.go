package ticketing

import (
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// A dead feeder or a silent gateway makes one order that somebody has to take
// up; the episodes that it explains belong to that order as its consequences.
// They wake nobody, and each stands for itself again when its cause is over and
// it still holds.

// ReasonCommonCause is why an order that nobody had taken up was cancelled: its
// episode is a consequence of another order's.
const ReasonCommonCause = "common_cause"

// GivesWay reports whether the order may become part of the order of what
// explains its episode: no person has touched it, nothing else holds in it, and
// nobody may be inside. Otherwise it stays and is linked, so that no work that
// has begun disappears.
func (o *Order) GivesWay(episode string) bool {
	untouched := (o.State == Open || o.State == Dispatched) && o.Heard.IsZero()
	return untouched && !o.Inside && len(o.Holding) == 1 && o.Holding[0].Episode == episode
}

// Known reports whether the order was cancelled because people know of its fault.
func (o *Order) Known() bool { return o.State == Cancelled && o.Into == "" && o.Reason == "known" }

// AddConsequence says what an episode adds to the order whose fault explains it. The
// order becomes as urgent as the most urgent of its consequences: it is the one
// that somebody is woken for.
func AddConsequence(cause *Order, t *rules.Transition, crit devices.Criticality, arrived time.Time) []Entry {
	e := entryOf(cause, t, crit, arrived)
	e.Kind = Consequence
	e.consequenceOf(t)
	return raised(cause, e)
}

// GiveWay cancels an order because the order of its cause takes its episode.
func GiveWay(o, cause *Order, t *rules.Transition, arrived time.Time) Entry {
	e := entryOf(o, t, "", arrived)
	e.Kind, e.Tier, e.Holds, e.Why, e.Inside, e.Learned, e.Devices = Cancel, 0, false, nil, false, false, nil
	e.Reason, e.Into = ReasonCommonCause, cause.ID
	return e
}

// Release takes a consequence from the order of its cause; into is the order
// that has it from now on.
func Release(cause *Order, into string, t *rules.Transition, arrived time.Time) Entry {
	e := entryOf(cause, t, "", arrived)
	e.Kind, e.Tier, e.Reason, e.Why, e.Inside, e.Learned, e.Devices = Released, 0, "", nil, false, false, nil
	e.Into, e.Asset, e.FaultClass = into, t.Episode.Asset, t.Episode.FaultClass
	return e
}

// Link notes in an order that goes on which order's fault explains it.
func Link(o, cause *Order, t *rules.Transition, arrived time.Time) Entry {
	e := entryOf(o, t, "", arrived)
	e.Kind, e.Tier, e.Reason, e.Inside, e.Learned, e.Devices = Explained, 0, "", false, false, nil
	e.Into = cause.ID
	return e
}

// LetsGo reports whether an entry leaves the consequences of its order without
// somebody who looks after them. A known fault goes on to explain them for as
// long as the rules say so.
func LetsGo(e *Entry) bool {
	return e.Kind == Cancel && e.Into == "" && e.Reason != "known"
}

// consequenceOf says in the log of another asset's order what it speaks of.
func (e *Entry) consequenceOf(t *rules.Transition) {
	e.Asset, e.FaultClass, e.Inside, e.Learned, e.Devices = t.Episode.Asset, t.Episode.FaultClass, false, false, nil
	if e.Reason == "" {
		e.Reason = reasonConsequence
	}
}
