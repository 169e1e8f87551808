package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"facilityd": main})
}

// TestProfileScripts runs the command line by scripts. What the guide tells its
// reader to type stands in them word for word, and so does its profile.
func TestProfileScripts(t *testing.T) {
	guide, err := os.ReadFile("../../configs/profiles/GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "```yaml\n")
	final, _, _ := strings.Cut(rest, "```")
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/profile",
		Setup: func(env *testscript.Env) error {
			env.Setenv("BROKER", broker.URL())
			dir := filepath.Join(env.WorkDir, "my-profiles")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "hydroq-booster.yaml"), []byte(final), 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"device": startDevice(broker.URL())},
	})
}

// startDevice publishes like a pump controller until the script ends.
func startDevice(url string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, topics []string) {
		opts := paho.NewClientOptions().AddBroker(strings.Replace(url, "mqtt://", "tcp://", 1))
		client := paho.NewClient(opts)
		if token := client.Connect(); token.Wait() && token.Error() != nil {
			ts.Fatalf("connect: %v", token.Error())
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				topic := topics[n%len(topics)]
				client.Publish(topic, 0, false, fmt.Sprintf(`{"ts":%d,"run":1,"press_out":%d,"temp_brg":535,"kwh_total":%d}`, time.Now().Unix(), 4100+n%30, 1200+n))
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		}()
		ts.Defer(func() {
			stop()
			<-done
			client.Disconnect(100)
		})
	}
}

// TestGuideIsTested keeps guide and script together.
func TestGuideIsTested(t *testing.T) {
	guideIsTested(t, "../../configs/profiles/GUIDE.md", "testdata/profile/add-a-device.txtar")
}

// guideIsTested looks every command of a guide up in the script that follows it.
func guideIsTested(t *testing.T, guideFile, scriptFile string) {
	t.Helper()
	guide, err := os.ReadFile(guideFile)
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(scriptFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(guide)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
		if !ok || strings.HasPrefix(command, "facilityd reload") {
			continue
		}
		want := strings.NewReplacer("mqtt://127.0.0.1:1883", "$BROKER").Replace(command)
		if !strings.Contains(string(script), "exec "+want) {
			t.Errorf("no script runs %q", command)
		}
	}
}
