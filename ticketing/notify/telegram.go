package notify

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// telegramKind speaks the Bot API. Its token stands in the path of every address.
var telegramKind = &kind{
	needs: []string{"token"}, may: []string{"url", "ca"}, url: "https://api.telegram.org",
	address: checkChat, addressing: "the number of a chat, or @name of a public channel",
	http: &service{build: buildTelegram, read: readTelegram},
}

func checkChat(address string) error {
	if err := required(address); err != nil {
		return err
	}
	if _, err := strconv.ParseInt(address, 10, 64); err != nil && !strings.HasPrefix(address, "@") {
		return fmt.Errorf("%q is not a chat", address)
	}
	return nil
}

// telegramText is HTML with the few tags that Telegram knows; 4,096 characters as
// UTF-16 counts them, tags included to be safe.
var telegramText = markup{
	escape: html.EscapeString,
	bold:   func(s string) string { return "<b>" + s + "</b>" },
	link:   func(text, to string) string { return `<a href="` + html.EscapeString(to) + `">` + text + "</a>" },
	limit:  4096, size: func(s string) int { return len(utf16.Encode([]rune(s))) }, newline: "\n",
}

func buildTelegram(c *Config, _ time.Time, to string, m *Message) (*call, error) {
	body := map[string]any{
		"chat_id": to, "text": telegramText.render(m), "parse_mode": "HTML", "link_preview_options": map[string]bool{"is_disabled": true},
	}
	method := "sendMessage"
	if m.Replaces == "" {
		body["disable_notification"] = !m.rings()
		return post(telegramMethod(c, method), body)
	}
	id, err := strconv.ParseInt(m.Replaces, 10, 64)
	if err != nil {
		return nil, errors.New("the message to update has no number of Telegram's")
	}
	if m.rings() {
		body["reply_parameters"] = map[string]any{"message_id": id, "allow_sending_without_reply": true}
	} else {
		method, body["message_id"] = "editMessageText", id
	}
	return post(telegramMethod(c, method), body)
}

func telegramMethod(c *Config, method string) string {
	return strings.TrimSuffix(c.URL, "/") + "/bot" + c.Token + "/" + method
}

// readTelegram: the reason and how long to wait are in the body, whatever the
// status.
func readTelegram(a *answer, m *Message) (string, error) {
	var r struct {
		OK          bool   `json:"ok"`
		Description string `json:"description"`
		Result      struct {
			MessageID int64 `json:"message_id"`
		} `json:"result"`
		Parameters struct {
			RetryAfter int `json:"retry_after"`
		} `json:"parameters"`
	}
	a.parse(&r)
	said := func(what string) bool { return strings.Contains(r.Description, what) }
	switch {
	case r.OK:
		return strconv.FormatInt(r.Result.MessageID, 10), nil
	case m.Replaces != "" && said("message is not modified"):
		return m.Replaces, nil // an earlier try arrived
	case m.Replaces != "" && (said("message to edit not found") || said("message can't be edited")):
		return "", errGone
	case a.status == http.StatusTooManyRequests:
		return "", a.refused(true, rest(r.Parameters.RetryAfter), r.Description)
	case a.status/100 == 2:
		return "", a.refused(true, 0, "the answer is not Telegram's")
	case a.status/100 == 4 && r.Description != "":
		return "", a.refused(false, 0, r.Description)
	default:
		return "", nil
	}
}
