package detect

import (
	"math"
	"time"
)

// The statistics by which a signal is watched, each a distance from the usual.
const (
	offDay       = iota // mean of the last 10 against the usual day; unseen hours against the mean of all
	offKnownDay         // the same, only at hours that an earlier day has shown
	offKnownWeek        // against the usual week, only at hours that an earlier week has shown
	offAll              // the value against all history
	offLong             // mean of the last 100 against the history of that mean
	offSpread           // log of the spread of the last 30 against the history of that log
	offShape            // mean distance of the last 20 from the usual day

	// Streams is their number.
	Streams
)

// Lengths of windows, in rows, and other fixed numbers.
const (
	shortRows  = 10
	shapeRows  = 20
	spreadRows = 30
	longBlocks = 10 // of shortRows each

	warmRows   = 40    // rows whose statistics are not learnt: windows are still filling
	maxValue   = 1e30  // larger magnitudes are no measurement
	memoryRows = 32768 // history weighs at least so many rows...
	memoryDays = 30    // ...and at least so many days
	clipReach  = 16    // a lone value counts in the history as at most so many spreads away
	clipRows   = 5     // after so many in a row it is no lone value
	spikeShare = 0.25  // of a value's distance: a short mean less far away makes it a spike
	roundShare = 1e-3  // of the overall spread: half precision of the rhythm
	roundLog   = 1e-2  // of a logarithm of a spread
	levelShare = 0.6   // of the spread of the window: a level further away explains the spread...
	valueShare = 3     // ...as does a value so many spreads away
	spreadEps  = 1e-3  // share of the overall spread below which a spread is flat
)

// Signal watches one point: values and times in, verdicts out, one pass, bounded memory.
// It must not be used by several goroutines at once.
type Signal struct {
	loc     *time.Location
	tune    *Tuning
	counter bool
	held    bool

	origin      float64 // first value; everything is kept as a deviation from it
	first, last int64   // times of the first and newest row, ns
	rows        float64
	previous    float64 // newest raw value of a counter

	all     moments // deviations
	long    moments // of the mean of the last hundred
	logs    moments // of the log of the spread
	clipped uint8

	recent, blocks  window
	block           float64
	inBlock         uint8
	dayOff, weekOff window
	day, week       rhythm
	tails           [Streams]tail

	alarm    discipline
	episode  episode
	settling uint8 // rows until the level after a repair is taken as normal
}

// NewSignal returns a detector that has seen nothing.
func NewSignal(cfg Config) *Signal {
	s := &Signal{loc: cfg.Location, tune: cfg.tuning(), counter: cfg.Counter}
	v := make([]float32, spreadRows+longBlocks+shapeRows+shortRows)
	s.recent.v, v = v[:spreadRows:spreadRows], v[spreadRows:]
	s.blocks.v, v = v[:longBlocks:longBlocks], v[longBlocks:]
	s.dayOff.v, v = v[:shapeRows:shapeRows], v[shapeRows:]
	s.weekOff.v = v
	mean := make([]uint16, daySlots+weekSlots)
	visit := make([]uint8, daySlots+weekSlots)
	s.day = newRhythm(secondsPerDay, mean[:daySlots:daySlots], visit[:daySlots:daySlots])
	s.week = newRhythm(secondsPerWeek, mean[daySlots:], visit[daySlots:])
	return s
}

// Hold stops the learning while open, so that an open episode does not become the new
// normal; verdicts go on. Rows seen while held count in no history.
func (s *Signal) Hold(open bool) { s.held = open }

// Add takes the next value and its time and says what it makes of it. NaN, infinities and
// magnitudes above 1e30 are no measurement: they are answered and otherwise ignored. Times
// may repeat, jump and go back; only the rhythm looks at them.
func (s *Signal) Add(t time.Time, v float64) Verdict { return s.AddUnix(t.UnixNano(), v) }

// AddUnix is [Signal.Add] with the time in nanoseconds since 1970.
func (s *Signal) AddUnix(ns int64, v float64) Verdict {
	if !(math.Abs(v) <= maxValue) {
		return Verdict{Known: s.known(), Anomalous: s.episode.active, Reason: Reason{Aspect: Invalid, Since: s.episode.since}}
	}
	if s.counter {
		rate, ok := s.rate(ns, v)
		if !ok {
			return Verdict{Known: s.known(), Anomalous: s.episode.active}
		}
		v = rate
	}
	if s.rows == 0 {
		s.origin, s.first = v, ns
	}
	s.last = ns
	s.rows++
	x := v - s.origin
	sec := local(s.loc, ns)

	var r [Streams]float64 // newest statistics; NaN = cannot say
	usual, longMean, logs := s.measure(sec, x, &r)
	sum, most := s.surprise(&r)
	if s.settling > 0 {
		if s.settling--; s.settling == 0 {
			s.Accept()
		}
		return Verdict{}
	}
	if !s.held {
		s.learn(sec, x, longMean, logs, &r)
	}
	if !s.known() {
		return Verdict{}
	}
	left, alarm := s.alarm.add(sum, s.rows, s.tune)
	begins := alarm || sum >= s.tune.Threshold+s.alarm.raised
	s.episode.add(ns, sum, s.tune.Threshold/2, begins)
	out := Verdict{
		Score: left / (left + s.tune.Threshold), Strength: sum / s.tune.Threshold,
		Anomalous: s.episode.active, Onset: alarm, Known: true,
	}
	if s.episode.since != 0 {
		out.Reason = s.reason(most, x, usual, longMean, logs)
	}
	return out
}

// rate turns a counter into its increase per second. The first value, a reset and a time
// that stands still give none.
func (s *Signal) rate(ns int64, v float64) (float64, bool) {
	seconds := float64(ns-s.last) / 1e9
	up := v - s.previous
	fresh := s.last == 0
	if seconds <= 0 && !fresh {
		return 0, false
	}
	s.previous, s.last = v, ns
	if fresh || up < 0 {
		return 0, false
	}
	return up / seconds, true
}

func (s *Signal) known() bool { return s.tails[offAll].n >= tailLearn }

// measure updates the windows with deviation x and fills r.
func (s *Signal) measure(sec int64, x float64, r *[Streams]float64) (usual, longMean, logs float64) {
	s.recent.add(x)
	s.block += x
	if s.inBlock++; s.inBlock == shortRows {
		s.blocks.add(s.block / shortRows)
		s.block, s.inBlock = 0, 0
	}
	usual, visited, known := s.day.at(sec)
	if !visited {
		usual = s.all.mean
	}
	s.dayOff.add(x - usual)
	r[offDay] = math.Abs(s.dayOff.last(shortRows))
	r[offKnownDay] = math.NaN()
	if known {
		r[offKnownDay] = r[offDay]
	}
	r[offShape] = s.dayOff.meanAbs()

	r[offKnownWeek] = math.NaN()
	if usual, _, known := s.week.at(sec); known {
		s.weekOff.add(x - usual)
		r[offKnownWeek] = math.Abs(s.weekOff.mean())
	}
	r[offAll] = math.Abs(x - s.all.mean)

	n := float64(s.blocks.n) * shortRows
	longMean = (s.blocks.mean()*n + s.block) / (n + float64(s.inBlock))
	r[offLong] = math.Abs(longMean - s.long.mean)

	// While all has been one value there is no spread to speak of.
	r[offSpread] = math.NaN()
	if whole := s.all.spread(); whole > 0 {
		logs = logSpread(s.recent.spread(), whole)
		if s.logs.n > 0 {
			r[offSpread] = math.Abs(logs - s.logs.mean)
		}
	}
	s.round(r)
	return usual, longMean, logs
}

// logSpread is the logarithm of a spread; under a thousandth of the whole history's it is flat.
func logSpread(spread, whole float64) float64 { return math.Log(spread + spreadEps*whole) }

// round drops distances that are nothing but the rounding of the numbers kept.
func (s *Signal) round(r *[Streams]float64) {
	least := roundShare * s.all.spread()
	for k := range r {
		if k == offSpread {
			if r[k] < roundLog {
				r[k] = 0
			}
		} else if r[k] < least {
			r[k] = 0
		}
	}
}

// surprise adds up the weighted surprises of the statistics and tells which is the largest.
func (s *Signal) surprise(r *[Streams]float64) (sum float64, most int) {
	most = offAll
	top := 0.0
	for k := range r {
		if math.IsNaN(r[k]) {
			continue
		}
		weighted := s.tune.Weights[k] * s.tails[k].surprise(r[k])
		sum += weighted
		if weighted > top {
			top, most = weighted, k
		}
	}
	return sum, most
}

// learn makes the row part of history.
func (s *Signal) learn(sec int64, x, longMean, logs float64, r *[Streams]float64) {
	if s.rows > warmRows {
		for k := range r {
			if !math.IsNaN(r[k]) {
				s.tails[k].learn(r[k])
			}
		}
	}
	// One absurd value must not move the mean of all; several in a row are a new level.
	if reach := clipReach * s.all.spread(); s.all.n >= tailLearn && math.Abs(x-s.all.mean) > reach && s.clipped < clipRows {
		s.clipped++
		x = s.all.mean + math.Copysign(reach, x-s.all.mean)
	} else if s.clipped > 0 {
		s.clipped--
	}
	memory := s.memory()
	s.all.add(x, memory)
	s.long.add(longMean, memory)
	if !math.IsNaN(r[offSpread]) || s.logs.n == 0 && s.all.spread() > 0 {
		s.logs.add(logs, memory)
	}
	s.day.learn(sec, x)
	s.week.learn(sec, x)
}

// memory is the number of rows that history weighs.
func (s *Signal) memory() float64 {
	seconds := float64(s.last-s.first) / 1e9
	if seconds <= 0 {
		return memoryRows
	}
	return max(memoryRows, memoryDays*secondsPerDay*s.rows/seconds)
}

// reason explains a remarkable row by its most surprising statistic.
func (s *Signal) reason(most int, x, usual, longMean, logs float64) Reason {
	if most == offSpread && logs > s.logs.mean {
		most = s.behindSpread(x)
	}
	margin := s.tails[most].edge()
	out := Reason{Since: s.episode.since, Current: s.origin + s.recent.last(shortRows), Normal: s.origin + s.all.mean, Margin: margin}
	switch most {
	case offDay, offKnownDay, offKnownWeek:
		out.Aspect = Rhythm
		if math.Abs(s.recent.last(shortRows)-s.all.mean) > s.tails[offAll].edge() {
			out.Aspect = Level // odd at any time of the day
		}
		out.Normal = out.Current - s.dayOff.last(shortRows)
		if most == offKnownWeek {
			out.Normal = out.Current - s.weekOff.mean()
		}
	case offAll:
		out.Aspect = Level
		if math.Abs(s.recent.last(shortRows)-s.all.mean) < spikeShare*math.Abs(x-s.all.mean) {
			out.Aspect, out.Current = Spike, s.origin+x
		}
	case offLong:
		out.Aspect = Drift
		out.Current, out.Normal = s.origin+longMean, s.origin+s.long.mean
	case offSpread:
		out.Aspect = Spread
		if logs < s.logs.mean {
			out.Aspect = Flat
		}
		out.Current, out.Normal = math.Exp(logs), math.Exp(s.logs.mean)
		out.Margin = out.Normal * (math.Exp(min(margin, 50)) - 1)
	case offShape:
		out.Aspect = Shape
		out.Current, out.Normal = s.origin+x, s.origin+usual
	}
	return out
}

// behindSpread tells what widens the spread of the window: one value or a step that falls into
// it, which is what a person wants to read then, or restlessness.
func (s *Signal) behindSpread(x float64) int {
	spread := s.recent.spread()
	switch {
	case math.Abs(x-s.all.mean) > valueShare*spread:
		return offAll
	case math.Abs(s.dayOff.last(shortRows)) > levelShare*spread:
		return offDay
	default:
		return offSpread
	}
}
