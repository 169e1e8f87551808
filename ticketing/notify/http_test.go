package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// secrets may be in no error and no preview.
var secrets = []string{"secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", robotSecret}

func open(t *testing.T, timeout time.Duration, list ...Config) *Channels {
	t.Helper()
	allowed := map[string][]string{}
	for _, c := range list {
		allowed[c.Name] = []string{addressOf[c.Type]}
	}
	c, err := Open(list, Options{Allowed: allowed, Now: func() time.Time { return now }, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func sample(key string) *Message {
	return &Message{
		Key: key, Kind: New, Tier: ticketing.P1, Lang: "en", Thread: "demo-17", Title: "P1 Lift 3 (Tower B): Person trapped <& *now*", Subject: "P1 Lift 3",
		Body: []Line{{Label: "Safety", Text: "Switch off & lock <main> switch", Safety: true}, {Label: "Since", Text: "11:02"}},
		Link: "https://board.example.com/orders/abc?x=1&y=2", LinkText: "Open the order",
	}
}

// each runs a test for every type of channel over HTTP.
func each(t *testing.T, f func(t *testing.T, typ string, s *fakeService, c *Channels)) {
	for _, typ := range Types() {
		if typ == "email" {
			continue
		}
		t.Run(typ, func(t *testing.T) {
			s := serversOf[typ](t)
			f(t, typ, s, open(t, 5*time.Second, channelOf(typ, s.URL)))
		})
	}
}

func TestEveryServiceTakesTheMessageAsItDocuments(t *testing.T) {
	each(t, func(t *testing.T, typ string, s *fakeService, c *Channels) {
		if faults := new(channelOf(typ, s.URL)).Check(); len(faults) > 0 {
			t.Fatal(faults)
		}
		if err := CheckAddress(typ, addressOf[typ]); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Send(t.Context(), "c", addressOf[typ], sample("k1")); err != nil {
			t.Fatal(err)
		}
		if len(s.took) != 1 {
			t.Fatalf("took %v", s.took)
		}
		text := fmt.Sprint(s.took[0])
		for _, want := range []string{"Lift 3 (Tower B)", "11:02", "board.example.com/orders/abc"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
	})
}

// What an earlier message said is changed where the service can, and followed up
// where it cannot.
func TestAnUpdateChangesTheMessageWhereTheServiceCan(t *testing.T) {
	changes := map[string]string{"slack": "ts", "telegram": "message_id", "ntfy": "sequence_id"}
	each(t, func(t *testing.T, typ string, s *fakeService, c *Channels) {
		ref, err := c.Send(t.Context(), "c", addressOf[typ], sample("k1"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 { // tried twice: the first answer was lost
			m := sample("k2")
			m.Kind, m.Title, m.Replaces = Update, "Accepted · P1 Lift 3", ref
			again, err := c.Send(t.Context(), "c", addressOf[typ], m)
			if err != nil || again != ref && changes[typ] != "" {
				t.Fatalf("try %d: %q, %v; want %q", i, again, err, ref)
			}
		}
		last := s.took[len(s.took)-1]
		if key := changes[typ]; key != "" && last[key] == nil {
			t.Errorf("sent a new message: %v", last)
		}
		if !strings.Contains(fmt.Sprint(last), "Accepted · P1 Lift 3") {
			t.Errorf("sent %v", last)
		}
	})
}

// No phone rings for a text that changes: what needs attention is a message of its
// own, and the next change is made to that one.
func TestWhatHasToRingIsNoChangeOfAnEarlierMessage(t *testing.T) {
	for typ, changes := range map[string]string{"slack": "ts", "telegram": "message_id", "ntfy": "sequence_id"} {
		s := serversOf[typ](t)
		c := open(t, 5*time.Second, channelOf(typ, s.URL))
		refs := []string{""}
		for i, kind := range []Kind{New, Escalated, Worse, Again, Update} {
			m := sample(fmt.Sprint(i))
			m.Kind, m.Replaces, m.Title = kind, refs[len(refs)-1], string(kind)
			ref, err := c.Send(t.Context(), "c", addressOf[typ], m)
			if err != nil {
				t.Fatal(err)
			}
			if took := s.took[len(s.took)-1]; (took[changes] != nil) != (kind == Update) {
				t.Errorf("%s: %s sent %v", typ, kind, took)
			}
			if (ref == m.Replaces) != (kind == Update) {
				t.Errorf("%s: %s has the ref %q after %q", typ, kind, ref, m.Replaces)
			}
			refs = append(refs, ref)
		}
	}
}

func TestRobotsMentionSomebodyOnlyWhenAPhoneHasToRing(t *testing.T) {
	for _, typ := range []string{"dingtalk", "wecom", "feishu"} {
		s := serversOf[typ](t)
		c := open(t, 5*time.Second, channelOf(typ, s.URL))
		for kind, mentioned := range map[Kind]bool{New: true, Again: true, Update: false, Cleared: false} {
			m := sample(string(kind))
			m.Kind = kind
			if _, err := c.Send(t.Context(), "c", addressOf[typ], m); err != nil {
				t.Fatal(err)
			}
			if took := fmt.Sprint(s.took[len(s.took)-1]); strings.Contains(took, addressOf[typ]) != mentioned {
				t.Errorf("%s: %s sent %s", typ, kind, took)
			}
		}
	}
}

func TestAnUpdateOfAMessageThatIsGoneIsSentAnew(t *testing.T) {
	for typ, gone := range map[string]string{"slack": "C024BE91L 1.0", "telegram": "99"} {
		s := serversOf[typ](t)
		c := open(t, 5*time.Second, channelOf(typ, s.URL))
		m := sample("k")
		m.Kind, m.Replaces = Update, gone
		ref, err := c.Send(t.Context(), "c", addressOf[typ], m)
		if err != nil || ref == gone || len(s.took) != 1 {
			t.Errorf("%s: %q, %v, took %d", typ, ref, err, len(s.took))
		}
	}
}

// wants is what an error has to say.
type wants struct {
	temporary bool
	after     time.Duration
	reason    string
}

func check(t *testing.T, err error, w wants) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no Error", err)
	}
	if e.Temporary != w.temporary || e.RetryAfter != w.after || !strings.Contains(e.Reason, w.reason) || e.Channel != "c" {
		t.Errorf("temporary %v, after %s, channel %s, %q; want %+v", e.Temporary, e.RetryAfter, e.Channel, e.Reason, w)
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}

func TestRefusalsAreForGood(t *testing.T) {
	wrong := map[string]func(*Config){
		"slack":    func(c *Config) { c.Token = "xoxb-other-secret" },
		"telegram": func(c *Config) { c.Token = "18:other-secret" },
		"ntfy":     func(c *Config) { c.Token = "tk_other" },
		"gotify":   func(c *Config) { c.Token = "other" },
		"dingtalk": func(c *Config) { c.Secret = "SECother" },
		"wecom":    func(c *Config) { c.URL = strings.Replace(c.URL, "key-secret", "other-secret", 1) },
		"feishu":   func(c *Config) { c.Secret = "SECother" },
		"teams":    func(c *Config) { c.URL = strings.Replace(c.URL, "sig-secret", "other-secret", 1) },
		"webhook":  func(c *Config) { c.Secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
	}
	says := map[string]string{
		"slack": "invalid_auth", "telegram": "Unauthorized", "ntfy": "forbidden", "gotify": "valid access token",
		"dingtalk": "310000 sign not match", "wecom": "93000 invalid webhook url", "feishu": "19021 sign match fail",
		"teams": "must be authenticated", "webhook": "Unauthorized",
	}
	each(t, func(t *testing.T, typ string, s *fakeService, _ *Channels) {
		cfg := channelOf(typ, s.URL)
		wrong[typ](&cfg)
		_, err := open(t, 5*time.Second, cfg).Send(t.Context(), "c", addressOf[typ], sample("k"))
		check(t, err, wants{reason: says[typ]})
	})
}

func TestRateLimitsSayHowLongToWait(t *testing.T) {
	each(t, func(t *testing.T, typ string, s *fakeService, c *Channels) {
		send := func() error {
			_, err := c.Send(t.Context(), "c", addressOf[typ], sample("k"))
			return err
		}
		if typ != "telegram" { // which says it in the body
			s.answerNext(429, "Retry-After: 30", "slow down")
			check(t, send(), wants{temporary: true, after: 30 * time.Second})
			s.answerNext(503, "Retry-After: Tue, 17 Feb 2026 03:05:05 GMT", "")
			check(t, send(), wants{temporary: true, after: time.Minute - 678*time.Millisecond})
			s.answerNext(429, "Retry-After: 86400000", "") // a slip: an hour at most
			check(t, send(), wants{temporary: true, after: time.Hour})
		}
		switch typ {
		case "telegram":
			s.answerNext(429, "", `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}`)
			check(t, send(), wants{true, 35 * time.Second, "Too Many Requests"})
		case "slack":
			s.answerNext(200, "", `{"ok":false,"error":"ratelimited"}`)
			check(t, send(), wants{true, time.Minute, "ratelimited"})
		case "dingtalk":
			s.answerNext(200, "", `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`)
			check(t, send(), wants{true, time.Minute, "send too fast"})
		case "wecom":
			s.answerNext(200, "", `{"errcode":45009,"errmsg":"api freq out of limit"}`)
			check(t, send(), wants{true, time.Minute, "out of limit"})
		case "feishu":
			s.answerNext(200, "", `{"code":11232,"msg":"frequency limited"}`)
			check(t, send(), wants{true, time.Minute, "frequency limited"})
		}
		if err := send(); err != nil {
			t.Errorf("later it is not taken: %v", err)
		}
	})
}

func TestTroubleOfTheServerPasses(t *testing.T) {
	each(t, func(t *testing.T, typ string, s *fakeService, c *Channels) {
		for _, status := range []int{500, 502, 503, 504} {
			s.answerNext(status, "", "<html>oops</html>")
			_, err := c.Send(t.Context(), "c", addressOf[typ], sample("k"))
			check(t, err, wants{temporary: true})
		}
		s.answerNext(200, "", "<html>a portal wants you to sign in</html>")
		_, err := c.Send(t.Context(), "c", addressOf[typ], sample("k"))
		if typ == "teams" || typ == "webhook" { // which say nothing in their answer
			if err != nil {
				t.Error(err)
			}
		} else {
			check(t, err, wants{temporary: true, reason: "the answer is not"})
		}
	})
}

// A time-out says nothing about whether the message arrived: it is tried again
// under the same key, and who looks at the key takes it once.
func TestTimeOutsAndDeadServersAreTemporary(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server sees the client leave
		<-r.Context().Done()
	}))
	defer hangs.Close()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	for _, typ := range Types() {
		if typ == "email" {
			continue
		}
		for _, at := range []string{hangs.URL, dead.URL} {
			c := open(t, 50*time.Millisecond, channelOf(typ, at))
			_, err := c.Send(t.Context(), "c", addressOf[typ], sample("k"))
			check(t, err, wants{temporary: true})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, time.Second, channelOf("teams", hangs.URL)).Send(ctx, "c", "", sample("k")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
}

func TestTheSameMessageTwiceIsTakenOnceByItsKey(t *testing.T) {
	s := newWebhook(t)
	c := open(t, 5*time.Second, channelOf("webhook", s.URL))
	for range 3 {
		if _, err := c.Send(t.Context(), "c", "li.na", sample("k")); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.took) != 1 || s.calls != 3 {
		t.Errorf("took %d of %d", len(s.took), s.calls)
	}
}

// Nobody is contacted who is not configured: no other address, and no host that
// an answer names.
func TestOnlyWhatIsConfiguredIsContacted(t *testing.T) {
	elsewhere := newService(t, func(_ *fakeService, w http.ResponseWriter, _ *http.Request, _ []byte, _ map[string]any) {
		w.WriteHeader(200)
	})
	each(t, func(t *testing.T, typ string, s *fakeService, c *Channels) {
		_, err := c.Send(t.Context(), "c", "somebody-else", sample("k"))
		check(t, err, wants{reason: "belongs to nobody"})
		if s.calls != 0 {
			t.Error("the service was asked")
		}
		for _, status := range []int{301, 302, 307, 308} {
			s.answerNext(status, "Location: "+elsewhere.URL, "")
			_, err := c.Send(t.Context(), "c", addressOf[typ], sample("k"))
			check(t, err, wants{reason: "redirects"})
		}
	})
	if elsewhere.calls != 0 {
		t.Errorf("%d requests went where nobody configured", elsewhere.calls)
	}
	_, err := open(t, time.Second, channelOf("teams", elsewhere.URL)).Send(t.Context(), "d", "", sample("k"))
	if err == nil || !strings.Contains(err.Error(), "no such channel") {
		t.Error(err)
	}
}

func TestServersAreToldByTheirCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }))
	defer s.Close()
	s.Config.ErrorLog = discard
	_, err := open(t, 5*time.Second, Config{Name: "c", Type: "teams", URL: s.URL + "/?sig=sig-secret"}).Send(t.Context(), "c", "", sample("k"))
	check(t, err, wants{reason: "certificate"})
}

func TestPreviewShowsTheRequestWithoutSecrets(t *testing.T) {
	for _, typ := range Types() {
		c := channelOf(typ, "https://chat.example.com")
		if typ == "email" {
			c = Config{Name: "c", Type: "email", URL: "smtp://mail.example.com", User: "u", Password: "pw-secret", From: "facilityd@example.com"}
		}
		got, err := open(t, time.Second, c).Preview("c", "", sample("k"))
		if typ == "email" {
			got, err = open(t, time.Second, c).Preview("c", "li.na@example.com", sample("k"))
		}
		if err != nil || !strings.Contains(got, "Lift 3 (Tower B)") {
			t.Errorf("%s: %v\n%s", typ, err, got)
		}
		if i := slices.IndexFunc(secrets, func(s string) bool { return strings.Contains(got, s) }); i >= 0 {
			t.Errorf("%s: the preview holds %q\n%s", typ, secrets[i], got)
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, "secret") {
			t.Errorf("%s: printing the configuration shows a secret: %s", typ, s)
		}
	}
}
