package csvscan

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
)

// Error is a finding about a table: where, and what would be right.
type Error struct {
	File         string
	Line, Column int // from 1; 0 = the whole file; Column counts characters
	Message      string
}

func (e *Error) Error() string {
	where := e.File
	if where == "" {
		where = "standard input"
	}
	if e.Line > 0 {
		where += fmt.Sprintf(":%d:%d", e.Line, e.Column)
	}
	return where + ": " + e.Message
}

// table reads rows of times and values.
type table struct {
	file     string
	csv      *csv.Reader
	names    []string // of all columns
	time     int      // column of the time, -1 = none
	points   []int    // columns of the points
	interval time.Duration
	location *time.Location
	layout   int  // the time layout that fitted last
	comma    bool // decimals may be written with a comma
	pending  []string
	at       func(field int) (line, column int) // of the pending row
	rows     int64
	values   []float64
}

// open reads the first line and settles which column is what; nothing later can change that.
func open(r io.Reader, opts Options) (*table, error) {
	t := &table{file: opts.File, interval: opts.Interval, location: opts.Location, time: -1}
	if t.location == nil {
		t.location = time.UTC
	}
	b := bufio.NewReader(r)
	first, err := b.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read table: %w", err)
	}
	first = strings.TrimPrefix(first, "\ufeff")
	if strings.TrimSpace(first) == "" {
		return nil, t.fail(1, 1, "no header line: the table is empty")
	}
	t.csv = csv.NewReader(io.MultiReader(strings.NewReader(first), b))
	t.csv.Comma = delimiter(first)
	t.csv.FieldsPerRecord = -1
	t.csv.TrimLeadingSpace = true
	t.csv.LazyQuotes = true
	t.comma = t.csv.Comma != ','
	header, err := t.record()
	if err != nil {
		return nil, err
	}
	t.names = slices.Clone(header)
	for i := range t.names {
		t.names[i] = strings.TrimSpace(t.names[i])
	}
	if slices.ContainsFunc(t.names, func(s string) bool { _, ok := t.number(s); return ok && s != "" }) {
		// Values where names belong: a table without a header. Its columns are called 1, 2, 3.
		t.pending = slices.Clone(header)
		for i := range t.names {
			t.names[i] = strconv.Itoa(i + 1)
		}
	}
	if err := t.chooseTime(opts.Time); err != nil {
		return nil, err
	}
	return t, t.choosePoints(opts.Points)
}

// delimiter is what separates most often in the first line.
func delimiter(line string) rune {
	best, most := ',', 0
	for _, d := range []rune{',', ';', '\t'} {
		if n := strings.Count(line, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}

func (t *table) fail(line, column int, format string, args ...any) error {
	return &Error{File: t.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (t *table) record() ([]string, error) {
	if t.pending != nil {
		row := t.pending
		t.pending = nil
		return row, nil
	}
	row, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return nil, t.fail(parse.Line, parse.Column, "%v", parse.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	t.at = t.csv.FieldPos
	return row, nil
}

// timeNames are columns that are taken as the time, in order of preference.
var timeNames = []string{"timestamp", "datetime", "date_time", "time", "date", "ts", "时间", "时间戳"}

// labelNames are columns that hold what a person or another program has said.
var labelNames = []string{
	"label", "labels", "anomaly", "is_anomaly", "isanomaly", "anomalous", "anomaly_score", "changepoint",
	"change_point", "is_changepoint", "outlier", "is_outlier", "class", "target", "truth", "ground_truth",
	"fault", "is_fault", "attack", "score", "verdict",
}

// ignored says whether a column of that name is never read.
func ignored(name string) bool {
	plain := strings.NewReplacer(" ", "_", "-", "_", ".", "_").Replace(strings.ToLower(name))
	return slices.Contains(labelNames, plain)
}

func (t *table) find(name string) int {
	if i := slices.Index(t.names, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(t.names, func(s string) bool { return strings.EqualFold(s, name) })
}

func (t *table) chooseTime(wanted string) error {
	if wanted != "" {
		if t.time = t.find(wanted); t.time < 0 {
			return t.fail(1, 1, "no column %q for the time; there are %s", wanted, strings.Join(t.names, ", "))
		}
		return nil
	}
	if t.interval > 0 {
		return nil // rows are counted
	}
	for _, name := range timeNames {
		if t.time = t.find(name); t.time >= 0 {
			return nil
		}
	}
	for i, name := range t.names {
		plain := strings.ToLower(name)
		if strings.HasPrefix(plain, "time") || strings.HasPrefix(plain, "date") || strings.HasSuffix(plain, "time") {
			t.time = i
			return nil
		}
	}
	// The name does not tell; a first cell that is a date does.
	row, err := t.record()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err == nil {
		t.pending = slices.Clone(row)
		if _, ok := t.date(row[0]); ok && len(row) > 1 {
			t.time = 0
			return nil
		}
	}
	return t.fail(1, 1, "no column looks like a time (there are %s); name it, or give the interval between rows", strings.Join(t.names, ", "))
}

func (t *table) choosePoints(wanted []string) error {
	for _, name := range wanted {
		i := t.find(strings.TrimSpace(name))
		switch {
		case i < 0:
			return t.fail(1, 1, "no column %q; there are %s", name, strings.Join(t.names, ", "))
		case ignored(t.names[i]):
			return t.fail(1, 1, "column %q holds labels, and detectors do not read labels", name)
		case i == t.time:
			return t.fail(1, 1, "column %q is the time", name)
		}
		t.points = append(t.points, i)
	}
	if len(wanted) == 0 {
		// The first row decides which columns hold numbers.
		row, err := t.record()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i, name := range t.names {
			if i == t.time || ignored(name) || !t.named(name) {
				continue
			}
			if i < len(row) {
				if _, ok := t.number(row[i]); !ok {
					continue
				}
			}
			t.points = append(t.points, i)
		}
		if err == nil {
			t.pending = slices.Clone(row)
		}
	}
	if len(t.points) == 0 {
		return t.fail(1, 1, "no column with numbers; there are %s", strings.Join(t.names, ", "))
	}
	t.values = make([]float64, len(t.points))
	return nil
}

// named leaves out time columns that are not needed, such as a time beside a given interval.
func (t *table) named(name string) bool {
	return t.time >= 0 || !slices.ContainsFunc(timeNames, func(s string) bool { return strings.EqualFold(s, name) })
}

// next returns the time and values of the next row; the values are overwritten by the one after.
func (t *table) next() (time.Time, []float64, error) {
	row, err := t.record()
	if err != nil {
		return time.Time{}, nil, err
	}
	t.rows++
	line, _ := t.at(0)
	if len(row) < len(t.names) {
		return time.Time{}, nil, t.fail(line, 1, "%d columns where the header has %d", len(row), len(t.names))
	}
	when := time.Unix(0, 0).UTC().Add(time.Duration(t.rows-1) * t.interval)
	if t.time >= 0 {
		var ok bool
		if when, ok = t.moment(row[t.time]); !ok {
			line, column := t.at(t.time)
			return time.Time{}, nil, t.fail(line, column, "column %q: %q is not a time; 2026-03-01 02:14:00, RFC 3339 or seconds since 1970 would be right", t.names[t.time], row[t.time])
		}
	}
	for k, i := range t.points {
		v, ok := t.number(row[i])
		if !ok {
			line, column := t.at(i)
			return time.Time{}, nil, t.fail(line, column, "column %q: %q is not a number", t.names[i], row[i])
		}
		t.values[k] = v
	}
	return when, t.values, nil
}

// number parses a value; what says that there is none is NaN.
func (t *table) number(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "", "nan", "na", "n/a", "null", "none", "-", "?":
		return math.NaN(), true
	case "true", "on":
		return 1, true
	case "false", "off":
		return 0, true
	}
	if t.comma && strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		s = strings.Replace(s, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return v, true
}

var layouts = []string{
	"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006/01/02 15:04:05", "2006/01/02 15:04", "02.01.2006 15:04:05",
	"02.01.2006 15:04", "1/2/2006 15:04:05", "1/2/2006 15:04", "2006-01-02", "20060102150405",
}

// moment parses a time: one of the layouts (with or without fractions), or seconds,
// milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
func (t *table) moment(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if when, ok := t.date(s); ok {
		return when, true
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return time.Time{}, false
	}
	scale := 1e9
	for _, limit := range []float64{1e11, 1e14, 1e17} {
		if math.Abs(v) >= limit {
			scale /= 1e3
		}
	}
	if math.Abs(v*scale) >= math.MaxInt64 {
		return time.Time{}, false
	}
	return time.Unix(0, int64(v*scale)).In(t.location), true
}

// date parses a time in one of the layouts, the one that fitted last first.
func (t *table) date(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	for k := range layouts {
		i := (t.layout + k) % len(layouts)
		if when, err := time.ParseInLocation(layouts[i], s, t.location); err == nil {
			t.layout = i
			return when, true
		}
	}
	return time.Time{}, false
}
