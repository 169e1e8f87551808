package ticketing

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/facilityd/facilityd/ticketing/calendar"
)

// Figures account for the orders that were opened in a period. The doc tags define
// them, once: the API's description, the command line, the metrics and the board
// say these sentences.
type Figures struct {
	Orders     int   `json:"orders" doc:"Orders that were opened in the period."`
	ClosedLoop Share `json:"closed_loop" doc:"Of the orders that are closed, or cancelled without becoming part of another, those whose repair telemetry confirmed."`
	Revisits   Share `json:"revisits" doc:"Of the orders that were reported done, those that were opened again, by refusal or because the fault came back."`
	// Tiers has a row for each tier that an order had at its end, or has now.
	Tiers []TierFigures `json:"tiers"`
	// Rules has a row for each rule that raised an order.
	Rules []RuleFigures `json:"rules"`
}

// TierFigures are the times of one tier.
type TierFigures struct {
	Tier     Tier   `json:"tier"`
	Orders   int    `json:"orders"`
	Response Spread `json:"response" doc:"From opening to the first acceptance; who arrives or is done without accepting accepted then."`
	OnSite   Spread `json:"on_site" doc:"From opening to the first arrival; who reports done without arriving arrived then."`
	Repair   Spread `json:"repair" doc:"From opening to the report of done that held, of orders that are verified or closed."`
	SLA      Share  `json:"sla" doc:"Of the deadlines that were met, missed or whose time is over, those met in time."`
}

// RuleFigures are what became of the orders of a rule.
type RuleFigures struct {
	Rule      string      `json:"rule"`
	Orders    int         `json:"orders"`
	Precision Share       `json:"precision" doc:"Of the orders that are verified, closed or cancelled and whose closing code tells, those of which the fault was real: repaired, made_safe, external or known, against no_fault, device_fault and false_alarm."`
	Codes     []CodeCount `json:"codes" doc:"Orders that are verified, closed or cancelled, by closing code; untold without one."`
}

// CodeCount counts the orders of one closing code.
type CodeCount struct {
	Code   string `json:"code"`
	Orders int    `json:"orders"`
}

// untold stands for an order whose closing code nobody gave.
const untold = "untold"

// A Definition says in one sentence what a figure is.
type Definition struct{ Figure, Sentence string }

// Definitions are the sentences of all figures, in the order in which they are
// shown.
func Definitions() (out []Definition) {
	for _, t := range []reflect.Type{reflect.TypeFor[Figures](), reflect.TypeFor[TierFigures](), reflect.TypeFor[RuleFigures]()} {
		for i := range t.NumField() {
			if doc := t.Field(i).Tag.Get("doc"); doc != "" {
				out = append(out, Definition{t.Field(i).Tag.Get("json"), doc})
			}
		}
	}
	return out
}

// Define is the sentence of one figure.
func Define(figure string) string {
	for _, d := range Definitions() {
		if d.Figure == figure {
			return d.Sentence
		}
	}
	return ""
}

// A Share is a part of a whole.
type Share struct {
	Part  int `json:"part"`
	Whole int `json:"whole"`
}

// Spread is the distribution of a length of time.
type Spread struct {
	Count  int     `json:"count"`
	Median float64 `json:"median_seconds"`
	P90    float64 `json:"p90_seconds"`
}

// A Tally adds up figures order by order. The zero value is ready.
type Tally struct {
	orders     int
	closedLoop Share
	revisits   Share
	tiers      [P4 + 1]tierTally
	rules      map[string]*RuleFigures
}

type tierTally struct {
	orders                   int
	response, onSite, repair []time.Duration
	sla                      Share
}

// Add counts one order by its log, of which [Milestones] are enough.
func (t *Tally) Add(o *Order, log []Entry, p *Policy, cal *calendar.Calendar, now time.Time) {
	if t.rules == nil {
		t.rules = make(map[string]*RuleFigures)
	}
	t.orders++
	row := &t.tiers[o.Tier]
	row.orders++
	ended := o.State == Closed || o.State == Cancelled && o.Into == ""
	told := o.State == Verified || o.State == Closed || o.State == Cancelled
	t.closedLoop.add(ended, o.State == Closed && !o.VerifiedAt.IsZero())
	rule := t.rules[o.Rule]
	if rule == nil {
		rule = &RuleFigures{Rule: o.Rule}
		t.rules[o.Rule] = rule
	}
	rule.Orders++
	if told {
		code := o.ClosingCode()
		is, tells := wasReal(code)
		rule.Precision.add(tells, is)
		rule.count(cmp.Or(code, untold))
	}
	var accepted, arrived, done time.Time
	for i := range log {
		e := &log[i]
		switch e.Kind {
		case Accept:
			accepted = first(accepted, e.At)
		case Arrive:
			accepted, arrived = first(accepted, e.At), first(arrived, e.At)
		case Finish:
			accepted, arrived, done = first(accepted, e.At), first(arrived, e.At), e.At
		}
	}
	row.response = since(row.response, o.Opened, accepted)
	row.onSite = since(row.onSite, o.Opened, arrived)
	if o.State == Verified || o.State == Closed {
		row.repair = since(row.repair, o.Opened, done)
	}
	t.revisits.add(!done.IsZero(), o.Revisits > 0)
	for _, c := range Clocks(log, p, cal, now) {
		decided := !c.Met.IsZero() || c.Missed()
		row.sla.add(decided, !c.Missed())
	}
}

// count adds an order of a closing code; the codes stay in order.
func (r *RuleFigures) count(code string) {
	i, found := slices.BinarySearchFunc(r.Codes, code, func(c CodeCount, code string) int { return cmp.Compare(c.Code, code) })
	if !found {
		r.Codes = slices.Insert(r.Codes, i, CodeCount{Code: code})
	}
	r.Codes[i].Orders++
}

// Ratio is the share as a number from 0 to 1; ok is false when it is of nothing.
func (s Share) Ratio() (ratio float64, ok bool) {
	if s.Whole == 0 {
		return 0, false
	}
	return float64(s.Part) / float64(s.Whole), true
}

func (s *Share) add(counts, part bool) {
	if counts {
		s.Whole++
		if part {
			s.Part++
		}
	}
}

func first(have, t time.Time) time.Time {
	if have.IsZero() {
		return t
	}
	return have
}

func since(list []time.Duration, from, to time.Time) []time.Duration {
	if to.IsZero() {
		return list
	}
	return append(list, max(0, to.Sub(from)))
}

// An OrderSource has orders and what their figures are made of; ticketing/store
// does.
type OrderSource interface {
	List(ctx context.Context, f Filter) (Page[Order], error)
	Milestones(ctx context.Context, orders []string) (map[string][]Entry, error)
}

// Count adds up the orders that a filter chooses, all pages of it.
func (t *Tally) Count(ctx context.Context, src OrderSource, f Filter, policy func(site string) *Policy, cal func(site string) *calendar.Calendar, now time.Time) error {
	f.Sort, f.Limit, f.Cursor = ByNewest, 500, ""
	for {
		page, err := src.List(ctx, f)
		if err != nil {
			return err
		}
		ids := make([]string, len(page.Items))
		for i := range page.Items {
			ids[i] = page.Items[i].ID
		}
		logs, err := src.Milestones(ctx, ids)
		if err != nil {
			return err
		}
		for i := range page.Items {
			o := &page.Items[i]
			t.Add(o, logs[o.ID], policy(o.Site), cal(o.Site), now)
		}
		if f.Cursor = page.Next; page.Next == "" {
			return nil
		}
	}
}

// Figures gives what was added up.
func (t *Tally) Figures() Figures {
	f := Figures{Orders: t.orders, ClosedLoop: t.closedLoop, Revisits: t.revisits, Tiers: []TierFigures{}, Rules: []RuleFigures{}}
	for tier := P1; tier <= P4; tier++ {
		if row := &t.tiers[tier]; row.orders > 0 {
			f.Tiers = append(f.Tiers, TierFigures{
				Tier: tier, Orders: row.orders, Response: spread(row.response), OnSite: spread(row.onSite), Repair: spread(row.repair), SLA: row.sla,
			})
		}
	}
	for _, r := range t.rules { // order does not matter: sorted below
		f.Rules = append(f.Rules, *r)
	}
	slices.SortFunc(f.Rules, func(a, b RuleFigures) int { return cmp.Compare(a.Rule, b.Rule) })
	return f
}

// spread takes the nearest rank: figures of real orders, not between them.
func spread(list []time.Duration) Spread {
	if len(list) == 0 {
		return Spread{}
	}
	slices.Sort(list)
	rank := func(q int) float64 { return list[(len(list)*q+99)/100-1].Seconds() }
	return Spread{Count: len(list), Median: rank(50), P90: rank(90)}
}
