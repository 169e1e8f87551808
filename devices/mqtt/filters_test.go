package mqtt

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisjointFiltersMatchTheSameOnce(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a/b c/d", "a/b c/d"},
		{"a/b a/b", "a/b"},
		{"a/# a/b/c", "a/#"},
		{"a/# a", "a/#"},
		{"a/+/c a/b/+", "a/+/+"},
		{"+/status/# shellies/#", "+/#"},
		{"tele/+/SENSOR tele/+/LWT", "tele/+/LWT tele/+/SENSOR"},
		{"$aws/# +/x", "$aws/# +/x"},
		{"a/+ a/+/+", "a/+ a/+/+"},
		{"a/+/c a/b/+ a/x/c/#", "a/+/+/#"},
	} {
		if d := cmp.Diff(strings.Fields(c.want), Disjoint(strings.Fields(c.in))); d != "" {
			t.Errorf("%s: %s", c.in, d)
		}
	}
}

// A thousand random sets of filters and topics: every topic that a filter
// matched is matched by exactly one of the disjoint ones.
func TestDisjointOnRandomFilters(t *testing.T) {
	const seed = 7
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	level := func(words ...string) string { return words[r.IntN(len(words))] }
	path := func(last bool, words ...string) string {
		var p []string
		for range 1 + r.IntN(3) {
			p = append(p, level(words...))
		}
		if last && r.IntN(3) == 0 {
			p = append(p, "#")
		}
		return strings.Join(p, "/")
	}
	for range 1000 {
		var filters []string
		for range 1 + r.IntN(5) {
			filters = append(filters, path(true, "a", "b", "+"))
		}
		out := Disjoint(filters)
		for range 20 {
			topic := path(false, "a", "b", "c")
			want, got := 0, 0
			for _, f := range filters {
				if overlapping(strings.Split(f, "/"), strings.Split(topic, "/")) {
					want = 1
				}
			}
			for _, f := range out {
				if overlapping(strings.Split(f, "/"), strings.Split(topic, "/")) {
					got++
				}
			}
			if got < want || got > 1 {
				t.Fatalf("%v became %v: %s is matched %d times", filters, out, topic, got)
			}
		}
	}
}
