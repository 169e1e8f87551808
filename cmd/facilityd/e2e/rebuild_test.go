package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// TestACheckpointOfAnotherVersionIsMadeAnew ages the checkpoint of a stopped
// daemon while a fault is open. The next start reads the
// journal again, knows the fault, and tells nobody of the past twice.
func TestACheckpointOfAnotherVersionIsMadeAnew(t *testing.T) {
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/steady.yaml": steadyRules,
		"site.yaml":         plantSite,
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	d := Start(t, program, "run", "--config", filepath.Join(dir, "facilityd.yaml"))
	pumps := newPlant(t, broker.URL())
	pumps.set("shaky", map[string]float64{"vibration_rms": 9, "winding_temp": 90})
	shaky := orderOf(d, "shaky", "pump.bearing")
	aCheckpointLater(d)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	age(t, filepath.Join(dir, "data", "journal"), "plant")

	d.Restart()
	d.WaitReady()
	if log := d.Log(); !strings.Contains(log, "the checkpoint is of another version") {
		t.Errorf("nobody is told that the journal is read again:\n%s", log)
	}
	// It goes on with the same order, which hears that the fault is gone.
	pumps.set("shaky", map[string]float64{"vibration_rms": 2})
	d.Until("the fault is over", func() bool {
		for _, e := range All[episode](d, "/api/v1/episodes", nil) {
			if e.Asset == "shaky" && e.Phase == "cleared" {
				return true
			}
		}
		return false
	})
	orders := All[orderView](d, "/api/v1/work-orders", nil)
	if len(orders) != 1 || orders[0].ID != shaky.ID {
		t.Errorf("orders %+v, want the one that was there", orders)
	}
	// And the new checkpoint is one that can be read.
	aCheckpointLater(d)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	before := strings.Count(d.Log(), "the checkpoint is of another version")
	d.Restart()
	d.WaitReady()
	if n := strings.Count(d.Log(), "the checkpoint is of another version"); n > before {
		t.Errorf("the journal is read again at every start:\n%s", d.Log())
	}
}

// aCheckpointLater waits until journal time has gone on for longer than it is from
// one checkpoint to the next.
func aCheckpointLater(d *Daemon) {
	const longer = 13 // s
	at := func() float64 { return d.Metric("facilityd_engine_journal_time_seconds") }
	began := at()
	d.Until("a checkpoint is written", func() bool { return at() > began+longer })
}

// age gives the rules' part of a checkpoint a version that nobody writes.
func age(t *testing.T, dir, site string) {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: dir, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	b, err := j.Bucket(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Get(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Chunks map[int]string `json:"chunks"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Chunks) == 0 {
		t.Fatal("the checkpoint has no parts")
	}
	for _, key := range manifest.Chunks {
		part, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		part[0] = 99
		if err := b.Put(t.Context(), key, part, 1); err != nil {
			t.Fatal(err)
		}
	}
}
