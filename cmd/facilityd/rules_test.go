package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func runRules(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := rulesCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.Execute()
	return out.String(), err
}

const ownRule = `rules:
  - id: own
    title: {en: Own, zh: 自定义}
    class: pump
    fault_class: pump.bearing
    source: {text: ours, mark: j}
    severity: low
    when: bearing_temp > 70 °C
    clear: bearing_temp < 75 °C
    tests:
      - {name: hot, every: 1m, inputs: {bearing_temp: 50*5 90*5}, expect: {6m: none}}
`

func TestRulesCommands(t *testing.T) {
	if out, err := runRules("check"); err != nil || !strings.Contains(out, "no errors") {
		t.Errorf("check of the shipped rules: %v\n%s", err, out)
	}
	if out, err := runRules("test", "--rule", "bearing-hot"); err != nil || !strings.Contains(out, "1 rules, 0 failed, 0 lack tests") {
		t.Errorf("test of one shipped rule: %v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte(ownRule), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := runRules("check", file); err == nil || !strings.Contains(out, "own.yaml:9:12: error: rule own: low would end while it starts") {
		t.Errorf("check of a wrong rule: %v\n%s", err, out)
	}
	if out, err := runRules("test", file); err == nil || !strings.Contains(out, `rule own, test "hot" (normal): at 6m0s the episode is low, it should be none`) {
		t.Errorf("test of a wrong rule: %v\n%s", err, out)
	}
	if out, err := runRules("functions"); err != nil || !strings.Contains(out, "silent(3, 5m)") {
		t.Errorf("functions: %v\n%s", err, out)
	}
}

const ruleGuide = "../../configs/rules/GUIDE.md"

// TestRuleScripts follows the guide for rule authors with the guide's own rule: in
// my-rules as it stands there, in less without its third test, in changed with
// another limit.
func TestRuleScripts(t *testing.T) {
	guide, err := os.ReadFile(ruleGuide)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "Save this as `my-rules/filter.yaml`:\n\n```yaml\n")
	rule, _, ok := strings.Cut(rest, "```")
	less, _, two := strings.Cut(rule, "      - name: exactly at its limits\n")
	if !ok || !two {
		t.Fatal("the guide has no rule with three tests")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/rules",
		Setup: func(env *testscript.Env) error {
			for dir, text := range map[string]string{"my-rules": rule, "less": less, "changed": strings.Replace(rule, "dirty: 0.8 bar", "dirty: 0.79 bar", 1)} {
				if err := os.MkdirAll(filepath.Join(env.WorkDir, dir), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(env.WorkDir, dir, "filter.yaml"), []byte(text), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// TestRuleGuideIsTested keeps guide and script together.
func TestRuleGuideIsTested(t *testing.T) {
	guideIsTested(t, ruleGuide, "testdata/rules/write-a-rule.txtar")
}
