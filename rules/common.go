package rules

import (
	"slices"
	"time"
)

// A dead feeder or a silent gateway makes one order that wakes somebody; what
// follows from it is attached, and looked at again when it is over.

// lookBack is how long before its cause a consequence may have been noticed: a
// gateway and the devices behind it are found silent at about the same time.
const lookBack = int64(10 * time.Minute)

// longestChain bounds the way from a machine up to its supply.
const longestChain = 8

// upstream lists what an asset depends on, nearest first, beginning with itself.
func (e *Engine) upstream(id string) []string {
	out := []string{id}
	for k := 0; k < len(out) && k < 64; k++ {
		a := e.specs[out[k]]
		if a == nil {
			continue
		}
		for _, up := range append(slices.Clone(a.FedBy), a.Parent) {
			if up != "" && !slices.Contains(out, up) && len(out) < longestChain*longestChain {
				out = append(out, up)
			}
		}
	}
	return out
}

// explanation finds the open episode that explains a fault class on an asset.
func (e *Engine) explanation(a *assetState, fc *FaultClass) EpisodeID {
	if fc.ByHand {
		return EpisodeID{} // people are in danger: it stands for itself
	}
	for _, id := range e.upstream(a.id) {
		up := e.assets[id]
		if up == nil {
			continue
		}
		for _, i := range up.instances {
			if i.rule.Shadow || !slices.Contains(i.rule.Explains, fc) || up == a && i.rule.FaultClass == fc {
				continue
			}
			if !slices.ContainsFunc(i.limbs, func(l limb) bool { return l.active }) {
				continue
			}
			if cs := up.faultClass(i.rule.FaultClass, false); cs != nil && cs.open {
				return cs.id
			}
		}
	}
	return EpisodeID{}
}

// explainOthers attaches what is open already to an episode that has just
// opened and explains it.
func (e *Engine) explainOthers(cause *assetState, t int64) {
	explains := slices.ContainsFunc(cause.instances, func(i *instance) bool {
		return len(i.rule.Explains) > 0 && slices.ContainsFunc(i.limbs, func(l limb) bool { return l.active })
	})
	if !explains {
		return
	}
	for _, a := range e.sortedAssets() {
		if len(a.classes) == 0 || !slices.Contains(e.upstream(a.id), cause.id) {
			continue
		}
		for k := range a.classes {
			cs := &a.classes[k]
			if !cs.open || cs.under != (EpisodeID{}) || cs.onset < t-lookBack {
				continue
			}
			if by := e.explanation(a, cs.fc); by.Asset == cause.id && by != cs.id {
				cs.under = by
				e.touch(a)
				e.emit(cs, a, cs.phase, CauseExplained, t, nil)
			}
		}
	}
}

// explainNoMore looks again at what an episode explained.
func (e *Engine) explainNoMore(over EpisodeID, t int64) {
	explained := FaultClassByID(over.FaultClass)
	if explained == nil || !slices.ContainsFunc(e.set.Rules, func(r *Rule) bool { return r.FaultClass == explained && len(r.Explains) > 0 }) {
		return
	}
	for _, a := range e.sortedAssets() {
		for k := range a.classes {
			cs := &a.classes[k]
			if cs.open && cs.under == over {
				cs.under = e.explanation(a, cs.fc)
				e.touch(a)
				cause := CauseOnItsOwn
				if cs.under != (EpisodeID{}) {
					cause = CauseExplained
				}
				e.emit(cs, a, cs.phase, cause, t, nil)
			}
		}
	}
}
