package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

type deviceView struct {
	ID     string `json:"id"`
	Points []struct {
		Name    string    `json:"name"`
		Value   *float64  `json:"value"`
		Quality string    `json:"quality"`
		Time    time.Time `json:"time"`
	} `json:"points"`
}

// TestBadMessagesHarmNobody sends what devices and attackers send: each is
// counted with its reason, none stops the messages beside it.
func TestBadMessagesHarmNobody(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: "message_size_limit 0\n"})
	dir := write(t, map[string]string{
		"facilityd.yaml": "data: {{dir}}/data\nlisten: 127.0.0.1:0\nbroker: {url: " + broker.URL() + ", topics: [\"#\"]}\njournal: {reserve: 64MB}\n",
	})
	d := Start(t, program, "run", "--config", filepath.Join(dir, "facilityd.yaml"))
	p, err := mqtt.NewPublisher(t.Context(), mqtt.PublisherConfig{Broker: mqtt.Broker{URL: broker.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(topic, payload string) {
		t.Helper()
		if err := p.Publish(t.Context(), topic, []byte(payload), false); err != nil {
			t.Fatal(err)
		}
	}
	const topic = "facility/pump/p1/telemetry"
	send("nobody/knows/this", `{"a":1}`)
	send(topic, `{"bearing_temp":`)
	send(topic, strings.Repeat("[", 100_000))
	send(topic, string(bytes.Repeat([]byte("x"), 10<<20)))
	send(topic, `{"bearing_temp":"NaN"}`)
	send(topic, `{"bearing_temp":1e999}`)
	send(topic, "\xff\xfe\x00")
	send(topic, "")
	send(topic, `{"time":"2036-01-01T00:00:00Z","flow":7}`)
	send(topic, `{"bearing_temp":51.5}`)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var dev deviceView
	d.Until("the good message after the bad ones is decoded", func() bool {
		status, _, err := d.get("/api/v1/devices/p1")
		if err != nil || status != 200 {
			return false
		}
		d.Get("/api/v1/devices/p1", &dev)
		for _, pt := range dev.Points {
			if pt.Name == "bearing_temp" && pt.Value != nil && *pt.Value == 51.5 && pt.Quality == "good" {
				return true
			}
		}
		return false
	})
	for _, pt := range dev.Points {
		if pt.Time.After(time.Now().Add(10 * time.Minute)) {
			t.Errorf("%s has the time %v of a clock in 2036", pt.Name, pt.Time)
		}
	}
	if n := d.Metric("facilityd_mqtt_rejected_messages_total", "reason", "too_large"); n != 1 {
		t.Errorf("%v messages were refused as too large, want 1", n)
	}
	for outcome, atLeast := range map[string]float64{"unmatched": 1, "failed": 3} {
		if n := d.Metric("facilityd_profile_messages_total", "outcome", outcome); n < atLeast {
			t.Errorf("%v messages are counted as %s, want at least %v", n, outcome, atLeast)
		}
	}
	var accounting map[string]struct {
		Sources []struct {
			Received, Journaled, Balance int64
		}
		Devices []struct{ Balance int64 }
	}
	d.Get("/api/v1/accounting", &accounting)
	for site, a := range accounting {
		for _, s := range a.Sources {
			if s.Balance != 0 || s.Received == 0 {
				t.Errorf("site %s: %+v does not balance", site, s)
			}
		}
		for _, v := range a.Devices {
			if v.Balance != 0 {
				t.Errorf("site %s: a device does not balance: %+v", site, v)
			}
		}
	}
	if err := d.Stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

// TestWhatCannotStartSaysWhyAndWhatToDo reads the messages that a person gets.
func TestWhatCannotStartSaysWhyAndWhatToDo(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := Start(t, program, "run", "--data", filepath.Join(dir, "taken"), "--listen", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	defer running.Kill()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"run", "--data", filepath.Join(file, "x"), "--listen", "127.0.0.1:0"}, []string{"make data directory", "not a directory", "--data"}},
		{[]string{"run", "--data", filepath.Join(dir, "a"), "--listen", busy.Addr().String(), "--mqtt", "127.0.0.1:0"}, []string{"address already in use", "--listen"}},
		{[]string{"run", "--data", filepath.Join(dir, "b"), "--listen", "127.0.0.1:0", "--mqtt", busy.Addr().String()}, []string{"address already in use"}},
		{[]string{"run", "--data", filepath.Join(dir, "taken"), "--listen", "127.0.0.1:0"}, []string{"already running", "--data"}},
		{[]string{"run", "--config", filepath.Join(dir, "missing.yaml")}, []string{"missing.yaml", "no such file"}},
		{[]string{"run", "--mqtt", "0.0.0.0:1883"}, []string{"can be reached from other machines", "embedded_broker.user"}},
		{[]string{"reload", "--data", filepath.Join(dir, "nobody")}, []string{"no facilityd is running"}},
		{[]string{"demo", "--speed", "0"}, []string{"--speed is 0", "1 to 3600"}},
	} {
		out, err := exec.Command(program, c.args...).CombinedOutput()
		if err == nil {
			t.Errorf("%v ended well:\n%s", c.args, out)
		}
		for _, w := range c.want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%v says nothing of %q:\n%s", c.args, w, out)
			}
		}
		if n := bytes.Count(bytes.TrimSpace(out), []byte("\n")); n > 3 {
			t.Errorf("%v says more than a person reads:\n%s", c.args, out)
		}
	}
}

// TestWrongPasswordsAreSaidAndTheRestGoesOn: a broker that refuses us and an
// InfluxDB that does not know our token leave board and journal working, and no
// secret is in the log.
func TestWrongPasswordsAreSaidAndTheRestGoesOn(t *testing.T) {
	passwords := filepath.Join(t.TempDir(), "passwords")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, "facilityd", "right").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Mosquitto reads it as a user of its own.
	if err := os.Chmod(passwords, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(passwords), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(passwords)), 0o755); err != nil {
		t.Fatal(err)
	}
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: "allow_anonymous false\npassword_file " + passwords + "\n"})
	dir := write(t, map[string]string{
		"facilityd.yaml": "data: {{dir}}/data\nlisten: 127.0.0.1:0\njournal: {reserve: 64MB}\n" +
			"broker: {url: " + broker.URL() + ", user: facilityd, password: hunter2}\n" +
			"influxdb: {url: http://127.0.0.1:1, token: hunter3, org: o, bucket: b}\n",
	})
	d := startUnready(t, program, "run", "--config", filepath.Join(dir, "facilityd.yaml"))
	d.Until("the refusal is said", func() bool {
		return strings.Contains(d.Log(), "facilityd") && strings.Contains(strings.ToLower(d.Log()), "not authori")
	})
	if status, body, err := d.get("/readyz"); err != nil || status != 503 || !strings.Contains(strings.ToLower(string(body)), "not authori") {
		t.Errorf("readyz: %d %s %v", status, body, err)
	}
	if status, _, err := d.get("/healthz"); err != nil || status != 200 {
		t.Errorf("healthz: %d %v", status, err)
	}
	if status, _, err := d.get("/"); err != nil || status != 200 {
		t.Errorf("board: %d %v", status, err)
	}
	if log := d.Log(); strings.Contains(log, "hunter") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

// startUnready starts a daemon that is not expected to become ready.
func startUnready(tb testing.TB, program string, args ...string) *Daemon {
	tb.Helper()
	d := &Daemon{tb: tb, program: program, args: args}
	tb.Cleanup(d.Kill)
	d.Launch()
	d.Until("facilityd listens", func() bool { return d.Address("board") != "" })
	return d
}
