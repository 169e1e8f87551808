package rules

import (
	"math"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// time_to_limit looks ahead: how long until a value reaches a limit, if it goes on
// as over the last while. The slope is that of Theil and Sen over the means of 24
// stretches of the window; its bounds are those of Sen (1968) at 99 %.
//
// It answers with the latest time that the bounds allow, so that `< 3d` is true
// only when even the slowest slope gets there in three days. Where the bounds do
// not even agree on the direction it abstains: unknown. Where even the fastest
// slope needs a year, it is a year.

const (
	trendCells  = 24
	leastTrend  = 12   // stretches that must be known
	trendBound  = 2.58 // of the normal distribution, for 99 %
	longestLook = 8766 // hours: a year
)

func compileTimeToLimit(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	var while truthFunc
	all := args
	if len(args) == 4 {
		cond, ok := c.asTruth(c.compile(args[3]))
		if !ok {
			return badOperand(loc)
		}
		while, args = cond.truth, args[:3]
	}
	if len(args) != 3 {
		return c.usage(name, loc, "a value, a limit and a duration are needed")
	}
	x, w, ok := c.windowArgs(name, []ast.Node{args[0], args[2]}, loc)
	if !ok {
		return badOperand(loc)
	}
	limit := c.numberArg(name, args[1])
	if limit.bad {
		return limit
	}
	if _, limit, ok = c.unify(x, limit, limit.loc); !ok {
		return badOperand(loc)
	}
	if !limit.fixed {
		return c.usage(name, limit.loc, "%s changes", limit.what)
	}
	i := c.slotFor(name, all, trendCells)
	f, bound, width := x.number, limit.number, int64(w)/trendCells
	return operand{role: -1, loc: loc, what: name + "(" + x.what + ")", unit: "h", stateful: true, number: func(ctx *evalContext) (float64, bool) {
		s, done := ctx.slot(i)
		if !done {
			v, ok, until := ctx.number(f)
			if while != nil && while(ctx) != True {
				ok = false
			}
			if s.known && s.t != 0 {
				s.book(ctx.t, width, trendCells, "avg")
			}
			s.t, s.v, s.known, s.until = ctx.t, v, ok && ctx.open == True, until
			// slot.acc is the stretch up to which the answer in slot.sum was found.
			if now := ctx.t / width; now != s.acc {
				at, _ := bound(ctx)
				s.acc = now
				var known bool
				s.sum, known = s.trend(now, width, at)
				s.val = min(Unknown, truthOf(known))
				if known {
					s.val = True
				}
			}
			ctx.wakeAt((s.acc + 1) * width)
		}
		return s.sum, s.val == True
	}}.needing(x.needTrue)
}

// trend reckons with the full stretches before now.
func (s *slot) trend(now, width int64, limit float64) (hours float64, known bool) {
	var at, mean [trendCells]float64
	n := 0
	per := float64(width) / float64(time.Hour)
	for id := now - trendCells; id < now; id++ {
		if id < 1 {
			continue
		}
		if b := &s.cells[id%trendCells]; b.t == id && b.b > 0 {
			// In hours before now, so that the numbers stay small.
			at[n], mean[n] = (float64(id-now)+0.5)*per, b.a/b.b
			n++
		}
	}
	if n < leastTrend || at[n-1]-at[0] < per*trendCells/2 {
		return 0, false
	}
	slope, low, high := slopes(at[:n], mean[:n])
	var rest [trendCells]float64
	for k := range n {
		rest[k] = mean[k] - slope*at[k]
	}
	slices.Sort(rest[:n])
	way := limit - (rest[(n-1)/2]+rest[n/2])/2 // what is left, from the level now
	if way < 0 {
		way, low, high = -way, -high, -low // the limit lies below
	}
	switch {
	case way == 0:
		return 0, true
	case high <= 0 || way/high >= longestLook:
		return longestLook, true
	case low <= 0:
		return 0, false
	}
	return min(way/low, longestLook), true
}

// slopes returns the median of the slopes between all pairs of points, and its
// bounds.
func slopes(at, v []float64) (median, low, high float64) {
	var all [trendCells * (trendCells - 1) / 2]float64
	m := 0
	for j := range at {
		for k := range j {
			all[m] = (v[j] - v[k]) / (at[j] - at[k])
			m++
		}
	}
	slices.Sort(all[:m])
	n := float64(len(at))
	c := trendBound * math.Sqrt(n*(n-1)*(2*n+5)/18)
	lo := int(math.Floor((float64(m) - c) / 2))
	hi := int(math.Ceil((float64(m) + c) / 2))
	return (all[(m-1)/2] + all[m/2]) / 2, all[max(lo, 0)], all[min(hi, m-1)]
}
