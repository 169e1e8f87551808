package profile

import (
	"math"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

func (c *compiler) pointScale(p *point, s *PointSpec, names *scopeNames) {
	p.offset = s.Offset
	if s.Scale == nil {
		return
	}
	if s.Scale.Expr != "" {
		p.scaleExpr = names.expression(s.Scale.At, s.Scale.Expr)
		return
	}
	f := s.Scale.Factor
	if f == 0 {
		c.errorf(s.Scale.At, "a factor of 0 makes every value 0")
		return
	}
	// 87 * 0.1 is 8.700000000000001; 87 / 10 is 8.7.
	if inv := math.Round(1 / f); f < 1 && f > 0 && math.Abs(inv*f-1) < 1e-15 {
		p.div = inv
		return
	}
	p.mul = f
}

func (c *compiler) pointUnit(p *point, s *PointSpec, names *scopeNames) {
	var target *devices.Unit
	targetAt := s.At
	if s.As != "" {
		target, targetAt = c.unit(child(s.At, "as"), s.As), child(s.At, "as")
	}
	difference := false
	if p.role != nil {
		roleUnit := devices.UnitByCode(p.role.Unit)
		difference = p.role.Unit == "K"
		if target != nil && target.Code != roleUnit.Code {
			c.hintf(targetAt, "leave as out", "role %s is in %s", p.role.Name, unitName(roleUnit))
		}
		if p.role.Kind == devices.Gauge || p.role.Kind == devices.Counter {
			target = roleUnit
		}
	}
	from := devices.UnitByCode("")
	fixed, isFixed := "", true
	if s.Unit != nil {
		if fixed, isFixed = s.Unit.fixed(); isFixed {
			from = c.unit(s.Unit.At, fixed)
		} else {
			p.unitRef = names.ref(&s.Unit.RefSpec)
		}
	}
	if s.Counter != nil && s.Counter.PerPulse != "" {
		num, code, _ := strings.Cut(s.Counter.PerPulse, " ")
		f, ok := plainNumber(num)
		if !ok || f <= 0 {
			c.hintf(child(s.Counter.At, "per_pulse"), "for example 10 L", "%q is no quantity", s.Counter.PerPulse)
		}
		p.mul *= f
		if s.Unit != nil {
			c.errorf(s.Unit.At, "per_pulse gives the unit already")
		}
		from = c.unit(child(s.Counter.At, "per_pulse"), code)
	} else if s.Unit == nil && target != nil && target.Code != "" && !p.unitTake {
		c.hintf(s.At, "unit: "+target.Code+" when the message is in "+target.Code, "point %s: nothing says in which unit the message is", p.key)
		from = nil
	}
	p.unitTo = target
	if target == nil && isFixed {
		target = from
	}
	if target != nil {
		p.unit = target.Code
	}
	if from != nil && target != nil && p.unitRef == nil {
		conv, err := devices.Convert(from, target, difference)
		if err != nil {
			at := s.At
			if s.Unit != nil {
				at = s.Unit.At
			}
			c.errorf(at, "point %s: %v", p.key, err)
		}
		p.conv, p.hasConv = conv, err == nil && !conv.Identity()
	}
	if p.unitTake && p.unitTo == nil && isFixed && s.Unit != nil {
		p.unitTo = from
	}
	c.pointRange(p, s, from, target, difference)
}

// pointRange brings the range, which is in the unit of as or else of the
// message, into the unit of the readings.
func (c *compiler) pointRange(p *point, s *PointSpec, from, target *devices.Unit, difference bool) {
	if len(s.Range) == 0 {
		return
	}
	if len(s.Range) != 2 || s.Range[0] >= s.Range[1] {
		c.hintf(child(s.At, "range"), "range: [-50, 150]", "a range has a smallest and a largest value")
		return
	}
	p.ranged, p.lo, p.hi = true, s.Range[0], s.Range[1]
	if s.As == "" && from != nil && target != nil && s.Unit != nil {
		if conv, err := devices.Convert(from, target, difference); err == nil {
			p.lo, p.hi = conv.Apply(p.lo), conv.Apply(p.hi)
		}
	}
}

func (c *compiler) unit(n *yaml.Node, code string) *devices.Unit {
	u := devices.UnitByCode(code)
	if u == nil {
		c.hintf(n, diag.DidYouMean(code, devices.UnitWords()), "unknown unit %q", code)
	}
	return u
}

func unitName(u *devices.Unit) string {
	if u.Code == "" {
		return "a plain number"
	}
	return u.Code
}
