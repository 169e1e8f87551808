package ticketing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNotFound is returned for an order, a person or a file that is not there.
var ErrNotFound = errors.New("not found")

// ErrKeyReused is returned when an idempotency key comes with another command
// than the one it was first used for.
var ErrKeyReused = errors.New("the idempotency key was used for another command")

// InvalidError says that a command lacks something or carries something wrong.
type InvalidError struct {
	Field string
	// Code names the mistake within the field; the message catalogue has it in
	// the reader's language under invalid.<code>.
	Code    string
	Message string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }

// NotAllowedError says that the state of the order does not take an entry.
type NotAllowedError struct {
	Order string
	Kind  Kind
	State State
}

func (e *NotAllowedError) Error() string {
	return fmt.Sprintf("an order that is %s cannot become %s", e.State, e.Kind)
}

// ConflictError says that a person decided without having seen what changed.
type ConflictError struct {
	Order   string
	Seen    int // the version that the person had seen
	Now     int
	State   State
	Changed []Entry // everything since, oldest first
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the order changed: you saw version %d, it is at %d and %s", e.Seen, e.Now, e.State)
}

// LacksError says what has to be attached before a job may be reported done.
type LacksError struct {
	Order string
	Lacks []string // roles of attachments, one for each that is missing
}

func (e *LacksError) Error() string {
	var parts []string
	for i, role := range e.Lacks {
		if slices.Index(e.Lacks, role) != i {
			continue
		}
		n := 0
		for _, r := range e.Lacks {
			if r == role {
				n++
			}
		}
		if n == 1 {
			parts = append(parts, "a "+role)
		} else {
			parts = append(parts, fmt.Sprintf("%d more %ss", n, role))
		}
	}
	return "the job needs " + strings.Join(parts, " and ") + " before it is done: attach first what is missing"
}

// StillHoldsError says at once that the fault is still there when somebody
// reports the job done.
type StillHoldsError struct {
	Order  string
	Since  time.Time
	NoData bool
}

func (e *StillHoldsError) Error() string {
	if e.NoData {
		return "the fault has not cleared and its device is silent: give a reason for reporting it done"
	}
	return "the fault still holds: give a reason for reporting it done"
}
