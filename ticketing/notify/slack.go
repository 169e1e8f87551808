package notify

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// slackKind speaks the Web API with the token of a bot: incoming webhooks can
// neither update a message nor reach a person.
var slackKind = &kind{
	needs: []string{"token"}, may: []string{"url", "ca"}, url: "https://slack.com/api",
	address: required, addressing: "the id of a channel or person, such as C024BE91L or U061F7AUR",
	http: &service{build: buildSlack, read: readSlack},
}

// slackText is Slack's mrkdwn: three characters are escaped as it documents. A
// text beyond 4,000 characters may be cut by Slack.
var slackText = markup{
	escape: strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "∗", "_", "_\u200b", "`", "'", "~", "∼").Replace,
	bold:   func(s string) string { return "*" + s + "*" },
	link:   func(text, to string) string { return "<" + to + "|" + strings.ReplaceAll(text, "|", "/") + ">" },
	limit:  3800, size: utf8.RuneCountInString, newline: "\n",
}

func buildSlack(c *Config, _ time.Time, to string, m *Message) (*call, error) {
	body := map[string]any{"channel": to, "text": slackText.render(m), "mrkdwn": true, "unfurl_links": false}
	method := "/chat.postMessage"
	if channel, ts, ok := strings.Cut(m.Replaces, " "); ok && !m.rings() {
		method, body = "/chat.update", map[string]any{"channel": channel, "ts": ts, "text": slackText.render(m)}
	}
	call, err := post(strings.TrimSuffix(c.URL, "/")+method, body)
	if err != nil {
		return nil, err
	}
	call.header["Authorization"] = "Bearer " + c.Token
	return call, nil
}

// readSlack: Slack answers 200 with ok false.
func readSlack(a *answer, m *Message) (string, error) {
	if a.status != http.StatusOK {
		return "", nil
	}
	var r struct {
		OK      bool   `json:"ok"`
		Error   string `json:"error"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	a.parse(&r)
	switch {
	case r.OK:
		return r.Channel + " " + r.TS, nil
	case m.Replaces != "" && (r.Error == "message_not_found" || r.Error == "cant_update_message" || r.Error == "edit_window_closed"):
		return "", errGone
	case r.Error == "ratelimited" || r.Error == "rate_limited":
		return "", a.refused(true, time.Minute, r.Error)
	case r.Error == "internal_error" || r.Error == "fatal_error" || r.Error == "service_unavailable" || r.Error == "request_timeout":
		return "", a.refused(true, 0, r.Error)
	case r.Error == "":
		return "", a.refused(true, 0, "the answer is not Slack's")
	default:
		return "", a.refused(false, 0, r.Error)
	}
}
