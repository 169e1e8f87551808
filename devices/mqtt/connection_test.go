package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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
	return runConnection(t, c)
}

func runConnection(t testing.TB, c *Connection) (_ *Connection, stop func()) {
	t.Helper()
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

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// value reads a counter or a gauge.
func value(t testing.TB, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

// TestNothingIsAcknowledgedBeforeItIsCommitted: what was not committed when the
// connection breaks comes again, in its order and marked as a duplicate, and what
// was does not.
func TestNothingIsAcknowledgedBeforeItIsCommitted(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
			s := &sink{hold: true}
			cfg := config(t, broker.URL(), s)
			cfg.QoS = qos
			c, stop := run(t, cfg)
			connected(t, c)
			client := paho.NewClient(paho.NewClientOptions().AddBroker(broker.URL()).SetClientID("pub"))
			if tok := client.Connect(); tok.Wait() && tok.Error() != nil {
				t.Fatal(tok.Error())
			}
			defer client.Disconnect(100)
			for i := range 10 {
				if tok := client.Publish("site/a", qos, false, fmt.Sprint(i)); tok.Wait() && tok.Error() != nil {
					t.Fatal(tok.Error())
				}
			}
			eventually(t, "ten messages", func() bool { return s.count() == 10 })
			s.commit(4)
			s.commit(2)
			stop() // waits a second for the rest, which never comes
			c, stop = run(t, cfg)
			connected(t, c)
			eventually(t, "the rest again", func() bool { return s.count() == 14 })
			s.commit(4)
			stop()
			if got := strings.Join(s.payloads(), ""); got != "01234567896789" {
				t.Errorf("received %s", got)
			}
			for i, m := range s.messages {
				if m.Dup != (i >= 10) {
					t.Errorf("message %d: DUP %v", i, m.Dup)
				}
			}
		})
	}
}

// TestOversizeMessagesAreRefusedOnTheConnection with a real broker: 10 MB are
// dropped unread and not delivered again; what comes behind arrives.
func TestOversizeMessagesAreRefusedOnTheConnection(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	for _, qos := range []byte{0, 1, 2} {
		s := new(sink)
		cfg := config(t, broker.URL(), s)
		cfg.QoS = qos
		cfg.Metrics = NewMetrics(prometheus.NewRegistry())
		c, stop := run(t, cfg)
		connected(t, c)
		client := paho.NewClient(paho.NewClientOptions().AddBroker(broker.URL()).SetClientID("pub"))
		if tok := client.Connect(); tok.Wait() && tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		for i := range 3 {
			for _, payload := range [][]byte{make([]byte, 10<<20), fmt.Appendf(nil, "small %d", i)} {
				if tok := client.Publish("site/a", qos, false, payload); tok.Wait() && tok.Error() != nil {
					t.Fatal(tok.Error())
				}
			}
		}
		eventually(t, "the small ones", func() bool { return s.count() == 3 })
		stop()
		c, stop = run(t, cfg) // nothing is left for the session
		connected(t, c)
		if tok := client.Publish("site/a", qos, false, "last"); tok.Wait() && tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		eventually(t, "the last", func() bool { return s.count() == 4 })
		stop()
		client.Disconnect(100)
		if n := value(t, cfg.Metrics.Rejected.WithLabelValues("main", "too_large")); n != 3 {
			t.Errorf("QoS %d: %v messages counted as too large", qos, n)
		}
		if n := value(t, cfg.Metrics.Received.WithLabelValues("main")); n != 7 {
			t.Errorf("QoS %d: %v messages counted as received", qos, n)
		}
	}
}

// TestFullQueueClosesTheConnection: a refused message is not acknowledged, nothing
// behind it is taken on that connection, and everything comes again in order.
func TestFullQueueClosesTheConnection(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	var ready atomic.Pointer[error]
	s := new(sink)
	refused := 0
	s.refuse = func(m *devices.Message) bool {
		if string(m.Payload) == "5" && refused < 2 {
			refused++
			err := errors.New("disk is full")
			ready.Store(&err)
			return true
		}
		return false
	}
	cfg := config(t, broker.URL(), s)
	cfg.Ready = func() error {
		if err := ready.Load(); err != nil {
			return *err
		}
		return nil
	}
	c, _ := run(t, cfg)
	connected(t, c)
	p := publisher(t, broker.URL())
	for i := range 10 {
		publish(t, p, "site/a", fmt.Sprint(i))
	}
	waited := false
	eventually(t, "all messages", func() bool {
		if strings.Contains(c.Status().Reason, "not connecting: disk is full") {
			waited = true
			ready.Store(nil)
		}
		return s.count() >= 10
	})
	if !waited {
		t.Error("it did not wait until it was ready")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.payloads()
	// Those in front of the refused one may come again when their
	// acknowledgement was cut off; the order holds.
	for i, next := 0, 0; i < len(got); i++ {
		n, _ := strconv.Atoi(got[i])
		if n > next {
			t.Fatalf("order: %v", got)
		}
		next = max(next, n+1)
	}
	if !strings.Contains(strings.Join(s.links, "|"), "the journal's queue is full") {
		t.Errorf("links: %q", s.links)
	}
}

func TestRetainedMessagesAreMarked(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	p := publisher(t, broker.URL())
	if err := p.Publish(t.Context(), "site/a", []byte("kept"), true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "confirmed", func() bool { n, _ := p.Confirmed(); return n == 1 })
	s := new(sink)
	c, stop := run(t, config(t, broker.URL(), s))
	connected(t, c)
	publish(t, p, "site/a", "live")
	eventually(t, "both", func() bool { return s.count() == 2 })
	stop()
	if !s.messages[0].Retained || s.messages[1].Retained || s.messages[1].QoS != 1 || s.messages[1].PacketID == 0 {
		t.Errorf("%+v", s.messages)
	}
}

func TestFiltersChangeWhileConnected(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	s := new(sink)
	c, _ := run(t, config(t, broker.URL(), s))
	connected(t, c)
	if err := c.SetFilters([]string{"other/+"}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetFilters([]string{"a#"}); err == nil {
		t.Error("a wrong filter was accepted")
	}
	p := publisher(t, broker.URL())
	publish(t, p, "site/a", "old")
	publish(t, p, "other/a", "new")
	eventually(t, "a message", func() bool { return s.count() > 0 })
	if got := s.payloads(); len(got) != 1 || got[0] != "new" {
		t.Errorf("received %v", got)
	}
}

// TestReconnects: the broker is stopped and started; nothing is lost, and the
// links say so.
func TestReconnects(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	s := new(sink)
	c, stop := run(t, config(t, broker.URL(), s))
	connected(t, c)
	p := publisher(t, broker.URL())
	sent := 0
	for range 3 {
		for range 200 {
			publish(t, p, "site/a", fmt.Sprint(sent))
			sent++
		}
		broker.Stop()
		eventually(t, "noticed", func() bool { return c.Status().State != Connected })
		broker.Start()
		connected(t, c)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all", func() bool {
		seen := make(map[string]bool)
		for _, text := range s.payloads() {
			seen[text] = true
		}
		return len(seen) == sent
	})
	stop()
	if len(s.links) != 8 { // up and down of four connections
		t.Errorf("links: %q", s.links)
	}
	if !strings.HasPrefix(s.links[1], "false broker closed the connection") {
		t.Errorf("reason: %s", s.links[1])
	}
}

// TestAnotherClientWithTheSameID: two clients that push one another out are told
// as what they are.
func TestAnotherClientWithTheSameID(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	s := new(sink)
	a, _ := run(t, config(t, broker.URL(), s))
	b, _ := run(t, config(t, broker.URL(), s))
	eventually(t, "one of them says so", func() bool {
		return strings.Contains(a.Status().Reason+b.Status().Reason, `is another client using the client id "facilityd-test"?`)
	})
}
