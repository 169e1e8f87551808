package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A service is a chat or push service over HTTP: how a message becomes a request,
// and what its answer means.
type service struct {
	build func(c *Config, now time.Time, to string, m *Message) (*call, error)
	// read gets the answers with a status of 2xx, and the others too when it has
	// something to say of them: an error, or a ref although the status is no 2xx.
	// A nil read takes every 2xx.
	read func(a *answer, m *Message) (ref string, err error)
}

// A call is one HTTP request.
type call struct {
	method, url string
	header      map[string]string
	body        []byte
}

// post is the usual call.
func post(url string, body any) (*call, error) {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // it triples what the services count
	if err := enc.Encode(body); err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return &call{method: http.MethodPost, url: url, header: map[string]string{"Content-Type": "application/json; charset=utf-8"}, body: bytes.TrimSpace(data.Bytes())}, nil
}

// An answer is what the service said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// parse reads the body; one that is not JSON leaves the value as it was.
func (a *answer) parse(into any) { _ = json.Unmarshal(a.body, into) }

// refused makes the error of an answer that was read.
func (a *answer) refused(temporary bool, after time.Duration, reason string) *Error {
	return &Error{Temporary: temporary, RetryAfter: after, Status: a.status, Reason: reason}
}

// errGone is returned by read when the message to be updated is not there any
// more: a new one is sent in its place.
var errGone = errors.New("the message to update is gone")

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

type httpSender struct {
	cfg     *Config
	service *service
	client  *http.Client
	now     func() time.Time
}

func transport(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = tlsConfig(roots, "")
	t.MaxIdleConnsPerHost = 4
	return t
}

// client follows no redirect: it would carry a message, and its signature, to an
// address that nobody configured.
func client(t *http.Transport, timeout time.Duration) *http.Client {
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *httpSender) send(ctx context.Context, to string, m *Message) (string, error) {
	ref, err := s.once(ctx, to, m)
	if errors.Is(err, errGone) {
		again := *m
		again.Replaces = ""
		ref, err = s.once(ctx, to, &again)
	}
	return ref, err
}

func (s *httpSender) once(ctx context.Context, to string, m *Message) (string, error) {
	c, err := s.service.build(s.cfg, s.now(), to, m)
	if err != nil {
		return "", &Error{Reason: s.scrub(err.Error())}
	}
	r, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
	if err != nil {
		return "", &Error{Reason: "the address of the channel is not one"}
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	r.Header.Set("User-Agent", "facilityd")
	resp, err := s.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		// The error of net/http names the whole address, which is a secret.
		if ue := new(url.Error); errors.As(err, &ue) {
			err = ue.Err
		}
		var certificate *tls.CertificateVerificationError
		return "", &Error{Temporary: !errors.As(err, &certificate), Reason: s.scrub(err.Error())}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", &Error{Temporary: true, Status: resp.StatusCode, Reason: "the answer broke off"}
	}
	a := &answer{resp.StatusCode, resp.Header, body}
	return s.verdict(a, m)
}

// verdict is what an answer means, without secrets that it may have repeated.
func (s *httpSender) verdict(a *answer, m *Message) (string, error) {
	ref, err := s.judge(a, m)
	var e *Error
	if errors.As(err, &e) {
		e.Reason = s.scrub(e.Reason)
	}
	return ref, err
}

// judge says what an answer means.
func (s *httpSender) judge(a *answer, m *Message) (string, error) {
	if s.service.read != nil {
		ref, err := s.service.read(a, m)
		if err != nil || ref != "" || a.status/100 == 2 {
			return ref, err
		}
	}
	if a.status/100 == 2 {
		return "", nil
	}
	e := a.refused(false, 0, http.StatusText(a.status))
	switch {
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		e.Temporary, e.RetryAfter = true, retryAfter(a.header.Get("Retry-After"), s.now())
	case a.status >= 500, a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly:
		e.Temporary = true
	case a.status/100 == 3:
		e.Reason = "it redirects elsewhere; configure the address that it names"
	}
	if said := strings.TrimSpace(string(a.body)); said != "" && a.status/100 != 3 {
		e.Reason += ": " + cut(said, 200)
	}
	return "", e
}

// longestRest bounds how long a service may ask to be left alone, so that a slip
// of its does not silence a channel for days.
const longestRest = time.Hour

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if s, err := strconv.Atoi(text); err == nil {
		d = rest(s)
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestRest)
}

// rest is a number of seconds to wait, within bounds.
func rest(seconds int) time.Duration {
	return time.Duration(min(max(seconds, 0), int(longestRest/time.Second))) * time.Second
}

// scrub takes the channel's secrets out of a text.
func (s *httpSender) scrub(text string) string { return scrub(s.cfg, text) }

func scrub(c *Config, text string) string {
	for _, secret := range []string{c.Token, c.Secret, c.Password} {
		if len(secret) >= 4 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	if u, err := url.Parse(c.URL); err == nil {
		for _, secret := range []string{c.URL, u.RequestURI()} {
			if len(secret) >= 4 {
				text = strings.ReplaceAll(text, secret, "…")
			}
		}
	}
	return text
}

func (s *httpSender) preview(to string, m *Message) (string, error) {
	c, err := s.service.build(s.cfg, s.now(), to, m)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	u, err := url.Parse(c.url)
	if err != nil {
		return "", errors.New("the address of the channel is not one")
	}
	fmt.Fprintf(&b, "%s %s://%s/…\n", c.method, u.Scheme, u.Host)
	for _, k := range slices.Sorted(maps.Keys(c.header)) {
		v := c.header[k]
		if k == "Authorization" || k == "X-Gotify-Key" {
			v = "********"
		}
		fmt.Fprintf(&b, "%s: %s\n", k, v)
	}
	var pretty bytes.Buffer
	enc := json.NewEncoder(&pretty)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	var body any
	if err := json.Unmarshal(c.body, &body); err != nil {
		return "", err
	}
	if err := enc.Encode(body); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "\n%s", pretty.Bytes())
	return s.scrub(b.String()), nil
}
