package rules

import (
	"math"
	"time"
)

// past is the recent history of the points of a device that somebody looks at,
// for the evidence of an episode: every pastStep seconds one row with the value of
// each, NaN where none may be used. The older rows are, the wider apart they lie
// when rules of the device look back far. Which row is written next is known in
// advance, and the others stay where they are.
type past struct {
	times  [pastLength]uint32 // of the rows, Unix seconds
	order  [pastLength]uint8  // the rows, oldest first
	length uint8
	next   uint8 // place in order of the row that is given up next
	cols   uint16
	due    uint32    // Unix seconds of the next row
	reach  uint32    // how old rows may be, in seconds
	values []float32 // pastLength rows of cols values
}

const pastLength = 16

// pastSpan is the shortest stretch of time that the evidence shows, pastStep the
// seconds between the newest rows.
const (
	pastSpan = 15 * time.Minute
	pastStep = uint32(pastSpan / time.Second / pastLength)
)

// pastReach is how far back, in seconds, the evidence of the rule shows its inputs.
func (r *Rule) pastReach() uint32 {
	span := int64(pastSpan)
	for _, t := range r.Thresholds {
		span = max(span, 2*int64(t.For))
	}
	return uint32(min(span/second, math.MaxUint32))
}

// newPast has room for so many points.
func newPast(cols int, reach uint32) past {
	return past{values: make([]float32, pastLength*cols), cols: uint16(cols), reach: reach}
}

// row returns the k-th row, oldest first.
func (h *past) row(k int) (t uint32, values []float32) {
	r, n := int(h.order[k]), int(h.cols)
	return h.times[r], h.values[r*n : r*n+n]
}

// add makes room for a row.
func (h *past) add(t uint32) []float32 {
	r, n := int(h.length), int(h.cols)
	if r < pastLength {
		h.length++
	} else {
		r = int(h.order[h.next])
		copy(h.order[h.next:], h.order[h.next+1:])
	}
	h.order[h.length-1], h.times[r] = uint8(r), t
	h.next = uint8(h.missedLeast(t + pastStep))
	return h.values[r*n : r*n+n]
}

// nextRow is the memory that the next row will be written to.
func (h *past) nextRow() []float32 {
	r, n := int(h.length), int(h.cols)
	if r == pastLength {
		r = int(h.order[h.next])
	}
	return h.values[r*n : r*n+n]
}

// missedLeast is the row to give up when another comes at time t: the oldest when
// it is older than anybody looks back, or else the one that lies closest between
// its neighbours for its age.
func (h *past) missedLeast(t uint32) (drop int) {
	if h.length < pastLength {
		return 0
	}
	before, at := h.times[h.order[0]], h.times[h.order[1]]
	if uint64(before)+uint64(h.reach) < uint64(t) || uint64(h.reach) <= uint64(pastSpan/time.Second) {
		return 0
	}
	gap, age := uint64(math.MaxUint32), uint64(1) // of the one found, their quotient is least
	for k := 1; k < pastLength; k++ {
		after := t
		if k+1 < pastLength {
			after = h.times[h.order[k+1]]
		}
		g, a := uint64(after-before), uint64(t-at)+uint64(pastStep)
		if g*age < gap*a {
			drop, gap, age = k, g, a
		}
		before, at = at, after
	}
	return drop
}

// remember keeps the values of a device at the time of its newest readings, if it
// is time to.
func (e *Engine) remember(d *deviceState, t int64) {
	h := &d.past
	s := uint32(t / second)
	if s < h.due || h.cols == 0 || t < d.newest {
		return
	}
	h.due = s + pastStep
	row := h.add(s)
	for _, idx := range d.points {
		p := &e.points[idx]
		switch {
		case p.past < 0:
		case p.ok && t <= p.validTo:
			row[p.past] = float32(p.value)
		default:
			row[p.past] = float32(math.NaN())
		}
	}
}

// reshape gives the past of a device the columns that its points have now; from
// are those before, -1 for a new one.
func (h *past) reshape(from []int16, reach uint32) {
	n := newPast(len(from), reach)
	n.due = h.due
	for k := range h.length {
		t, old := h.row(int(k))
		row := n.add(t)
		for c, was := range from {
			if row[c] = float32(math.NaN()); was >= 0 {
				row[c] = old[was]
			}
		}
	}
	*h = n
}

// write writes the rows, oldest first.
func (h *past) write(w *writer) {
	w.uint(uint64(h.due))
	w.uint(uint64(h.length))
	for k := range h.length {
		t, row := h.row(int(k))
		w.uint(uint64(t))
		for _, v := range row {
			w.uint(uint64(math.Float32bits(v)))
		}
	}
}

// readPast restores the rows for so many columns.
func readPast(r *cursor, cols int) past {
	h := newPast(cols, 0)
	h.due = uint32(r.uint())
	n := r.uint()
	if n > pastLength {
		r.fail()
		return h
	}
	for range n {
		row := h.add(uint32(r.uint()))
		for k := range row {
			row[k] = math.Float32frombits(uint32(r.uint()))
		}
	}
	return h
}
