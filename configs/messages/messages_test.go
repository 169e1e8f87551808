package messages

import (
	"regexp"
	"slices"
	"testing"
)

func load(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The verbs of one language are those of the other, in the same order: an
// argument is never lost in translation.
func TestLanguagesHaveTheSameTexts(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-z]`)
	texts := map[string]map[string][]string{}
	for _, lang := range Languages {
		list, err := read(lang)
		if err != nil {
			t.Fatal(err)
		}
		texts[lang] = map[string][]string{}
		for _, x := range list {
			if _, twice := texts[lang][x.key]; twice {
				t.Errorf("%s.yaml has %s twice", lang, x.key)
			}
			s := x.plain
			if x.forms != nil {
				s = x.forms[len(x.forms)-1].(string)
			}
			if s == "" {
				t.Errorf("%s.yaml: %s is empty", lang, x.key)
			}
			texts[lang][x.key] = verbs.FindAllString(s, -1)
		}
	}
	for key, en := range texts["en"] {
		zh, ok := texts["zh"][key]
		if !ok {
			t.Errorf("zh.yaml lacks %s", key)
		} else if !slices.Equal(en, zh) {
			t.Errorf("%s takes %v in English and %v in Chinese", key, en, zh)
		}
	}
	for key := range texts["zh"] {
		if _, ok := texts["en"][key]; !ok {
			t.Errorf("en.yaml lacks %s", key)
		}
	}
}

func TestMatchFollowsThePreferencesInTurn(t *testing.T) {
	c := load(t)
	for _, x := range []struct {
		prefs []string
		want  string
	}{
		{[]string{"", "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"},
		{[]string{"en", "zh-CN,zh;q=0.9"}, "en"},
		{[]string{"", "de-DE,de;q=0.9,zh;q=0.5"}, "zh"},
		{[]string{"", "fr"}, "en"},
		{[]string{"", "zh-TW"}, "zh"},
		{[]string{"nonsense!", ""}, "en"},
		{nil, "en"},
	} {
		if got := c.Match(x.prefs...); got != x.want {
			t.Errorf("Match(%q) = %s, want %s", x.prefs, got, x.want)
		}
	}
}

func TestTextsHavePluralFormsAndGroupedNumbers(t *testing.T) {
	c := load(t)
	for _, x := range []struct {
		lang, key string
		n         int
		want      string
	}{
		{"en", "orders.count", 1, "1 open order"},
		{"en", "orders.count", 1234, "1,234 open orders"},
		{"zh", "orders.count", 1, "1 张未结工单"},
		{"en", "no.such.key", 1, "no.such.key"},
	} {
		args := []any{x.n}
		if x.key == "no.such.key" {
			args = nil
		}
		if got := c.Printer(x.lang).Text(x.key, args...); got != x.want {
			t.Errorf("%s in %s = %q, want %q", x.key, x.lang, got, x.want)
		}
	}
}
