package ticketing

import (
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// A Template says what to do about a fault class.
type Template struct {
	FaultClass string
	// Source is where it comes from, with the mark of the domain notes: (v) read,
	// (c) read in third-party code, (k) general knowledge, (j) own judgement.
	Source    string
	Skill     string          // a word of Skills
	Safety    []devices.Label // before anything is touched
	First     []devices.Label // what to check first
	Checklist []Check
	Parts     []devices.Label
	Signature bool // somebody signs that it is safe again
	Verify    Verification
}

// A Check is one item of a checklist.
type Check struct {
	Text devices.Label
	Unit string // a value is read off in this unit; "" is done or not done
	// Min and Max are what the value must be, nil for no bound; Limit says in words
	// what depends on the asset.
	Min, Max *float64
	Limit    devices.Label
	Ref      string // item of the rule that asks for it, as "A-1 29"
	Photo    bool   // a picture is part of the item
	Key      bool   // the job is not finished without it
}

// Outside reports whether a value that was read off breaks the limits of the
// checklist's item of that name, in whatever language it was named.
func (t *Template) Outside(m *Measurement) bool {
	if t == nil || m == nil {
		return false
	}
	name := strings.TrimSpace(m.Name)
	for i := range t.Checklist {
		c := &t.Checklist[i]
		if (name == c.Text.EN || name == c.Text.ZH) && (m.Unit == "" || m.Unit == c.Unit) {
			return c.Min != nil && m.Value < *c.Min || c.Max != nil && m.Value > *c.Max
		}
	}
	return false
}

// Verification is how long telemetry is watched after a job is reported done.
type Verification struct {
	// For is how long the fault has to stay away while its data are known.
	For time.Duration
	// Cycles and Role: so many counts of the role must have passed as well, where
	// the asset has it. 0 means that time alone decides.
	Cycles int
	Role   string
}

// Skills are who can do a job. Teams and persons name what they can do in the
// same words.
var Skills = []string{
	"lift_mechanic", "gate_technician", "pump_mechanic", "electrician", "gas_fitter",
	"fire_technician", "hvac_technician", "network_technician", "building_technician",
}

// Photos reports whether the checklist asks for pictures.
func (t *Template) Photos() bool {
	for _, c := range t.Checklist {
		if c.Photo {
			return true
		}
	}
	return false
}
