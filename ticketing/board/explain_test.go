package board_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
)

// sampleRules runs a real engine, so that what the pages explain is what an engine
// says.
type sampleRules struct {
	engine *rules.Engine
	reg    *devices.Registry
	seq    uint64
	told   []devices.Fact
	past   []time.Time // asked for
}

const sampleRuleFile = `
mutes:
  - id: in-inspection
    title: {en: Lift in inspection, zh: 电梯处于检修}
    class: elevator
    fault_classes: [lift.door]
    while: service_mode == "inspection"
    source: {text: the test, mark: j}
rules:
  - id: motor-overload
    title: {en: Motor overloaded, zh: 电机过载}
    class: pump
    fault_class: motor.overload
    source: {text: general engineering knowledge, mark: k}
    only_while: {when: running, after: 30s}
    limits: {over: {value: 36.8 A, source: type plate, mark: v}}
    severity: high
    when: current > limit.over and (winding_temp > 80 °C or not auto_mode)
    for: 5m
    clear: current < 30 A
    clear_for: 10m
  - id: pump-bearing
    title: {en: Bearing too hot, zh: 轴承温度过高}
    class: pump
    fault_class: pump.bearing
    source: {text: GB 50275, mark: k}
    severity: medium
    when: bearing_temp > 80 °C
  - id: pump-vibration
    title: {en: Pump vibrates, zh: 水泵振动过大}
    class: pump
    fault_class: pump.bearing
    source: {text: ISO 20816-3, mark: c}
    severity: medium
    when: vibration_rms > fact.vibration_limit
  - id: new-dry-run
    title: {en: Pump runs dry (trial), zh: 水泵干转（试行）}
    class: pump
    fault_class: pump.dry_run
    shadow: true
    source: {text: our judgement, mark: j}
    severity: high
    when: running and flow < 1 m3/h
  - id: lift-door
    title: {en: Lift door stays open, zh: 电梯门长开}
    class: elevator
    fault_class: lift.door
    source: {text: our judgement, mark: j}
    severity: medium
    when: door_open_time > 60 s
  - id: leak
    title: {en: Water where there should be none, zh: 检测到漏水}
    class: pump
    fault_class: water.leak
    source: {text: our judgement, mark: j}
    severity: high
    when: water_leak
`

func newSampleRules(t *testing.T, site *devices.Site) *sampleRules {
	t.Helper()
	set, list := rules.Load([]rules.File{{Name: "sample.yaml", Data: []byte(sampleRuleFile)}}, rules.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	s := &sampleRules{reg: devices.NewRegistry()}
	s.engine = rules.NewEngine(set, site, s.reg)
	pump := s.device("pump-1", "pump", "running", "current", "winding_temp", "auto_mode", "bearing_temp", "vibration_rms", "flow", "water_leak")
	lift := s.device("lift-2", "elevator", "door_open_time", "service_mode")
	s.fact(devices.Fact{ID: "window-1", Kind: devices.FactWindow, Asset: "pump-1", FaultClass: "water.leak", By: "li.na", Note: "New mechanical seal",
		From: now.Add(-time.Hour), Until: now.Add(3 * time.Hour)}, 20*time.Minute)
	s.fact(devices.Fact{ID: "window-2", Kind: devices.FactWindow, Asset: "lift-1", By: "technician", Note: "Half-month maintenance",
		From: now.Add(20 * time.Hour), Until: now.Add(23 * time.Hour)}, 19*time.Minute)
	for m := 12; m >= 0; m -= 2 {
		ago := time.Duration(m) * time.Minute
		s.say(pump, ago, map[string]any{"running": 1.0, "current": 40.2 - float64(min(m, 4)), "winding_temp": 91.0, "auto_mode": 1.0, "bearing_temp": devices.Bad,
			"vibration_rms": 2.1, "flow": float64(m % 4), "water_leak": 1.0})
		s.say(lift, ago, map[string]any{"door_open_time": 75.0, "service_mode": "inspection"})
	}
	return s
}

func (s *sampleRules) device(id, class string, roles ...string) *devices.Device {
	d := s.reg.Add(devices.Device{ID: id, Class: class, Interval: int64(2 * time.Minute)})
	for _, name := range roles {
		r := devices.RoleByName(name)
		s.reg.AddPoint(d, devices.Point{Name: name, Role: name, Unit: r.Unit, Kind: r.Kind})
	}
	return d
}

func (s *sampleRules) apply(rec devices.Record, ago time.Duration, rs ...devices.Reading) {
	s.seq++
	rec.Seq, rec.Time, rec.Site = s.seq, now.Add(-ago).UnixNano(), "demo"
	s.engine.Apply(&rec, rs)
}

func (s *sampleRules) fact(f devices.Fact, ago time.Duration) {
	f.At = now.Add(-ago)
	s.apply(devices.Record{Kind: devices.FactRecord, Fact: &f}, ago)
}

func (s *sampleRules) say(d *devices.Device, ago time.Duration, values map[string]any) {
	var rs []devices.Reading
	for _, p := range d.Points {
		r := devices.Reading{Point: p, Time: now.Add(-ago).UnixNano()}
		switch v := values[p.Name].(type) {
		case float64:
			r.Value = v
		case string:
			r.Text = v
		case devices.Quality:
			r.Quality = v
		default:
			continue
		}
		rs = append(rs, r)
	}
	s.apply(devices.Record{Kind: devices.Messages, Connection: "main"}, ago, rs...)
}

func (l *sampleLive) Explain(_ context.Context, _ string, q rules.Question, at time.Time) (board.Moment, error) {
	m := board.Moment{At: time.Unix(0, l.rules.engine.Now()), From: now.Add(-72 * time.Hour)}
	var err error
	m.Rules, err = l.rules.engine.Explain(q)
	if !at.IsZero() {
		if at.After(now) {
			return m, &ticketing.InvalidError{Field: "at", Code: "at_ahead", Message: "the time lies ahead"}
		}
		l.rules.past = append(l.rules.past, at)
		m.At = at
	}
	return m, err
}

func (l *sampleLive) Windows(string) []rules.WindowView { return l.rules.engine.Windows() }

func (l *sampleLive) Suppressed(string) ([]rules.SuppressedView, []rules.SuppressedCount) {
	return l.rules.engine.Suppressed()
}

func (l *sampleLive) Tell(_ context.Context, _ string, f devices.Fact) error {
	l.rules.told = append(l.rules.told, f)
	l.rules.fact(f, 0)
	return nil
}

func TestExplanationIsOneSentenceInBothLanguages(t *testing.T) {
	s := newSample(t, sampleConfig{})
	x := get[board.Explained](s, "/api/v1/explain/pump-1")
	got := map[string]board.Explanation{}
	for _, r := range x.Rules {
		got[r.Rule] = r
	}
	for rule, want := range map[string]struct {
		state  rules.State
		en, zh string
	}{
		"motor-overload": {rules.Waiting, "The condition has held since 14:38:00; it opens in 3 min (high) unless it ends before.", "条件自 14:38:00 起成立；若不中断，3 分钟后触发（严重）。"},
		"pump-bearing":   {rules.Blind, "Whether it is so cannot be told for sure: the reading of Bearing temperature is bad.", "无法完全确定：轴承温度读数无效。"},
		"pump-vibration": {rules.Off, "It is off until somebody gives: Vibration limit B/C for the machine's group and mount (vibration_limit).", "规则未启用，需先填写：振动限值 B/C（按机组类别与支承） (vibration_limit)。"},
		"new-dry-run":    {rules.Open, "The condition has held since 14:40:00: Running yes, Flow 0 m3/h. The rule is in shadow: nothing leaves it.", ""},
		"leak":           {rules.Muted, "It would be open, but Li Na has planned work until 17:40:00. It is looked at again then.", ""},
	} {
		r := got[rule]
		if r.State != want.state || r.Text.EN != want.en || want.zh != "" && r.Text.ZH != want.zh {
			t.Errorf("%s is %s:\n%s\n%s", rule, r.State, r.Text.EN, r.Text.ZH)
		}
	}
	th := got["motor-overload"].Thresholds[0]
	if len(th.Parts) != 3 || th.Parts[1].Depth != 1 || !th.Parts[2].Or || th.Parts[2].Value != "false" || *th.Parts[0].Sides[0].Value != 40.2 || th.Remaining != 180 {
		t.Errorf("%+v", th)
	}
	if l := got["motor-overload"].Limits[0]; l.Value != 36.8 || l.Source.Text != "type plate" || l.Layer != rules.LayerRule {
		t.Errorf("%+v", l)
	}
	if x.Rules[0].Rule != "new-dry-run" || x.Rules[len(x.Rules)-1].Rule != "pump-vibration" {
		t.Errorf("%s comes first, %s last", x.Rules[0].Rule, x.Rules[len(x.Rules)-1].Rule)
	}
	lift := get[board.Explained](s, "/api/v1/explain/lift-2")
	if r := lift.Rules[0]; r.Mute == nil || r.Mute.Why != "signal" || r.Text.ZH != "本应触发，但资产自身状态为：电梯处于检修。" {
		t.Errorf("%+v", r)
	}
	// An order is explained by the rules of its fault class.
	if o := get[board.Explained](s, "/api/v1/explain/demo-1"); o.WorkOrder != "demo-1" || len(o.Rules) != 1 || o.Rules[0].Rule != "motor-overload" {
		t.Errorf("%+v", o)
	}
	past := get[board.Explained](s, "/api/v1/explain/demo-1?at="+url.QueryEscape(now.Add(-time.Hour).Format(time.RFC3339)))
	if !past.Past || past.Begins.IsZero() || len(s.live.rules.past) != 1 {
		t.Errorf("%+v", past)
	}
	for path, want := range map[string]int{
		"/api/v1/explain/pump-x": 404, "/api/v1/explain/pump-1?rule=motor-overlaod": 404, "/api/v1/explain/pump-2": 404,
		"/api/v1/explain/pump-1?at=2030-01-01T00:00:00Z": 422, "/why/demo/pump-x": 404,
	} {
		if resp, body := s.call("GET", path, ""); resp.StatusCode != want {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	if _, body := s.call("GET", "/api/v1/explain/pump-11", ""); !strings.Contains(body, `did you mean \"pump-1\"?`) {
		t.Errorf("no hint: %s", body)
	}
}

func TestWindowIsPlannedAndEndedByAPerson(t *testing.T) {
	s := newSample(t, sampleConfig{})
	add := func(key, body string) (int, string) {
		resp, text := s.call("POST", "/api/v1/windows", body, "Idempotency-Key", key)
		return resp.StatusCode, text
	}
	good := `{"asset": "lift-1", "fault_class": "lift.door", "until": "2026-03-02T09:00:00Z", "reason": "door operator"}`
	for range 2 {
		if code, text := add("k", good); code != 200 || !strings.Contains(text, `"state":"open"`) {
			t.Fatalf("%d %s", code, text)
		}
	}
	if n := len(s.live.rules.engine.Windows()); n != 3 {
		t.Errorf("%d windows, want the same key twice to be one of three", n)
	}
	for body, want := range map[string]string{
		strings.Replace(good, "lift-1", "lift-7", 1):                                   `no asset \"lift-7\"`,
		strings.Replace(good, "lift.door", "lift.dor", 1):                              "no fault class",
		strings.Replace(good, "2026-03-02T09", "2026-03-02T05", 1):                     "ends after it begins",
		strings.Replace(good, "2026-03-02T09", "2026-05-02T09", 1):                     "at most 31 days",
		strings.Replace(good, `"door operator"`, `"  "`, 1):                            "say why",
		strings.Replace(good, `"until"`, `"from": "2028-01-01T00:00:00Z", "until"`, 1): "ends after",
	} {
		if code, text := add("other", body); code < 400 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s, want %s", body, code, text, want)
		}
	}
	var id string
	for _, w := range get[board.List[board.Window]](s, "/api/v1/windows").Items {
		if w.Asset == "lift-1" && w.FaultClass == "lift.door" {
			id = w.ID
		}
	}
	if resp, body := s.call("POST", "/api/v1/windows/"+id+"/end", ""); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("ending: %s %s", resp.Status, body)
	}
	for _, w := range get[board.List[board.Window]](s, "/api/v1/windows").Items {
		if w.ID == id && w.State != "over" {
			t.Errorf("%+v", w)
		}
	}
	if resp, _ := s.call("POST", "/api/v1/windows/nothing/end", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("ending nothing: %s", resp.Status)
	}
	list := get[board.SuppressedList](s, "/api/v1/suppressed?why=window")
	if len(list.Items) != 1 || list.Items[0].Rule != "leak" || list.Items[0].By != "li.na" || list.Items[0].Outcome != "suppressed" {
		t.Errorf("%+v", list.Items)
	}
	if shadow := get[board.SuppressedList](s, "/api/v1/suppressed?why=shadow"); len(shadow.Counts) != 1 || shadow.Counts[0].Times != uint64(len(shadow.Items)) {
		t.Errorf("%+v", shadow)
	}
	nobody := newSample(t, sampleConfig{nobody: true})
	if resp, _ := nobody.call("POST", "/api/v1/windows", good, "Idempotency-Key", "k"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("nobody makes a window: %s", resp.Status)
	}
}

func TestDeviceIsReplacedByAPerson(t *testing.T) {
	s := newSample(t, sampleConfig{})
	s.live.strangers = []board.Stranger{{Site: "demo", ID: "pump-9", Adoptable: true}}
	replace := func(asset, body string) (int, string) {
		resp, text := s.call("POST", "/api/v1/assets/"+asset+"/replace", body, "Idempotency-Key", "k")
		return resp.StatusCode, text
	}
	if code, text := replace("pump-2", `{"device": "pump-9"}`); code != 200 || !strings.Contains(text, `"replaces":"pump-2"`) {
		t.Errorf("%d %s", code, text)
	}
	if told := s.live.rules.told; len(told) != 1 || told[0].Kind != devices.FactReplaced || told[0].By != "technician" || told[0].Replaces != "pump-2" {
		t.Errorf("%+v", told)
	}
	for body, want := range map[string]string{
		`{"device": "pump-8"}`:                       "nothing has been heard",
		`{"device": "pump-2"}`:                       "adopt",
		`{"device": "pump-9", "replaces": "lift-1"}`: "not another device of the asset",
	} {
		if code, text := replace("pump-2", body); code != 422 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", body, code, text)
		}
	}
}
