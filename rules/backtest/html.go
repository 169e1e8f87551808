package backtest

import (
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/facilityd/facilityd/configs/messages"
)

//go:embed report.html
var files embed.FS

// HTML writes the report as one page that needs nothing else: styles and charts
// are in it, and there is no script.
func (r *Report) HTML(w io.Writer, p *messages.Printer) error {
	v := &view{Report: r, p: p}
	page, err := template.New("report.html").Funcs(template.FuncMap{
		"T":     v.T,
		"table": func(rows [][]string) grid { return grid{rows: rows, numbers: true} },
		"list":  func(list []*Order) grid { return grid{rows: v.OrderRows(list), orders: list, lang: p.Lang} },
		"more":  func(list []*Order) int { return len(list) - listed },
	}).ParseFS(files, "report.html")
	if err != nil {
		return err
	}
	return page.Execute(w, v)
}

// grid is a table on the page.
type grid struct {
	rows    [][]string
	numbers bool     // cells that are numbers stand to the right
	orders  []*Order // one a row, for a list of orders
	lang    string
}

// Head is the row of headings.
func (g grid) Head() []string { return g.rows[0] }

// Body is the other rows.
func (g grid) Body() [][]string { return g.rows[1:] }

// Empty reports whether there is nothing but headings.
func (g grid) Empty() bool { return len(g.rows) < 2 }

// Class of a cell; row -1 is the headings.
func (g grid) Class(row, column int) string {
	switch cell := g.rows[len(g.rows)-1][column]; {
	case g.numbers && column > 0 && cell != "" && cell[0] >= '0' && cell[0] <= '9' && len(cell) < 10:
		return "num"
	case row >= 0 && g.orders != nil && column == 4:
		return "sev " + g.orders[row].Severity
	case row >= 0 && len(g.rows[row+1][column]) <= 20:
		return "short"
	}
	return ""
}

// Why stands small under the fault of an order.
func (g grid) Why(row, column int) string {
	if g.orders == nil || column != 2 {
		return ""
	}
	return g.orders[row].Why.In(g.lang)
}

// Lang is the language of the page.
func (v *view) Lang() string {
	if v.p.Lang == "zh" {
		return "zh-CN"
	}
	return v.p.Lang
}

// Earlier says by how much an order of both came earlier or later.
func (v *view) Earlier(p Pair) string {
	switch seconds := int(p.Earlier); {
	case seconds > 0:
		return v.T("earlier", length(seconds))
	case seconds < 0:
		return v.T("later", length(-seconds))
	}
	return ""
}

// length writes a number of seconds the short way.
func length(seconds int) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%d min", seconds/60)
	case seconds < 48*3600:
		return number(float64(seconds)/3600) + " h"
	}
	return number(float64(seconds)/86400) + " d"
}

// Moved are the orders of both that came at another time.
func (v *view) Moved() (out []Pair) {
	for _, p := range v.Difference.Both {
		if p.Earlier != 0 && len(out) < listed {
			out = append(out, p)
		}
	}
	return out
}
