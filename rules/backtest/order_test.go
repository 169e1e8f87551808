package backtest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, yard().Location)

// steps of one episode: active after a while, and cleared unless until is 0.
func steps(asset, class string, severity rules.Severity, from, until time.Duration, under string) []rules.Transition {
	at := monday.Add(from)
	s := rules.Transition{
		Episode: rules.EpisodeID{Site: "yard", Asset: asset, FaultClass: class, Seq: uint64(from)},
		Phase:   rules.Active, Severity: severity, Rule: "rule-" + class, Onset: at.Add(-time.Minute).UnixNano(), At: at.UnixNano(),
	}
	if under != "" {
		s.Under = rules.EpisodeID{Site: "yard", Asset: under, FaultClass: "power.quality", Seq: 1}
	}
	out := []rules.Transition{s}
	if until != 0 {
		s.Phase, s.At = rules.Cleared, monday.Add(until).UnixNano()
		out = append(out, s)
	}
	return out
}

func outcome(lists ...[]rules.Transition) *Outcome {
	o := &Outcome{}
	for _, l := range lists {
		o.Steps = append(o.Steps, l...)
	}
	return o
}

const day = 24 * time.Hour

func options() Options {
	return Options{Site: yard(), Source: "csv", From: monday, To: monday.Add(14 * day), Warranty: 7 * day}
}

// TestEpisodesBecomeOrdersAsInTicketing: a return within the warranty is the same
// order, what another episode explains needs none, and what goes on when that is
// over gets one then.
func TestEpisodesBecomeOrdersAsInTicketing(t *testing.T) {
	own := steps("pump-2", "pump.dry_run", rules.High, 3*day, 0, "feeder")
	alone := own[0]
	alone.Under, alone.Cause, alone.At = rules.EpisodeID{}, rules.CauseOnItsOwn, monday.Add(3*day+time.Hour).UnixNano()
	worse := steps("pump-1", "pump.bearing", rules.Medium, 2*day, 0, "")
	high := worse[0]
	high.Severity, high.Cause, high.At = rules.High, rules.CauseSeverity, monday.Add(2*day+time.Hour).UnixNano()
	r := NewReport(Trial{Rules: rules.SetOf(), Outcome: outcome(
		steps("old", "pump.bearing", rules.Low, -2*day, day, ""), // open when the stretch begins
		steps("pump-1", "motor.overload", rules.Medium, time.Hour, 2*time.Hour, ""),
		steps("pump-1", "motor.overload", rules.Medium, 5*day, 5*day+time.Hour, ""), // a return
		worse, []rules.Transition{high},
		own, []rules.Transition{alone},
		steps("pump-3", "pump.dry_run", rules.High, 3*day, 4*day, "feeder"), // explained all the time
		steps("pump-1", "motor.overload", rules.Medium, 13*day, 0, ""),      // more than seven days after the return
	)}, nil, options())
	want := Sum{Orders: 4, PerWeek: 2, Night: 4, Hours: 1.5 + 3 + 3 + 1.5, Returns: 1, Attached: 1, Before: 1, Open: 3}
	if diff := cmp.Diff(want, r.Trial); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if o := r.Orders[1]; o.Severity != "high" || o.Asset != "pump-1" || !o.At.Equal(monday.Add(2*day)) {
		t.Errorf("an order that became worse: %+v", o)
	}
	if o := r.Orders[2]; !o.At.Equal(monday.Add(3*day + time.Hour)) {
		t.Errorf("an order of what goes on by itself: %+v", o)
	}
	if len(r.Weeks) != 2 || r.Weeks[0].Orders != 3 || r.Weeks[1].Orders != 1 {
		t.Errorf("weeks: %+v", r.Weeks)
	}
}

// TestDifferenceTellsWhatIsNewWhatIsGoneAndWhatMoved.
func TestDifferenceTellsWhatIsNewWhatIsGoneAndWhatMoved(t *testing.T) {
	trial := Trial{Rules: rules.SetOf(), Outcome: outcome(
		steps("pump-1", "pump.bearing", rules.High, 2*day, 3*day, ""),
		steps("pump-2", "pump.bearing", rules.High, 4*day, 0, ""),
		steps("pump-3", "pump.dry_run", rules.High, 12*time.Hour, 13*time.Hour, ""),
	)}
	current := Trial{Rules: rules.SetOf(), Outcome: outcome(
		steps("pump-1", "pump.bearing", rules.High, 2*day+6*time.Hour, 3*day, ""),
		steps("pump-2", "motor.overload", rules.Medium, 4*day, 0, ""),
		steps("pump-3", "pump.dry_run", rules.High, 12*time.Hour, 13*time.Hour, ""),
	)}
	r := NewReport(trial, &current, options())
	d := r.Difference
	if len(d.OnlyTrial) != 1 || d.OnlyTrial[0].Asset != "pump-2" || len(d.OnlyCurrent) != 1 || d.OnlyCurrent[0].FaultClass != "motor.overload" ||
		len(d.Both) != 2 || d.Earlier != 1 || d.Later != 0 || d.Both[1].Earlier != 6*3600 {
		text, _ := json.MarshalIndent(d, "", " ")
		t.Errorf("%s", text)
	}
	// Three high ones, two of them at midnight; by the current rules two high ones by
	// day and a medium one.
	if r.Trial.Hours != 3+3+2 || r.Current.Hours != 2+2+1.5 {
		t.Errorf("%v and %v hours", r.Trial.Hours, r.Current.Hours)
	}
}

// TestReportIsReadableInBothLanguages: every text is there, nothing of a user's is
// taken for markup, and the JSON can be read back.
func TestReportIsReadableInBothLanguages(t *testing.T) {
	trial := Trial{Rules: rules.SetOf(), Outcome: outcome(steps("<b>pump</b>", "pump.bearing", rules.High, 2*day, 3*day, ""))}
	trial.Shadow = outcome(steps("pump-2", "water.leak", rules.Low, 2*day, 0, ""))
	current := Trial{Rules: rules.SetOf(), Outcome: outcome()}
	o := options()
	o.Coverage = new(Coverage)
	reg := devices.NewRegistry()
	p := reg.AddPoint(reg.Add(devices.Device{ID: "pump-1", Class: "pump", Interval: int64(time.Minute)}), devices.Point{Name: "current"})
	for k := range 100 {
		o.Coverage.Take([]devices.Reading{{Point: p, Time: monday.Add(time.Duration(k) * time.Minute).UnixNano()}})
	}
	o.Coverage.Take([]devices.Reading{{Point: p, Time: monday.Add(13 * day).UnixNano()}})
	catalogue, err := messages.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range messages.Languages {
		for _, against := range []*Trial{nil, &current} {
			r := NewReport(trial, against, o)
			var text, page, data bytes.Buffer
			if err := r.Text(&text, catalogue.Printer(lang)); err != nil {
				t.Fatal(err)
			}
			if err := r.HTML(&page, catalogue.Printer(lang)); err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string]string{"text": text.String(), "page": page.String()} {
				if strings.Contains(s, "backtest.") || strings.Contains(s, "severity.") || strings.Contains(s, "%!") {
					t.Errorf("a text is missing in the %s in %s:\n%s", name, lang, s)
				}
				if strings.Contains(s, "ZgotmplZ") {
					t.Errorf("the page in %s holds what was taken for unsafe", lang)
				}
			}
			if strings.Contains(page.String(), "<b>pump") || strings.Contains(page.String(), "<script") || strings.Contains(page.String(), "http") {
				t.Errorf("the page in %s holds markup of a name, or needs something from elsewhere", lang)
			}
			if err := json.NewEncoder(&data).Encode(r); err != nil {
				t.Fatal(err)
			}
			var again Report
			if err := json.Unmarshal(data.Bytes(), &again); err != nil || again.Trial != r.Trial || len(again.Shadow) != 1 || len(again.Gaps) != 3 {
				t.Errorf("%v: %+v", err, again)
			}
			if g := r.Gaps[2]; g.Device != "pump-1" || g.Share < 0.9 || g.Share > 1 {
				t.Errorf("gaps: %+v", r.Gaps)
			}
		}
	}
}

// TestARuleThatNeedsAPastSaysSinceWhenItHasOne: what lies before the report counts,
// and a rule whose windows are filled in time is not doubted.
func TestARuleThatNeedsAPastSaysSinceWhenItHasOne(t *testing.T) {
	set, list := rules.Load([]rules.File{{Name: "past.yaml", Data: []byte(`rules:
  - id: weekly
    title: {en: Weekly, zh: 每周}
    class: pump
    fault_class: motor.overload
    source: {text: the test, mark: j}
    severity: low
    when: avg(current, 7d) > 3 A
    for: 1h
  - id: plain
    title: {en: Plain, zh: 普通}
    class: pump
    fault_class: motor.overload
    source: {text: the test, mark: j}
    severity: low
    when: current > 3 A
    for: 10m
`)}}, rules.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := WarmUp(set, nil), 7*day+time.Hour; got != want {
		t.Errorf("warm-up of %v, want %v", got, want)
	}
	for _, x := range []struct {
		data time.Duration // of the first reading, before the report
		want time.Time
	}{{0, monday.Add(7*day + time.Hour)}, {3 * day, monday.Add(4*day + time.Hour)}, {8 * day, time.Time{}}} {
		o := options()
		o.Coverage = &Coverage{from: monday.Add(-x.data).UnixNano()}
		out := outcome()
		out.Watches = []rules.Watch{{Rule: "weekly", Asset: "pump-1", Judged: 1}, {Rule: "plain", Asset: "pump-1", Judged: 1}}
		for _, l := range NewReport(Trial{Rules: set, Outcome: out}, nil, o).Rules {
			want := x.want
			if l.Name == "plain" {
				want = time.Time{}
			}
			if !l.UnknownUntil.Equal(want) {
				t.Errorf("%s with %v of a past is unknown until %v, want %v", l.Name, x.data, l.UnknownUntil, want)
			}
		}
	}
}
