package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Options say what a report is of.
type Options struct {
	Site *devices.Site
	// Source is where the readings came from: journal, csv or influxdb.
	Source string
	// From and To bound what is reported; before From the rules only learn. From is
	// not before the first reading.
	From, To time.Time
	// Warranty is how long after its end an order takes back a fault that returns.
	Warranty time.Duration
	// Coverage is what was there of each device.
	Coverage *Coverage
	// Redecoded: what differs is how the readings were decoded, not the rules.
	Redecoded bool
}

// FromJournal is the only source that holds everything an engine can see.
const FromJournal = "journal"

func (o *Options) zone() *time.Location {
	if o.Site == nil || o.Site.Location == nil {
		return time.UTC
	}
	return o.Site.Location
}

// A Trial is one set of rules and what came of it.
type Trial struct {
	Rules   *rules.Set
	Outcome *Outcome
	// Shadow is the outcome of the rules of the set that run in shadow, each as if
	// it counted; nil when there are none.
	Shadow *Outcome
}

// A Report says what would have been opened.
type Report struct {
	Site     string    `json:"site"`
	TimeZone string    `json:"time_zone"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Source   string    `json:"source"`
	// Approximate: the source tells neither the order of arrival nor whether a
	// device could be heard.
	Approximate bool      `json:"approximate"`
	DataFrom    time.Time `json:"data_from,omitzero"` // of the first reading
	Readings    uint64    `json:"readings"`
	// Redecoded: the trial is corrected profiles, and current those of the time.
	Redecoded bool `json:"redecoded,omitempty"`

	Trial   Sum  `json:"trial"`
	Current *Sum `json:"current,omitempty"` // nil when nothing is compared

	Severities []Line      `json:"severities"`
	Weeks      []Week      `json:"weeks"`
	Rules      []RuleLine  `json:"rules"`
	Assets     []Line      `json:"assets"`
	Hours      [24]int     `json:"hours_of_day"` // orders by hour of the day
	Difference *Difference `json:"difference,omitempty"`
	Orders     []*Order    `json:"orders"`
	Shadow     []*Order    `json:"shadow_orders,omitempty"`
	Gaps       []Gap       `json:"gaps,omitempty"`
	Tasks      []string    `json:"tasks,omitempty"` // what rules wait for
}

// Sum counts the orders of one set of rules.
type Sum struct {
	Orders  int     `json:"orders"`
	PerWeek float64 `json:"orders_per_week"`
	Night   int     `json:"at_night"` // 22:00 to 06:00 of the site
	Hours   float64 `json:"estimated_hours"`
	Returns int     `json:"returns"`
	// Attached episodes needed no order: another one explained them.
	Attached int `json:"attached_episodes"`
	// Before were open when the stretch began, and Open when it ended.
	Before int `json:"open_before"`
	Open   int `json:"open_at_end"`
}

// Line counts the orders of one asset or severity.
type Line struct {
	Name    string  `json:"name"`
	Orders  int     `json:"orders"`
	Current int     `json:"current"`
	PerWeek float64 `json:"orders_per_week"`
	Night   int     `json:"at_night"`
	Hours   float64 `json:"estimated_hours"`
}

// Week counts the orders of one week, which begins on Monday.
type Week struct {
	Start   time.Time `json:"start"`
	Orders  int       `json:"orders"`
	Current int       `json:"current"`
}

// RuleLine is one rule of the set on trial.
type RuleLine struct {
	Line
	Title    devices.Label `json:"title"`
	Severity string        `json:"severity"` // the worst it can say
	Shadow   bool          `json:"shadow,omitempty"`
	// Watched is on how many assets it had something to look at.
	Watched int `json:"watched_assets"`
	// UnknownUntil is when its longest window was filled for the first time, where
	// that lies more than an hour after From: until then it may have said nothing for
	// want of a past.
	UnknownUntil time.Time `json:"unknown_until,omitzero"`
	// Changed: the rules on trial and the current ones differ in it.
	Changed bool `json:"changed,omitempty"`
}

// Difference compares the orders of the rules on trial with those of the current.
type Difference struct {
	OnlyTrial   []*Order `json:"only_trial"`
	OnlyCurrent []*Order `json:"only_current"`
	Both        []Pair   `json:"both"`
	Earlier     int      `json:"earlier"` // of both: the trial opened before
	Later       int      `json:"later"`
}

// A Pair is one order that both sets of rules would have opened.
type Pair struct {
	Trial   *Order `json:"trial"`
	Current *Order `json:"current"`
	// Earlier is by how many seconds the trial opened before.
	Earlier float64 `json:"earlier_seconds"`
}

// NewReport makes the report of a trial; current may be nil.
func NewReport(trial Trial, current *Trial, o Options) *Report {
	if c := o.Coverage; c != nil && o.From.Before(c.From()) {
		o.From = c.From() // before it there was nothing to open orders for
	}
	r := &Report{
		Site: o.Site.ID, TimeZone: o.zone().String(), From: o.From.In(o.zone()), To: o.To.In(o.zone()), Source: o.Source,
		Approximate: o.Source != FromJournal, Readings: trial.Outcome.Readings, Redecoded: o.Redecoded,
	}
	if o.Coverage != nil {
		r.DataFrom = o.Coverage.From().In(o.zone())
		r.Gaps = o.Coverage.gaps(o)
	}
	for _, t := range trial.Outcome.Tasks {
		r.Tasks = append(r.Tasks, t.String())
	}
	all, attached := made(trial.Outcome, &o)
	r.Orders = within(all, &o)
	r.Trial = sum(r.Orders, attached, all, &o)
	var before []*Order
	if current != nil {
		everything, attached := made(current.Outcome, &o)
		before = within(everything, &o)
		s := sum(before, attached, everything, &o)
		r.Current = &s
		r.Difference = compare(all, everything, &o)
	}
	if trial.Shadow != nil {
		shadows, _ := made(trial.Shadow, &o)
		r.Shadow = within(shadows, &o)
	}
	r.lines(before, &o)
	r.weeks(before, &o)
	r.ruleLines(trial, current, before, &o)
	return r
}

// made are the orders of an outcome and how many episodes were attached.
func made(out *Outcome, o *Options) (all []*Order, attached int) {
	list := episodes(out.Steps)
	for _, e := range list {
		if at := time.Unix(0, e.onset); e.alone == 0 && !at.Before(o.From) && at.Before(o.To) {
			attached++
		}
	}
	return orders(list, o.Warranty, o), attached
}

func (o *Options) holds(w *Order) bool { return !w.At.Before(o.From) && w.At.Before(o.To) }

// within are the orders that were opened in the stretch that is reported.
func within(all []*Order, o *Options) []*Order {
	return slices.DeleteFunc(slices.Clone(all), func(w *Order) bool { return !o.holds(w) })
}

func (o *Options) weeks() float64 { return o.To.Sub(o.From).Hours() / (7 * 24) }

func (o *Options) perWeek(n int) float64 {
	if w := o.weeks(); w > 0 {
		return float64(n) / w
	}
	return 0
}

func sum(list []*Order, attached int, all []*Order, o *Options) Sum {
	s := Sum{Orders: len(list), Attached: attached, PerWeek: o.perWeek(len(list))}
	for _, w := range list {
		s.Hours += w.Hours
		s.Returns += w.Returns
		if w.Night {
			s.Night++
		}
	}
	for _, w := range all {
		if w.At.Before(o.From) && (w.Until.IsZero() || w.Until.After(o.From)) {
			s.Before++
		}
		if w.At.Before(o.To) && (w.Until.IsZero() || w.Until.After(o.To)) {
			s.Open++
		}
	}
	return s
}

// lines counts by asset and by severity.
func (r *Report) lines(current []*Order, o *Options) {
	r.Assets = tally(r.Orders, current, o, func(w *Order) string { return w.Asset })
	slices.SortStableFunc(r.Assets, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Orders, a.Orders), cmp.Compare(b.Current, a.Current), cmp.Compare(a.Name, b.Name))
	})
	r.Severities = tally(r.Orders, current, o, func(w *Order) string { return w.Severity })
	slices.SortFunc(r.Severities, func(a, b Line) int {
		s, _ := rules.ParseSeverity(a.Name)
		t, _ := rules.ParseSeverity(b.Name)
		return cmp.Compare(t, s)
	})
	for _, w := range r.Orders {
		r.Hours[w.At.Hour()]++
	}
}

// tally counts orders by a key, in the order of the keys.
func tally(list, current []*Order, o *Options, key func(*Order) string) []Line {
	lines := make(map[string]*Line)
	at := func(w *Order) *Line {
		l := lines[key(w)]
		if l == nil {
			l = &Line{Name: key(w)}
			lines[key(w)] = l
		}
		return l
	}
	for _, w := range list {
		l := at(w)
		l.Orders++
		l.Hours += w.Hours
		if w.Night {
			l.Night++
		}
	}
	for _, w := range current {
		at(w).Current++
	}
	out := make([]Line, 0, len(lines))
	for _, l := range lines {
		l.PerWeek = o.perWeek(l.Orders)
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Line) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// weeks counts by week, with the weeks in which nothing happened.
func (r *Report) weeks(current []*Order, o *Options) {
	monday := func(t time.Time) time.Time {
		t = t.In(o.zone())
		return time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, o.zone())
	}
	for at := monday(o.From); at.Before(o.To); at = at.AddDate(0, 0, 7) {
		w := Week{Start: at}
		next := at.AddDate(0, 0, 7)
		for _, l := range []struct {
			orders []*Order
			n      *int
		}{{r.Orders, &w.Orders}, {current, &w.Current}} {
			for _, order := range l.orders {
				if !order.At.Before(at) && order.At.Before(next) {
					*l.n++
				}
			}
		}
		r.Weeks = append(r.Weeks, w)
	}
}

func (r *Report) ruleLines(trial Trial, current *Trial, before []*Order, o *Options) {
	byRule := tally(slices.Concat(r.Orders, r.Shadow), before, o, func(w *Order) string { return w.Rule })
	watched := make(map[string]int)
	outcomes := []*Outcome{trial.Outcome}
	if trial.Shadow != nil {
		outcomes = append(outcomes, trial.Shadow)
	}
	for k, out := range outcomes {
		for _, w := range out.Watches {
			if rule := trial.Rules.Rule(w.Rule); rule != nil && rule.Shadow == (k == 1) && w.Judged != 0 {
				watched[w.Rule]++
			}
		}
	}
	for _, rule := range trial.Rules.Rules {
		if !rule.Enabled {
			continue
		}
		l := RuleLine{Line: Line{Name: rule.ID}, Title: rule.Title, Shadow: rule.Shadow, Watched: watched[rule.ID]}
		if k := slices.IndexFunc(byRule, func(l Line) bool { return l.Name == rule.ID }); k >= 0 {
			l.Line = byRule[k]
		}
		if len(rule.Thresholds) > 0 {
			l.Severity = rule.Thresholds[0].Severity.String()
		}
		if known := r.DataFrom.Add(rule.Lookback()); o.Coverage != nil && known.Sub(o.From) > shortPast && l.Watched > 0 {
			l.UnknownUntil = known
		}
		if current != nil {
			old := current.Rules.Rule(rule.ID)
			l.Changed = old == nil || !old.Enabled || old.Version != rule.Version || old.Shadow != rule.Shadow
		}
		r.Rules = append(r.Rules, l)
	}
	slices.SortStableFunc(r.Rules, func(a, b RuleLine) int {
		return cmp.Or(cmp.Compare(b.Orders, a.Orders), cmp.Compare(b.Current, a.Current))
	})
}

// shortPast is how late in a report a window may be filled without a word.
const shortPast = time.Hour

// nearby is how far apart two orders of one asset and fault class may lie and
// still be the same one (own judgement).
const nearby = time.Hour

// compare pairs the orders of two sets of rules: same asset, same fault class,
// and open at the same time or nearly so.
func compare(trial, current []*Order, o *Options) *Difference {
	d := &Difference{OnlyTrial: []*Order{}, OnlyCurrent: []*Order{}, Both: []Pair{}}
	taken := make(map[*Order]bool)
	bySubject := make(map[subject][]*Order)
	for _, w := range current {
		key := subject{w.Asset, w.FaultClass}
		bySubject[key] = append(bySubject[key], w)
	}
	for _, w := range trial {
		partner := (*Order)(nil)
		for _, c := range bySubject[subject{w.Asset, w.FaultClass}] {
			if !taken[c] && overlap(w, c) {
				partner = c
				break
			}
		}
		switch {
		case partner != nil:
			taken[partner] = true
			if !o.holds(w) && !o.holds(partner) {
				continue
			}
			p := Pair{w, partner, partner.At.Sub(w.At).Seconds()}
			if p.Earlier > 0 {
				d.Earlier++
			} else if p.Earlier < 0 {
				d.Later++
			}
			d.Both = append(d.Both, p)
		case o.holds(w):
			d.OnlyTrial = append(d.OnlyTrial, w)
		}
	}
	for _, c := range current {
		if !taken[c] && o.holds(c) {
			d.OnlyCurrent = append(d.OnlyCurrent, c)
		}
	}
	return d
}

func overlap(a, b *Order) bool {
	after := func(x, y *Order) bool { return !y.Until.IsZero() && x.At.After(y.Until.Add(nearby)) }
	return !after(a, b) && !after(b, a)
}
