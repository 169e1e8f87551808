// Package notify carries messages to people: over mail, chat and push services,
// and to other systems by webhook. It sends what it is given, once for each call,
// and says what became of it; when to send, and whether to try again, is decided
// by whoever calls.
package notify

import (
	"fmt"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// Kind is what a message is about.
type Kind string

// The kinds of message.
const (
	New       Kind = "new"       // an order for the person
	Escalated Kind = "escalated" // nobody has accepted it so far
	Silent    Kind = "silent"    // somebody accepted it and has said nothing since
	Worse     Kind = "worse"     // its tier was raised
	Again     Kind = "again"     // re-visit: the fault is back, or the sign-off was refused
	Assigned  Kind = "assigned"  // somebody gave it to the person
	Warning   Kind = "warning"   // its time is half or nearly over, or over
	Overdue   Kind = "overdue"   // it waits longer than it may
	Update    Kind = "update"    // what the earlier message said has changed: accepted, done, verified, closed, cancelled
	Cleared   Kind = "cleared"   // the fault is over for now; the order is not
	Summary   Kind = "digest"    // several orders in one message
	Test      Kind = "test"      // sent by hand to see whether it arrives
)

// A Message is what is sent to one person over one channel, in the person's
// language. It is plain text; each channel escapes and shortens it.
type Message struct {
	// Key is the same each time this message is tried, and no other message's.
	Key string `json:"key"`
	// Replaces is what Send returned for the newest message about the same, "" for
	// the first. What needs nobody's attention changes that message where the
	// channel can, and follows it without a sound where it cannot. What has to
	// ring is a message of its own, in reply to the earlier one: no phone rings
	// for a text that changes.
	Replaces string         `json:"replaces,omitempty"`
	Thread   string         `json:"thread,omitempty"` // order number: messages about one order belong together
	Kind     Kind           `json:"kind"`
	Tier     ticketing.Tier `json:"tier,omitzero"`
	Lang     string         `json:"lang"`
	// Title is one line for a lock screen: tier, place and fault.
	Title string `json:"title"`
	// Subject is what the order is about whatever became of it: the title of its
	// first message, by which mail is threaded.
	Subject string `json:"subject,omitempty"`
	// Body are the lines below it, most important first.
	Body []Line `json:"body,omitempty"`
	// Link opens the order on the board, "" when its address is not known.
	Link     string `json:"link,omitempty"`
	LinkText string `json:"link_text,omitempty"`
	// More says in the language that %d lines did not fit.
	More      string `json:"more,omitempty"`
	Simulated bool   `json:"simulated,omitempty"`
}

// rings reports whether the message needs somebody's attention now.
func (m *Message) rings() bool { return m.Kind != Update && m.Kind != Cleared }

// A Line is one line of a message.
type Line struct {
	Label string `json:"label,omitempty"` // such as Since; "" for a line without
	Text  string `json:"text"`
	// Safety lines are never shortened away.
	Safety bool `json:"safety,omitempty"`
}

// An Error says why a message was not taken.
type Error struct {
	Channel string
	// Temporary: the same message may be taken later. Otherwise it was refused for
	// good, and the person's next contact is the way.
	Temporary bool
	// RetryAfter is how long the service asked to be left alone, 0 when it did
	// not say.
	RetryAfter time.Duration
	// Status is the HTTP or SMTP status, 0 when there was no answer.
	Status int
	// Reason is what the service said. It never holds a secret.
	Reason string
}

// Error says which channel refused, why, and whether it may work later.
func (e *Error) Error() string {
	what := "refused"
	if e.Temporary {
		what = "did not take the message this time"
	}
	if e.Status != 0 {
		return fmt.Sprintf("channel %s %s (%d): %s", e.Channel, what, e.Status, e.Reason)
	}
	return fmt.Sprintf("channel %s %s: %s", e.Channel, what, e.Reason)
}
