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
	budgetTop   = 12                            // largest events kept
	budgetYear  = 12 * budgetMonth              // blocks after which an event is forgotten
	budgetDoubt = 1.5                           // standard errors of the extrapolation that are granted to chance
	budgetSlow  = 3 * 3600 * int64(time.Second) // ns, time constant of the mean strength
)

// Budget decides which oddities are worth an order, given how many false orders a month may
// cost. It looks at the strength of verdicts in two ways, for which it splits the budget:
// as it is, which a violent fault drives up, and as a mean over hours, which a mild fault
// that lasts drives up. Of each it keeps the largest value of every six hours in which the
// signal was quiet, and asks of a new one two things:
//
//   - it must be larger than all but as many past ones as the budget allowed in that time;
//   - it must be beyond what a Gumbel distribution with the mean and spread of the past
//     maxima exceeds as often as the budget allows, plus what little history leaves in doubt.
//
// The first needs no assumption but is loose while history is short, the second carries over
// that time. What begins anew within six hours of an order is the same event. Until ten days of six-hour blocks were seen the answer is unknown: the order waits.
type Budget struct {
	perMonth float64

	block    int64 // number of the current block since 1970
	last     int64 // time of the newest row, ns
	observed float64
	slow     float64 // mean strength
	spoiled  bool    // the block holds rows of an open episode
	held     bool
	open     bool  // an order is due for the episode that goes on
	told     int64 // block in which the newest order became due
	gauges   [2]gauge
}

// gauge is the history of one way to look at strength.
type gauge struct {
	peak   float64 // of the current block
	maxima moments
	top    [budgetTop]event
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
	// Strength of the row and the Limit that it must exceed for an order at once.
	Strength, Limit float64
	// Lasting is the mean strength over hours, LastingLimit what it must exceed.
	Lasting, LastingLimit float64
}

// NewBudget returns a budget of so many false orders per 30 days. Several detectors of one
// asset share its budget: give each its part.
func NewBudget(perMonth float64) *Budget {
	if !(perMonth > 0) {
		perMonth = 0
	}
	return &Budget{perMonth: perMonth}
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
func (b *Budget) Dismiss(o Order) {
	b.gauges[0].keep(o.Strength, b.observed)
	b.gauges[1].keep(o.Lasting, b.observed)
}

// Add takes the next verdict.
func (b *Budget) Add(t time.Time, v Verdict) Order { return b.AddUnix(t.UnixNano(), v) }

// AddUnix is [Budget.Add] with the time in nanoseconds since 1970.
func (b *Budget) AddUnix(ns int64, v Verdict) Order {
	known := b.observed >= budgetLeast
	if !v.Known || v.Reason.Aspect == Invalid {
		b.open = b.open && v.Anomalous
		return Order{Due: b.open, Known: known}
	}
	if block := ns / budgetBlock; block != b.block {
		b.turn(block)
	}
	strength := min(max(v.Strength, 0), 1e6)
	share := 1 - math.Exp(-float64(min(max(ns-b.last, 0), budgetSlow))/float64(budgetSlow))
	if b.last != 0 {
		b.slow += share * (strength - b.slow)
	}
	b.last = ns
	out := Order{Known: known, Strength: strength, Lasting: b.slow}
	b.gauges[0].peak = max(b.gauges[0].peak, strength)
	b.gauges[1].peak = max(b.gauges[1].peak, b.slow)
	if !known {
		b.open = false
		return out
	}
	out.Limit = b.gauges[0].limit(b.perMonth/2, b.observed)
	out.LastingLimit = b.gauges[1].limit(b.perMonth/2, b.observed)
	worth := strength >= 1 && strength > out.Limit || b.slow > out.LastingLimit
	if b.open = v.Anomalous && (b.open || worth && b.told != b.block); b.open {
		b.told = b.block
	}
	out.Due = b.open
	return out
}

// turn ends a block.
func (b *Budget) turn(block int64) {
	quiet := b.block != 0 && !b.spoiled
	if quiet {
		b.observed = min(b.observed+1, math.MaxInt32)
	}
	for i := range b.gauges {
		if quiet {
			b.gauges[i].keep(b.gauges[i].peak, b.observed)
		}
		b.gauges[i].peak = 0
	}
	b.block, b.spoiled = block, b.held
}

// keep makes a block's largest strength part of history.
func (g *gauge) keep(strength, observed float64) {
	g.maxima.add(strength, budgetYear)
	now := int32(observed)
	least := 0
	for i := range g.top {
		if now-g.top[i].at > budgetYear {
			g.top[i] = event{}
		}
		if g.top[i].strength < g.top[least].strength {
			least = i
		}
	}
	s := float32(strength)
	if float64(s) < strength {
		s = math.Nextafter32(s, math.MaxFloat32) // what is as strong is not stronger
	}
	if s > g.top[least].strength {
		g.top[least] = event{strength: s, at: now}
	}
}

// limit is the strength that is exceeded by chance as often as the budget allows.
func (g *gauge) limit(perMonth, observed float64) float64 {
	perBlock := perMonth / budgetMonth
	if perBlock <= 0 {
		return math.MaxFloat64
	}
	// Gumbel by moments.
	const euler = 0.5772156649015329
	scale := g.maxima.spread() * math.Sqrt(6) / math.Pi
	reduced := -math.Log(-math.Log1p(-min(perBlock, 0.5)))
	limit := g.maxima.mean + scale*(reduced-euler)
	limit += budgetDoubt * scale * (1 + reduced) / math.Sqrt(max(g.maxima.n, 1))

	// As many past events as the budget allowed in the time that they are counted over.
	span := min(observed, budgetYear, (budgetTop-1)/perBlock)
	return max(limit, g.rank(int(perBlock*span), int32(observed-span)))
}

// rank is the strength that n events after block since exceed.
func (g *gauge) rank(n int, since int32) float64 {
	bound := math.MaxFloat64
	for {
		next, count := 0.0, 0
		for _, e := range g.top {
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
