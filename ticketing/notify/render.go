package notify

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A markup is how a channel writes text, and how much of it.
type markup struct {
	escape func(string) string
	bold   func(string) string          // of escaped text
	link   func(text, to string) string // of escaped text; nil: the address is written out
	// limit of the whole text, counted by size.
	limit int
	size  func(string) int
	// noTitle leaves the title out: the channel shows it elsewhere.
	noTitle bool
	// newline between lines.
	newline string
}

func as(s string) string { return s }

func bytesOf(s string) int { return len(s) }

// maxLine and maxTitle are how long a line may be: a person's note may be a page.
const maxLine, maxTitle = 500, 120

// cut shortens a text to a number of characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimRight(string(r[:n-1]), " ,;:.，。；：") + "…"
}

// oneLine keeps what a device or a person wrote from making lines of its own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// render writes a message within the limit: what does not fit is left out from
// the end, safety lines and the link last, and the message says how much is
// missing.
func (k markup) render(m *Message) string {
	var head, tail []string
	if !k.noTitle {
		head = append(head, k.bold(k.escape(cut(oneLine(m.Title), maxTitle))))
	}
	if m.Link != "" {
		if k.link != nil {
			tail = append(tail, k.link(k.escape(m.LinkText), m.Link))
		} else {
			tail = append(tail, k.escape(m.LinkText)+colon(m.Lang)+m.Link)
		}
	}
	more := func(n int) []string {
		if n == 0 || m.More == "" {
			return nil
		}
		return []string{k.escape(fmt.Sprintf(m.More, n))}
	}
	sum := func(lines []string) (n int) {
		for _, l := range lines {
			n += k.size(l) + k.size(k.newline)
		}
		return n
	}
	lines := make([]string, len(m.Body))
	for i, l := range m.Body {
		lines[i] = k.line(l, m.Lang)
	}
	room := k.limit - sum(head) - sum(tail)
	left := sum(lines) - room
	if left > 0 {
		left += sum(more(len(lines)))
	}
	dropped := make([]bool, len(lines))
	n := 0
	for _, safety := range []bool{false, true} {
		for i := len(lines) - 1; i >= 0 && left > 0; i-- {
			if m.Body[i].Safety == safety {
				dropped[i] = true
				left -= sum(lines[i : i+1])
				n++
			}
		}
	}
	all := head
	for i, l := range lines {
		if !dropped[i] {
			all = append(all, l)
		}
	}
	return strings.Join(append(append(all, more(n)...), tail...), k.newline)
}

// String is the message as plain text, all of it.
func (m *Message) String() string { return mailText.render(m) }

func (k markup) line(l Line, lang string) string {
	text := k.escape(cut(oneLine(l.Text), maxLine))
	if l.Label == "" {
		return text
	}
	return k.bold(k.escape(l.Label)) + colon(lang) + text
}

// colon stands between a label and its text.
func colon(lang string) string {
	if lang == "zh" {
		return "："
	}
	return ": "
}
