package backtest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/rules"
)

// listed bounds a list of orders that a person reads; the JSON report has all.
const listed = 40

// Text writes the report as tables.
func (r *Report) Text(w io.Writer, p *messages.Printer) error {
	v := &view{Report: r, p: p}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n", v.T("title"), v.Stretch(), v.Origin())
	if !r.DataFrom.IsZero() {
		fmt.Fprintln(&b, v.T("readings", int(r.Readings), v.Time(r.DataFrom)))
	}
	b.WriteString("\n")
	section := func(key string, rows [][]string) {
		if len(rows) > 1 {
			fmt.Fprintln(&b, v.T(key))
			Align(&b, rows)
			b.WriteString("\n")
		}
	}
	Align(&b, v.Sums())
	b.WriteString("\n")
	section("by_severity", v.Severities())
	section("by_week", v.WeekRows())
	section("by_rule", v.RuleRows())
	for _, line := range v.Quiet() {
		fmt.Fprintf(&b, "%s\n\n", line)
	}
	section("by_asset", v.AssetRows())
	if d := r.Difference; d != nil {
		fmt.Fprintf(&b, "%s\n", v.T("difference"))
		if v.Same() {
			fmt.Fprintf(&b, "%s\n\n", v.T("no_difference"))
		} else {
			v.list(&b, v.T("only_trial", len(d.OnlyTrial)), d.OnlyTrial)
			v.list(&b, v.T("only_current", len(d.OnlyCurrent)), d.OnlyCurrent)
			fmt.Fprintf(&b, "%s  %s\n\n", v.T("both", len(d.Both)), v.T("both_detail", d.Earlier, d.Later))
		}
	} else {
		v.list(&b, v.T("list"), r.Orders)
	}
	if len(r.Shadow) > 0 {
		v.list(&b, v.T("shadow_list")+"\n"+v.T("shadow_note"), r.Shadow)
	}
	section("gaps", v.GapRows())
	if len(r.Tasks) > 0 {
		fmt.Fprintln(&b, v.T("tasks"))
		for _, t := range v.FewTasks() {
			fmt.Fprintf(&b, "  %s\n", t)
		}
		b.WriteString("\n")
	}
	fmt.Fprintln(&b, v.T("hours_note"))
	_, err := io.WriteString(w, b.String())
	return err
}

func (v *view) list(b *strings.Builder, title string, list []*Order) {
	fmt.Fprintln(b, title)
	if len(list) > 0 {
		Align(b, v.OrderRows(list))
	}
	if n := len(list) - listed; n > 0 {
		fmt.Fprintf(b, "  %s\n", v.T("more", n))
	}
	b.WriteString("\n")
}

// Align writes rows in columns two spaces apart; a Chinese character takes two.
func Align(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(cell))
		}
	}
	for _, row := range rows {
		line := " "
		for i, cell := range row {
			line += " " + cell + strings.Repeat(" ", widths[i]-cells(cell)+1)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// cells is how many columns of a terminal a text takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// A view is a report in one language: rows of cells, headings first.
type view struct {
	*Report
	p *messages.Printer
}

// T is a text of the report. Some read otherwise when profiles are compared.
func (v *view) T(key string, args ...any) string {
	if v.Redecoded && slices.Contains(ofRules, key) {
		key = "profiles_" + key
	}
	return v.p.Text("backtest."+key, args...)
}

var ofRules = []string{"title", "trial", "current", "difference", "only_trial", "only_current", "both_detail", "no_difference"}

// Time is a time of the site, to the minute.
func (v *view) Time(t time.Time) string { return t.Format("2006-01-02 15:04") }

// Stretch says of which site and time the report is.
func (v *view) Stretch() string {
	return v.T("stretch", v.Site, v.Time(v.From), v.Time(v.To), v.TimeZone)
}

// Origin says how near to the live engine the report is.
func (v *view) Origin() string { return v.T("from_" + v.Source) }

// Same reports whether the rules on trial change nothing.
func (v *view) Same() bool {
	d := v.Difference
	return d != nil && len(d.OnlyTrial)+len(d.OnlyCurrent)+d.Earlier+d.Later == 0
}

func number(x float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") }

// columns leaves the current rules out where nothing is compared.
func (v *view) columns(cells ...string) []string {
	if v.Current == nil {
		return append(cells[:2:2], cells[3:]...)
	}
	return cells
}

// Sums is the summary.
func (v *view) Sums() [][]string {
	current := v.Current
	if current == nil {
		current = new(Sum)
	}
	t := &v.Trial
	rows := [][]string{v.columns("", v.T("trial"), v.T("current"))}
	add := func(key, trial, current string) { rows = append(rows, v.columns(v.T(key), trial, current)) }
	count := func(key string, trial, current int) { add(key, fmt.Sprint(trial), fmt.Sprint(current)) }
	count("orders", t.Orders, current.Orders)
	add("per_week", number(t.PerWeek), number(current.PerWeek))
	count("at_night", t.Night, current.Night)
	add("hours", number(t.Hours), number(current.Hours))
	count("returns", t.Returns, current.Returns)
	count("attached", t.Attached, current.Attached)
	count("before", t.Before, current.Before)
	count("open", t.Open, current.Open)
	return rows
}

func (v *view) line(l *Line, name string) []string {
	return v.columns(name, fmt.Sprint(l.Orders), fmt.Sprint(l.Current), number(l.PerWeek), fmt.Sprint(l.Night), number(l.Hours))
}

func (v *view) heading(key string) []string {
	return v.columns(v.T(key), v.T("orders"), v.T("current"), v.T("per_week"), v.T("night"), v.T("hours_short"))
}

// Severities is by severity.
func (v *view) Severities() [][]string {
	rows := [][]string{v.heading("severity")}
	for i := range v.Report.Severities {
		l := &v.Report.Severities[i]
		rows = append(rows, v.line(l, v.p.Text("severity."+l.Name)))
	}
	return rows
}

// WeekRows is by week.
func (v *view) WeekRows() [][]string {
	rows := [][]string{v.columns(v.T("week"), v.T("orders"), v.T("current"))}
	for _, w := range v.Weeks {
		rows = append(rows, v.columns(w.Start.Format(time.DateOnly), fmt.Sprint(w.Orders), fmt.Sprint(w.Current)))
	}
	return rows
}

// RuleRows is by rule, without those that opened nothing.
func (v *view) RuleRows() [][]string {
	rows := [][]string{append(v.heading("rule"), v.T("watched"), "")}
	for i := range v.Rules {
		l := &v.Rules[i]
		if l.Orders+l.Current == 0 && !l.Changed {
			continue
		}
		rows = append(rows, append(v.line(&l.Line, l.Name+"  "+l.Title.In(v.p.Lang)), fmt.Sprint(l.Watched), v.Notes(l)))
	}
	return rows
}

// Notes say what is special about a rule.
func (v *view) Notes(l *RuleLine) string {
	var notes []string
	if l.Shadow {
		notes = append(notes, v.T("shadow"))
	}
	if l.Changed {
		notes = append(notes, v.T("new"))
	}
	if !l.UnknownUntil.IsZero() {
		notes = append(notes, v.T("unknown_until", v.Time(l.UnknownUntil)))
	}
	return strings.Join(notes, "; ")
}

// Quiet names the rules that opened nothing, and those that could not.
func (v *view) Quiet() (lines []string) {
	var silent, young, idle []string
	for i := range v.Rules {
		switch l := &v.Rules[i]; {
		case l.Orders+l.Current > 0 || l.Changed:
		case l.Watched == 0:
			idle = append(idle, l.Name)
		case !l.UnknownUntil.IsZero():
			young = append(young, l.Name+" ("+v.Time(l.UnknownUntil)+")")
		default:
			silent = append(silent, l.Name)
		}
	}
	if len(silent) > 0 {
		lines = append(lines, v.T("silent", strings.Join(silent, ", ")))
	}
	if len(young) > 0 {
		lines = append(lines, v.T("young", strings.Join(young, ", ")))
	}
	if len(idle) > 0 {
		lines = append(lines, v.T("idle", strings.Join(idle, ", ")))
	}
	return lines
}

// AssetRows is by asset.
func (v *view) AssetRows() [][]string {
	rows := [][]string{v.heading("asset")}
	for i := range v.Assets {
		rows = append(rows, v.line(&v.Assets[i], v.Assets[i].Name))
	}
	return rows
}

// OrderRows lists orders.
func (v *view) OrderRows(list []*Order) [][]string {
	rows := [][]string{{v.T("opened"), v.T("asset"), v.T("fault"), v.T("rule"), v.T("severity"), v.T("ended")}}
	for _, w := range list[:min(len(list), listed)] {
		ended := v.T("still_open")
		if !w.Until.IsZero() {
			ended = v.Time(w.Until)
		}
		rows = append(rows, []string{v.Time(w.At), w.Asset, v.Fault(w.FaultClass), w.Rule, v.p.Text("severity." + w.Severity), ended})
	}
	return rows
}

// Fault is the name of a fault class.
func (v *view) Fault(id string) string {
	fc := rules.FaultClassByID(id)
	switch {
	case fc == nil:
		return id
	case v.p.Lang == "zh":
		return fc.TitleZH
	}
	return fc.Title
}

// GapRows lists where data are missing.
func (v *view) GapRows() [][]string {
	rows := [][]string{{v.T("device"), v.T("asset"), v.T("no_data"), v.T("share")}}
	for _, g := range v.Gaps[:min(len(v.Gaps), listed)] {
		rows = append(rows, []string{g.Device, g.Asset, number(g.Hours), fmt.Sprintf("%.0f %%", g.Share*100)})
	}
	return rows
}

// FewTasks are the first of what rules wait for, and how many more there are.
func (v *view) FewTasks() []string {
	const few = 8
	if len(v.Tasks) <= few+1 {
		return v.Tasks
	}
	return append(v.Tasks[:few:few], v.T("more", len(v.Tasks)-few))
}
