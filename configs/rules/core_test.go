package shipped_test

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	shipped "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/scenario"
)

// refs are the rows of the domain notes, with a star where the rule is on by
// default.
const refs = `
	E01* E02* E03* E04* E05* E06* E07 E08* E09 E10* E11* E12 E13* E14* E15* E16 E17 E18 E19
	G01* G02 G03 G04* G05* G06* G07* G08 G09 G10
	P01* P02* P03 P04* P05* P06 P07* P08* P09 P10 P11* P12 P13 P14* P15 P16 P17* P18*
	M01* M02* M03 M04* M05 M06* M07 M08 M09* M10 M11* M12 M13* M14 M15
	A01* A02 A03* A04 A05* A06
	Q01* Q02* Q03* Q04`

// noRule are rows that are no condition on the points of an asset.
var noRule = map[string]string{
	"E16": "raises the tier of an order when its fault comes back three times in a day: ticketing, TestFaultThatKeepsComingBackRaisesTheTierOnce",
	"Q04": "is about a profile, not an asset: the alert FacilitydProfileFails of configs/deploy, TestPrometheusFiles",
}

func TestEveryRowOfTheDomainNotesIsARule(t *testing.T) {
	set := load(t)
	by := make(map[string][]*rules.Rule)
	for _, r := range set.Rules {
		if r.Ref != "" {
			by[r.Ref] = append(by[r.Ref], r)
		}
	}
	stars, rows := 0, strings.Fields(refs)
	for _, row := range rows {
		ref, star := strings.CutSuffix(row, "*")
		if star {
			stars++
		}
		list := by[ref]
		delete(by, ref)
		if (len(list) == 0) != (noRule[ref] != "") {
			t.Errorf("%s: %d rules, and %q", ref, len(list), noRule[ref])
		}
		for _, r := range list {
			if r.Enabled != star {
				t.Errorf("%s: rule %s is on: %v, the row has a star: %v", ref, r.ID, r.Enabled, star)
			}
		}
	}
	if len(rows) != 72 || stars != 40 {
		t.Errorf("%d rows, %d of them with a star", len(rows), stars)
	}
	// order does not matter: every line is an error of its own
	for ref := range by {
		t.Errorf("%s is no row", ref)
	}
}

func TestEveryFaultClassHasARule(t *testing.T) {
	set := load(t)
	for _, fc := range rules.FaultClasses {
		if !slices.ContainsFunc(set.Rules, func(r *rules.Rule) bool { return r.FaultClass.ID == fc.ID && !r.Shadow }) {
			t.Errorf("no rule finds %s (%s)", fc.ID, fc.Ref)
		}
	}
}

// A number that was not read in a standard is not advertised as one.
func TestOnlyWhatWasReadIsCalledAStandard(t *testing.T) {
	name := regexp.MustCompile(`\b(GB|EN|ISO|TSG|NEMA|ASHRAE|HSE|IEC)\b|(?i:standard)|标准|规范|国标`)
	for _, r := range load(t).Rules {
		for _, text := range []string{r.Title.EN, r.Title.ZH, r.Meaning.EN, r.Meaning.ZH, r.CheckFirst.EN, r.CheckFirst.ZH, r.IfIgnored.EN, r.IfIgnored.ZH} {
			if r.Source.Mark != "v" && name.MatchString(text) {
				t.Errorf("rule %s, whose source is marked %s, says %q", r.ID, r.Source.Mark, text)
			}
		}
		if regexp.MustCompile(`(?i)\b(per GB|per EN|per ISO|according to|complies)\b`).MatchString(r.Source.Text) && r.Source.Mark != "v" {
			t.Errorf("rule %s: source %q is marked %s", r.ID, r.Source.Text, r.Source.Mark)
		}
	}
}

// What nobody may guess is asked for.
func TestNeverDefaultsAreFacts(t *testing.T) {
	asked := make(map[string]bool)
	for _, r := range load(t).Rules {
		for _, f := range r.Facts() {
			asked[f.Name] = true
		}
	}
	for _, f := range []string{"vibration_limit", "vibration_trip", "q3", "qp", "rated_current", "rated_motion_time", "residents", "max_starts_per_hour", "service_cycles"} {
		if !asked[f] {
			t.Errorf("no rule asks for %s", f)
		}
	}
}

// What every shipped rule does in every course that is made from its tests is
// what was approved. After a change that is meant:
//
//	go run ./cmd/facilityd rules test --approve configs/rules
func TestShippedRulesDoWhatWasApproved(t *testing.T) {
	list := load(t).Rules
	results, counts := make([]scenario.Result, len(list)), make([]int, len(list))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k, r := range list {
		g.Go(func() error {
			record, err := shipped.FS.ReadFile(strings.TrimSuffix(r.File, ".yaml") + ".approved")
			if err != nil {
				return err
			}
			approved := scenario.Approved(record, r.ID)
			results[k], counts[k] = scenario.Run(r, approved), len(approved)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for k, res := range results {
		seen += counts[k]
		for _, f := range res.Failures {
			t.Error(f)
		}
		for _, l := range res.Lacks {
			t.Errorf("rule %s has no test of the kind %s: %s", res.Rule, l.Kind, l.Why)
		}
	}
	lines := 0
	names, err := shipped.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".approved") {
			continue
		}
		data, err := shipped.FS.ReadFile(n.Name())
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(data), "\n")
	}
	if seen != lines {
		t.Errorf("%d lines were approved, rules account for %d", lines, seen)
	}
}
