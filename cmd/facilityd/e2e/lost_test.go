package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices/history/influxtest"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
	"github.com/facilityd/facilityd/devices/simulator/load"
)

const loadRules = `
rules:
  - id: load-bearing
    title: {en: Bearing hot, zh: 轴承过热}
    fault_class: pump.bearing
    class: pump
    source: {text: the load says when, mark: j}
    severity: high
    when: bearing_temp > 70 °C
    for: 5s
    clear: bearing_temp < 65 °C
    clear_for: 3s
  - id: load-obstruction
    title: {en: Obstruction counted, zh: 阻挡计数}
    fault_class: barrier.mechanism
    class: gate
    source: {text: the load says how many there are, mark: j}
    thresholds:
      - {severity: medium, when: "count(obstruction, 2h) >= 30"}
      - {severity: high, when: "count(obstruction, 2h) >= 31"}
`

// What is published: two excursions per device, all of them within the load. A
// gate's fifteen obstructions each are exactly what the first threshold counts to;
// one event lost, and there is no episode; one event twice, and it is a high one.
const (
	loadDevices = 400
	loadEvery   = 60
	loadRounds  = 2*loadEvery + 1
	loadKills   = 20
	// The delays of the rules above.
	startDelay, clearDelay = 5 * time.Second, 3 * time.Second
)

// What is done meanwhile, at the start of a round.
const (
	firstBrokerStop, secondBrokerStop = 40, 85
	influxStops, influxReturns        = 30, 70
)

// TestKillsAndOutagesLoseNothing runs two daemons on the same load: one that is
// left alone, and one that is killed, and whose broker goes away. InfluxDB goes
// away for both.
func TestKillsAndOutagesLoseNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("E2E_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (E2E_SEED repeats it)", seed)
	chance := rand.New(rand.NewPCG(seed, 0))

	influx := influxtest.Start(t)
	calm := newSubject(t, "calm", influx)
	tried := newSubject(t, "tried", influx)

	// The pumps' own times are close to now, a second from one message to the next.
	g := load.Config{Devices: loadDevices, Start: time.Now().UTC().Truncate(time.Second), Interval: time.Second, Every: loadEvery, Length: 15}
	// Each part of the play has its own goroutine: what one waits for must not
	// hold up the load of the other, as silence would change what the rules see.
	var parts sync.WaitGroup
	part := func(play func()) { parts.Go(play) }
	part(func() { calm.play(load.New(g), nil) })
	part(func() {
		tried.play(load.New(g), func(round int) {
			if round == firstBrokerStop || round == secondBrokerStop {
				tried.broker.Stop()
				tried.broker.Start()
				tried.publisher.connect()
			}
		})
	})
	part(func() { tried.suffer(instants(chance, loadKills, loadRounds*time.Second)) })
	part(func() {
		start := time.Now()
		at(start, influxStops*time.Second)
		influx.Stop()
		at(start, influxReturns*time.Second)
		if err := influx.Restart(); err != nil {
			t.Error(err)
		}
	})
	parts.Wait()
	if t.Failed() {
		t.FailNow()
	}

	for _, s := range []*subject{calm, tried} {
		s.daemon.WaitReady()
		s.daemon.Until(s.name+" has judged everything", func() bool { return s.judged(load.New(g)) })
		s.daemon.Until(s.name+"'s history is up to date", func() bool { return s.stored() })
		s.daemon.Until("every pump is well again on "+s.name, func() bool {
			s.episodes = All[episode](s.daemon, "/api/v1/episodes", nil)
			return !slices.ContainsFunc(s.episodes, func(e episode) bool { return e.FaultClass == "pump.bearing" && e.Phase != "cleared" })
		})
	}
	for _, s := range []*subject{calm, tried} {
		s.finish(load.New(g), influx)
	}
	if diff := cmp.Diff(calm.told(), tried.told()); diff != "" {
		t.Errorf("episodes of the killed daemon differ from those of the one left alone (-alone +killed):\n%s", diff)
	}
}

// at waits until an instant after start.
func at(start time.Time, instant time.Duration) {
	<-time.After(time.Until(start.Add(instant)))
}

// play publishes the load, a round a second; before each round it tells.
func (s *subject) play(g *load.Generator, before func(round int)) {
	ticks := time.NewTicker(time.Second / bursts)
	defer ticks.Stop()
	for round := 1; round <= loadRounds; round++ {
		if before != nil {
			before(round)
		}
		s.publisher.round(g, round, ticks.C)
	}
}

// instants draws moments at which to kill, in order.
func instants(chance *rand.Rand, n int, span time.Duration) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = 2*time.Second + time.Duration(chance.Int64N(int64(span-4*time.Second)))
	}
	slices.Sort(out)
	return out
}

// subject is a daemon with its own broker, bucket and publisher.
type subject struct {
	t         *testing.T
	name      string
	dir       string
	bucket    string
	broker    *mosquittotest.Broker
	daemon    *Daemon
	publisher *publisher
	episodes  []episode
}

// episode as the API tells it.
type episode struct {
	ID         string    `json:"id"`
	Asset      string    `json:"asset"`
	FaultClass string    `json:"fault_class"`
	Phase      string    `json:"phase"`
	Severity   string    `json:"severity"`
	Rule       string    `json:"rule"`
	Onset      time.Time `json:"onset"`
	ActiveAt   time.Time `json:"active_at"`
	ClearedAt  time.Time `json:"cleared_at"`
}

const loadSite = "load"

func newSubject(t *testing.T, name string, influx *influxtest.Server) *subject {
	t.Helper()
	s := &subject{t: t, name: name, bucket: influx.Bucket(t)}
	s.broker = mosquittotest.Start(t, mosquittotest.Options{Config: mosquittotest.ForLoad})
	s.dir = write(t, map[string]string{
		"rules/load.yaml": loadRules,
		"site.yaml":       "site: " + loadSite + "\nname: {en: Load, zh: 负载}\ntime_zone: UTC\n",
		"facilityd.yaml": fmt.Sprintf(`
data: {{dir}}/data
listen: 127.0.0.1:0
sites: [site.yaml]
broker: {url: %q, client_id: facilityd-%s}
rules: {dir: rules, shipped: false}
influxdb: {url: %q, org: %s, bucket: %s, token: %q}
`, s.broker.URL(), name, influx.URL, influxtest.Org, s.bucket, influx.Token),
	})
	s.daemon = Start(t, program, "run", "--config", s.settings())
	// The session must exist before the first message, or the broker drops it.
	s.daemon.Until("the daemon is subscribed", func() bool { return s.daemon.Metric("facilityd_mqtt_connection_up") == 1 })
	s.publisher = newPublisher(t, s.broker.URL(), name)
	return s
}

func (s *subject) settings() string { return filepath.Join(s.dir, "facilityd.yaml") }
func (s *subject) data() string     { return filepath.Join(s.dir, "data") }

// suffer kills the daemon at the instants and starts it again at once; some
// kills come before it was ready.
func (s *subject) suffer(instants []time.Duration) {
	start := time.Now()
	for _, instant := range instants {
		at(start, instant)
		s.daemon.Kill()
		s.daemon.Launch()
	}
}

// judged reports whether the last message of every device has reached the rules.
func (s *subject) judged(g *load.Generator) bool {
	type device struct {
		ID string `json:"id"`
	}
	type point struct {
		Name  string   `json:"name"`
		Value *float64 `json:"value"`
	}
	for i := range g.Devices() {
		status, _, err := s.daemon.get("/api/v1/devices/" + g.Device(i))
		if err != nil || status != 200 {
			return false
		}
		var d struct {
			device
			Points []point `json:"points"`
		}
		s.daemon.Get("/api/v1/devices/"+g.Device(i), &d)
		at := slices.IndexFunc(d.Points, func(p point) bool { return p.Name == "pulse_count" })
		if at < 0 || d.Points[at].Value == nil || *d.Points[at].Value != loadRounds {
			return false
		}
	}
	return true
}

// stored reports whether history has read the journal to its end.
func (s *subject) stored() bool {
	var status struct {
		Lags []struct {
			Consumer string `json:"consumer"`
			Records  uint64 `json:"records"`
		} `json:"lags"`
	}
	s.daemon.Get("/api/v1/status", &status)
	for _, l := range status.Lags {
		if l.Consumer == "history" {
			return l.Records < 5 // a record of the time is written every second
		}
	}
	s.t.Fatalf("no lag of history: %+v", status)
	return false
}

// finish reads what the daemon says, ends it, and compares it with what its
// journal and InfluxDB hold.
func (s *subject) finish(g *load.Generator, influx *influxtest.Server) {
	t := s.t
	t.Helper()
	slices.SortFunc(s.episodes, func(a, b episode) int { return strings.Compare(a.ID, b.ID) })
	if err := s.daemon.Stop(); err != nil {
		t.Errorf("%s ended with %v", s.name, err)
	}

	s.explained(g)
	r := replay(t, s.settings(), s.data(), loadSite)
	journaled, decoded := perDevice(r.journaled), perDevice(r.decoded)
	whole := make([]int, loadRounds)
	for i := range whole {
		whole[i] = i + 1
	}
	for i := range g.Devices() {
		d := g.Device(i)
		got := slices.Compact(slices.Sorted(slices.Values(journaled[d])))
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("%s: journal of %s (-sent +journaled):\n%s", s.name, d, diff)
		}
		if diff := cmp.Diff(whole, decoded[d]); diff != "" {
			t.Errorf("%s: %s reached the engine (-sent +reached):\n%s", s.name, d, diff)
		}
	}
	t.Logf("%s: %d messages sent, %d journaled, %d reached the engine, %d episodes",
		s.name, loadDevices*loadRounds, len(r.journaled), len(r.decoded), len(s.episodes))

	// The journal from the beginning in an empty engine: the same, byte for byte.
	if again := replay(t, s.settings(), s.data(), loadSite); again.bytes(t) != r.bytes(t) {
		t.Errorf("%s: two replays of one journal differ", s.name)
	}
	if diff := cmp.Diff(r.episodes(), s.episodes); diff != "" {
		t.Errorf("%s: what was live differs from the replay of the journal (-replay +live):\n%s", s.name, diff)
	}
	for key, n := range r.readings {
		class, point, _ := strings.Cut(key, " ")
		if point == "availability" {
			continue
		}
		if got := influx.Count(t, s.bucket, class, point); got != n {
			t.Errorf("%s: %d values of %s are in InfluxDB, want %d", s.name, got, key, n)
		}
	}
}

// told is what two runs must agree on. Onsets of pumps are the readings' own times;
// those of gates are times of arrival.
func (s *subject) told() []string {
	var out []string
	for _, e := range s.episodes {
		line := fmt.Sprintf("%s %s %s %s %s", e.Asset, e.FaultClass, e.Phase, e.Severity, e.Rule)
		if e.FaultClass == "pump.bearing" {
			line += " " + e.Onset.String()
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// explained checks the episodes against the load itself: one for each excursion of
// a pump, at its time, and one for each gate. A step that the clock took because a
// reading was late is half an interval later than the reading would have made it.
func (s *subject) explained(g *load.Generator) {
	t := s.t
	t.Helper()
	left := slices.Clone(s.episodes)
	const late = 500 * time.Millisecond
	for _, x := range g.Excursions(loadDevices * loadRounds) {
		if !x.Timed && x.First < loadEvery {
			continue // it takes both excursions of a gate
		}
		i := slices.IndexFunc(left, func(e episode) bool {
			within := func(at, due time.Time) bool { return !at.Before(due) && !at.After(due.Add(late)) }
			return e.Asset == x.Device && (!x.Timed && e.Severity == "medium" && e.Phase == "active" ||
				x.Timed && e.Onset.Equal(x.From) && within(e.ActiveAt, x.From.Add(startDelay)) && within(e.ClearedAt, x.To.Add(clearDelay)))
		})
		if i < 0 {
			t.Errorf("%s: excursion %d to %d of %s from %v to %v made no such episode", s.name, x.First, x.Last, x.Device, x.From, x.To)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, e := range left {
		t.Errorf("%s: %+v has no excursion", s.name, e)
	}
}
