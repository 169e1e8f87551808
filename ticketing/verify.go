package ticketing

import (
	"fmt"
	"time"
)

// An Observation is what telemetry tells of an asset at one moment.
type Observation struct {
	// Known says that the inputs of the fault are there: its device reports.
	Known bool
	// Idle says that the rule does not look at the moment: its machine is at rest.
	Idle bool
	// Count is the counter that the template names; Counted that there is one.
	Count   float64
	Counted bool
}

// Review decides what the passing of time adds to an order that is done or
// verified, nil when nothing. After done the fault has to stay away for the time
// that the template says, in which its data must be known: unknown is not
// verified. When it has not gone within that time, the repair has failed.
// A verified order is closed after signOff, in which the work may be refused.
// An order whose consequences still hold waits: each of them clears, or turns out
// to be broken by itself and gets an order of its own.
func Review(o *Order, v Verification, signOff time.Duration, obs Observation, now time.Time) *Entry {
	e := &Entry{Version: o.Version + 1, At: now, Arrived: now, Via: "clock", Key: fmt.Sprintf("clock:%s/%d", o.ID, o.Version+1)}
	// A machine that never ran after the repair proves nothing.
	obs.Known = obs.Known && (!obs.Idle || o.Looked)
	switch {
	case o.State == Verified && now.Sub(o.VerifiedAt) >= signOff && len(o.Consequences) == 0:
		e.Kind = Close
	case o.State != Done:
		return nil
	case o.Holds():
		return stillThere(o, v, e)
	case !obs.Known && o.BlindSince.IsZero():
		e.Kind = WatchPaused
	case obs.Known && !o.BlindSince.IsZero():
		e.Kind = WatchResumed
	case !obs.Known:
		return nil
	case v.Cycles > 0 && obs.Counted && !o.Counting:
		e.Kind = WatchStarted
		e.Value = &Measurement{Name: v.Role, Value: obs.Count}
	case now.Before(o.WatchUntil(v)) || v.Cycles > 0 && obs.Counted && o.cycles(obs.Count) < float64(v.Cycles):
		return nil
	case len(o.Consequences) > 0:
		return nil
	default:
		e.Kind = Verify
	}
	return e
}

// stillThere ends the wait for a fault that does not go away. One whose data
// have stopped is waited for: silence proves neither.
func stillThere(o *Order, v Verification, e *Entry) *Entry {
	for _, h := range o.Holding {
		if h.NoData {
			return nil
		}
	}
	if e.At.Sub(o.DoneAt) < v.For {
		return nil
	}
	e.Kind, e.Reason = Refuse, reasonStillHolds
	return e
}

const reasonStillHolds = "still_holds"

// WatchUntil is when the repair counts as confirmed if the fault stays away and
// its data are known from now on; zero while the fault holds.
func (o *Order) WatchUntil(v Verification) time.Time {
	if o.State != Done || o.QuietFrom.IsZero() {
		return time.Time{}
	}
	return o.QuietFrom.Add(v.For + o.Blind)
}

// cycles are the counts since the watch began. A counter that went back was
// reset: what it shows now has passed at least.
func (o *Order) cycles(count float64) float64 {
	if count < o.CountFrom {
		return count
	}
	return count - o.CountFrom
}
