package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

const explainRules = "rules:\n" + shakesRule + `  - id: greedy
    title: {en: Uses too much, zh: 用电过多}
    fault_class: energy.anomaly
    class: pump
    source: {text: the test says when, mark: j}
    severity: low
    when: delta(energy, 4s) > 50 kWh
  - id: trial
    title: {en: On trial, zh: 试行}
    fault_class: motor.overload
    class: pump
    shadow: true
    source: {text: the test says when, mark: j}
    severity: low
    when: vibration_rms > 3 mm/s
`

const explainSite = `
site: plant
time_zone: Asia/Shanghai
adopt: listed
assets:
  - {id: room, class: place, name: {en: Pump room, zh: 泵房}}
  - {id: booster, class: pump, parent: room, name: {en: Booster, zh: 增压泵}}
devices:
  - {id: old, asset: booster}
`

// explained is what the test reads of an explanation.
type explained struct {
	At    time.Time `json:"at"`
	Past  bool      `json:"past"`
	Rules []struct {
		Rule, State string
		Device      string
		Thresholds  []struct {
			Parts []struct {
				Sides []struct{ Value *float64 }
			}
		}
	} `json:"rules"`
}

func (x *explained) state(rule string) string {
	for _, r := range x.Rules {
		if r.Rule == rule {
			return r.State
		}
	}
	return ""
}

// TestWhatIsKeptBackIsExplained plans a window on a pump room, sees what it keeps
// from opening, ends it, replaces the pump's controller, and asks after a power cut
// what was known before.
func TestWhatIsKeptBackIsExplained(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/explain.yaml": explainRules,
		"site.yaml":          explainSite,
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	settings := filepath.Join(dir, "facilityd.yaml")
	d := Start(t, program, "run", "--config", settings)
	d.Token = strings.TrimSpace(facilityd(t, "person", "add", "li.na", "--name", "Li Na", "--config", settings))
	token := filepath.Join(dir, "token")
	writeIn(t, dir, map[string]string{"token": d.Token})
	run := func(args ...string) string {
		t.Helper()
		return facilityd(t, append(args, "--url", d.Address("board"), "--token-file", token)...)
	}
	pumps := newPlant(t, broker.URL())
	pumps.set("old", map[string]float64{"vibration_rms": 2, "energy": 1000})
	explain := func(query string) (x explained) {
		t.Helper()
		d.Get("/api/v1/explain/booster"+query, &x)
		return x
	}
	d.Until("the pump is heard", func() bool {
		status, _, err := d.get("/api/v1/explain/booster")
		if err != nil || status != 200 {
			return false
		}
		x := explain("")
		return x.state("shakes") == "quiet"
	})

	window, _, _ := strings.Cut(run("window", "add", "--asset", "room", "--for", "1h", "--reason", "New seal"), " ")
	pumps.set("old", map[string]float64{"vibration_rms": 9})
	d.Until("the window keeps it back", func() bool { x := explain(""); return x.state("shakes") == "muted" && x.state("trial") == "muted" })
	if text := run("explain", "booster"); !strings.Contains(text, "It would be open, but Li Na has planned work until ") {
		t.Errorf("explain says\n%s", text)
	}
	if text := run("window", "list"); !strings.Contains(text, window) || !strings.Contains(text, "New seal") {
		t.Errorf("the list of windows is\n%s", text)
	}
	if orders := All[orderView](d, "/api/v1/work-orders", nil); len(orders) != 0 {
		t.Fatalf("opened in a window: %+v", orders)
	}
	// What is known now is what will be said to have been known.
	_, before, err := d.get("/api/v1/explain/booster")
	if err != nil {
		t.Fatal(err)
	}
	var seen explained
	if err := json.Unmarshal(before, &seen); err != nil {
		t.Fatal(err)
	}

	if text := run("window", "end", window); text != window+" is over\n" {
		t.Errorf("ending says %q", text)
	}
	order := orderOf(d, "booster", "pump.bearing")
	if text := run("window", "suppressed", "--rule", "shakes"); !strings.Contains(text, "opened") {
		t.Errorf("suppressed:\n%s", text)
	}
	if text := run("explain", order.Number, "--lang", "zh"); !strings.Contains(text, "已触发") || !strings.Contains(text, "vibration_rms > 7 mm/s") {
		t.Errorf("the order is explained as\n%s", text)
	}
	d.Until("the rule on trial is seen", func() bool { return strings.Contains(run("window", "suppressed", "--why", "shadow"), "trial") })

	// Another controller, whose counter stands elsewhere, takes over.
	pumps.set("new", map[string]float64{"vibration_rms": 2, "energy": 90_000})
	d.Until("the new device is seen", func() bool {
		_, body, err := d.get("/api/v1/strangers")
		return err == nil && strings.Contains(string(body), `"new"`)
	})
	if text := run("asset", "replace", "booster", "--device", "new"); text != "new speaks for booster in place of old\n" {
		t.Errorf("replacing says %q", text)
	}
	d.Until("the new device's readings end the fault", func() bool { order = orderOf(d, "booster", "pump.bearing"); return !order.Holds })
	d.Until("the new counter has been watched", func() bool {
		for _, r := range explain("?rule=greedy").Rules {
			if v := r.Thresholds[0].Parts[0].Sides[0].Value; r.Device == "new" && v != nil {
				if *v != 0 {
					t.Fatalf("the asset is said to have used %v kWh", *v)
				}
				return true
			}
		}
		return false
	})
	if orders := All[orderView](d, "/api/v1/work-orders", nil); len(orders) != 1 {
		t.Errorf("orders at the end: %+v", orders)
	}

	d.Kill()
	d.Restart()
	at := "?at=" + url.QueryEscape(seen.At.Format(time.RFC3339Nano))
	_, after, err := d.get("/api/v1/explain/booster" + at)
	if err != nil {
		t.Fatal(err)
	}
	var then, now map[string]any
	for text, into := range map[string]*map[string]any{string(before): &then, string(after): &now} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if now["past"] != true {
		t.Errorf("the answer is not of the past: %s", after)
	}
	delete(then, "past")
	delete(now, "past")
	if diff := cmp.Diff(then, now); diff != "" {
		t.Errorf("explained at the time and from the journal (-then +replayed):\n%s", diff)
	}
	if status, text, err := d.get("/api/v1/explain/booster?at=1999-01-01T00:00:00Z"); err != nil || status != 422 || !strings.Contains(string(text), "the journal begins at") {
		t.Errorf("before there was a journal: %d %v\n%s", status, err, text)
	}
}
