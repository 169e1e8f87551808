package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// mailKind hands mail to an SMTP server. smtp:// insists on STARTTLS, except on
// this machine; smtps:// speaks TLS from the start; smtp-plain:// is for a relay
// in the own network that has neither.
var mailKind = &kind{
	needs: []string{"url", "from"}, may: []string{"user", "password", "ca"},
	address: checkMail, addressing: "an address such as li.na@example.com",
}

var mailSchemes = []string{"smtp", "smtps", "smtp-plain"}

func checkMail(address string) error {
	if _, err := netmail.ParseAddress(address); err != nil {
		return fmt.Errorf("%q is not a mail address", address)
	}
	return nil
}

type mailSender struct {
	cfg     *Config
	roots   *x509.CertPool
	timeout time.Duration
	now     func() time.Time
}

// mailText is plain text: it can be read everywhere and needs no escaping.
var mailText = markup{escape: as, bold: as, limit: 100000, size: bytesOf, newline: "\n"}

// write makes the mail. Its Message-ID follows from the message's key, so that a
// mail sent twice can be told by servers that look for it; everything about one
// order refers to the same root, so that it is one thread.
func (s *mailSender) write(to string, m *Message) (*mail.Msg, string, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(s.cfg.From); err != nil {
		return nil, "", errors.New("from is not a mail address")
	}
	if err := msg.To(to); err != nil {
		return nil, "", errors.New("the address is not a mail address")
	}
	from, err := netmail.ParseAddress(s.cfg.From)
	if err != nil {
		return nil, "", errors.New("from is not a mail address")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	sum := sha256.Sum256([]byte(m.Key + "\n" + to))
	id := hex.EncodeToString(sum[:16]) + "@" + domain
	msg.SetMessageIDWithValue(id)
	subject := m.Title
	if m.Replaces != "" {
		if m.Subject != "" && !m.rings() {
			subject = "Re: " + m.Subject
		}
		msg.SetGenHeader(mail.HeaderInReplyTo, "<"+m.Replaces+">")
	}
	if m.Thread != "" {
		refs := "<order." + m.Thread + "@" + domain + ">"
		if m.Replaces != "" {
			refs += " <" + m.Replaces + ">"
		}
		msg.SetGenHeader(mail.HeaderReferences, refs)
	}
	msg.Subject(cut(oneLine(subject), maxTitle))
	msg.SetDateWithValue(s.now())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday replies
	if m.Tier == 1 {
		msg.SetImportance(mail.ImportanceHigh)
	}
	msg.SetBodyString(mail.TypeTextPlain, mailText.render(m)+"\n")
	return msg, id, nil
}

func (s *mailSender) send(ctx context.Context, to string, m *Message) (string, error) {
	msg, id, err := s.write(to, m)
	if err != nil {
		return "", &Error{Reason: err.Error()}
	}
	c, err := s.client()
	if err != nil {
		return "", &Error{Reason: scrub(s.cfg, err.Error())}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err = c.DialAndSendWithContext(ctx, msg)
	// What the server took is sent, also when the goodbye went wrong.
	if err == nil || msg.IsDelivered() {
		return id, nil
	}
	return "", s.judge(err)
}

func (s *mailSender) client() (*mail.Client, error) {
	u, err := url.Parse(s.cfg.URL)
	if err != nil {
		return nil, errors.New("url is not an address")
	}
	opts := []mail.Option{mail.WithTimeout(s.timeout), mail.WithTLSConfig(tlsConfig(s.roots, u.Hostname())), mail.WithoutNoop()}
	port := 587
	switch u.Scheme {
	case "smtps":
		port = 465
		opts = append(opts, mail.WithSSL())
	case "smtp-plain":
		port = 25
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		policy := mail.TLSMandatory
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			policy = mail.TLSOpportunistic
		}
		opts = append(opts, mail.WithTLSPolicy(policy))
	}
	if p, err := strconv.Atoi(u.Port()); err == nil {
		port = p
	}
	opts = append(opts, mail.WithPort(port))
	if s.cfg.User != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.cfg.User), mail.WithPassword(s.cfg.Password))
	}
	return mail.NewClient(u.Hostname(), opts...)
}

// judge says what an error of the sending means: a reply of 5xx is for good, and
// so is a certificate that does not hold; everything else may pass.
func (s *mailSender) judge(err error) error {
	e := &Error{Temporary: true, Reason: scrub(s.cfg, cut(oneLine(err.Error()), 300))}
	var reply *textproto.Error
	var said *mail.SendError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &said) && said.ErrorCode() != 0:
		e.Status, e.Temporary = said.ErrorCode(), said.IsTemp()
	case errors.As(err, &reply):
		e.Status, e.Temporary = reply.Code, reply.Code < 500
	case errors.As(err, &certificate):
		e.Temporary = false
	}
	return e
}

func (s *mailSender) preview(to string, m *Message) (string, error) {
	msg, id, err := s.write(to, m)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, h := range []mail.Header{mail.HeaderSubject, mail.HeaderInReplyTo, mail.HeaderReferences} {
		for _, v := range msg.GetGenHeader(h) {
			if plain, err := new(mime.WordDecoder).DecodeHeader(v); err == nil {
				v = plain // as people see it
			}
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	return fmt.Sprintf("From: %s\nTo: %s\nMessage-ID: <%s>\n%s\n%s\n", s.cfg.From, to, id, b.String(), mailText.render(m)), nil
}
