package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
  - id: load-door
    title: {en: Door fault, zh: 门故障}
    fault_class: lift.door
    class: elevator
    source: {text: the load says when, mark: j}
    severity: medium
    when: fault_code == "door_close_fault"
    clear: fault_code == "none"
`

// What is published, and what is done meanwhile.
const (
	loadDevices = 200
	loadRounds  = 120
	loadKills   = 20
	// Rounds before which a server is stopped, and started again at once (broker)
	// or at the round given (InfluxDB).
	firstBrokerStop, secondBrokerStop = 40, 85
	influxStops, influxReturns        = 30, 70
)

// TestKillsAndOutagesLoseNothing runs two daemons on the same load: one that is
// left alone, and one that is killed, and whose broker and InfluxDB go away.
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
	g := load.New(load.Config{Devices: loadDevices, Start: time.Now().UTC().Truncate(time.Second), Interval: time.Second, Every: 50, Length: 15})
	kills := make(chan time.Duration, loadKills)
	for _, at := range instants(chance, loadKills, loadRounds*time.Second) {
		kills <- at
	}
	close(kills)
	killed := make(chan int)
	stopped := make(chan struct{})
	go func() {
		n := 0
		defer func() { killed <- n }() // also when a start fails the test
		tried.suffer(kills, stopped, &n)
	}()

	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	for seq := 1; seq <= loadRounds; seq++ {
		switch seq {
		case firstBrokerStop, secondBrokerStop:
			tried.broker.Stop()
			tried.broker.Start()
			tried.publisher.connect()
		case influxStops:
			influx.Stop()
		case influxReturns:
			influx.Restart(t)
		}
		calm.publisher.round(g, seq)
		tried.publisher.round(g, seq)
		calm.publisher.settle()
		tried.publisher.settle()
		<-seconds.C
	}
	close(stopped)
	if n := <-killed; n != loadKills {
		t.Fatalf("%d kills of %d were done", n, loadKills)
	}
	tried.daemon.Until("the killed daemon is ready", tried.ready)

	for _, s := range []*subject{calm, tried} {
		s.daemon.Until(s.name+" has judged everything", func() bool { return s.judged(g) })
		s.daemon.Until(s.name+" has stored everything", func() bool {
			return influx.Count(t, s.bucket, "pump", "pulse_count")+influx.Count(t, s.bucket, "elevator", "pulse_count") == loadDevices*loadRounds
		})
	}
	// One more second of journal, so that what waits for the clock has happened.
	<-seconds.C
	<-seconds.C
	for _, s := range []*subject{calm, tried} {
		s.finish(g, influx)
	}

	// Killing changed nothing that a person would see.
	if diff := cmp.Diff(calm.told(), tried.told()); diff != "" {
		t.Errorf("episodes of the killed daemon differ from those of the one left alone (-alone +killed):\n%s", diff)
	}
	var excursions []string
	for _, x := range g.Excursions(loadDevices * loadRounds) {
		if x.Last-x.First >= 6 { // long enough for the rule's delay
			excursions = append(excursions, x.Device)
		}
	}
	var found []string
	for _, e := range tried.episodes {
		found = append(found, e.Asset)
	}
	slices.Sort(excursions)
	slices.Sort(found)
	if diff := cmp.Diff(excursions, found); diff != "" {
		t.Errorf("episodes differ from the excursions of the load (-load +found):\n%s", diff)
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

func (s *subject) ready() bool {
	if s.daemon.Address("board") == "" {
		return false
	}
	status, _, err := s.daemon.get("/readyz")
	return err == nil && status == 200
}

// suffer kills the daemon at the instants and starts it again at once; often it
// is killed before it was ready. What is left when the load ends is done at once.
func (s *subject) suffer(at <-chan time.Duration, stopped <-chan struct{}, n *int) {
	start := time.Now()
	for instant := range at {
		timer := time.NewTimer(time.Until(start.Add(instant)))
		select {
		case <-timer.C:
		case <-stopped:
		}
		timer.Stop()
		s.daemon.Kill()
		s.daemon.Launch()
		*n++
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

// finish reads what the daemon says, ends it, and compares it with what its
// journal and InfluxDB hold.
func (s *subject) finish(g *load.Generator, influx *influxtest.Server) {
	t := s.t
	t.Helper()
	s.episodes = All[episode](s.daemon, "/api/v1/episodes", nil)
	slices.SortFunc(s.episodes, func(a, b episode) int { return strings.Compare(a.ID, b.ID) })
	if err := s.daemon.Stop(); err != nil {
		t.Errorf("%s ended with %v", s.name, err)
	}

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

// told is what two runs must agree on: the pumps' episodes with all their times,
// which are the readings' own, and how many the lifts had, whose times are those
// of arrival.
func (s *subject) told() []string {
	var out []string
	for _, e := range s.episodes {
		line := fmt.Sprintf("%s %s %s %s %s", e.Asset, e.FaultClass, e.Phase, e.Severity, e.Rule)
		if e.FaultClass == "pump.bearing" {
			line += fmt.Sprintf(" %v %v %v", e.Onset, e.ActiveAt, e.ClearedAt)
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}
