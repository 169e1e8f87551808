package rules

import (
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/facilityd/facilityd/devices"
)

// Schedules follow the site's calendar, on the device's time in the site's zone.

// compileWorkday is true on days on which the site works: a Saturday that was
// moved (调休) is one, a holiday on a Wednesday is none.
func compileWorkday(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 0 {
		return c.usage(name, loc, "no argument is taken")
	}
	return operand{role: -1, loc: loc, what: name + "()", stateful: true, truth: func(ctx *evalContext) Truth {
		local := time.Unix(0, ctx.t).In(ctx.engine.location)
		ctx.wakeAt(midnight(local, 1).UnixNano())
		_, off := ctx.engine.site.Calendar.WorksAs(devices.DateOf(local))
		return truthOf(!off)
	}}
}

// compileWorking is true within a shift. Without a calendar nobody said when the
// site works: it is unknown.
func compileWorking(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	if len(args) != 0 {
		return c.usage(name, loc, "no argument is taken")
	}
	return operand{role: -1, loc: loc, what: name + "()", stateful: true, truth: func(ctx *evalContext) Truth {
		cal := ctx.engine.site.Calendar
		if cal == nil {
			return Unknown
		}
		local := time.Unix(0, ctx.t).In(ctx.engine.location)
		res := False
		// A night shift belongs to the day on which it begins.
		for day := -2; day <= 1; day++ {
			start := midnight(local, day)
			as, off := cal.WorksAs(devices.DateOf(start))
			if off {
				continue
			}
			for _, s := range cal.Week[as] {
				from, to := minuteOf(start, s.Start), minuteOf(start, s.End)
				if ctx.t >= from && ctx.t < to {
					res = True
				}
				ctx.wakeAt(from)
				ctx.wakeAt(to)
			}
		}
		ctx.wakeAt(midnight(local, 1).UnixNano())
		return res
	}}
}

// midnight is the beginning of a day, counted from that of t.
func midnight(t time.Time, days int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, t.Location())
}

// minuteOf is a minute of a day by the clock on the wall.
func minuteOf(day time.Time, minute int) int64 {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, minute, 0, 0, day.Location()).UnixNano()
}
