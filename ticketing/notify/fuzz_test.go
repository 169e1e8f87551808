package notify

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever a service answers is a ref or an error that can be shown: no panic, no
// secret, and never a wait beyond an hour.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "", `{"ok":true,"channel":"C1","ts":"1.2"}`, "C1 1.2")
	f.Add(429, "30", `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":2147483647}}`, "")
	f.Add(200, "", `{"errcode":130101,"errmsg":"send too fast"}`, "")
	f.Add(400, "", `{"code":19001,"msg":"param invalid"}`, "")
	f.Add(503, "Tue, 17 Feb 2026 03:05:05 GMT", "<html>", "7")
	f.Add(200, "-5", `{"id":"hook-secret"}`, "")
	f.Fuzz(func(t *testing.T, status int, after, body, replaces string) {
		for typ, server := range kinds {
			if server.http == nil {
				continue
			}
			c := channelOf(typ, "https://chat.example.com")
			s := &httpSender{cfg: &c, service: server.http, now: func() time.Time { return now }}
			m := sample("k")
			m.Replaces = replaces
			header := http.Header{"Retry-After": {after}}
			_, err := s.verdict(&answer{status, header, []byte(body)}, m)
			var e *Error
			if !errors.As(err, &e) {
				continue
			}
			if e.RetryAfter < 0 || e.RetryAfter > time.Hour {
				t.Errorf("%s waits %s", typ, e.RetryAfter)
			}
			for _, secret := range []string{c.Token, c.Secret} {
				if secret != "" && strings.Contains(e.Error(), secret) {
					t.Errorf("%s: %v", typ, e)
				}
			}
		}
	})
}
