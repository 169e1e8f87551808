package rules

import (
	"cmp"
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
			if !i.active() {
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
	explains := slices.ContainsFunc(cause.instances, func(i *instance) bool { return len(i.rule.Explains) > 0 && i.active() })
	if !explains {
		return
	}
	for _, a := range e.sortedAssets() {
		if len(a.classes) == 0 || !slices.Contains(e.upstream(a.id), cause.id) {
			continue
		}
		for k := range a.classes {
			cs := &a.classes[k]
			attached := cs.under != (EpisodeID{}) && cs.alone == 0
			if !cs.open || attached || cs.alone == 0 && cs.onset < t-lookBack {
				continue
			}
			if by := e.explanation(a, cs.fc); by.Asset == cause.id && by != cs.id {
				cs.under, cs.alone = by, 0
				e.touch(a)
				e.emit(cs, a, cs.phase, CauseExplained, t, nil)
			}
		}
	}
}

// explainNoMore looks again at what an episode explained. Where no other episode
// does, the consequence may still be about to clear: it stays under its cause
// until it had time to be heard of and to clear.
func (e *Engine) explainNoMore(over EpisodeID, t int64) {
	for _, a := range e.sortedAssets() {
		for k := range a.classes {
			cs := &a.classes[k]
			if !cs.open || cs.under != over {
				continue
			}
			e.touch(a)
			if by := e.explanation(a, cs.fc); by != (EpisodeID{}) {
				cs.under, cs.alone = by, 0
				e.emit(cs, a, cs.phase, CauseExplained, t, nil)
				continue
			}
			e.free(a, cs)
		}
	}
}

// aftermath puts an episode that has just opened under a cause that ended a
// moment ago, because a device that does not come up after a cut is found silent
// when the feeder is well again; or under one that people know of and that still
// holds.
func (e *Engine) aftermath(a *assetState, cs *classState) {
	if by := e.formerCause(a, cs.fc, lookBack); by != (EpisodeID{}) {
		cs.under = by
		e.free(a, cs)
	}
}

// formerCause finds the episode that explained a fault class on an asset and was
// over at most so long ago, or that a person shelved while its condition holds.
func (e *Engine) formerCause(a *assetState, fc *FaultClass, lately int64) EpisodeID {
	if fc.ByHand {
		return EpisodeID{}
	}
	for _, id := range e.upstream(a.id) {
		up := e.assets[id]
		if up == nil {
			continue
		}
		for k := range up.classes {
			was := &up.classes[k]
			recent := was.overAt > 0 && was.overAt >= e.now-lately
			if was.overAt == 0 || !recent && was.shelved <= e.now || up == a && was.fc == fc {
				continue
			}
			if slices.ContainsFunc(up.instances, func(i *instance) bool {
				return i.rule.FaultClass == was.fc && slices.Contains(i.rule.Explains, fc) && (recent || i.true())
			}) {
				return was.over
			}
		}
	}
	return EpisodeID{}
}

// true reports whether the condition of any threshold was true when it was last
// looked at.
func (i *instance) true() bool {
	return slices.ContainsFunc(i.limbs, func(l limb) bool { return l.val == True })
}

// free lets an episode stand on its own after its reprieve: the time in which
// each of its devices must have been heard, and clear after that. It is counted
// while somebody listens.
func (e *Engine) free(a *assetState, cs *classState) {
	e.reprieve(a, cs)
	e.wait(a)
}

func (e *Engine) reprieve(a *assetState, cs *classState) {
	wait, conn := leastReprieve, int32(-1)
	for _, i := range a.instances {
		if i.rule.FaultClass != cs.fc || !i.active() {
			continue
		}
		for _, d := range i.devs {
			wait, conn = max(wait, d.expected()*3/2), max(conn, d.conn)
		}
	}
	clear := int64(0)
	for _, i := range a.instances {
		for k := range i.limbs {
			if i.rule.FaultClass == cs.fc && i.limbs[k].active {
				clear = max(clear, i.clearDelay(k))
			}
		}
	}
	cs.alone, cs.aloneConn = e.listened(conn)+wait+clear, conn
}

// lookEvery is how often, in seconds, it is looked whether a known cause still
// holds: the reprieve begins that much too early at most.
const lookEvery = 30

// leastReprieve is what a machine may need to start up and be heard.
const leastReprieve = int64(5 * time.Minute)

// listened is the clock of a connection; journal time for none.
func (e *Engine) listened(conn int32) int64 {
	if conn < 0 {
		return e.now
	}
	return e.conns[conn].live
}

// wait remembers an asset with a reprieve.
func (e *Engine) wait(a *assetState) {
	k, known := slices.BinarySearchFunc(e.freed, a.id, func(a *assetState, id string) int { return cmp.Compare(a.id, id) })
	if !known {
		e.freed = slices.Insert(e.freed, k, a)
	}
}

// endReprieves lets those stand on their own whose time is over. A cause that
// people know of explains them for as long as it holds.
func (e *Engine) endReprieves() {
	kept := e.freed[:0]
	for _, a := range e.freed {
		waiting := false
		for k := range a.classes {
			cs := &a.classes[k]
			if cs.alone == 0 {
				continue
			}
			due := e.listened(cs.aloneConn) >= cs.alone
			switch {
			case (due || e.now/second%lookEvery == 0) && e.formerCause(a, cs.fc, -1) != (EpisodeID{}):
				e.reprieve(a, cs)
				e.touch(a)
				waiting = true
			case !due:
				waiting = true
			default:
				cs.under, cs.alone = EpisodeID{}, 0
				e.touch(a)
				e.emit(cs, a, cs.phase, CauseOnItsOwn, e.now, nil)
			}
		}
		if waiting {
			kept = append(kept, a)
		}
	}
	clear(e.freed[len(kept):])
	e.freed = kept
}
