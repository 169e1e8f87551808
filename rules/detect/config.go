package detect

import "time"

// Config of the detectors. The zero value is the shipped default: one configuration for
// every kind of signal, since nobody tunes a detector per point.
type Config struct {
	// Location gives the days and weeks whose rhythm is learnt. Nil means UTC. It does not
	// travel with the state: give the same one on restoring.
	Location *time.Location

	// Counter tells a [Signal] that values only count up: it then watches the increase per
	// second. A step back is a reset of the counter and says nothing.
	Counter bool

	// Train is the number of first rows from which a [Joint] or [Change] learns what is
	// normal. 0 means 400.
	Train int

	// Tuning replaces numbers of the default, for experiments. Nil means the default.
	Tuning *Tuning
}

// Tuning holds the numbers behind a [Signal] that were chosen on labelled data. Rows are
// the signal's own sampling intervals, history is the number of rows seen so far.
type Tuning struct {
	Weights   [Streams]float64 // of the surprises in their sum, in the order of the package documentation
	Threshold float64          // sum of weighted surprises, in powers of ten of improbability, that raises an alarm
	Rise      float64          // by how much an alarm raises the threshold for the next
	Sink      float64          // time constant of that rise, in spans
	Rest      float64          // rows of silence after an alarm, in spans
	Span      float64          // one span as a share of history...
	SpanMin   float64          // ...but at least so many rows...
	SpanMax   float64          // ...and at most so many
}

// DefaultTuning is what ships.
func DefaultTuning() Tuning {
	return Tuning{
		Weights:   [Streams]float64{1, 1, 1, 1, 1, 2, 1},
		Threshold: 11,
		Rise:      1.3,
		Sink:      16,
		Rest:      0.2,
		Span:      0.2,
		SpanMin:   170,
		SpanMax:   1000,
	}
}

// defaultTrain is the length of the normal run that the published protocol of the pump bench gives.
const defaultTrain = 400

// shipped is the default, held once for all detectors; nothing changes it.
var shipped = DefaultTuning()

func (c Config) tuning() *Tuning {
	if c.Tuning != nil {
		own := *c.Tuning
		return &own
	}
	return &shipped
}

func (c Config) train() int {
	if c.Train > 0 {
		return c.Train
	}
	return defaultTrain
}

// local returns seconds since 1970 as a clock on the wall shows them.
func local(loc *time.Location, ns int64) int64 {
	sec := ns / 1e9
	if ns%1e9 < 0 {
		sec--
	}
	if loc == nil || loc == time.UTC {
		return sec
	}
	_, offset := time.Unix(sec, 0).In(loc).Zone()
	return sec + int64(offset)
}
