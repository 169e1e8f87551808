package ticketing

import (
	"fmt"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// ReasonNewNormal is why an order was cancelled whose rule has to learn anew.
const ReasonNewNormal = "new_normal"

// Facts are what rules must know of an entry. They reach the rules only through
// the journal. Ids follow from the order's log, so the same fact twice is one.
// What ends episodes is said of each that holds: after a merge an order may have
// those of several assets and fault classes.
func Facts(before *Order, e *Entry) []devices.Fact {
	var out []devices.Fact
	add := func(kind devices.FactKind, change func(*devices.Fact)) {
		f := devices.Fact{
			ID:   fmt.Sprintf("%s/%d/%s", before.ID, e.Version, kind),
			Kind: kind, Asset: before.Asset, FaultClass: before.FaultClass, By: e.By, At: e.At,
		}
		if n := len(before.Holding); n > 0 {
			f.Episode = before.Holding[n-1].Episode
		}
		if change != nil {
			change(&f)
		}
		out = append(out, f)
	}
	each := func(kind devices.FactKind, change func(*devices.Fact)) {
		for i := len(before.Holding) - 1; i >= 0; i-- {
			h := &before.Holding[i]
			add(kind, func(f *devices.Fact) {
				if i < len(before.Holding)-1 {
					f.ID += "/" + h.Episode
				}
				f.Asset, f.FaultClass = placeOf(before, h.Episode)
				f.Episode = h.Episode
				if change != nil {
					change(f)
				}
			})
		}
		if len(before.Holding) == 0 {
			add(kind, change)
		}
	}
	switch e.Kind {
	case Arrive:
		add(devices.FactCheckedIn, nil)
	case Finish:
		each(devices.FactDone, nil)
		if e.Cleared {
			each(devices.FactCleared, nil)
		}
	case Cancel:
		switch {
		case e.Into != "": // the other order goes on with the episodes
		case e.Reason == ReasonNewNormal:
			each(devices.FactAccepted, func(f *devices.Fact) { f.Note = e.Text })
		default:
			each(devices.FactCancelled, func(f *devices.Fact) { f.Until, f.Note = e.Until, e.Reason })
		}
	}
	if before.State == OnSite && (e.Kind == Finish || e.Kind == Wait || e.Kind == Assigned || e.Kind == Cancel) {
		add(devices.FactCheckedOut, nil)
	}
	return out
}

// placeOf reads asset and fault class out of an episode's id, which is
// site/asset/fault class/position; those of the order where it is none.
func placeOf(o *Order, episode string) (asset, faultClass string) {
	rest, ok := strings.CutPrefix(episode, o.Site+"/")
	end := strings.LastIndexByte(rest, '/')
	if !ok || end < 0 {
		return o.Asset, o.FaultClass
	}
	rest = rest[:end]
	cut := strings.LastIndexByte(rest, '/')
	if cut < 0 {
		return o.Asset, o.FaultClass
	}
	return rest[:cut], rest[cut+1:]
}
