// Package undetermined does what deterministic packages must not, for the test of
// the test: every line that must be found ends in "want".
package undetermined

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

type table map[string]int

func clock() (time.Time, time.Duration) {
	now := time.Now()        // want
	since := time.Since(now) // want
	// the clock is only a guard: against what hangs
	limit := time.After(time.Hour)
	<-limit
	fixed := time.Unix(0, 0)        // a time that was passed in
	return fixed, since + time.Hour // a duration is no clock
}

func walk(t table) (keys []string, sum int) {
	for k := range t { // want
		keys = append(keys, k)
	}
	for _, v := range t { // order does not matter: a sum is the same in any
		sum += v
	}
	// order does not matter: each is forgotten
	for k := range t {
		delete(t, k)
	}
	for k := range maps.Keys(t) { // want
		keys = append(keys, k)
	}
	other := make(table)
	for k, v := range t {
		other[k] = v + 1
	}
	var some, rest []string
	for k, v := range other {
		if v > 1 {
			some = append(some, k)
		}
	}
	for k := range other { // want
		rest = append(rest, k)
	}
	slices.Sort(some)
	keys = append(keys, slices.Concat(some, rest)...)
	keys = append(keys, slices.Sorted(maps.Keys(t))...)
	keys = append(keys, slices.Collect(maps.Keys(t))...) // want
	return keys, sum
}

func draw(seed uint64) int {
	r := rand.New(rand.NewPCG(seed, 0))
	return r.IntN(6) + rand.IntN(6) // want
}
