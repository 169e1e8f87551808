package backtest

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"
)

// The charts are bars and lines of time with a few words: SVG is written directly,
// with the reader's fonts (which have Chinese) and the page's colours. A plotting
// library lays text out with fonts of its own at a fixed size.

// The drawings are laid out for a phone and scale up from there, so that their
// smallest text stays readable.
const chartWidth = 440.0

type drawing struct{ strings.Builder }

func newDrawing(height float64, label string) *drawing {
	d := new(drawing)
	fmt.Fprintf(d, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, height, html.EscapeString(label))
	return d
}

func (d *drawing) rect(class string, x, y, w, h float64, title string) {
	fmt.Fprintf(d, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"><title>%s</title></rect>`, class, x, y, max(w, 0), max(h, 0), html.EscapeString(title))
}

func (d *drawing) text(class, anchor string, x, y float64, s string) {
	fmt.Fprintf(d, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`, class, anchor, x, y, html.EscapeString(s))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (d *drawing) end() template.HTML { return template.HTML(d.String() + "</svg>") }

// WeekChart draws the orders of each week.
func (v *view) WeekChart() template.HTML {
	const height, base, left = 180.0, 150.0, 30.0
	most := 1
	for _, w := range v.Weeks {
		most = max(most, w.Orders, w.Current)
	}
	d := newDrawing(height, v.T("by_week"))
	v.scale(d, most, left, base)
	step := (chartWidth - left) / float64(max(1, len(v.Weeks)))
	every := len(v.Weeks)/8 + 1
	for i, w := range v.Weeks {
		x, wide := left+float64(i)*step, min(step*0.8, 60)
		bar := func(class string, n int, x, wide float64, name string) {
			h := float64(n) / float64(most) * (base - 20)
			d.rect(class, x, base-h, wide, h, fmt.Sprintf("%s, %s: %d", w.Start.Format(time.DateOnly), name, n))
		}
		if v.Current == nil {
			bar("trial", w.Orders, x+(step-wide)/2, wide, v.T("orders"))
		} else {
			bar("trial", w.Orders, x+(step-wide)/2, wide/2-1, v.T("trial"))
			bar("current", w.Current, x+step/2+1, wide/2-1, v.T("current"))
		}
		if i%every == 0 {
			d.text("tick", "middle", x+step/2, height-10, w.Start.Format("01-02"))
		}
	}
	return d.end()
}

// scale draws the zero line and the greatest number.
func (v *view) scale(d *drawing, most int, left, base float64) {
	d.line("grid", left, base, chartWidth, base)
	d.line("grid", left, 20, chartWidth, 20)
	d.text("tick", "end", left-6, base+4, "0")
	d.text("tick", "end", left-6, 24, fmt.Sprint(most))
}

// HourChart draws the orders by hour of the day.
func (v *view) HourChart() template.HTML {
	const height, base, left = 180.0, 150.0, 30.0
	most := 1
	for _, n := range v.Report.Hours {
		most = max(most, n)
	}
	d := newDrawing(height, v.T("by_hour"))
	step := (chartWidth - left) / 24
	for h := range 24 {
		x := left + float64(h)*step
		if h >= nightBegins || h < nightEnds {
			d.rect("dark", x, 12, step, base-12, v.T("at_night"))
		}
	}
	v.scale(d, most, left, base)
	for h, n := range v.Report.Hours {
		x, tall := left+float64(h)*step, float64(n)/float64(most)*(base-20)
		d.rect("trial", x+3, base-tall, step-6, tall, fmt.Sprintf("%02d:00: %d", h, n))
		if h%3 == 0 {
			d.text("tick", "middle", x+step/2, height-10, fmt.Sprintf("%02d", h))
		}
	}
	return d.end()
}

// charted bounds the rows of a chart.
const charted = 20

// RuleChart draws the orders of the rules that open most.
func (v *view) RuleChart() template.HTML {
	const row, left = 26.0, 158.0
	most, n := 1, 0
	for _, l := range v.Rules {
		if l.Orders+l.Current > 0 && n < charted {
			most, n = max(most, l.Orders, l.Current), n+1
		}
	}
	if n == 0 {
		return ""
	}
	d := newDrawing(float64(n)*row+8, v.T("by_rule"))
	n = 0
	for _, l := range v.Rules {
		if l.Orders+l.Current == 0 || n == charted {
			continue
		}
		y := float64(n) * row
		n++
		d.text("label", "end", left-8, y+17, shorten(l.Name, 21))
		width := func(n int) float64 { return float64(n) / float64(most) * (chartWidth - left - 40) }
		if v.Current == nil {
			d.rect("trial", left, y+5, width(l.Orders), 15, fmt.Sprintf("%s: %d", l.Name, l.Orders))
		} else {
			d.rect("trial", left, y+4, width(l.Orders), 8, fmt.Sprintf("%s, %s: %d", l.Name, v.T("trial"), l.Orders))
			d.rect("current", left, y+13, width(l.Current), 8, fmt.Sprintf("%s, %s: %d", l.Name, v.T("current"), l.Current))
		}
		d.text("tick", "start", left+width(max(l.Orders, l.Current))+6, y+17, fmt.Sprint(l.Orders))
	}
	return d.end()
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// TimeChart draws each order from its opening to its end, one line an asset.
func (v *view) TimeChart() template.HTML {
	const row, left, foot = 22.0, 110.0, 24.0
	shown := v.Assets[:min(len(v.Assets), charted)]
	if len(v.Orders) == 0 {
		return ""
	}
	height := float64(len(shown))*row + foot
	d := newDrawing(height, v.T("by_asset"))
	whole := v.To.Sub(v.From)
	at := func(t time.Time) float64 {
		return left + float64(t.Sub(v.From))/float64(whole)*(chartWidth-left-4)
	}
	every := len(v.Weeks)/7 + 1
	for i, w := range v.Weeks {
		if x := at(w.Start); x >= left && i%every == 0 {
			d.line("grid", x, 0, x, height-foot)
			d.text("tick", "middle", x, height-6, w.Start.Format("01-02"))
		}
	}
	place := make(map[string]float64)
	for i, l := range shown {
		y := float64(i) * row
		place[l.Name] = y
		d.text("label", "end", left-8, y+15, shorten(l.Name, 16))
		d.line("grid", left, y+row, chartWidth, y+row)
	}
	for _, w := range v.Orders {
		y, ok := place[w.Asset]
		if !ok {
			continue
		}
		until := w.Until
		if until.IsZero() || until.After(v.To) {
			until = v.To
		}
		x := at(w.At)
		d.rect("sev-"+w.Severity, x, y+5, max(4, at(until)-x), row-9,
			fmt.Sprintf("%s: %s, %s, %s", v.Time(w.At), w.Asset, v.Fault(w.FaultClass), v.p.Text("severity."+w.Severity)))
	}
	return d.end()
}
