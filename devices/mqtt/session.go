package mqtt

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/facilityd/facilityd/devices"
)

// A session is one network connection: a client of the library, its wire, and the
// acknowledgements that it still owes. A new connection is a new session, so
// that nothing of an old one can be acknowledged on it.
type session struct {
	c      *Connection
	client paho.Client
	wire   atomic.Pointer[wire]
	acks   *ackQueue
	lost   chan error // 1: why it ended

	upOnce   sync.Once
	offer    func(*devices.Message) bool
	received prometheus.Counter

	mu      sync.Mutex
	refused string // why nothing more is taken, "" while it is
}

func newSession(c *Connection) *session {
	return &session{c: c, acks: newAckQueue(), lost: make(chan error, 1),
		received: c.cfg.Metrics.Received.WithLabelValues(c.cfg.Name)}
}

// connect makes the library's client and connects it.
func (s *session) connect(ctx context.Context) (paho.Client, error) {
	cfg := &s.c.cfg
	o, u, err := cfg.Broker.options(cfg.ConnectTimeout)
	if err != nil {
		return nil, err
	}
	o.SetCleanSession(false).
		SetAutoReconnect(false). // a new connection is a new client: see Run
		SetConnectRetry(false).
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		SetKeepAlive(cfg.KeepAlive).
		SetPingTimeout(cfg.PingTimeout).
		SetStore(noStore{}).
		// The route is there before the connection: what the broker kept for us
		// comes before we could subscribe.
		SetDefaultPublishHandler(s.receive).
		SetConnectionLostHandler(func(_ paho.Client, err error) { s.lost <- err }).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
			conn, err := cfg.Broker.dial(ctx, u, cfg.ConnectTimeout)
			if err != nil {
				return nil, err
			}
			w := newWire(conn, cfg.MaxMessage, s.tooLarge)
			w.writeTimeout = cfg.ConnectTimeout
			s.wire.Store(w)
			return w, nil
		})
	s.client = paho.NewClient(o)
	t := s.client.Connect()
	t.Wait() // bounded by ConnectTimeout for the network and again for the handshake
	if err := t.Error(); err != nil {
		user, _, _ := cfg.Broker.credentials(u)
		return nil, explainConnect(err, u, user, cfg.Broker)
	}
	return s.client, nil
}

// up begins the intake of this session, once: when the connection is accepted, or
// with the first message, which may come before that is known here.
func (s *session) up() {
	s.upOnce.Do(func() {
		s.offer = s.c.cfg.Open(s.acks.committed)
		s.c.cfg.Link(true, "")
	})
}

// down ends it; nothing is offered after it returns.
func (s *session) down(reason string) {
	s.refuse("closing")
	s.c.cfg.Link(false, reason)
}

func (s *session) refuse(why string) {
	s.mu.Lock()
	if s.refused == "" {
		s.refused = why
	}
	s.mu.Unlock()
}

// receive is called by the library for every message, in order. It must not
// block: the library reads nothing meanwhile, not even the answer to its ping.
func (s *session) receive(_ paho.Client, pm paho.Message) {
	s.received.Inc()
	s.up()
	s.mu.Lock()
	if s.refused != "" {
		s.mu.Unlock()
		s.c.cfg.Metrics.Rejected.WithLabelValues(s.c.cfg.Name, "closing").Inc()
		return
	}
	m := devices.Message{
		Topic: pm.Topic(), Payload: pm.Payload(), QoS: pm.Qos(),
		Retained: pm.Retained(), Dup: pm.Duplicate(), PacketID: pm.MessageID(),
	}
	s.acks.hold(m.PacketID, m.QoS)
	ok := s.offer(&m)
	if !ok {
		// Nothing behind it may be taken: it would come again out of order.
		s.acks.unhold()
		s.refused = "queue_full"
	}
	s.mu.Unlock()
	if !ok {
		s.c.cfg.Metrics.Rejected.WithLabelValues(s.c.cfg.Name, "queue_full").Inc()
		s.wire.Load().closeBecause("connection closed on purpose: the journal's queue is full, so the broker keeps what comes")
	}
}

// tooLarge is told by the wire of a message that it took out.
func (s *session) tooLarge(topic string, size int) {
	s.received.Inc()
	s.c.cfg.Metrics.Rejected.WithLabelValues(s.c.cfg.Name, "too_large").Inc()
	s.c.oversize.log(s.c.cfg.Log, s.c.cfg.Name, topic, size, s.c.cfg.MaxMessage)
}

// watch closes a link over which nothing has come for longer than an unanswered
// ping takes. The library's own watch is inside its pipeline, which can stand
// still.
func (s *session) watch(done <-chan struct{}) {
	cfg := &s.c.cfg
	patience := cfg.KeepAlive + cfg.KeepAlive/2 + cfg.PingTimeout
	ticker := time.NewTicker(max(patience/20, 10*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			w := s.wire.Load()
			if silence := time.Since(time.Unix(0, w.lastRead.Load())); silence > patience {
				w.closeBecause(fmt.Sprintf("link is dead: nothing came for %s, not even the answer to a ping", silence.Round(time.Second)))
				return
			}
		}
	}
}

// lastAcks is how long a connection that is told to stop waits for the journal.
const lastAcks = time.Second

// drain stops taking messages, lets those that were taken be acknowledged, and
// says goodbye to the broker when it has read the acknowledgements: Mosquitto
// forgets what it has not read of a connection that is closed.
func (s *session) drain(client paho.Client) {
	s.refuse("closing")
	deadline := time.Now().Add(lastAcks)
	wait := func(ok func() bool) {
		for !ok() && time.Now().Before(deadline) {
			time.Sleep(2 * time.Millisecond)
		}
	}
	wait(s.acks.idle)
	if answered, err := s.wire.Load().ping(); err == nil {
		wait(answered)
	}
	client.Disconnect(250)
}

// ended is closed when the library has let go of the connection.
func (s *session) ended(client paho.Client) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for deadline := time.Now().Add(lastAcks); client.IsConnectionOpen() && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return done
}

// noStore keeps nothing. The library would keep every received message until its
// own Ack is called; the broker keeps them, and a new connection asks it.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
