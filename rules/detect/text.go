package detect

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Lang is a language in which a reason can be told.
type Lang string

// The languages of the package's own table. A catalogue may hold more under the same keys.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// Arg is a named value of a [Message], already formatted.
type Arg struct{ Name, Value string }

// Message is a reason as a catalogue wants it: a key and named values.
type Message struct {
	Key  string
	Args []Arg
}

// Naming is what a reason does not know about the points that it speaks of.
type Naming struct {
	Points   []string // by channel; a signal has one
	Unit     string   // of the point named first in the reason
	Location *time.Location
}

// Message returns the reason as keys and values: "detect.level.up" and the like.
func (r Reason) Message(n Naming) Message {
	key := "detect." + r.Aspect.String()
	if r.directed() {
		if r.Current < r.Normal {
			key += ".down"
		} else {
			key += ".up"
		}
	}
	m := Message{Key: key}
	add := func(name, value string) { m.Args = append(m.Args, Arg{name, value}) }
	digits := r.Margin
	add("point", n.point(r.Channel))
	add("current", number(r.Current, digits))
	add("normal", number(r.Normal, digits))
	add("margin", number(r.Margin, digits))
	add("unit", n.Unit)
	add("since", n.clock(r.Since))
	add("carried", n.list(r.Carried&^(1<<r.Channel)))
	add("discounted", n.list(r.Discounted))
	return m
}

// Text tells the reason in one sentence.
func (r Reason) Text(lang Lang, n Naming) string {
	m := r.Message(n)
	table := english
	if lang == Chinese {
		table = chinese
	}
	var b strings.Builder
	b.WriteString(m.fill(table[m.Key]))
	if r.directed() || r.Aspect == Flat || r.Aspect == Spread {
		b.WriteString(m.fill(table["detect.normal"]))
	}
	if r.Since != 0 {
		b.WriteString(m.fill(table["detect.since"]))
	}
	if m.arg("carried") != "" {
		b.WriteString(m.fill(table["detect.carried"]))
	}
	if m.arg("discounted") != "" {
		b.WriteString(m.fill(table["detect.discounted"]))
	}
	return b.String()
}

// directed says whether up and down are told apart.
func (r Reason) directed() bool {
	switch r.Aspect {
	case Level, Rhythm, Spike, Drift, Step:
		return true
	default:
		return false
	}
}

// fill puts the values in place of their names in braces. A space before an empty unit goes with it.
func (m Message) fill(text string) string {
	for _, a := range m.Args {
		if a.Value == "" {
			text = strings.ReplaceAll(text, " {"+a.Name+"}", "")
		}
		text = strings.ReplaceAll(text, "{"+a.Name+"}", a.Value)
	}
	return text
}

func (m Message) arg(name string) string {
	for _, a := range m.Args {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

func (n Naming) point(i int) string {
	if i < len(n.Points) {
		return n.Points[i]
	}
	return "value"
}

func (n Naming) list(bits uint64) string {
	var names []string
	for i := range MaxChannels {
		if bits&(1<<i) != 0 {
			names = append(names, n.point(i))
		}
	}
	return strings.Join(names, ", ")
}

func (n Naming) clock(ns int64) string {
	if ns == 0 {
		return ""
	}
	loc := n.Location
	if loc == nil {
		loc = time.UTC
	}
	return time.Unix(0, ns).In(loc).Format("2006-01-02 15:04")
}

// number writes x with as many digits as a margin makes meaningful: two of the margin.
func number(x, margin float64) string {
	if margin <= 0 || math.IsInf(margin, 0) {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	digits := 1 - int(math.Floor(math.Log10(margin)))
	if digits < 0 || digits > 6 || math.Abs(x) >= 1e9 {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

var english = map[string]string{
	"detect.none":        "nothing odd",
	"detect.level.up":    "{point} rose to {current} {unit}",
	"detect.level.down":  "{point} fell to {current} {unit}",
	"detect.rhythm.up":   "{point} is at {current} {unit}, high for this time",
	"detect.rhythm.down": "{point} is at {current} {unit}, low for this time",
	"detect.spike.up":    "{point} jumped up to {current} {unit}",
	"detect.spike.down":  "{point} jumped down to {current} {unit}",
	"detect.drift.up":    "{point} has crept up to {current} {unit}",
	"detect.drift.down":  "{point} has crept down to {current} {unit}",
	"detect.step.up":     "{point} stepped up to {current} {unit}",
	"detect.step.down":   "{point} stepped down to {current} {unit}",
	"detect.flat":        "{point} hardly moves: spread {current} {unit}",
	"detect.spread":      "{point} is restless: spread {current} {unit}",
	"detect.shape":       "{point} does not follow its usual course of the day",
	"detect.invalid":     "{point} sent what is no measurement",
	"detect.normal":      "; normal {normal} ± {margin} {unit}",
	"detect.since":       "; since {since}",
	"detect.carried":     "; with {carried}",
	"detect.discounted":  "; discounted because of drift: {discounted}",
}

var chinese = map[string]string{
	"detect.none":        "无异常",
	"detect.level.up":    "{point}升至 {current} {unit}",
	"detect.level.down":  "{point}降至 {current} {unit}",
	"detect.rhythm.up":   "{point}为 {current} {unit}，高于该时段的常态",
	"detect.rhythm.down": "{point}为 {current} {unit}，低于该时段的常态",
	"detect.spike.up":    "{point}突升至 {current} {unit}",
	"detect.spike.down":  "{point}突降至 {current} {unit}",
	"detect.drift.up":    "{point}缓慢升至 {current} {unit}",
	"detect.drift.down":  "{point}缓慢降至 {current} {unit}",
	"detect.step.up":     "{point}阶跃升至 {current} {unit}",
	"detect.step.down":   "{point}阶跃降至 {current} {unit}",
	"detect.flat":        "{point}几乎不变：波动 {current} {unit}",
	"detect.spread":      "{point}波动过大：波动 {current} {unit}",
	"detect.shape":       "{point}偏离平日的变化规律",
	"detect.invalid":     "{point}上报的不是有效测量值",
	"detect.normal":      "；正常 {normal} ± {margin} {unit}",
	"detect.since":       "；自 {since} 起",
	"detect.carried":     "；同时异常：{carried}",
	"detect.discounted":  "；因漂移未采信：{discounted}",
}
