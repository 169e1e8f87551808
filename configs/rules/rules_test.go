package shipped_test

import (
	"io/fs"
	"testing"

	shipped "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/rules"
)

func load(t testing.TB) *rules.Set {
	t.Helper()
	names, err := fs.Glob(shipped.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var files []rules.File
	for _, n := range names {
		data, err := shipped.FS.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rules.File{Name: n, Data: data})
	}
	set, list := rules.Load(files, rules.LoadOptions{})
	for _, d := range list {
		t.Errorf("shipped rules have no findings, but: %s", d)
	}
	if set == nil {
		t.FailNow()
	}
	return set
}

func TestShippedRulesSayWhatPeopleNeed(t *testing.T) {
	for _, r := range load(t).Rules {
		for what, l := range map[string]struct{ en, zh string }{
			"title": {r.Title.EN, r.Title.ZH}, "meaning": {r.Meaning.EN, r.Meaning.ZH},
			"check_first": {r.CheckFirst.EN, r.CheckFirst.ZH}, "if_ignored": {r.IfIgnored.EN, r.IfIgnored.ZH},
		} {
			if l.en == "" || l.zh == "" {
				t.Errorf("rule %s lacks %s in English or Chinese", r.ID, what)
			}
		}
		if r.Source.Text == "" {
			t.Errorf("rule %s has no source", r.ID)
		}
	}
}

func TestShippedRulesCanMeanWhatTheySay(t *testing.T) {
	for _, d := range load(t).Check(rules.CheckOptions{}) {
		t.Error(d)
	}
}
