package rules

import "time"

// learntOver is from which length on a window is an asset's own past rather than
// a delay.
const learntOver = 7 * 24 * time.Hour

// learnsBy tells by the name of a call whether it keeps what is usual for an asset.
func learnsBy(name string) bool { return name == "usual" || name == "night" }

// Learns reports whether the rule compares an asset with its own past: a detector,
// what is usual for an hour, a window of a week or more. Only of such a rule can a
// person say that what it sees is the new normal.
func (r *Rule) Learns() bool { return r.learns || r.watches() }
