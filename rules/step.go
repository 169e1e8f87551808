package rules

// step evaluates an instance at time t with the readings as they are. Time that
// passed since the last step passed under the values found then.
func (e *Engine) step(i *instance, t int64) {
	e.stats.Evaluations++
	e.touch(i.asset)
	i.fresh = false
	t = max(t, i.t) // an instance never goes back
	passed := int64(0)
	if i.t != 0 {
		passed = t - i.t
	}
	c := &e.ctx
	c.inst, c.t, c.due, c.expiry = i, t, never, never
	c.serial++
	c.open, c.signal = True, nil
	open := e.gate(c, i, passed)
	c.open = open
	c.signal = i.rule.muteNow(c)
	i.t = t
	waiting, changed := false, false
	for k := range i.limbs {
		l := &i.limbs[k]
		if l.active {
			changed = e.stepActive(c, l, k, open, passed) || changed
		} else {
			changed = e.stepIdle(c, l, k, open, passed) || changed
		}
		waiting = waiting || l.active || l.onset != 0
	}
	if (waiting || c.due != never) && c.expiry < c.due {
		c.due = c.expiry + 1
	}
	i.due = c.due
	i.announce()
	if changed {
		e.classChanged(i, t)
	}
	e.setBusy(i, i.due != never)
	if i.rule.clock && (waiting || i.holds()) {
		i.dev.watched = true
	}
	if i.due != never || i.wake != 0 {
		e.schedule(i)
	}
}

// gate evaluates only_while: False also while the start-up delay runs.
func (e *Engine) gate(c *evalContext, i *instance, passed int64) Truth {
	cond := i.rule.OnlyWhile
	if cond == nil {
		return True
	}
	if i.gate == True {
		i.gateAcc += passed
	}
	i.gate = cond.eval(c)
	after := int64(i.rule.After)
	switch i.gate {
	case False:
		i.gateAcc = 0
	case True:
		if i.gateAcc < after {
			c.wakeAt(c.t + after - i.gateAcc)
			return False
		}
	}
	return i.gate
}

// value evaluates a condition behind the gate. While the gate is closed the
// rule does not look: the value is False for starting, Unknown for clearing.
func (c *evalContext) value(cond *Condition, open, closed Truth) Truth {
	if open == True {
		return cond.eval(c)
	}
	if cond.stateful {
		cond.eval(c)
	}
	if open == Unknown {
		return Unknown
	}
	return closed
}

// stepIdle moves a threshold that is not active. It reports whether the episode
// must be looked at.
func (e *Engine) stepIdle(c *evalContext, l *limb, k int, open Truth, passed int64) bool {
	i := c.inst
	th := &i.rule.Thresholds[k]
	if l.val == True {
		l.acc += passed
	}
	l.val = c.value(&th.When, open, False)
	if th.Clear != nil && th.Clear.stateful {
		th.Clear.eval(c)
	}
	switch l.val {
	case False:
		if l.muted {
			i.release(k, OverBefore, c.t)
		}
		l.onset, l.acc, l.spent, l.muted = 0, 0, false, false
		return false
	case Unknown:
		return false // neither starts nor ends a delay
	}
	if l.spent {
		return false
	}
	if l.onset == 0 {
		l.onset, l.acc = c.t, 0
	}
	if need := i.consts.delays[k].start - l.acc; need > 0 {
		c.wakeAt(max(c.t+need, e.nextReading(i, &th.When)))
		return false
	}
	m := e.muted(i, c.t)
	if c.signal != nil {
		m = mute{until: never, why: BySignal, id: c.signal.ID}
	}
	if m.until > c.t {
		l.muted = true
		i.suppress(k, m, c.t)
		if m.until != never {
			c.wakeAt(m.until)
		}
		return false
	}
	if l.muted {
		i.release(k, OpenedAfter, c.t)
	}
	if i.rule.Shadow {
		i.suppress(k, mute{until: never, why: ByShadow}, c.t)
	}
	l.active, l.muted, l.noData = true, false, false
	l.clear, l.clearAcc = Unknown, 0
	return true
}

// stepActive moves a threshold that is active.
func (e *Engine) stepActive(c *evalContext, l *limb, k int, open Truth, passed int64) bool {
	i := c.inst
	th := &i.rule.Thresholds[k]
	if l.clear == True {
		l.clearAcc += passed
	}
	l.val = c.value(&th.When, open, Unknown)
	cond := &th.When
	if th.Clear != nil {
		cond = th.Clear
		l.clear = c.value(cond, open, Unknown)
	} else {
		l.clear = l.val.not()
	}
	noData := l.val == Unknown && l.clear == Unknown && open != False
	changed := noData != l.noData
	l.noData = noData
	switch l.clear {
	case False:
		l.clearAcc = 0
	case True:
		if need := i.clearDelay(k) - l.clearAcc; need > 0 {
			c.wakeAt(max(c.t+need, e.nextReading(i, cond)))
			break
		}
		if i.rule.Shadow {
			i.release(k, OverBefore, c.t)
		}
		*l = limb{val: l.val, clear: Unknown}
		return true
	}
	return changed
}

// nextReading is when the clock may go ahead without a reading of the sampled
// inputs: one and a half of their intervals after the last. An input that is
// told on change needs no such wait.
func (e *Engine) nextReading(i *instance, cond *Condition) int64 {
	t := int64(0)
	for _, slot := range cond.gauges {
		if idx := i.bind[slot]; idx >= 0 {
			d := e.place(e.points[idx].device)
			t = max(t, e.points[idx].time+d.expected()*3/2)
		}
	}
	return t
}
