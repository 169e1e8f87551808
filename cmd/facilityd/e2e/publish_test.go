package e2e

import (
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/facilityd/facilityd/devices/simulator/load"
)

// publisher sends a numbered load in rounds, one message of each device per round
// with QoS 1, and knows when the broker has taken all of them.
type publisher struct {
	t      *testing.T
	url    string
	name   string
	client paho.Client
	tokens []paho.Token
}

func newPublisher(t *testing.T, url, name string) *publisher {
	p := &publisher{t: t, url: url, name: name}
	p.connect()
	t.Cleanup(func() { p.client.Disconnect(0) })
	return p
}

// connect connects anew, also after the broker was restarted.
func (p *publisher) connect() {
	p.t.Helper()
	if p.client != nil {
		p.client.Disconnect(0)
	}
	p.client = paho.NewClient(paho.NewClientOptions().AddBroker(p.url).SetClientID(p.name).
		SetCleanSession(true).SetAutoReconnect(false).SetConnectTimeout(patience).SetOrderMatters(false))
	p.wait(p.client.Connect())
}

// bursts is in how many bursts a round is sent, spread over its second.
const bursts = 20

// round sends the message of that number of every device over the next second,
// and waits until the broker has acknowledged them: what it then has on its hands
// is facilityd's to fetch.
func (p *publisher) round(g *load.Generator, seq int, ticks <-chan time.Time) {
	p.t.Helper()
	for device := range g.Devices() {
		if device%(g.Devices()/bursts) == 0 {
			<-ticks
		}
		payload := g.Append(nil, device, seq)
		p.tokens = append(p.tokens, p.client.Publish(g.Topic(device), 1, false, payload))
	}
	for _, token := range p.tokens {
		p.wait(token)
	}
	p.tokens = p.tokens[:0]
}

func (p *publisher) wait(token paho.Token) {
	p.t.Helper()
	select {
	case <-token.Done():
	case <-time.After(patience):
		p.t.Fatalf("%s got no answer from the broker in %v", p.name, patience)
	}
	if err := token.Error(); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}
