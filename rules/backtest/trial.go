package backtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/rules"
)

// Replace is a set in which rules take the place of those with the same id, and
// new ones stand beside them. Neither argument is changed.
func Replace(set *rules.Set, by []*rules.Rule) *rules.Set {
	var list []*rules.Rule
	for _, r := range set.Rules {
		if !slices.ContainsFunc(by, func(n *rules.Rule) bool { return n.ID == r.ID }) {
			list = append(list, r)
		}
	}
	out := rules.SetOf(copies(append(list, by...))...)
	out.Timing = set.Timing
	return out
}

// shadowOf is the set of the rules that run in shadow, as if they counted. They
// are judged apart: what they say must not change what the others come to.
func shadowOf(set *rules.Set) *rules.Set {
	list := copies(slices.DeleteFunc(slices.Clone(set.Rules), func(r *rules.Rule) bool { return !r.Shadow || !r.Enabled }))
	for _, r := range list {
		r.Shadow = false
	}
	out := rules.SetOf(list...)
	out.Timing = set.Timing
	return out
}

// copies of rules may take a place in another set.
func copies(list []*rules.Rule) []*rules.Rule {
	out := make([]*rules.Rule, len(list))
	for i, r := range list {
		c := *r
		out[i] = &c
	}
	return out
}

// OnTrial is the current set with rules from files in the place of those with the
// same id, and with some switched on that are off. It returns nil when neither
// files nor ids are given: nothing is on trial.
func OnTrial(current *rules.Set, files []rules.File, enable []string) (*rules.Set, diag.List) {
	if len(files) == 0 && len(enable) == 0 {
		return nil, nil
	}
	var list diag.List
	var by []*rules.Rule
	if len(files) > 0 {
		loaded, found := rules.Load(files, rules.LoadOptions{})
		if list = found; loaded == nil {
			return nil, list
		}
		by = loaded.Rules
	}
	set := Replace(current, by)
	var ids []string
	for _, r := range set.Rules {
		ids = append(ids, r.ID)
	}
	for _, id := range enable {
		if r := set.Rule(id); r != nil {
			r.Enabled = true
		} else {
			list.Add(diag.Diagnostic{Message: fmt.Sprintf("no rule %q to switch on", id), Hint: diag.DidYouMean(id, ids)})
		}
	}
	return set, list
}

// WarmUp is the longest time before a stretch that verdicts within it may rest on.
func WarmUp(sets ...*rules.Set) (longest time.Duration) {
	for _, s := range sets {
		if s == nil {
			continue
		}
		for _, r := range s.Rules {
			if r.Enabled {
				longest = max(longest, r.Lookback())
			}
		}
	}
	return longest
}
