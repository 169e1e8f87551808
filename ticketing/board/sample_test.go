package board_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
	"github.com/facilityd/facilityd/ticketing/store"
)

// now is the time of the sample estate.
var now = time.Date(2026, 3, 2, 6, 40, 0, 0, time.UTC)

// A sample is an estate with orders in every state, as the daemon would leave
// it, so that pages can be seen without the daemon.
type sample struct {
	*testing.T
	store  *store.Store
	live   *sampleLive
	board  *board.Board
	server *httptest.Server
	tokens map[string]string // by person
	ready  error
	seq    uint64
}

type sampleConfig struct {
	beyondLoopback bool
	nobody         bool // nobody acts on loopback without a token
	empty          bool
}

func newSample(t *testing.T, cfg sampleConfig) *sample {
	t.Helper()
	s := &sample{T: t, live: newSampleLive(t), tokens: map[string]string{}}
	guides, list := templates.Shipped()
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	var err error
	s.store, err = store.Open(t.Context(), store.Config{
		URL: "sqlite:" + filepath.Join(t.TempDir(), "orders.db"), Warranty: 7 * 24 * time.Hour,
		Template: func(id string) *ticketing.Template { return guides[id] },
		Criticality: func(_, asset string) devices.Criticality {
			for _, a := range s.live.site.Assets {
				if a.ID == asset {
					return a.Criticality
				}
			}
			return devices.NormalAsset
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	for id, name := range map[string]string{"technician": "Demo technician", "li.na": "Li Na"} {
		if s.tokens[id], err = s.store.AddPerson(t.Context(), ticketing.Person{ID: id, Name: name}, now); err != nil {
			t.Fatal(err)
		}
	}
	catalogue, err := messages.Load()
	if err != nil {
		t.Fatal(err)
	}
	local := "technician"
	if cfg.nobody {
		local = ""
	}
	s.board, err = board.New(board.Config{
		Orders: s.store, Outbox: s.store, Live: s.live, Messages: catalogue, Templates: guides, Now: func() time.Time { return now }, Loopback: !cfg.beyondLoopback, LocalPerson: local,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "facilityd_up 1") }),
		Ready:   func() error { return s.ready }, Version: "1.0.0", OnCall: onCall,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	if !cfg.empty {
		s.fill()
	}
	s.server = httptest.NewServer(s.board)
	t.Cleanup(s.server.Close)
	t.Cleanup(s.board.Stop)
	return s
}

// onCall is a rota of the sample estate with a gap in it.
func onCall(now time.Time) []board.Rota {
	li, wang := board.OnCall{ID: "li.na", Name: "Li Na"}, board.OnCall{ID: "wang.wei", Name: "Wang Wei"}
	r := board.Rota{ID: "duty", Name: devices.Label{EN: "Duty", ZH: "值班"}, Site: "demo"}
	for i, who := range [][]board.OnCall{{li, wang}, {wang}, nil, {li}} {
		from := now.Truncate(8 * time.Hour).Add(time.Duration(i) * 8 * time.Hour)
		r.Duties = append(r.Duties, board.Duty{From: from, To: from.Add(8 * time.Hour), Persons: who})
	}
	return []board.Rota{r}
}

// raise makes an episode active ago before now and returns its order.
func (s *sample) raise(asset, fault string, sev rules.Severity, ago time.Duration, ev *rules.Evidence) *ticketing.Order {
	s.Helper()
	s.seq++
	at := now.Add(-ago)
	id := rules.EpisodeID{Site: "demo", Asset: asset, FaultClass: fault, Seq: s.seq}
	rule := "P07"
	if ev != nil {
		rule = ev.Rule
	}
	s.apply(rules.Transition{
		Episode: id, Seq: s.seq, Phase: rules.Active, Cause: rules.CauseHeld, Severity: sev, Rule: rule,
		Onset: at.Add(-2 * time.Minute).UnixNano(), At: at.UnixNano(), Simulated: true, Evidence: ev,
	})
	o, err := s.store.Order(s.Context(), ticketing.OrderID(id))
	if err != nil {
		s.Fatal(err)
	}
	return o
}

func (s *sample) apply(t rules.Transition) {
	s.Helper()
	if err := s.store.ApplyTransitions(s.Context(), "demo", 1, t.Seq, time.Unix(0, t.At), []rules.Transition{t}); err != nil {
		s.Fatal(err)
	}
}

// step is a further step of the episode that raised an order.
func (s *sample) step(o *ticketing.Order, episode uint64, phase rules.Phase, cause rules.Cause, ago time.Duration) {
	s.seq++
	s.apply(rules.Transition{
		Episode: rules.EpisodeID{Site: "demo", Asset: o.Asset, FaultClass: o.FaultClass, Seq: episode}, Seq: s.seq, Phase: phase, Cause: cause,
		Severity: rules.Medium, Rule: o.Rule, Onset: o.Onset.UnixNano(), At: now.Add(-ago).UnixNano(), Simulated: true,
	})
}

// explain attaches an episode of each asset to an order; the last of them is over.
func (s *sample) explain(o *ticketing.Order, episode uint64, assets ...string) {
	for i, asset := range assets {
		s.seq++
		t := rules.Transition{
			Episode: rules.EpisodeID{Site: "demo", Asset: asset, FaultClass: "comms.quality", Seq: s.seq}, Seq: s.seq, Phase: rules.Active, Cause: rules.CauseHeld,
			Severity: rules.Low, Rule: "Q02", Onset: o.Onset.UnixNano(), At: o.Opened.UnixNano(), Simulated: true,
			Under:    rules.EpisodeID{Site: "demo", Asset: o.Asset, FaultClass: o.FaultClass, Seq: episode},
			Evidence: nakedReason("Device silent", "设备无数据"),
		}
		s.apply(t)
		if i == len(assets)-1 {
			s.seq++
			t.Seq, t.Phase, t.Cause, t.Evidence = s.seq, rules.Cleared, rules.CauseCleared, nil
			s.apply(t)
		}
	}
}

func (s *sample) do(o *ticketing.Order, c ticketing.Command, ago time.Duration) *ticketing.Order {
	s.Helper()
	s.seq++
	c.Order, c.Via, c.Arrived, c.Key, c.Version = o.ID, "board", now.Add(-ago), fmt.Sprint("sample-", s.seq), o.Version
	if c.By == "" {
		c.By = "li.na"
	}
	o, _, err := s.store.Command(s.Context(), c)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

func (s *sample) fill() {
	s.raise("pump-1", "motor.overload", rules.High, 12*time.Minute, overload())
	s.raise("lift-1", "lift.entrapment", rules.Critical, 3*time.Minute, trapped())
	door := s.raise("lift-2", "lift.door", rules.Medium, 5*time.Hour, nil)
	s.do(door, ticketing.Command{Verb: ticketing.DoAccept}, 4*time.Hour)
	gate := s.raise("gate-north", "barrier.mechanism", rules.Medium, 26*time.Hour, nil)
	gate = s.do(gate, ticketing.Command{Verb: ticketing.DoArrive, By: "technician"}, 25*time.Hour)
	s.do(gate, ticketing.Command{Verb: ticketing.DoWait, Reason: "parts", Text: "Spring broken, ordered", By: "technician"}, 24*time.Hour)
	leak := s.raise("meter-water", "water.leak", rules.Medium, 9*time.Hour, nakedReason("No hour without flow in 24 h; the smallest was 0.9 % of Q3", "24小时内没有零流量时段，最小为Q3的0.9 %"))
	s.step(leak, s.seq, rules.ActiveWithoutData, rules.CauseNoData, 40*time.Minute)
	mains := s.raise("meter-main", "power.quality", rules.Low, 70*time.Hour, nil)
	s.explain(mains, s.seq, "gate-north", "gate-south", "pump-2")
	bearing := s.raise("pump-2", "pump.bearing", rules.Medium, 80*time.Hour, nil)
	s.step(bearing, s.seq, rules.Cleared, rules.CauseCleared, 50*time.Hour)
	bearing, _ = s.store.Order(s.Context(), bearing.ID)
	s.do(bearing, ticketing.Command{Verb: ticketing.DoDone, Text: "Bearing replaced, alignment checked"}, 49*time.Hour)
	known := s.raise("gate-south", "access.recognition", rules.Low, 100*time.Hour, nil)
	s.do(known, ticketing.Command{Verb: ticketing.DoCancel, Reason: "false_alarm"}, 99*time.Hour)
}

func overload() *rules.Evidence {
	limit := 36.8
	series := rules.Series{Device: "pump-1", Point: "current", Unit: "A", Limit: &limit}
	pressure := rules.Series{Device: "pump-1", Point: "discharge_pressure", Unit: "bar"}
	for i := range 120 {
		t := now.Add(-time.Duration(12+120-i) * time.Minute)
		v := 31 + 0.6*math.Sin(float64(i)/5)
		if i > 70 {
			v += float64(i-70) * 0.19
		}
		series.Times, series.Values = append(series.Times, t.UnixNano()), append(series.Values, v)
		pressure.Times, pressure.Values = append(pressure.Times, t.UnixNano()), append(pressure.Values, 4.2-float64(max(0, i-70))*0.012+0.05*math.Sin(float64(i)))
	}
	at := now.Add(-12 * time.Minute).UnixNano()
	return &rules.Evidence{
		Rule: "P07", RuleVersion: "9c1e5a7b", Condition: "current > 1.15 * asset.rated_current", Source: "general engineering knowledge (k)",
		Threshold: "36.8 A = 1.15 × rated current 32 A (site file)",
		Reason:    devices.Label{EN: "Current 40.2 A has been above 36.8 A for 60 s", ZH: "电流40.2 A，超过36.8 A已持续60秒"},
		Inputs: []rules.Input{
			{Device: "pump-1", Point: "current", Role: "current", Unit: "A", Value: 40.2, Quality: "good", Time: at},
			{Device: "pump-1", Point: "discharge_pressure", Role: "discharge_pressure", Unit: "bar", Value: 3.61, Quality: "good", Time: at},
			{Device: "pump-1", Point: "running", Role: "running", Value: 1, Text: "on", Quality: "uncertain", Time: at - 40e9},
		},
		Series: []rules.Series{series, pressure},
	}
}

func trapped() *rules.Evidence {
	at := now.Add(-3 * time.Minute).UnixNano()
	ev := nakedReason("The alarm button was pressed with a passenger in the stopped car", "轿厢停止且有人，已按下报警按钮")
	ev.Rule, ev.Condition = "E01", "alarm_button and passenger_present"
	ev.Inputs = []rules.Input{
		{Device: "lift-1", Point: "alarm", Role: "alarm_button", Value: 1, Text: "pressed", Quality: "good", Time: at},
		{Device: "lift-1", Point: "passenger", Role: "passenger_present", Value: 1, Text: "yes", Quality: "good", Time: at},
	}
	return ev
}

func nakedReason(en, zh string) *rules.Evidence {
	return &rules.Evidence{Rule: "M09", RuleVersion: "0b51", Condition: "min_flow > 0.005 * q3", Reason: devices.Label{EN: en, ZH: zh}}
}

func nakedLearned() *rules.Evidence {
	ev := nakedReason("Opens slower than it used to", "开启比以往慢")
	ev.Learned = true
	return ev
}

// sampleLive stands for the running daemon.
type sampleLive struct {
	strangers []board.Stranger
	adopted   []string
	site      *devices.Site
	devices   []board.Device
	status    board.Status
	rules     *sampleRules
}

func newSampleLive(t *testing.T) *sampleLive {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	l := &sampleLive{
		site: &devices.Site{ID: "demo", Name: devices.Label{EN: "Harbour Court", ZH: "港湾苑"}, Location: shanghai, Simulated: true},
		status: board.Status{
			Version: "1.0.0", Started: now.Add(-30 * time.Hour), Configuration: "5f1d0c77a91e", Tasks: []board.Task{{
				Site: "demo", Asset: "pump-2", Fact: "rated_current", Label: devices.Label{EN: "Rated current", ZH: "额定电流"}, Unit: "A", Rules: []string{"motor-overload"},
			}},
			Lags: []board.Lag{{Site: "demo", Consumer: "history", Records: 12, Seconds: 1.5}},
		},
	}
	value := func(v float64) *float64 { return &v }
	for i, a := range []struct{ id, class, en, zh, avail string }{
		{"lift-1", "elevator", "Lift 1, Tower A", "A座1号电梯", "online"}, {"lift-2", "elevator", "Lift 2, Tower A", "A座2号电梯", "online"},
		{"gate-north", "gate", "North gate", "北门道闸", "degraded"}, {"gate-south", "gate", "South gate", "南门道闸", "online"},
		{"pump-1", "pump", "Booster pump 1", "1号增压泵", "online"}, {"pump-2", "pump", "Booster pump 2", "2号增压泵", "online"},
		{"meter-water", "meter", "Water, building B", "B栋水表", "offline"}, {"meter-main", "meter", "Main supply", "总进线", "online"},
	} {
		crit := devices.NormalAsset
		if a.class == "elevator" {
			crit = devices.VitalAsset
		}
		l.site.Assets = append(l.site.Assets, devices.Asset{ID: a.id, Class: a.class, Name: devices.Label{EN: a.en, ZH: a.zh}, Criticality: crit})
		seen := now.Add(-time.Duration(i*7+2) * time.Second)
		if a.avail == "offline" {
			seen = now.Add(-40 * time.Minute)
		}
		l.devices = append(l.devices, board.Device{
			Site: "demo", ID: a.id, Asset: a.id, Class: a.class, Profile: "demo-" + a.class + "/1", Simulated: true, Availability: a.avail, Since: now.Add(-6 * time.Hour), LastMessage: seen,
			Points: []board.Point{
				{Name: "availability", Kind: "availability", Text: a.avail, Quality: "good", Time: seen, Age: now.Sub(seen).Seconds()},
				{Name: "current", Role: "current", Unit: "A", Kind: "gauge", Value: value(40.2), Quality: "good", Time: seen, Age: now.Sub(seen).Seconds()},
				{Name: "winding", Role: "winding_temp", Unit: "°C", Kind: "gauge", Quality: "bad", Time: seen, Age: now.Sub(seen).Seconds()},
				{Name: "hours", Role: "run_hours", Unit: "h", Kind: "counter", Value: value(12345.5), Quality: "uncertain", Time: seen, Age: now.Sub(seen).Seconds()},
			},
		})
	}
	l.rules = newSampleRules(t, l.site)
	return l
}

func (l *sampleLive) Sites() []*devices.Site { return []*devices.Site{l.site} }

func (l *sampleLive) Devices(site string) []board.Device {
	if site != l.site.ID {
		return nil
	}
	out := slices.Clone(l.devices)
	for i := range out {
		out[i].Points = nil
	}
	return out
}

func (l *sampleLive) Device(site, id string) (board.Device, bool) {
	i := slices.IndexFunc(l.devices, func(d board.Device) bool { return d.Site == site && d.ID == id })
	if i < 0 {
		return board.Device{}, false
	}
	return l.devices[i], true
}

func (l *sampleLive) Accounting(string) board.Accounting {
	return board.Accounting{
		Sources: []board.SourceAccount{{Source: "main", Received: 1203, Journaled: 1200, Rejected: map[string]int64{"too_large": 3}}},
		Devices: []board.DeviceAccount{{Device: "pump-1", Decoded: 100, Stored: 95, Duplicate: 3, Ignored: 1, Unmapped: 1}},
	}
}

func (l *sampleLive) Status() board.Status { return l.status }

func (l *sampleLive) Strangers(site string) []board.Stranger { return l.strangers }

func (l *sampleLive) Adopt(_ context.Context, a board.Adoption, by string, _ time.Time) error {
	l.adopted = append(l.adopted, a.Site+"/"+a.Device+"/"+a.Asset+" by "+by)
	return nil
}
