package backtest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// An Inventory says what the devices and points of recorded readings are. A
// recording has names only: the site file says which device is what, and a point
// is what its name says.
//
//   - The device's class and asset are the site file's, else the recording's own
//     class (InfluxDB has one), else its profile's.
//   - A point called like a role is that role. Otherwise the profile that the site
//     file names for the device says what the point is, else the profiles of its
//     class when they agree. A point that means nothing to rules is kept out.
//
// Values are in the unit that the role has in the vocabulary, as facilityd keeps
// and shows them.
type Inventory struct {
	// Registry holds the devices and points that were asked for.
	Registry *devices.Registry

	site     *devices.Site
	profiles *profile.Set
	specs    map[string]*devices.DeviceSpec
	classes  map[string]string // of assets
	known    map[string]*known
	byClass  map[string]map[string]devices.Point // what the profiles of a class agree on
	unused   map[string]int                      // points without a meaning, and on how many devices
}

type known struct {
	device *devices.Device
	points map[string]*devices.Point // nil for one without a meaning
	about  map[string]devices.Point  // what its profile says
}

// NewInventory describes the devices of a site; profiles may be nil.
func NewInventory(site *devices.Site, profiles *profile.Set) *Inventory {
	v := &Inventory{
		Registry: devices.NewRegistry(), site: site, profiles: profiles,
		specs: make(map[string]*devices.DeviceSpec), classes: make(map[string]string), known: make(map[string]*known),
		byClass: make(map[string]map[string]devices.Point), unused: make(map[string]int),
	}
	for i := range site.Devices {
		v.specs[site.Devices[i].ID] = &site.Devices[i]
	}
	for i := range site.Assets {
		v.classes[site.Assets[i].ID] = site.Assets[i].Class
	}
	return v
}

// A NameError says that a name of a recording is not known.
type NameError struct {
	Message, Hint string
}

// Error returns the message with its hint.
func (e *NameError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// Point returns the point of a recording; class is what the recording says of the
// device, "" when it says nothing. It returns nil for a point that means nothing
// to rules, and a [NameError] for a device that is not known.
func (v *Inventory) Point(device, point, class string) (*devices.Point, error) {
	k := v.known[device]
	if k == nil {
		var err error
		if k, err = v.device(device, class); err != nil {
			return nil, err
		}
	}
	p, met := k.points[point]
	if !met {
		p = v.point(k, point)
		k.points[point] = p
	}
	return p, nil
}

func (v *Inventory) device(id, class string) (*known, error) {
	spec := v.specs[id]
	d := devices.Device{ID: id, Simulated: v.site.Simulated}
	var about profile.Description
	if spec != nil {
		d.Asset, d.Class, d.Interval = spec.Asset, cmp.Or(spec.Class, class), int64(spec.Interval)
		d.Simulated = d.Simulated || spec.Simulated
		if spec.Profile != "" && v.profiles != nil {
			if p := v.profiles.Profile(spec.Profile); p != nil {
				about = p.Description()
				d.Profile, d.Class = p.ID, cmp.Or(d.Class, p.Class)
				d.Interval, d.Silence = cmp.Or(d.Interval, about.Interval), about.Silence
			}
		}
		d.Class = cmp.Or(d.Class, v.classes[spec.Asset])
	} else if v.site.AdoptListed {
		return nil, &NameError{fmt.Sprintf("device %q is not in the site file", id), diag.DidYouMean(id, v.names())}
	} else {
		d.Class = cmp.Or(class, v.classes[id])
	}
	if d.Class == "" {
		hint := diag.Nearest(id, v.names())
		if hint != "" {
			hint = fmt.Sprintf("did you mean %q? ", hint)
		}
		return nil, &NameError{fmt.Sprintf("nothing says what device %q is", id), hint + "in the site file: devices: [{id: " + id + ", class: pump}]"}
	}
	if d.Class == place {
		return nil, &NameError{fmt.Sprintf("device %q belongs to a place, which publishes nothing", id), "give it an asset of its own in the site file"}
	}
	k := &known{device: v.Registry.Add(d), points: make(map[string]*devices.Point), about: about.Points}
	v.known[id] = k
	return k, nil
}

func (v *Inventory) names() []string {
	var names []string
	for i := range v.site.Devices {
		names = append(names, v.site.Devices[i].ID)
	}
	return names
}

func (v *Inventory) point(k *known, name string) *devices.Point {
	if name == devices.AvailabilityPoint {
		return k.device.Point(name)
	}
	p := devices.Point{Name: name}
	if r := devices.RoleByName(name); r != nil {
		p.Role, p.Unit, p.Kind = r.Name, r.Unit, r.Kind
	} else if said, ok := k.about[name]; ok && said.Role != "" {
		p = said
	} else if said, ok := v.agreed(k.device.Class)[name]; ok && said.Role != "" {
		p = said
	} else {
		v.unused[name]++
		return nil
	}
	return v.Registry.AddPoint(k.device, p)
}

// agreed are the points on which the profiles of a class agree.
func (v *Inventory) agreed(class string) map[string]devices.Point {
	if have, ok := v.byClass[class]; ok {
		return have
	}
	out := make(map[string]devices.Point)
	if v.profiles != nil {
		for _, p := range v.profiles.Profiles() {
			for name, pt := range p.Description().Points {
				if p.Class != class {
					continue
				}
				if have, twice := out[name]; twice && have.Role != pt.Role {
					pt.Role = "" // they do not agree
				}
				out[name] = pt
			}
		}
	}
	v.byClass[class] = out
	return out
}

// Unused lists the points that mean nothing to rules, with what was perhaps meant.
func (v *Inventory) Unused() (out []NameError) {
	names := make([]string, 0, len(v.unused))
	for name := range v.unused {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		hint := diag.Nearest(name, devices.RoleNames())
		if hint != "" {
			hint = fmt.Sprintf("did you mean %q?", hint)
		}
		out = append(out, NameError{fmt.Sprintf("point %q of %d devices means nothing to rules and is not used", name, v.unused[name]), hint})
	}
	return out
}
