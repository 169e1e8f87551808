package mqtt

import (
	"fmt"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// CountOnly subscribes with the plain library, its own settings and its own
// acknowledgements, and only counts. It is what the speed of everything else is
// measured against: `facilityd bench` and this package's benchmark.
func CountOnly(b Broker, filter string, n *atomic.Int64) (stop func(), err error) {
	o, u, err := b.options(10 * time.Second)
	if err != nil {
		return nil, err
	}
	o.SetCleanSession(false).SetDefaultPublishHandler(func(paho.Client, paho.Message) { n.Add(1) })
	client := paho.NewClient(o)
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		return nil, explainConnect(t.Error(), u, b.Username, b)
	}
	if t := client.Subscribe(filter, 1, nil); t.Wait() && t.Error() != nil {
		return nil, fmt.Errorf("subscribe: %w", t.Error())
	}
	return func() { client.Disconnect(250) }, nil
}
