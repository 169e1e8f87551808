package devices

import "time"

// Quality says how far a reading may be trusted.
type Quality uint8

// The qualities of a reading, best first.
const (
	Good      Quality = iota // measured, plausible, of now
	Uncertain                // retained, guessed time, stale source: shown, never decides
	Bad                      // sentinel, out of range, sensor fault: no value
)

// String returns the word that is used in files, in the API and on the board.
func (q Quality) String() string {
	switch q {
	case Good:
		return "good"
	case Uncertain:
		return "uncertain"
	default:
		return "bad"
	}
}

// Flags mark what is special about a reading.
type Flags uint8

const (
	// Historical readings are stored at their own time; they never become the
	// live value of a point and never start an episode.
	Historical Flags = 1 << iota
	// ReceiveTime marks a reading whose payload gave no plausible time of its
	// own: Time is when the daemon received it.
	ReceiveTime
	// RetainedMessage marks a value that the broker kept. It is a state of
	// unknown age, never a sign of life.
	RetainedMessage
)

// A Reading is one value of a point at a time, with a quality.
//
// Which field holds the value follows from the point's kind: Value for gauges,
// counters and truth values (1 or 0); Text for text and events; both for a
// state with an enumeration (Value is the code, Text the label, and the label
// string is shared, not allocated per reading).
type Reading struct {
	Point *Point
	Time  int64   // Unix nanoseconds: the payload's own time, else the receive time
	Value float64 // in Point.Unit; NaN when the reading is bad
	// Delta is, for counters, the growth since the reading before in time, with
	// roll-over and reset already accounted for; NaN when it is not known (the
	// first reading, a late one). 0 for every other kind.
	Delta   float64
	Text    string
	Quality Quality
	Flags   Flags
}

// At returns the reading's time.
func (r *Reading) At() time.Time { return time.Unix(0, r.Time).UTC() }

// Historical reports whether the reading is evidence only.
func (r *Reading) Historical() bool { return r.Flags&Historical != 0 }
