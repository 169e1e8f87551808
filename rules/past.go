package rules

import (
	"math"
	"time"
)

// past is the recent history of the points of a device that somebody looks at,
// for the evidence of an episode: every step one row with the time and the value
// of each, NaN where none may be used. The rows are a ring in one piece of memory,
// so that a message touches one or two cache lines of it.
type past struct {
	rows   []float32 // pastLength rows of a time (Unix seconds, as bits) and cols values
	cols   uint16
	length uint8
	next   uint8
	due    uint32 // Unix seconds of the next row
	step   uint32 // seconds between them
}

const pastLength = 16

// pastSpan is the shortest stretch of time that the evidence shows.
const pastSpan = 15 * time.Minute

// pastStep is how thin, in seconds, the past of the rule's inputs is kept.
func (r *Rule) pastStep() uint32 {
	span := int64(pastSpan)
	for _, t := range r.Thresholds {
		span = max(span, 2*int64(t.For))
	}
	return uint32(span / second / pastLength)
}

// newPast has room for so many points.
func newPast(cols int, step uint32) past {
	return past{rows: make([]float32, pastLength*(cols+1)), cols: uint16(cols), step: step}
}

// row returns the k-th row, oldest first.
func (h *past) row(k int) (t uint32, values []float32) {
	n := int(h.cols) + 1
	at := (int(h.next) + pastLength - int(h.length) + k) % pastLength * n
	return math.Float32bits(h.rows[at]), h.rows[at+1 : at+n]
}

// add makes room for a row.
func (h *past) add(t uint32) []float32 {
	n := int(h.cols) + 1
	at := int(h.next) * n
	h.rows[at] = math.Float32frombits(t)
	h.next = (h.next + 1) % pastLength
	h.length = min(h.length+1, pastLength)
	return h.rows[at+1 : at+n]
}

// remember keeps the values of a device at the time of its newest readings, if it
// is time to.
func (e *Engine) remember(d *deviceState, t int64) {
	h := &d.past
	s := uint32(t / second)
	if s < h.due || h.cols == 0 || t < d.newest {
		return
	}
	h.due = s + h.step
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
func (h *past) reshape(from []int16, step uint32) {
	n := newPast(len(from), step)
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
