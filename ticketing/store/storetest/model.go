package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/ticketing"
)

// The life of a work order in the words of the design, written down a second
// time: what a person may do in a state and where it leads. It knows nothing of
// the tables and folds of package ticketing; the walk compares the two.
var mayDo = map[string]string{
	"open":       "accept>accepted arrive>on_site done>done cancel>cancelled merge>cancelled reassign>dispatched",
	"dispatched": "accept>accepted arrive>on_site done>done cancel>cancelled merge>cancelled reassign>dispatched",
	"accepted":   "arrive>on_site wait>waiting done>done cancel>cancelled merge>cancelled reassign>dispatched",
	"on_site":    "wait>waiting done>done cancel>cancelled merge>cancelled reassign>dispatched",
	"waiting":    "resume>accepted arrive>on_site done>done cancel>cancelled merge>cancelled reassign>dispatched",
	"done":       "refuse>open",
	"verified":   "refuse>open close>closed",
	"closed":     "",
	"cancelled":  "",
}

// mayHappen is what comes of itself: from the rules, the clock, or another order.
var mayHappen = map[string]string{
	"":           "opened>open",
	"open":       "cancelled>cancelled raised>open",
	"dispatched": "cancelled>cancelled raised>dispatched",
	"accepted":   "raised>accepted",
	"on_site":    "raised>on_site",
	"waiting":    "raised>waiting",
	"done":       "verified>verified refused>open recurred>open raised>done",
	"verified":   "closed>closed recurred>open raised>verified",
	"closed":     "recurred>open",
	"cancelled":  "reopened>open",
}

// said are the entries that commands leave.
var said = map[string]string{
	"accept": "accepted", "arrive": "arrived", "wait": "waiting", "resume": "resumed", "done": "done", "refuse": "refused",
	"cancel": "cancelled", "merge": "cancelled", "reassign": "assigned", "close": "closed",
	"note": "note", "measure": "measured", "attach": "attached",
}

func leads(table map[string]string, state, what string) (to string, ok bool) {
	for _, step := range strings.Fields(table[state]) {
		if name, to, _ := strings.Cut(step, ">"); name == what {
			return to, true
		}
	}
	return "", false
}

// moment is what the model knows of an order after one entry of its log.
type moment struct {
	state    string
	with     string   // the person whose turn it is
	holding  []string // own episodes that hold
	signed   bool     // in this visit
	photos   bool
	deciding int // the newest version that changes what a person would do
}

// history is what the model makes of a log, moment by moment from version 0. The
// error is the first entry that the model does not allow.
func history(log []ticketing.Entry) ([]moment, error) {
	all := []moment{{}}
	for i := range log {
		e := &log[i]
		m := all[i]
		m.holding = slices.Clone(m.holding)
		kind, to, ok := string(e.Kind), "", true
		if e.By != "" && kind != "merged" && kind != "joined" {
			to, ok = personal(m.state, kind)
		} else if to, ok = leads(mayHappen, m.state, kind); !ok {
			to, ok = m.state, !strings.Contains(" opened cancelled raised verified refused recurred closed reopened ", " "+kind+" ")
		}
		if !ok {
			return all, fmt.Errorf("entry %d: %s by %q may not follow in state %s", e.Version, kind, e.By, m.state)
		}
		if to != m.state || kind == "raised" || kind == "assigned" {
			m.deciding = e.Version
		}
		m.state = to
		m.follow(kind, e)
		all = append(all, m)
	}
	return all, nil
}

// personal is where an entry of a person leads.
func personal(state, kind string) (string, bool) {
	for _, verb := range []string{"note", "measure", "attach"} {
		if said[verb] == kind {
			return state, true
		}
	}
	for _, step := range strings.Fields(mayDo[state]) {
		if verb, to, _ := strings.Cut(step, ">"); said[verb] == kind {
			return to, true
		}
	}
	return "", false
}

func (m *moment) follow(kind string, e *ticketing.Entry) {
	switch kind {
	case "assigned":
		m.with = e.Person
	case "opened", "joined", "recurred", "reopened":
		if e.Holds {
			m.holding = append(m.holding, e.Episode)
		}
	case "cleared":
		m.holding = slices.DeleteFunc(m.holding, func(id string) bool { return id == e.Episode })
	case "cancelled":
		if e.Into != "" {
			m.holding = nil
		}
	case "attached":
		m.signed = m.signed || e.Attachment.Role == "signature"
		m.photos = m.photos || e.Attachment.Role == "photo"
	}
	if kind == "refused" || kind == "recurred" {
		m.signed, m.photos, m.with = false, false, ""
	}
}

// expect is what the model says to a command at a moment, in the words of
// [outcomeOf]. signature says whether the job has to be signed.
func (m *moment) expect(c *ticketing.Command, signature bool) string {
	verb := string(c.Verb)
	if verb == "note" || verb == "measure" || verb == "attach" {
		return "done"
	}
	if c.Version < m.deciding {
		return "conflict"
	}
	if _, ok := leads(mayDo, m.state, verb); !ok && verb != "new_normal" {
		return "not allowed"
	}
	switch {
	case verb == "new_normal": // no rule of the walk learns
		if _, ok := leads(mayDo, m.state, "cancel"); !ok {
			return "not allowed"
		}
		return "invalid"
	case verb == "reassign" && m.state == "dispatched" && m.with == c.Person:
		return "invalid"
	case verb == "merge" && c.Into == c.Order:
		return "invalid"
	case verb == "done" && len(m.holding) > 0 && c.Reason == "":
		return "still holds"
	case verb == "done" && signature && !m.signed:
		return "lacks"
	}
	return "done"
}
