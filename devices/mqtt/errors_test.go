package mqtt

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// passwords makes the text of a password file.
func passwords(t testing.TB, user, password string) string {
	t.Helper()
	path := file(t, "passwords", "")
	if out, err := exec.Command("mosquitto_passwd", "-b", path, user, password).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	return read(t, path)
}

func TestErrorsSayWhatToDo(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{
		Closed: true, Config: "password_file {{dir}}/passwords\n",
		Files: map[string]string{"passwords": passwords(t, "facilityd", "right")},
	})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for _, tc := range []struct {
		what string
		b    Broker
		want []string
	}{
		{"wrong password", Broker{URL: broker.URL(), Username: "facilityd", Password: "wrong"}, []string{`refused user "facilityd"`, "ot authorized", "check user name, password and the broker's access list"}},
		{"password in the address", Broker{URL: "mqtt://facilityd:wrong@" + broker.Addr}, []string{`refused user "facilityd"`}},
		{"no user", Broker{URL: broker.URL()}, []string{"refused a connection without a user"}},
		{"no password file", Broker{URL: broker.URL(), Username: "facilityd", PasswordFile: "/does/not/exist"}, []string{"read password file"}},
		{"nobody there", Broker{URL: "mqtt://" + free.Addr().String()}, []string{"nobody listens there", "is the broker running"}},
		{"TLS to a plain port", Broker{URL: "mqtts://" + broker.Addr}, []string{"TLS"}},
		{"no such host", Broker{URL: "mqtt://does-not-exist.invalid"}, []string{"its name is not known"}},
	} {
		got := connectError(t, tc.b)
		for _, want := range tc.want {
			if !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
				t.Errorf("%s: %q lacks %q", tc.what, got, want)
			}
		}
		if strings.Contains(got, "wrong@") || strings.Contains(got, ":wrong") {
			t.Errorf("%s: the password is in the message: %s", tc.what, got)
		}
	}

	s := new(sink)
	cfg := config(t, broker.URL(), s)
	cfg.Broker.Username, cfg.Broker.PasswordFile = "facilityd", file(t, "password", "right\n")
	c, _ := run(t, cfg)
	connected(t, c)
}

func TestSettingsAreChecked(t *testing.T) {
	s := new(sink)
	for what, change := range map[string]func(*Config){
		"no topic filter":        func(c *Config) { c.Filters = nil },
		"# stands alone":         func(c *Config) { c.Filters = []string{"a/#/b"} },
		"+ stands alone":         func(c *Config) { c.Filters = []string{"a/b+"} },
		"no client id":           func(c *Config) { c.Broker.ClientID = "" },
		"write it as mqtt://":    func(c *Config) { c.Broker.URL = "broker:1883" },
		"use 0, 1 or 2":          func(c *Config) { c.QoS = 3 },
		"no place to put":        func(c *Config) { c.Open = nil },
		"is empty or too long":   func(c *Config) { c.Filters = []string{""} },
		"write it as mqtt://hos": func(c *Config) { c.Broker.URL = "http://u:secret@host" },
	} {
		cfg := config(t, "mqtt://127.0.0.1", s)
		change(&cfg)
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in the message: %v", err)
		}
	}
}
