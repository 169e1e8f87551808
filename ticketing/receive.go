package ticketing

import (
	"slices"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Recurrence that raises the tier by one: this many onsets within this time
// (DOMAIN.md, E16).
const (
	recurrenceCount  = 3
	recurrenceWithin = 24 * time.Hour
)

// Reasons for which a tier is raised.
const (
	reasonSeverity    = "severity"
	reasonInside      = "person_inside"
	reasonRecurrence  = "recurrence"
	reasonConsequence = "consequence"
)

// EpisodeState is what is known of an episode before a step of it arrives.
type EpisodeState struct {
	Order string // id of the order that holds it
	// Attached says that the order is that of its cause, not of its own asset and
	// fault class.
	Attached bool
	Phase    rules.Phase
	Seq      uint64 // newest step known
	Ordinal  uint32
}

// Before reports whether the known state is older than a step.
func (s *EpisodeState) Before(t *rules.Transition) bool {
	return s.Seq < t.Seq || s.Seq == t.Seq && s.Ordinal < t.Ordinal
}

// StepKey is the idempotency key of a step of an episode.
func StepKey(t *rules.Transition) string {
	b := make([]byte, 0, len(t.Episode.Site)+24)
	b = append(b, "rules:"...)
	b = append(b, t.Episode.Site...)
	b = append(b, '/')
	b = strconv.AppendUint(b, t.Seq, 10)
	b = append(b, '/')
	b = strconv.AppendUint(b, uint64(t.Ordinal), 10)
	return string(b)
}

// Receive says what a step of an episode adds to the log of its order.
//
// o is the order that holds the episode or, when known is nil, the one that the
// episode joins: the open order of the same asset and fault class, or one whose
// warranty still runs; nil opens a new order under number. Entries follow one
// another from o.Version+1. A step that came out of order adds its evidence and
// never takes the episode back.
func Receive(o *Order, known *EpisodeState, t *rules.Transition, crit devices.Criticality, number int64, arrived time.Time) []Entry {
	e := entryOf(o, t, crit, arrived)
	e.Kind = kindOfStep(o, known, t)
	switch e.Kind {
	case Opened:
		e.Number, e.Site, e.Asset, e.FaultClass = number, t.Episode.Site, t.Episode.Asset, t.Episode.FaultClass
		e.Into, e.Simulated = OrderID(t.Episode), t.Simulated
		return []Entry{e}
	case NoData, DataBack, Cleared, Explained, OnItsOwn:
		e.Tier = 0
	}
	if known != nil && known.Attached {
		e.consequenceOf(t)
	}
	if e.Tier == 0 {
		e.Reason = ""
		return []Entry{e}
	}
	return raised(o, e)
}

// entryOf is what a step of an episode says, whatever kind of entry it becomes.
func entryOf(o *Order, t *rules.Transition, crit devices.Criticality, arrived time.Time) Entry {
	e := Entry{
		Version: 1, At: time.Unix(0, t.At).UTC(), Arrived: arrived, Via: "rules", Key: StepKey(t),
		Detail: Detail{
			Episode: t.Episode.String(), Onset: time.Unix(0, t.Onset).UTC(), Severity: t.Severity.String(),
			Rule: t.Rule, Cause: t.Cause, Tier: TierOf(t.Severity, crit),
			Holds: t.Phase != rules.Cleared, NoData: t.Phase == rules.ActiveWithoutData,
		},
	}
	if o != nil {
		e.Version = o.Version + 1
	}
	if t.Evidence != nil {
		e.Why, e.Learned, e.Devices = &t.Evidence.Reason, t.Evidence.Learned, devicesOf(t.Evidence)
		if PersonInside(t.Evidence) {
			e.Tier, e.Reason, e.Inside = P1, reasonInside, true
		}
	}
	return e
}

// devicesOf lists the devices that a rule looked at.
func devicesOf(ev *rules.Evidence) (out []string) {
	for _, in := range ev.Inputs {
		if !slices.Contains(out, in.Device) {
			out = append(out, in.Device)
		}
	}
	return out
}

func kindOfStep(o *Order, known *EpisodeState, t *rules.Transition) Kind {
	switch {
	case o == nil:
		return Opened
	case known == nil && o.State == Cancelled:
		return Reopened
	case known == nil && t.Phase != rules.Cleared && May(o.State, Recur):
		return Recur
	case known == nil:
		return Joined
	case !known.Before(t):
		return Severity
	case t.Phase == rules.Cleared:
		return Cleared
	case t.Cause == rules.CauseExplained:
		return Explained
	case t.Cause == rules.CauseOnItsOwn:
		return OnItsOwn
	case t.Phase == rules.ActiveWithoutData:
		return NoData
	case known.Phase == rules.ActiveWithoutData && t.Cause != rules.CauseSeverity:
		return DataBack
	default:
		return Severity
	}
}

// raised adds the entry that says so when an entry makes an order more urgent:
// by its severity, or because the fault keeps coming back. Recurrence alone
// never makes a P1, which stands for danger (own judgement).
func raised(o *Order, e Entry) []Entry {
	want, reason := e.Tier, reasonSeverity
	if e.Reason != "" {
		reason = e.Reason
	}
	e.Tier, e.Reason = 0, ""
	again := e.Kind == Recur || e.Kind == Joined && len(o.Recent) == recurrenceCount-1 && e.At.Sub(o.Recent[0]) <= recurrenceWithin
	if up := o.Tier.up(); again && !o.Recurrent && up >= P2 && up < want {
		want, reason = up, reasonRecurrence
	}
	if want >= o.Tier || !o.State.Active() && e.Kind != Recur && e.Kind != Reopened {
		return []Entry{e}
	}
	return []Entry{e, {
		Version: e.Version + 1, Kind: Raised, At: e.At, Arrived: e.Arrived, Via: e.Via, Key: e.Key + "/raised",
		Detail: Detail{Tier: want, Reason: reason, Episode: e.Episode},
	}}
}
