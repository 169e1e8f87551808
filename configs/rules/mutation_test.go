package shipped_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	shipped "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/scenario"
)

// mutate changes rules in every small way and returns how many changes there were,
// and those that nobody noticed.
func mutate(t testing.TB, list []*rules.Rule, approved bool) (total int, unnoticed []string) {
	t.Helper()
	results := make([][]scenario.Mutant, len(list))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k, r := range list {
		g.Go(func() error {
			data, err := shipped.FS.ReadFile(r.File)
			if err != nil {
				return err
			}
			var record []string
			if approved {
				text, err := shipped.FS.ReadFile(strings.TrimSuffix(r.File, ".yaml") + ".approved")
				if err != nil {
					return err
				}
				record = scenario.Approved(text, r.ID)
			}
			results[k], err = scenario.Mutate(rules.File{Name: r.File, Data: data}, r, record)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, mutants := range results {
		for _, m := range mutants {
			total++
			if !m.Killed {
				unnoticed = append(unnoticed, m.Rule+": "+m.Change)
			}
		}
	}
	return total, unnoticed
}

// judge holds the list of survivors true for some rules.
func judge(t testing.TB, list []*rules.Rule, unnoticed []string) {
	t.Helper()
	for _, change := range unnoticed {
		if survivors[change] == "" {
			t.Errorf("nobody notices %s", change)
		}
	}
	// order does not matter: every line is an error of its own
	for change := range survivors {
		id, _, _ := strings.Cut(change, ":")
		ours := slices.ContainsFunc(list, func(r *rules.Rule) bool { return r.ID == id })
		if ours && !slices.Contains(unnoticed, change) {
			t.Errorf("%s is listed as a survivor, and is noticed", change)
		}
	}
}

// sampled are the rules whose changes are tried in every run, one of each kind of
// condition; BenchmarkMutation tries all.
var sampled = []string{
	"bearing-hot", "carbon-monoxide", "device-silent", "door-held-open", "gas-leak", "gate-does-not-open", "lift-door-close",
	"lift-safety-chain", "pump-no-start", "pump-pressure", "terminal-hotter-than-others", "water-burst",
}

func TestSmallChangesOfSomeRulesAreNoticed(t *testing.T) {
	var list []*rules.Rule
	set := load(t)
	for _, id := range sampled {
		list = append(list, set.Rule(id))
	}
	total, unnoticed := mutate(t, list, true)
	judge(t, list, unnoticed)
	t.Logf("%d of %d changes noticed", total-len(unnoticed), total)
}

// BenchmarkMutation changes every shipped rule in every small way (threshold,
// comparator, delay, unit, role). 95 % of the changes must be noticed, and the
// others are listed with the reason. A change counts as noticed when an
// expectation fails or the approved record differs; "expected%" are those of
// which an expectation alone tells.
//
//	go test ./configs/rules -run - -bench Mutation -benchtime 1x
func BenchmarkMutation(b *testing.B) {
	list := load(b).Rules
	for b.Loop() {
		total, unnoticed := mutate(b, list, true)
		judge(b, list, unnoticed)
		noticed := 100 * float64(total-len(unnoticed)) / float64(total)
		if noticed < 95 {
			b.Errorf("%.1f %% of %d changes noticed", noticed, total)
		}
		_, unexpected := mutate(b, list, false)
		b.ReportMetric(noticed, "noticed%")
		b.ReportMetric(100*float64(total-len(unexpected))/float64(total), "expected%")
		b.ReportMetric(float64(total), "changes")
	}
}
