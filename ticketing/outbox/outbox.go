// Package outbox delivers what has to happen outside: messages to people and
// events to other systems. An [Effect] is written in the transaction of its
// cause; a [Deliverer] takes it from the queue, hands it over, and tries again
// until it was taken, was refused by everybody, or is too old.
//
// An effect is delivered at least once. Its key is the same each time, so that a
// receiver that keeps keys sees it exactly once.
//
//	queued ──► sent
//	   ▲ │
//	   │ ├───► superseded   a newer message about the same order says more
//	   │ ├───► dropped      by hand
//	   │ ▼
//	  dead                  refused for good, or too old: retried by hand
package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/facilityd/facilityd/ticketing"
)

// Kind is what an effect is.
type Kind string

// The kinds of effect.
const (
	Message Kind = "message" // to a person
	Event   Kind = "event"   // to another system
)

// State is where an effect stands.
type State string

// The states of an effect.
const (
	Queued     State = "queued"
	Sent       State = "sent"
	Dead       State = "dead"
	Dropped    State = "dropped"
	Superseded State = "superseded"
)

// States lists all states.
var States = []State{Queued, Sent, Dead, Dropped, Superseded}

// An Effect is something to be done outside, once by its key.
type Effect struct {
	Key  string
	Kind Kind
	To   string // person or subscription
	// Thread names what is delivered in its order: the messages to one person
	// about one order, the events of one order to one subscription. Turn is the
	// place in the thread.
	Thread string
	Turn   int64
	Site   string
	Order  string // order id; "" for a digest of several
	Tier   ticketing.Tier
	Doc    json.RawMessage // what is delivered, as the kind has it
	State  State
	// Attempts counts how often it was taken for delivery. Contact counts the ways
	// to reach the receiver that were tried, from 0 on and round again; Refused
	// counts those in a row that said never.
	Attempts, Contact, Refused int
	At                         time.Time // when it was decided, by the clock of the orders
	Created, Due, Finished     time.Time // by the machine's clock
	Error                      string    // of the last attempt that failed
	Channel, Address           string    // over which it was sent
}

// ErrNoEffect is returned for a key that is not in a state to be retried or dropped.
var ErrNoEffect = errors.New("no such effect that waits or is dead")

// urgent reports whether the effect is a message about P1.
func (e *Effect) urgent() bool { return e.Kind == Message && e.Tier == ticketing.P1 }

// A Receipt is what is known of a delivery that was taken.
type Receipt struct {
	Channel, Address string
	// Ref names what was delivered to its receiver, for a later update.
	Ref string
}

// A Failure is why a delivery was not taken.
type Failure struct {
	// Refused: this way to the receiver will never take it.
	Refused bool
	// After is how long the receiver asked to be left alone.
	After time.Duration
	// Contacts is how many ways there are to reach the receiver.
	Contacts int
	Err      error
}

// Error says why.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

const (
	// Lease is how long a taken effect is left to its deliverer; after that the
	// deliverer counts as killed and the effect is taken again. timeout ends a
	// delivery before that.
	Lease   = 45 * time.Second
	timeout = 30 * time.Second
	// UrgentLease and urgentTimeout are those of messages about P1: nobody waits
	// long for one that a killed process had in hand.
	UrgentLease   = 15 * time.Second
	urgentTimeout = 10 * time.Second

	firstWait = 2 * time.Second
	longWait  = 15 * time.Minute
	// patience is how often a way that does not answer is tried before the next
	// one; the next is tried at once when it is urgent.
	patience = 3
	// unheard is how long all ways may fail before somebody else is told: a network
	// that is away for a moment wakes no supervisor. P1 does not wait.
	unheard = time.Minute
)

// keep is how long an effect is tried before it is dead: a page that is a day old
// helps nobody, another system wants to know what it missed while it was down
// over a long weekend (own judgement).
var keep = map[Kind]time.Duration{Message: 24 * time.Hour, Event: 5 * 24 * time.Hour}

// A Verdict is what becomes of an effect after a failed attempt.
type Verdict struct {
	Dead             bool
	Due              time.Time // of the next attempt
	Contact, Refused int
	// Unreached: every way was tried and none took it, so somebody else should
	// be told. It may still be taken later.
	Unreached bool
}

// Judge decides about a failed attempt. jitter in [0, 1) spreads the waiting, so
// that what failed together does not come back together.
func Judge(e *Effect, f *Failure, jitter float64, now time.Time) Verdict {
	ways := max(f.Contacts, 1)
	v := Verdict{Contact: e.Contact, Refused: 0}
	if f.Refused {
		v.Refused = e.Refused + 1
	}
	switch {
	case v.Refused >= ways:
		v.Dead, v.Unreached = true, true
		return v
	case now.Sub(e.Created) > keep[e.Kind]:
		v.Dead, v.Unreached = true, true
		return v
	case f.Refused, e.urgent(), e.Attempts%patience == 0:
		v.Contact++
	}
	round := v.Contact > e.Contact && v.Contact%ways == 0
	v.Unreached = round && (e.urgent() || now.Sub(e.Created) >= unheard)
	if v.Contact > e.Contact && !round && f.After == 0 {
		v.Due = now
		return v
	}
	v.Due = now.Add(max(backoff(e.Attempts, jitter), f.After))
	return v
}

// backoff is the wait after so many attempts: 2 s, 4 s, 8 s and so on up to 15
// minutes, each a fifth shorter or longer by chance.
func backoff(attempts int, jitter float64) time.Duration {
	b := retry.WithCappedDuration(longWait, retry.NewExponential(firstWait))
	var wait time.Duration
	for range max(attempts, 1) {
		if wait, _ = b.Next(); wait >= longWait {
			break
		}
	}
	return time.Duration(float64(wait) * (0.8 + 0.4*jitter))
}

// ParseState reads the name of a state.
func ParseState(s string) (State, error) {
	for _, known := range States {
		if string(known) == s {
			return known, nil
		}
	}
	return "", fmt.Errorf("%q is not a state of an effect: use one of %v", s, States)
}

// Filter chooses effects; what is empty does not choose.
type Filter struct {
	State          State
	Kind           Kind
	To, Order, Key string
	Cursor         string
	Limit          int // 1 to 500; 50 when 0
}

// A Stat counts the effects of one kind and state.
type Stat struct {
	Kind   Kind
	State  State
	Count  int64
	Oldest time.Time // when the oldest of them was made
}

// A Change is what became of an order, for other systems.
type Change string

// The changes of an order.
const (
	Opened  Change = "opened" // it is new, or open again
	Changed Change = "changed"
	Closed  Change = "closed" // closed or cancelled
)
