package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// steadyRules never change. The slow one has to be pending over a reload.
const steadyRules = "rules:\n" + shakesRule + `  - id: strained
    title: {en: Motor strained, zh: 电机过载}
    fault_class: motor.overload
    class: pump
    source: {text: the test says when, mark: j}
    severity: medium
    when: winding_temp > 130 °C
    for: 20s
    clear: winding_temp < 120 °C
    clear_for: 1s
`

// changingRule is a rule whose limit the test turns, in °C.
func changingRule(limit string) string {
	return `rules:
  - id: cabinet-warm
    title: {en: Cabinet warm, zh: 控制柜温度高}
    fault_class: comms.quality
    class: pump
    source: {text: the test says when, mark: j}
    severity: low
    when: cabinet_temp > ` + limit + `
    for: 1s
    clear_for: 1s
`
}

type statusView struct {
	Configuration string    `json:"configuration"`
	ReloadError   string    `json:"reload_error"`
	ReloadAt      time.Time `json:"reload_at"`
}

func statusOf(d *Daemon) (s statusView) {
	d.tb.Helper()
	d.Get("/api/v1/status", &s)
	return s
}

// TestReloadChangesOneRuleAndDisturbsNoOther turns one rule, breaks its file and
// mends it, while a fault of another rule is active and one is pending.
func TestReloadChangesOneRuleAndDisturbsNoOther(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/steady.yaml":   steadyRules,
		"rules/changing.yaml": changingRule("70 °C"),
		"site.yaml":           plantSite,
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	settings, changing := filepath.Join(dir, "facilityd.yaml"), filepath.Join(dir, "rules", "changing.yaml")
	d := Start(t, program, "run", "--config", settings)
	pumps := newPlant(t, broker.URL())
	for _, p := range []string{"shaky", "strained", "warm", "warmer", "cool"} {
		pumps.set(p, map[string]float64{"vibration_rms": 2, "winding_temp": 90, "cabinet_temp": 30})
	}
	pumps.set("shaky", map[string]float64{"vibration_rms": 9})
	shaky := orderOf(d, "shaky", "pump.bearing")
	pumps.set("warm", map[string]float64{"cabinet_temp": 65})
	pumps.set("strained", map[string]float64{"winding_temp": 150})
	knows(d, "strained", "winding_temp", 150)
	knows(d, "warm", "cabinet_temp", 65)
	if n := len(All[orderView](d, "/api/v1/work-orders", nil)); n != 1 {
		t.Fatalf("%d orders before the reload, want the one of the shaking pump", n)
	}

	// SIGHUP: the lower limit holds for what is already there.
	first := statusOf(d)
	writeIn(t, dir, map[string]string{"rules/changing.yaml": changingRule("60 °C")})
	d.Signal(syscall.SIGHUP)
	d.Until("the new limit is in force", func() bool { return statusOf(d).Configuration != first.Configuration })
	orderOf(d, "warm", "comms.quality")
	second := statusOf(d)
	if second.ReloadError != "" || second.ReloadAt.IsZero() {
		t.Errorf("status after a good reload: %+v", second)
	}

	// A broken file is refused with its place, and what was in force stays.
	writeIn(t, dir, map[string]string{"rules/changing.yaml": strings.Replace(changingRule("20 °C"), "severity:", "severty:", 1)})
	out, err := exec.Command(program, "reload", "--config", settings).CombinedOutput()
	place := changing + `:7:5: error: unknown key "severty"`
	if err == nil || !strings.Contains(string(out), place) || !strings.Contains(string(out), `did you mean "severity"?`) {
		t.Errorf("reload of a broken file: %v\n%swant %s", err, out, place)
	}
	if ok := d.Metric("facilityd_config_last_reload_successful"); ok != 0 {
		t.Errorf("facilityd_config_last_reload_successful is %v", ok)
	}
	refused := statusOf(d)
	if !strings.Contains(refused.ReloadError, place) || refused.Configuration != second.Configuration {
		t.Errorf("status after a refused reload: %+v", refused)
	}
	if _, page, err := d.get("/"); err != nil || !strings.Contains(string(page), "changing.yaml:7:5") {
		t.Errorf("the board does not show the refused reload: %v\n%s", err, page)
	}
	pumps.set("warmer", map[string]float64{"cabinet_temp": 62})
	orderOf(d, "warmer", "comms.quality") // the old limit, with the file broken

	writeIn(t, dir, map[string]string{"rules/changing.yaml": changingRule("50 °C")})
	if out := facilityd(t, "reload", "--config", settings); out != "reloaded\n" {
		t.Errorf("reload says %q", out)
	}
	mended := statusOf(d)
	if ok := d.Metric("facilityd_config_last_reload_successful"); ok != 1 || mended.ReloadError != "" {
		t.Errorf("after a mended file: metric %v, status %+v", ok, mended)
	}
	pumps.set("cool", map[string]float64{"cabinet_temp": 55})
	orderOf(d, "cool", "comms.quality")

	// Three reloads later: the active fault is the same one, and the pending one
	// became active when it would have without any.
	if now := orderOf(d, "shaky", "pump.bearing"); now != shaky {
		t.Errorf("the order of the unchanged rule is\n%+v and was\n%+v", now, shaky)
	}
	began := pumps.told("strained")
	if o := orderOf(d, "strained", "motor.overload"); !o.Onset.Equal(began) {
		t.Errorf("the motor has been strained since %v, want %v", o.Onset, began)
	}
	for _, e := range All[episode](d, "/api/v1/episodes", nil) {
		if late := e.ActiveAt.Sub(began) - 20*time.Second; e.FaultClass == "motor.overload" && (late < 0 || late > time.Second) {
			t.Errorf("the pending fault became active %v after its time", late)
		}
		if e.Phase != "active" {
			t.Errorf("%+v is not active any more", e)
		}
	}
	if n := len(All[orderView](d, "/api/v1/work-orders", nil)); n != 5 {
		t.Errorf("%d orders at the end, want 5", n)
	}
	if err := d.Stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
