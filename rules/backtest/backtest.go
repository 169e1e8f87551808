package backtest

import (
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// A Backtest puts one stream through the rules on trial and, for comparison,
// through the current ones, side by side. Apply and Swap belong to one goroutine;
// Finish must be called.
type Backtest struct {
	rules    *rules.Set // on trial; changes only when the records' own are on trial
	recorded bool
	current  *rules.Set

	trial, shadow, against *Run
	coverage               Coverage
}

// New starts a backtest of cfg.Rules against the current rules; current may be
// nil. With recorded, the rules on trial are those that the records put in force,
// beginning with cfg.Rules: what the daemon did.
func New(cfg Config, current *rules.Set, recorded bool) *Backtest {
	b := &Backtest{rules: cfg.Rules, recorded: recorded, current: current, trial: NewRun(cfg)}
	if set := shadowOf(cfg.Rules); len(set.Rules) > 0 || recorded {
		c := cfg
		c.Rules, c.Brief = set, true
		b.shadow = NewRun(c)
	}
	if current != nil {
		c := cfg
		c.Rules, c.Brief = current, true
		b.against = NewRun(c)
	}
	return b
}

// Apply takes the next record and what was decoded from it.
func (b *Backtest) Apply(rec *devices.Record, readings []devices.Reading) {
	b.coverage.Take(readings)
	for _, r := range []*Run{b.trial, b.shadow, b.against} {
		if r != nil {
			r.Apply(rec, readings)
		}
	}
}

// Swap takes another configuration over at a ConfigVersion record: the site, and
// the rules where the records' own are on trial.
func (b *Backtest) Swap(rec *devices.Record, set *rules.Set, site *devices.Site) {
	if b.recorded {
		b.rules = set
	}
	b.trial.Swap(rec, b.rules, site)
	if b.shadow != nil {
		b.shadow.Swap(rec, shadowOf(b.rules), site)
	}
	if b.against != nil {
		b.against.Swap(rec, b.current, site)
	}
}

// Finish ends the backtest at o.To. It returns the report, and the steps that the
// rules on trial took as the engine gave them.
func (b *Backtest) Finish(o Options) (*Report, *Outcome) {
	o.Coverage = &b.coverage
	trial := Trial{Rules: b.rules, Outcome: b.trial.Finish(o.To)}
	if b.shadow != nil {
		trial.Shadow = b.shadow.Finish(o.To)
	}
	if b.against == nil {
		return NewReport(trial, nil, o), trial.Outcome
	}
	return NewReport(trial, &Trial{Rules: b.current, Outcome: b.against.Finish(o.To)}, o), trial.Outcome
}
