package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The servers here speak the services' own protocols: they check what their
// documentation asks of a request and answer as it says, refusals included.

// now is when the tests send: close to a full hour, so that nothing hides in it.
var now = time.Date(2026, 2, 17, 3, 4, 5, 678e6, time.UTC)

// A service under test keeps what it took. Next answers come before its own.
type fakeService struct {
	*httptest.Server
	mu    sync.Mutex
	took  []map[string]any
	next  []func(http.ResponseWriter)
	calls int
}

// answerNext puts an answer before the service's own.
func (s *fakeService) answerNext(status int, header, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, func(w http.ResponseWriter) {
		if k, v, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// newService serves with the handler, which gets the decoded body.
func newService(t *testing.T, handle func(s *fakeService, w http.ResponseWriter, r *http.Request, raw []byte, body map[string]any)) *fakeService {
	t.Helper()
	s := &fakeService{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls++
		if len(s.next) > 0 {
			answer := s.next[0]
			s.next = s.next[1:]
			answer(w)
			return
		}
		raw, err := io.ReadAll(r.Body)
		var body map[string]any
		if err != nil || json.Unmarshal(raw, &body) != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		handle(s, w, r, raw, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func str(v any) string { s, _ := v.(string); return s }

const slackToken, telegramToken, pushToken = "xoxb-17-secret", "17:secret-of-telegram", "tk_secret"

func newSlack(t *testing.T) *fakeService {
	sent := map[string]map[string]any{}
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, _ []byte, body map[string]any) {
		ok := map[string]any{"ok": true, "channel": body["channel"]}
		switch {
		case r.Header.Get("Authorization") != "Bearer "+slackToken:
			reply(w, 200, map[string]any{"ok": false, "error": "invalid_auth"})
		case str(body["channel"]) != "C024BE91L":
			reply(w, 200, map[string]any{"ok": false, "error": "channel_not_found"})
		case str(body["text"]) == "":
			reply(w, 200, map[string]any{"ok": false, "error": "no_text"})
		case r.URL.Path == "/api/chat.postMessage":
			ts := fmt.Sprintf("1771297445.%06d", len(sent)+1)
			ok["ts"], sent[ts] = ts, body
			s.took = append(s.took, body)
			reply(w, 200, ok)
		case r.URL.Path == "/api/chat.update" && sent[str(body["ts"])] != nil:
			ok["ts"], sent[str(body["ts"])] = body["ts"], body
			s.took = append(s.took, body)
			reply(w, 200, ok)
		case r.URL.Path == "/api/chat.update":
			reply(w, 200, map[string]any{"ok": false, "error": "message_not_found"})
		default:
			reply(w, 404, nil)
		}
	})
}

// tags are those of Telegram's HTML that may stand in a message.
var tags = regexp.MustCompile(`</?(?:b|a|i|u|s|code|pre)(?: href="[^"<>]*")?>`)

func newTelegram(t *testing.T) *fakeService {
	texts := map[int64]string{}
	bad := func(w http.ResponseWriter, status int, text string) {
		reply(w, status, map[string]any{"ok": false, "error_code": status, "description": text})
	}
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, _ []byte, body map[string]any) {
		method, ok := strings.CutPrefix(r.URL.Path, "/bot"+telegramToken+"/")
		text := str(body["text"])
		id, _ := body["message_id"].(float64)
		switch {
		case !ok:
			bad(w, 401, "Unauthorized")
		case fmt.Sprint(body["chat_id"]) != "4711":
			bad(w, 400, "Bad Request: chat not found")
		case str(body["parse_mode"]) != "HTML" || strings.ContainsAny(tags.ReplaceAllString(text, ""), "<>"):
			bad(w, 400, "Bad Request: can't parse entities")
		case utf8.RuneCountInString(html.UnescapeString(tags.ReplaceAllString(text, ""))) > 4096:
			bad(w, 400, "Bad Request: message is too long")
		case method == "sendMessage":
			n := int64(len(texts) + 1)
			texts[n] = text
			s.took = append(s.took, body)
			reply(w, 200, map[string]any{"ok": true, "result": map[string]any{"message_id": n}})
		case method == "editMessageText" && texts[int64(id)] == "":
			bad(w, 400, "Bad Request: message to edit not found")
		case method == "editMessageText" && texts[int64(id)] == text:
			bad(w, 400, "Bad Request: message is not modified: specified new message content is the same")
		case method == "editMessageText":
			texts[int64(id)] = text
			s.took = append(s.took, body)
			reply(w, 200, map[string]any{"ok": true, "result": map[string]any{"message_id": id}})
		default:
			bad(w, 404, "Not Found")
		}
	})
}

func newNtfy(t *testing.T) *fakeService {
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, _ []byte, body map[string]any) {
		priority, _ := body["priority"].(float64)
		switch {
		case r.Header.Get("Authorization") != "Bearer "+pushToken:
			reply(w, 403, map[string]any{"code": 40301, "http": 403, "error": "forbidden"})
		case r.URL.Path != "/" || !topic.MatchString(str(body["topic"])) || priority < 1 || priority > 5 || len(str(body["message"])) > 4096:
			reply(w, 400, map[string]any{"code": 40024, "http": 400, "error": "invalid request: request body must be message JSON"})
		default:
			s.took = append(s.took, body)
			reply(w, 200, map[string]any{"id": fmt.Sprintf("id%d", len(s.took)), "event": "message", "topic": body["topic"]})
		}
	})
}

func newGotify(t *testing.T) *fakeService {
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, _ []byte, body map[string]any) {
		switch {
		case r.Header.Get("X-Gotify-Key") != pushToken:
			reply(w, 401, map[string]any{"error": "Unauthorized", "errorCode": 401, "errorDescription": "you need to provide a valid access token or user credentials to access this api"})
		case r.URL.Path != "/message" || str(body["message"]) == "":
			reply(w, 400, map[string]any{"error": "Bad Request", "errorCode": 400, "errorDescription": "Field 'message' is required"})
		default:
			s.took = append(s.took, body)
			reply(w, 200, map[string]any{"id": len(s.took), "appid": 5, "message": body["message"]})
		}
	})
}

const robotSecret = "SECf0e1d2c3"

// newDingtalk wants the signature of its documentation, and one that is no older
// than an hour.
func newDingtalk(t *testing.T) *fakeService {
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, _ []byte, body map[string]any) {
		stamp, sign := r.URL.Query().Get("timestamp"), r.URL.Query().Get("sign")
		ms, _ := strconv.ParseInt(stamp, 10, 64)
		h := hmac.New(sha256.New, []byte(robotSecret))
		h.Write([]byte(stamp + "\n" + robotSecret))
		markdown, _ := body["markdown"].(map[string]any)
		at, _ := body["at"].(map[string]any)
		mobiles, _ := at["atMobiles"].([]any)
		code, text := 0, "ok"
		switch {
		case r.URL.Path != "/robot/send" || r.URL.Query().Get("access_token") != "at-secret":
			code, text = 300001, "token is not exist"
		case sign != base64.StdEncoding.EncodeToString(h.Sum(nil)) || now.Sub(time.UnixMilli(ms)).Abs() > time.Hour:
			code, text = 310000, "sign not match"
		case str(body["msgtype"]) != "markdown" || str(markdown["title"]) == "" || str(markdown["text"]) == "":
			code, text = 40035, "缺少参数 json"
		case len(mobiles) == 1 && !strings.Contains(str(markdown["text"]), "@"+str(mobiles[0])):
			code, text = 400013, "the mention is not in the text"
		default:
			s.took = append(s.took, body)
		}
		reply(w, 200, map[string]any{"errcode": code, "errmsg": text})
	})
}

func newWecom(t *testing.T) *fakeService {
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, _ []byte, body map[string]any) {
		markdown, _ := body["markdown"].(map[string]any)
		code, text := 0, "ok"
		switch {
		case r.URL.Path != "/cgi-bin/webhook/send" || r.URL.Query().Get("key") != "key-secret":
			code, text = 93000, "invalid webhook url"
		case str(body["msgtype"]) != "markdown" || str(markdown["content"]) == "":
			code, text = 40008, "invalid message type"
		case len(str(markdown["content"])) > 4096:
			code, text = 40058, "markdown.content exceed max length 4096"
		default:
			s.took = append(s.took, body)
		}
		reply(w, 200, map[string]any{"errcode": code, "errmsg": text})
	})
}

func newFeishu(t *testing.T) *fakeService {
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, raw []byte, body map[string]any) {
		sec, _ := strconv.ParseInt(str(body["timestamp"]), 10, 64)
		h := hmac.New(sha256.New, []byte(str(body["timestamp"])+"\n"+robotSecret))
		content, _ := body["content"].(map[string]any)
		switch {
		case r.URL.Path != "/open-apis/bot/v2/hook/hook-secret":
			reply(w, 400, map[string]any{"code": 19001, "msg": "param invalid: incoming webhook access token invalid"})
		case str(body["sign"]) != base64.StdEncoding.EncodeToString(h.Sum(nil)) || now.Sub(time.Unix(sec, 0)).Abs() > time.Hour:
			reply(w, 200, map[string]any{"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"})
		case str(body["msg_type"]) != "post" || content["post"] == nil || len(raw) > 20<<10:
			reply(w, 400, map[string]any{"code": 9499, "msg": "Bad Request"})
		default:
			s.took = append(s.took, body)
			reply(w, 200, map[string]any{"code": 0, "msg": "success", "data": map[string]any{}})
		}
	})
}

func newTeams(t *testing.T) *fakeService {
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, raw []byte, body map[string]any) {
		list, _ := body["attachments"].([]any)
		if r.URL.Query().Get("sig") != "sig-secret" {
			reply(w, 401, map[string]any{"error": map[string]any{"code": "DirectApiAuthorizationRequired", "message": "The request must be authenticated"}})
			return
		}
		if str(body["type"]) != "message" || len(list) != 1 || len(raw) > 28<<10 ||
			str(list[0].(map[string]any)["contentType"]) != "application/vnd.microsoft.card.adaptive" {
			reply(w, 400, map[string]any{"error": map[string]any{"code": "TriggerInputSchemaMismatch"}})
			return
		}
		s.took = append(s.took, body)
		w.WriteHeader(202)
	})
}

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// newWebhook is a receiver that checks the signature with the library that the
// specification offers, and keeps one message for each id.
func newWebhook(t *testing.T) *fakeService {
	check, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	return newService(t, func(s *fakeService, w http.ResponseWriter, r *http.Request, raw []byte, body map[string]any) {
		id := r.Header.Get("webhook-id")
		if check.VerifyIgnoringTimestamp(raw, r.Header) != nil || r.Header.Get("webhook-timestamp") != strconv.FormatInt(now.Unix(), 10) ||
			r.Header.Get("Idempotency-Key") != id {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !seen[id] {
			seen[id] = true
			s.took = append(s.took, body)
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// channelOf is the configuration by which each type reaches its server.
func channelOf(typ, at string) Config {
	c := Config{Name: "c", Type: typ, URL: at}
	switch typ {
	case "slack":
		c.URL, c.Token = at+"/api", slackToken
	case "telegram":
		c.Token = telegramToken
	case "ntfy", "gotify":
		c.Token = pushToken
	case "dingtalk":
		c.URL, c.Secret = at+"/robot/send?access_token=at-secret", robotSecret
	case "wecom":
		c.URL = at + "/cgi-bin/webhook/send?key=key-secret"
	case "feishu":
		c.URL, c.Secret = at+"/open-apis/bot/v2/hook/hook-secret", robotSecret
	case "teams":
		c.URL = at + "/workflows/1?" + url.Values{"sig": {"sig-secret"}}.Encode()
	case "webhook":
		c.Secret = webhookSecret
	}
	return c
}

var serversOf = map[string]func(*testing.T) *fakeService{
	"slack": newSlack, "telegram": newTelegram, "ntfy": newNtfy, "gotify": newGotify, "dingtalk": newDingtalk,
	"wecom": newWecom, "feishu": newFeishu, "teams": newTeams, "webhook": newWebhook,
}

// addressOf is the address of a contact by type.
var addressOf = map[string]string{
	"slack": "C024BE91L", "telegram": "4711", "ntfy": "duty-li", "dingtalk": "13800000001", "wecom": "lina", "feishu": "ou_1", "webhook": "li.na",
}
