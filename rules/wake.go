package rules

import (
	"cmp"
	"slices"
	"strings"
)

// A wake is a place in the queue of instances that wait for a time. It counts
// only while its instance still waits for that very time.
type wake struct {
	at   int64  // journal time, a whole second
	key  uint64 // orders the wakes of one second, whoever came first
	inst *instance
}

func (w wake) compare(o wake) int {
	if c := cmp.Or(cmp.Compare(w.at, o.at), cmp.Compare(w.key, o.key)); c != 0 || w.inst == o.inst {
		return c
	}
	return w.inst.compare(o.inst)
}

// compare orders instances in a way that does not depend on who came first.
func (i *instance) compare(o *instance) int {
	if i.asset != o.asset {
		return strings.Compare(i.asset.id, o.asset.id)
	}
	return cmp.Compare(i.place, o.place)
}

// wakeQueue holds wakes by second. Nearly all of them are within the next
// minutes: these lie in a ring of lists, one a second; the others in a heap.
type wakeQueue struct {
	ring  [ringSeconds][]wake
	count int // in the ring
	far   []wake
	taken []wake
}

const ringSeconds = 1024

// push adds a wake; grid is the last second that was taken.
func (q *wakeQueue) push(w wake, grid int64) {
	if w.at > grid && w.at <= grid+ringSeconds*second {
		slot := &q.ring[w.at/second%ringSeconds]
		*slot = append(*slot, w)
		q.count++
		return
	}
	q.far = append(q.far, w)
	for i := len(q.far) - 1; i > 0; {
		up := (i - 1) / 2
		if q.far[i].compare(q.far[up]) >= 0 {
			break
		}
		q.far[i], q.far[up] = q.far[up], q.far[i]
		i = up
	}
}

// next is the first second after grid, up to the given one, that has wakes.
func (q *wakeQueue) next(grid, upTo int64) (at int64, ok bool) {
	if q.count > 0 {
		for at = grid + second; at <= min(upTo, grid+ringSeconds*second); at += second {
			if len(q.ring[at/second%ringSeconds]) > 0 {
				ok = true
				break
			}
		}
	}
	if len(q.far) > 0 && q.far[0].at <= upTo && (!ok || q.far[0].at < at) {
		return q.far[0].at, true
	}
	return at, ok
}

// take removes the wakes of a second and returns them in order. The slice is
// valid until the next call.
func (q *wakeQueue) take(at int64) []wake {
	slot := &q.ring[at/second%ringSeconds]
	q.taken = append(q.taken[:0], *slot...)
	q.count -= len(*slot)
	clear(*slot)
	*slot = (*slot)[:0]
	for len(q.far) > 0 && q.far[0].at <= at {
		q.taken = append(q.taken, q.pop())
	}
	slices.SortFunc(q.taken, wake.compare)
	return q.taken
}

func (q *wakeQueue) pop() wake {
	h := q.far
	top, n := h[0], len(h)-1
	h[0], h[n] = h[n], wake{}
	h = h[:n]
	for i := 0; ; {
		l := 2*i + 1
		if l >= n {
			break
		}
		if r := l + 1; r < n && h[r].compare(h[l]) < 0 {
			l = r
		}
		if h[l].compare(h[i]) >= 0 {
			break
		}
		h[i], h[l] = h[l], h[i]
		i = l
	}
	q.far = h
	return top
}
