package backtest

import (
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// groups are the assets of a site that cannot be judged apart: those that contain
// or feed one another, and those that may be compared.
type groups struct {
	root  map[string]string
	given map[string]int // worker by root
}

func groupsOf(site *devices.Site) groups {
	g := groups{root: make(map[string]string), given: make(map[string]int)}
	assets := make(map[string]*devices.Asset, len(site.Assets))
	for i := range site.Assets {
		assets[site.Assets[i].ID] = &site.Assets[i]
	}
	says := make(map[string]bool) // assets that have a device
	for _, d := range site.Devices {
		says[d.Asset] = true
	}
	first := make(map[[2]string]string) // of the assets of one class in one place
	for i := range site.Assets {
		a := &site.Assets[i]
		for _, other := range a.FedBy {
			g.join(a.ID, other)
		}
		switch parent := assets[a.Parent]; {
		case parent == nil:
		case binds(assets, says, parent):
			g.join(a.ID, a.Parent)
		default:
			// A tower or a room says nothing itself; in it, assets of one class may
			// be compared with one another.
			key := [2]string{a.Parent, a.Class}
			if first[key] == "" {
				first[key] = a.ID
			}
			g.join(a.ID, first[key])
		}
	}
	return g
}

// binds tells whether what lies in an asset depends on it: everything but a place
// that has no device, is fed by nothing, and lies in nothing else that binds.
func binds(assets map[string]*devices.Asset, says map[string]bool, a *devices.Asset) bool {
	for range len(assets) {
		if a.Class != place || says[a.ID] || len(a.FedBy) > 0 {
			return true
		}
		if a = assets[a.Parent]; a == nil {
			return false
		}
	}
	return true
}

// place is the class of what contains others and publishes nothing.
const place = "place"

// find is the asset that stands for the group of another.
func (g groups) find(id string) string {
	for {
		up, ok := g.root[id]
		if !ok || up == id {
			return id
		}
		if over, ok := g.root[up]; ok {
			g.root[id] = over // the way is shorter the next time
		}
		id = up
	}
}

func (g groups) join(a, b string) {
	if a, b = g.find(a), g.find(b); a != b {
		g.root[a] = b
	}
}

// worker is which of several workers judges an asset: the one with the least to
// do when its group is met for the first time.
func (g groups) worker(asset string, loads []int) int {
	root := g.find(asset)
	at, ok := g.given[root]
	if !ok {
		at = slices.Index(loads, slices.Min(loads))
		g.given[root] = at
	}
	return at
}
