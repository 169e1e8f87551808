package notify

import (
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

// A Writer puts facts into words.
type Writer struct {
	Messages *messages.Catalogue
	// Board is the address at which people open the board, without a slash at its
	// end; "" leaves the link out.
	Board string
}

// maxFirst is how many of the first checks a message holds: it is read on a
// stair, and the page has all of them.
const maxFirst = 2

// Write writes a message in a language. now is for lengths of time; Key and
// Replaces are left to the caller.
func (w *Writer) Write(f *Facts, lang string, now time.Time) Message {
	t := text{w.Messages.Printer(lang), now}
	kind := f.Kind
	if kind == Escalated && now.Sub(f.At) < time.Minute { // nobody could be told before
		first := *f
		first.Kind = New
		f = &first
	}
	m := Message{Kind: kind, Tier: f.Tier, Lang: t.Lang, Thread: f.Order, Simulated: f.Simulated, Title: t.title(f), More: t.Text("message.more", "%d")}
	if w.Board != "" && f.Kind != Test {
		m.Link, m.LinkText = w.Board+f.Path, t.Text("message.open")
		if f.Kind == Summary {
			m.LinkText = t.Text("message.open_list")
		}
	}
	mark := ""
	if f.Simulated {
		mark = t.Text("message.simulated_mark")
	}
	m.Title = mark + m.Title
	if f.Order != "" {
		m.Subject = mark + t.what(f)
	}
	switch f.Kind {
	case Test:
		m.Body = []Line{{Text: t.Text("message.test_body", f.By, t.when(now))}}
	case Summary:
		for i := range f.Orders {
			o := &f.Orders[i]
			m.Body = append(m.Body, Line{Text: t.Text("message.digest_line", t.what(o), o.Order, t.when(o.Onset))})
		}
	default:
		m.Body = t.body(f)
	}
	return m
}

// A text writes in one language at one time.
type text struct {
	*messages.Printer
	now time.Time
}

// title is one line for a lock screen.
func (t text) title(f *Facts) string {
	switch f.Kind {
	case Test:
		return t.Text("message.test_title")
	case Summary:
		return t.Text("message.digest_title", len(f.Orders), t.tiers(f.Orders))
	case New, Assigned:
		return t.what(f)
	case Update:
		return t.Text("message.headed", t.Text("state."+string(f.State)), t.what(f))
	case Warning:
		if f.Level < 100 {
			return t.Text("message.headed", t.Text("message.head_warning", f.Level), t.what(f))
		}
		return t.Text("message.headed", t.Text("message.head_late"), t.what(f))
	default:
		return t.Text("message.headed", t.Text("message.head_"+string(f.Kind)), t.what(f))
	}
}

// what is tier, asset with its place, and fault.
func (t text) what(f *Facts) string {
	asset := f.Asset.In(t.Lang)
	if place := f.Place.In(t.Lang); place != "" {
		asset = t.Text("message.asset_in", asset, place)
	}
	return t.Text("message.what", f.Tier.String(), asset, f.Fault.In(t.Lang))
}

// tiers counts the orders of a digest by tier, the most urgent first.
func (t text) tiers(orders []Facts) string {
	var parts []string
	for tier := ticketing.P1; tier <= ticketing.P4; tier++ {
		n := 0
		for i := range orders {
			if orders[i].Tier == tier {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, t.Text("message.of_tier", n, tier.String()))
		}
	}
	return strings.Join(parts, t.Text("message.and"))
}

func (t text) body(f *Facts) []Line {
	var out []Line
	add := func(key, text string) {
		if text != "" {
			out = append(out, Line{Label: t.Text("message." + key), Text: text})
		}
	}
	full := f.Kind != Update && f.Kind != Cleared
	var safety []Line
	if full && len(f.Safety) > 0 {
		safety = []Line{{Label: t.Text("message.safety"), Text: f.Safety[0].In(t.Lang), Safety: true}}
	}
	if f.Tier == ticketing.P1 {
		out, safety = append(out, safety...), nil
	}
	if lead := t.lead(f); lead != "" {
		out = append(out, Line{Text: lead})
	}
	where := f.Asset.In(t.Lang)
	for _, l := range []devices.Label{f.Place, f.Site} {
		if s := l.In(t.Lang); s != "" {
			where += t.Text("message.comma") + s
		}
	}
	add("where", where)
	if !f.Onset.IsZero() {
		add("since", t.Text("message.for", t.when(f.Onset), t.length(t.now.Sub(f.Onset))))
	}
	if full {
		add("why", f.Why.In(t.Lang))
		label := "first"
		for _, c := range f.First[:min(maxFirst, len(f.First))] {
			add(label, c.In(t.Lang))
			label = "then"
		}
		out = append(out, safety...)
		if !f.Due.IsZero() {
			add("due_"+string(f.Target), t.when(f.Due))
		}
	}
	if f.Under > 0 {
		out = append(out, Line{Text: t.Text("message.under", f.Under)})
	}
	add("order", f.Order)
	if f.Simulated {
		out = append(out, Line{Text: t.Text("message.simulated")})
	}
	return out
}

// lead says what has happened beyond the fault itself, "" for nothing.
func (t text) lead(f *Facts) string {
	switch f.Kind {
	case Escalated:
		return t.Text("message.lead_escalated", t.length(t.now.Sub(f.At)))
	case Silent:
		return t.Text("message.lead_silent", f.By, t.when(f.At))
	case Worse:
		return t.Text("message.lead_worse", f.Tier.String(), t.reason(f.Reason))
	case Again:
		if f.Reason != "" {
			return t.Text("message.lead_refused", f.Reason)
		}
		return t.Text("message.lead_again")
	case Assigned:
		return t.Text("message.lead_assigned", f.By)
	case Warning:
		if f.Level < 100 {
			return t.Text("message.lead_warning_"+string(f.Target), f.Level)
		}
		return t.Text("message.lead_late_" + string(f.Target))
	case Overdue:
		return t.Text("message.lead_overdue", t.reason(f.Reason), t.length(t.now.Sub(f.At)))
	case Cleared:
		return t.Text("message.lead_cleared")
	case Update:
		return t.update(f)
	}
	return ""
}

// update says what the order's state means.
func (t text) update(f *Facts) string {
	by := f.By
	if by == "" {
		by = t.Text("facilityd.by")
	}
	key := "message.update_" + string(f.State)
	switch f.State {
	case ticketing.Waiting, ticketing.Cancelled:
		return t.Text(key, by, t.when(f.At), t.reason(f.Reason))
	case ticketing.Verified:
		return t.Text(key, t.when(f.At))
	case ticketing.Open:
		return t.Text(key)
	default:
		return t.Text(key, by, t.when(f.At))
	}
}

func (t text) reason(r string) string {
	switch r {
	case "severity", "person_inside", "recurrence", "still_holds":
		return t.Text("reason." + r)
	}
	for _, list := range [][]string{ticketing.WaitReasons, ticketing.CancelReasons} {
		for _, word := range list {
			if r == word {
				return t.Text("reason." + r)
			}
		}
	}
	return r
}

// when writes a time of today as its clock, another with its day.
func (t text) when(at time.Time) string {
	now := t.now.In(at.Location())
	if devices.DateOf(now) == devices.DateOf(at) {
		return at.Format("15:04")
	}
	return at.Format(t.Text("time.absolute_short"))
}

// length writes a length of time in its largest unit.
func (t text) length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return t.Text("time.seconds", int(max(d, 0)/time.Second))
	case d < 2*time.Hour:
		return t.Text("time.minutes", int(d/time.Minute))
	case d < 48*time.Hour:
		return t.Text("time.hours", int(d/time.Hour))
	default:
		return t.Text("time.days", int(d/(24*time.Hour)))
	}
}
