package configs

import (
	"strings"
	"testing"
)

func TestRulesAreSwitchedOnASite(t *testing.T) {
	b, problem := compileSite(t, "site: x\nrules: {disable: [bearing-hot]}\n")
	if problem != "" || b.Rules.Rule("bearing-hot").Enabled {
		t.Errorf("still on, %s", problem)
	}
	b, problem = compileSite(t, "site: x\nrules: {enable: [bearing-hot]}\n")
	if problem != "" || !b.Rules.Rule("bearing-hot").Enabled {
		t.Errorf("not on, %s", problem)
	}
}

func TestSwitchOfNoRuleIsExplained(t *testing.T) {
	for text, want := range map[string]string{
		"site: x\nrules: {enable: [bearing-hat]}":                         `s.yaml:2:18: error: there is no rule "bearing-hat" (did you mean "bearing-hot"?)`,
		"site: x\nrules: {enable: [bearing-hot], disable: [bearing-hot]}": `s.yaml:2:18: error: rule "bearing-hot" is enabled and disabled`,
		"site: x\nrules: {enabled: [bearing-hot]}":                        `unknown key "enabled" in rules (did you mean "enable"?)`,
	} {
		if _, problem := compileSite(t, text); !strings.Contains(problem, want) {
			t.Errorf("%q:\n got %s\nwant %s", text, problem, want)
		}
	}
}
