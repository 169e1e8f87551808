package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // reads the orders of a daemon that has stopped

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/backtest"
	"github.com/facilityd/facilityd/ticketing"
)

const judgedRules = `
rules:
  - id: shakes
    title: {en: Pump shakes, zh: 水泵振动}
    fault_class: pump.bearing
    class: pump
    source: {text: the test says when, mark: j}
    thresholds:
      - {severity: medium, when: vibration_rms > 7 mm/s, for: 1s, clear: vibration_rms < 5 mm/s, clear_for: 1s}
      - {severity: high, when: vibration_rms > 11 mm/s, for: 1s, clear: vibration_rms < 9 mm/s}
  - id: strained
    title: {en: Motor strained, zh: 电机过载}
    fault_class: motor.overload
    class: pump
    source: {text: the test says when, mark: j}
    severity: medium
    when: winding_temp > 130 °C
    for: 4s
    clear: winding_temp < 120 °C
    clear_for: 1s
  - id: quiet
    title: {en: Device silent, zh: 设备静默}
    fault_class: comms.quality
    class: any
    source: {text: the test says when, mark: j}
    severity: low
    when: silent(3, 2s)
    clear_for: 1s
`

// shadowRule has a limit that the test turns, in °C.
func shadowRule(limit int) string {
	return fmt.Sprintf(`rules:
  - id: cabinet-warm
    title: {en: Cabinet warm, zh: 控制柜温度高}
    fault_class: power.overload
    class: pump
    shadow: true
    source: {text: the test says when, mark: j}
    severity: low
    when: cabinet_temp > %d °C
    for: 1s
`, limit)
}

const judgedSite = `site: plant
name: {en: Plant, zh: 泵站}
time_zone: Asia/Shanghai
assets: [{id: station, class: place, name: Station}, {id: booster, class: pump, parent: station, name: Booster}]
devices:
  - {id: mute, class: pump, interval: 1s}
  - {id: strained, asset: %s}
`

// told is one step of an episode as both the daemon's orders and a backtest tell it.
type told struct {
	Seq      uint64
	Ordinal  uint32
	Episode  string
	Holds    bool
	NoData   bool
	Cause    rules.Cause
	Severity string
	Rule     string
	Onset    time.Time
	At       time.Time
}

// TestBacktestFromTheJournalIsWhatTheDaemonDid: faults, people, a window, a reload, a kill
// while a fault is pending, another one while a device is silent. What the daemon
// wrote into its orders, step by step, is what a backtest of its journal says: with
// the rules that were in force, and with the same rules given as files.
func TestBacktestFromTheJournalIsWhatTheDaemonDid(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/judged.yaml": judgedRules,
		"rules/shadow.yaml": shadowRule(60),
		"site.yaml":         fmt.Sprintf(judgedSite, "station"),
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 0.0.0.0:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	settings := filepath.Join(dir, "facilityd.yaml")
	d := Start(t, program, "run", "--config", settings)
	d.Token = strings.TrimSpace(facilityd(t, "person", "add", "li.na", "--config", settings))
	pumps := newPlant(t, broker.URL())
	for _, p := range []string{"shaky", "strained", "warm", "mute", "windowed"} {
		pumps.set(p, map[string]float64{"vibration_rms": 2, "winding_temp": 90, "cabinet_temp": 30})
	}
	give := func(o orderView, verb string, body map[string]any) {
		t.Helper()
		d.Get("/api/v1/work-orders/"+o.ID, &o)
		body["version"] = o.Version
		if resp, text := d.Command(o.ID, verb, verb+o.ID, body); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s\n%s", verb, resp.Status, text)
		}
	}

	// A fault that becomes worse, and a person who comes, mends it and says so.
	pumps.set("shaky", map[string]float64{"vibration_rms": 8})
	shaky := orderOf(d, "shaky", "pump.bearing")
	pumps.set("shaky", map[string]float64{"vibration_rms": 12})
	stands := func(asset, class, severity, phase string) {
		t.Helper()
		d.Until(fmt.Sprintf("%s on %s is %s and %s", class, asset, severity, phase), func() bool {
			return slices.ContainsFunc(All[episode](d, "/api/v1/episodes", nil), func(e episode) bool {
				return e.Asset == asset && e.FaultClass == class && e.Severity == severity && e.Phase == phase
			})
		})
	}
	stands("shaky", "pump.bearing", "high", "active")
	give(shaky, "accept", map[string]any{})
	give(shaky, "arrive", map[string]any{})
	pumps.set("shaky", map[string]float64{"vibration_rms": 2, "winding_temp": 150}) // kept quiet: somebody is there
	stands("shaky", "pump.bearing", "medium", "cleared")                            // it got better before it was over
	give(shaky, "done", map[string]any{"code": "repaired"})
	pumps.set("shaky", map[string]float64{"winding_temp": 90})

	// A device that falls silent, and stays so through what follows.
	pumps.still("mute")
	silent := orderOf(d, "mute", "comms.quality")

	// A fault within a maintenance window is held back, and opened at its end.
	window := exec.Command(program, "window", "add", "--asset", "windowed", "--fault-class", "motor.overload", "--for", "6s", "--reason", "new motor", "--url", d.Address("board"))
	window.Env = append(os.Environ(), "FACILITYD_TOKEN="+d.Token)
	if out, err := window.CombinedOutput(); err != nil {
		t.Fatalf("window add: %v\n%s", err, out)
	}
	pumps.set("windowed", map[string]float64{"winding_temp": 150})

	// Another configuration, while a fault of a rule that stays is pending.
	pumps.set("warm", map[string]float64{"cabinet_temp": 65})
	pumps.set("strained", map[string]float64{"winding_temp": 150})
	knows(d, "strained", "winding_temp", 150)
	before := statusOf(d).Configuration
	writeIn(t, dir, map[string]string{"rules/shadow.yaml": shadowRule(50), "site.yaml": fmt.Sprintf(judgedSite, "booster")})
	d.Signal(syscall.SIGHUP)
	d.Until("the new configuration is in force", func() bool { return statusOf(d).Configuration != before })

	// Kills; the pending fault, the window and the silence outlast them.
	d.Kill()
	d.Restart()
	orderOf(d, "booster", "motor.overload")
	windowed := orderOf(d, "windowed", "motor.overload")
	pumps.set("warm", map[string]float64{"cabinet_temp": 65})
	d.Kill()
	d.Restart()
	give(silent, "cancel", map[string]any{"reason": "false_alarm", "text": "its power was off"})
	pumps.set("mute", map[string]float64{"vibration_rms": 2})
	pumps.set("strained", map[string]float64{"winding_temp": 90})
	pumps.set("shaky", map[string]float64{"vibration_rms": 8}) // the mended pump again
	stands("mute", "comms.quality", "low", "cleared")
	stands("booster", "motor.overload", "medium", "cleared")
	stands("shaky", "pump.bearing", "medium", "active")

	for _, e := range All[episode](d, "/api/v1/episodes", nil) {
		if e.Asset == "windowed" && e.ActiveAt.Sub(windowed.Onset) < 4*time.Second {
			t.Errorf("the window held nothing back: %+v", e)
		}
	}

	// Asked while it runs, the daemon answers for itself.
	var live backtest.Report
	if err := json.Unmarshal([]byte(facilityd(t, "backtest", "--journal", "--json", "--config", settings)), &live); err != nil {
		t.Fatal(err)
	}
	opened := func(list []*backtest.Order) (out []string) {
		for _, o := range list {
			out = append(out, o.Asset+" "+o.FaultClass)
		}
		slices.Sort(out)
		return out
	}
	var orders []string
	for _, o := range All[orderView](d, "/api/v1/work-orders", nil) {
		orders = append(orders, o.Asset+" "+o.FaultClass)
	}
	slices.Sort(orders)
	if diff := cmp.Diff(orders, opened(live.Orders)); diff != "" || live.Approximate {
		t.Errorf("orders of the daemon and of the backtest (-daemon +backtest):\n%s", diff)
	}
	if got := opened(live.Shadow); !slices.Equal(got, []string{"warm power.overload"}) {
		t.Errorf("in shadow: %v", got)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}

	want := stepsOf(t, filepath.Join(dir, "data", "orders.db"))
	if len(want) < 8 {
		t.Fatalf("the daemon took %d steps only: %+v", len(want), want)
	}
	e, list := configs.LoadSettings(settings, nil, nil)
	bundles, more := daemon.Check(&e.Settings)
	if err := append(list, more...).Err(); err != nil {
		t.Fatal(err)
	}
	past, closePast, err := daemon.OpenPast(&e.Settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closePast(); err != nil {
			t.Error(err)
		}
	}()
	same := []rules.File{{Name: "judged.yaml", Data: []byte(judgedRules)}}
	for name, files := range map[string][]rules.File{"the rules in force": nil, "the same rules": same} {
		report, out, err := past.Backtest(t.Context(), bundles[0], daemon.BacktestRequest{Site: "plant", Rules: files}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []told
		for i := range out.Steps {
			s := &out.Steps[i]
			got = append(got, told{
				s.Seq, s.Ordinal, s.Episode.String(), s.Phase != rules.Cleared, s.Phase == rules.ActiveWithoutData, s.Cause,
				s.Severity.String(), s.Rule, time.Unix(0, s.Onset).UTC(), time.Unix(0, s.At).UTC(),
			})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the daemon and a backtest with %s (-daemon +backtest):\n%s", name, diff)
		}
		if files != nil && (report.Difference == nil || len(report.Difference.OnlyTrial)+len(report.Difference.OnlyCurrent) > 0) {
			t.Errorf("the same rules make a difference: %+v", report.Difference)
		}
	}
}

// stepsOf reads every step of every episode from the logs of the orders.
func stepsOf(t *testing.T, database string) (out []told) {
	t.Helper()
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT key, doc FROM log WHERE key LIKE 'rules:plant/%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, doc string
		if err := rows.Scan(&key, &doc); err != nil {
			t.Fatal(err)
		}
		place := strings.Split(key, "/")
		seq, err1 := strconv.ParseUint(place[1], 10, 64)
		ordinal, err2 := strconv.ParseUint(place[2], 10, 32)
		if err1 != nil || err2 != nil || len(place) != 3 {
			continue // what the order says about the step, not the step
		}
		var e ticketing.Entry
		if err := json.Unmarshal([]byte(doc), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, told{seq, uint32(ordinal), e.Episode, e.Holds, e.NoData, e.Cause, e.Severity, e.Rule, e.Onset, e.At})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b told) int {
		if a.Seq != b.Seq {
			return int(a.Seq) - int(b.Seq)
		}
		return int(a.Ordinal) - int(b.Ordinal)
	})
	return out
}
