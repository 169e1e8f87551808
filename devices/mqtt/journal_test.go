package mqtt_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// an intake is a connection with a journal behind it, as the daemon wires them.
type intake struct {
	j          *journal.Journal
	w          *journal.Writer
	c          *mqtt.Connection
	stopMQTT   func()
	stopWriter func()
	mute       atomic.Bool // from here on nothing is acknowledged
}

func startIntake(t *testing.T, dir, url string) *intake {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	i := new(intake)
	var err error
	if i.j, err = journal.Open(journal.Config{Dir: dir, Reserve: -1, Log: log}); err != nil {
		t.Fatal(err)
	}
	if i.w, err = i.j.Writer(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	i.c, err = mqtt.New(mqtt.Config{
		Name: "main", Broker: mqtt.Broker{URL: url, ClientID: "facilityd"}, Filters: []string{"site/#"}, QoS: 1,
		Open: func(committed func(int)) func(*devices.Message) bool {
			return i.w.Source("main", func(n int) {
				if !i.mute.Load() {
					committed(n)
				}
			}).Offer
		},
		Link: func(up bool, reason string) { i.w.Link("main", up, reason) }, Ready: i.w.Ready,
		MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	i.stopMQTT = running(func(ctx context.Context) { i.c.Run(ctx) })
	i.stopWriter = running(func(ctx context.Context) { i.w.Run(ctx) })
	return i
}

func running(f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	return func() { cancel(); <-done }
}

// TestEqualEventsAreKeptAndRedeliveriesMarked: a sequence of equal events (a door
// that reports the same fault again and again) goes through a broker that is
// stopped, connections that are cut and a writer that stops between the flush and
// the acknowledgement. Without what is marked as redelivered, the journal holds
// exactly what was sent, in its order.
func TestEqualEventsAreKeptAndRedeliveriesMarked(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	dir := t.TempDir()
	i := startIntake(t, dir, broker.URL())
	deadline := time.Now().Add(2 * time.Minute)
	for i.c.Status().State != mqtt.Connected {
		if time.Now().After(deadline) {
			t.Fatal("not connected in time")
		}
		time.Sleep(time.Millisecond)
	}
	p, err := mqtt.NewPublisher(t.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: broker.URL()}, InFlight: 1})
	if err != nil {
		t.Fatal(err)
	}
	const events = 3000
	sent := make(chan error, 1)
	go func() {
		for n := range events {
			// Equal texts in a row: only packet ids tell them apart.
			if err := p.Publish(context.Background(), "site/door", fmt.Appendf(nil, "fault %d", n/100), false); err != nil {
				sent <- err
				return
			}
		}
		sent <- p.Close(context.Background())
	}()
	for k := range 6 {
		// At any record, while there is something to come. In the end some are in
		// the journal whose acknowledgement never leaves, as when the process is
		// killed between the two.
		i.mute.Store(k%3 != 2)
		_, before, _, err := i.j.Bounds(t.Context(), "demo")
		if err != nil {
			t.Fatal(err)
		}
		for target, last := before+uint64(random.IntN(30)), before; last < target; {
			if n, _ := p.Confirmed(); n == events {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the journal does not grow")
			}
			if _, last, _, err = i.j.Bounds(t.Context(), "demo"); err != nil {
				t.Fatal(err)
			}
		}
		if k%2 == 0 {
			// The writer goes first: what it holds is neither written nor
			// acknowledged, and what it has written may not be acknowledged.
			i.stopWriter()
			i.stopMQTT()
		} else {
			i.stopMQTT()
			i.stopWriter()
		}
		i.j.Close()
		i = startIntake(t, dir, broker.URL())
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	reader, err := i.j.Read(t.Context(), "demo", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, marked := 0, 0
	for n < events {
		r, err := reader.Next(ctx)
		if err != nil {
			t.Fatalf("%d of %d events are in the journal, %d marked: %v", n, events, marked, err)
		}
		for _, m := range r.Messages {
			if m.Redelivered {
				marked++
				continue
			}
			if want := fmt.Sprintf("fault %d", n/100); string(m.Payload) != want {
				t.Fatalf("event %d is %q, want %q", n, m.Payload, want)
			}
			n++
		}
	}
	t.Logf("%d redeliveries were marked", marked)
	if marked == 0 {
		t.Error("no redelivery happened: the test shows nothing")
	}
	i.stopMQTT()
	i.stopWriter()
	_, last, _, err := i.j.Bounds(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	for reader.Position() <= last {
		r, err := reader.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Messages {
			if !m.Redelivered {
				t.Errorf("one event too many: %q", m.Payload)
			}
		}
	}
	i.j.Close()
}
