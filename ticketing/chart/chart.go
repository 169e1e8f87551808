// Package chart draws the readings that led to a work order as SVG: one panel
// per series, with its limit and the moment the fault began.
//
// It writes SVG itself rather than through a plotting library: gonum/plot and
// its like lay text out with fonts of their own, which lack Chinese, at a fixed
// size and in fixed colours. Here the reader's fonts, width and light or dark
// theme apply, and the drawing is a few lines and labels.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/rules"
)

// Options say how to draw.
type Options struct {
	// Location is the time zone of the time axis; UTC when nil.
	Location *time.Location
	// Label names a series for people; "device point" when nil.
	Label func(s *rules.Series) string
	// Limit and Onset are the words for the limit line (with %s for its value)
	// and for the beginning of the fault; Empty stands where there is nothing.
	Limit, Onset, Empty string
	// At is when the fault began; zero draws no mark.
	At time.Time
	// Standalone adds the styles, for a file of its own. Inside a page the
	// page's style sheet has them.
	Standalone bool
}

// The drawing is laid out for the width of a phone and scales up from there, so
// that its smallest text stays readable.
const (
	width       = 400.0
	panelHeight = 190.0
	left        = 44.0
	right       = 12.0
	top         = 26.0
	bottom      = 24.0
)

const style = `<style>
svg{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif;background:#fff}
.chart-name{fill:#1d2733;font-weight:600}.chart-tick{fill:#5b6875}.chart-grid{stroke:#e3e8ee}.chart-line{stroke:#1f6feb;fill:none;stroke-width:2;stroke-linejoin:round}
.chart-dot{fill:#1f6feb}.chart-limit{stroke:#c2410c;stroke-width:1.5;stroke-dasharray:5 4}.chart-limit-text{fill:#c2410c;font-weight:600}.chart-onset{stroke:#7c8894;stroke-dasharray:2 3}
@media (prefers-color-scheme:dark){svg{background:#151b23}.chart-name{fill:#e6edf3}.chart-tick{fill:#9aa7b4}.chart-grid{stroke:#2a333d}.chart-line{stroke:#58a6ff}.chart-dot{fill:#58a6ff}.chart-limit{stroke:#fb923c}.chart-limit-text{fill:#fb923c}}
</style>`

// SVG writes the drawing. Series without a finite value are left out.
func SVG(w io.Writer, series []rules.Series, o Options) error {
	if o.Location == nil {
		o.Location = time.UTC
	}
	var panels []panel
	for i := range series {
		if p, ok := newPanel(&series[i], o); ok {
			panels = append(panels, p)
		}
	}
	height := max(60, panelHeight*float64(len(panels)))
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, html.EscapeString(summary(panels, o)))
	if o.Standalone {
		b.WriteString(style)
	}
	if len(panels) == 0 {
		fmt.Fprintf(&b, `<text class="chart-tick" x="%g" y="34" text-anchor="middle">%s</text>`, width/2, html.EscapeString(o.Empty))
	}
	for i := range panels {
		panels[i].draw(&b, float64(i)*panelHeight, o)
	}
	b.WriteString("</svg>")
	_, err := w.Write(b.Bytes())
	return err
}

func summary(panels []panel, o Options) string {
	s := ""
	for i := range panels {
		if i > 0 {
			s += "; "
		}
		s += panels[i].name
		if l := panels[i].s.Limit; l != nil {
			s += ", " + fmt.Sprintf(o.Limit, number(*l))
		}
	}
	if s == "" {
		return o.Empty
	}
	return s
}

// A panel is one series with its axes.
type panel struct {
	s       *rules.Series
	name    string
	n       int // points with a finite value
	t0, t1  int64
	lo, hi  float64
	step    float64
	stepped bool // a state: it holds until the next value
	lastT   int64
	lastV   float64
}

func newPanel(s *rules.Series, o Options) (panel, bool) {
	p := panel{s: s, lo: math.Inf(1), hi: math.Inf(-1), stepped: true, t0: math.MaxInt64, t1: math.MinInt64}
	for i := range min(len(s.Times), len(s.Values)) {
		v := s.Values[i]
		if !drawable(v) {
			continue
		}
		p.n++
		p.lo, p.hi = min(p.lo, v), max(p.hi, v)
		p.t0, p.t1 = min(p.t0, s.Times[i]), max(p.t1, s.Times[i])
		p.lastT, p.lastV = s.Times[i], v
		p.stepped = p.stepped && (v == 0 || v == 1)
	}
	if p.n == 0 {
		return p, false
	}
	if s.Limit != nil && drawable(*s.Limit) {
		p.lo, p.hi = min(p.lo, *s.Limit), max(p.hi, *s.Limit)
	}
	if p.t0 == p.t1 {
		p.t0, p.t1 = p.t0-int64(time.Minute), p.t1+int64(time.Minute)
	}
	p.lo, p.hi, p.step = axis(p.lo, p.hi)
	p.name = s.Device + " " + s.Point
	if o.Label != nil {
		p.name = o.Label(s)
	}
	if s.Unit != "" {
		p.name += " (" + s.Unit + ")"
	}
	return p, true
}

// drawable reports whether a value can stand on an axis: it is finite and of a
// size that a sensor can mean.
func drawable(v float64) bool { return math.Abs(v) < 1e12 }

// axis widens a range to whole steps of 1, 2 or 5 times a power of ten, three to
// six of them.
func axis(lo, hi float64) (from, to, step float64) {
	if hi-lo < 1e-9*math.Max(math.Abs(hi), 1) {
		lo, hi = lo-1, hi+1
	}
	raw := (hi - lo) / 4
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step = 10 * mag
	for _, m := range []float64{1, 2, 5} {
		if m*mag >= raw {
			step = m * mag
			break
		}
	}
	return math.Floor(lo/step+1e-9) * step, math.Ceil(hi/step-1e-9) * step, step
}

func (p *panel) x(t int64) float64 {
	return left + (width-left-right)*float64(t-p.t0)/float64(p.t1-p.t0)
}

func (p *panel) y(v float64) float64 {
	return top + (panelHeight-top-bottom)*(p.hi-v)/(p.hi-p.lo)
}

func (p *panel) draw(b *bytes.Buffer, dy float64, o Options) {
	fmt.Fprintf(b, `<g transform="translate(0 %s)"><text class="chart-name" x="4" y="15">%s</text>`, coord(dy), html.EscapeString(p.name))
	for i := range int(math.Round((p.hi-p.lo)/p.step)) + 1 {
		v := p.lo + float64(i)*p.step
		y := coord(p.y(v))
		fmt.Fprintf(b, `<line class="chart-grid" x1="%g" x2="%g" y1="%s" y2="%s"/><text class="chart-tick" x="%g" y="%s" text-anchor="end" dominant-baseline="middle">%s</text>`,
			left, width-right, y, y, left-6, y, number(round(v, p.step)))
	}
	p.times(b, o.Location)
	if at := o.At.UnixNano(); !o.At.IsZero() && at > p.t0 && at < p.t1 {
		x := coord(p.x(at))
		fmt.Fprintf(b, `<line class="chart-onset" x1="%s" x2="%s" y1="%g" y2="%g"><title>%s</title></line>`, x, x, top, panelHeight-bottom, html.EscapeString(o.Onset))
	}
	fmt.Fprintf(b, `<path class="chart-line" d="%s"/><circle class="chart-dot" cx="%s" cy="%s" r="3.5"/>`, p.path(), coord(p.x(p.lastT)), coord(p.y(p.lastV)))
	if l := p.s.Limit; l != nil && drawable(*l) {
		y := p.y(*l)
		fmt.Fprintf(b, `<line class="chart-limit" x1="%g" x2="%g" y1="%s" y2="%s"/>`, left, width-right, coord(y), coord(y))
		text := y - 5
		if text < top+8 {
			text = y + 13
		}
		fmt.Fprintf(b, `<text class="chart-limit-text" x="%g" y="%s">%s</text>`, left+4, coord(text), html.EscapeString(fmt.Sprintf(o.Limit, number(*l))))
	}
	b.WriteString("</g>")
}

// times writes three times under the panel; dates too when it spans days.
func (p *panel) times(b *bytes.Buffer, loc *time.Location) {
	layout := "15:04"
	switch span := time.Duration(p.t1 - p.t0); {
	case span > 36*time.Hour:
		layout = "01-02 15:04"
	case span < 10*time.Minute:
		layout = "15:04:05"
	}
	for i, anchor := range []string{"start", "middle", "end"} {
		t := p.t0 + (p.t1-p.t0)/2*int64(i)
		fmt.Fprintf(b, `<text class="chart-tick" x="%s" y="%g" text-anchor="%s">%s</text>`,
			coord(p.x(t)), panelHeight-bottom+16, anchor, time.Unix(0, t).In(loc).Format(layout))
	}
}

func (p *panel) path() string {
	var b bytes.Buffer
	for i := range min(len(p.s.Times), len(p.s.Values)) {
		v := p.s.Values[i]
		if !drawable(v) {
			continue
		}
		x, y := coord(p.x(p.s.Times[i])), coord(p.y(v))
		switch {
		case b.Len() == 0:
			b.WriteString("M" + x + " " + y)
		case p.stepped:
			b.WriteString("H" + x + "V" + y)
		default:
			b.WriteString("L" + x + " " + y)
		}
	}
	return b.String()
}

// coord writes a coordinate to a tenth: finer is invisible and doubles the size.
func coord(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// round takes away what the steps of an axis cannot mean.
func round(v, step float64) float64 {
	p := math.Pow(10, math.Ceil(-math.Log10(step))+1)
	return math.Round(v*p) / p
}

// number writes a value with as many digits as mean something to a reader.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }
