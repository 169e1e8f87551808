package scenario

import (
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// asset is what a scenario is about.
const asset = "asset"

// world is the site of a scenario: the asset, and those that are related to it.
type world struct {
	site   *devices.Site
	reg    *devices.Registry
	engine *rules.Engine
	class  string
	course *course
}

func newWorld(class string, set *rules.Set, c course) *world {
	w := &world{reg: devices.NewRegistry(), class: class, course: &c}
	w.site = &devices.Site{ID: "scenario", Location: time.UTC, Assets: []devices.Asset{{ID: asset, Class: class, Facts: c.facts, Parent: "group"}}}
	w.device(asset)
	for _, m := range c.messages {
		for _, v := range m.readings {
			w.relate(v.of)
		}
	}
	w.engine = rules.NewEngine(set, w.site, w.reg)
	return w
}

func (w *world) device(id string) *devices.Device {
	if d := w.reg.Lookup([]byte(id)); d != nil {
		return d
	}
	return w.reg.Add(devices.Device{ID: id, Class: w.class, Asset: id, Interval: int64(w.course.interval)})
}

// relate makes a related asset when it is met for the first time.
func (w *world) relate(of rules.Relative) {
	id := of.Relation + " " + of.Name
	if of == (rules.Relative{}) || of.Relation == "others" || w.reg.Lookup([]byte(id)) != nil {
		return
	}
	a := devices.Asset{ID: id, Class: w.class, Facts: w.course.facts, Parent: "group"}
	if of.Relation == "children" {
		a.Parent = asset
	}
	w.site.Assets = append(w.site.Assets, a)
	w.device(id)
}

// point is who says a value.
func (w *world) point(v value) *devices.Point {
	id, name := asset, v.role.Name
	switch v.of.Relation {
	case "":
	case "others":
		name += " " + v.of.Name
	default:
		id = v.of.Relation + " " + v.of.Name
	}
	d := w.device(id)
	if v.role == &availability {
		return d.Point(devices.AvailabilityPoint)
	}
	return w.reg.AddPoint(d, devices.Point{Name: name, Role: v.role.Name, Unit: v.role.Unit, Kind: v.role.Kind})
}
