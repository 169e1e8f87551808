package ticketing

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// An Order is a work order as its log tells it. It is the result of [Fold];
// stores keep it beside the log so that lists need not fold.
type Order struct {
	ID         string        `json:"id"`
	Number     int64         `json:"number"` // running number within the site
	Site       string        `json:"site"`
	Asset      string        `json:"asset"`
	FaultClass string        `json:"fault_class"`
	State      State         `json:"state"`
	Since      time.Time     `json:"since"` // when it came into this state
	Tier       Tier          `json:"tier"`
	Severity   string        `json:"severity"` // the worst so far
	Version    int           `json:"version"`  // entries in the log
	Decided    int           `json:"decided"`  // newest version that changes what a person would do
	Opened     time.Time     `json:"opened"`   // when the order came to be
	Onset      time.Time     `json:"onset"`    // when the condition began to hold
	Updated    time.Time     `json:"updated"`
	Assignee   string        `json:"assignee,omitempty"`
	Reason     string        `json:"reason,omitempty"` // of the waiting or the cancelling
	Code       string        `json:"code,omitempty"`   // closing code of the last report of done
	Until      time.Time     `json:"until,omitzero"`
	Into       string        `json:"into,omitempty"` // the order that this one was merged into
	Simulated  bool          `json:"simulated,omitempty"`
	Rule       string        `json:"rule"`
	Why        devices.Label `json:"why"`
	Episodes   int           `json:"episodes"`            // how many it holds
	Holding    []Holding     `json:"holding,omitempty"`   // episodes whose condition is not known to be over
	Recent     []time.Time   `json:"recent,omitempty"`    // the newest onsets, one fewer than make a recurrence
	Recurrent  bool          `json:"recurrent,omitempty"` // the tier was raised because the fault kept coming back
	Revisits   int           `json:"revisits,omitempty"`
	// Consequences are the episodes of other assets and fault classes that this
	// order's fault explains and that hold; Explains counts all that there were.
	Consequences []Holding `json:"consequences,omitempty"`
	Explains     int       `json:"explains,omitempty"`
	Under        string    `json:"under,omitempty"`   // the order whose fault explains this one
	Inside       bool      `json:"inside,omitempty"`  // a person may be inside the asset
	Devices      []string  `json:"devices,omitempty"` // what its own rules looked at last
	Learned      bool      `json:"learned,omitempty"` // a rule of it compares with the asset's own past
	// What the current visit has, for what its template asks.
	Photos int  `json:"photos,omitempty"`
	Signed bool `json:"signed,omitempty"`
	// Heard is when a person last did something, by time of arrival.
	Heard time.Time `json:"heard,omitzero"`
	// Milestones of the current visit, times of action.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	ArrivedAt  time.Time `json:"arrived_at,omitzero"`
	DoneAt     time.Time `json:"done_at,omitzero"`
	VerifiedAt time.Time `json:"verified_at,omitzero"`
	ClosedAt   time.Time `json:"closed_at,omitzero"`
	// VisitFrom is when the current visit began: opening or the last re-visit.
	VisitFrom time.Time `json:"visit_from"`
	// QuietFrom is since when the condition has not held, after done; zero while
	// it holds. Blind is the time since then in which nothing was known.
	QuietFrom  time.Time     `json:"quiet_from,omitzero"`
	BlindSince time.Time     `json:"blind_since,omitzero"`
	Counting   bool          `json:"counting,omitempty"` // cycles are counted from CountFrom
	CountFrom  float64       `json:"count_from,omitempty"`
	Blind      time.Duration `json:"blind,omitempty"`
	// Looked says that the rule has looked at the machine at work since the watch
	// was paused: from then on time at rest counts too.
	Looked bool `json:"looked,omitempty"`
}

// Holding is an episode whose condition still holds, or is not known not to.
type Holding struct {
	Episode string    `json:"episode"`
	Since   time.Time `json:"since"`             // onset
	NoData  bool      `json:"no_data,omitempty"` // inputs have become unknown
}

// Holds reports whether the condition of any episode still holds or is unknown.
func (o *Order) Holds() bool { return len(o.Holding) > 0 }

// NumberText is the number that people say.
func (o *Order) NumberText() string { return NumberText(o.Site, o.Number) }

// Fold gives the order that a log tells.
func Fold(log []Entry) (*Order, error) {
	if len(log) == 0 {
		return nil, errors.New("fold a log without entries")
	}
	o := &Order{}
	for i := range log {
		if err := o.Apply(&log[i]); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Apply appends one entry: it is checked against the table of transitions and
// the order changes. On an error the order is as before.
func (o *Order) Apply(e *Entry) error {
	t := transition(e.Kind)
	if t == nil {
		return fmt.Errorf("entry of unknown kind %q", e.Kind)
	}
	if !slices.Contains(t.From, o.State) {
		return &NotAllowedError{Order: o.ID, Kind: e.Kind, State: o.State}
	}
	if e.Version != o.Version+1 {
		return fmt.Errorf("entry %d does not follow version %d of order %s", e.Version, o.Version, o.ID)
	}
	o.Version = e.Version
	o.Updated = e.Arrived
	if t.Decides {
		o.Decided = e.Version
	}
	if t.To != "" {
		o.State, o.Since, o.Reason, o.Until = t.To, e.At, "", time.Time{}
		if t.To == Waiting || t.To == Cancelled {
			o.Reason, o.Until = e.Reason, e.Until
		}
	}
	if e.Tier != 0 && (o.Tier == 0 || e.Tier < o.Tier) {
		o.Tier = e.Tier
	}
	o.episode(e)
	o.visit(e)
	o.Inside, o.Learned = o.Inside || e.Inside, o.Learned || e.Learned
	return nil
}

// episode takes over what an entry says about the episodes of the order.
func (o *Order) episode(e *Entry) {
	switch e.Kind {
	case Opened:
		o.Number, o.Site, o.Asset, o.FaultClass = e.Number, e.Site, e.Asset, e.FaultClass
		o.ID = e.Into
		o.Simulated = e.Simulated
		o.Opened, o.Onset, o.VisitFrom = e.Arrived, e.Onset, e.Arrived
		o.join(e)
	case Joined, Recur:
		o.join(e)
	case Severity:
		o.worsen(e)
	case NoData, DataBack:
		for _, list := range [][]Holding{o.Holding, o.Consequences} {
			for i := range list {
				if list[i].Episode == e.Episode {
					list[i].NoData = e.Kind == NoData
				}
			}
		}
	case Cleared:
		own := len(o.Holding)
		o.Holding, o.Consequences = without(o.Holding, e.Episode), without(o.Consequences, e.Episode)
		if own == len(o.Holding) || o.Holds() {
			break
		}
		o.Under = ""
		if o.State == Done {
			o.QuietFrom = later(e.At, o.DoneAt)
		}
	case Consequence:
		o.Explains++
		if e.Holds {
			o.Consequences = append(o.Consequences, Holding{Episode: e.Episode, Since: e.Onset, NoData: e.NoData})
		}
	case Released:
		o.Consequences = without(o.Consequences, e.Episode)
	case Explained:
		o.Under = e.Into
	case OnItsOwn:
		o.Under = ""
	case Reopened:
		o.Holding = append(slices.Clip(o.Holding), Holding{Episode: e.Episode, Since: e.Onset, NoData: e.NoData})
		o.worsen(e)
	}
}

// without returns nil rather than an empty list, so that an order read back from
// JSON equals the folded one.
func without(list []Holding, episode string) []Holding {
	var left []Holding
	for _, h := range list {
		if h.Episode != episode {
			left = append(left, h)
		}
	}
	return left
}

func (o *Order) join(e *Entry) {
	o.Episodes++
	o.worsen(e)
	if e.Onset.Before(o.Onset) && !e.Onset.IsZero() {
		o.Onset = e.Onset
	}
	if e.Holds {
		o.Holding = append(slices.Clip(o.Holding), Holding{Episode: e.Episode, Since: e.Onset, NoData: e.NoData})
	}
	o.Recent = append(slices.Clip(o.Recent), e.At)
	if n := len(o.Recent) - (recurrenceCount - 1); n > 0 {
		o.Recent = o.Recent[n:]
	}
}

// worsen keeps the worst severity and the newest explanation.
func (o *Order) worsen(e *Entry) {
	now, _ := rules.ParseSeverity(e.Severity)
	was, _ := rules.ParseSeverity(o.Severity)
	if now > was {
		o.Severity = e.Severity
	}
	if e.Rule != "" {
		o.Rule = e.Rule
	}
	if e.Why != nil && e.Why.EN != "" {
		o.Why = *e.Why
	}
	if e.Devices != nil {
		o.Devices = e.Devices
	}
}

// visit takes over what an entry says about the people and their work.
func (o *Order) visit(e *Entry) {
	if e.By != "" {
		o.Heard = e.Arrived
	}
	switch e.Kind {
	case Attach:
		switch e.Attachment.Role {
		case "photo":
			o.Photos++
		case "signature":
			o.Signed = true
		}
	case Assigned:
		o.Assignee = e.Person
		o.AcceptedAt, o.ArrivedAt = time.Time{}, time.Time{}
	case Accept:
		o.Assignee, o.AcceptedAt = e.By, e.At
	case Arrive:
		o.Assignee, o.ArrivedAt = e.By, e.At
		o.acceptedBy(e.At)
	case Finish:
		if o.Assignee == "" {
			o.Assignee = e.By
		}
		o.acceptedBy(e.At)
		o.endWatch()
		o.DoneAt, o.Code = e.At, e.Code
		if !o.Holds() {
			o.QuietFrom = e.At
		}
	case Raised:
		o.Recurrent = o.Recurrent || e.Reason == reasonRecurrence
	case WatchStarted:
		o.Counting, o.CountFrom = true, e.Value.Value
	case WatchPaused:
		o.BlindSince = e.At
	case WatchResumed:
		o.Blind += e.At.Sub(o.BlindSince)
		o.BlindSince, o.Looked = time.Time{}, true
	case Verify:
		o.VerifiedAt = e.At
	case Close:
		o.ClosedAt = e.At
	case Cancel:
		o.ClosedAt, o.Into = e.At, e.Into
		if e.Into != "" {
			o.Holding, o.Consequences = nil, nil
		}
	case Reopened:
		o.VisitFrom, o.ClosedAt, o.Into, o.Assignee = e.Arrived, time.Time{}, "", ""
	case Refuse, Recur:
		o.Revisits++
		o.VisitFrom = e.Arrived
		o.Inside = false
		o.AcceptedAt, o.ArrivedAt, o.DoneAt, o.VerifiedAt, o.ClosedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
		o.endWatch()
		o.Assignee, o.Photos, o.Signed, o.Code = "", 0, false, ""
	}
}

// endWatch forgets a watch of the telemetry, before the next one begins.
func (o *Order) endWatch() {
	o.QuietFrom, o.BlindSince, o.Blind, o.Counting, o.CountFrom, o.Looked = time.Time{}, time.Time{}, 0, false, 0, false
}

// acceptedBy fills the acceptance of somebody who went without saying so.
func (o *Order) acceptedBy(at time.Time) {
	if o.AcceptedAt.IsZero() {
		o.AcceptedAt = at
	}
}
