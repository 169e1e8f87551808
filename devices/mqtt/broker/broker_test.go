package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/broker"
)

func start(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// receiver keeps what a connection receives and acknowledges at once.
type receiver struct {
	mu  sync.Mutex
	got []string
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func (r *receiver) run(t *testing.T, b mqtt.Broker) (c *mqtt.Connection, stop func()) {
	t.Helper()
	b.ClientID = "facilityd"
	c, err := mqtt.New(mqtt.Config{
		Name: "main", Broker: b, Filters: []string{"site/#"}, QoS: 1, MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
		Open: func(committed func(int)) func(*devices.Message) bool {
			return func(m *devices.Message) bool {
				r.mu.Lock()
				r.got = append(r.got, string(m.Payload))
				r.mu.Unlock()
				go committed(1)
				return true
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	eventually(t, "connected", func() bool { return c.Status().State == mqtt.Connected })
	return c, stop
}

// TestQueuedMessagesSurviveARestart: what is sent with QoS 1 to a subscriber that
// is away is delivered, in order, after the broker was stopped and started.
func TestQueuedMessagesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, broker.Config{Dir: dir, Listen: "127.0.0.1:0"})
	if _, port, _ := net.SplitHostPort(b.Addr()); port == "0" {
		t.Fatalf("address %s", b.Addr())
	}
	r := new(receiver)
	_, stop := r.run(t, mqtt.Broker{URL: b.URL()})
	stop()
	p, err := mqtt.NewPublisher(t.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: b.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if err := p.Publish(t.Context(), "site/pump/1", fmt.Append(nil, i), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = start(t, broker.Config{Dir: dir, Listen: b.Addr()})
	r.run(t, mqtt.Broker{URL: b.URL()})
	eventually(t, "all messages", func() bool { return r.count() >= 500 })
	for i, text := range r.got {
		if text != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, text)
		}
	}
}

func TestBeyondLoopbackAPasswordIsRequired(t *testing.T) {
	_, err := broker.Start(broker.Config{Dir: t.TempDir(), Listen: "0.0.0.0:0"})
	if err == nil || !strings.Contains(err.Error(), "set a user and a password for it, or listen on 127.0.0.1") {
		t.Errorf("open to everybody: %v", err)
	}
	b := start(t, broker.Config{Dir: t.TempDir(), Listen: "0.0.0.0:0", Username: "gate", Password: "secret"})
	_, port, _ := net.SplitHostPort(b.Addr())
	url := "mqtt://127.0.0.1:" + port
	if _, err := mqtt.NewPublisher(t.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: url, Username: "gate", Password: "wrong"}}); err == nil {
		t.Error("a wrong password was accepted")
	}
	if _, err := mqtt.NewPublisher(t.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: url}}); err == nil {
		t.Error("no password was accepted")
	}
	new(receiver).run(t, mqtt.Broker{URL: url, Username: "gate", Password: "secret"})
}

func TestBusyPortIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = broker.Start(broker.Config{Dir: t.TempDir(), Listen: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "is another broker running? choose another port") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"1883", "127.0.0.1:http", "127.0.0.1:70000"} {
		if _, err := broker.Start(broker.Config{Dir: t.TempDir(), Listen: bad}); err == nil {
			t.Errorf("listens on %q", bad)
		}
	}
}
