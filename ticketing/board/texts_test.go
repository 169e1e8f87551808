package board_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

// Every text that a page asks for is in the catalogue: those named in templates
// and code, and those made of a word of the domain.
func TestEveryTextIsInTheCatalogue(t *testing.T) {
	catalogue, err := messages.Load()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	named := regexp.MustCompile(`(?:\bT "|\.T\("|Key(?:: |= )"|Text\(")([a-z]+\.[a-z_]+)"`)
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllStringSubmatch(string(data), -1) {
				keys = append(keys, m[1])
			}
		}
	}
	refused := regexp.MustCompile(`InvalidError\{(?:Field: )?[\w"]+, (?:Code: )?"(\w+)"`)
	for _, pattern := range []string{"../*.go", "../store/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range refused.FindAllStringSubmatch(string(data), -1) {
				if m[1] != "id" && m[1] != "time_filter" { // seen on the command line and in the API only
					keys = append(keys, "invalid."+m[1])
				}
			}
		}
	}
	if len(keys) < 100 {
		t.Fatalf("only %d texts are named; the pattern does not fit the pages", len(keys))
	}
	words := func(prefix string, list ...string) {
		for _, w := range list {
			keys = append(keys, prefix+"."+w)
		}
	}
	for _, s := range ticketing.States {
		words("state", string(s))
	}
	for _, tr := range ticketing.Transitions {
		words("kind", string(tr.Kind))
	}
	words("tier", "P1", "P2", "P3", "P4")
	words("reason", ticketing.WaitReasons...)
	words("reason", ticketing.CancelReasons...)
	words("code", append(ticketing.DoneCodes(), "untold")...)
	for _, s := range outbox.States {
		words("outbox", string(s))
	}
	english := catalogue.Printer("en")
	for _, d := range ticketing.Definitions() {
		words("figures", d.Figure, "def_"+d.Figure)
		key := "figures.def_" + d.Figure
		if said := english.Text(key); said != d.Sentence {
			t.Errorf("the board says %q of %s, it is %q", said, d.Figure, d.Sentence)
		}
	}
	words("reason", "severity", "person_inside", "recurrence", "still_holds", "common_cause", "new_normal", "consequence")
	words("attachment", ticketing.AttachmentRoles...)
	words("skill", ticketing.Skills...)
	words("class", devices.Classes...)
	words("severity", "low", "medium", "high", "critical")
	words("phase", "active", "active_without_data", "cleared")
	words("quality", "good", "uncertain", "bad")
	words("availability", "online", "offline", "degraded", "unknown")
	for _, st := range rules.States() {
		words("explain", "state_"+string(st))
	}
	words("explain", "value_true", "value_false", "value_unknown")
	words("windows", "state_open", "state_planned", "state_over", "outcome_suppressed", "outcome_opened", "outcome_over",
		"why_window", "why_visit", "why_shelved", "why_signal")
	words("phase", "pending")
	words("via", "board", "api", "cli", "rules", "clock")
	words("order", "due_accept", "due_arrive", "due_done")
	for _, key := range keys {
		if !catalogue.Has(key) {
			t.Errorf("the catalogue lacks %s", key)
		}
	}
}
