package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// PublisherConfig holds the settings of a Publisher. Only Broker.URL is required.
type PublisherConfig struct {
	Broker Broker // ClientID "" makes one up
	// InFlight bounds the messages that the broker has not confirmed; default 1,000.
	InFlight       int
	ConnectTimeout time.Duration // default 10 s
	Metrics        *Metrics
}

// A Publisher publishes with QoS 1 and counts what the broker confirmed. What is
// not confirmed when the connection breaks is sent again. Its methods may be
// called from several goroutines; messages of one goroutine stay in order.
type Publisher struct {
	client  paho.Client
	window  chan paho.Token // in the order of sending; its capacity bounds them
	metrics *Metrics
	mu      sync.Mutex // publishing and queueing the token are one step

	confirmed, failed atomic.Uint64
	lastErr           atomic.Pointer[error]
	collected         chan struct{}
}

// NewPublisher connects to the broker and returns when it is connected, or says
// why it cannot. Later breaks are mended by itself.
func NewPublisher(ctx context.Context, cfg PublisherConfig) (*Publisher, error) {
	if cfg.InFlight <= 0 {
		cfg.InFlight = 1000
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Broker.ClientID == "" {
		var id [6]byte
		rand.Read(id[:])
		cfg.Broker.ClientID = "facilityd-pub-" + hex.EncodeToString(id[:])
	}
	o, u, err := cfg.Broker.options(cfg.ConnectTimeout)
	if err != nil {
		return nil, err
	}
	// A clean session: what was sent is remembered here, and sent again by the
	// library on the next connection; the broker has nothing to keep for us.
	o.SetCleanSession(true).
		SetAutoReconnect(true).
		SetMaxReconnectInterval(10 * time.Second).
		SetMaxResumePubInFlight(cfg.InFlight).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
			conn, err := cfg.Broker.dial(context.WithoutCancel(ctx), u, cfg.ConnectTimeout)
			if err != nil {
				return nil, err
			}
			return newWire(conn, 256<<20, func(string, int) {}), nil
		})
	p := &Publisher{
		client: paho.NewClient(o), window: make(chan paho.Token, cfg.InFlight),
		metrics: cfg.Metrics, collected: make(chan struct{}),
	}
	t := p.client.Connect()
	select {
	case <-t.Done():
	case <-ctx.Done():
		p.client.Disconnect(0)
		return nil, ctx.Err()
	}
	if err := t.Error(); err != nil {
		user, _, _ := cfg.Broker.credentials(u)
		return nil, explainConnect(err, u, user, cfg.Broker)
	}
	go p.collect()
	return p, nil
}

// Publish sends a message with QoS 1. It waits while too many are not confirmed;
// that it returned nil does not mean that this one is: see Confirmed and Flush.
func (p *Publisher) Publish(ctx context.Context, topic string, payload []byte, retained bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(p.window) < cap(p.window) {
			break
		}
		p.mu.Unlock()
		time.Sleep(200 * time.Microsecond)
		p.mu.Lock()
	}
	p.window <- p.client.Publish(topic, 1, retained, payload)
	return nil
}

// collect waits for the confirmations, which come in the order of sending.
func (p *Publisher) collect() {
	defer close(p.collected)
	for t := range p.window {
		<-t.Done()
		if err := t.Error(); err != nil {
			p.failed.Add(1)
			p.lastErr.Store(&err)
			p.metrics.Published.WithLabelValues("failed").Inc()
			continue
		}
		p.confirmed.Add(1)
		p.metrics.Published.WithLabelValues("confirmed").Inc()
	}
}

// Confirmed returns how many messages the broker confirmed, and how many it
// never will.
func (p *Publisher) Confirmed() (confirmed, failed uint64) {
	return p.confirmed.Load(), p.failed.Load()
}

// Close waits until everything is confirmed or the context ends, and disconnects.
// Publish must not be called any more.
func (p *Publisher) Close(ctx context.Context) error {
	close(p.window)
	var err error
	select {
	case <-p.collected:
	case <-ctx.Done():
		err = fmt.Errorf("wait for the broker's confirmations: %w", ctx.Err())
	}
	p.client.Disconnect(250)
	if failed := p.failed.Load(); failed > 0 && err == nil {
		err = fmt.Errorf("publish: %d messages were not confirmed: %w", failed, *p.lastErr.Load())
	}
	return err
}
