package detect

// discipline decides when a sum of surprises is worth saying: the threshold rises with each
// alarm and sinks again, and after each alarm there is a rest. A signal that keeps being odd
// thus has to become odder to be mentioned again. Spans are shares of the history seen so
// far: who has seen little does not know yet how often this signal is odd.
type discipline struct {
	raised float64
	rest   uint32
}

// add returns what is left of sum above the rise, 0 while resting, and whether it alarms.
func (d *discipline) add(sum float64, rows float64, t *Tuning) (left float64, alarm bool) {
	span := min(max(t.Span*rows, t.SpanMin), t.SpanMax)
	d.raised -= d.raised / (t.Sink * span)
	if d.rest > 0 {
		d.rest--
		return 0, false
	}
	left = max(0, sum-d.raised)
	if left < t.Threshold {
		return left, false
	}
	d.raised += t.Rise
	d.rest = uint32(max(t.Rest*span, 1)) - 1
	return left, true
}

// quietRows is how many rows in a row must be unremarkable before an episode is over.
const quietRows = 10

// episode is a stretch of time that an alarm stands for: from the first remarkable row
// before it to the last one after it. Unlike an alarm it knows no rest.
type episode struct {
	active bool
	quiet  uint8
	since  int64 // ns, first row of the current remarkable stretch; 0 = none
}

// add takes a row's sum, the sum from which a row is remarkable, and whether the row is enough
// to begin an episode.
func (e *episode) add(ns int64, sum, remarkable float64, begins bool) {
	if sum >= remarkable {
		if e.since == 0 {
			e.since = ns
		}
		e.quiet = 0
	} else if e.since != 0 || e.active {
		if e.quiet++; e.quiet >= quietRows {
			*e = episode{}
		}
	}
	if begins {
		e.active, e.quiet = true, 0
		if e.since == 0 {
			e.since = ns
		}
	}
}
