package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/facilityd/facilityd/rules/detect"
)

// Shape of the synthetic suite: one value per five minutes for sixty days; what happens,
// happens at the end of day thirty.
const (
	synthStep    = 5 * time.Minute
	synthPerDay  = int(24 * time.Hour / synthStep)
	synthDays    = 60
	synthAt      = 30 * synthPerDay
	synthSignals = 20
	synthBudget  = 1.0 // false orders per month
)

// Case is the outcome of one entry of the synthetic suite over all its signals.
type Case struct {
	Name     string
	Harmless bool // nothing that needs a person: alarms after it count as false
	Signals  int
	Found    float64 // share of signals with an alarm after the event, of a fault
	Delay    time.Duration
	FalseRow float64 // alarms without cause per signal-month
	Ordered  float64 // share of signals with an order after the event
	FalseOrd float64 // orders without cause per signal-month, at a budget of one
	Named    float64 // of joint cases: share in which the reason names the right channel
}

// signal under test: the value at row i, and whether it arrives.
type synth func(rng *rand.Rand, i int) (v float64, ok bool)

// scene makes one signal of a case.
type scene struct {
	name     string
	harmless bool
	cfg      func() detect.Config
	make     func(rng *rand.Rand) synth
}

// Synthetic runs the suite. The same seed gives the same figures.
func Synthetic(seed uint64) []Case {
	out, _ := each(scenes(), func(s scene) (Case, error) { return s.run(seed), nil })
	return append(out, lyingChannel(seed))
}

// pump is the signal underneath: level, day, week, noise with memory, in a unit of its own.
func pump(rng *rand.Rand) synth {
	level, swing := 20+60*rng.Float64(), 2+6*rng.Float64()
	phase, weekend := rng.Float64(), 0.5+0.5*rng.Float64()
	noise, memory := 0.3+rng.Float64(), 0.5+0.4*rng.Float64()
	state := 0.0
	return func(rng *rand.Rand, i int) (float64, bool) {
		state = memory*state + noise*rng.NormFloat64()
		return level + swing*course(i, phase, weekend) + state, true
	}
}

// course is the rhythm of days, weaker at the weekend.
func course(i int, phase, weekend float64) float64 {
	c := math.Sin(2 * math.Pi * (float64(i)/float64(synthPerDay) + phase))
	if d := i / synthPerDay % 7; d >= 5 {
		c *= weekend
	}
	return c
}

// altered applies f to a pump's values from the event on; days counts from it.
func altered(f func(rng *rand.Rand, v, days float64) (float64, bool)) func(*rand.Rand) synth {
	return func(rng *rand.Rand) synth {
		base := pump(rng)
		return func(rng *rand.Rand, i int) (float64, bool) {
			v, ok := base(rng, i)
			if i >= synthAt {
				return f(rng, v, float64(i-synthAt)/float64(synthPerDay))
			}
			return v, ok
		}
	}
}

func scenes() []scene {
	stuck := func(rng *rand.Rand) synth {
		base, last := pump(rng), 0.0
		return func(rng *rand.Rand, i int) (float64, bool) {
			if v, _ := base(rng, i); i < synthAt {
				last = v
			}
			return last, true
		}
	}
	unseasonal := func(rng *rand.Rand) synth {
		base, mean := pump(rng), 0.0
		return func(rng *rand.Rand, i int) (float64, bool) {
			v, _ := base(rng, i)
			if i < synthAt {
				mean += (v - mean) / float64(i+1)
				return v, true
			}
			return mean + 0.5*rng.NormFloat64(), true
		}
	}
	holiday := func(rng *rand.Rand) synth {
		level, swing := 20+60*rng.Float64(), 2+6*rng.Float64()
		state := 0.0
		return func(rng *rand.Rand, i int) (float64, bool) {
			state = 0.7*state + 0.5*rng.NormFloat64()
			c := course(i, 0, 0.6)
			if i/synthPerDay == synthAt/synthPerDay && i/synthPerDay%7 < 5 {
				c *= 0.6
			}
			return level + swing*c + state, true
		}
	}
	irregular := func(rng *rand.Rand) synth {
		base := pump(rng)
		return func(rng *rand.Rand, i int) (float64, bool) {
			v, _ := base(rng, i)
			gone := i > synthAt && i < synthAt+synthPerDay/2
			return v, !gone && (i < synthAt || rng.Float64() < 0.4)
		}
	}
	counter := func(rng *rand.Rand) synth {
		base, total := pump(rng), 0.0
		return func(rng *rand.Rand, i int) (float64, bool) {
			v, _ := base(rng, i)
			if i == synthAt {
				total = 0
			}
			total += max(v, 0)
			return total, true
		}
	}
	return []scene{
		{name: "nothing happens", harmless: true, make: pump},
		{name: "drift of 1 % per day", make: altered(func(_ *rand.Rand, v, days float64) (float64, bool) { return v * (1 + 0.01*days), true })},
		{name: "stuck sensor", make: stuck},
		{name: "slow clogging: 30 % less in ten days", make: altered(func(_ *rand.Rand, v, days float64) (float64, bool) {
			return v * (1 - 0.3*min(days/10, 1)), true
		})},
		{name: "bearing wear: growing spikes", make: altered(func(rng *rand.Rand, v, days float64) (float64, bool) {
			if rng.Float64() < 0.03 {
				v += days * rng.ExpFloat64()
			}
			return v, true
		})},
		{name: "the day's rhythm goes missing", make: unseasonal},
		{name: "step of 20 %", make: altered(func(_ *rand.Rand, v, _ float64) (float64, bool) { return v * 1.2, true })},
		{name: "holiday: a working day like a Sunday", harmless: true, make: holiday},
		{name: "half a day missing, then irregular", harmless: true, make: irregular},
		{name: "counter reset", harmless: true, make: counter, cfg: func() detect.Config { return detect.Config{Counter: true} }},
		{name: "new set-point, accepted after a day", harmless: true, make: altered(func(_ *rand.Rand, v, _ float64) (float64, bool) { return v + 8, true })},
		{name: "daylight saving begins", harmless: true, make: summer},
		{name: "10 % of readings lost", harmless: true, make: altered(func(rng *rand.Rand, v, _ float64) (float64, bool) { return v, rng.Float64() > 0.1 })},
	}
}

// summer is a pump whose people get up an hour earlier in UTC from the event on.
func summer(rng *rand.Rand) synth {
	level, swing := 20+60*rng.Float64(), 2+6*rng.Float64()
	state := 0.0
	return func(rng *rand.Rand, i int) (float64, bool) {
		state = 0.7*state + 0.5*rng.NormFloat64()
		if i >= synthAt {
			i += synthPerDay / 24
		}
		return level + swing*course(i, 0, 0.7) + state, true
	}
}

func (s scene) run(seed uint64) Case {
	out := Case{Name: s.name, Harmless: s.harmless, Signals: synthSignals}
	var delays []time.Duration
	months, falseRows, falseOrders, ordered := 0.0, 0, 0, 0
	for k := range synthSignals {
		rng := rand.New(rand.NewPCG(seed, uint64(k)))
		value := s.make(rng)
		cfg := detect.Config{}
		if s.cfg != nil {
			cfg = s.cfg()
		}
		d, b := detect.NewSignal(cfg), detect.NewBudget(synthBudget)
		found, due, hadOrder := -1, false, false
		for i := range synthDays * synthPerDay {
			v, ok := value(rng, i)
			if !ok {
				continue
			}
			at := int64(i) * int64(synthStep)
			verdict := d.AddUnix(at, v)
			order := b.AddUnix(at, verdict)
			fresh := order.Due && !due
			due = order.Due
			expected := !s.harmless && i >= synthAt
			if verdict.Onset && expected && found < 0 {
				found = i - synthAt
			}
			if verdict.Onset && !expected {
				falseRows++
			}
			if fresh && expected {
				hadOrder = true
			}
			if fresh && !expected {
				falseOrders++
			}
			if s.name == "new set-point, accepted after a day" && i == synthAt+synthPerDay {
				d.Accept()
			}
		}
		if s.harmless {
			months += synthDays / 30.0
		} else {
			months += float64(synthAt) / float64(30*synthPerDay)
		}
		if found >= 0 {
			delays = append(delays, time.Duration(found)*synthStep)
		}
		if hadOrder {
			ordered++
		}
	}
	out.FalseRow, out.FalseOrd = float64(falseRows)/months, float64(falseOrders)/months
	if !s.harmless {
		out.Found, out.Ordered = float64(len(delays))/synthSignals, float64(ordered)/synthSignals
		out.Delay = median(delays)
	}
	return out
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// lyingChannel has eight channels that share a load; one of them begins to lie by a few
// times its noise. The reason must name it.
func lyingChannel(seed uint64) Case {
	out := Case{Name: "one channel of eight lies", Signals: synthSignals}
	const rows, at, channels = 3000, 2000, 8
	var delays []time.Duration
	falseRows, named := 0, 0
	for k := range synthSignals {
		rng := rand.New(rand.NewPCG(seed, uint64(1000+k)))
		j, err := detect.NewJoint(detect.Config{}, channels)
		if err != nil {
			return out
		}
		liar := rng.IntN(channels)
		row := make([]float64, channels)
		found := false
		for i := range rows {
			load := rng.NormFloat64()
			for c := range row {
				row[c] = 10*float64(c+1) + 0.5*load + rng.NormFloat64()
			}
			if i >= at {
				row[liar] += 4
			}
			v := j.AddUnix(int64(i)*int64(time.Second), row)
			switch {
			case !v.Onset || found:
			case i < at:
				falseRows++
			default:
				found = true
				delays = append(delays, time.Duration(i-at)*time.Second)
				if v.Reason.Channel == liar {
					named++
				}
			}
		}
	}
	out.Found, out.Delay = float64(len(delays))/synthSignals, median(delays)
	out.Named = float64(named) / synthSignals
	out.FalseRow = float64(falseRows) / (synthSignals * float64(at) / (30 * 86400))
	return out
}
