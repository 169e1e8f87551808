package rules

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
)

// writer appends values; cursor takes them back and remembers the first that
// did not fit.
type writer struct{ b []byte }

func (w *writer) byte(v byte)     { w.b = append(w.b, v) }
func (w *writer) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) float(v float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v)) }
func (w *writer) ints(vs ...int64) {
	for _, v := range vs {
		w.int(v)
	}
}

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) string(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

type cursor struct {
	b   []byte
	bad bool
}

func (r *cursor) fail() { r.bad, r.b = true, nil }

func (r *cursor) done() error {
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%w: it is damaged", ErrCheckpoint)
	}
	return nil
}

func (r *cursor) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *cursor) bool() bool { return r.byte() != 0 }

func (r *cursor) truth() Truth {
	v := Truth(r.byte())
	if v > True {
		r.fail()
		return Unknown
	}
	return v
}

func (r *cursor) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *cursor) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// time reads a time or a duration that the engine can reckon with.
func (r *cursor) time() int64 {
	v := r.int()
	if v < 0 || v > latest {
		r.fail()
		return 0
	}
	return v
}

// deadline reads a time that may never come.
func (r *cursor) deadline() int64 {
	v := r.int()
	if v < 0 || v > latest && v != never {
		r.fail()
		return 0
	}
	return v
}

func (r *cursor) float() float64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return v
}

func (r *cursor) string() string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// count reads the length of a list whose items take at least size bytes each,
// so that a damaged length cannot ask for more than there is.
func (r *cursor) count(size uint64) int {
	n := r.uint()
	if n > uint64(len(r.b))/cmp.Or(size, 1) {
		r.fail()
		return 0
	}
	return int(n)
}
