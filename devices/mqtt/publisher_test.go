package mqtt

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// TestConfirmedMeansConfirmed: while messages are published the broker is stopped
// and started several times. What counts as confirmed has arrived behind the
// broker, at least once and, looking at first copies, in order.
func TestConfirmedMeansConfirmed(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	s := new(sink)
	c, stop := run(t, config(t, broker.URL(), s))
	connected(t, c)
	p := publisher(t, broker.URL())

	const n = 40_000
	var restarts sync.WaitGroup
	restarts.Go(func() {
		for _, at := range []uint64{5_000, 15_000, 30_000} {
			eventually(t, "progress", func() bool { got, _ := p.Confirmed(); return got >= at })
			broker.Stop()
			broker.Start()
		}
	})
	for i := range n {
		publish(t, p, "site/pump", strconv.Itoa(i))
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	restarts.Wait()
	if got, failed := p.Confirmed(); got != n || failed != 0 {
		t.Errorf("confirmed %d, failed %d", got, failed)
	}
	eventually(t, "the last message", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.messages) > 0 && string(s.messages[len(s.messages)-1].Payload) == strconv.Itoa(n-1)
	})
	stop()
	first := make([]bool, n)
	next, copies := 0, 0
	for _, text := range s.payloads() {
		i, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if first[i] {
			copies++
			continue
		}
		first[i] = true
		if i != next {
			t.Fatalf("%d comes when %d is due", i, next)
		}
		next++
	}
	if next != n {
		t.Errorf("%d of %d arrived", next, n)
	}
	t.Logf("%d copies", copies)
}

// TestPoisonIsGivenUp: a message that the broker answers by closing the connection
// is not sent for ever.
func TestPoisonIsGivenUp(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	p := publisher(t, broker.URL())
	publish(t, p, "site/pump", "good")
	publish(t, p, "site/+", "a topic with a wildcard closes the connection")
	err := p.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"site/+"`) {
		t.Errorf("want an error that names the topic, got %v", err)
	}
	if n, failed := p.Confirmed(); n != 1 || failed != 1 {
		t.Errorf("confirmed %d, failed %d", n, failed)
	}
	if err := p.Publish(t.Context(), "site/pump", nil, false); err == nil {
		t.Error("a publisher that gave up takes messages")
	}
}

func TestPublisherEndsWithItsContexts(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	p, err := NewPublisher(t.Context(), PublisherConfig{Broker: Broker{URL: broker.URL()}, InFlight: 10})
	if err != nil {
		t.Fatal(err)
	}
	broker.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waiting sync.WaitGroup
	waiting.Go(func() { // the window is full, Publish waits
		eventually(t, "a full window", func() bool { return len(p.in) == cap(p.in) })
		cancel()
	})
	sent := 0
	for ; err == nil && sent < 1000; sent++ {
		err = p.Publish(ctx, "site/pump", nil, false)
	}
	waiting.Wait()
	if err == nil || sent > 100 {
		t.Errorf("%d messages taken without a broker: %v", sent, err)
	}
	if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "not confirmed") {
		t.Errorf("want what is not confirmed, got %v", err)
	}
}

func BenchmarkPublisher(b *testing.B) {
	broker := mosquittotest.Start(b, mosquittotest.Options{Config: mosquittotest.ForLoad})
	p, err := NewPublisher(b.Context(), PublisherConfig{Broker: Broker{URL: broker.URL()}})
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Publish(b.Context(), "facility/pump/load-000123/telemetry", payload, false); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
