package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/scenario"
)

const hot = `rules:
- id: hot
  title: {en: Hot, zh: 热}
  class: pump
  fault_class: pump.bearing
  source: {text: test, mark: j}
  severity: low
  when: bearing_temp > 70 °C
  for: 5m
  clear: bearing_temp < 65 °C
  tests:
  - {name: hot, every: 1m, inputs: {bearing_temp: 50*5 90*20 50*5}, expect: {4m: none, 12m: low, 26m: none}}
`

// Every small change of a rule is noticed by one written test and the courses
// that are made from it.
func TestMutantsAreNoticed(t *testing.T) {
	f := rules.File{Name: "hot.yaml", Data: []byte(hot)}
	set, list := rules.Load([]rules.File{f}, rules.LoadOptions{})
	if set == nil {
		t.Fatal(list.Err())
	}
	mutants, err := scenario.Mutate(f, set.Rules[0], scenario.Record(set.Rules[0]))
	if err != nil {
		t.Fatal(err)
	}
	if len(mutants) < 12 {
		t.Errorf("only %d mutants were made", len(mutants))
	}
	for _, m := range mutants {
		if !m.Killed {
			t.Errorf("nobody notices %s", m.Change)
		}
	}
}

// A test that expects what the rule does not do fails, with its place.
func TestFailureSaysWhere(t *testing.T) {
	set, list := rules.Load([]rules.File{{Name: "hot.yaml", Data: []byte(strings.Replace(hot, "12m: low", "12m: high", 1))}}, rules.LoadOptions{})
	if set == nil {
		t.Fatal(list.Err())
	}
	failures := scenario.Run(set.Rules[0], nil).Failures
	const want = `hot.yaml:12: rule hot, test "hot" (fault): at 12m0s the episode is low, it should be high`
	if len(failures) == 0 || failures[0].String() != want {
		t.Errorf("got %v, want %s", failures, want)
	}
}

// Of the kinds that can be made of a rule's tests, all are made.
func TestKindsAreMade(t *testing.T) {
	const gated = `rules:
- id: dry
  title: {en: Dry, zh: 干}
  class: pump
  fault_class: pump.dry_run
  source: {text: test, mark: j}
  only_while: {when: running, after: 2m}
  severity: low
  when: flow < 1 m3/h
  for: 5m
  tests:
  - {name: dry, every: 1m, inputs: {running: 1*40, flow: 5*10 0.2*20 5*10}, expect: {9m: none, 20m: low, 35m: none}}
`
	set, list := rules.Load([]rules.File{{Name: "dry.yaml", Data: []byte(gated)}}, rules.LoadOptions{})
	if set == nil {
		t.Fatal(list.Err())
	}
	res := scenario.Run(set.Rules[0], nil)
	if len(res.Failures) > 0 {
		t.Error(res.Failures)
	}
	if !slices.Equal(res.Ran, scenario.Kinds) {
		t.Errorf("ran %q, want all of %q", res.Ran, scenario.Kinds)
	}
}
