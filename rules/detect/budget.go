package detect

import (
	"math"
	"time"
)

// Numbers of the order budget.
const (
	budgetBlock = 6 * 3600 * int64(time.Second) // ns; oddities of one block are one event
	budgetMonth = 120                           // blocks in a month of 30 days
	budgetLeast = 40                            // blocks seen before an order can be due: ten days
	budgetTop   = 16                            // largest events kept
	budgetYear  = 12 * budgetMonth              // blocks after which an event is forgotten
	budgetDoubt = 2                             // standard errors of the extrapolation that are granted to chance
)

// Budget decides which oddities are worth an order, given how many false orders a month may
// cost. It looks at the largest strength of each six hours, strength being the odds
// score/(1-score) of a verdict, and asks of a new one two things, both from this signal's own
// quiet history:
//
//   - it must be larger than all but as many past ones as the budget allowed in that time;
//   - it must be beyond what a Gumbel distribution with the mean and spread of the past
//     maxima exceeds as often as the budget allows, plus what little history leaves in doubt.
//
// The first needs no assumption but is loose while history is short, the second carries over
// that time. Until ten days of six-hour blocks were seen the answer is unknown: the order waits.
type Budget struct {
	perMonth float64

	block    int64 // number of the current block since 1970
	peak     float64
	spoiled  bool // the block holds rows of an open episode
	held     bool
	open     bool // an order is due for the episode that goes on
	maxima   moments
	observed float64 // blocks that count
	top      [budgetTop]event
}

// event is one of the largest strengths of the past.
type event struct {
	strength float32
	at       int32 // count of observed blocks when it happened
}

// Order is what the budget says about a row.
type Order struct {
	// Due holds from the row that is worth an order to the end of the episode.
	Due bool
	// Known is false while the signal's history is too short to keep a budget; the order waits.
	Known bool
	// Strength of the row and the Limit that it must exceed, both in odds of the score.
	Strength, Limit float64
}

// NewBudget returns a budget of so many false orders per 30 days. Several detectors of one
// asset share its budget: give each its part.
func NewBudget(perMonth float64) *Budget {
	return &Budget{perMonth: max(perMonth, 0)}
}

// Hold keeps what happens while open out of the history: an open order must not teach that
// its fault is normal. The six hours in which it opens are left out as well.
func (b *Budget) Hold(open bool) {
	b.held = open
	if open {
		b.spoiled = true
	}
}

// Dismiss makes an order that proved false part of history, so that its like is dearer.
func (b *Budget) Dismiss(strength float64) { b.keep(strength) }

// Add takes the next verdict.
func (b *Budget) Add(t time.Time, v Verdict) Order { return b.AddUnix(t.UnixNano(), v) }

// AddUnix is [Budget.Add] with the time in nanoseconds since 1970.
func (b *Budget) AddUnix(ns int64, v Verdict) Order {
	if !v.Known || v.Reason.Aspect == Invalid {
		b.open = b.open && v.Anomalous
		return Order{Due: b.open, Known: b.observed >= budgetLeast}
	}
	block := ns / budgetBlock
	if block != b.block {
		b.turn(block)
	}
	score := min(max(v.Score, 0), 0.999)
	out := Order{Strength: score / (1 - score), Known: b.observed >= budgetLeast}
	b.peak = max(b.peak, out.Strength)
	if !out.Known {
		b.open = false
		return out
	}
	out.Limit = b.limit()
	b.open = v.Anomalous && (b.open || out.Strength >= max(1, out.Limit))
	out.Due = b.open
	return out
}

// turn ends a block.
func (b *Budget) turn(block int64) {
	if b.block != 0 && !b.spoiled {
		b.observed = min(b.observed+1, math.MaxInt32)
		b.keep(b.peak)
	}
	b.block, b.peak, b.spoiled = block, 0, b.held
}

// keep makes a block's largest strength part of history.
func (b *Budget) keep(strength float64) {
	b.maxima.add(strength, budgetYear)
	now := int32(b.observed)
	least := 0
	for i := range b.top {
		if now-b.top[i].at > budgetYear {
			b.top[i] = event{}
		}
		if b.top[i].strength < b.top[least].strength {
			least = i
		}
	}
	if s := float32(strength); s > b.top[least].strength {
		b.top[least] = event{strength: s, at: now}
	}
}

// limit is the strength that is exceeded by chance as often as the budget allows.
func (b *Budget) limit() float64 {
	perBlock := b.perMonth / budgetMonth
	if perBlock <= 0 {
		return math.MaxFloat64
	}
	// Gumbel by moments.
	const euler = 0.5772156649015329
	scale := b.maxima.spread() * math.Sqrt(6) / math.Pi
	reduced := -math.Log(-math.Log1p(-min(perBlock, 0.5)))
	limit := b.maxima.mean + scale*(reduced-euler)
	limit += budgetDoubt * scale * (1 + reduced) / math.Sqrt(b.maxima.n)

	// As many past events as the budget allowed in the time that they are counted over.
	span := min(b.observed, budgetYear, (budgetTop-1)/perBlock)
	allowed := int(perBlock * span)
	return max(limit, b.rank(allowed, int32(b.observed-span)))
}

// rank is the strength of the event that n events since then exceed.
func (b *Budget) rank(n int, since int32) float64 {
	bound := math.MaxFloat64
	for {
		next, count := 0.0, 0
		for _, e := range b.top {
			if s := float64(e.strength); e.at >= since && s < bound {
				if s > next {
					next, count = s, 1
				} else if s == next {
					count++
				}
			}
		}
		if n -= count; n < 0 || next == 0 {
			return next
		}
		bound = next
	}
}
