package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// A plant is a handful of pumps that go on telling how they are, each in a
// message of its own with its own time and number, until the test ends. What it
// tells is what a test has set last.
type plant struct {
	t      *testing.T
	client paho.Client
	stop   chan struct{}
	ended  chan struct{}

	mu    sync.Mutex
	pumps map[string]map[string]float64 // device → point → value
	since map[string]time.Time          // device → time of its first reading after the last set
	seq   int
}

// shakesRule is a rule for pumps of the plant, told with vibration_rms.
const shakesRule = `  - id: shakes
    title: {en: Pump shakes, zh: 水泵振动}
    fault_class: pump.bearing
    class: pump
    source: {text: the test says when, mark: j}
    severity: high
    when: vibration_rms > 7 mm/s
    for: 1s
    clear: vibration_rms < 5 mm/s
    clear_for: 1s
`

// plantEvery is how often every pump tells.
const plantEvery = 250 * time.Millisecond

func newPlant(t *testing.T, url string) *plant {
	t.Helper()
	p := &plant{
		t: t, stop: make(chan struct{}), ended: make(chan struct{}),
		pumps: make(map[string]map[string]float64), since: make(map[string]time.Time),
	}
	p.client = paho.NewClient(paho.NewClientOptions().AddBroker(url).SetClientID("plant").SetConnectTimeout(patience).SetOrderMatters(false))
	if token := p.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("the plant cannot connect: %v", token.Error())
	}
	t.Cleanup(func() {
		close(p.stop)
		<-p.ended
		p.client.Disconnect(0)
	})
	go p.live()
	return p
}

// set changes what a pump tells of some points, and forgets when it last did.
func (p *plant) set(device string, points map[string]float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pumps[device] == nil {
		p.pumps[device] = make(map[string]float64)
	}
	maps.Copy(p.pumps[device], points)
	delete(p.since, device)
}

// still makes a pump tell nothing until it is set again.
func (p *plant) still(device string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pumps, device)
}

// told is the time of the first reading after the last set.
func (p *plant) told(device string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since[device]
}

func (p *plant) live() {
	defer close(p.ended)
	tick := time.NewTicker(plantEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.tell()
	}
}

func (p *plant) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	now := time.Now().UTC().Truncate(time.Millisecond)
	for device, points := range p.pumps {
		message := map[string]any{"time": now, "pulse_count": p.seq}
		for point, value := range points {
			message[point] = value
		}
		payload, err := json.Marshal(message)
		if err != nil {
			p.t.Error(err)
			return
		}
		if p.since[device].IsZero() {
			p.since[device] = now
		}
		p.client.Publish(fmt.Sprintf("facility/pump/%s/telemetry", device), 1, false, payload)
	}
}
