package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// explainConnect says in words for people why a broker could not be reached, and
// what to do.
func explainConnect(err error, u *url.URL, user string, b Broker) error {
	where := "broker " + u.Redacted()
	if both, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, packets.ErrorNetworkError) {
		err = both.Unwrap()[1] // the library says "network Error" in front
	}
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		dns      *net.DNSError
	)
	switch {
	case errors.Is(err, packets.ErrorRefusedNotAuthorised), errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword):
		who := fmt.Sprintf("refused user %q", user)
		if user == "" {
			who = "refused a connection without a user"
		}
		return fmt.Errorf("%s %s: %w; check user name, password and the broker's access list", where, who, err)
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return fmt.Errorf("%s refused the client id %q: %w; choose another one", where, b.ClientID, err)
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return fmt.Errorf("%s accepts nobody now: %w", where, err)
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return fmt.Errorf("%s does not speak MQTT 3.1.1: %w", where, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s: its certificate is signed by an authority that is not known here: %w; set the CA file", where, err)
	case errors.As(err, &hostname):
		return fmt.Errorf("%s: its certificate is for another name: %w; use that name in the address or set the server name", where, err)
	case errors.As(err, &invalid):
		return fmt.Errorf("%s: its certificate is not valid: %w", where, err)
	case errors.As(err, &record):
		return fmt.Errorf("%s does not speak TLS on this port: %w; use mqtt:// or the broker's TLS port", where, err)
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls:"):
		return fmt.Errorf("%s refused our TLS: %w; does it ask for a client certificate that it knows?", where, err)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: its name is not known: %w", where, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: nobody listens there: %w; is the broker running, is the port right?", where, err)
	case isTimeout(err):
		return fmt.Errorf("%s does not answer: %w; check address, network and firewall", where, err)
	case closedByBroker(err):
		hint := "does the broker want TLS (mqtts://) or a client certificate on this port?"
		if strings.HasPrefix(u.Scheme, "mqtts") {
			hint = "does it speak TLS on this port, does it want a client certificate?"
		}
		return fmt.Errorf("%s closed the connection during the handshake: %w; %s", where, err, hint)
	default:
		return fmt.Errorf("%s: %w", where, err)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// closedByBroker reports whether the other side ended the connection.
func closedByBroker(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// explainLoss says why a connection ended.
func explainLoss(err error) error {
	switch {
	case err == nil:
		return errors.New("connection ended")
	case closedByBroker(err):
		return fmt.Errorf("broker closed the connection: %w", err)
	default:
		return fmt.Errorf("connection lost: %w", err)
	}
}

// An oversizeLog tells of messages that were too large, at most once a minute
// and per topic: a device that sends one sends more.
type oversizeLog struct {
	mu   sync.Mutex
	told map[string]time.Time
	more int
}

const (
	oversizeEvery  = time.Minute
	oversizeTopics = 100 // remembered; beyond, only the count is told
)

func (l *oversizeLog) log(log *slog.Logger, connection, topic string, size, limit int) {
	l.mu.Lock()
	now := time.Now()
	last, known := l.told[topic]
	if known && now.Sub(last) < oversizeEvery || !known && len(l.told) >= oversizeTopics {
		l.more++
		for t, at := range l.told { // make room for others; no output depends on the order
			if now.Sub(at) >= oversizeEvery {
				delete(l.told, t)
			}
		}
		l.mu.Unlock()
		return
	}
	if l.told == nil {
		l.told = make(map[string]time.Time)
	}
	l.told[topic] = now
	more := l.more
	l.more = 0
	l.mu.Unlock()
	if len(topic) > 200 {
		topic = topic[:200] + "…"
	}
	log.Warn("message refused: too large", "connection", connection, "topic", topic, "bytes", size, "limit", limit, "refused_before_untold", more)
}
