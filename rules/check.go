package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// CheckOptions are what a check may know beside the rules.
type CheckOptions struct {
	// Roles are those that the profiles in use can give; nil does not check.
	Roles []string
	// Kept is how much of the past the journal keeps; 0 is all of it.
	Kept time.Duration
}

// Check looks for rules that load and cannot mean what they say: a condition that
// is never true, a clear condition that holds together with the start or never,
// severities the wrong way round, a role that no profile gives, a window over more
// of the past than is kept.
//
// It tries the conditions out: just below, at and just above every value that a
// role is compared with, in all combinations. What a function makes of the past may
// be anything, on its own.
func (s *Set) Check(opts CheckOptions) diag.List {
	var list diag.List
	for _, r := range s.Rules {
		place := func(line, column int, level diag.Level, hint, format string, args ...any) {
			list.Add(diag.Diagnostic{File: r.File, Line: line, Column: column, Level: level,
				Message: "rule " + r.ID + ": " + fmt.Sprintf(format, args...), Hint: hint})
		}
		for _, name := range r.Needed() {
			if r.Enabled && opts.Roles != nil && name != devices.AvailabilityPoint && !slices.Contains(opts.Roles, name) {
				u := r.roles[slices.IndexFunc(r.roles, func(u roleUse) bool { return u.role.Name == name })]
				place(u.line, u.column, diag.Warning, diag.DidYouMean(name, opts.Roles), "no profile gives the role %s, the rule can never start", name)
			}
		}
		if past := r.Lookback(); r.Enabled && opts.Kept > 0 && past > opts.Kept {
			t := &r.Thresholds[0].When
			place(t.Line, t.Column, diag.Warning, "raise journal.max_age, or take a shorter window",
				"it rests on the last %s, the journal keeps %s: after a rebuild from the journal it does not know enough for the time between", inWords(past), inWords(opts.Kept))
		}
		tryOut(r, r.limitValues(), func(at *Condition, level diag.Level, hint, format string, args ...any) {
			place(at.Line, at.Column, level, hint, format, args...)
		})
	}
	for _, m := range s.Mutes {
		m.check(opts, &list)
	}
	list.Sort()
	return list
}

// check tells when a mute can never mute anything.
func (m *Mute) check(opts CheckOptions, list *diag.List) {
	r := &Rule{ID: m.ID, Classes: m.Classes}
	var said diag.List // when it was loaded
	cond, ok := m.rd.condition(&compiler{rule: r, diags: &said, filename: m.File}, m.node)
	if !ok {
		return
	}
	r.OnlyWhile, r.own = &cond, len(r.roles)
	report := func(level diag.Level, hint, format string, args ...any) {
		list.Add(diag.Diagnostic{File: m.File, Line: cond.Line, Column: cond.Column, Level: level, Message: "mute " + m.ID + ": " + fmt.Sprintf(format, args...), Hint: hint})
	}
	for k, u := range r.roles {
		if opts.Roles != nil && cond.requires&(1<<k) != 0 && u.role.Name != devices.AvailabilityPoint && !slices.Contains(opts.Roles, u.role.Name) {
			report(diag.Warning, diag.DidYouMean(u.role.Name, opts.Roles), "no profile gives the role %s, it can never mute anything", u.role.Name)
		}
	}
	if all := trials(trialOf(r), nil); all != nil && always(all, func(o outcome) bool { return o.gate != True }) {
		report(diag.Error, "", "it can never mute anything: %s is never true", cond.Text)
	}
}

// inWords writes a long duration in days or hours.
func inWords(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.Round(time.Minute).String(), "0s"), "0m")
}

// maxTrials bounds the combinations that are tried for one rule.
const maxTrials = 50_000

// outcome is what a rule's conditions say for one combination of values.
type outcome struct {
	gate        Truth
	when, clear []Truth
}

// tryOut reports what cannot be with the given values of the rule's limits, and at
// which condition.
func tryOut(r *Rule, limits []float64, report func(at *Condition, level diag.Level, hint, format string, args ...any)) {
	free := trialOf(r)
	if free == nil {
		return
	}
	trials := trials(free, limits)
	if trials == nil {
		return
	}
	if r.OnlyWhile != nil && always(trials, func(o outcome) bool { return o.gate != True }) {
		report(r.OnlyWhile, diag.Error, "", "it never looks: only_while %s is never true", r.OnlyWhile.Text)
		return
	}
	for k := range r.Thresholds {
		t := &r.Thresholds[k]
		var fires, clears, both bool
		for _, o := range trials {
			fires = fires || o.when[k] == True && o.gate == True
			clears = clears || o.clear[k] == True
			both = both || o.when[k] == True && o.clear[k] == True && o.gate == True
		}
		end := t.Clear
		if end == nil {
			end = &t.When
		}
		switch {
		case !fires:
			report(&t.When, diag.Error, "", "%s can never start: %s is never true", t.Severity, t.When.Text)
		case !clears && !r.FaultClass.ByHand:
			report(end, diag.Error, "", "%s can never end: %s is never true", t.Severity, clearText(t))
		case both && !r.FaultClass.ByHand && free.independent(k):
			report(end, diag.Error, "leave a gap between the two", "%s would end while it starts: %s and %s hold together", t.Severity, t.When.Text, clearText(t))
		}
		if k+1 < len(r.Thresholds) {
			lower := &r.Thresholds[k+1]
			if always(trials, func(o outcome) bool { return o.when[k+1] != True || o.when[k] == True }) &&
				!always(trials, func(o outcome) bool { return o.when[k] != True || o.when[k+1] == True }) {
				report(&lower.When, diag.Error, "exchange their values", "the severities are the wrong way round: whenever %s holds, %s does", lower.Severity, t.Severity)
			}
		}
	}
}

func clearText(t *Threshold) string {
	if t.Clear != nil {
		return t.Clear.Text
	}
	return "not (" + t.When.Text + ")"
}

func always(trials []outcome, f func(outcome) bool) bool {
	return !slices.ContainsFunc(trials, func(o outcome) bool { return !f(o) })
}

// trials evaluates a rule for all combinations of interesting values; nil when
// there are too many of them.
func trials(r *Rule, limits []float64) []outcome {
	consts, facts := trialConstants(r, limits)
	e := &Engine{points: make([]pointState, len(r.roles))}
	i := &instance{rule: r, consts: consts, seat: new(seat), bind: make([]int32, len(r.roles)), have: math.MaxUint64}
	ctx := &evalContext{engine: e, inst: i, t: 1, expiry: never, due: never}
	values := make([][]trialValue, len(r.roles))
	total := max(1, len(facts))
	for k := range r.roles {
		i.bind[k] = int32(k)
		if values[k] = []trialValue{{bad: true}}; r.roles[k].refs > 0 {
			values[k] = trialValues(ctx, &r.roles[k])
		}
		if total *= len(values[k]); total > maxTrials {
			return nil
		}
	}
	var out []outcome
	for _, words := range facts {
		for k, w := range words {
			consts.facts[k].Word = w
		}
		for n := range total / len(facts) {
			for k := range values {
				v := values[k][n%len(values[k])]
				n /= len(values[k])
				e.points[k] = pointState{time: 1, value: v.number, text: v.word, validTo: never, ok: !v.bad, bound: true, past: -1}
				if v.bad {
					e.points[k].quality = devices.Bad
				}
			}
			o := outcome{gate: True}
			if r.OnlyWhile != nil {
				o.gate = r.OnlyWhile.eval(ctx)
			}
			for k := range r.Thresholds {
				t := &r.Thresholds[k]
				when := t.When.eval(ctx)
				clear := when.not()
				if t.Clear != nil {
					clear = t.Clear.eval(ctx)
				}
				o.when, o.clear = append(o.when, when), append(o.clear, clear)
			}
			out = append(out, o)
		}
	}
	return out
}

// trialConstants gives every numeric fact some number, and lists the
// combinations of words that the others may be.
func trialConstants(r *Rule, limits []float64) (*constants, [][]string) {
	c := &constants{facts: make([]devices.Quantity, len(r.facts)), limits: limits}
	combos := [][]string{make([]string, len(r.facts))}
	for k, f := range r.facts {
		c.facts[k].Value = 10
		if !f.Word {
			continue
		}
		var next [][]string
		for _, combo := range combos {
			for _, w := range f.Values {
				one := slices.Clone(combo)
				one[k] = w
				next = append(next, one)
			}
		}
		combos = next
	}
	return c, combos
}

type trialValue struct {
	number float64
	word   string
	bad    bool
}

// trialValues are the values of a role that can make a difference.
func trialValues(ctx *evalContext, u *roleUse) []trialValue {
	if len(u.role.Words) > 0 {
		var out []trialValue
		for _, w := range u.role.Words {
			out = append(out, trialValue{number: float64(w.Code), word: w.Name})
		}
		return out
	}
	switch u.role.Kind {
	case devices.State:
		return []trialValue{{number: 0}, {number: 1}}
	case devices.Availability:
		return []trialValue{{word: "online"}, {word: "offline"}}
	}
	at := []float64{0}
	for _, cut := range u.cuts {
		if v, ok := cut(ctx); ok {
			step := max(1e-6, math.Abs(v)*1e-6)
			at = append(at, v-step, v, v+step)
		}
	}
	if u.opaque() {
		// It is reckoned with: try magnitudes around the facts' trial value.
		at = append(at, -100, -10, -1, 0.1, 1, 3, 8, 9.2, 9.7, 10, 10.6, 11.2, 13, 30, 100, 1000)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	out := []trialValue{{bad: true}}
	for _, v := range at {
		if u.most == 0 && u.least == 0 || v >= u.least && v <= u.most {
			out = append(out, trialValue{number: v})
		}
	}
	return out
}

// Describe lists the language's functions and the relations that some of them
// take, one a line.
func Describe() string {
	var b strings.Builder
	for _, f := range functionList {
		fmt.Fprintf(&b, "%-44s %s\n", f.Usage, f.Doc)
	}
	b.WriteString("\nWhom any, all, sum, median, min and max may ask:\n")
	for _, r := range relations {
		fmt.Fprintf(&b, "%-44s %s\n", r.name, r.doc)
	}
	return b.String()
}

// Switches lists the truth states that must be on for the condition to be true:
// the equipment that runs.
func (cond *Condition) Switches(r *Rule) []string {
	var out []string
	for _, slot := range cond.roles {
		u := &r.roles[slot]
		if u.role.Kind == devices.State && len(u.role.Words) == 0 && cond.requires&(1<<slot) != 0 {
			out = append(out, u.role.Name)
		}
	}
	return out
}
