package journal

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/facilityd/facilityd/devices"
)

// TestExistingServer: the journal on a NATS server that is not ours takes the same
// path, with the payload limit and the settings that such a server has by default.
func TestExistingServer(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		Username: "facilityd", Password: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("server is not ready")
	}
	cfg := quiet(t, "")
	cfg.URL = strings.Replace(srv.ClientURL(), "://", "://facilityd:secret@", 1)
	j := open(t, cfg)
	w, stop := running(t, j, "Hafen 7") // a name that is no subject token
	committed := make(chan int, 4)
	src := w.Source("main", func(n int) { committed <- n })
	large := devices.Message{Topic: "a", Payload: make([]byte, 800<<10), QoS: 1, PacketID: 1}
	tooLarge := devices.Message{Topic: "a", Payload: make([]byte, maxMessage), QoS: 1, PacketID: 2}
	small := message(3)
	for _, m := range []*devices.Message{&large, &tooLarge, &small} {
		if !src.Offer(m) {
			t.Fatal("refused")
		}
	}
	for n := 0; n < 3; {
		n += <-committed
	}
	b, err := j.Bucket(t.Context(), "Hafen 7")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "checkpoint", make([]byte, 3<<20), w.Epoch()); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Get(t.Context(), "checkpoint"); len(v) != 3<<20 || err != nil {
		t.Errorf("%d bytes, %v", len(v), err)
	}
	stop()
	n := 0
	for _, r := range read(t, j, "Hafen 7", 1) {
		if r.Site != "Hafen 7" {
			t.Errorf("site %q", r.Site)
		}
		n += len(r.Messages)
	}
	if n != 2 {
		t.Errorf("%d messages are in the journal, want 2", n)
	}
	if got := value(t, j.metrics.Rejected.WithLabelValues("Hafen 7", "main", "too_large")); got != 1 {
		t.Errorf("%v messages rejected as too large", got)
	}
	if sites, err := j.Sites(t.Context()); err != nil || len(sites) != 1 || sites[0] != "Hafen 7" {
		t.Errorf("sites %q, %v", sites, err)
	}
}
