package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// KeepsQueued finds out how many QoS 1 messages a broker keeps for a client that
// is away: it makes a session of its own, goes, publishes n small messages to a
// topic of its own below "facilityd/check/", comes back and counts. It removes the
// session at the end. With 1,100 it tells Mosquitto's default (1,000) from a queue
// that is long enough:
//
//	persistence true
//	max_queued_messages 0
//	max_inflight_messages 1000
//
// Whether the broker keeps them over its own restart cannot be seen from outside.
func KeepsQueued(ctx context.Context, b Broker, n int) (kept int, err error) {
	var random [6]byte
	rand.Read(random[:])
	b.ClientID = "facilityd-check-" + hex.EncodeToString(random[:])
	topic := "facilityd/check/" + hex.EncodeToString(random[:])
	var count atomic.Int64
	session := func(clean bool) (client paho.Client, err error) {
		o, u, err := b.options(10 * time.Second)
		if err != nil {
			return nil, err
		}
		o.SetCleanSession(clean).SetAutoReconnect(false).SetStore(noStore{}).
			SetDefaultPublishHandler(func(paho.Client, paho.Message) { count.Add(1) })
		client = paho.NewClient(o)
		if t := client.Connect(); t.Wait() && t.Error() != nil {
			user, _, _ := b.credentials(u)
			return nil, explainConnect(t.Error(), u, user, b)
		}
		return client, nil
	}
	away, err := session(false)
	if err != nil {
		return 0, err
	}
	defer func() {
		if clean, cleanErr := session(true); cleanErr == nil { // removes what is kept
			clean.Disconnect(250)
		}
	}()
	if err := subscribe(away, []string{topic}, 1, 10*time.Second); err != nil {
		return 0, err
	}
	away.Disconnect(250)

	at := b
	at.ClientID = ""
	p, err := NewPublisher(ctx, PublisherConfig{Broker: at})
	if err != nil {
		return 0, err
	}
	end := sync.OnceValue(func() error { return p.Close(ctx) })
	defer end()
	for range n {
		if err := p.Publish(ctx, topic, []byte("check"), false); err != nil {
			return 0, err
		}
	}
	if err := end(); err != nil {
		return 0, fmt.Errorf("publish to %s: %w", topic, err)
	}
	back, err := session(false)
	if err != nil {
		return 0, err
	}
	defer back.Disconnect(250)
	// Nothing says that the queue is empty: it is when nothing has come for a while.
	for last, since := int64(-1), time.Now(); time.Since(since) < 2*time.Second; {
		if got := count.Load(); got != last {
			if last, since = got, time.Now(); got >= int64(n) {
				break
			}
		}
		select {
		case <-ctx.Done():
			return int(count.Load()), ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return int(count.Load()), nil
}
