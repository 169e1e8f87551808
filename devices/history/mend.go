package history

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// A Mender writes again what was decoded wrongly, over what stands there: the
// same series, the same times. It is given what a record was decoded to and what
// it should have been decoded to, and writes the difference.
//
// InfluxDB cannot forget one field of one time. A reading that should not be there
// stays, and so does the number of one that turned out bad, which is marked bad;
// both are counted.
type Mender struct {
	writer *Writer // nil: nothing is written
	before map[*devices.Point]int64
	after  map[*devices.Point]int64
	old    map[mendKey]*devices.Reading

	plain    []devices.Reading
	restated []devices.Reading // were not good: that they are must be written
	changes  map[pointKey]*PointChange
	done     Mended
}

type mendKey struct {
	device, point string
	time          int64
}

type pointKey struct{ class, point string }

// Mended is what a Mender did, or would have done.
type Mended struct {
	Readings  uint64 `json:"readings"`  // decoded anew
	Unchanged uint64 `json:"unchanged"` // as they were
	Changed   uint64 `json:"changed"`   // have another value, text or quality
	New       uint64 `json:"new"`       // were not there
	Gone      uint64 `json:"gone"`      // should not be there; they stay
	// NowBad of the changed ones have no value any more: the old number stays beside
	// the word bad.
	NowBad   uint64        `json:"now_bad"`
	Written  uint64        `json:"written"`
	Rejected uint64        `json:"rejected"` // by InfluxDB: older than its retention, or of another type
	Points   []PointChange `json:"points"`
}

// PointChange is what becomes of one point of one class of devices.
type PointChange struct {
	Class   string `json:"class"`
	Point   string `json:"point"`
	Changed uint64 `json:"changed"`
	New     uint64 `json:"new"`
	Gone    uint64 `json:"gone"`
	// Of the first reading that differs.
	Device string    `json:"device"`
	Time   time.Time `json:"time"`
	Before string    `json:"before,omitempty"` // as people write it, with its unit
	After  string    `json:"after,omitempty"`
}

// NewMender mends through a writer; without one it only tells what it would do.
func NewMender(w *Writer) *Mender {
	return &Mender{
		writer: w, before: make(map[*devices.Point]int64), after: make(map[*devices.Point]int64),
		old: make(map[mendKey]*devices.Reading), changes: make(map[pointKey]*PointChange),
	}
}

// mendBatch is how many readings are written at a time.
const mendBatch = 5000

// Take mends one record. Equal events of one record are kept apart as the pump
// keeps them apart, so both slices are changed.
func (m *Mender) Take(ctx context.Context, before, after []devices.Reading) error {
	separateEvents(m.before, before)
	separateEvents(m.after, after)
	clear(m.old)
	for i := range before {
		m.old[keyOf(&before[i])] = &before[i]
	}
	for i := range after {
		r := &after[i]
		m.done.Readings++
		key := keyOf(r)
		was := m.old[key]
		delete(m.old, key)
		switch {
		case was == nil:
			m.done.New++
			m.change(r, nil, r).New++
			m.plain = append(m.plain, *r)
		case same(was, r):
			m.done.Unchanged++
		default:
			m.done.Changed++
			m.change(r, was, r).Changed++
			if r.Quality == devices.Bad {
				m.done.NowBad++
			}
			if was.Quality != devices.Good && r.Quality == devices.Good {
				m.restated = append(m.restated, *r)
			} else {
				m.plain = append(m.plain, *r)
			}
		}
	}
	for i := range before { // in their order, not the map's
		r := &before[i]
		if m.old[keyOf(r)] == r {
			m.done.Gone++
			m.change(r, r, nil).Gone++
		}
	}
	if len(m.plain)+len(m.restated) >= mendBatch {
		return m.flush(ctx)
	}
	return nil
}

// Finish writes what is left.
func (m *Mender) Finish(ctx context.Context) (Mended, error) {
	err := m.flush(ctx)
	for _, c := range m.changes {
		m.done.Points = append(m.done.Points, *c)
	}
	slices.SortFunc(m.done.Points, func(a, b PointChange) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Point, b.Point))
	})
	return m.done, err
}

func (m *Mender) flush(ctx context.Context) error {
	for _, part := range []struct {
		readings *[]devices.Reading
		restate  bool
	}{{&m.plain, false}, {&m.restated, true}} {
		if m.writer != nil && len(*part.readings) > 0 {
			m.writer.lines.restate = part.restate
			var done tally
			err := m.writer.write(ctx, *part.readings, &done)
			m.writer.lines.restate = false
			if err != nil {
				return fmt.Errorf("mend history: %w", err)
			}
			m.writer.settle(&done)
			m.done.Written += uint64(done.stored)
			for _, n := range done.rejected {
				m.done.Rejected += uint64(n)
			}
		}
		*part.readings = (*part.readings)[:0]
	}
	return nil
}

func keyOf(r *devices.Reading) mendKey { return mendKey{r.Point.Device.ID, r.Point.Name, r.Time} }

func same(a, b *devices.Reading) bool {
	x, isNumber := numberOf(a)
	y, alsoNumber := numberOf(b)
	return isNumber == alsoNumber && (x == y || !isNumber) && a.Text == b.Text && a.Quality == b.Quality
}

func (m *Mender) change(r, before, after *devices.Reading) *PointChange {
	key := pointKey{r.Point.Device.Class, r.Point.Name}
	c := m.changes[key]
	if c == nil {
		c = &PointChange{Class: key.class, Point: key.point, Device: r.Point.Device.ID, Time: r.At(), Before: written(before), After: written(after)}
		m.changes[key] = c
	}
	return c
}

// written is a reading as people write it.
func written(r *devices.Reading) string {
	switch {
	case r == nil:
		return ""
	case r.Quality == devices.Bad:
		return r.Quality.String()
	case r.Text != "":
		return r.Text
	case math.IsNaN(r.Value):
		return devices.Bad.String()
	}
	s := strconv.FormatFloat(r.Value, 'g', 6, 64)
	if r.Point.Unit != "" {
		s += " " + r.Point.Unit
	}
	return s
}
