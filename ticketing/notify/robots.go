package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Group robots of DingTalk, WeCom and Feishu: an address that is a secret, maybe a
// signature, and an answer of status 200 whose body says whether it was taken.
// They cannot change what they sent, so an update is a short follow-up. The
// address of a contact is who is mentioned in the group, so that a phone rings:
// by what needs attention, not by an update.

var dingtalkKind = &kind{
	needs: []string{"url"}, may: []string{"secret", "ca"},
	address: optional, addressing: "the mobile number by which the robot mentions the person",
	http: &service{build: buildDingtalk, read: readErrcode(dingtalkLater, dingtalkBusy)},
}

var wecomKind = &kind{
	needs: []string{"url"}, may: []string{"ca"},
	address: optional, addressing: "the member's userid by which the robot mentions the person",
	http: &service{build: buildWecom, read: readErrcode([]int{45009, 45033}, []int{-1})},
}

var feishuKind = &kind{
	needs: []string{"url"}, may: []string{"secret", "ca"},
	address: optional, addressing: "the open_id or user_id by which the robot mentions the person",
	http: &service{build: buildFeishu, read: readFeishu},
}

// Codes of DingTalk that mean: too often, and: try again.
var dingtalkLater, dingtalkBusy = []int{130101, 130102, 90030}, []int{-1, 420101}

// chinese markdown of the robots: bold with two stars. What means something to
// them is written with characters that look alike and mean nothing.
var robotText = markup{
	escape: strings.NewReplacer("*", "∗", "_", "＿", "`", "'", "#", "＃", "[", "［", "]", "］", "<", "＜", ">", "＞", "~", "∼", "@", "＠").Replace,
	bold:   func(s string) string { return "**" + s + "**" },
	link: func(text, to string) string {
		return "[" + text + "](" + strings.NewReplacer("(", "%28", ")", "%29").Replace(to) + ")"
	},
	size: bytesOf,
}

func buildDingtalk(c *Config, now time.Time, to string, m *Message) (*call, error) {
	k := robotText
	k.limit, k.newline = 5000, "\n\n" // 20,000 bytes are allowed; one newline is no new line
	text := k.render(m)
	at := map[string]any{"isAtAll": false}
	if to != "" && m.rings() {
		text += "\n\n@" + to // the number in the text is what makes the mention
		at["atMobiles"] = []string{to}
	}
	address := c.URL
	if c.Secret != "" {
		ms := strconv.FormatInt(now.UnixMilli(), 10)
		sum := mac(c.Secret, ms+"\n"+c.Secret)
		sep := "?"
		if strings.Contains(address, "?") {
			sep = "&"
		}
		address += sep + "timestamp=" + ms + "&sign=" + url.QueryEscape(sum)
	}
	return post(address, map[string]any{
		"msgtype": "markdown", "markdown": map[string]string{"title": cut(oneLine(m.Title), maxTitle), "text": text}, "at": at,
	})
}

func buildWecom(c *Config, _ time.Time, to string, m *Message) (*call, error) {
	k := robotText
	k.limit, k.newline = 4096-80, "\n"
	text := k.render(m)
	if to != "" && m.rings() {
		text += "\n<@" + to + ">"
	}
	return post(c.URL, map[string]any{"msgtype": "markdown", "markdown": map[string]string{"content": text}})
}

// readErrcode reads the answers of DingTalk and WeCom: 20 messages a minute are
// what both allow, and beyond it they say so with a code of theirs.
func readErrcode(later, busy []int) func(*answer, *Message) (string, error) {
	return func(a *answer, _ *Message) (string, error) {
		if a.status/100 != 2 {
			return "", nil
		}
		r := struct {
			Code *int   `json:"errcode"`
			Text string `json:"errmsg"`
		}{}
		a.parse(&r)
		switch {
		case r.Code == nil:
			return "", a.refused(true, 0, "the answer is not the robot's")
		case *r.Code == 0:
			return "", nil
		}
		reason := strconv.Itoa(*r.Code) + " " + cut(r.Text, 200)
		switch {
		case slices.Contains(later, *r.Code):
			return "", a.refused(true, time.Minute, reason)
		case slices.Contains(busy, *r.Code):
			return "", a.refused(true, 0, reason)
		default:
			return "", a.refused(false, 0, reason)
		}
	}
}

// buildFeishu writes a rich text post: a list of lines, each a list of pieces, in
// which nothing has to be escaped.
func buildFeishu(c *Config, now time.Time, to string, m *Message) (*call, error) {
	text := plainText
	text.limit = 9000 // a request may have 20 KB, and every line costs 40 bytes around it
	linkless := *m
	linkless.Link = ""
	type piece = map[string]string
	var lines [][]piece
	for line := range strings.SplitSeq(text.render(&linkless), "\n") {
		lines = append(lines, []piece{{"tag": "text", "text": line}})
	}
	if m.Link != "" {
		lines = append(lines, []piece{{"tag": "a", "text": m.LinkText, "href": m.Link}})
	}
	if to != "" && m.rings() {
		lines = append(lines, []piece{{"tag": "at", "user_id": to}})
	}
	lang := "en_us"
	if m.Lang == "zh" {
		lang = "zh_cn"
	}
	body := map[string]any{
		"msg_type": "post",
		"content":  map[string]any{"post": map[string]any{lang: map[string]any{"title": cut(oneLine(m.Title), maxTitle), "content": lines}}},
	}
	if c.Secret != "" {
		s := strconv.FormatInt(now.Unix(), 10)
		// Feishu takes time and secret as the key, over nothing.
		body["timestamp"], body["sign"] = s, mac(s+"\n"+c.Secret, "")
	}
	return post(c.URL, body)
}

func readFeishu(a *answer, _ *Message) (string, error) {
	r := struct {
		Code *int   `json:"code"`
		Text string `json:"msg"`
		// An older form of the answer.
		Status *int `json:"StatusCode"`
	}{}
	a.parse(&r)
	if r.Code == nil {
		r.Code = r.Status
	}
	switch {
	case a.status/100 == 5 || a.status == 429 || r.Code == nil && a.status/100 != 2:
		return "", nil
	case r.Code == nil:
		return "", a.refused(true, 0, "the answer is not Feishu's")
	case *r.Code == 0:
		return "", nil
	}
	reason := strconv.Itoa(*r.Code) + " " + cut(r.Text, 200)
	switch *r.Code {
	case 9499, 11232, 99991400: // too often
		return "", a.refused(true, time.Minute, reason)
	case 11233, 19028: // busy
		return "", a.refused(true, 0, reason)
	default:
		return "", a.refused(false, 0, reason)
	}
}

// mac is an HMAC-SHA256 in base64.
func mac(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
