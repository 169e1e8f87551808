package recording

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

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices/simulator"
)

// Options say where in time the recording is put.
type Options struct {
	// Start is the time that the first row is moved to; zero keeps the recorded
	// times.
	Start time.Time
	// Speed divides the pace; 0 is 1.
	Speed float64
}

// Reader streams the messages of a recording.
type Reader struct {
	m       *Map
	opt     Options
	csv     *csv.Reader
	columns []string
	clock   int // column of the time
	fields  [][]int

	first   time.Time // recorded time of the first row
	begun   bool
	due     time.Duration
	queue   []Timed  // messages of the rows read
	arrays  [][]byte // per message: rows collected for a batch
	rows    int      // in the batch
	last    time.Time
	ended   bool
	Rows    int // read
	Skipped int // without a readable time
	Trouble string
}

// Timed is a message and when it is due, counted from the start of the replay.
// Message.Time is the time that its payload shows.
type Timed struct {
	simulator.Message
	Due time.Duration
}

// NewReader reads the header of a recording and checks the map against it. The
// name is what findings call the file.
func NewReader(r io.Reader, name string, m *Map, opt Options) (*Reader, diag.List) {
	if opt.Speed <= 0 {
		opt.Speed = 1
	}
	head, rest, err := headLine(r)
	if err != nil {
		return nil, diag.List{{File: name, Line: 1, Column: 1, Message: "no header: " + err.Error(), Hint: "the first line of a recording names its columns"}}
	}
	c := csv.NewReader(io.MultiReader(strings.NewReader(head), rest))
	c.Comma = m.comma
	if c.Comma == 0 {
		c.Comma = guess(head)
	}
	c.ReuseRecord, c.FieldsPerRecord, c.LazyQuotes, c.TrimLeadingSpace = true, -1, true, c.Comma != '\t'
	header, err := c.Read()
	if err != nil {
		return nil, diag.List{{File: name, Line: 1, Column: 1, Message: "header: " + err.Error()}}
	}
	rd := &Reader{m: m, opt: opt, csv: c, columns: slices.Clone(header), arrays: make([][]byte, len(m.messages))}
	for i := range rd.columns {
		rd.columns[i] = strings.TrimSpace(rd.columns[i])
	}
	return rd, rd.bind(name)
}

// headLine takes the first line off a stream, without a byte order mark.
func headLine(r io.Reader) (string, io.Reader, error) {
	const longest = 64 << 10
	b := bufio.NewReaderSize(r, longest)
	line, err := b.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", nil, fmt.Errorf("the first line is longer than %d bytes", longest)
	case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0):
		return "", nil, err
	}
	return strings.TrimPrefix(string(line), "\ufeff"), b, nil
}

// guess takes the delimiter that is most frequent in the header outside quotes.
func guess(head string) rune {
	best, most := ',', 0
	for _, d := range []rune{',', ';', '\t', '|'} {
		n, quoted := 0, false
		for _, r := range head {
			switch {
			case r == '"':
				quoted = !quoted
			case r == d && !quoted:
				n++
			}
		}
		if n > most {
			best, most = d, n
		}
	}
	return best
}

// bind finds the columns that the map names.
func (r *Reader) bind(name string) diag.List {
	var list diag.List
	find := func(column string, line, col int) int {
		i := slices.Index(r.columns, column)
		if i < 0 && column != "" {
			list.Add(diag.Diagnostic{
				File: r.m.file, Line: line, Column: col,
				Message: fmt.Sprintf("%s has no column %q", name, column), Hint: diag.DidYouMean(column, r.columns),
			})
		}
		return i
	}
	r.clock = find(r.m.time.Column, r.m.time.Pos.Line, r.m.time.Pos.Column)
	for i := range r.m.messages {
		m := &r.m.messages[i]
		for j := range m.device {
			if p := &m.device[j]; p.column != "" {
				p.index = find(p.column, m.pos.Line, m.pos.Column)
			}
		}
		for j := range m.topic {
			if p := &m.topic[j]; p.column == "device" {
				p.index = -1
			} else if p.column != "" {
				p.index = find(p.column, m.pos.Line, m.pos.Column)
			}
		}
		var at []int
		for _, f := range m.fields {
			at = append(at, find(f.column, f.pos.Line, f.pos.Column))
		}
		r.fields = append(r.fields, at)
	}
	list.Sort()
	return list
}

// Next returns the next message, io.EOF after the last one. A row whose time
// cannot be read is skipped and counted; Trouble keeps the first reason.
func (r *Reader) Next() (Timed, error) {
	for len(r.queue) == 0 {
		if r.ended {
			return Timed{}, io.EOF
		}
		row, err := r.csv.Read()
		switch {
		case errors.Is(err, io.EOF):
			r.ended = true
			r.flush()
		case err != nil:
			return Timed{}, fmt.Errorf("read recording: %w", err)
		default:
			r.Rows++
			r.row(row)
		}
	}
	t := r.queue[0]
	r.queue = r.queue[1:]
	return t, nil
}

func (r *Reader) row(row []string) {
	if r.clock >= len(row) {
		r.skip("the row has no column %q", r.m.time.Column)
		return
	}
	at, err := r.m.parseTime(row[r.clock])
	if err != nil {
		r.skip("%v", err)
		return
	}
	if !r.begun {
		r.begun, r.first = true, at
	}
	if due := time.Duration(float64(at.Sub(r.first)) / r.opt.Speed); due > r.due {
		r.due = due // a row out of order is due at once
	}
	r.last = at
	if !r.opt.Start.IsZero() {
		r.last = r.opt.Start.Add(at.Sub(r.first))
	}
	for i := range r.m.messages {
		m := &r.m.messages[i]
		payload := m.payload(row, r.fields[i], r.m, r.last)
		if r.m.batch == 1 {
			r.emit(m, row, payload)
			continue
		}
		r.arrays[i] = append(append(r.arrays[i], ','), payload...)
	}
	if r.rows++; r.m.batch > 1 && r.rows == r.m.batch {
		r.flushRow(row)
	}
}

// flush publishes what is left of a batch at the end.
func (r *Reader) flush() {
	if r.m.batch > 1 && r.rows > 0 {
		r.flushRow(nil)
	}
}

func (r *Reader) flushRow(row []string) {
	for i := range r.m.messages {
		if len(r.arrays[i]) > 0 {
			r.arrays[i][0] = '['
			r.emit(&r.m.messages[i], row, append(r.arrays[i], ']'))
			r.arrays[i] = nil
		}
	}
	r.rows = 0
}

func (r *Reader) emit(m *message, row []string, payload []byte) {
	r.queue = append(r.queue, Timed{Due: r.due, Message: simulator.Message{
		Topic: m.topic.fill(row, m.device), Payload: payload, QoS: m.qos, Retain: m.retain, Time: r.last,
	}})
}

func (r *Reader) skip(format string, args ...any) {
	r.Skipped++
	if r.Trouble == "" {
		line, _ := r.csv.FieldPos(0)
		r.Trouble = fmt.Sprintf("line %d: ", line) + fmt.Sprintf(format, args...)
	}
}

func (m *Map) parseTime(cell string) (time.Time, error) {
	cell = strings.TrimSpace(cell)
	var at time.Time
	var err error
	switch m.time.Format {
	case "rfc3339":
		at, err = time.Parse(time.RFC3339, cell)
	case "unix", "unix_ms":
		var v float64
		v, err = strconv.ParseFloat(cell, 64)
		if m.time.Format == "unix" {
			v *= 1000
		}
		if !(math.Abs(v) < 1e15) {
			err = errors.New("out of range")
		}
		at = time.UnixMilli(int64(math.Round(v)))
	default:
		at, err = time.ParseInLocation(m.time.Format, cell, m.location)
	}
	// Times that no recording has would overflow the arithmetic on durations.
	if err != nil || at.Year() < 1900 || at.Year() > 2100 {
		return at, fmt.Errorf("%q is no time of the format %s", cell, m.time.Format)
	}
	return at, nil
}

// payload writes one row as a JSON object.
func (m *message) payload(row []string, at []int, mp *Map, shown time.Time) []byte {
	b := make([]byte, 0, 32*len(m.fields)+48)
	if m.timeKey != "" {
		b = appendKey(b, m.timeKey)
		b = append(b, '"')
		b = shown.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(b, '"')
	}
	for i, f := range m.fields {
		if at[i] < 0 || at[i] >= len(row) {
			continue
		}
		cell := strings.TrimSpace(row[at[i]])
		if cell == "" || slices.Contains(mp.missing, cell) {
			continue
		}
		if f.text {
			b = appendText(appendKey(b, f.key), cell)
			continue
		}
		if mp.decimal == "," {
			cell = strings.Replace(cell, ",", ".", 1)
		}
		b = f.append(b, cell)
	}
	b = append(b, m.constants...)
	if len(b) == 0 {
		return []byte("{}")
	}
	b[0] = '{'
	return append(b, '}')
}

// append writes a number. One that is neither scaled nor moved keeps its digits;
// a cell that is no number is published as it stands, as a text: what a profile
// makes of it is what is being tried.
func (f *field) append(b []byte, cell string) []byte {
	b = appendKey(b, f.key)
	if f.scale == 1 && f.offset == 0 && f.unit == nil && isNumber(cell) {
		return append(b, cell...)
	}
	v, err := strconv.ParseFloat(cell, 64)
	v = v*f.scale + f.offset
	if f.unit != nil {
		v = f.unit.Apply(v)
	}
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return appendText(b, cell)
	}
	return strconv.AppendFloat(b, v, 'g', 9, 64)
}

// fill puts the words of a row in.
func (t template) fill(row []string, device template) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.column == "":
			b.WriteString(p.literal)
		case p.index == -1 && p.column == "device":
			b.WriteString(device.fill(row, nil))
		case p.index >= 0 && p.index < len(row):
			b.WriteString(topicWord(row[p.index]))
		}
	}
	return b.String()
}

// topicWord makes a cell fit for a level of a topic.
func topicWord(cell string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '+' || r == '#' || r == '/' || r == '\ufffd' {
			return '_'
		}
		return r
	}, strings.TrimSpace(cell))
}
