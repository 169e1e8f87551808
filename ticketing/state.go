package ticketing

import "slices"

// State is where a work order stands.
type State string

// The states of a work order.
const (
	Open       State = "open"       // raised, nobody has it
	Dispatched State = "dispatched" // given to a person who has not accepted yet
	Accepted   State = "accepted"   // a person has it
	OnSite     State = "on_site"    // that person is at the asset
	Waiting    State = "waiting"    // work cannot go on; the reason is named
	Done       State = "done"       // a person reports the job done; telemetry is watched
	Verified   State = "verified"   // telemetry confirms the repair
	Closed     State = "closed"     // signed off; the end
	Cancelled  State = "cancelled"  // not a job; the reason is named; the end
)

// States lists all states in the order of a life.
var States = []State{Open, Dispatched, Accepted, OnSite, Waiting, Done, Verified, Closed, Cancelled}

// Active reports whether the order counts as the one open order of its asset
// and fault class. An order that is done or verified still does: the fault
// coming back belongs to it.
func (s State) Active() bool { return s != Closed && s != Cancelled && s != "" }

// Working reports whether somebody still has to do something.
func (s State) Working() bool {
	return s == Open || s == Dispatched || s == Accepted || s == OnSite || s == Waiting
}

// Kind is what an entry of the log tells.
type Kind string

// The kinds of entry. Those that people cause have the name of their command.
const (
	Opened   Kind = "opened"   // an episode raised the order
	Assigned Kind = "assigned" // given to a person: Person
	Accept   Kind = "accepted"
	Arrive   Kind = "arrived"
	Wait     Kind = "waiting" // Reason, Until
	Resume   Kind = "resumed"
	Finish   Kind = "done" // Reason when the condition still held
	Verify   Kind = "verified"
	Refuse   Kind = "refused"  // the sign-off was refused: Reason
	Recur    Kind = "recurred" // the fault is back: Episode
	Close    Kind = "closed"
	Cancel   Kind = "cancelled" // Reason, Until, Into
	Note     Kind = "note"
	Measure  Kind = "measured"
	Attach   Kind = "attached"
	Merged   Kind = "merged"   // another order was merged into this one: Into is the other
	Joined   Kind = "joined"   // a further episode of the same fault
	Severity Kind = "severity" // an episode became more or less severe
	NoData   Kind = "no_data"  // the inputs of an episode became unknown
	DataBack Kind = "data_back"
	Cleared  Kind = "cleared" // the condition of an episode no longer holds
	Raised   Kind = "raised"  // the tier was raised: Tier, Reason
	// Common causes: see [Order.GivesWay].
	Consequence Kind = "consequence" // an episode that this order's fault explains: Asset, FaultClass, Episode
	Released    Kind = "released"    // a consequence belongs to another order now: Into
	Explained   Kind = "explained"   // the fault of another order explains this one: Into
	OnItsOwn    Kind = "on_its_own"  // what explained this fault is over, and it still holds
	Reopened    Kind = "reopened"    // the same, for an order that was cancelled because of its cause
	// SLAWarned and SLAMissed are written by the passing of time, once for each
	// clock and Level: Target, Level, Due.
	SLAWarned Kind = "sla_warned"
	SLAMissed Kind = "sla_missed"
	// WatchPaused and WatchResumed bracket time in which the watch after done
	// saw nothing: unknown is not verified.
	WatchPaused  Kind = "watch_paused"
	WatchStarted Kind = "watch_started" // Value is the counter whose cycles count
	WatchResumed Kind = "watch_resumed"
)

// A Transition says from which states a kind of entry may come and to which
// state it leads. To is "" when the state stays.
type Transition struct {
	Kind Kind
	From []State
	To   State
	// Decides marks entries that change what a person would do next: a command
	// that was made without having seen one of them is a conflict.
	Decides bool
}

var (
	anyState = States
	working  = []State{Open, Dispatched, Accepted, OnSite, Waiting}
	living   = []State{Open, Dispatched, Accepted, OnSite, Waiting, Done, Verified}
)

// Transitions is the one table of the life cycle.
var Transitions = []Transition{
	{Opened, []State{""}, Open, true},
	{Assigned, working, Dispatched, true},
	{Accept, []State{Open, Dispatched}, Accepted, true},
	{Arrive, []State{Open, Dispatched, Accepted, Waiting}, OnSite, true},
	{Wait, []State{Accepted, OnSite}, Waiting, true},
	{Resume, []State{Waiting}, Accepted, true},
	{Finish, working, Done, true},
	{Verify, []State{Done}, Verified, true},
	{Close, []State{Verified}, Closed, true},
	{Refuse, []State{Done, Verified}, Open, true},
	{Recur, []State{Done, Verified, Closed}, Open, true},
	{Cancel, working, Cancelled, true},
	{Reopened, []State{Cancelled}, Open, true},
	{Merged, living, "", false},
	{Raised, living, "", true},
	{SLAWarned, working, "", false},
	{SLAMissed, anyState, "", false},
	{Note, anyState, "", false},
	{Measure, anyState, "", false},
	{Attach, anyState, "", false},
	{Joined, anyState, "", false},
	{Severity, anyState, "", false},
	{NoData, anyState, "", false},
	{DataBack, anyState, "", false},
	{Cleared, anyState, "", false},
	{Consequence, anyState, "", false},
	{Released, anyState, "", false},
	{Explained, anyState, "", false},
	{OnItsOwn, anyState, "", false},
	{WatchStarted, []State{Done}, "", false},
	{WatchPaused, []State{Done}, "", false},
	{WatchResumed, []State{Done}, "", false},
}

// transition finds the row of a kind, nil when there is none.
func transition(k Kind) *Transition {
	for i := range Transitions {
		if Transitions[i].Kind == k {
			return &Transitions[i]
		}
	}
	return nil
}

// May reports whether an entry of the kind may follow in state s.
func May(s State, k Kind) bool {
	t := transition(k)
	return t != nil && slices.Contains(t.From, s)
}
