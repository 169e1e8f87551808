package store_test

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

// A loop is the shipped rules and a store, joined as the daemon joins them: what
// devices say becomes orders, and what people say comes back as facts.
type loop struct {
	*testing.T
	site  *devices.Site
	reg   *devices.Registry
	eng   *rules.Engine
	store *store.Store
	seq   uint64
	now   time.Time
}

func newLoop(t *testing.T, cfg store.Config, assets ...devices.Asset) *loop {
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
	l := &loop{T: t, site: &devices.Site{ID: "demo", Location: time.UTC, Assets: assets}, reg: devices.NewRegistry(), now: storetest.T0}
	l.eng = rules.NewEngine(set, l.site, l.reg)
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "orders.db")
	l.store = open(t, cfg)
	t.Cleanup(func() { l.store.Close() })
	if _, err := l.store.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	l.give(&devices.Record{Kind: devices.LinkState, Link: devices.Link{Up: true}})
	return l
}

// device makes the device of an asset, with its points by role.
func (l *loop) device(id, class string, interval time.Duration, roles ...string) *devices.Device {
	d := l.reg.Add(devices.Device{ID: id, Class: class, Asset: id, Interval: int64(interval)})
	for _, name := range roles {
		r := devices.RoleByName(name)
		l.reg.AddPoint(d, devices.Point{Name: name, Role: r.Name, Unit: r.Unit, Kind: r.Kind})
	}
	return d
}

// give takes a record through the rules into the orders.
func (l *loop) give(rec *devices.Record, readings ...devices.Reading) {
	l.Helper()
	l.seq++
	rec.Seq, rec.Site, rec.Connection, rec.Time = l.seq, "demo", "test", l.now.UnixNano()
	steps := slices.Clone(l.eng.Apply(rec, readings))
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
	l := newLoop(t, store.Config{}, assets...)
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
