package scenario_test

import (
	"testing"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/scenario"
)

const weak = `rules:
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

// A test that checks far from the limits notices changes of role and
// comparison, and a doubled delay; what it does not notice is listed.
func TestMutantsThatSurviveAreListed(t *testing.T) {
	f := rules.File{Name: "weak.yaml", Data: []byte(weak)}
	set, list := rules.Load([]rules.File{f}, rules.LoadOptions{})
	if set == nil {
		t.Fatal(list.Err())
	}
	mutants, err := scenario.Mutate(f, set.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	killed, survived := 0, []string{}
	for _, m := range mutants {
		if m.Killed {
			killed++
		} else {
			survived = append(survived, m.Change)
		}
	}
	if killed < 8 || len(survived) != 1 || survived[0] != "for: 5m -> 0m" {
		t.Errorf("%d killed, survivors %q", killed, survived)
	}
}
