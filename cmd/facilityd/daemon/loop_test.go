package daemon

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	shipped "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

// A loop is the shipped rules and the orders, joined as the daemon joins them: what
// devices say becomes orders, what people say comes back as facts, and time
// confirms repairs by what the rules see.
type loop struct {
	*testing.T
	*chain
	store  *store.Store
	seq    uint64
	now    time.Time
	review store.Reviewer
}

func newLoop(t *testing.T, assets ...devices.Asset) *loop {
	t.Helper()
	names, err := fs.Glob(shipped.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var files []rules.File
	for _, name := range names {
		data, err := shipped.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rules.File{Name: name, Data: data})
	}
	set, list := rules.Load(files, rules.LoadOptions{})
	if set == nil {
		t.Fatal(list.Err())
	}
	site, reg := &devices.Site{ID: "demo", Location: time.UTC, Assets: assets}, devices.NewRegistry()
	s, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "orders.db"), Warranty: warranty})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	l := &loop{T: t, chain: &chain{registry: reg, engine: rules.NewEngine(set, site, reg)}, store: s, now: storetest.T0}
	l.review = store.Reviewer{
		Template: func(string) *ticketing.Template {
			return &ticketing.Template{Verify: ticketing.Verification{For: time.Hour}}
		},
		Observe: func(o *ticketing.Order, role string) ticketing.Observation { return l.observe(o, role, l.now) }, SignOff: time.Hour,
	}
	l.give(&devices.Record{Kind: devices.LinkState, Link: devices.Link{Up: true}})
	return l
}

// device makes the device of an asset, with its points by role.
func (l *loop) device(id, class string, interval time.Duration, roles ...string) *devices.Device {
	d := l.registry.Add(devices.Device{ID: id, Class: class, Asset: id, Interval: int64(interval)})
	for _, name := range roles {
		r := devices.RoleByName(name)
		l.registry.AddPoint(d, devices.Point{Name: name, Role: r.Name, Unit: r.Unit, Kind: r.Kind})
	}
	return d
}

// give takes a record through the rules into the orders.
func (l *loop) give(rec *devices.Record, readings ...devices.Reading) {
	l.Helper()
	l.seq++
	rec.Seq, rec.Site, rec.Connection, rec.Time = l.seq, "demo", "test", l.now.UnixNano()
	steps := slices.Clone(l.engine.Apply(rec, readings))
	if len(steps) == 0 {
		return
	}
	if err := l.store.ApplyTransitions(l.Context(), "demo", 1, l.seq, l.now, steps); err != nil {
		l.Fatal(err)
	}
}

// say is a message of a device with one value of each of its points.
func (l *loop) say(d *devices.Device, values ...float64) {
	l.Helper()
	var rs []devices.Reading
	for _, p := range d.Points {
		if p.Kind != devices.Availability && len(values) > 0 {
			rs = append(rs, devices.Reading{Point: p, Time: l.now.UnixNano(), Value: values[0]})
			values = values[1:]
		}
	}
	l.give(&devices.Record{Kind: devices.Messages}, rs...)
}

// pass lets time pass in steps, with what happens at the end of each.
func (l *loop) pass(d, step time.Duration, each func()) {
	l.Helper()
	for end := l.now.Add(d); l.now.Before(end); {
		l.now = l.now.Add(step)
		l.give(&devices.Record{Kind: devices.Tick})
		if each != nil {
			each()
		}
		if _, err := l.store.Review(l.Context(), "demo", 1, l.now, l.review); err != nil {
			l.Fatal(err)
		}
	}
}

// do gives a command, and carries the facts that follow from it to the rules.
func (l *loop) do(o *ticketing.Order, c ticketing.Command) *ticketing.Order {
	l.Helper()
	c.Order, c.By, c.Via, c.Key, c.Version, c.Arrived = o.ID, "li.na", "board", fmt.Sprint(l.seq, c.Verb), o.Version, l.now
	o, _, err := l.store.Command(l.Context(), c)
	if err != nil {
		l.Fatal(err)
	}
	facts, err := l.store.PendingFacts(l.Context(), "demo", 100)
	if err != nil {
		l.Fatal(err)
	}
	for i := range facts {
		l.give(&devices.Record{Kind: devices.FactRecord, Fact: &facts[i]})
		if err := l.store.MarkFactJournaled(l.Context(), facts[i].ID, l.seq); err != nil {
			l.Fatal(err)
		}
	}
	return o
}

func (l *loop) orders(f ticketing.Filter) []ticketing.Order {
	l.Helper()
	f.Limit = 500
	p, err := l.store.List(l.Context(), f)
	if err != nil {
		l.Fatal(err)
	}
	return p.Items
}

// A feeder with 200 devices is cut: one order that wakes somebody, and the
// episodes of the 200 attached to it. It is restored, and three are broken:
// exactly these get orders of their own.
func TestCutFeederMakesOneOrderAndTheBrokenOnesTheirs(t *testing.T) {
	assets := []devices.Asset{{ID: "feeder", Class: "power"}}
	for i := range 200 {
		assets = append(assets, devices.Asset{ID: fmt.Sprintf("sensor-%03d", i), Class: "sensor", FedBy: []string{"feeder"}})
	}
	l := newLoop(t, assets...)
	feeder := l.device("feeder", "power", 10*time.Second, "voltage_l1", "voltage_l2", "voltage_l3")
	var fed []*devices.Device
	for i := range 200 {
		fed = append(fed, l.device(fmt.Sprintf("sensor-%03d", i), "sensor", time.Minute, "temperature"))
	}
	volts := 230.0
	talk := func(devs []*devices.Device) func() {
		second := 0
		return func() {
			l.say(feeder, volts, volts, volts)
			for i, d := range devs {
				if (second+i)%60 < 10 { // once a minute, each at its own second
					l.say(d, 21+float64(second%7))
				}
			}
			second += 10
		}
	}
	l.pass(10*time.Minute, 10*time.Second, talk(fed))
	if n := len(l.orders(ticketing.Filter{})); n != 0 {
		t.Fatalf("%d orders while all is well", n)
	}
	volts = 0
	l.pass(20*time.Minute, 10*time.Second, talk(nil))
	all := l.orders(ticketing.Filter{})
	if len(all) != 1 || all[0].Asset != "feeder" || len(all[0].Consequences) != 200 || all[0].Tier != ticketing.P2 {
		t.Fatalf("%d orders after the cut, the first %+v", len(all), all[0])
	}
	broken := []*devices.Device{fed[17], fed[99], fed[163]}
	well := slices.DeleteFunc(slices.Clone(fed), func(d *devices.Device) bool { return slices.Contains(broken, d) })
	volts = 230
	l.pass(40*time.Minute, 10*time.Second, talk(well))
	all = l.orders(ticketing.Filter{})
	var own []string
	for _, o := range all {
		if o.Asset != "feeder" {
			own = append(own, o.Asset)
		} else if len(o.Consequences) != 0 || o.Explains != 200 || o.Holds() {
			t.Errorf("the feeder's order: %+v", o)
		}
	}
	slices.Sort(own)
	if want := []string{"sensor-017", "sensor-099", "sensor-163"}; !slices.Equal(own, want) {
		t.Errorf("after it is back %d assets have orders of their own, want %v: %v", len(own), want, own)
	}
	storetest.CheckWhole(t, l.store)
}

// A dry pump is repaired, and the repair holds, fails at four fifths of the watch,
// or is never heard of again: telemetry says what became of it.
func TestTelemetryDecidesWhatARepairWasWorth(t *testing.T) {
	type world struct {
		*loop
		pump *devices.Device
		amps float64
		mute bool
	}
	begin := func(t *testing.T) (*world, *ticketing.Order) {
		w := &world{loop: newLoop(t, devices.Asset{ID: "pump-1", Class: "pump", Facts: map[string]devices.Quantity{"rated_current": {Value: 30, Unit: "A"}}}), amps: 25}
		w.pump = w.device("pump-1", "pump", 10*time.Second, "running", "current", "current_l1", "current_l2", "current_l3")
		return w, nil
	}
	talk := func(w *world) func() {
		return func() {
			if !w.mute {
				w.say(w.pump, 1, w.amps, w.amps, w.amps, w.amps)
			}
		}
	}
	one := func(w *world) *ticketing.Order {
		all := w.orders(ticketing.Filter{FaultClass: "motor.overload"})
		if len(all) != 1 {
			w.Fatalf("%d orders", len(all))
		}
		return &all[0]
	}
	repaired := func(t *testing.T) *world {
		w, _ := begin(t)
		w.pass(10*time.Minute, 10*time.Second, talk(w))
		w.amps = 40 // above 115 % of the rated current
		w.pass(10*time.Minute, 10*time.Second, talk(w))
		w.do(one(w), ticketing.Command{Verb: ticketing.DoArrive})
		w.amps = 25
		w.pass(20*time.Minute, 10*time.Second, talk(w))
		if o := one(w); o.Holds() || o.State != ticketing.OnSite {
			t.Fatalf("after the repair %+v", o)
		}
		w.do(one(w), ticketing.Command{Verb: ticketing.DoDone, Text: "rag removed"})
		return w
	}
	t.Run("holds", func(t *testing.T) {
		w := repaired(t)
		w.pass(59*time.Minute, 10*time.Second, talk(w))
		if o := one(w); o.State != ticketing.Done {
			t.Errorf("before the hour is over: %s", o.State)
		}
		w.pass(2*time.Minute, 10*time.Second, talk(w))
		if o := one(w); o.State != ticketing.Verified {
			t.Errorf("after the hour: %+v", o)
		}
		w.pass(time.Hour, 10*time.Second, talk(w))
		if o := one(w); o.State != ticketing.Closed {
			t.Errorf("after the time to refuse: %s", o.State)
		}
	})
	t.Run("fails at 80 percent", func(t *testing.T) {
		w := repaired(t)
		w.pass(48*time.Minute, 10*time.Second, talk(w))
		w.amps = 40
		w.pass(10*time.Minute, 10*time.Second, talk(w))
		if o := one(w); o.State != ticketing.Open || o.Revisits != 1 || o.Episodes != 2 || !o.Holds() {
			t.Errorf("%+v", o)
		}
	})
	t.Run("goes silent", func(t *testing.T) {
		w := repaired(t)
		w.pass(30*time.Minute, 10*time.Second, talk(w))
		w.mute = true
		w.pass(10*time.Hour, time.Minute, talk(w))
		if o := one(w); o.State != ticketing.Done || o.BlindSince.IsZero() {
			t.Errorf("nothing is known of it: %+v", o)
		}
		w.mute = false
		w.pass(20*time.Minute, 10*time.Second, talk(w))
		if o := one(w); o.State != ticketing.Done {
			t.Errorf("a third of the hour is still to be seen: %s", o.State)
		}
		w.pass(20*time.Minute, 10*time.Second, talk(w))
		if o := one(w); o.State != ticketing.Verified {
			t.Errorf("%+v", o)
		}
		storetest.CheckWhole(t, w.store)
	})
}

// What is watched after a repair is what the fault's rule looks at: another device
// of the asset that is silent holds nothing up, another point that goes on makes up
// for nothing, and a machine at rest is not at work.
func TestRepairIsWatchedThroughTheInputsOfItsFault(t *testing.T) {
	l := newLoop(t, devices.Asset{ID: "pump-1", Class: "pump", Facts: map[string]devices.Quantity{"vibration_limit": {Value: 2.8, Unit: "mm/s"}, "vibration_trip": {Value: 4.5, Unit: "mm/s"}}})
	sensor := l.device("pump-1", "pump", 10*time.Second, "running", "vibration_rms")
	other := l.registry.Add(devices.Device{ID: "old-gauge", Class: "pump", Asset: "pump-1", Interval: int64(time.Minute)})
	l.registry.AddPoint(other, devices.Point{Name: "suction_pressure", Role: "suction_pressure", Unit: "bar"})
	o := &ticketing.Order{Asset: "pump-1", FaultClass: "pump.bearing", Rule: "pump-vibration", Devices: []string{"pump-1"}}
	say := func(values ...float64) func() { return func() { l.say(sensor, values...) } }
	want := func(what string, obs ticketing.Observation) {
		t.Helper()
		if got := l.observe(o, "", l.now); got != obs {
			t.Errorf("%s: %+v, want %+v", what, got, obs)
		}
	}
	l.say(other, 1.5)
	l.pass(30*time.Minute, 10*time.Second, say(1, 1.2))
	want("another device of the asset has been silent for half an hour", ticketing.Observation{Known: true})
	l.pass(10*time.Minute, 10*time.Second, say(0, 0.1))
	want("the pump is at rest", ticketing.Observation{Known: true, Idle: true})
	l.pass(10*time.Minute, 10*time.Second, say(1, 1.2))
	l.pass(time.Hour, 10*time.Second, say(1))
	want("the vibration is not told any more, whether it runs still is", ticketing.Observation{})
	l.pass(10*time.Minute, 10*time.Second, say(1, 1.2))
	l.pass(time.Hour, time.Minute, nil)
	want("its device is silent", ticketing.Observation{})
	// The sensor was replaced: the new one stands for the asset from now on.
	young := l.registry.Add(devices.Device{ID: "new-sensor", Class: "pump", Asset: "pump-1", Interval: int64(10 * time.Second)})
	for _, p := range sensor.Points {
		if p.Kind != devices.Availability {
			l.registry.AddPoint(young, devices.Point{Name: p.Name, Role: p.Role, Unit: p.Unit, Kind: p.Kind})
		}
	}
	l.give(&devices.Record{Kind: devices.FactRecord, Fact: &devices.Fact{ID: "r", Kind: devices.FactReplaced, Asset: "pump-1", Device: "new-sensor", Replaces: "pump-1", By: "li.na", At: l.now}})
	l.pass(10*time.Minute, 10*time.Second, func() { l.say(young, 1, 1.2) })
	want("its sensor was replaced", ticketing.Observation{Known: true})
	o.Rule = "gone"
	l.pass(time.Minute, 10*time.Second, func() { l.say(young, 1, 1.2); l.say(other, 1.5); l.say(sensor, 1, 1.2) })
	want("its rule was removed, every device of the asset is heard", ticketing.Observation{Known: true})
}
