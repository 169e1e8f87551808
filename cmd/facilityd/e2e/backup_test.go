package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// The strained motor has to be pending from before the backup until after the
// restored daemon is up, so its rule is slow.
const backupRules = `
rules:
  - id: hot
    title: {en: Bearing hot, zh: 轴承过热}
    fault_class: pump.bearing
    class: pump
    source: {text: the test says when, mark: j}
    severity: high
    when: bearing_temp > 70 °C
    for: 1s
    clear: bearing_temp < 65 °C
    clear_for: 1s
  - id: strained
    title: {en: Motor strained, zh: 电机过载}
    fault_class: motor.overload
    class: pump
    source: {text: the test says when, mark: j}
    severity: medium
    when: winding_temp > 130 °C
    for: 40s
    clear: winding_temp < 120 °C
    clear_for: 1s
`

const plantSite = "site: plant\nname: {en: Plant, zh: 泵站}\ntime_zone: UTC\n"

// orderView is a work order as the API tells it.
type orderView struct {
	ID         string    `json:"id"`
	Number     string    `json:"number"`
	Version    int       `json:"version"`
	Asset      string    `json:"asset"`
	FaultClass string    `json:"fault_class"`
	State      string    `json:"state"`
	Assignee   string    `json:"assignee"`
	Onset      time.Time `json:"onset"`
	Holds      bool      `json:"holds"`
	Episodes   int       `json:"episodes"`
}

// orderOf waits for the only order of a fault class on an asset.
func orderOf(d *Daemon, asset, class string) (o orderView) {
	d.tb.Helper()
	d.Until(fmt.Sprintf("%s on %s has an order", class, asset), func() bool {
		for _, o = range All[orderView](d, "/api/v1/work-orders", nil) {
			if o.Asset == asset && o.FaultClass == class {
				return true
			}
		}
		return false
	})
	return o
}

// knows waits until a point of a device has a value.
func knows(d *Daemon, device, point string, value float64) {
	d.tb.Helper()
	d.Until(fmt.Sprintf("%s of %s is %g", point, device, value), func() bool {
		if status, _, err := d.get("/api/v1/devices/" + device); err != nil || status != 200 {
			return false
		}
		var v deviceView
		d.Get("/api/v1/devices/"+device, &v)
		for _, p := range v.Points {
			if p.Name == point {
				return p.Value != nil && *p.Value == value
			}
		}
		return false
	})
}

// facilityd runs a command that must end well and returns what it printed on
// standard output.
func facilityd(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("facilityd %s: %v\n%s%s", strings.Join(args, " "), err, out, complaints.String())
	}
	return string(out)
}

// TestABackupUnderLoadGoesOn: the machine burns after a backup. What was open is
// open on the new one, what was about to become a fault still does, at its time,
// and nothing comes twice.
func TestABackupUnderLoadGoesOn(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	dir := write(t, map[string]string{
		"rules/plant.yaml": backupRules,
		"site.yaml":        plantSite,
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	settings, tar, restored := filepath.Join(dir, "facilityd.yaml"), filepath.Join(dir, "backup.tar"), filepath.Join(dir, "restored")

	burnt := Start(t, program, "run", "--config", settings)
	burnt.Token = strings.TrimSpace(facilityd(t, "person", "add", "li.na", "--config", settings))
	pumps := newPlant(t, broker.URL())
	for i := range 100 { // 400 messages a second
		pumps.set(fmt.Sprintf("p-%02d", i), map[string]float64{"bearing_temp": 50, "winding_temp": 90})
	}
	const hot, strained = "p-00", "p-01"
	pumps.set(hot, map[string]float64{"bearing_temp": 90})
	order := orderOf(burnt, hot, "pump.bearing")
	if resp, body := burnt.Command(order.ID, "accept", "backup-1", map[string]any{"version": order.Version}); resp.StatusCode != 200 {
		t.Fatalf("accept: %s\n%s", resp.Status, body)
	}
	pumps.set(strained, map[string]float64{"winding_temp": 150})
	knows(burnt, strained, "winding_temp", 150)
	before := All[orderView](burnt, "/api/v1/work-orders", nil)
	position := burnt.Metric("facilityd_engine_position")

	if out := facilityd(t, "backup", "--config", settings, "--to", tar); !strings.Contains(out, "backed up") {
		t.Errorf("backup says %q", out)
	}
	if after := All[orderView](burnt, "/api/v1/work-orders", nil); len(before) != 1 || len(after) != 1 {
		t.Fatalf("%d orders before the backup and %d after it, want 1: the motor must be pending over it", len(before), len(after))
	}
	if out, err := exec.Command(program, "restore", "--config", settings, "--from", tar).CombinedOutput(); err == nil || !strings.Contains(string(out), "is not empty") {
		t.Errorf("restore over a full directory: %v\n%s", err, out)
	}
	burnt.Kill()
	if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}

	facilityd(t, "restore", "--config", settings, "--data", restored, "--from", tar)
	d := &Daemon{tb: t, program: program, args: []string{"run", "--config", settings, "--data", restored}, Token: burnt.Token}
	t.Cleanup(d.Kill)
	d.Restart()
	if got := orderOf(d, hot, "pump.bearing"); got != before[0] || got.State != "accepted" || got.Assignee != "li.na" {
		t.Errorf("the order is\n%+v after the restore and was\n%+v", got, before[0])
	}
	if resp, _ := d.Command(order.ID, "accept", "backup-1", map[string]any{"version": order.Version}); resp.StatusCode != 200 || resp.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the command of before the backup is not known: %s", resp.Status)
	}
	if got := orderOf(d, strained, "motor.overload"); !got.Onset.Equal(pumps.told(strained)) {
		t.Errorf("the motor has been strained since %v, want %v", got.Onset, pumps.told(strained))
	}
	if now := d.Metric("facilityd_engine_position"); now <= position {
		t.Errorf("the journal is at %v, and was at %v before the backup", now, position)
	}
	pumps.set(hot, map[string]float64{"bearing_temp": 50})
	pumps.set(strained, map[string]float64{"winding_temp": 90})
	var episodes []episode
	d.Until("both faults are over", func() bool {
		episodes = All[episode](d, "/api/v1/episodes", nil)
		return !slices.ContainsFunc(episodes, func(e episode) bool { return e.Phase != "cleared" })
	})
	if orders := All[orderView](d, "/api/v1/work-orders", nil); len(orders) != 2 || orders[0].Episodes != 1 || orders[1].Episodes != 1 || len(episodes) != 2 {
		t.Errorf("two faults made\n%+v\n%+v", orders, episodes)
	}
	if err := d.Stop(); err != nil {
		t.Errorf("ended with %v", err)
	}

	// The restored journal is whole to the backup and goes on behind it, and is
	// all that is needed to know the episodes.
	r := replay(t, settings, restored, "plant")
	slices.SortFunc(episodes, func(a, b episode) int { return strings.Compare(a.ID, b.ID) })
	if diff := cmp.Diff(r.episodes(), episodes); diff != "" {
		t.Errorf("what was live differs from the replay of the journal (-replay +live):\n%s", diff)
	}
	for device, numbers := range perDevice(r.decoded) {
		gaps := 0
		for i := 1; i < len(numbers); i++ {
			if step := numbers[i] - numbers[i-1]; step > 1 {
				gaps++
			} else if step < 1 {
				t.Errorf("%s: number %d comes after %d", device, numbers[i], numbers[i-1])
			}
		}
		if gaps > 1 { // what the burnt daemon took after the backup
			t.Errorf("the journal of %s has %d gaps, want at most the one behind the backup", device, gaps)
		}
	}
}
