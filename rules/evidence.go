package rules

import (
	"strconv"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// evidence writes down what the engine sees while it decides.
func (e *Engine) evidence(i *instance, severity Severity) *Evidence {
	r := i.rule
	k := 0
	for n := range r.Thresholds {
		if r.Thresholds[n].Severity == severity {
			k = n
		}
	}
	when := &r.Thresholds[k].When
	ev := &Evidence{Rule: r.ID, RuleVersion: r.Version, Condition: when.Text, Source: r.Source.String(), Threshold: r.limitText(i), Limits: i.limits(), Learned: r.Learns()}
	e.ctx.inst, e.ctx.t = i, i.t
	if when.limit != nil {
		if v, ok := when.limit(&e.ctx); ok {
			ev.limit = &v
		}
	}
	all := e.reg.Points()
	slots := when.roles
	if r.OnlyWhile != nil {
		slots = append(append([]int(nil), slots...), r.OnlyWhile.roles...)
	}
	seen := make(map[int32]bool)
	for _, slot := range slots {
		idx := i.bind[slot]
		if idx < 0 || seen[idx] {
			continue
		}
		seen[idx] = true
		p, st := all[idx], &e.points[idx]
		ev.Inputs = append(ev.Inputs, Input{Device: p.Device.ID, Point: p.Name, Role: r.roles[slot].role.Name, Unit: p.Unit,
			Value: finite(st.value), Text: st.text, Quality: st.quality.String(), Time: st.time})
		if p.Kind == devices.Gauge || p.Kind == devices.Counter || p.Kind == devices.State {
			s := e.series(p, st)
			if slot == when.limitOf {
				s.Limit = ev.limit
			}
			ev.Series = append(ev.Series, s)
		}
	}
	ev.Reason = i.reason(ev.Inputs)
	if w, spec := i.watcherOf(when); w != nil {
		w.explain(e, i, spec, ev)
	}
	return ev
}

// String returns the text and the mark in brackets.
func (s Source) String() string {
	switch {
	case s.Text == "":
		return ""
	case s.Mark == "":
		return s.Text
	}
	return s.Text + " (" + s.Mark + ")"
}

// limits are those in force for the instance.
func (i *instance) limits() []LimitInForce {
	if i.consts.inForce != nil {
		return i.consts.inForce
	}
	return i.rule.limitsOn()
}

func (r *Rule) limitText(i *instance) string {
	var parts []string
	for _, l := range i.limits() {
		parts = append(parts, l.String())
	}
	for k, f := range r.facts {
		v := i.consts.facts[k].Word
		if !f.Word {
			v = formatNumber(i.consts.facts[k].Value) + unitSuffix(f.Unit)
		}
		parts = append(parts, f.Name+" = "+v+" [asset]")
	}
	return strings.Join(parts, "; ")
}

func sourceSuffix(s Source) string {
	if t := s.String(); t != "" {
		return " [" + t + "]"
	}
	return ""
}

func unitSuffix(u string) string {
	if u == "" {
		return ""
	}
	return " " + u
}

// series is the thinned past of a point, oldest first, and its newest reading.
func (e *Engine) series(p *devices.Point, st *pointState) Series {
	s := Series{Device: p.Device.ID, Point: p.Name, Unit: p.Unit}
	if st.past >= 0 {
		h := &e.place(p.Device.Index).past
		for k := range h.length {
			if t, row := h.row(int(k)); row[st.past] == row[st.past] {
				s.Times = append(s.Times, int64(t)*second)
				s.Values = append(s.Values, finite(float64(row[st.past])))
			}
		}
	}
	if n := len(s.Times); st.time != 0 && (n == 0 || s.Times[n-1] < st.time/second*second) {
		s.Times, s.Values = append(s.Times, st.time), append(s.Values, finite(st.value))
	}
	return s
}

// reason is one sentence: what is wrong, and the values that show it.
func (i *instance) reason(inputs []Input) devices.Label {
	en, zh := make([]string, 0, len(inputs)), make([]string, 0, len(inputs))
	for _, in := range inputs {
		role := devices.RoleByName(in.Role)
		if role == nil {
			continue
		}
		v := in.say(role)
		en, zh = append(en, role.Label.In("en")+" "+v.EN), append(zh, role.Label.In("zh")+" "+v.In("zh"))
	}
	l := i.rule.Title
	if l.ZH == "" {
		l.ZH = l.EN
	}
	if len(en) > 0 {
		l.EN += ": " + strings.Join(en, ", ")
		l.ZH += "：" + strings.Join(zh, "，")
	}
	return l
}

// say is the value in words where its role has some.
func (in *Input) say(role *devices.Role) devices.Label {
	if w := role.Word(in.Text); w != nil && w.Label.EN != "" {
		return w.Label
	}
	switch {
	case in.Text != "":
		return devices.Label{EN: in.Text}
	case role.Kind == devices.State && len(role.Words) == 0 && in.Value == 1:
		return devices.Label{EN: "yes", ZH: "是"}
	case role.Kind == devices.State && len(role.Words) == 0 && in.Value == 0:
		return devices.Label{EN: "no", ZH: "否"}
	}
	return devices.Label{EN: formatNumber(in.Value) + unitSuffix(in.Unit)}
}

// formatNumber writes a number with at most three decimals.
func formatNumber(v float64) string {
	s := strconv.FormatFloat(v, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// finite replaces what JSON has no word for.
func finite(v float64) float64 {
	if v != v || v > 1e300 || v < -1e300 {
		return 0
	}
	return v
}
