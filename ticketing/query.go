package ticketing

import (
	"errors"
	"time"

	"github.com/facilityd/facilityd/rules"
)

// Sort is the order of a list.
type Sort string

// The orders of a list.
const (
	// ByNewest lists all orders, the newest first.
	ByNewest Sort = "newest"
	// ByUrgency lists the orders that are not closed or cancelled, the most
	// urgent first and among these the oldest first. It takes no time filter:
	// open items are never hidden by one.
	ByUrgency Sort = "urgency"
)

// Filter chooses orders; what is empty does not choose.
type Filter struct {
	Sort       Sort // ByNewest when empty
	Site       string
	States     []State
	Tiers      []Tier
	Asset      string
	FaultClass string
	Assignee   string
	From, To   time.Time // opened in [From, To); refused with ByUrgency
	Cursor     string    // Next of the page before
	Limit      int       // 1 to 500; 50 when 0
}

// Page is a part of a list. Next is the cursor of the following page, "" at the
// end. Pages do not shift when orders are added meanwhile.
type Page[T any] struct {
	Items []T
	Next  string
}

// ErrCursor is returned for a cursor that did not come from the same list.
var ErrCursor = errors.New("the cursor is not of this list: begin again without it")

// Evidence is why an entry of an order's log was made.
type Evidence struct {
	Version int // of the entry
	rules.Evidence
}

// An Episode is one stretch of time in which a fault held, as its steps told.
type Episode struct {
	ID         string
	Order      string
	Site       string
	Asset      string
	FaultClass string
	Phase      string
	Severity   string
	Rule       string
	Simulated  bool
	Onset      time.Time
	ActiveAt   time.Time
	ClearedAt  time.Time // zero while it holds
	Under      string    // the episode that explains it, "" for none
	// Consequence says that the order is that of its cause.
	Consequence bool
}

// EpisodeFilter chooses episodes; what is empty does not choose.
type EpisodeFilter struct {
	Site, Asset, FaultClass, Phase, Order string
	Consequences                          bool // only what is in the order of its cause
	Cursor                                string
	Limit                                 int // 1 to 500; 50 when 0
}

// A Stat counts the orders of a site in one state and tier.
type Stat struct {
	Site  string
	State State
	Tier  Tier
	Count int64
}

// A fault that came back to an asset this often within this time is a problem:
// somebody has to look for its cause rather than repair it once more.
const (
	ProblemCount  = 3
	ProblemWithin = 30 * 24 * time.Hour
)

// A Problem is an asset that has the same fault again and again. Its evidence is
// that of its orders.
type Problem struct {
	Site        string
	Asset       string
	FaultClass  string
	Count       int // how often the fault opened or re-opened an order
	First, Last time.Time
}

// A Person may read the board and give commands with a token.
type Person struct {
	ID      string
	Name    string
	Lang    string // en, zh, or "" for what the browser asks for
	Created time.Time
	Revoked time.Time // zero while the token is good
}
