package backtest

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// TableOptions say how a table is read.
type TableOptions struct {
	File     string // name for messages
	Location *time.Location
	// From and To bound the rows that are used; zero is no bound.
	From, To time.Time
	// Progress is told how many bytes were read; nil for nobody.
	Progress func(bytes int64)
	// Room is how many rows may wait to be put in the order of time; 0 is
	// DefaultRoom. A longer table must be in order.
	Room int
}

// DefaultRoom is about 160 MB of rows.
const DefaultRoom = 2_000_000

// columns of the long form, in any order; others are not looked at.
var columns = []string{"time", "device", "point", "value", "quality"}

// maxFindings bounds what is said of one table.
const maxFindings = 20

// Read tells of a table what was found in it.
type Read struct {
	Rows        int64
	First, Last time.Time // of the rows that were used
	Findings    diag.List
}

// ReadTable reads a table in long form, one value a row, and hands its readings
// on in the order of time:
//
//	time,device,point,value[,quality]
//	2026-03-01T00:00:00+08:00,pump-1,bearing_temp,61.5
//
// Time is RFC 3339, or local without a zone, or Unix seconds, milliseconds or
// nanoseconds. A value is a number in the role's unit, a word of a state, or the
// text of an event; an empty one is bad. Quality is good (also when empty),
// uncertain or bad. Columns are separated by commas, semicolons or tabs.
//
// Everything that is wrong is in Findings, at most 20; when one is an error, what
// was handed on is not to be used. The error is of the reader.
func ReadTable(r io.Reader, inv *Inventory, o TableOptions, add func(devices.Reading)) (Read, error) {
	t := &table{inv: inv, o: o, add: add, from: math.MinInt64, to: math.MaxInt64}
	if t.o.Location == nil {
		t.o.Location = time.UTC
	}
	if t.o.Room <= 0 {
		t.o.Room = DefaultRoom
	}
	if !o.From.IsZero() {
		t.from = o.From.UnixNano()
	}
	if !o.To.IsZero() {
		t.to = o.To.UnixNano()
	}
	err := t.read(r)
	if errors.Is(err, errStop) {
		err = nil
	}
	if err != nil || t.found.HasErrors() {
		return Read{Rows: t.rows, Findings: t.found}, err
	}
	t.empty()
	out := Read{Rows: t.rows, Findings: t.found}
	for _, u := range inv.Unused() {
		out.Findings.Add(diag.Diagnostic{File: o.File, Level: diag.Warning, Message: u.Message, Hint: u.Hint})
	}
	if t.used == 0 {
		out.Findings.Add(diag.Diagnostic{File: o.File, Message: "no row that rules look at lies in the time that is asked for"})
		return out, nil
	}
	out.First, out.Last = time.Unix(0, t.first), time.Unix(0, t.last)
	return out, nil
}

// errStop ends the reading after as many findings as anybody wants to read.
var errStop = errors.New("enough was found")

type table struct {
	inv      *Inventory
	o        TableOptions
	add      func(devices.Reading)
	from, to int64

	csv     *csv.Reader
	column  [5]int // of columns; -1 for one that is not there
	decimal bool   // a comma may be the decimal sign
	rows    int64
	used    int64
	found   diag.List
	unknown map[string]bool // devices that were found missing already

	waiting     []devices.Reading // until it is clear that they are in order
	streaming   bool
	disordered  diag.Diagnostic // the first row that is older than the one before
	previous    int64
	first, last int64

	timeText string // of the row before, and what it means
	time     int64
	layout   int
}

func (t *table) read(r io.Reader) error {
	counted := &counter{r: r}
	b := bufio.NewReaderSize(counted, 256<<10)
	if err := t.header(b); err != nil || t.found.HasErrors() {
		return err
	}
	for {
		row, err := t.csv.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			hint := `quotes stand around a whole value: "a, b"`
			if errors.Is(parse.Err, csv.ErrFieldCount) {
				hint = "a row has as many values as the first line has names"
			}
			if err := t.fail(parse.Line, parse.Column, parse.Err.Error(), hint); err != nil || !errors.Is(parse.Err, csv.ErrFieldCount) {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", t.o.File, err)
		}
		t.rows++
		if t.rows&0x3fff == 0 && t.o.Progress != nil {
			t.o.Progress(counted.n)
		}
		if err := t.row(row); err != nil {
			return err
		}
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// header settles which column is what.
func (t *table) header(b *bufio.Reader) error {
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	start, err := b.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return fmt.Errorf("read %s: %w", t.o.File, err)
	}
	line, _, _ := strings.Cut(string(start), "\n")
	t.csv = csv.NewReader(b)
	t.csv.ReuseRecord = true
	for _, sep := range ";\t" {
		if strings.ContainsRune(line, sep) && !strings.Contains(line, ",") {
			t.csv.Comma, t.decimal = sep, true
		}
	}
	row, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return t.fail(1, 1, "the table is empty", "its first line is time,device,point,value")
	}
	if err != nil {
		return t.fail(1, 1, err.Error(), "its first line is time,device,point,value")
	}
	names := make([]string, len(row))
	for i := range row {
		names[i] = strings.ToLower(strings.TrimSpace(row[i]))
	}
	for i, c := range columns {
		if t.column[i] = slices.Index(names, c); t.column[i] < 0 && c != "quality" {
			hint := "the first line is time,device,point,value"
			if near := diag.Nearest(c, names); near != "" {
				hint = fmt.Sprintf("is it %q? ", near) + hint
			}
			return t.fail(1, 1, fmt.Sprintf("there is no column %q", c), hint)
		}
	}
	return nil
}

// fail adds an error; it returns errStop when that is enough.
func (t *table) fail(line, column int, message, hint string) error {
	t.found.Add(diag.Diagnostic{File: t.o.File, Line: line, Column: column, Message: message, Hint: hint})
	if len(t.found) >= maxFindings {
		return errStop
	}
	return nil
}

// at fails at a column of the row at hand.
func (t *table) at(column int, message, hint string) error {
	line, col := t.csv.FieldPos(t.column[column])
	return t.fail(line, col, message, hint)
}

func (t *table) row(row []string) error {
	text := row[t.column[0]]
	if text != t.timeText || t.timeText == "" {
		at, ok := t.parseTime(text)
		if !ok {
			return t.at(0, fmt.Sprintf("time is %q", text), "2026-03-01T08:00:00+08:00, 2026-03-01 08:00:00 or Unix seconds")
		}
		t.timeText, t.time = strings.Clone(text), at
	}
	if t.time < t.from || t.time >= t.to {
		return nil
	}
	p, err := t.inv.Point(row[t.column[1]], row[t.column[2]], "")
	if name, unknown := errors.AsType[*NameError](err); unknown {
		if t.unknown[row[t.column[1]]] {
			return nil // it was said once
		}
		if t.unknown == nil {
			t.unknown = make(map[string]bool)
		}
		t.unknown[strings.Clone(row[t.column[1]])] = true
		return t.at(1, name.Message, name.Hint)
	}
	if err != nil || p == nil {
		return err
	}
	r := devices.Reading{Point: p, Time: t.time, Delta: math.NaN()}
	if k := t.column[4]; k >= 0 && row[k] != "" && row[k] != "good" {
		switch row[k] {
		case "uncertain":
			r.Quality = devices.Uncertain
		case "bad":
			r.Quality = devices.Bad
		default:
			return t.at(4, fmt.Sprintf("quality is %q", row[k]), diag.DidYouMean(row[k], []string{"good", "uncertain", "bad"}))
		}
	}
	value := strings.TrimSpace(row[t.column[3]])
	if value == "" && p.Kind != devices.Text {
		r.Quality = devices.Bad
	}
	if r.Quality == devices.Bad {
		r.Value = math.NaN()
	} else if hint, ok := t.value(&r, value); !ok {
		return t.at(3, fmt.Sprintf("value of %s %s is %q", p.Device.ID, p.Name, value), hint)
	}
	return t.put(r)
}

// put hands a reading on, at once or when all are in order.
func (t *table) put(r devices.Reading) error {
	if r.Time < t.previous && t.disordered.Message == "" {
		line, col := t.csv.FieldPos(t.column[0])
		t.disordered = diag.Diagnostic{Line: line, Column: col, Message: "this row is older than the one before"}
	}
	t.previous = r.Time
	if t.used++; t.streaming {
		if t.disordered.Message != "" {
			d := t.disordered
			return errors.Join(t.fail(d.Line, d.Column, d.Message, t.sortHint()), errStop)
		}
		t.emit(r)
		return nil
	}
	t.waiting = append(t.waiting, r)
	if len(t.waiting) < t.o.Room {
		return nil
	}
	if d := t.disordered; d.Message != "" {
		return errors.Join(t.fail(d.Line, d.Column, d.Message, t.sortHint()), errStop)
	}
	t.streaming = true
	t.empty()
	return nil
}

func (t *table) sortHint() string {
	return fmt.Sprintf("a table of more than %d rows must be in the order of time; sort it first", t.o.Room)
}

// empty hands on what waits, in the order of time.
func (t *table) empty() {
	if t.disordered.Message != "" {
		slices.SortStableFunc(t.waiting, func(a, b devices.Reading) int {
			switch {
			case a.Time < b.Time:
				return -1
			case a.Time > b.Time:
				return 1
			}
			return 0
		})
	}
	for _, r := range t.waiting {
		t.emit(r)
	}
	t.waiting = nil
}

func (t *table) emit(r devices.Reading) {
	if t.first == 0 {
		t.first = r.Time
	}
	t.last = r.Time
	t.add(r)
}

var layouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
	"2006-01-02 15:04", "2006/01/02 15:04:05", "2006/1/2 15:04:05", "2006/1/2 15:04",
}

// parseTime tries the layout that fitted last first.
func (t *table) parseTime(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n > 1e17:
			return n, true
		case n > 1e14:
			return n * 1e3, true
		case n > 1e11:
			return n * 1e6, true
		default:
			return n * 1e9, n > 0
		}
	}
	for k := range layouts {
		n := (t.layout + k) % len(layouts)
		if at, err := time.ParseInLocation(layouts[n], s, t.o.Location); err == nil {
			t.layout = n
			return at.UnixNano(), at.Year() >= 1970 && at.Year() < 2200
		}
	}
	return 0, false
}

// value reads what a point of its kind may say.
func (t *table) value(r *devices.Reading, s string) (hint string, ok bool) {
	switch r.Point.Kind {
	case devices.Availability:
		words := []string{"online", "offline", "degraded", "unknown"}
		r.Text = s
		return diag.DidYouMean(s, words), slices.Contains(words, s)
	case devices.Text:
		r.Text = strings.Clone(s)
		return "", utf8.ValidString(s)
	case devices.State, devices.Event:
		if role := devices.RoleByName(r.Point.Role); role != nil && len(role.Words) > 0 {
			return word(r, role, s)
		}
		if r.Point.Kind == devices.Event {
			r.Value, r.Text = 1, strings.Clone(s)
			return "", utf8.ValidString(s)
		}
		switch strings.ToLower(s) {
		case "1", "true", "on", "yes":
			r.Value = 1
			return "", true
		case "0", "false", "off", "no":
			return "", true
		}
		v, err := strconv.ParseFloat(s, 64) // 1.0 is how some write it
		r.Value = v
		return "true or false", err == nil && (v == 0 || v == 1)
	}
	if t.decimal {
		s = strings.Replace(s, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		unit := r.Point.Unit
		if unit != "" {
			unit = " in " + unit
		}
		return "a number" + unit, false
	}
	if r.Value = v; math.IsNaN(v) {
		r.Quality = devices.Bad
	}
	return "", true
}

// word reads a state by its name or its code.
func word(r *devices.Reading, role *devices.Role, s string) (hint string, ok bool) {
	w := role.Word(s)
	if code, err := strconv.ParseFloat(s, 64); w == nil && err == nil {
		for i := range role.Words {
			if float64(role.Words[i].Code) == code {
				w = &role.Words[i]
			}
		}
	}
	if w == nil {
		var names []string
		for _, known := range role.Words {
			names = append(names, known.Name)
		}
		return diag.DidYouMean(s, names), false
	}
	r.Value, r.Text = float64(w.Code), w.Name
	return "", true
}
