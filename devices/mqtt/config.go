package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/facilityd/facilityd/devices"
)

// Broker says where a broker is and who we are there.
type Broker struct {
	// URL: mqtt://host:1883, mqtts://host:8883, ws:// or wss://host/path. tcp, ssl
	// and tls are understood too. A port that is missing is the scheme's own.
	URL      string
	ClientID string
	Username string
	Password string
	// PasswordFile holds the password in its first line; it is read at every
	// connect, so a changed password needs no restart.
	PasswordFile string

	CAFile     string // PEM; default: the system's authorities
	CertFile   string // client certificate, PEM
	KeyFile    string // its key, PEM
	ServerName string // name in the broker's certificate, when it is not the host
	// InsecureSkipVerify accepts any certificate. For a bench only.
	InsecureSkipVerify bool
}

// Config holds the settings of a Connection. Name, Broker.URL, Broker.ClientID,
// Filters and Offer are required.
type Config struct {
	Name    string // of the connection, in the journal, in metrics and logs
	Broker  Broker
	Filters []string // MQTT topic filters; subscribed as Disjoint makes them
	QoS     byte     // to subscribe with: 0, 1 (the usual) or 2

	// Open begins a network connection: committed is to be called, in order, with
	// how many of the messages that the returned offer function took are now
	// durable, and is safe for that at any time. offer must not block; false
	// refuses the message and closes the connection, so that the broker keeps it.
	Open func(committed func(n int)) (offer func(*devices.Message) bool)
	// Link is told when the connection is up, before its first message, and when
	// it went down, behind its last, and why.
	Link func(up bool, reason string)
	// Ready says why no connection should be opened now, or nil. May be nil.
	Ready func() error

	// MaxMessage is the largest packet taken; a larger one is acknowledged and
	// dropped unread. Default 512 KB; at most 256 MB by the protocol.
	MaxMessage int

	KeepAlive      time.Duration // default 30 s, whole seconds
	PingTimeout    time.Duration // default 10 s
	ConnectTimeout time.Duration // default 10 s
	MinBackoff     time.Duration // first pause before another attempt; default 500 ms
	MaxBackoff     time.Duration // longest pause; default 1 min

	Log     *slog.Logger // default slog.Default()
	Metrics *Metrics     // default: counted, published nowhere
}

func (c Config) withDefaults() (Config, error) {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.KeepAlive, 30*time.Second)
	set(&c.PingTimeout, 10*time.Second)
	set(&c.ConnectTimeout, 10*time.Second)
	set(&c.MinBackoff, 500*time.Millisecond)
	set(&c.MaxBackoff, time.Minute)
	if c.MaxMessage <= 0 {
		c.MaxMessage = 512 << 10
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	if c.Link == nil {
		c.Link = func(bool, string) {}
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	var errs []error
	if c.Open == nil {
		errs = append(errs, errors.New("no place to put the messages"))
	}
	if c.QoS > 2 {
		errs = append(errs, fmt.Errorf("qos is %d: use 0, 1 or 2", c.QoS))
	}
	if len(c.Filters) == 0 {
		errs = append(errs, errors.New("no topic filter: nothing would be received"))
	}
	for _, f := range c.Filters {
		errs = append(errs, checkFilter(f))
	}
	if c.Broker.ClientID == "" {
		errs = append(errs, errors.New("no client id: the broker finds our session by it"))
	}
	if _, err := c.Broker.endpoint(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("broker connection %q: %w", c.Name, err)
	}
	return c, nil
}

// checkFilter says what is wrong with a topic filter (MQTT 3.1.1, 4.7).
func checkFilter(f string) error {
	if f == "" || len(f) > 65_535 {
		return fmt.Errorf("topic filter %q is empty or too long", f)
	}
	parts := strings.Split(f, "/")
	for i, p := range parts {
		if strings.Contains(p, "#") && (p != "#" || i != len(parts)-1) {
			return fmt.Errorf("topic filter %q: # stands alone and last", f)
		}
		if strings.Contains(p, "+") && p != "+" {
			return fmt.Errorf("topic filter %q: + stands alone between slashes", f)
		}
	}
	return nil
}

// scheme is one way to reach a broker.
type scheme struct {
	port      string
	tls       bool
	websocket bool
}

var schemes = map[string]scheme{
	"mqtt": {port: "1883"}, "tcp": {port: "1883"},
	"mqtts": {port: "8883", tls: true}, "ssl": {port: "8883", tls: true}, "tls": {port: "8883", tls: true},
	"ws": {port: "80", websocket: true}, "wss": {port: "443", tls: true, websocket: true},
}

// endpoint returns the URL with its port.
func (b Broker) endpoint() (*url.URL, error) {
	u, err := url.Parse(b.URL)
	if err != nil {
		return nil, fmt.Errorf("broker address %q: %w", redacted(b.URL), errors.Unwrap(err))
	}
	s, ok := schemes[u.Scheme]
	if !ok || u.Hostname() == "" {
		return nil, fmt.Errorf("broker address %q: write it as mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path", u.Redacted())
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), s.port)
	}
	return u, nil
}

// redacted hides a password in an address that cannot be parsed.
func redacted(raw string) string {
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		return "…" + raw[at:]
	}
	return raw
}

// credentials returns user and password; the file wins over the setting, both
// over the address.
func (b Broker) credentials(u *url.URL) (user, password string, err error) {
	user, password = b.Username, b.Password
	if user == "" && u.User != nil {
		user = u.User.Username()
		if p, ok := u.User.Password(); ok && password == "" {
			password = p
		}
	}
	if b.PasswordFile != "" {
		text, err := os.ReadFile(b.PasswordFile)
		if err != nil {
			return "", "", fmt.Errorf("read password file: %w", err)
		}
		password, _, _ = strings.Cut(string(text), "\n")
		password = strings.TrimSuffix(password, "\r")
	}
	return user, password, nil
}

func (b Broker) tlsConfig(host string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: b.InsecureSkipVerify}
	if b.ServerName != "" {
		cfg.ServerName = b.ServerName
	}
	if b.CAFile != "" {
		pem, err := os.ReadFile(b.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority: %s holds no PEM certificate", b.CAFile)
		}
	}
	if b.CertFile != "" || b.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(b.CertFile, b.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// dial opens the network connection.
func (b Broker) dial(ctx context.Context, u *url.URL, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s := schemes[u.Scheme]
	var cfg *tls.Config
	if s.tls {
		var err error
		if cfg, err = b.tlsConfig(u.Hostname()); err != nil {
			return nil, err
		}
	}
	switch {
	case s.websocket:
		plain := *u
		plain.User = nil
		return paho.NewWebsocket(plain.String(), cfg, timeout, nil, nil)
	case s.tls:
		d := tls.Dialer{Config: cfg}
		return d.DialContext(ctx, "tcp", u.Host)
	default:
		var d net.Dialer
		return d.DialContext(ctx, "tcp", u.Host)
	}
}

// options are the library's settings that every client of ours has.
func (b Broker) options(timeout time.Duration) (*paho.ClientOptions, *url.URL, error) {
	u, err := b.endpoint()
	if err != nil {
		return nil, nil, err
	}
	user, password, err := b.credentials(u)
	if err != nil {
		return nil, nil, err
	}
	plain := *u
	plain.User = nil
	o := paho.NewClientOptions().
		AddBroker(plain.String()).
		SetClientID(b.ClientID).
		SetUsername(user).
		SetPassword(password).
		SetProtocolVersion(4).
		SetConnectTimeout(timeout)
	return o, u, nil
}
