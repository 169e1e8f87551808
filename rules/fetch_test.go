package rules

import (
	"testing"
	"unsafe"
)

// TestPiecesCoverWhatWasAdded: every line of what was added is asked for once.
func TestPiecesCoverWhatWasAdded(t *testing.T) {
	memory := make([]byte, 64*lineBytes)
	start := -int(uintptr(unsafe.Pointer(&memory[0]))) & (lineBytes - 1) // of the first whole line
	var q fetches
	for _, c := range []struct{ from, bytes, lines int }{
		{0, 1, 1}, {0, 64, 1}, {0, 65, 2}, {63, 1, 1}, {63, 2, 2}, {10, 250, 5}, {0, 30 * 64, 30}, {1, 30 * 64, 31},
	} {
		first := &memory[start+c.from]
		addAll(&q, memory[start+c.from:start+c.from+c.bytes])
		seen := make(map[uintptr]bool)
		for ; q.first != q.last; q.first++ {
			for k := range uintptr(q.lines[q.first]) {
				line := q.at[q.first]/lineBytes + k
				if seen[line] {
					t.Errorf("%d bytes from %d: line %d twice", c.bytes, c.from, line)
				}
				seen[line] = true
			}
		}
		begin, end := uintptr(unsafe.Pointer(first)), uintptr(unsafe.Pointer(first))+uintptr(c.bytes)
		for line := begin / lineBytes; line*lineBytes < end; line++ {
			if !seen[line] {
				t.Errorf("%d bytes from %d: a line was left out", c.bytes, c.from)
			}
		}
		if len(seen) != c.lines {
			t.Errorf("%d bytes from %d: %d lines, want %d", c.bytes, c.from, len(seen), c.lines)
		}
	}
	// More than the ring holds, and memory that is gone, do no harm.
	for range 1000 {
		addAll(&q, memory)
	}
	q.all()
	fetchLines(0, 3)
}
