package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/sethvargo/go-retry"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices/simulator"
)

// brokerFlags adds the flags of commands that publish.
func brokerFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("broker", "", "MQTT broker to publish to, mqtt://host:1883 or mqtts://host:8883")
	f.String("user", "", "user name at the broker")
	f.String("password-file", "", "file with the password")
	f.String("ca", "", "PEM file of the authority that signed the broker's certificate")
	_ = cmd.MarkFlagRequired("broker")
}

// publisher publishes with QoS 1 and knows what the broker has confirmed. It keeps
// its own window of unconfirmed messages and sends them again, in order, on a new
// connection: the client library completes the tokens of a lost connection when it
// reconnects by itself, before the broker has confirmed anything. It belongs to one
// goroutine.
type publisher struct {
	options   *mqtt.ClientOptions
	where     string
	client    mqtt.Client
	window    []pending // oldest first
	limit     int
	confirmed int
	again     int // sent a second time after a lost connection
	lost      func(error)
}

type pending struct {
	message simulator.Message
	token   mqtt.Token
}

// newPublisher connects. At most limit messages are unconfirmed at any time.
func newPublisher(cmd *cobra.Command, limit int) (*publisher, error) {
	broker, _ := cmd.Flags().GetString("broker")
	user, _ := cmd.Flags().GetString("user")
	passwordFile, _ := cmd.Flags().GetString("password-file")
	ca, _ := cmd.Flags().GetString("ca")
	address, err := brokerURL(broker)
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().AddBroker(address.String()).SetClientID("facilityd-publish-" + rand.Text()[:10])
	o.SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).SetWriteTimeout(10 * time.Second).SetKeepAlive(15 * time.Second)
	o.SetUsername(user)
	if passwordFile != "" {
		password, err := os.ReadFile(passwordFile)
		if err != nil {
			return nil, fmt.Errorf("read password: %w", err)
		}
		o.SetPassword(strings.TrimRight(string(password), "\r\n"))
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("read certificate of the authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", ca)
		}
		o.SetTLSConfig(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
	p := &publisher{options: o, where: address.Redacted(), limit: limit, lost: func(err error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "connection to %s lost (%v), connecting again\n", address.Redacted(), err)
	}}
	return p, p.connect()
}

func brokerURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("--broker is %q: write mqtt://host:1883 or mqtts://host:8883", s)
	}
	port := map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	if port == "" {
		return nil, fmt.Errorf("--broker is %q: the scheme is one of mqtt, mqtts, ws, wss", s)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

func (p *publisher) connect() error {
	p.client = mqtt.NewClient(p.options)
	t := p.client.Connect()
	t.Wait()
	switch err := t.Error(); {
	case err == nil:
		return nil
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return fmt.Errorf("connect to %s: the broker refuses user %q: check --user and --password-file", p.where, p.options.Username)
	default:
		return fmt.Errorf("connect to %s: %w", p.where, err)
	}
}

// publish takes a message, whose payload is the publisher's from then on. It
// returns when the broker has confirmed all but the last few.
func (p *publisher) publish(ctx context.Context, m simulator.Message) error {
	for len(p.window) >= p.limit {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	p.window = append(p.window, pending{m, p.client.Publish(m.Topic, m.QoS, m.Retain, m.Payload)})
	for len(p.window) > 0 && done(p.window[0].token) {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func done(t mqtt.Token) bool {
	select {
	case <-t.Done():
		return true
	default:
		return false
	}
}

// settle waits for the oldest message.
func (p *publisher) settle(ctx context.Context) error {
	oldest := p.window[0].token
	select {
	case <-oldest.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := oldest.Error(); err != nil {
		return p.recover(ctx, err)
	}
	p.window = p.window[1:]
	p.confirmed++
	return nil
}

// recover connects again, however long it takes, and sends the window again.
func (p *publisher) recover(ctx context.Context, cause error) error {
	p.lost(cause)
	p.client.Disconnect(0)
	wait := retry.WithJitterPercent(20, retry.WithCappedDuration(10*time.Second, retry.NewExponential(200*time.Millisecond)))
	err := retry.Do(ctx, wait, func(context.Context) error { return retry.RetryableError(p.connect()) })
	if err != nil {
		return err
	}
	for i := range p.window {
		m := p.window[i].message
		p.window[i].token = p.client.Publish(m.Topic, m.QoS, m.Retain, m.Payload)
		p.again++
	}
	return nil
}

// flush waits until the broker has confirmed everything.
func (p *publisher) flush(ctx context.Context) error {
	for len(p.window) > 0 {
		if err := p.settle(ctx); err != nil {
			return fmt.Errorf("%d messages are not confirmed: %w", len(p.window), err)
		}
	}
	return nil
}

// close flushes for a few seconds even when the command was interrupted, then
// disconnects.
func (p *publisher) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := p.flush(ctx)
	p.client.Disconnect(250)
	return err
}

// sleep waits, or ends with the context.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
