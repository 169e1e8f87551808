package rules

import (
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// A window is a stretch of time in which nothing new is opened on an asset and
// what it contains: maintenance, or a technician at work.
type window struct {
	id          string
	asset       string // "" = the whole site
	faultClass  string // "" = all but those that only a person clears
	from, until int64
	checkedIn   string // who is there; "" for a planned window
	by, note    string
}

// longestCheckIn ends a visit that nobody ended.
const longestCheckIn = 8 * 3600 * second

// fact takes what a person said into account.
func (e *Engine) fact(f *devices.Fact) {
	if f == nil || f.ID != "" && slices.Contains(e.factIDs, f.ID) {
		return
	}
	if f.ID != "" {
		if len(e.factIDs) == maxFactIDs {
			e.factIDs = slices.Delete(e.factIDs, 0, 1)
		}
		e.factIDs = append(e.factIDs, f.ID)
	}
	e.watchersHear(f)
	switch f.Kind {
	case devices.FactCleared:
		e.clearByHand(f, CauseByHand)
	case devices.FactCancelled:
		e.clearByHand(f, CauseCancelled)
	case devices.FactDone:
		if a, fc := e.assets[f.Asset], FaultClassByID(f.FaultClass); a != nil && fc != nil {
			a.faultClass(fc, true).done = reckoned(f.At)
			e.lookAgain(a, fc)
		}
	case devices.FactAccepted:
		e.forget(f)
		e.clearByHand(f, CauseByHand)
	case devices.FactWindow:
		from := reckoned(f.From)
		e.addWindow(window{id: f.ID, asset: f.Asset, faultClass: f.FaultClass, from: from, until: min(reckoned(f.Until), from+int64(MaxWindow)), by: f.By, note: f.Note})
	case devices.FactWindowEnded:
		for k := range e.windows {
			if w := &e.windows[k]; w.id == f.Window && w.checkedIn == "" && w.until > reckoned(f.At) {
				w.until = max(w.from, reckoned(f.At))
				e.recheck(w.asset)
			}
		}
	case devices.FactCheckedIn:
		e.addWindow(window{id: f.ID, asset: f.Asset, faultClass: f.FaultClass, from: reckoned(f.At),
			until: reckoned(f.At) + longestCheckIn, checkedIn: f.By, by: f.By})
	case devices.FactCheckedOut:
		for k := range e.windows {
			w := &e.windows[k]
			if w.checkedIn != "" && w.checkedIn == f.By && w.asset == f.Asset && w.until > reckoned(f.At) {
				w.until = reckoned(f.At)
				e.recheck(w.asset)
			}
		}
	case devices.FactAdopted:
		if f.Device != "" && f.Asset != "" {
			e.move(f.Device, f.Asset, "")
		}
	case devices.FactReplaced:
		if f.Device != "" && f.Asset != "" {
			e.move(f.Device, f.Asset, f.Replaces)
		}
	}
}

// maxFactIDs bounds how many facts are remembered against doing one twice.
const maxFactIDs = 1024

// clearByHand ends the open episode of a fault class on an asset. A condition
// that still holds must be seen false once, or go on for Timing.Recheck, before
// it opens another; a cancelled one is kept quiet until the time given.
func (e *Engine) clearByHand(f *devices.Fact, cause Cause) {
	a, fc := e.assets[f.Asset], FaultClassByID(f.FaultClass)
	if a == nil || fc == nil {
		return
	}
	cs := a.faultClass(fc, cause == CauseCancelled)
	if cs == nil {
		return
	}
	if f.Episode != "" && (!cs.open || cs.id.String() != f.Episode) {
		return // it is about an episode that is over
	}
	e.touch(a)
	at := reckoned(f.At)
	if cause == CauseCancelled && !f.Until.IsZero() {
		cs.shelved, cs.shelvedBy = reckoned(f.Until), f.By
	}
	for _, i := range a.instances {
		if i.rule.FaultClass != fc {
			continue
		}
		for k := range i.limbs {
			l := &i.limbs[k]
			if !l.active {
				continue
			}
			need := i.consts.delays[k].start
			*l = limb{val: l.val, clear: Unknown, onset: i.t, acc: need - max(need, int64(e.timing.Recheck))}
			if cause == CauseCancelled {
				l.onset, l.acc, l.spent = 0, 0, f.Until.IsZero()
			}
			e.rouse(i)
		}
	}
	if cs.open {
		e.closeEpisode(cs, a, cause, at)
	}
}

func (e *Engine) addWindow(w window) {
	if w.until <= w.from {
		return
	}
	// Windows that are long over matter to nobody; readings that old are late.
	e.windows = slices.DeleteFunc(e.windows, func(o window) bool { return o.until < e.now-longestCheckIn*3 })
	if len(e.windows) == MaxWindows {
		e.windows = slices.Delete(e.windows, 0, 1)
	}
	e.windows = append(e.windows, w)
}

// muted tells what keeps an instance from starting an episode at t: of several
// reasons the one that lasts longest.
func (e *Engine) muted(i *instance, t int64) mute {
	var m mute
	if cs := i.asset.faultClass(i.rule.FaultClass, false); cs != nil && cs.shelved > t {
		m = mute{until: cs.shelved, why: ByShelf, by: cs.shelvedBy}
	}
	for k := range e.windows {
		w := &e.windows[k]
		if t < w.from || t >= w.until || w.until <= m.until || !e.within(i.asset.id, w.asset) {
			continue
		}
		if w.faultClass == i.rule.FaultClass.ID || w.faultClass == "" && !i.rule.FaultClass.ByHand {
			m = mute{until: w.until, why: ByWindow, id: w.id, by: w.by}
			if w.checkedIn != "" {
				m.why = ByVisit
			}
		}
	}
	return m
}

// within tells whether an asset is, or lies under, another.
func (e *Engine) within(id, root string) bool {
	for range 32 { // the tree of a site is not that deep
		if root == "" || id == root {
			return true
		}
		a := e.specs[id]
		if a == nil || a.Parent == "" {
			return false
		}
		id = a.Parent
	}
	return false
}

// forget lets the windows of a fault class's rules learn anew what is normal for
// an asset. Detectors have heard of it already and keep what they learnt.
func (e *Engine) forget(f *devices.Fact) {
	a := e.assets[f.Asset]
	if a == nil {
		return
	}
	e.touch(a)
	for _, i := range a.instances {
		if i.rule.FaultClass.ID != f.FaultClass {
			continue
		}
		i.forget()
		for _, p := range i.peers() {
			p.inst.forget()
		}
	}
}

func (i *instance) forget() {
	for k := range i.slots {
		cells := i.slots[k].cells
		clear(cells)
		s := slot{cells: cells, val: Unknown}
		if w := i.slots[k].watcher(); w != nil {
			s.more = &recall{watch: w}
		}
		i.slots[k] = s
	}
}

// lookAgain has the instances of a fault class evaluated at the next second.
func (e *Engine) lookAgain(a *assetState, fc *FaultClass) {
	e.touch(a)
	for _, i := range a.instances {
		if i.rule.FaultClass == fc && i.t != 0 {
			e.rouse(i)
		}
	}
}

// rouse has an instance evaluated as soon as the clock may move it.
func (e *Engine) rouse(i *instance) {
	i.due = max(i.t+1, e.instanceTime(i))
	i.announce()
	e.setBusy(i, true)
	e.schedule(i)
}

// recheck looks at everything under an asset again.
func (e *Engine) recheck(root string) {
	for _, a := range e.sortedAssets() {
		if !e.within(a.id, root) {
			continue
		}
		for _, i := range a.instances {
			for k := range i.limbs {
				if i.limbs[k].muted {
					e.rouse(i)
				}
			}
		}
	}
}
