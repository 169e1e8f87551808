package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/rules"
)

// Kind is one of the ten ways in which a rule is tried.
type Kind string

// The kinds. Fault and normal courses are what the author wrote, with an episode
// and without; normal also what comes before an episode. The others are made from
// them.
const (
	Normal      Kind = "normal"
	Fault       Kind = "fault"
	Boundary    Kind = "boundary"
	Gap         Kind = "gap"
	Duplicate   Kind = "duplicate"
	OutOfOrder  Kind = "out of order"
	Irregular   Kind = "irregular sampling"
	Off         Kind = "equipment off"
	StartUp     Kind = "start-up"
	MissingRole Kind = "missing role"
)

// Kinds lists all kinds.
var Kinds = []Kind{Normal, Fault, Boundary, Gap, Duplicate, OutOfOrder, Irregular, Off, StartUp, MissingRole}

// A Result is what came of the tests of one rule.
type Result struct {
	Rule     string
	Ran      []Kind // without repetition, in the order of Kinds
	Failures []Failure
	// Lacks are the kinds that apply to the rule and were not made of its tests,
	// and what would make them.
	Lacks []Lack
	// NotApplicable are the kinds that cannot be tried, and why.
	NotApplicable []Lack
}

// A Lack is a kind that was not tried, and why.
type Lack struct {
	Kind Kind
	Why  string
}

// Run tries a rule in every way that can be made from its scenarios. approved is
// what a person approved of what the rule does, see Record; nil compares with
// nothing.
func Run(r *rules.Rule, approved []string) Result {
	res := Result{Rule: r.ID}
	var record []string
	try(r, r, func(s *rules.Scenario, v *variant, problems []string, line string) bool {
		if !slices.Contains(res.Ran, v.kind) {
			res.Ran = append(res.Ran, v.kind)
		}
		record = append(record, line)
		for _, p := range problems {
			res.Failures = append(res.Failures, Failure{Rule: r.ID, Scenario: s.Name, Kind: v.kind, File: r.File, Line: s.Line, Message: p})
		}
		return true
	})
	if approved != nil {
		res.Failures = append(res.Failures, compare(r, record, approved)...)
	}
	slices.SortFunc(res.Ran, func(a, b Kind) int { return slices.Index(Kinds, a) - slices.Index(Kinds, b) })
	res.judge(r)
	return res
}

// stands tells whether a rule passes what another version of it is tested with. It
// stops at the first difference.
func stands(r, tested *rules.Rule, approved []string) bool {
	n, ok := 0, true
	try(r, tested, func(_ *rules.Scenario, _ *variant, problems []string, line string) bool {
		ok = len(problems) == 0 && (approved == nil || n < len(approved) && approved[n] == line)
		n++
		return ok
	})
	return ok && (approved == nil || n == len(approved))
}

// try lives through the courses made from the scenarios of a version of a rule,
// until told to stop.
func try(r, tested *rules.Rule, course func(s *rules.Scenario, v *variant, problems []string, line string) (goOn bool)) {
	set := alone(r)
	for k := range tested.Scenarios {
		s := &tested.Scenarios[k]
		for n, v := range variants(tested, s) {
			problems, steps := play(set, r, v.course)
			switch {
			case v.never:
				problems = nil
				if len(steps) > 0 {
					problems = []string{fmt.Sprintf("an episode opened at %v", time.Duration(steps[0].At-begin.UnixNano()))}
				}
			case v.course.expect == nil:
				problems = nil // what it does is approved as it is
			}
			if !course(s, &v, problems, recordOf(tested, s, n, v, steps)) {
				return
			}
		}
	}
}

// compare says where the first difference to the approved record is.
func compare(r *rules.Rule, record, approved []string) []Failure {
	for k := range max(len(record), len(approved)) {
		got, want := "nothing", "nothing"
		if k < len(record) {
			got = record[k]
		}
		if k < len(approved) {
			want = approved[k]
		}
		if got != want {
			return []Failure{{Rule: r.ID, Kind: Boundary, File: r.File, Line: r.Line,
				Message: "it does not do what was approved:\n  approved: " + want + "\n  now:      " + got}}
		}
	}
	return nil
}

// judge tells what was not tried, and whether it could have been.
func (res *Result) judge(r *rules.Rule) {
	for _, kind := range Kinds {
		if slices.Contains(res.Ran, kind) {
			continue
		}
		lack := Lack{kind, "give it a test"}
		applies := true
		switch kind {
		case Normal:
			lack.Why = "give it a test in which nothing is wrong, or expect none before the episode"
		case Fault, Gap:
			lack.Why = "give it a test that expects an episode"
		case Boundary:
			applies, lack.Why = false, "it compares no value and no state"
		case Off:
			applies, lack.Why = len(switches(r)) > 0, "it looks whether or not something runs"
		case StartUp:
			applies, lack.Why = r.After > 0 && len(switches(r)) > 0, "it has no start-up delay"
		}
		if applies || len(r.Scenarios) == 0 {
			res.Lacks = append(res.Lacks, lack)
		} else {
			res.NotApplicable = append(res.NotApplicable, lack)
		}
	}
}

// switches are the roles that tell whether the equipment runs.
func switches(r *rules.Rule) []string {
	if r.OnlyWhile == nil {
		return nil
	}
	return r.OnlyWhile.Switches(r)
}

// alone is a set of the one rule, switched on.
func alone(r *rules.Rule) *rules.Set {
	c := *r
	c.Enabled, c.Shadow = true, false
	return rules.SetOf(&c)
}

// Record writes down what a rule does in every course that is made from its
// scenarios, one line each: the record that a person approves. A test that
// expects little still notices every change of what the rule does.
func Record(r *rules.Rule) []string {
	var out []string
	try(r, r, func(_ *rules.Scenario, _ *variant, _ []string, line string) bool {
		out = append(out, line)
		return true
	})
	return out
}

func recordOf(r *rules.Rule, s *rules.Scenario, n int, v variant, steps []rules.Transition) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s | %s | %d %s", r.ID, s.Name, n, v.kind)
	if v.what != "" {
		b.WriteString(" " + v.what)
	}
	b.WriteString(" |")
	for _, st := range steps {
		fmt.Fprintf(&b, " %s %s %s;", (time.Duration(st.At - begin.UnixNano())).Round(time.Second), st.Phase, st.Severity)
	}
	return b.String()
}

// Approved takes the lines of one rule out of the record of a file; nil when there
// is no record.
func Approved(record []byte, rule string) []string {
	if record == nil {
		return nil
	}
	out := []string{}
	for line := range strings.Lines(string(record)) {
		if strings.HasPrefix(line, rule+" | ") {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}
