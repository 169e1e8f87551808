package detect

// Accept takes where the signal is now as normal: after a person has said that it is the new
// normal. Level, course of the day and of the week move as a whole; what was learnt about the
// size of usual deviations stays.
func (s *Signal) Accept() {
	shift := s.dayOff.mean()
	s.all.mean += shift
	s.long.mean += shift
	s.day.move(shift)
	s.week.move(shift)
	s.dayOff.move(-shift)
	s.weekOff.move(-shift)
	if now := s.recent.spread(); now > 0 && s.logs.n > 0 {
		s.logs.mean = logSpread(now, s.all.spread())
	}
	s.alarm, s.episode, s.held, s.settling = discipline{}, episode{}, false, 0
}

// Repaired makes the signal take the level of the next thirty rows as normal, after a
// confirmed repair: it may be where it was or at a better place. Until then it answers
// unknown. The shape of its days and the size of usual deviations stay.
func (s *Signal) Repaired() {
	s.alarm, s.episode, s.held = discipline{}, episode{}, false
	s.settling = spreadRows
}

// move adds shift to the mean of every slot that was visited.
func (r *rhythm) move(shift float64) {
	keep := r.slot
	for i := range r.mean {
		if r.visit[i]&visitCount > 0 {
			r.slot = int16(i)
			r.store(r.value(r.slot) + shift)
		}
	}
	r.slot = keep
}

// move adds shift to all values held.
func (w *window) move(shift float64) {
	for i := range w.v[:w.n] {
		w.v[i] = float32(float64(w.v[i]) + shift)
	}
}
