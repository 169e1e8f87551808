package notify

import (
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// Facts are what a message says, in no language yet. Which of them are needed
// follows from the kind. Times are written in the zone that they carry: give
// them in site time.
type Facts struct {
	Kind  Kind            `json:"kind"`
	Order string          `json:"order,omitempty"` // its number, such as demo-17
	Path  string          `json:"path,omitempty"`  // of its page on the board
	Tier  ticketing.Tier  `json:"tier,omitzero"`
	State ticketing.State `json:"state,omitempty"`
	// What and where. Place is what contains the asset.
	Site  devices.Label `json:"site"`
	Asset devices.Label `json:"asset"`
	Place devices.Label `json:"place"`
	Fault devices.Label `json:"fault"`
	Why   devices.Label `json:"why"`
	Onset time.Time     `json:"onset,omitzero"`
	// First and Safety are of the fault class's template.
	First     []devices.Label `json:"first,omitempty"`
	Safety    []devices.Label `json:"safety,omitempty"`
	Simulated bool            `json:"simulated,omitempty"`
	// Target is due at Due; Level percent of its time are gone.
	Target ticketing.Target `json:"target,omitempty"`
	Due    time.Time        `json:"due,omitzero"`
	Level  int              `json:"level,omitempty"`
	// By did at At what the message is about; By is the name of a person.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"`
	// Reason is a word of the catalogue (parts, false_alarm), or what somebody wrote.
	Reason string `json:"reason,omitempty"`
	// Under are how many orders of the same cause are told with this one.
	Under int `json:"under,omitempty"`
	// Orders are those of a digest, the most urgent first.
	Orders []Facts `json:"orders,omitempty"`
}

// OrderFacts are what every message about an order says. t is the template of
// its fault class, nil for none.
func OrderFacts(kind Kind, o *ticketing.Order, site *devices.Site, t *ticketing.Template) Facts {
	zone := site.Location
	if zone == nil {
		zone = time.UTC
	}
	f := Facts{
		Kind: kind, Order: o.NumberText(), Path: "/orders/" + o.ID, Tier: o.Tier, State: o.State,
		Site: site.Name, Asset: devices.Label{EN: o.Asset}, Fault: devices.Label{EN: o.FaultClass}, Why: o.Why,
		Onset: o.Onset.In(zone), Simulated: o.Simulated, Reason: o.Reason,
	}
	if c := rules.FaultClassByID(o.FaultClass); c != nil {
		f.Fault = devices.Label{EN: c.Title, ZH: c.TitleZH}
	}
	named := func(id string) *devices.Asset {
		i := slices.IndexFunc(site.Assets, func(a devices.Asset) bool { return a.ID == id })
		if i < 0 {
			return nil
		}
		return &site.Assets[i]
	}
	if a := named(o.Asset); a != nil {
		if a.Name.EN != "" || a.Name.ZH != "" {
			f.Asset = a.Name
		}
		if p := named(a.Parent); p != nil {
			f.Place = p.Name
		}
	}
	if t != nil {
		f.First, f.Safety = t.First, t.Safety
	}
	return f
}
