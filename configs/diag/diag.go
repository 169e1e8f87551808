// Package diag is how facilityd says that something a user wrote is wrong: in
// which file, on which line and column, what was found, what would be right.
// Every checker of user files returns a List; check, start-up and reload print
// the same one. It imports the standard library only.
package diag

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Level of a diagnostic.
type Level uint8

const (
	// Error keeps a configuration from running.
	Error Level = iota
	// Warning runs, but is probably not what was meant.
	Warning
	// Task is something a person has to provide before a part is switched on
	// (a rated current, a boom length). It is never an error.
	Task
)

// String returns the word that is printed.
func (l Level) String() string {
	return [...]string{"error", "warning", "task"}[l]
}

// A Diagnostic is one finding. Line and Column count from 1; 0 is unknown.
type Diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Level   Level  `json:"-"`
	Message string `json:"message"`        // what was found, lower case, no full stop
	Hint    string `json:"hint,omitempty"` // what would be right
}

// String formats a finding as file:line:column: level: message (hint).
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.File)
		b.WriteByte(':')
	}
	if d.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", d.Line, d.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "%s: %s", d.Level, d.Message)
	if d.Hint != "" {
		fmt.Fprintf(&b, " (%s)", d.Hint)
	}
	return b.String()
}

// A List collects findings.
type List []Diagnostic

// Add appends a finding.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// HasErrors reports whether any finding is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Level == Error })
}

// Sort orders findings by file, line, column and keeps the order otherwise.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Print writes one finding a line.
func (l List) Print(w io.Writer) error {
	for _, d := range l {
		if _, err := fmt.Fprintln(w, d.String()); err != nil {
			return err
		}
	}
	return nil
}

// Err returns nil when nothing is an error, else an error whose text is the
// whole list, one finding a line.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return listError{l}
}

type listError struct{ list List }

func (e listError) Error() string {
	lines := make([]string, len(e.list))
	for i, d := range e.list {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Nearest returns the candidate that a misspelt word probably meant, or ""
// when none is near: at most a third of its letters may differ (Damerau's
// optimal string alignment distance).
func Nearest(word string, candidates []string) string {
	best, bestDist := "", 1+max(1, len([]rune(word))/3)
	for _, c := range candidates {
		if d := distance([]rune(strings.ToLower(word)), []rune(strings.ToLower(c))); d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// DidYouMean returns a hint for a misspelt word: the nearest candidate, or all
// of them when they are few, or "".
func DidYouMean(word string, candidates []string) string {
	if n := Nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(candidates) > 0 && len(candidates) <= 12 {
		return "one of: " + strings.Join(candidates, ", ")
	}
	return ""
}

func distance(a, b []rune) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
