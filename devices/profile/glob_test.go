package profile

import "testing"

func TestGlobStarsStandForAnyText(t *testing.T) {
	for _, c := range []struct {
		pattern, word string
		want          bool
	}{
		{"bdSeq", "bdSeq", true}, {"bdSeq", "bdSeq2", false}, {"Node Control/*", "Node Control/Rebirth", true},
		{"Node Control/*", "Node", false}, {"*", "", true}, {"*.raw", "a.raw", true}, {"*.raw", "raw", false},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"a*a", "aa", true},
	} {
		if got := newGlob(c.pattern).match(c.word); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.word, got)
		}
	}
}
