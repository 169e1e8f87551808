package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs/calendars"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/ticketing"
)

func TestDeadlinesOfASiteAreTheDefaultsWithWhatItSays(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "group.yaml"), []byte("P2: {accept: 20m, arrive: 3h, silence: 6h}\nmax_pause: {parts: 7d, weather: 0s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := File{filepath.Join(dir, "site.yaml"), []byte(`
site: x
calendar: {shifts: {mon-fri: 08:00-17:00}}
sla:
  use: [group.yaml]
  P2: {accept: 10m}
  P3: {arrive: 8h, done: 16h, working: true}
  P4: {pauses: false}
`)}
	used, list := ReadUsed(file, nil)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	_, p, list := parseSite(file.Name, file.Data, used)
	if len(list) > 0 {
		t.Fatal(list)
	}
	want := ticketing.DefaultPolicy()
	want.Tiers[ticketing.P2].Accept, want.Tiers[ticketing.P2].Arrive, want.Silence[ticketing.P2] = 10*time.Minute, 3*time.Hour, 6*time.Hour
	want.Tiers[ticketing.P3] = ticketing.Allowed{Arrive: 8 * time.Hour, Done: 16 * time.Hour, Working: true, Pauses: true}
	want.Tiers[ticketing.P4].Pauses = false
	want.MaxPause["parts"], want.MaxPause["weather"] = 7*24*time.Hour, 0
	if p.Tiers != want.Tiers || p.Silence != want.Silence || p.MaxPause["parts"] != want.MaxPause["parts"] || p.MaxPause["weather"] != 0 || p.MaxPause["access"] != want.MaxPause["access"] {
		t.Errorf("got  %+v\nwant %+v", *p, want)
	}
	if _, p, list := parseSite("s.yaml", []byte("site: x\n"), nil); len(list) > 0 || p.Tiers != ticketing.DefaultPolicy().Tiers {
		t.Errorf("a site that says nothing: %+v %v", p, list)
	}
}

func TestMistakesInDeadlinesNameThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"P2: {accept: 3h}":                     `s.yaml:3:7: error: P2: accept within 3h0m0s is later than arrive within 2h0m0s (accept, arrive and done follow one another`,
		"P1: {accept: 5m, arrive: 5d}":         `s.yaml:4:7: warning: P2 is to be on site within 2h0m0s, sooner than P1 within 5d (P1 is the most urgent)`,
		"P3: {working: true}":                  `s.yaml:3:7: error: P3: it counts working time, and the site has no calendar (calendar: {shifts:`,
		"P3: {arrive: soon}":                   `s.yaml:3:16: error: sla.P3.arrive: "soon" is not a length of time`,
		"P5: {arrive: 1h}":                     `s.yaml:3:3: error: unknown key "P5" in sla (did you mean "P1"?)`,
		"P3: {arive: 1h}":                      `unknown key "arive" in sla.P3 (did you mean "arrive"?)`,
		"P4: {arrive: 3650d}":                  `s.yaml:3:7: error: P4: arrive within 3650d (at most a year)`,
		"max_pause: {part: 1d}":                `unknown key "part" in sla.max_pause (did you mean "parts"?)`,
		"use: [group.yaml]":                    `s.yaml:3:9: error: sla uses "group.yaml", which is not there`,
		"use: [broken.yaml]":                   `broken.yaml:2:5: error: P2: accept within 4h0m0s is later than arrive within 2h0m0s`,
		"P1: {working: maybe}":                 `sla.P1.working is "maybe" (true or false)`,
		"use: [nested.yaml]\n  P1: {done: 4h}": `nested.yaml:1:1: error: deadlines that are used use others themselves`,
	} {
		file := "site: x\nsla:\n  " + text + "\n"
		if strings.HasPrefix(text, "P1: {accept") {
			file += "  P2: {accept: 15m}\n"
		}
		_, _, list := parseSite("s.yaml", []byte(file), []File{{"broken.yaml", []byte("\nP2: {accept: 4h}")}, {"nested.yaml", []byte("use: [a.yaml]")}})
		if !strings.Contains(texts(list), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, texts(list), want)
		}
	}
}

func texts(list diag.List) string {
	var b strings.Builder
	_ = list.Print(&b)
	return b.String()
}

// What the guide says is what is read: its files are taken as they stand, and its
// table is the defaults.
func TestGuideToTheSiteFileIsTrue(t *testing.T) {
	text, err := os.ReadFile("sites/README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, block := range regexp.MustCompile("(?s)```yaml\n# (\\S+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if err := os.WriteFile(filepath.Join(dir, block[1]), []byte(block[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "court.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	used, list := ReadUsed(File{name, data}, calendars.FS)
	site, p, more := parseSite(name, data, used)
	if err := append(list, more...).Err(); err != nil || len(used) != 3 {
		t.Fatal(err, len(used))
	}
	if p.Tiers[ticketing.P1].Accept != 3*time.Minute || p.Tiers[ticketing.P2].Accept != 10*time.Minute || !p.Tiers[ticketing.P3].Working || !site.Calendar.Holidays[day("2026-12-24")] {
		t.Errorf("%+v", p)
	}
	def := ticketing.DefaultPolicy()
	length := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		s := Duration(d).String()
		if d == 24*time.Hour {
			s = "24h"
		}
		return strings.Replace(strings.Replace(s, "m0s", "m", 1), "h0m", "h", 1)
	}
	yes := map[bool]string{true: "yes", false: "no"}
	for key, of := range map[string]func(ticketing.Tier) string{
		"accept": func(t ticketing.Tier) string { return length(def.Tiers[t].Accept) }, "arrive": func(t ticketing.Tier) string { return length(def.Tiers[t].Arrive) },
		"done": func(t ticketing.Tier) string { return length(def.Tiers[t].Done) }, "working": func(t ticketing.Tier) string { return yes[def.Tiers[t].Working] },
		"pauses": func(t ticketing.Tier) string { return yes[def.Tiers[t].Pauses] }, "silence": func(t ticketing.Tier) string { return length(def.Silence[t]) },
	} {
		row := regexp.MustCompile("(?m)^\\| `" + key + "` .*$").FindString(string(text))
		cells := strings.Split(row, "|")
		for tier := ticketing.P1; tier <= ticketing.P4; tier++ {
			if n := int(tier) + 2; n >= len(cells) || strings.TrimSpace(cells[n]) != of(tier) {
				t.Errorf("the guide says of %s %q, the default of %s is %q", key, row, tier, of(tier))
			}
		}
	}
}
