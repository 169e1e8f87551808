package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// TestCheckWarnsOfABrokerThatForgets: Mosquitto as it is shipped keeps too little
// for a client that is away; with the settings of the guide nothing is said.
func TestCheckWarnsOfABrokerThatForgets(t *testing.T) {
	for settings, warned := range map[string]bool{"": true, mosquittotest.ForLoad: false} {
		broker := mosquittotest.Start(t, mosquittotest.Options{Config: settings})
		out, err := exec.Command(program, "check", "--broker", broker.URL(), "--probe-broker").CombinedOutput()
		if err != nil {
			t.Errorf("check: %v\n%s", err, out)
		}
		if strings.Contains(string(out), "drops the rest") != warned {
			t.Errorf("with %q check says:\n%s", settings, out)
		}
	}
}
