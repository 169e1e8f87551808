package rules

import (
	"slices"
	"strings"
)

// classState is one fault class on one asset: its open episode, if any, and
// what people said about it.
type classState struct {
	fc       *FaultClass
	open     bool
	id       EpisodeID
	phase    Phase
	severity Severity
	onset    int64
	at       int64 // of the last step
	rule     string
	done     int64 // when a job was last reported done, or the class first looked at
	// under is the episode that explains this one. When that is over, it stands for
	// a while longer, until alone on the clock of a connection; 0 = its cause is open.
	under     EpisodeID
	alone     int64
	aloneConn int32 // -1 = journal time
	// explains: a rule that explains others holds in the episode.
	explains bool
	// over is the newest episode that explained others and ended, at the journal
	// time overAt.
	over   EpisodeID
	overAt int64
	// opened are the newest openings that nothing explained; a ring.
	opened   [flapOpenings]int64
	flapping bool // the open episode is held until it has been calm
	// shelved is until when a person does not want to hear of it.
	shelved   int64
	shelvedBy string
}

// faultClass finds the state of a fault class on an asset, and makes it when asked.
func (a *assetState) faultClass(fc *FaultClass, make bool) *classState {
	k, ok := slices.BinarySearchFunc(a.classes, fc.ID, func(c classState, id string) int { return strings.Compare(c.fc.ID, id) })
	if !ok {
		if !make {
			return nil
		}
		a.classes = slices.Insert(a.classes, k, classState{fc: fc})
	}
	return &a.classes[k]
}

// classChanged looks at an episode after a threshold of one of its rules
// started, ended or lost its inputs. The episode has the highest severity that
// holds, and the first rule that says so speaks for it.
func (e *Engine) classChanged(by *instance, t int64) {
	if by.rule.Shadow {
		return
	}
	e.settle(by.asset, by.rule.FaultClass, by, t, CauseCleared)
}

func (e *Engine) settle(a *assetState, fc *FaultClass, by *instance, t int64, ending Cause) {
	severity, speaker, onset, noData := a.holding(fc)
	cs := a.faultClass(fc, severity != 0)
	if cs == nil {
		return
	}
	phase := Active
	if noData {
		phase = ActiveWithoutData
	}
	switch {
	case severity != 0 && !cs.open:
		cs.open, cs.phase, cs.severity, cs.onset, cs.rule = true, phase, severity, onset, speaker.rule.ID
		cs.id = EpisodeID{Site: e.site.ID, Asset: a.id, FaultClass: fc.ID, Seq: e.seq}
		cs.under = e.explanation(a, fc)
		if cs.under == (EpisodeID{}) {
			e.aftermath(a, cs)
		}
		if cs.under == (EpisodeID{}) {
			cs.flap(onset)
		}
		cs.explains = a.explains(fc)
		e.emit(cs, a, Active, CauseHeld, t, e.evidence(speaker, severity))
		e.explainOthers(a, t)
	case severity != 0:
		before, was := cs.severity, cs.phase
		cs.severity, cs.phase, cs.rule = severity, phase, speaker.rule.ID
		cs.explains = cs.explains || a.explains(fc)
		switch {
		case severity != before:
			e.emit(cs, a, phase, CauseSeverity, t, e.evidence(speaker, severity))
		case was != phase && phase == ActiveWithoutData:
			e.emit(cs, a, phase, CauseNoData, t, nil)
		case was != phase:
			e.emit(cs, a, phase, CauseDataBack, t, nil)
		}
	case !cs.open || fc.ByHand:
	default:
		if by != nil {
			cs.rule = by.rule.ID
		}
		e.closeEpisode(cs, a, ending, t)
	}
}

func (e *Engine) closeEpisode(cs *classState, a *assetState, cause Cause, t int64) {
	e.emit(cs, a, Cleared, cause, t, nil)
	e.episodeOver(cs, a, cause)
	was := *cs
	*cs = classState{fc: cs.fc, shelved: cs.shelved, shelvedBy: cs.shelvedBy, done: cs.done, over: was.over, overAt: was.overAt, opened: was.opened}
	if was.explains {
		cs.over, cs.overAt = was.id, e.now
		e.explainNoMore(was.id, t)
	}
}

// An episode that opened for the fifth time within an hour flaps. It is held
// open until its clear condition has been true for half an hour. What another
// episode explains is not counted: a machine whose feeder comes and goes does
// not flap, its feeder does.
const (
	flapOpenings = 4
	flapSpan     = 3600 * second
	flapCalm     = flapSpan / 2
)

// flap books an opening.
func (cs *classState) flap(t int64) {
	cs.flapping = cs.opened[0] != 0 && cs.opened[0] > t-flapSpan
	copy(cs.opened[:], cs.opened[1:])
	cs.opened[flapOpenings-1] = t
}

// clearDelay is how long the clear condition of a threshold must be true.
func (i *instance) clearDelay(k int) int64 {
	d := i.consts.delays[k].clear
	if cs := i.asset.faultClass(i.rule.FaultClass, false); cs != nil && cs.flapping && !i.rule.Shadow {
		d = max(d, flapCalm)
	}
	return d
}

// explains tells whether a rule that explains others holds in a fault class.
func (a *assetState) explains(fc *FaultClass) bool {
	return slices.ContainsFunc(a.instances, func(i *instance) bool {
		return i.rule.FaultClass == fc && len(i.rule.Explains) > 0 && !i.rule.Shadow && i.active()
	})
}

// active reports whether a threshold of the instance is.
func (i *instance) active() bool {
	return slices.ContainsFunc(i.limbs, func(l limb) bool { return l.active })
}

// openClasses lists the fault classes with an open episode.
func (a *assetState) openClasses() []*FaultClass {
	var out []*FaultClass
	for k := range a.classes {
		if a.classes[k].open {
			out = append(out, a.classes[k].fc)
		}
	}
	return out
}

// holding folds the active thresholds of a fault class on an asset.
func (a *assetState) holding(fc *FaultClass) (severity Severity, speaker *instance, onset int64, noData bool) {
	onset, noData = never, true
	for _, i := range a.instances {
		if i.rule.FaultClass != fc || i.rule.Shadow {
			continue
		}
		for k := range i.limbs {
			l := &i.limbs[k]
			if !l.active {
				continue
			}
			if s := i.rule.Thresholds[k].Severity; s > severity {
				severity, speaker = s, i
			}
			onset = min(onset, l.onset)
			noData = noData && l.noData
		}
	}
	return severity, speaker, onset, noData && severity != 0
}

// emit appends a step to the output.
func (e *Engine) emit(cs *classState, a *assetState, phase Phase, cause Cause, t int64, ev *Evidence) {
	e.stats.Transitions++
	cs.at = t
	e.out = append(e.out, Transition{
		Episode: cs.id, Seq: e.seq, Ordinal: uint32(len(e.out)), Phase: phase, Cause: cause,
		Under: cs.under, Severity: cs.severity, Rule: cs.rule, Onset: cs.onset, At: t, Simulated: a.simulated, Evidence: ev,
	})
}
