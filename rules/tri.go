package rules

// Truth is the value of a condition. Missing, bad or stale input makes a
// condition Unknown, and Unknown never starts and never clears anything.
//
// The order False < Unknown < True makes conjunction the minimum and
// disjunction the maximum (Kleene's strong logic).
type Truth uint8

// The values of a condition.
const (
	False Truth = iota
	Unknown
	True
)

// String returns the word that explanations and scenarios use.
func (t Truth) String() string {
	return [...]string{"false", "unknown", "true"}[t]
}

func (t Truth) not() Truth { return True - t }

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}
