package rules

import (
	"strconv"

	"github.com/facilityd/facilityd/devices"
)

// Severity is how bad a rule says it is. Asset criticality and recurrence turn
// it into the tier of the work order (critical is P1 on a normal asset).
type Severity uint8

// The severities, worst last. Zero is no severity.
const (
	Low Severity = iota + 1
	Medium
	High
	Critical
)

var severityNames = [...]string{"", "low", "medium", "high", "critical"}

// String returns the word that rule files and the API use.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return "unknown"
}

// ParseSeverity reads the word; ok is false for any other.
func ParseSeverity(word string) (s Severity, ok bool) {
	for i, n := range severityNames {
		if i > 0 && n == word {
			return Severity(i), true
		}
	}
	return 0, false
}

// Phase is where an episode stands. Pending never leaves the engine.
type Phase uint8

// The phases of an episode.
const (
	Pending Phase = iota + 1
	Active
	ActiveWithoutData // still open, but its inputs have become unknown
	Cleared
)

var phaseNames = [...]string{"", "pending", "active", "active_without_data", "cleared"}

// String returns the word that the API and the board use.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return "unknown"
}

// EpisodeID is fixed when an episode becomes active: nothing that is learnt
// later changes it.
type EpisodeID struct {
	Site       string
	Asset      string
	FaultClass string
	Seq        uint64 // position of the record that made it active
}

// String returns site/asset/fault class/position.
func (id EpisodeID) String() string {
	return id.Site + "/" + id.Asset + "/" + id.FaultClass + "/" + strconv.FormatUint(id.Seq, 10)
}

// A Transition is one step of one episode, as the engine emits it. The stream
// of transitions is the engine's whole output to ticketing.
type Transition struct {
	Episode EpisodeID
	Seq     uint64 // position of the record that caused this step
	Ordinal uint32 // counts the steps caused by one record: (Seq, Ordinal) is unique per site
	Phase   Phase  // the phase entered
	// Under is the episode that explains this one (a dead feeder, a silent gateway);
	// zero for none. An episode under another needs no order of its own as long as
	// it is. When the other is over it stays under it for a reprieve, in which it
	// may clear; then it stands on its own (CauseOnItsOwn, Under zero). So the other
	// may be over already, also when this one opens.
	Under EpisodeID
	Cause Cause
	// Severity is the highest that holds now (kept, when Cleared).
	Severity Severity
	Rule     string // id of the rule that speaks for the episode now
	// Onset is when the condition began to hold, in Unix nanoseconds of reading
	// time; At is when this step happened (reading time, else journal time).
	Onset, At int64
	Simulated bool
	Evidence  *Evidence // why; on Active and severity changes
}

// Cause names why a step was taken, for logs, the order's log and tests.
type Cause string

// The causes of a step.
const (
	CauseHeld      Cause = "condition_held"    // condition true for its `for`
	CauseSeverity  Cause = "severity_changed"  // another threshold of the class holds
	CauseNoData    Cause = "inputs_unknown"    // silence is not recovery
	CauseDataBack  Cause = "inputs_known"      // data again, condition still holds
	CauseCleared   Cause = "clear_held"        // clear condition true for its delay
	CauseByHand    Cause = "cleared_by_person" // a competent person cleared it
	CauseCancelled Cause = "cancelled"         // a person said: known, or a false alarm
	CauseRetired   Cause = "rule_retired"      // the rule was removed or switched off
	CauseExplained Cause = "common_cause"      // another episode turned out to explain it (Under)
	CauseOnItsOwn  Cause = "common_cause_over" // what explained it is over, and it did not clear after
)

// Evidence is what the engine saw when it decided. It is kept with the order,
// not looked up later.
type Evidence struct {
	Rule        string `json:"rule"`
	RuleVersion string `json:"rule_version"` // hash of the rule's text
	Condition   string `json:"condition"`    // as written
	Source      string `json:"source,omitempty"`
	Threshold   string `json:"threshold,omitempty"` // value, unit and where it came from
	// Limits are the rule's limits as they held on the asset, with their origin.
	Limits []LimitInForce `json:"limits,omitempty"`
	Reason devices.Label  `json:"reason"` // one sentence for a technician
	Inputs []Input        `json:"inputs"`
	Series []Series       `json:"series,omitempty"`
	// Learned says that the rule compares the asset with its own past.
	Learned bool `json:"learned,omitempty"`

	limit *float64 // of the condition, for the series it is drawn in
}

// Input is one value that the condition looked at, with its age.
type Input struct {
	Device  string  `json:"device"`
	Point   string  `json:"point"`
	Role    string  `json:"role"`
	Unit    string  `json:"unit,omitempty"`
	Value   float64 `json:"value"`
	Text    string  `json:"text,omitempty"`
	Quality string  `json:"quality"`
	Time    int64   `json:"time"` // Unix nanoseconds
}

// Series is the recent past of one input, thinned, oldest first.
type Series struct {
	Device string    `json:"device"`
	Point  string    `json:"point"`
	Unit   string    `json:"unit,omitempty"`
	Times  []int64   `json:"times"` // Unix nanoseconds
	Values []float64 `json:"values"`
	// Limit is the threshold to draw; nil for none.
	Limit *float64 `json:"limit,omitempty"`
}
