package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Config is what one channel needs. [Config.Check] says which of the fields its
// type takes, configs/people/GUIDE.md where each is found. An address of a webhook
// is a secret too.
type Config struct {
	Name string // what contacts call it
	Type string // a name of Types
	URL  string
	// Token signs in, Secret signs.
	Token, Secret  string
	User, Password string
	From           string // sender of mail
	CA             string // PEM file of the authority that signed the server's certificate; "" is the system's
}

// String names the channel and nothing that is secret.
func (c Config) String() string { return "channel " + c.Name + " (" + c.Type + ")" }

// GoString keeps secrets out of dumps too.
func (c Config) GoString() string { return c.String() }

// A kind is one type of channel.
type kind struct {
	// needs and may are the keys that have to be given and those that can be.
	needs, may []string
	url        string // where the service is when nothing is said
	// address checks the address of a contact, as a person wrote it; nil: the
	// channel has one place only, and takes none.
	address func(string) error
	// addressing says what an address is, for hints.
	addressing string
	http       *service // nil: mail
}

// A sender hands a message over once.
type sender interface {
	send(ctx context.Context, to string, m *Message) (ref string, err error)
	// preview is what would be sent, without secrets.
	preview(to string, m *Message) (string, error)
}

var kinds = map[string]*kind{
	"email": mailKind, "webhook": webhookKind, "slack": slackKind, "teams": teamsKind, "telegram": telegramKind,
	"ntfy": ntfyKind, "gotify": gotifyKind, "dingtalk": dingtalkKind, "wecom": wecomKind, "feishu": feishuKind,
}

// Types are the types of channel, in the order of the alphabet.
func Types() []string { return slices.Sorted(maps.Keys(kinds)) }

// A Fault is what is wrong with a key of a channel's configuration.
type Fault struct{ Key, Message, Hint string }

// value returns a field by its key in files.
func (c *Config) value(key string) string {
	switch key {
	case "url":
		return c.URL
	case "token":
		return c.Token
	case "secret":
		return c.Secret
	case "user":
		return c.User
	case "password":
		return c.Password
	case "from":
		return c.From
	default:
		return c.CA
	}
}

// keys are all keys that some type takes.
var keys = []string{"url", "token", "secret", "user", "password", "from", "ca"}

// Check returns what is wrong with a configuration whose type is one of [Types].
func (c *Config) Check() []Fault {
	k := kinds[c.Type]
	var out []Fault
	for _, key := range keys {
		given := c.value(key) != ""
		needed := slices.Contains(k.needs, key)
		switch {
		case needed && !given:
			out = append(out, Fault{key, fmt.Sprintf("channel %s needs %s", c.Name, key), "see configs/people/GUIDE.md, " + c.Type})
		case given && !needed && !slices.Contains(k.may, key):
			out = append(out, Fault{key, fmt.Sprintf("a channel of type %s has no %s", c.Type, key), "it takes: " + strings.Join(slices.Concat(k.needs, k.may), ", ")})
		}
	}
	schemes := []string{"https", "http"}
	if k.http == nil {
		schemes = mailSchemes
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		switch {
		case err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme):
			out = append(out, Fault{"url", "url is not an address of this type", schemes[0] + "://host…"})
		case u.User != nil:
			out = append(out, Fault{"url", "url holds a user or password", "use user, password or token"})
		}
	}
	if c.Type == "webhook" && c.Secret != "" {
		if err := checkWebhookSecret(c.Secret); err != nil {
			out = append(out, Fault{"secret", err.Error(), "make one with: openssl rand -base64 32"})
		}
	}
	if c.From != "" {
		if err := checkMail(c.From); err != nil {
			out = append(out, Fault{"from", err.Error(), "facilityd@example.com, or Duty desk <duty@example.com>"})
		}
	}
	return out
}

// InClear reports whether a channel speaks without encryption to another machine,
// so that what it sends and its secrets can be read on the way.
func (c *Config) InClear() bool {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "smtp-plain" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// CheckAddress says what is wrong with a contact's address on a channel type; nil
// when nothing is.
func CheckAddress(typ, address string) error {
	k := kinds[typ]
	switch {
	case k == nil:
		return fmt.Errorf("%q is not a type of channel", typ)
	case k.address == nil && address != "":
		return fmt.Errorf("a channel of type %s has one place only and takes no address", typ)
	case k.address == nil:
		return nil
	}
	if err := k.address(address); err != nil {
		return fmt.Errorf("%w: %s", err, k.addressing)
	}
	return nil
}

// required is the check of channels that cannot do without an address.
func required(address string) error {
	if address == "" {
		return errors.New("the address is missing")
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("%q holds a space or a control character", address)
	}
	return nil
}

// optional is the check of group robots, which mention a person by the address.
func optional(address string) error {
	if address == "" {
		return nil
	}
	return required(address)
}

// Options of [Open] beyond the channels.
type Options struct {
	// Allowed are the addresses that may be contacted, by channel: those of the
	// roster's persons. Nobody else ever is.
	Allowed map[string][]string
	// Now gives the time that signatures carry; nil is the machine's clock, which
	// the services compare with their own.
	Now func() time.Time
	// Timeout of one attempt; 0 is 15 s.
	Timeout time.Duration
}

// Channels are the configured channels. It is safe for concurrent use.
type Channels struct {
	opts Options
	by   map[string]sender
	idle []*http.Transport
}

// Open makes channels of checked configurations. Nothing is contacted yet.
func Open(list []Config, opts Options) (*Channels, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 15 * time.Second
	}
	c := &Channels{opts: opts, by: make(map[string]sender)}
	for i := range list {
		cfg := list[i]
		k := kinds[cfg.Type]
		if k == nil {
			return nil, fmt.Errorf("channel %s: %q is not a type of channel", cfg.Name, cfg.Type)
		}
		if cfg.URL == "" {
			cfg.URL = k.url
		}
		roots, err := authorities(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("channel %s: %w", cfg.Name, err)
		}
		if k.http != nil {
			t := transport(roots)
			c.idle = append(c.idle, t)
			c.by[cfg.Name] = &httpSender{cfg: &cfg, service: k.http, client: client(t, opts.Timeout), now: opts.Now}
			continue
		}
		c.by[cfg.Name] = &mailSender{cfg: &cfg, roots: roots, timeout: opts.Timeout, now: opts.Now}
	}
	return c, nil
}

func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca: %s holds no certificate", file)
	}
	return pool, nil
}

func tlsConfig(roots *x509.CertPool, server string) *tls.Config {
	return &tls.Config{RootCAs: roots, ServerName: server, MinVersion: tls.VersionTLS12}
}

// Send hands a message to a channel, once. ref is what a later message names in
// Replaces to update this one, "" where a channel has no such thing. The error is
// an [*Error], or the context's.
func (c *Channels) Send(ctx context.Context, channel, address string, m *Message) (ref string, err error) {
	s := c.by[channel]
	if s == nil {
		return "", &Error{Channel: channel, Reason: "there is no such channel any more"}
	}
	if !slices.Contains(c.opts.Allowed[channel], address) {
		return "", &Error{Channel: channel, Reason: "the address belongs to nobody in the people file"}
	}
	ref, err = s.send(ctx, address, m)
	var e *Error
	if errors.As(err, &e) {
		e.Channel = channel
	}
	return ref, err
}

// Preview is what Send would send, as text: the request or the mail, with secrets
// left out.
func (c *Channels) Preview(channel, address string, m *Message) (string, error) {
	s := c.by[channel]
	if s == nil {
		return "", fmt.Errorf("there is no channel %q", channel)
	}
	return s.preview(address, m)
}

// Close ends idle connections.
func (c *Channels) Close() {
	for _, t := range c.idle {
		t.CloseIdleConnections()
	}
}
