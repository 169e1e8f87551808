package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/sethvargo/go-retry"
)

// PublisherConfig holds the settings of a Publisher. Only Broker.URL is required.
type PublisherConfig struct {
	Broker Broker // ClientID "" makes one up
	// InFlight bounds the messages that the broker has not confirmed; default 1,000.
	InFlight       int
	ConnectTimeout time.Duration // default 10 s
	Metrics        *Metrics
	// Lost is told when the connection broke and is being mended; may be nil.
	Lost func(cause error)
}

// A Publisher publishes and counts what the broker confirmed. What is not confirmed
// when the connection breaks is sent again on the next one, in its order and before
// anything newer. Its methods may be called from several goroutines; messages of one
// goroutine stay in order.
//
// The window of unconfirmed messages is kept here and the library's own resuming is
// off: it reports a message of a lost connection as done when it reconnects, before
// the broker has confirmed it, and lets newer messages overtake it.
type Publisher struct {
	cfg     PublisherConfig
	options *paho.ClientOptions
	url     *url.URL

	in     chan outgoing
	ending chan struct{} // closed by Close
	end    sync.Once
	ctx    context.Context // ends when Close gave up waiting
	stop   context.CancelFunc
	over   chan struct{} // closed when nothing is sent any more
	fatal  error         // why; read after over

	confirmed, repeated, unconfirmed atomic.Uint64
}

// outgoing is a message on its way.
type outgoing struct {
	topic    string
	payload  []byte
	qos      byte
	retained bool
	token    paho.Token
}

// Breaks in a row, without a confirmation between them, until the oldest message is
// taken for the cause.
const poisonous = 5

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
	if cfg.Lost == nil {
		cfg.Lost = func(error) {}
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
	p := &Publisher{
		cfg: cfg, options: o, url: u,
		in: make(chan outgoing, min(64, cfg.InFlight)), ending: make(chan struct{}), over: make(chan struct{}),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	o.SetCleanSession(true).SetAutoReconnect(false).SetWriteTimeout(cfg.ConnectTimeout).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
			conn, err := cfg.Broker.dial(p.ctx, u, cfg.ConnectTimeout)
			if err != nil {
				return nil, err
			}
			return newWire(conn, 256<<20, func(string, int) {}), nil
		})
	client, err := p.connect(ctx)
	if err != nil {
		p.stop()
		return nil, err
	}
	go p.run(client)
	return p, nil
}

func (p *Publisher) connect(ctx context.Context) (paho.Client, error) {
	client := paho.NewClient(p.options)
	t := client.Connect()
	select {
	case <-t.Done():
	case <-ctx.Done():
		client.Disconnect(0)
		return nil, ctx.Err()
	}
	if err := t.Error(); err != nil {
		user, _, _ := p.cfg.Broker.credentials(p.url)
		return nil, explainConnect(err, p.url, user, p.cfg.Broker)
	}
	return client, nil
}

// Publish sends a message with QoS 1; the payload is the publisher's from then on.
// It waits while too many are not confirmed; that it returned nil does not mean
// that this one is: see Confirmed and Close.
func (p *Publisher) Publish(ctx context.Context, topic string, payload []byte, retained bool) error {
	return p.PublishQoS(ctx, topic, payload, 1, retained)
}

// PublishQoS is Publish with another quality of service. One of 0 counts as
// confirmed when it is written.
func (p *Publisher) PublishQoS(ctx context.Context, topic string, payload []byte, qos byte, retained bool) error {
	select { // a full window must not win over an end
	case <-p.over:
		return p.gone()
	default:
	}
	select {
	case p.in <- outgoing{topic: topic, payload: payload, qos: qos, retained: retained}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.over:
		return p.gone()
	}
}

func (p *Publisher) gone() error {
	if p.fatal != nil {
		return p.fatal
	}
	return errors.New("publish: the publisher is closed")
}

// run owns the client and the window.
func (p *Publisher) run(client paho.Client) {
	var window []outgoing // oldest first
	defer func() {
		client.Disconnect(250)
		p.unconfirmed.Store(uint64(len(window) + len(p.in)))
		p.cfg.Metrics.Published.WithLabelValues("failed").Add(float64(len(window) + len(p.in)))
		close(p.over)
	}()
	ending, broken := p.ending, 0
	for {
		in := p.in
		if len(window) >= p.cfg.InFlight {
			in = nil
		}
		var oldest <-chan struct{}
		if len(window) > 0 {
			oldest = window[0].token.Done()
		} else if ending == nil && len(p.in) == 0 {
			return // asked to end, and all is confirmed
		}
		select {
		case m := <-in:
			m.token = client.Publish(m.topic, m.qos, m.retained, m.payload)
			window = append(window, m)
		case <-oldest:
			err := window[0].token.Error()
			if err == nil {
				window, broken = window[1:], 0
				p.confirmed.Add(1)
				p.cfg.Metrics.Published.WithLabelValues("confirmed").Inc()
				break
			}
			if broken++; broken >= poisonous {
				p.fatal = fmt.Errorf("publish: the connection breaks whenever %q is sent: %w", window[0].topic, err)
				return
			}
			if client = p.mend(client, err, window); p.ctx.Err() != nil {
				return
			}
		case <-ending:
			ending = nil
		case <-p.ctx.Done():
			return
		}
	}
}

// mend connects again, however long it takes, and sends the window again.
func (p *Publisher) mend(client paho.Client, cause error, window []outgoing) paho.Client {
	p.cfg.Lost(cause)
	client.Disconnect(0)
	wait := retry.WithJitterPercent(20, retry.WithCappedDuration(10*time.Second, retry.NewExponential(100*time.Millisecond)))
	err := retry.Do(p.ctx, wait, func(ctx context.Context) error {
		c, err := p.connect(ctx)
		if err == nil {
			client = c
		}
		return retry.RetryableError(err)
	})
	if err != nil {
		return client // the context ended
	}
	for i := range window {
		m := &window[i]
		m.token = client.Publish(m.topic, m.qos, m.retained, m.payload)
		p.repeated.Add(1)
	}
	return client
}

// Confirmed returns how many messages the broker confirmed and, after the end, how
// many it never did.
func (p *Publisher) Confirmed() (confirmed, failed uint64) {
	return p.confirmed.Load(), p.unconfirmed.Load()
}

// Repeated returns how many messages were sent again after a break.
func (p *Publisher) Repeated() uint64 { return p.repeated.Load() }

// Close waits until everything is confirmed or the context ends, and disconnects.
// Publish must not be called any more.
func (p *Publisher) Close(ctx context.Context) error {
	p.end.Do(func() { close(p.ending) })
	select {
	case <-p.over:
	case <-ctx.Done():
	}
	p.stop()
	<-p.over
	return p.result(ctx)
}

func (p *Publisher) result(ctx context.Context) error {
	n := p.unconfirmed.Load()
	switch {
	case p.fatal != nil:
		return fmt.Errorf("%w; %d messages are not confirmed", p.fatal, n)
	case n > 0:
		return fmt.Errorf("publish: %d messages are not confirmed: %w", n, ctx.Err())
	}
	return nil
}
