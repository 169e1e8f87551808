package profile

import (
	"fmt"
	"math"

	"github.com/facilityd/facilityd/devices"
)

// point reads one point of an element and emits it.
func (r *run) point(p *part, pt *point, i int, b *binding, ns int64, own bool, q devices.Quality) error {
	var v value
	switch {
	case pt.src != nil:
		v = r.get(pt.src)
	case pt.expr != nil && p.value == nil:
		v = value{kind: boolValue} // the expression alone gives the value
	case p.value != nil:
		v = r.get(p.value)
	case len(r.frames) > 0 && len(p.fans) > 0:
		v = r.frames[len(p.fans)-1].val
	default:
		v = r.scope
	}
	if v.kind == noValue {
		switch {
		case pt.required:
			return fmt.Errorf("point %s is required and not in the message", pt.key)
		case pt.quality != nil && r.qualityFor(pt.quality) == devices.Bad:
			v = value{kind: nullValue, raw: "null"} // the message says that there is no value
		default:
			return nil
		}
	}
	if (pt.name != nil || p.needsMeta) && !r.namePoint(pt, b) {
		return nil
	}
	if pt.when != nil {
		if ok, _ := r.holds(pt.when); !ok {
			return nil
		}
	}
	st := &r.d.states[b.dev.Index]
	if pt.privacy == "drop" {
		st.counts.Decoded++
		st.counts.Ignored++
		return nil
	}
	var res result
	if pt.plain && v.kind == numberValue {
		f := v.num
		if pt.mul != 1 {
			f *= pt.mul
		}
		if pt.div != 1 {
			f /= pt.div
		}
		f += pt.offset
		if pt.hasConv {
			f = pt.conv.Apply(f)
		}
		res = result{num: f, raw: v.num, kind: numberValue}
		if pt.ranged && (f < pt.lo || f > pt.hi) || math.IsNaN(f) || math.IsInf(f, 0) {
			res = bad("out of range")
		}
	} else {
		var absent bool
		if res, absent = r.transform(pt, v); absent {
			return nil
		}
	}
	if pt.privacy == "hash" && res.kind == stringValue {
		res.text = hashText(res.text)
	}
	if pt.quality != nil {
		q = max(q, r.qualityFor(pt.quality))
	}
	if pt.times != nil {
		var state timeState
		if ns, state = r.candidates(pt.times); state == timeReceived {
			own = false
		} else {
			own = true
		}
	}
	if p.keepValues {
		r.keepValue(pt.key, &res)
	}
	r.emit(pt, i, b, res, ns, own, q)
	return nil
}

// emit turns a result into a reading, unless it is a duplicate or has to wait.
func (r *run) emit(pt *point, i int, b *binding, res result, ns int64, own bool, q devices.Quality) {
	d := r.d
	counts := &d.states[b.dev.Index].counts
	counts.Decoded++
	p := r.devicePoint(pt, i, b, &res)
	if res.unit == nil && pt.unit != p.Unit && pt.unit != "" && res.kind == numberValue {
		res.unit = devices.UnitByCode(pt.unit) // two sources name one point, in two units
	}
	if res.unit != nil && res.unit.Code != p.Unit {
		if to := devices.UnitByCode(p.Unit); to != nil {
			if conv, err := devices.Convert(res.unit, to, false); err == nil {
				res.num = conv.Apply(res.num)
			} else {
				res = bad(err.Error())
			}
		}
	}
	rd := devices.Reading{Point: p, Time: ns, Quality: q}
	r.fill(&rd, p.Kind, &res)
	st := d.pointState(p)
	rd.Quality = max(rd.Quality, st.status)
	if res.kind == nullValue || rd.Quality == devices.Bad {
		rd.Quality, rd.Value, rd.Text = devices.Bad, math.NaN(), ""
		if res.why != "" && res.why != "null" {
			r.problem("point %s: %s", p.Name, res.why)
		}
	}
	if r.historical || pt.historical {
		rd.Flags |= devices.Historical
	}
	if !own {
		rd.Flags |= devices.ReceiveTime
	}
	if r.msg.Retained {
		rd.Flags |= devices.RetainedMessage
		if !own && rd.Quality == devices.Good {
			rd.Quality = devices.Uncertain
		}
	}
	if p.Kind == devices.Event && pt.id != nil && !r.newEvent(pt, b, p) {
		counts.Duplicate++
		if r.trace != nil {
			r.tracef("points", "%s: event was there before", p.Name)
		}
		return
	}
	if !r.order(pt, st, &rd, res.raw, own) {
		counts.Duplicate++
		if r.trace != nil {
			r.tracef("points", "%s: duplicate", p.Name)
		}
		return
	}
	counts.Stored++
	if r.trace != nil {
		r.trace.reading(&rd)
	}
	r.out.Readings = append(r.out.Readings, rd)
}

// fill writes a result into the fields that its kind uses.
func (r *run) fill(rd *devices.Reading, kind devices.Kind, res *result) {
	rd.Value = res.num
	switch kind {
	case devices.State:
		if res.kind == stringValue {
			rd.Text = res.text
		} else if res.kind == numberValue && res.num != 0 && res.num != 1 {
			rd.Text = numValue(res.num).raw
		}
	case devices.Text:
		rd.Text = res.text
		if res.kind == boolValue || res.kind == numberValue && res.text == "" {
			v := numValue(res.num)
			if rd.Text = v.raw; res.kind == boolValue {
				rd.Text = [2]string{"false", "true"}[int(res.num)]
			}
		}
		rd.Value = math.NaN()
	case devices.Event:
		switch res.kind {
		case boolValue:
			rd.Text = [2]string{"false", "true"}[int(res.num)]
		case numberValue:
			rd.Text = numValue(res.num).raw
		default:
			rd.Text = res.text
		}
	default:
		if res.kind == stringValue { // words for a point that has numbers
			*res = bad("words for a number: " + clip(res.text))
		}
	}
}

// keepValue notes the value of a point for the expressions of points after it.
func (r *run) keepValue(key string, res *result) {
	if r.points == nil {
		r.points = make(map[string]any)
	}
	switch res.kind {
	case numberValue:
		r.points[key] = res.num
	case boolValue:
		r.points[key] = res.num == 1
	case stringValue:
		r.points[key] = res.text
	}
}
