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
	join := func(parts ...[]string) string {
		var all []string
		for _, p := range parts {
			all = append(all, p...)
		}
		return strings.Join(all, k.newline)
	}
	keep := make([]bool, len(m.Body))
	for i := range keep {
		keep[i] = true
	}
	body := func() []string {
		var out []string
		left := 0
		for i, l := range m.Body {
			if !keep[i] {
				left++
				continue
			}
			out = append(out, k.line(l, m.Lang))
		}
		if left > 0 && m.More != "" {
			out = append(out, k.escape(fmt.Sprintf(m.More, left)))
		}
		return out
	}
	text := join(head, body(), tail)
	for _, safety := range []bool{false, true} {
		for i := len(keep) - 1; i >= 0 && k.size(text) > k.limit; i-- {
			if m.Body[i].Safety == safety {
				keep[i] = false
				text = join(head, body(), tail)
			}
		}
	}
	return text
}

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
