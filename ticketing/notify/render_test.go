package notify

import (
	"io"
	"log"
	"strings"
	"testing"
	"unicode/utf8"
)

var discard = log.New(io.Discard, "", 0)

// long is a digest of many orders with a safety line at its end.
func long(lang string) *Message {
	m := sample("k")
	m.Lang, m.More = lang, "… and %d more"
	m.Body = nil
	for range 400 {
		m.Body = append(m.Body, Line{Text: "P2 电梯 Lift 7 (Tower B): Lift door system · demo-1234, since 11:02 <&*_[]`#>"})
	}
	m.Body = append(m.Body, Line{Label: "Safety", Text: "stay out of the pit", Safety: true})
	return m
}

func TestWhatDoesNotFitIsLeftOutFromTheEndAndCounted(t *testing.T) {
	robot := robotText
	robot.limit, robot.newline = 4016, "\n"
	for name, k := range map[string]markup{"slack": slackText, "telegram": telegramText, "plain": plainText, "robot": robot} {
		m := long("zh")
		got := k.render(m)
		if n := k.size(got); n > k.limit || n < k.limit*8/10 {
			t.Errorf("%s: %d of %d", name, n, k.limit)
		}
		for _, want := range []string{"stay out of the pit", "more", m.Link[:20]} {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if !utf8.ValidString(got) {
			t.Errorf("%s cut a character in two", name)
		}
	}
}

func TestEveryServiceTakesALongMessage(t *testing.T) {
	each(t, func(t *testing.T, typ string, s *fakeService, c *Channels) {
		if _, err := c.Send(t.Context(), "c", addressOf[typ], long("zh")); err != nil {
			t.Error(err)
		}
	})
}

// What a device or a person wrote makes no markup, no mention and no line of its
// own.
func TestWhatOthersWroteIsOnlyText(t *testing.T) {
	m := &Message{Lang: "en", Title: "y", Body: []Line{{Text: "<!channel> *b* [a](http://evil) @all <b>x</b>\n# head\n`c` _d_ ~e~ & \"q\""}}}
	for name, k := range map[string]struct {
		markup
		never []string
	}{
		"slack":    {slackText, []string{"<!", "*b*", "`c`", "\n#"}},
		"telegram": {telegramText, []string{"<b>x", "\n#"}},
		"robot":    {robotText, []string{"<!", "*b*", "](http", "@all", "\n#", "`c`"}},
	} {
		k.limit = 5000
		if k.newline == "" {
			k.newline = "\n"
		}
		got := k.render(m)
		for _, bad := range k.never {
			if strings.Contains(got, bad) {
				t.Errorf("%s: %q is in %q", name, bad, got)
			}
		}
	}
}
