package csvscan

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"time"
)

// Size of a chart, in its own units, and the most columns that it draws.
const (
	chartWidth   = 1200
	chartLeft    = 170
	chartTop     = 30
	stripHeight  = 90
	stripGap     = 14
	chartColumns = 1000
)

// NewChart draws findings as an SVG picture: a strip for each point with its values, one for
// the score, episodes shaded, alarms and steps marked. It keeps at most a thousand columns,
// each with the least and largest value of the rows in it, however long the table is.
func NewChart(w io.Writer) Writer { return &chart{w: bufio.NewWriter(w), per: 1} }

type chart struct {
	w       *bufio.Writer
	points  []string
	columns []column
	per     int // rows in a column
	rows    int // in the newest column
	first   time.Time
	last    time.Time
}

// column sums up neighbouring rows.
type column struct {
	from      time.Time
	low, high []float64 // by point; low > high = no value
	score     float64
	anomalous bool
	onset     bool
	change    bool
}

func (c *chart) Write(r Row) error {
	if c.points == nil {
		c.points, c.first = r.Points, r.Time
	}
	c.last = r.Time
	if len(c.columns) == 0 || c.rows == c.per {
		if len(c.columns) == chartColumns {
			c.halve()
		}
		c.columns = append(c.columns, newColumn(r))
		c.rows = 0
	}
	c.rows++
	col := &c.columns[len(c.columns)-1]
	for i, v := range r.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			col.low[i], col.high[i] = min(col.low[i], v), max(col.high[i], v)
		}
	}
	col.score = max(col.score, r.Score)
	col.anomalous = col.anomalous || r.State == Anomalous
	col.onset = col.onset || r.Onset
	col.change = col.change || r.Change
	return nil
}

func newColumn(r Row) column {
	col := column{from: r.Time, low: make([]float64, len(r.Values)), high: make([]float64, len(r.Values))}
	for i := range col.low {
		col.low[i], col.high[i] = math.Inf(1), math.Inf(-1)
	}
	return col
}

// halve joins columns in pairs.
func (c *chart) halve() {
	for i := 0; i < len(c.columns); i += 2 {
		a := c.columns[i]
		if i+1 < len(c.columns) {
			b := c.columns[i+1]
			for k := range a.low {
				a.low[k], a.high[k] = min(a.low[k], b.low[k]), max(a.high[k], b.high[k])
			}
			a.score = max(a.score, b.score)
			a.anomalous, a.onset, a.change = a.anomalous || b.anomalous, a.onset || b.onset, a.change || b.change
		}
		c.columns[i/2] = a
	}
	c.columns = c.columns[:(len(c.columns)+1)/2]
	c.per *= 2
}

// Close draws. Errors of the writer beneath are those of the last flush.
func (c *chart) Close() error {
	strips := len(c.points) + 1
	height := chartTop + strips*(stripHeight+stripGap) + 30
	c.f(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, chartWidth, height)
	c.f(`<rect width="100%%" height="100%%" fill="white"/>`)
	bottom := chartTop + strips*(stripHeight+stripGap) - stripGap
	c.bands(bottom)
	for k, name := range c.points {
		c.strip(k, name, math.Inf(1), math.Inf(-1), func(col column) (float64, float64) { return col.low[k], col.high[k] })
	}
	c.strip(len(c.points), "score", 0, 1, func(col column) (float64, float64) { return col.score, col.score })
	if len(c.columns) > 0 {
		const layout = "2006-01-02 15:04"
		c.f(`<text x="%d" y="%d">%s</text>`, chartLeft, bottom+18, c.first.Format(layout))
		c.f(`<text x="%d" y="%d" text-anchor="end">%s</text>`, chartWidth-10, bottom+18, c.last.Format(layout))
	}
	c.f(`<text x="%d" y="18"><tspan fill="#c0392b">■</tspan> anomalous  <tspan fill="#c0392b">│</tspan> alarm  <tspan fill="#2e7d32">│</tspan> step</text>`, chartLeft)
	c.f("</svg>\n")
	return c.w.Flush()
}

func (c *chart) f(format string, args ...any) {
	fmt.Fprintf(c.w, format, args...) // bufio keeps the error for Flush
}

// x is where column i begins.
func (c *chart) x(i int) float64 {
	return chartLeft + float64(i)*float64(chartWidth-chartLeft-10)/float64(max(1, len(c.columns)))
}

// bands shades episodes and marks alarms and steps over all strips.
func (c *chart) bands(bottom int) {
	for i := 0; i < len(c.columns); i++ {
		if from := i; c.columns[i].anomalous {
			for i+1 < len(c.columns) && c.columns[i+1].anomalous {
				i++
			}
			c.f(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#c0392b" opacity="0.15"/>`, c.x(from), chartTop, c.x(i+1)-c.x(from), bottom-chartTop)
		}
	}
	for i, col := range c.columns {
		if col.onset {
			c.f(`<line x1="%[1]f" x2="%[1]f" y1="%[2]d" y2="%[3]d" stroke="#c0392b"/>`, c.x(i), chartTop, bottom)
		}
		if col.change {
			c.f(`<line x1="%[1]f" x2="%[1]f" y1="%[2]d" y2="%[3]d" stroke="#2e7d32" stroke-dasharray="4 3"/>`, c.x(i), chartTop, bottom)
		}
	}
}

// strip draws one row of the picture, each column from its least to its largest value; the
// range that it shows holds at least low to high.
func (c *chart) strip(k int, name string, low, high float64, span func(column) (low, high float64)) {
	for _, col := range c.columns {
		if a, b := span(col); a <= b {
			low, high = min(low, a), max(high, b)
		}
	}
	top := chartTop + k*(stripHeight+stripGap)
	c.f(`<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#ccc"/>`, chartLeft, top, chartWidth-chartLeft-10, stripHeight)
	c.f(`<text x="8" y="%d">%s</text>`, top+14, html.EscapeString(name))
	if low > high {
		return
	}
	c.f(`<text x="8" y="%d" fill="#777">%.4g</text><text x="8" y="%d" fill="#777">%.4g</text>`, top+32, high, top+stripHeight-4, low)
	scale := float64(stripHeight-6) / max(high-low, math.SmallestNonzeroFloat64)
	y := func(v float64) float64 {
		if high == low {
			return float64(top) + stripHeight/2
		}
		return float64(top) + stripHeight - 3 - (v-low)*scale
	}
	c.f(`<path fill="none" stroke="#24517a" d="`)
	pen := "M"
	for i, col := range c.columns {
		a, b := span(col)
		if a > b {
			pen = "M"
			continue
		}
		c.f("%s%.1f %.1fL%.1f %.1f", pen, c.x(i), y(b), c.x(i), y(a))
		pen = "L"
	}
	c.f(`"/>`)
}
