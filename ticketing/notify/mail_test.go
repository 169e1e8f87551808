package notify

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/facilityd/facilityd/ticketing"
)

const mailPassword = "pw-secret"

// A mailServer is an SMTP server that wants a password and keeps what it took.
type mailServer struct {
	addr, ca string
	mu       sync.Mutex
	refuse   error // what RCPT answers
	mails    []*netmail.Message
	to       []string
	secure   []bool // came over TLS
}

func newMail(t *testing.T, implicit bool) *mailServer {
	t.Helper()
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.StartTLS()
	web.Close()
	s := &mailServer{ca: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{s: s, c: c}, nil }))
	srv.Domain, srv.ErrorLog = "mail.example.com", discard
	srv.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	if implicit {
		ln = tls.NewListener(ln, srv.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return s
}

type mailSession struct {
	s    *mailServer
	c    *smtp.Conn
	user bool
	rcpt string
}

func (m *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (m *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if m.user = user == "facilityd" && password == mailPassword; m.user {
			return nil
		}
		return smtp.ErrAuthFailed
	}), nil
}

func (m *mailSession) Mail(string, *smtp.MailOptions) error {
	if !m.user {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (m *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.rcpt = to
	return m.s.refuse
}

func (m *mailSession) Data(r io.Reader) error {
	msg, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(msg.Body)
	if err != nil {
		return err
	}
	msg.Body = strings.NewReader(string(body))
	_, secure := m.c.TLSConnectionState()
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.mails, m.s.to, m.s.secure = append(m.s.mails, msg), append(m.s.to, m.rcpt), append(m.s.secure, secure)
	return nil
}

func (m *mailSession) Reset()        {}
func (m *mailSession) Logout() error { return nil }

func (s *mailServer) channel(t *testing.T, scheme string, change func(*Config)) *Channels {
	t.Helper()
	c := Config{Name: "c", Type: "email", URL: scheme + "://" + s.addr, User: "facilityd", Password: mailPassword, From: "facilityd <facilityd@example.com>", CA: s.ca}
	if change != nil {
		change(&c)
	}
	if faults := c.Check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	ch, err := Open([]Config{c}, Options{Allowed: map[string][]string{"c": {"li.na@example.com"}}, Now: func() time.Time { return now }, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestMailsAboutOneOrderAreOneThread(t *testing.T) {
	for scheme, implicit := range map[string]bool{"smtp": false, "smtps": true} {
		s := newMail(t, implicit)
		c := s.channel(t, scheme, nil)
		m := sample("k1")
		m.Title, m.Subject = "P1 3号电梯：电梯困人", "P1 3号电梯：电梯困人"
		ref, err := c.Send(t.Context(), "c", "li.na@example.com", m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Send(t.Context(), "c", "li.na@example.com", m)
		if err != nil || again != ref {
			t.Fatalf("the same message has ids %q and %q, %v", ref, again, err)
		}
		update := *m
		update.Key, update.Kind, update.Replaces, update.Title = "k2", Update, ref, "已接单 · P1 3号电梯：电梯困人"
		if _, err := c.Send(t.Context(), "c", "li.na@example.com", &update); err != nil {
			t.Fatal(err)
		}
		first, last := s.mails[0], s.mails[2]
		subject := func(m *netmail.Message) string {
			d, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if err != nil {
				t.Error(err)
			}
			return d
		}
		if subject(first) != m.Title || subject(last) != "Re: "+m.Title {
			t.Errorf("subjects %q and %q", subject(first), subject(last))
		}
		if id := first.Header.Get("Message-ID"); id != "<"+ref+">" || last.Header.Get("In-Reply-To") != id || !strings.HasSuffix(last.Header.Get("References"), id) {
			t.Errorf("message id %s, in reply to %s, references %s", id, last.Header.Get("In-Reply-To"), last.Header.Get("References"))
		}
		root, _, _ := strings.Cut(last.Header.Get("References"), " ")
		if first.Header.Get("References") != root || last.Header.Get("Message-ID") == first.Header.Get("Message-ID") {
			t.Errorf("thread of the first: %s, of the last: %s", first.Header.Get("References"), root)
		}
		if first.Header.Get("Auto-Submitted") != "auto-generated" || first.Header.Get("Importance") != "high" {
			t.Errorf("headers %v", first.Header)
		}
		for i, to := range s.to {
			if to != "li.na@example.com" || !s.secure[i] {
				t.Errorf("mail %d went to %s, over TLS: %v", i, to, s.secure[i])
			}
		}
	}
}

func TestMailServersRefuseInTheirOwnWords(t *testing.T) {
	s := newMail(t, false)
	send := func(change func(*Config)) error {
		_, err := s.channel(t, "smtp", change).Send(t.Context(), "c", "li.na@example.com", sample("k"))
		return err
	}
	s.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	check(t, send(nil), wants{reason: "no such mailbox"})
	s.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted, try again later"}
	check(t, send(nil), wants{temporary: true, reason: "greylisted"})
	s.refuse = nil
	check(t, send(func(c *Config) { c.Password = "other-secret" }), wants{reason: "535"})
	check(t, send(func(c *Config) { c.CA = "" }), wants{reason: "certificate"})
	if len(s.mails) != 0 {
		t.Errorf("%d mails were taken", len(s.mails))
	}
	var e *Error
	if err := send(func(c *Config) { c.URL = "smtp://127.0.0.1:1" }); !errors.As(err, &e) || !e.Temporary {
		t.Errorf("a server that is not there: %v", err)
	}
	if err := send(nil); err != nil {
		t.Error(err)
	}
}

// A title from elsewhere makes no header of its own.
func TestAMailTitleHoldsNoHeader(t *testing.T) {
	s := newMail(t, false)
	m := sample("k")
	m.Title, m.Tier = "x\r\nBcc: everybody@example.com", ticketing.P3
	if _, err := s.channel(t, "smtp", nil).Send(t.Context(), "c", "li.na@example.com", m); err != nil {
		t.Fatal(err)
	}
	if h := s.mails[0].Header; h.Get("Bcc") != "" || h.Get("Importance") != "" {
		t.Errorf("headers %v", h)
	}
}
