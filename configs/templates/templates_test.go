package templates

import (
	"strings"
	"testing"
	"unicode"

	"github.com/facilityd/facilityd/rules"
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

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	_, list := Load([]Source{{"own.yaml", []byte(`lift.dor:
  source: (j)
  skill: plumber
  verify: {for: soon, cycles: 3}
  first: [{en: Look}]
  frist: []
`)}})
	text := list.Err().Error()
	for _, want := range []string{"own.yaml:", "no such fault class", `did you mean "lift.door"?`, "plumber", "soon", "lacks a language", "frist", "go together", "each need an item"} {
		if !strings.Contains(text, want) {
			t.Errorf("the findings lack %q:\n%s", want, text)
		}
	}
}
