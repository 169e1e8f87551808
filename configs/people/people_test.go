package people

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
)

var shipped = sync.OnceValues(templates.Shipped)

// around is one site in Shanghai that works Monday to Friday, but for the spring
// festival and the days that are worked for it.
func around(t *testing.T) Around {
	t.Helper()
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	set, list := shipped()
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	c := &devices.Calendar{
		Holidays: map[devices.Date]bool{{Year: 2026, Month: 2, Day: 17}: true},
		Workdays: map[devices.Date]time.Weekday{{Year: 2026, Month: 2, Day: 14}: time.Friday},
	}
	for wd := time.Monday; wd <= time.Friday; wd++ {
		c.Week[wd] = []devices.Shift{{Start: 8 * 60, End: 18 * 60}}
	}
	return Around{
		Sites:     []*devices.Site{{ID: "demo", Location: loc, Calendar: c}},
		Templates: set, Now: time.Date(2026, 2, 1, 0, 0, 0, 0, loc),
	}
}

var fence = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// guide writes the secrets that the guide's examples name and returns the
// examples.
func guide(t *testing.T) (dir string, blocks []string) {
	t.Helper()
	text, err := os.ReadFile("GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, m := range regexp.MustCompile(`secrets/([a-z]+)\.(\w+)`).FindAllStringSubmatch(string(text), -1) {
		secret := map[string]string{"url": "https://example.com/hook?key=" + m[1], "secret": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}[m[2]]
		if secret == "" {
			secret = "of-" + m[1]
		}
		if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "secrets", m[1]+"."+m[2]), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	return dir, blocks
}

func TestExamplesOfTheGuideAreGood(t *testing.T) {
	dir, blocks := guide(t)
	files, types := 0, []string(nil)
	for _, text := range blocks {
		switch {
		case strings.HasPrefix(text, "# people.yaml"):
			files++
			if _, list := Parse(filepath.Join(dir, "people.yaml"), []byte(text), around(t)); len(list) > 0 {
				t.Errorf("%v\n%s", list, text)
			}
		case strings.HasPrefix(text, "  - {name:"):
			text = "channels:\n" + text + minimal
			p, list := Parse(filepath.Join(dir, "people.yaml"), []byte(text), around(t))
			if list.HasErrors() {
				t.Errorf("%v\n%s", list, text)
				continue
			}
			types = append(types, p.Channels[0].Type)
		}
	}
	slices.Sort(types)
	if files < 2 || !slices.Equal(types, notify.Types()) {
		t.Errorf("%d files, channels %v; every type of channel has an example: %v", files, types, notify.Types())
	}
}

const minimal = `
persons: [{id: anna, contacts: [board]}]
escalation: [{steps: [{person: anna}]}]
`

// The crews of the guide take turns as the text says: two days of each shift, two
// days off, and holidays and moved workdays as the site has them.
func TestRotasOfTheGuideFollowTurnsAndTheCalendar(t *testing.T) {
	dir, blocks := guide(t)
	i := slices.IndexFunc(blocks, func(b string) bool { return strings.Contains(b, "dingtalk") })
	a := around(t)
	p, list := Parse(filepath.Join(dir, "people.yaml"), []byte(blocks[i]), a)
	if list.HasErrors() {
		t.Fatal(list)
	}
	for _, x := range []struct{ rota, at, want string }{
		{"duty", "2026-01-05 08:00", "li.na"},
		{"duty", "2026-01-06 15:59", "li.na"},
		{"duty", "2026-01-07 08:00", "liu.yang"},
		{"duty", "2026-01-05 16:00", "wang.wei"},
		{"duty", "2026-01-05 23:59", "wang.wei"},
		{"duty", "2026-01-06 00:00", "zhang.min"},
		{"duty", "2026-01-09 00:00", "li.na"},
		{"duty", "2026-02-17 15:00", "liu.yang"},
		{"duty", "2026-02-17 16:00", "chen.jie"}, // in the place of li.na
		{"duty", "2026-02-18 16:00", "liu.yang"},
		{"office", "2026-02-13 09:00", "liu.yang zhang.min"},
		{"office", "2026-02-14 09:00", "liu.yang zhang.min"}, // a Saturday that is worked
		{"office", "2026-02-15 09:00", ""},
		{"office", "2026-02-17 09:00", ""}, // a holiday
		{"office", "2026-02-18 09:00", "liu.yang zhang.min"},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", x.at, a.Sites[0].Location)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Roster.OnCall(x.rota, at), " "); got != x.want {
			t.Errorf("%s at %s: %q, want %q", x.rota, x.at, got, x.want)
		}
	}
	for _, x := range []struct {
		class string
		tier  ticketing.Tier
		want  string
	}{{"lift.door", ticketing.P1, "life safety"}, {"lift.door", ticketing.P2, "lifts"}, {"pump.dry_run", ticketing.P4, "can wait"}, {"pump.dry_run", ticketing.P2, "everything else"}} {
		if c := p.Roster.Chain("demo", x.class, "", x.tier); c == nil || c.Name != x.want {
			t.Errorf("%s %s goes by %v, want %s", x.tier, x.class, c, x.want)
		}
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	const good = "persons: [{id: anna, contacts: [board]}]\nescalation: [{steps: [{person: anna}]}]\n"
	for _, x := range []struct{ text, want string }{
		{"channels: [{name: mail, type: emial, url: \"smtp://h\", from: a@b.c}]\n" + good,
			`p.yaml:1:31: error: type of channel mail is "emial" (did you mean "email"?)`},
		{"channels: [{name: mail, type: email, url: \"smtp://h\"}]\n" + good,
			"p.yaml:1:12: error: channel mail needs from (see configs/people/GUIDE.md, email)"},
		{"channels: [{name: t, type: teams, url: \"https://h/x\", token: y}]\n" + good,
			"p.yaml:1:62: error: a channel of type teams has no token (it takes: url, ca)"},
		{"channels: [{name: t, type: teams, url_file: nowhere}]\n" + good,
			"p.yaml:1:45: error: open nowhere: no such file or directory (a file that holds the url and nothing else)"},
		{"channels: [{name: w, type: webhook, url: \"https://h/x\", secret: c2hvcnQ=}]\n" + good,
			"p.yaml:1:65: error: secret has 5 bytes, and 24 are the least (make one with: openssl rand -base64 32)"},
		{"channels: [{name: n, type: ntfy, url: \"http://ntfy.lan\"}]\npersons: [{id: anna, contacts: [{channel: n, address: a b}]}]\nescalation: [{steps: [{person: anna}]}]\n",
			`p.yaml:2:33: error: "a b" is not a topic: a topic: letters, digits, - and _, at most 64`},
		{"persons: [{id: Anna, contacts: [board]}]\nescalation: [{steps: [{person: Anna}]}]\n",
			`p.yaml:1:16: error: person is called "Anna" (lower-case letters, digits, dot, dash and underscore, beginning with a letter or digit)`},
		{"persons: [{id: anna, contacts: [baord]}]\nescalation: [{steps: [{person: anna}]}]\n",
			`p.yaml:1:33: error: anna is reached over channel "baord", which is not there (did you mean "board"?)`},
		{"persons: [{id: anna, skills: [lift_mecanic], contacts: [board]}]\nescalation: [{steps: [{person: anna}]}]\n",
			`p.yaml:1:31: error: skill "lift_mecanic" is not known (did you mean "lift_mechanic"?)`},
		{"persons: [{id: anna, contacts: [board], quiet: [{tiers: [P1], hours: \"20:00-07:00\"}]}]\nescalation: [{steps: [{person: anna}]}]\n",
			"p.yaml:1:49: error: P1 knows no quiet hours: a person may be in danger (leave P1 out)"},
		{"persons: [{id: anna, contacts: [board], budget: many}]\n" + "escalation: [{steps: [{person: anna}]}]\n",
			`p.yaml:1:49: error: persons[0].budget: "many" is not a budget; write for example 6 per 1h`},
		{good + "teams: [{id: crew, members: [ana]}]\n",
			`p.yaml:3:30: error: member "ana" of team crew is not a person here (did you mean "anna"?)`},
		{good + "rotas: [{id: duty, shifts: [{hours: \"08:00-16:00\", first: 2026-01-05, order: [ana]}]}]\n",
			`p.yaml:3:79: error: "ana" in the order of rota duty is neither a person nor a team here (did you mean "anna"?)`},
		{good + "rotas: [{id: duty, shifts: [{hours: \"08:00-16:00\", first: 2026-01-05, order: []}]}]\n",
			"p.yaml:3:29: error: shift with nobody in its order (order: ids of persons or teams)"},
		{good + "rotas: [{id: duty, shifts: [{hours: \"08:00-16:00\", first: 2026-01-05, repeats: FREQ=HOURLY, order: [anna]}]}]\n",
			`p.yaml:3:80: error: "FREQ=HOURLY" repeats within a day; a shift begins once a day at most (FREQ=DAILY, or FREQ=WEEKLY;BYDAY=SA,SU)`},
		{"persons: [{id: anna, contacts: [board]}]\nescalation: [{steps: [{rota: duty}, {person: anna, after: 5m}]}]\n",
			`p.yaml:2:30: error: there is no rota "duty"`},
		{"persons: [{id: anna, contacts: [board]}]\nescalation: [{steps: [{person: anna}, {person: anna}]}]\n",
			"p.yaml:2:39: error: step without after (after: 5m; how long the order may lie unaccepted after the step before)"},
		{"persons: [{id: anna, contacts: [board]}]\nescalation: [{fault_classes: [lift.dor], steps: [{person: anna}]}]\n",
			`p.yaml:2:31: error: there is no fault class "lift.dor" (did you mean "lift.door"?)`},
		{"persons: [{id: anna, contacts: [board]}]\nescalation: [{urgency: log, steps: [{person: anna}]}]\n",
			"p.yaml:2:24: error: a chain for P1 always pages (give the other tiers a chain of their own: tiers: [P3, P4])"},
		{good + "subscriptions: [{name: cmms, channel: board}]\n",
			`p.yaml:3:39: error: subscription cmms uses channel "board", which is no webhook here`},
		{"channels: [{name: n, type: ntfy, url: \"http://localhost\"}]\n" + good + "subscriptions: [{name: cmms, channel: n}]\n",
			`p.yaml:4:39: error: subscription cmms uses channel "n", which is no webhook here (orders as data go to a channel of type webhook)`},
		{"channels: [{name: w, type: webhook, url: \"https://h/x\", secret: MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}]\n" + good + "subscriptions: [{name: cmms, channel: w, on: [closd]}]\n",
			`p.yaml:4:47: error: "closd" is no change of an order (did you mean "closed"?)`},
		// Nobody for P1: an error.
		{"persons: [{id: anna, contacts: [board]}]\nescalation: [{tiers: [P2, P3, P4], steps: [{person: anna}]}]\n",
			"p.yaml:2:13: error: no chain takes P1 orders of site demo: every fault class (a last chain without sites, tiers, skills and fault_classes takes the rest)"},
		{"persons: [{id: anna}]\nescalation: [{steps: [{person: anna}]}]\n",
			"p.yaml:2:14: error: this chain reaches nobody, and P1 orders take it (let a step tell somebody who has a contact)"},
	} {
		_, list := Parse("p.yaml", []byte(x.text), around(t))
		var got []string
		for _, d := range list {
			if d.Level == 0 {
				got = append(got, d.String())
			}
		}
		if d := cmp.Diff([]string{x.want}, got); d != "" {
			t.Errorf("%s%s", x.text, d)
		}
	}
}

func TestGapsAreWarnedOfWithTheirFirstMoment(t *testing.T) {
	const text = `
persons: [{id: anna, contacts: [board]}, {id: ben, contacts: [board]}]
rotas:
  - id: duty
    shifts: [{hours: "08:00-18:00", first: 2026-01-05, repeats: "FREQ=DAILY;UNTIL=20260210", order: [anna]}]
    overrides: [{from: 2026-02-01 18:00, to: 2026-02-02 08:00, persons: [anna]}]
  - {id: late, shifts: [{hours: "08:00-07:30", first: 2026-01-05, order: [anna]}]}
escalation: [{tiers: [P1], steps: [{rota: late}, {person: anna, after: 5m}]}, {name: rest, steps: [{rota: duty}]}]
`
	p, list := Parse("p.yaml", []byte(text), around(t))
	var got []string
	for _, d := range list {
		got = append(got, d.String())
	}
	want := []string{
		"p.yaml:2:47: warning: ben is in no rota, team or step that a chain uses, and is never told",
		"p.yaml:7:10: warning: rota late has nobody on call from Sun 2026-02-01 07:30 to Sun 2026-02-01 08:00 (close the gap, or let the chain end at a person or a team)",
		"p.yaml:8:79: warning: rest reaches nobody from Sun 2026-02-01 00:00 on for a while (let its last step tell a person or a team)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	loc := around(t).Sites[0].Location
	for at, want := range map[time.Time]int{
		time.Date(2026, 2, 10, 17, 59, 0, 0, loc): 1, time.Date(2026, 2, 11, 9, 0, 0, 0, loc): 0, time.Date(2026, 2, 1, 19, 0, 0, 0, loc): 1,
	} {
		if got := p.Roster.OnCall("duty", at); len(got) != want {
			t.Errorf("at %s %v are on call", at, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("rotas: [{id: d, shifts: [{hours: \"22:00-06:00\", first: 2026-01-05, repeats: \"FREQ=MONTHLY;BYMONTHDAY=31\", turn: 1w, order: [a]}]}]" + minimal))
	f.Add([]byte("channels: [{name: m, type: email, url: \"smtp://h\", from: a@b.c}]" + minimal))
	f.Fuzz(func(_ *testing.T, data []byte) {
		Parse("p.yaml", data, Around{Sites: []*devices.Site{{ID: "demo", Location: time.UTC}}, Now: time.Unix(1.77e9, 0).UTC()})
	})
}
