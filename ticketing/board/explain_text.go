package board

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// explainText is one sentence, in both languages: why a rule fired, or why not yet.
func (b *Board) explainText(site string, at time.Time, x *rules.Explanation) devices.Label {
	s := &sentence{site: site, sites: b.sites(), at: at, x: x}
	var out devices.Label
	for i, text := range []*string{&out.EN, &out.ZH} {
		s.lang = messages.Languages[i]
		s.p = b.cfg.Messages.Printer(s.lang)
		*text = s.write()
	}
	return out
}

// A sentence is what is said of one rule in one language.
type sentence struct {
	lang  string
	p     *messages.Printer
	site  string
	sites siteInfo
	at    time.Time
	x     *rules.Explanation
}

func (s *sentence) write() string {
	text := s.state()
	if s.x.Shadow && s.x.State != rules.Off {
		text += s.p.Text("explain.in_shadow")
	}
	return text
}

func (s *sentence) state() string {
	x, say := s.x, s.p.Text
	switch x.State {
	case rules.Off:
		return s.off()
	case rules.Closed:
		return say("explain.closed", s.parts(x.OnlyWhileParts, rules.False, x.OnlyWhile))
	case rules.Starting:
		return say("explain.starting", durationText(s.p, x.Startup))
	case rules.Blind:
		return say("explain.blind", s.unusable())
	case rules.Quiet:
		if values := s.values(); values != "" {
			return say("explain.quiet", values)
		}
		return say("explain.quiet_plain")
	case rules.Waiting:
		t := s.threshold(func(t *rules.ThresholdView) bool { return t.Phase == rules.Pending })
		return say("explain.pending", s.clock(t.Onset), durationText(s.p, t.Remaining), say("severity."+t.Severity.String()))
	case rules.Muted:
		return s.muted()
	case rules.Spent:
		return say("explain.spent")
	case rules.OpenBlind:
		return say("explain.no_data", s.unusable())
	case rules.Clearing:
		t := s.threshold(func(t *rules.ThresholdView) bool { return t.Clearing })
		return say("explain.clearing", durationText(s.p, t.Remaining))
	case rules.NeedsLook:
		return say("explain.by_hand")
	case rules.Attributed:
		by := x.Episode.Under
		return say("explain.attributed", s.since(), faultTitle(by.FaultClass).In(s.lang), s.sites.assetName(s.site, by.Asset).In(s.lang))
	}
	if values := s.values(); values != "" {
		return say("explain.active", s.since(), values)
	}
	return say("explain.active_plain", s.since())
}

func (s *sentence) off() string {
	x, say := s.x, s.p.Text
	switch x.Off {
	case rules.OffDisabled:
		return say("explain.off_disabled")
	case rules.OffClass:
		names := make([]string, len(x.Classes))
		for i, c := range x.Classes {
			names[i] = say("class." + c)
		}
		return say("explain.off_class", s.list(names))
	case rules.OffFacts:
		return say("explain.off_facts", s.list(s.factNames()))
	case rules.OffInterval:
		return say("explain.off_no_interval")
	}
	return say("explain.off_roles", s.list(s.roles(x.Missing)))
}

func (s *sentence) muted() string {
	m := s.x.Mute
	if m == nil {
		return s.p.Text("explain.muted_before") // the window ended a moment ago
	}
	switch m.Why {
	case rules.BySignal:
		return s.p.Text("explain.muted_signal", m.Title.In(s.lang))
	case rules.ByVisit:
		return s.p.Text("explain.muted_visit", m.By, s.clock(m.Until))
	case rules.ByShelf:
		return s.p.Text("explain.muted_shelved", m.By, s.clock(m.Until))
	}
	return s.p.Text("explain.muted_window", m.By, s.clock(m.Until))
}

// threshold is the worst one of which something is true, or just the worst.
func (s *sentence) threshold(is func(*rules.ThresholdView) bool) *rules.ThresholdView {
	for k := range s.x.Thresholds {
		if is(&s.x.Thresholds[k]) {
			return &s.x.Thresholds[k]
		}
	}
	return &s.x.Thresholds[0]
}

func (s *sentence) since() string {
	return s.clock(s.threshold(func(t *rules.ThresholdView) bool { return t.Phase >= rules.Active }).Onset)
}

// clock is a time at the site, with its date unless that is the moment's own.
func (s *sentence) clock(nanos int64) string {
	loc := s.sites.location(s.site)
	t := time.Unix(0, nanos).In(loc)
	if t.Format(time.DateOnly) == s.at.In(loc).Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format(s.p.Text("time.absolute_short"))
}

func (s *sentence) list(words []string) string { return strings.Join(words, s.p.Text("explain.comma")) }

func (s *sentence) roles(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if r := devices.RoleByName(name); r != nil {
			out[i] = r.Label.In(s.lang)
		}
	}
	return out
}

func (s *sentence) factNames() []string {
	out := make([]string, len(s.x.ToGive))
	for i, name := range s.x.ToGive {
		out[i] = name
		for k := range rules.FactSpecs {
			if rules.FactSpecs[k].Name == name {
				out[i] = rules.FactSpecs[k].Label.In(s.lang) + " (" + name + ")"
			}
		}
	}
	return out
}

// parts are the pieces of a condition that have a value, with what they saw.
func (s *sentence) parts(list []rules.PartView, value rules.Truth, whole string) string {
	var out []string
	for _, p := range list {
		if p.Value != value {
			continue
		}
		text := p.Text
		for _, side := range p.Sides {
			if side.Known {
				text += " [" + sideText(&side) + "]"
			}
		}
		out = append(out, text)
	}
	if out == nil {
		return whole
	}
	return s.list(out)
}

func sideText(s *rules.SideView) string {
	if s.Word != "" {
		return s.Word
	}
	return rules.WithUnit(s.Value, s.Unit)
}

// values are what the rule looks at now, "" for a rule that looks at no point.
func (s *sentence) values() string {
	var out []string
	for i := range s.x.Inputs {
		in := &s.x.Inputs[i]
		if in.Usable {
			out = append(out, s.role(in)+" "+s.value(in))
		}
	}
	return s.list(out)
}

func (s *sentence) role(in *rules.InputView) string {
	if in.Kind == devices.Availability {
		return s.p.Text("devices.state")
	}
	return s.roles([]string{in.Role})[0]
}

func (s *sentence) value(in *rules.InputView) string {
	r := devices.RoleByName(in.Role)
	switch {
	case in.Text != "" && r != nil && r.Word(in.Text) != nil:
		return r.Word(in.Text).Label.In(s.lang)
	case in.Text != "":
		return in.Text
	case in.Kind == devices.State && in.Value != 0:
		return s.p.Text("explain.yes")
	case in.Kind == devices.State:
		return s.p.Text("explain.no")
	}
	return strconv.FormatFloat(in.Value, 'g', 5, 64) + strings.TrimRight(" "+in.Unit, " ")
}

// namesSaid bounds how many points that nobody measures a sentence names.
const namesSaid = 4

// unusable says of each input that rules may not use why that is.
func (s *sentence) unusable() string {
	var out []string
	if names := s.roles(s.x.Missing); len(names) > namesSaid {
		out = append(out, s.p.Text("explain.input_missing_more", s.list(names[:namesSaid]), len(names)-namesSaid))
	} else if len(names) > 0 {
		out = append(out, s.p.Text("explain.input_missing", s.list(names)))
	}
	for i := range s.x.Inputs {
		in := &s.x.Inputs[i]
		if in.Usable || in.Kind == devices.Event {
			continue
		}
		key, args := "explain.input_bad", []any{s.role(in)}
		switch {
		case in.Time == 0:
			key = "explain.input_never"
		case in.Lost:
			key = "explain.input_lost"
		case in.Stale:
			key, args = "explain.input_stale", append(args, durationText(s.p, in.Age))
		case in.Quality == devices.Uncertain:
			key = "explain.input_uncertain"
		}
		out = append(out, s.p.Text(key, args...))
	}
	if out == nil {
		return s.p.Text("explain.not_long_enough")
	}
	return s.list(slices.Compact(out))
}
