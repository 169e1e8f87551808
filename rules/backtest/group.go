package backtest

import (
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// groups are the assets of a site that cannot be judged apart: those that contain
// or feed one another.
type groups struct {
	root  map[string]string
	given map[string]int // worker by root
}

func groupsOf(site *devices.Site) groups {
	g := groups{root: make(map[string]string), given: make(map[string]int)}
	for i := range site.Assets {
		a := &site.Assets[i]
		for _, other := range append(slices.Clone(a.FedBy), a.Parent) {
			if other != "" {
				g.join(a.ID, other)
			}
		}
	}
	return g
}

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
