package mqtt

import (
	"slices"
	"strings"
)

// Disjoint returns filters that match everything that the given ones match, so
// that no topic is matched by two of them. A broker may deliver a message once
// per matching subscription (MQTT 3.1.1, 3.3.5; EMQX, HiveMQ and NATS do), each
// copy with a packet id of its own: an event would count twice. Where two
// filters overlap the narrowest filter that covers both takes their place.
func Disjoint(filters []string) []string {
	out := slices.Compact(slices.Sorted(slices.Values(filters)))
	for {
		i, j, found := overlap(out)
		if !found {
			return out
		}
		both := cover(out[i], out[j])
		out = slices.Delete(out, j, j+1) // j > i
		out[i] = both
		slices.Sort(out)
		out = slices.Compact(out)
	}
}

func overlap(filters []string) (i, j int, found bool) {
	for i := range filters {
		for j := i + 1; j < len(filters); j++ {
			if overlapping(strings.Split(filters[i], "/"), strings.Split(filters[j], "/")) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// overlapping reports whether some topic matches both. A wildcard at the root
// matches no topic that begins with $ (MQTT 3.1.1, 4.7.2).
func overlapping(a, b []string) bool {
	if strings.HasPrefix(a[0], "$") != strings.HasPrefix(b[0], "$") {
		return false
	}
	for n := 0; ; n++ {
		switch {
		case n < len(a) && a[n] == "#", n < len(b) && b[n] == "#":
			return true
		case n == len(a) && n == len(b):
			return true
		case n == len(a):
			return b[n] == "#"
		case n == len(b):
			return a[n] == "#"
		case a[n] != b[n] && a[n] != "+" && b[n] != "+":
			return false
		}
	}
}

// cover returns the narrowest filter that matches what either matches.
func cover(x, y string) string {
	a, b := strings.Split(x, "/"), strings.Split(y, "/")
	var out []string
	for n := 0; ; n++ {
		switch {
		case n == len(a) && n == len(b):
			return strings.Join(out, "/")
		case n == len(a) || n == len(b) || a[n] == "#" || b[n] == "#":
			return strings.Join(append(out, "#"), "/")
		case a[n] == b[n]:
			out = append(out, a[n])
		default:
			out = append(out, "+")
		}
	}
}
