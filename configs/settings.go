package configs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Settings are the daemon's own: where it listens, which brokers it reads,
// where it keeps things. Defaults are in DefaultSettings; the same names are
// used in the file, as environment variables (FACILITYD_JOURNAL_SYNC) and, for
// the most used ones, as flags.
type Settings struct {
	Data     string   `yaml:"data" doc:"directory of journal, database and checkpoints"`
	Listen   string   `yaml:"listen" doc:"address of board, API and metrics; beyond loopback every request needs a token"`
	Language string   `yaml:"language" doc:"language of the board when the browser does not ask for one: en or zh"`
	Sites    []string `yaml:"sites" doc:"site files, relative to this file"`
	People   string   `yaml:"people" doc:"file of persons, rotas, escalation and channels; empty: nobody is told, orders are on the board only"`
	BoardURL string   `yaml:"board_url" doc:"address at which people open the board, for links in messages; empty: messages have none"`
	Log      Log      `yaml:"log"`
	Clock    Clock    `yaml:"clock"`
	Broker   Broker   `yaml:"broker"`
	Brokers  []Broker `yaml:"brokers" doc:"several brokers, each with a name and a site; instead of broker"`
	Embedded Embedded `yaml:"embedded_broker"`
	Journal  Journal  `yaml:"journal"`
	Database Database `yaml:"database"`
	InfluxDB InfluxDB `yaml:"influxdb"`
	Profiles Folder   `yaml:"profiles"`
	Rules    Folder   `yaml:"rules"`
	Devices  Devices  `yaml:"devices"`
}

// Log says how the daemon reports.
type Log struct {
	Format string `yaml:"format" doc:"text or json"`
	Level  string `yaml:"level" doc:"debug, info, warn or error"`
}

// Clock is the machine's, or an estate clock for demo, replay and tests.
type Clock struct {
	Kind   string  `yaml:"kind" doc:"machine, or estate: starts at start and runs factor times as fast"`
	Start  string  `yaml:"start" doc:"RFC 3339 time at which the estate clock starts; empty: now"`
	Factor float64 `yaml:"factor" doc:"estate seconds per second"`
}

// Broker is one MQTT 3.1.1 broker that the daemon reads.
type Broker struct {
	Name         string   `yaml:"name" doc:"name in logs and metrics"`
	URL          string   `yaml:"url" doc:"mqtt://host:1883 or mqtts://host:8883; empty: the embedded broker is started"`
	Site         string   `yaml:"site" doc:"site whose devices publish here; may be left out when there is one site"`
	ClientID     string   `yaml:"client_id" doc:"fixed client id of the persistent session"`
	User         string   `yaml:"user"`
	Password     Secret   `yaml:"password"`
	PasswordFile string   `yaml:"password_file"`
	CA           string   `yaml:"ca" doc:"PEM file of the authority that signed the broker's certificate; empty: the system's"`
	Cert         string   `yaml:"cert" doc:"PEM file of the client certificate"`
	Key          string   `yaml:"key" doc:"PEM file of the client key"`
	Topics       []string `yaml:"topics" doc:"topic filters; empty: what the profiles need"`
	KeepAlive    Duration `yaml:"keep_alive"`
	MaxMessage   Size     `yaml:"max_message" doc:"larger messages are refused on the connection"`
}

// Embedded is the broker that runs in the process when none is configured.
type Embedded struct {
	Listen   string `yaml:"listen" doc:"beyond loopback a user and a password are required"`
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

// Journal is where everything that was received is kept.
type Journal struct {
	Sync string `yaml:"sync" doc:"always: acknowledged means on disk; interval: a power cut may lose the last seconds"`
	// MaxAge: an engine that is rebuilt from the journal should know what the shipped
	// rules look back on, which is 31 days at most.
	MaxAge  Duration `yaml:"max_age"`
	MaxSize Size     `yaml:"max_size"`
	Reserve Size     `yaml:"reserve" doc:"intake stops when less disk is free"`
	URL     string   `yaml:"url" doc:"nats://… of an existing cluster; empty: embedded"`
}

// Database holds work orders.
type Database struct {
	URL Secret `yaml:"url" doc:"postgres://…; empty: SQLite in the data directory"`
}

// InfluxDB takes the history of readings. It is off without a URL.
type InfluxDB struct {
	URL       string `yaml:"url"`
	Org       string `yaml:"org"`
	Bucket    string `yaml:"bucket"`
	Token     Secret `yaml:"token"`
	TokenFile string `yaml:"token_file"`
}

// Folder is where a user's own files of one kind are.
type Folder struct {
	Dir     string `yaml:"dir" doc:"directory of own files, beside the shipped ones"`
	Shipped bool   `yaml:"shipped" doc:"use the shipped ones too"`
}

// Devices says what the daemon may do towards devices.
type Devices struct {
	Publish bool `yaml:"publish" doc:"allow profiles to publish (rebirth requests, keep-alives)"`
}

// DefaultSettings returns what holds when nothing is said.
func DefaultSettings() Settings {
	return Settings{
		Data: "data", Listen: "127.0.0.1:8080", Language: "en",
		Log:      Log{Format: "text", Level: "info"},
		Clock:    Clock{Kind: "machine", Factor: 1},
		Broker:   DefaultBroker(),
		Embedded: Embedded{Listen: "127.0.0.1:1883"},
		Journal: Journal{
			Sync: "always", MaxAge: Duration(35 * 24 * time.Hour), MaxSize: 20 << 30, Reserve: 1 << 30,
		},
		InfluxDB: InfluxDB{Bucket: "facilityd"},
		Profiles: Folder{Shipped: true},
		Rules:    Folder{Shipped: true},
	}
}

// DefaultBroker returns what holds for a broker of which nothing is said.
func DefaultBroker() Broker {
	return Broker{Name: "broker", ClientID: "facilityd", KeepAlive: Duration(30 * time.Second), MaxMessage: 512 << 10}
}

// Duration is a length of time in human units: 500ms, 30s, 5m, 2h, 30d, 2w.
type Duration time.Duration

// UnmarshalText reads the human form.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			f, err := strconv.ParseFloat(n, 64)
			if err != nil || f < 0 || f > 36500 {
				return fmt.Errorf("%q is not a length of time; write 30s, 5m, 2h or 30d", s)
			}
			*d = Duration(f * float64(length))
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a length of time; write 30s, 5m, 2h or 30d", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes whole days as days and everything else as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the human form.
func (d Duration) String() string {
	const day = 24 * time.Hour
	if v := time.Duration(d); v >= day && v%day == 0 {
		return strconv.Itoa(int(v/day)) + "d"
	}
	return time.Duration(d).String()
}

// Size is a number of bytes in human units: 512KB, 20GB (powers of 1,024).
type Size int64

// UnmarshalText reads the human form.
func (s *Size) UnmarshalText(text []byte) error {
	in := strings.ToUpper(strings.TrimSpace(string(text)))
	if strings.HasSuffix(in, "B") && !strings.HasSuffix(in, "IB") && len(in) > 1 && strings.ContainsAny(in[len(in)-2:len(in)-1], "KMGT") {
		in = in[:len(in)-1] + "iB"
	}
	n, err := humanize.ParseBytes(in)
	if err != nil || n > 1<<60 {
		return fmt.Errorf("%q is not a size; write 512KB, 100MB or 20GB", text)
	}
	*s = Size(n)
	return nil
}

// MarshalText writes the human form.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the human form.
func (s Size) String() string {
	return strings.ReplaceAll(strings.ReplaceAll(humanize.IBytes(uint64(s)), "i", ""), " ", "")
}

// Secret is a text that is never printed.
type Secret string

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error { *s = Secret(text); return nil }

// String hides the text, so that no log and no dump shows it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "********"
}

// MarshalText hides the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
