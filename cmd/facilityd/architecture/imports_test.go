package architecture

import (
	"strings"
	"testing"
)

// rooms says what each package may import of this module, the most special room
// first. Tests may import what they like.
var rooms = []struct {
	room string
	may  []string
	why  string
}{
	{"cmd/facilityd/daemon/...", []string{"cmd/facilityd/daemon/...", "configs/...", "devices/...", "rules/...", "ticketing/..."},
		"the wiring knows every part, and nothing knows the wiring but main"},
	{"cmd/...", []string{"cmd/...", "configs/...", "devices/...", "rules/...", "ticketing/..."}, "main may use everything"},

	{"configs/diag", nil, "a diagnostic is a leaf: every checker of user files returns it"},
	{"configs/diag/document", []string{"configs/diag"}, "a checked document knows diagnostics only"},
	{"configs/messages", nil, "the message catalogue is a leaf: whoever speaks to people imports it"},
	{"configs/...", []string{"configs/...", "devices", "devices/profile/...", "rules/...", "ticketing/..."},
		"configs fills the config types of the packages that own them; the daemon hands them on"},

	{"devices", []string{"configs/diag"}, "the ground floor carries everything and therefore stands on nothing"},
	{"devices/profile/codec", nil, "a codec turns bytes into a value and knows no device"},
	{"devices/profile/...", []string{"devices", "devices/profile/...", "configs/diag/..."},
		"a profile decodes; what a reading means is decided behind it"},
	{"devices/simulator/...", []string{"devices", "devices/simulator/...", "configs/diag/..."},
		"the simulator is outside: it may know what a device is, not how we judge it"},
	{"devices/...", []string{"devices", "configs/diag/...", "devices/mqtt/...", "devices/journal/...", "devices/history/..."},
		"what receives and keeps does not decode or judge"},

	{"rules/detect/...", []string{"rules/detect/..."}, "a detector takes values and times, and knows neither device nor rule"},
	{"rules", []string{"devices", "rules/detect", "configs/diag/..."}, "the engine is pure: records in, transitions out"},
	{"rules/...", []string{"rules/...", "devices/...", "configs/..."}, "backtests and scenarios run the engine over recorded data"},

	{"ticketing/calendar", nil, "a calendar is a leaf: dates in, dates out"},
	{"ticketing", []string{"devices", "rules", "ticketing/calendar", "configs/diag/..."},
		"a work order is made of an episode; who shows or stores it is its child"},
	{"ticketing/outbox", []string{"ticketing"}, "what is delivered, and when again; neither where it is kept nor how it travels"},
	{"ticketing/dispatch", []string{"devices", "rules", "ticketing", "ticketing/calendar", "ticketing/roster", "ticketing/notify"},
		"who is told what is decided from values: an order, its log, a roster and a time"},
	{"ticketing/store/...", []string{"devices", "rules", "ticketing", "ticketing/calendar", "ticketing/dispatch", "ticketing/outbox", "ticketing/roster", "ticketing/notify", "ticketing/store/..."},
		"the store knows orders and what has to be said about them in the same transaction, not those who ask for them"},
	{"ticketing/roster", []string{"devices", "ticketing", "configs/diag/..."}, "who is responsible when is a question to values and a time; who asks is no business of the roster"},
	{"ticketing/...", []string{"devices", "rules", "ticketing", "ticketing/calendar", "ticketing/chart", "configs/diag/...", "configs/messages",
		"ticketing/board/...", "ticketing/notify/...", "ticketing/outbox", "ticketing/cmms/..."},
		"the board and the messengers see the store only through the small interfaces that they declare"},
}

func TestImportsGoInOneDirection(t *testing.T) {
	for _, p := range packages(t) {
		name := p.name()
		known := false
		for _, r := range rooms {
			if !within(name, []string{r.room}) {
				continue
			}
			known = true
			for _, path := range p.Imports {
				if inside, ok := strings.CutPrefix(path, module+"/"); ok && !within(inside, r.may) {
					t.Errorf("%s imports %s: %s", name, inside, r.why)
				}
			}
			break
		}
		if !known {
			t.Errorf("%s is in no room: what is it for, and what may it import?", name)
		}
	}
}

// technologies are the libraries that one room only may know, so that they can be
// replaced there.
var technologies = []struct {
	path string
	in   []string
	why  string
}{
	{"github.com/nats-io", []string{"devices/journal/...", "devices/mqtt/broker"}, "nobody but the journal and the embedded broker knows that it is NATS"},
	{"github.com/eclipse/paho.mqtt.golang", []string{"devices/mqtt/...", "devices/simulator/...", "cmd/..."},
		"who speaks MQTT is the receiver and what plays a device"},
	{"github.com/influxdata/influxdb-client-go", []string{"devices/history/..."}, "history is the only writer to InfluxDB"},
	{"database/sql", []string{"ticketing/store/...", "cmd/..."}, "SQL is the store's"},
	{"modernc.org/sqlite", []string{"ticketing/store/..."}, "SQL is the store's"},
	{"github.com/jackc/pgx", []string{"ticketing/store/..."}, "SQL is the store's"},
	{"github.com/pressly/goose", []string{"ticketing/store/..."}, "SQL is the store's"},
	{"github.com/danielgtaylor/huma", []string{"ticketing/board/..."}, "the HTTP API is the board's"},
	{"github.com/teambition/rrule-go", []string{"ticketing/roster"}, "recurrences are the rota's"},
	{"github.com/emersion/go-ical", []string{"ticketing/roster"}, "calendar files are the rota's"},
	{"github.com/wneessen/go-mail", []string{"ticketing/notify"}, "mail is one channel among others"},
	{"github.com/spf13/viper", []string{"configs"}, "viper folds key case and splits on dots: for the daemon's own settings only"},
	{"github.com/spf13/cobra", []string{"cmd/..."}, "the command line ends in cmd"},
	{"gonum.org/v1/gonum", []string{"rules/detect/..."}, "numerics are the detectors'"},
	{"github.com/prometheus/client_golang/prometheus/promauto", nil, "metrics are registered where a Registerer is given, never globally"},
	{"log", nil, "logs go through log/slog"},
	{"math/rand", nil, "math/rand/v2 has a seed that can be printed"},
}

// outside is what the core packages must not touch: they take values and a time
// and return values.
var outside = []string{
	"net", "net/http", "os", "os/exec", "os/signal", "io/ioutil", "database/sql",
	"github.com/spf13", "log/slog",
}

var core = []string{
	"devices", "devices/profile/...", "rules", "rules/detect", "ticketing", "ticketing/calendar", "ticketing/roster",
}

func TestTechnologyStaysInItsRoom(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			for _, tech := range technologies {
				if isPackage(path, tech.path) && !within(p.name(), tech.in) {
					t.Errorf("%s imports %s: %s", p.name(), path, tech.why)
				}
			}
			for _, banned := range outside {
				if within(p.name(), core) && isPackage(path, banned) && (strings.Contains(banned, ".") || path == banned) {
					t.Errorf("%s imports %s: the core takes values and a time and returns values", p.name(), path)
				}
			}
		}
	}
}

// isPackage reports whether path is a package of the module or directory given.
func isPackage(path, of string) bool {
	if strings.Contains(of, ".") {
		return path == of || strings.HasPrefix(path, of+"/")
	}
	return path == of // the standard library: net is not net/url
}
