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

// round sends the message of that number of every device.
func (p *publisher) round(g *load.Generator, seq int) {
	for device := range g.Devices() {
		payload := g.Append(nil, device, seq)
		p.tokens = append(p.tokens, p.client.Publish(g.Topic(device), 1, false, payload))
	}
}

// settle waits until the broker has acknowledged everything: what it then has on
// its hands is facilityd's to fetch.
func (p *publisher) settle() {
	p.t.Helper()
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
