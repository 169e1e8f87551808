package ticketing

import (
	"fmt"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Tier is how urgent a work order is: 1 is the most urgent.
type Tier uint8

// The tiers. [DefaultPolicy] says what time each allows.
const (
	P1 Tier = iota + 1
	P2
	P3
	P4
)

// String returns P1 to P4.
func (t Tier) String() string {
	if t < P1 || t > P4 {
		return "P?"
	}
	return "P" + string('0'+rune(t))
}

// ParseTier reads P1 to P4.
func ParseTier(s string) (Tier, error) {
	for t := P1; t <= P4; t++ {
		if t.String() == s {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%q is not a tier: use P1, P2, P3 or P4", s)
}

// MarshalText writes P1 to P4.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads P1 to P4.
func (t *Tier) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTier(string(b))
	return err
}

// TierOf says how urgent an episode of a severity is on an asset of a
// criticality:
//
//	            minor  normal  vital
//	critical      P1     P1     P1
//	high          P2     P2     P1
//	medium        P3     P3     P2
//	low           P4     P4     P3
//
// A vital asset is one tier up. A minor asset is not lowered: a rule's severity
// already says what harm follows, and criticality only ever adds to it.
func TierOf(sev rules.Severity, crit devices.Criticality) Tier {
	t := P4
	switch sev {
	case rules.Critical:
		t = P1
	case rules.High:
		t = P2
	case rules.Medium:
		t = P3
	}
	if crit == devices.VitalAsset {
		t = t.up()
	}
	return t
}

// up is one tier more urgent, at most P1.
func (t Tier) up() Tier { return max(t-1, P1) }

// PersonInside reports whether the evidence says that somebody may be inside
// the asset while the fault holds: a car with a passenger, or a pressed alarm
// button. Such an order is P1 whatever its severity (DOMAIN.md, E02 and E05).
func PersonInside(ev *rules.Evidence) bool {
	if ev == nil {
		return false
	}
	for _, in := range ev.Inputs {
		if (in.Role == "passenger_present" || in.Role == "alarm_button") && in.Value == 1 && in.Quality != devices.Bad.String() {
			return true
		}
	}
	return false
}
