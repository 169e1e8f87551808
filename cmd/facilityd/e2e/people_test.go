package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// peopleOf is a people file with one person on call day and night.
func peopleOf(person string) string {
	return "persons: [{id: anna, name: Anna, contacts: [board]}, {id: ben, name: Ben, contacts: [board]}]\n" +
		"rotas: [{id: duty, shifts: [{hours: \"00:00-24:00\", first: 2026-01-05, order: [" + person + "]}]}]\n" +
		"escalation: [{steps: [{rota: duty}, {person: anna, after: 5m}, {person: ben, after: 5m}]}]\n"
}

type rotaView struct {
	ID     string `json:"id"`
	Duties []struct {
		From    time.Time                   `json:"from"`
		To      time.Time                   `json:"to"`
		Persons []struct{ ID, Name string } `json:"persons"`
	} `json:"duties"`
}

// TestReloadTakesTheNewRotaAndKeepsTheGoodOne: who is told changes with the people
// file, and a broken one changes nothing.
func TestReloadTakesTheNewRotaAndKeepsTheGoodOne(t *testing.T) {
	dir := write(t, map[string]string{
		"people.yaml": peopleOf("anna"),
		"facilityd.yaml": "data: {{dir}}/data\nlisten: 127.0.0.1:0\nembedded_broker: {listen: \"127.0.0.1:0\"}\npeople: people.yaml\n" +
			"journal: {reserve: 64MB}\n",
	})
	settings := filepath.Join(dir, "facilityd.yaml")
	facilityd(t, "person", "add", "anna", "--config", settings)
	facilityd(t, "person", "add", "guest", "--config", settings)
	d := Start(t, program, "run", "--config", settings)
	onCall := func() string {
		for _, r := range All[rotaView](d, "/api/v1/on-call", nil) {
			if r.ID == "duty" && len(r.Duties) == 1 && len(r.Duties[0].Persons) == 1 {
				return r.Duties[0].Persons[0].ID
			}
		}
		return ""
	}
	if who := onCall(); who != "anna" {
		t.Fatalf("on call is %q", who)
	}
	for _, want := range []string{"persons=ben", "persons=guest"} {
		if !strings.Contains(d.Log(), want) {
			t.Errorf("the start does not say %s", want)
		}
	}
	writeIn(t, dir, map[string]string{"people.yaml": peopleOf("ben")})
	d.Until("ben is on call", func() bool { return onCall() == "ben" }) // the file is watched

	broken := strings.Replace(peopleOf("anna"), "order: [anna]", "order: [ana]", 1)
	writeIn(t, dir, map[string]string{"people.yaml": broken})
	out, err := exec.Command(program, "reload", "--config", settings).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `people.yaml:2:`) || !strings.Contains(string(out), `did you mean "anna"?`) {
		t.Errorf("reload of a broken people file: %v\n%s", err, out)
	}
	if who := onCall(); who != "ben" {
		t.Errorf("after a refused reload on call is %q", who)
	}
	writeIn(t, dir, map[string]string{"people.yaml": peopleOf("anna")})
	if out := facilityd(t, "reload", "--config", settings); out != "reloaded\n" {
		t.Errorf("reload says %q", out)
	}
	if who := onCall(); who != "anna" {
		t.Errorf("after a good reload on call is %q", who)
	}
	if err := d.Stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
