package notify

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

func writer(t testing.TB) *Writer {
	t.Helper()
	c, err := messages.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &Writer{Messages: c, Board: "https://board.example.com"}
}

// noon is in the site's time, with which everything is written.
var noon = time.Date(2026, 2, 17, 12, 0, 0, 0, time.FixedZone("", 8*3600))

var shipped = sync.OnceValues(templates.Shipped)

// trapped is an order for a simulated lift with people in it.
func trapped(t testing.TB, kind Kind) *Facts {
	t.Helper()
	set, list := shipped()
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	site := &devices.Site{ID: "demo", Name: devices.Label{EN: "Harbour Court", ZH: "港湾苑"}, Location: noon.Location(), Assets: []devices.Asset{
		{ID: "lift-3", Parent: "tower-b", Name: devices.Label{EN: "Lift 3", ZH: "3号电梯"}}, {ID: "tower-b", Name: devices.Label{EN: "Tower B", ZH: "B座"}},
	}}
	o := &ticketing.Order{
		ID: "abc", Number: 17, Site: "demo", Asset: "lift-3", FaultClass: "lift.entrapment", Tier: ticketing.P1, State: ticketing.Accepted, Simulated: true,
		Onset: noon.Add(-7 * time.Minute).UTC(), Why: devices.Label{EN: "The car stands between floors with somebody in it.", ZH: "轿厢停在层间，内有乘客。"},
	}
	f := OrderFacts(kind, o, site, set["lift.entrapment"])
	f.First, f.Safety = f.First[:1], f.Safety[:1]
	f.By, f.At, f.Target, f.Due, f.Level = "Li Na", noon.Add(-2*time.Minute), ticketing.ToArrive, noon.Add(23*time.Minute), 50
	return &f
}

func TestAMessageSaysWhatWhereSinceWhenWhyAndWhatToCheckFirst(t *testing.T) {
	w := writer(t)
	got := map[string]string{}
	for _, lang := range messages.Languages {
		m := w.Write(trapped(t, New), lang, noon)
		got[lang] = m.String()
	}
	want := map[string]string{
		"en": `[SIMULATED] P1 Lift 3 (Tower B): Person trapped in the lift
Safety: Switch the main supply off before the car is moved by hand
Where: Lift 3, Tower B, Harbour Court
Since: 11:53 (7 min)
Why: The car stands between floors with somebody in it.
Check first: Speak to the people in the car and tell them help is on the way
On site by: 12:23
Order: demo-17
Raised by a simulated device: no real asset is affected.
Open the order: https://board.example.com/orders/abc`,
		"zh": `【模拟】P1 3号电梯（B座）：电梯困人
安全：手动盘车前切断主电源
位置：3号电梯，B座，港湾苑
开始：11:53（已持续 7 分钟）
原因：轿厢停在层间，内有乘客。
先检查：与被困人员通话，安抚并告知救援正在赶来
到场时限：12:23
工单：demo-17
由模拟设备产生，没有真实资产受影响。
打开工单：https://board.example.com/orders/abc`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTitlesSayWhatHasHappened(t *testing.T) {
	w := writer(t)
	const about = "P1 Lift 3 (Tower B): Person trapped in the lift"
	for _, x := range []struct {
		change      func(*Facts)
		title, lead string
	}{
		{func(f *Facts) { f.Kind = Escalated }, "Nobody yet · " + about, "Nobody has accepted it for 2 min."},
		{func(f *Facts) { f.Kind, f.At = Escalated, noon }, about, ""}, // nobody could be told before
		{func(f *Facts) { f.Kind = Silent }, "No word · " + about, "Li Na accepted it at 11:58 and has said nothing since."},
		{func(f *Facts) { f.Kind, f.Reason = Worse, "person_inside" }, "More urgent · " + about, "It is P1 now: a person may be inside."},
		{func(f *Facts) { f.Kind = Again }, "Re-visit · " + about, "The fault is back after the repair."},
		{func(f *Facts) { f.Kind, f.Reason = Again, "still leaks" }, "Re-visit · " + about, "The repair was not signed off: still leaks"},
		{func(f *Facts) { f.Kind = Assigned }, about, "Li Na gives it to you."},
		{func(f *Facts) { f.Kind = Warning }, "50% of the time gone · " + about, "50% of the time to be on site are gone."},
		{func(f *Facts) { f.Kind, f.Level, f.Target = Warning, 100, ticketing.ToAccept }, "Too late · " + about, "The time to accept it is over."},
		{func(f *Facts) { f.Kind, f.Reason, f.At = Overdue, "parts", noon.Add(-72*time.Hour) }, "Waits too long · " + about, "It waits (parts) for 3 days, longer than it may."},
		{func(f *Facts) { f.Kind = Cleared }, "Fault over · " + about, "The fault is over for now. The order stays open until somebody has looked."},
		{func(f *Facts) { f.Kind = Update }, "accepted · " + about, "Accepted by Li Na at 11:58."},
		{func(f *Facts) { f.Kind, f.State, f.At = Update, ticketing.Verified, noon.Add(-24*time.Hour) }, "", "The telemetry confirmed the repair at 16 Feb 12:00."},
		{func(f *Facts) { f.Kind, f.State, f.Reason = Update, ticketing.Cancelled, "false_alarm" }, "", "Cancelled by Li Na at 11:58: false alarm."},
		{func(f *Facts) { f.Kind, f.State, f.By = Update, ticketing.Closed, "" }, "", "Closed by facilityd at 11:58."},
	} {
		f := trapped(t, New)
		f.Simulated = false
		x.change(f)
		m := w.Write(f, "en", noon)
		lead := ""
		for _, l := range m.Body {
			if l.Label == "" && lead == "" {
				lead = l.Text
			}
		}
		if x.title != "" && !strings.EqualFold(m.Title, x.title) || lead != x.lead || m.Subject != about {
			t.Errorf("%s: %q, %q, subject %q; want %q, %q", f.Kind, m.Title, lead, m.Subject, x.title, x.lead)
		}
	}
}

// P1 begins with what keeps people alive; the others with what has happened.
func TestSafetyComesFirstForP1(t *testing.T) {
	w := writer(t)
	for tier, first := range map[ticketing.Tier]bool{ticketing.P1: true, ticketing.P2: false} {
		for _, kind := range []Kind{New, Escalated, Warning, Again} {
			f := trapped(t, kind)
			f.Tier = tier
			if m := w.Write(f, "zh", noon); m.Body[0].Safety != first {
				t.Errorf("%s %s begins with %q", tier, kind, m.Body[0].Text)
			}
		}
	}
}

func TestADigestListsAllAndCountsThemByTier(t *testing.T) {
	w := writer(t)
	f := &Facts{Kind: Summary, Path: "/orders"}
	for i := range 50 {
		o := trapped(t, New)
		o.Tier = ticketing.P2 + ticketing.Tier(i%2)
		o.Order = ticketing.NumberText("demo", int64(i))
		f.Orders = append(f.Orders, *o)
	}
	m := w.Write(f, "en", noon)
	if m.Title != "50 orders: 25 × P2, 25 × P3" || len(m.Body) != 50 || m.Link != "https://board.example.com/orders" {
		t.Errorf("%q, %d lines, %s", m.Title, len(m.Body), m.Link)
	}
	if want := "P2 Lift 3 (Tower B): Person trapped in the lift · demo-0, since 11:53"; m.Body[0].Text != want {
		t.Errorf("%q, want %q", m.Body[0].Text, want)
	}
}

// Every kind, state, target and reason has its words in both languages.
func TestNothingIsLeftWithoutWords(t *testing.T) {
	w := writer(t)
	say := func(f *Facts) {
		for _, lang := range messages.Languages {
			m := w.Write(f, lang, noon)
			for _, text := range []string{m.String(), m.More} {
				if strings.Contains(text, "message.") || strings.Contains(text, "reason.") || strings.Contains(text, "state.") || strings.Contains(text, "%!") {
					t.Errorf("%s %s %s: %s", lang, f.Kind, f.State, text)
				}
			}
		}
	}
	for _, kind := range []Kind{New, Escalated, Silent, Worse, Again, Assigned, Warning, Overdue, Update, Cleared, Summary, Test} {
		for _, state := range ticketing.States {
			f := trapped(t, kind)
			f.State, f.Under = state, 3
			say(f)
		}
		for _, target := range []ticketing.Target{ticketing.ToAccept, ticketing.ToArrive, ticketing.ToDone} {
			for _, level := range []int{50, 80, 100} {
				f := trapped(t, kind)
				f.Target, f.Level = target, level
				say(f)
			}
		}
	}
	for _, reason := range append(append([]string{"severity", "person_inside", "recurrence", "still_holds"}, ticketing.WaitReasons...), ticketing.CancelReasons...) {
		f := trapped(t, Worse)
		f.Reason = reason
		say(f)
	}
}
