package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// eventually polls a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// A sink stands for the journal: it keeps what is offered and commits when it is
// told to, or at once.
type sink struct {
	mu          sync.Mutex
	messages    []devices.Message
	links       []string
	sessions    int
	hold        bool // do not commit by yourself
	refuse      func(*devices.Message) bool
	uncommitted int
	committed   func(int)
}

func (s *sink) open(committed func(int)) func(*devices.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	s.committed, s.uncommitted = committed, 0
	return func(m *devices.Message) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.refuse != nil && s.refuse(m) {
			return false
		}
		s.messages = append(s.messages, *m)
		if s.hold {
			s.uncommitted++
		} else {
			go committed(1)
		}
		return true
	}
}

func (s *sink) commit(n int) {
	s.mu.Lock()
	f := s.committed
	s.uncommitted -= n
	s.mu.Unlock()
	f(n)
}

func (s *sink) link(up bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, fmt.Sprint(up, " ", reason))
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

func (s *sink) payloads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.messages {
		out = append(out, string(m.Payload))
	}
	return out
}

func config(t testing.TB, url string, s *sink) Config {
	return Config{
		Name: "main", Broker: Broker{URL: url, ClientID: "facilityd-test"}, Filters: []string{"site/#"}, QoS: 1,
		Open: s.open, Link: s.link, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// run runs a connection until stop is called.
func run(t testing.TB, cfg Config) (c *Connection, stop func()) {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return c, stop
}

func connected(t testing.TB, c *Connection) {
	t.Helper()
	eventually(t, "connected", func() bool { return c.Status().State == Connected })
}

func publisher(t testing.TB, url string) *Publisher {
	t.Helper()
	p, err := NewPublisher(t.Context(), PublisherConfig{Broker: Broker{URL: url}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func publish(t testing.TB, p *Publisher, topic string, payloads ...string) {
	t.Helper()
	for _, text := range payloads {
		if err := p.Publish(t.Context(), topic, []byte(text), false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReceivesInOrderAndWhatCameMeanwhile(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	s := new(sink)
	c, stop := run(t, config(t, broker.URL(), s))
	connected(t, c)
	p := publisher(t, broker.URL())
	var want []string
	for i := range 3000 {
		want = append(want, fmt.Sprint(i))
	}
	publish(t, p, "site/pump", want[:1000]...)
	eventually(t, "first thousand", func() bool { return s.count() == 1000 })
	stop()
	publish(t, p, "site/pump", want[1000:2000]...)
	c, stop = run(t, config(t, broker.URL(), s))
	connected(t, c)
	publish(t, p, "site/pump", want[2000:]...)
	eventually(t, "all", func() bool { return s.count() >= 3000 })
	stop()
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.payloads()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("message %d is %s", i, got[i])
		}
	}
	if n, failed := p.Confirmed(); n != 3000 || failed != 0 {
		t.Errorf("confirmed %d, failed %d", n, failed)
	}
	if len(s.links) != 4 {
		t.Errorf("links: %q", s.links)
	}
}
