package notify

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ntfyKind publishes to a topic of a ntfy server. Servers from 2.16 on update a
// message that comes again under its sequence id; older ones show a new one.
var ntfyKind = &kind{
	needs: []string{"url"}, may: []string{"token", "user", "password", "ca"},
	address: checkTopic, addressing: "a topic: letters, digits, - and _, at most 64",
	http: &service{build: buildNtfy, read: readNtfy},
}

var topic = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

func checkTopic(address string) error {
	if !topic.MatchString(address) {
		return fmt.Errorf("%q is not a topic", address)
	}
	return nil
}

// plainText is text without markup below a title that stands apart. ntfy turns a
// message above 4,096 bytes into an attachment, which nobody opens on a stair.
var plainText = markup{escape: as, bold: as, limit: 4000, size: bytesOf, noTitle: true, newline: "\n"}

// urgency is the priority of push services by tier: 5 breaks through "do not
// disturb" where the phone allows it.
func urgency(m *Message) int {
	switch {
	case !m.rings():
		return 2
	case m.Tier == 1:
		return 5
	case m.Tier == 2:
		return 4
	default:
		return 3
	}
}

func buildNtfy(c *Config, _ time.Time, to string, m *Message) (*call, error) {
	body := map[string]any{"topic": to, "title": cut(oneLine(m.Title), maxTitle), "message": plainText.render(m), "priority": urgency(m)}
	if m.Link != "" {
		body["click"] = m.Link
	}
	if m.Tier == 1 && m.rings() {
		body["tags"] = []string{"rotating_light"}
	}
	if m.Replaces != "" && !m.rings() {
		body["sequence_id"] = m.Replaces
	}
	call, err := post(c.URL, body)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		call.header["Authorization"] = "Bearer " + c.Token
	} else if c.User != "" {
		call.header["Authorization"] = basic(c.User, c.Password)
	}
	return call, nil
}

func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func readNtfy(a *answer, m *Message) (string, error) {
	var r struct {
		ID    string `json:"id"`
		Error string `json:"error"`
	}
	a.parse(&r)
	switch {
	case a.status/100 == 4 && a.status != http.StatusTooManyRequests && r.Error != "":
		return "", a.refused(false, 0, r.Error)
	case a.status == http.StatusOK && r.ID == "":
		return "", a.refused(true, 0, "the answer is not ntfy's")
	case a.status == http.StatusOK && m.Replaces != "" && !m.rings():
		return m.Replaces, nil // the sequence keeps its first id
	case a.status == http.StatusOK:
		return r.ID, nil
	default:
		return "", nil
	}
}

// gotifyKind publishes to an application of a Gotify server. Gotify cannot change
// a message, so an update is a short one that makes no sound.
var gotifyKind = &kind{
	needs: []string{"url", "token"}, may: []string{"ca"},
	http: &service{build: buildGotify, read: readGotify},
}

func buildGotify(c *Config, _ time.Time, _ string, m *Message) (*call, error) {
	// Its apps ring from 4 on and show a pop-up from 8 on.
	priority := map[int]int{2: 1, 3: 5, 4: 7, 5: 10}[urgency(m)]
	body := map[string]any{"title": cut(oneLine(m.Title), maxTitle), "message": plainText.render(m), "priority": priority}
	if m.Link != "" {
		body["extras"] = map[string]any{"client::notification": map[string]any{"click": map[string]string{"url": m.Link}}}
	}
	call, err := post(strings.TrimSuffix(c.URL, "/")+"/message", body)
	if err != nil {
		return nil, err
	}
	call.header["X-Gotify-Key"] = c.Token
	return call, nil
}

func readGotify(a *answer, _ *Message) (string, error) {
	var r struct {
		ID               int64  `json:"id"`
		ErrorDescription string `json:"errorDescription"`
	}
	a.parse(&r)
	switch {
	case a.status/100 == 4 && a.status != http.StatusTooManyRequests && r.ErrorDescription != "":
		return "", a.refused(false, 0, r.ErrorDescription)
	case a.status == http.StatusOK && r.ID == 0:
		return "", a.refused(true, 0, "the answer is not Gotify's")
	case a.status == http.StatusOK:
		return strconv.FormatInt(r.ID, 10), nil
	default:
		return "", nil
	}
}
