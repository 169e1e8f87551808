package ticketing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/rules"
)

// Verb names a command.
type Verb string

// The commands of people.
const (
	DoAccept   Verb = "accept"
	DoArrive   Verb = "arrive"
	DoWait     Verb = "wait" // Reason
	DoResume   Verb = "resume"
	DoNote     Verb = "note"     // Text
	DoMeasure  Verb = "measure"  // Value
	DoAttach   Verb = "attach"   // Attachment
	DoDone     Verb = "done"     // Text, Code; Reason while the condition holds; Cleared for what only a person may clear
	DoRefuse   Verb = "refuse"   // Reason
	DoCancel   Verb = "cancel"   // Reason, Until for "known"
	DoReassign Verb = "reassign" // Person
	DoMerge    Verb = "merge"    // Into; becomes a cancelling as duplicate
	// DoNewNormal says that what a rule found unusual is usual from now on: Text.
	// Only for rules that compare an asset with its own past.
	DoNewNormal Verb = "new_normal"
	// DoClose signs the work on a verified order off before the time for refusing
	// it is over.
	DoClose Verb = "close"
)

// A Command is what a person asks to be done with an order.
type Command struct {
	Verb  Verb
	Order string
	By    string // person id
	Via   string
	// At is the time of the action; zero means the time of arrival. It may lie
	// before the arrival as long as the person had no signal, never ahead of it.
	At      time.Time
	Arrived time.Time
	Key     string // idempotency key chosen by the sender
	Version int    // the order's version that the person had seen

	Text       string
	Reason     string
	Code       string `json:",omitempty"` // of DoneCodes; digests of commands without one stay as they were
	Person     string
	Until      time.Time
	Into       string
	Cleared    bool
	Value      *Measurement
	Attachment *Attachment
	Content    []byte // of the attachment; the store keeps it with the command
}

// A verbRule says what a command becomes and what it must carry.
type verbRule struct {
	Verb Verb
	Kind Kind
	// Always commands add to the log without depending on what is there, so they
	// never conflict.
	Always bool
	check  func(*Order, *Command) error
	// offers says of which orders beyond their state it may be; nil means of all.
	offers func(*Order) bool
}

var verbs = []verbRule{
	{DoAccept, Accept, false, nil, nil},
	{DoArrive, Arrive, false, nil, nil},
	{DoWait, Wait, false, checkWait, nil},
	{DoResume, Resume, false, nil, nil},
	{DoNote, Note, true, checkNote, nil},
	{DoMeasure, Measure, true, checkMeasure, nil},
	{DoAttach, Attach, true, checkAttach, nil},
	{DoDone, Finish, false, checkDone, nil},
	{DoRefuse, Refuse, false, checkRefuse, nil},
	{DoCancel, Cancel, false, checkCancel, nil},
	{DoReassign, Assigned, false, checkReassign, nil},
	{DoMerge, Cancel, false, checkMerge, nil},
	{DoNewNormal, Cancel, false, checkNewNormal, func(o *Order) bool { return o.Learned }},
	{DoClose, Close, false, nil, nil},
}

// Verbs lists the commands in the order of a life.
func Verbs() []Verb {
	out := make([]Verb, len(verbs))
	for i := range verbs {
		out[i] = verbs[i].Verb
	}
	return out
}

// Allowed lists the commands that the order's state takes, for buttons.
func (o *Order) Allowed() []Verb {
	var out []Verb
	for i := range verbs {
		if v := &verbs[i]; May(o.State, v.Kind) && (v.offers == nil || v.offers(o)) {
			out = append(out, verbs[i].Verb)
		}
	}
	return out
}

// WaitReasons are the reasons for which work may wait.
var WaitReasons = []string{"parts", "access", "contractor", "weather"}

// CancelReasons are the reasons for which an order is not a job.
var CancelReasons = []string{"false_alarm", "duplicate", "known"}

const (
	// maxAhead is how far the clock of a person's phone may be ahead.
	maxAhead = 2 * time.Minute
	// maxShelved is how long a known fault may be shelved at most, so that
	// "known" never becomes "forgotten" (own judgement: one quarterly visit).
	maxShelved = 90 * 24 * time.Hour
	maxText    = 4000
)

// Decide turns a command on an order into the entry to append, or says why not:
// a [*ConflictError] when the person had not seen what changed, a
// [*NotAllowedError] when the state does not take it, an [*InvalidError] when it
// lacks something. The order is not changed. t is the template of the order's
// fault class, nil when there is none; since gives the entries after the version
// that the person had seen and is called for conflicts only.
func Decide(o *Order, c *Command, t *Template, since func(version int) ([]Entry, error)) (*Entry, error) {
	i := slices.IndexFunc(verbs, func(v verbRule) bool { return v.Verb == c.Verb })
	if i < 0 {
		return nil, &InvalidError{"verb", "verb", fmt.Sprintf("%q is not a command", c.Verb)}
	}
	v := &verbs[i]
	if err := checkCommon(o, c); err != nil {
		return nil, err
	}
	if !v.Always && c.Version < o.Decided {
		changed, err := since(c.Version)
		if err != nil {
			return nil, err
		}
		return nil, &ConflictError{Order: o.ID, Seen: c.Version, Now: o.Version, State: o.State, Changed: changed}
	}
	if !May(o.State, v.Kind) {
		return nil, &NotAllowedError{Order: o.ID, Kind: v.Kind, State: o.State}
	}
	if v.check != nil {
		if err := v.check(o, c); err != nil {
			return nil, err
		}
	}
	if lacks := o.Lacks(t); c.Verb == DoDone && len(lacks) > 0 {
		return nil, &LacksError{Order: o.ID, Lacks: lacks}
	}
	e := &Entry{
		Version: o.Version + 1, Kind: v.Kind, At: c.At, Arrived: c.Arrived, By: c.By, Via: c.Via,
		Key: c.EntryKey(), Digest: c.Digest(), Detail: c.detail(),
	}
	if e.At.IsZero() {
		e.At = c.Arrived
	}
	switch c.Verb {
	case DoMerge:
		e.Reason = "duplicate"
	case DoNewNormal:
		e.Reason = ReasonNewNormal
	}
	return e, nil
}

// detail is what the command says of itself; what belongs to other commands is
// left out, so that none does more than its name.
func (c *Command) detail() Detail {
	d := Detail{Text: c.Text, Reason: c.Reason}
	switch c.Verb {
	case DoWait, DoCancel:
		d.Until = c.Until
	case DoReassign:
		d.Person = c.Person
	case DoMerge:
		d.Into = c.Into
	case DoDone:
		d.Cleared, d.Code = c.Cleared, c.Code
	case DoMeasure:
		d.Value = c.Value
	case DoAttach:
		d.Attachment = c.Attachment
	}
	return d
}

// EntryKey is the idempotency key in the log: keys of two persons never meet.
func (c *Command) EntryKey() string { return c.By + ":" + c.Key }

// Digest is a hash of what the command asks for, without its times of arrival
// and the version seen: a retry may differ in those.
func (c *Command) Digest() string {
	k := *c
	k.Arrived, k.Version, k.Via, k.Content = time.Time{}, 0, "", nil
	k.At = k.At.UTC()
	b, err := json.Marshal(&k)
	if err != nil { // a NaN measurement; checkMeasure refuses it
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

func checkCommon(o *Order, c *Command) error {
	switch {
	case c.Key == "":
		return &InvalidError{"idempotency_key", "key", "give an idempotency key, so that a retry changes nothing"}
	case len(c.Key) > 200:
		return &InvalidError{"idempotency_key", "key_long", "use at most 200 characters"}
	case c.By == "":
		return &InvalidError{"by", "person_needed", "a command needs a person"}
	case c.Version <= 0:
		return &InvalidError{"version", "version", "give the version of the order that you have seen"}
	case c.Version > o.Version:
		return &InvalidError{"version", "version_ahead", fmt.Sprintf("the order is at version %d; %d has not happened yet", o.Version, c.Version)}
	case c.At.After(c.Arrived.Add(maxAhead)):
		return &InvalidError{"at", "at_ahead", "the time of the action lies ahead; check the clock of your device"}
	case !c.At.IsZero() && c.At.Before(o.Onset):
		return &InvalidError{"at", "at_before", "the time of the action lies before the fault began"}
	case len(c.Text) > maxText || len(c.Reason) > maxText:
		return &InvalidError{"text", "text_long", fmt.Sprintf("use at most %d characters", maxText)}
	}
	return nil
}

func checkWait(_ *Order, c *Command) error { return oneOf("reason", c.Reason, WaitReasons) }

func checkNote(_ *Order, c *Command) error {
	if strings.TrimSpace(c.Text) == "" {
		return &InvalidError{"text", "text", "write something"}
	}
	return nil
}

func checkMeasure(_ *Order, c *Command) error {
	if c.Value == nil || strings.TrimSpace(c.Value.Name) == "" {
		return &InvalidError{"value", "measure", "say what was measured, its value and unit"}
	}
	if c.Value.Value-c.Value.Value != 0 {
		return &InvalidError{"value", "number", "give a number"}
	}
	return nil
}

func checkAttach(_ *Order, c *Command) error {
	if c.Attachment == nil || len(c.Content) == 0 {
		return &InvalidError{"attachment", "file", "upload the file first"}
	}
	return nil
}

// checkDone lets nobody overlook that the fault is still there.
func checkDone(o *Order, c *Command) error {
	if c.Code != "" {
		if err := oneOf("code", c.Code, DoneCodes()); err != nil {
			return err
		}
	}
	if !o.Holds() || c.Reason != "" {
		return nil
	}
	if fc := rules.FaultClassByID(o.FaultClass); fc != nil && fc.ByHand && c.Cleared {
		return nil
	}
	return &StillHoldsError{Order: o.ID, Since: o.Holding[0].Since, NoData: o.Holding[0].NoData}
}

func checkRefuse(_ *Order, c *Command) error {
	if strings.TrimSpace(c.Reason) == "" {
		return &InvalidError{"reason", "why", "say why the work is refused"}
	}
	return nil
}

func checkCancel(_ *Order, c *Command) error {
	if err := oneOf("reason", c.Reason, CancelReasons); err != nil {
		return err
	}
	if c.Reason == "known" {
		switch {
		case c.Until.IsZero():
			return &InvalidError{"until", "until", "say until when the known fault is shelved"}
		case !c.Until.After(c.Arrived):
			return &InvalidError{"until", "until_past", "the time lies in the past"}
		case c.Until.After(c.Arrived.Add(maxShelved)):
			return &InvalidError{"until", "until_long", "a known fault is shelved for at most 90 days"}
		}
	}
	return nil
}

func checkReassign(o *Order, c *Command) error {
	if c.Person == "" {
		return &InvalidError{"person", "person", "say to whom"}
	}
	if c.Person == o.Assignee && o.State == Dispatched {
		return &InvalidError{"person", "person_same", "it is given to that person already"}
	}
	return nil
}

func checkMerge(o *Order, c *Command) error {
	if c.Into == "" || c.Into == o.ID {
		return &InvalidError{"into", "into", "name the other order that this one is merged into"}
	}
	return nil
}

func checkNewNormal(o *Order, c *Command) error {
	switch {
	case !o.Learned:
		return &InvalidError{"order", "not_learned", "its rules have fixed limits: cancel it as false_alarm or known, or change the limit in the rules"}
	case strings.TrimSpace(c.Text) == "":
		return &InvalidError{"text", "text_normal", "say what changed, so that it is normal now"}
	}
	return nil
}

func oneOf(field, word string, words []string) error {
	if slices.Contains(words, word) {
		return nil
	}
	return &InvalidError{field, "one_of", "use one of: " + strings.Join(words, ", ")}
}
