package mqtt

import (
	"testing"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

func TestHowManyMessagesABrokerKeeps(t *testing.T) {
	for _, tc := range []struct {
		config string
		want   int
	}{
		{"", 1000}, // Mosquitto's default
		{mosquittotest.ForLoad, 1100},
	} {
		broker := mosquittotest.Start(t, mosquittotest.Options{Config: tc.config})
		kept, err := KeepsQueued(t.Context(), Broker{URL: broker.URL()}, 1100)
		if kept != tc.want || err != nil {
			t.Errorf("kept %d, %v; want %d", kept, err, tc.want)
		}
	}
}
