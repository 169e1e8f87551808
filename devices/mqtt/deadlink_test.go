package mqtt

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// proxy passes a TCP connection on, until it is told to swallow what comes from
// the broker: the connection stays open and nothing arrives, as behind a router
// that lost its memory.
func proxy(t testing.TB, to string) (addr string, swallow *atomic.Bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	swallow = new(atomic.Bool)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			t.Cleanup(func() { in.Close(); out.Close() })
			dead := swallow.Load() // of this connection, from its first byte
			go func() {
				io.Copy(out, in)
				out.Close()
			}()
			go func() {
				defer in.Close()
				buf := make([]byte, 4096)
				for {
					n, err := out.Read(buf)
					if err != nil {
						return
					}
					if dead || swallow.Load() {
						continue
					}
					if _, err := in.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), swallow
}

// TestDeadLinkIsNoticed: a link that swallows everything is ended, and mended when
// it can be.
func TestDeadLinkIsNoticed(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	addr, swallow := proxy(t, broker.Addr)
	s := new(sink)
	cfg := config(t, "mqtt://"+addr, s)
	cfg.KeepAlive, cfg.PingTimeout, cfg.ConnectTimeout = time.Second, 200*time.Millisecond, time.Second
	c, _ := run(t, cfg)
	connected(t, c)
	swallow.Store(true)
	eventually(t, "noticed", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.links) > 1 && strings.Contains(s.links[1], "pingresp not received")
	})
	swallow.Store(false)
	connected(t, c)
}

// TestOwnWatchOfTheLink: when the library's pipeline stands still it does not
// notice; the watch on the wire does.
func TestOwnWatchOfTheLink(t *testing.T) {
	cfg := config(t, "mqtt://127.0.0.1", new(sink))
	cfg.KeepAlive, cfg.PingTimeout = 20*time.Millisecond, 20*time.Millisecond
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	defer there.Close()
	se := newSession(c)
	w := newWire(here, testLimit, func(string, int) {})
	se.wire.Store(w)
	done := make(chan struct{})
	defer close(done)
	go se.watch(done)
	if _, err := io.ReadAll(w); err == nil {
		t.Error("the link ended by itself")
	}
	if reason := w.reason.Load(); reason == nil || !strings.Contains(*reason, "link is dead: nothing came for") {
		t.Errorf("reason %v", reason)
	}
}
