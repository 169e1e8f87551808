package templates

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

func TestEveryFaultClassHasATemplateInBothLanguages(t *testing.T) {
	set, list := Shipped()
	if len(list) > 0 {
		t.Fatal(list)
	}
	for _, fc := range rules.FaultClasses {
		tpl := set[fc.ID]
		if tpl == nil {
			t.Errorf("fault class %s (%s) has no template", fc.ID, fc.Ref)
			continue
		}
		for _, l := range tpl.First {
			if !strings.ContainsFunc(l.ZH, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s: %q is not Chinese", fc.ID, l.ZH)
			}
		}
		if fc.ByHand && !tpl.Signature {
			t.Errorf("%s is cleared by a person only, so its template asks for a signature", fc.ID)
		}
		if !strings.ContainsAny(tpl.Source, "()") {
			t.Errorf("%s: the source %q has no mark", fc.ID, tpl.Source)
		}
	}
	if len(set) != len(rules.FaultClasses) {
		t.Errorf("%d templates for %d fault classes", len(set), len(rules.FaultClasses))
	}
}

// The items of TSG T5002-2017 that go with each lift fault class are in its
// checklist, by number.
func TestLiftChecklistsHaveTheItemsOfTheMaintenanceRule(t *testing.T) {
	set, _ := Shipped()
	for class, want := range map[string][]string{
		"lift.door":                {"A-1 20", "A-1 21", "A-1 22", "A-1 25", "A-1 26", "A-1 27", "A-1 28", "A-1 29", "A-2 8", "A-2 9", "A-2 10"},
		"lift.levelling":           {"A-1 23"},
		"lift.drive":               {"A-1 3", "A-1 4", "A-1 5", "A-1 6", "A-1 7", "A-2 2", "A-3 4", "A-3 8", "A-4 4"},
		"lift.power_environment":   {"A-1 1"},
		"lift.emergency_call":      {"A-1 18"},
		"lift.safety_chain":        {"A-1 8", "A-1 9", "A-1 12", "A-1 17", "A-1 31"},
		"lift.unintended_movement": {"A-2 2", "A-3 9", "A-3 15", "A-4 4", "A-4 6", "A-4 7", "A-4 8"},
	} {
		for _, ref := range want {
			if !slices.ContainsFunc(set[class].Checklist, func(c ticketing.Check) bool { return c.Ref == ref }) {
				t.Errorf("%s lacks item %s", class, ref)
			}
		}
	}
	i := slices.IndexFunc(set["lift.door"].Checklist, func(c ticketing.Check) bool { return c.Ref == "A-1 29" })
	if c := set["lift.door"].Checklist[i]; c.Min == nil || *c.Min != 7 || c.Unit != "mm" || !c.Key || !c.Photo {
		t.Errorf("engagement of the landing door lock: %+v", c)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	_, list := Load([]Source{{"own.yaml", []byte(`lift.dor:
  source: (j)
  skill: plumber
  verify: {for: soon, cycles: 3}
  first: [{en: Look}]
  checklist: [{en: Brake tested, zh: 制动试验, min: 3, max: 2, limit: {en: some}}]
  frist: []
`)}})
	text := list.Err().Error()
	for _, want := range []string{"own.yaml:", "no such fault class", `did you mean "lift.door"?`, "plumber", "soon", "lacks a language", "frist", "go together", "each need an item", "is a test", "min 3 is above max 2", `limit "some" lacks`} {
		if !strings.Contains(text, want) {
			t.Errorf("the findings lack %q:\n%s", want, text)
		}
	}
}
