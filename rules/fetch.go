package rules

import "unsafe"

// lineBytes is the size of a cache line.
const lineBytes = 64

// fetch asks for the first bytes of a thing, at once. An address that means nothing
// any more does no harm.
func fetch[T any](p *T, bytes uintptr) {
	fetchLines(uintptr(unsafe.Pointer(p)), linesOf(uintptr(unsafe.Pointer(p)), bytes))
}

// fetchAll asks for all of a slice, at once.
func fetchAll[T any](s []T) {
	if len(s) > 0 {
		fetch(&s[0], unsafe.Sizeof(s[0])*uintptr(len(s)))
	}
}

func linesOf(at, bytes uintptr) int {
	return int((at%lineBytes + bytes + lineBytes - 1) / lineBytes)
}

// fetches is what is to be asked for by and by. A processor has few requests under
// way at a time and waits when there are more, so they are spread over the work that
// goes on meanwhile. It is a ring of pieces; when more are added than it holds the
// oldest are not asked for.
type fetches struct {
	at          [256]uintptr
	lines       [256]uint8
	first, last uint8
}

// pieceLines is how many lines are asked for in one go.
const pieceLines = 4

// add notes the first bytes of a thing.
func add[T any](q *fetches, p *T, bytes uintptr) {
	at := uintptr(unsafe.Pointer(p))
	for n := linesOf(at, bytes); n > 0; n -= pieceLines {
		q.at[q.last], q.lines[q.last] = at, uint8(min(n, pieceLines))
		q.last++
		at += pieceLines * lineBytes
	}
}

// addAll notes all of a slice.
func addAll[T any](q *fetches, s []T) {
	if len(s) > 0 {
		add(q, &s[0], unsafe.Sizeof(s[0])*uintptr(len(s)))
	}
}

// some asks for the next piece.
func (q *fetches) some() {
	if q.first != q.last {
		fetchLines(q.at[q.first], int(q.lines[q.first]))
		q.first++
	}
}

// all asks for what is left.
func (q *fetches) all() {
	for q.first != q.last {
		q.some()
	}
}
