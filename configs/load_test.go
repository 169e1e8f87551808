package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSettingsFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	path := write(t, "facilityd.yaml", "listen: 127.0.0.1:1\nlog: {level: warn, format: json}\njournal: {max_age: 7d, reserve: 512MB}\n")
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags.String("listen", "", "")
	flags.String("data", "", "")
	if err := flags.Parse([]string{"--listen", "127.0.0.1:3"}); err != nil {
		t.Fatal(err)
	}
	env := []string{"FACILITYD_LISTEN=127.0.0.1:2", "FACILITYD_LOG_LEVEL=debug", "FACILITYD_INFLUXDB_TOKEN=geheim", "FACILITYD_BROKER_TOPICS=a/#,b/+"}
	e, list := LoadSettings(path, env, flags)
	if list.HasErrors() {
		t.Fatal(list)
	}
	if e.Listen != "127.0.0.1:3" || e.Log.Level != "debug" || e.Log.Format != "json" || e.Data != "data" {
		t.Errorf("listen %s, level %s, format %s, data %s", e.Listen, e.Log.Level, e.Log.Format, e.Data)
	}
	if time.Duration(e.Journal.MaxAge) != 7*24*time.Hour || e.Journal.Reserve != 512<<20 || len(e.Broker.Topics) != 2 {
		t.Errorf("%+v %v", e.Journal, e.Broker.Topics)
	}
	want := map[string]string{"listen": "--listen", "log.level": "FACILITYD_LOG_LEVEL", "log.format": path + ":2", "data": "default"}
	for _, v := range e.Values() {
		if strings.Contains(v.Value, "geheim") {
			t.Errorf("%s shows a secret", v.Key)
		}
		if o, ok := want[v.Key]; ok && o != v.Origin {
			t.Errorf("%s comes from %s, want %s", v.Key, v.Origin, o)
		}
	}
}

func TestSettingsErrorsNameThePlaceAndWhatWouldBeRight(t *testing.T) {
	cases := []struct{ text, env, want string }{
		{"lisen: x\n", "", `:1:1: error: unknown key "lisen" (did you mean "listen"?)`},
		{"journal:\n  sync: alway\n", "", `:2:9: error: journal.sync: found "alway" (did you mean "always"?)`},
		{"journal: {max_age: soon}\n", "", `:1:20: error: journal.max_age: "soon" is not a length of time; write 30s, 5m, 2h or 30d`},
		{"journal: {reserve: lots}\n", "", `"lots" is not a size; write 512KB, 100MB or 20GB`},
		{"", "FACILITYD_LISTENN=x", `environment: error: unknown setting FACILITYD_LISTENN (did you mean "FACILITYD_LISTEN"?)`},
		{"", "FACILITYD_LOG_LEVEL=loud", `FACILITYD_LOG_LEVEL: error: log.level: found "loud"`},
		{"embedded_broker: {listen: 0.0.0.0:1883}\n", "", `can be reached from other machines (set embedded_broker.user`},
		{"broker: {url: mqtt://u:p@h:1}\n", "", `holds a user or password`},
		{"broker: {url: http://h}\n", "", `found "http://h" (mqtt://host:1883, or mqtts://host:8883 with TLS)`},
		{"clock: {factor: 60}\n", "", `set clock.kind: estate to run faster`},
		{"brokers: [{url: mqtt://a, name: x}, {url: mqtt://b, name: x}]\n", "", `"x" is used twice`},
	}
	for _, c := range cases {
		var env []string
		if c.env != "" {
			env = []string{c.env}
		}
		_, list := LoadSettings(write(t, "f.yaml", c.text), env, nil)
		if err := list.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %s:\n got %v\nwant %s", c.text, c.env, err, c.want)
		} else if strings.Contains(err.Error(), "u:p@") {
			t.Errorf("secret in %v", err)
		}
	}
}

func TestSizesAndDurationsReadTheirOwnText(t *testing.T) {
	for _, in := range []string{"512KB", "1.5GB", "20GB", "100B"} {
		var a, b Size
		if err := a.UnmarshalText([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if err := b.UnmarshalText([]byte(a.String())); err != nil || a != b {
			t.Errorf("%s became %s: %v", in, a, err)
		}
	}
	for _, in := range []string{"30d", "90m", "1h30m", "250ms", "2w"} {
		var a, b Duration
		if err := a.UnmarshalText([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if err := b.UnmarshalText([]byte(a.String())); err != nil || a != b {
			t.Errorf("%s became %s: %v", in, a, err)
		}
	}
}

func TestLoopbackKnowsWhoCanReachAnAddress(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "localhost:80": true, "127.8.0.1:1": true,
		"0.0.0.0:80": false, ":80": false, "[::]:80": false, "10.0.0.1:80": false, "example": false,
	} {
		if Loopback(addr) != want {
			t.Errorf("Loopback(%q) = %v", addr, !want)
		}
	}
}

func TestVariablesOfProfilesAreSetPerSite(t *testing.T) {
	profiles := []File{{Name: "p.yaml", Data: []byte("profile: gate-x/1\ntitle: {en: X, zh: X}\nclass: gate\nvars: {base: plant}\nsources:\n  - topic: \"{base}/{device}\"\n    decode: json\n    points:\n      fault: {role: fault, path: fault}\ntests:\n  - topic: plant/g1\n    payload: '{\"fault\":true}'\n    expect: {fault: true}\n")}}
	compile := func(site string) (*Bundle, string) {
		b, list := Compile(&Content{Site: File{"s.yaml", []byte(site)}, Profiles: profiles})
		if err := list.Err(); err != nil {
			return b, err.Error()
		}
		return b, ""
	}
	b, problem := compile("site: x\nvars: {gate-x: {base: estate}}\n")
	if problem != "" {
		t.Fatal(problem)
	}
	if f := b.Profiles.Filters(); len(f) != 1 || f[0] != "estate/+" {
		t.Errorf("subscribes to %v", f)
	}
	if _, problem = compile("site: x\nvars: {gate-y: {base: estate}}\n"); !strings.Contains(problem, `did you mean "gate-x"?`) {
		t.Error(problem)
	}
}
