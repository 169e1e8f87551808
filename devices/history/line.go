package history

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/facilityd/facilityd/devices"
)

// lines is a buffer of line protocol. Readings of one device at one time that
// follow each other share a line: the server parses a series key once per line,
// not once per field.
//
// What does not change from reading to reading (series key, field keys) is
// escaped once, by lineprotocol.Encoder, and kept; a reading then costs copies
// and one number and allocates nothing. The encoder for everything costs twice as
// much per reading, the client library's points eight times (BenchmarkLines).
type lines struct {
	site   string
	buf    []byte
	series []series // by Device.Index
	keys   []keys   // by Point.Index
	line   uint64   // number of the line being written, for life
	times  []int64  // of the lines in buf
	device *devices.Device
	time   int64
	// restate writes the quality of good readings too, over one that was not.
	restate bool
}

// series is the start of a line: measurement and tags.
type series struct {
	device *devices.Device
	head   []byte
}

// keys are the field keys of one point, each with its equals sign.
type keys struct {
	point                 *devices.Point
	number, text, quality []byte
	line                  uint64 // the last line that holds the point
}

// reset empties the buffer and keeps what was learnt about points.
func (l *lines) reset() {
	l.buf, l.times = l.buf[:0], l.times[:0]
	l.device = nil
}

// add appends one reading.
func (l *lines) add(r *devices.Reading) {
	k := l.keysOf(r.Point)
	// A line must not hold a field twice: which of the two counts is not defined.
	if d := r.Point.Device; d != l.device || r.Time != l.time || k.line == l.line {
		l.finish()
		l.line++
		l.device, l.time = d, r.Time
		l.buf = append(l.buf, l.seriesOf(d).head...)
		l.buf = append(l.buf, ' ')
	} else {
		l.buf = append(l.buf, ',')
	}
	k.line = l.line
	l.fields(k, r)
}

// finish ends the line that add began, if there is one.
func (l *lines) finish() {
	if l.device == nil {
		return
	}
	l.buf = append(l.buf, ' ')
	l.buf = strconv.AppendInt(l.buf, l.time, 10)
	l.buf = append(l.buf, '\n')
	l.times = append(l.times, l.time)
	l.device = nil
}

// fields appends what one reading says: at least one field.
func (l *lines) fields(k *keys, r *devices.Reading) {
	number, isNumber := numberOf(r)
	isText := r.Text != "" || r.Point.Kind == devices.Text
	quality := r.Quality
	if !isNumber && !isText {
		quality = devices.Bad
	}
	if quality == devices.Bad {
		l.buf = appendString(append(l.buf, k.quality...), quality.String())
		return
	}
	if isNumber {
		l.buf = strconv.AppendFloat(append(l.buf, k.number...), number, 'g', -1, 64)
	}
	if isText {
		if isNumber {
			l.buf = append(l.buf, ',')
		}
		l.buf = appendString(append(l.buf, k.text...), r.Text)
	}
	if quality != devices.Good || l.restate {
		l.buf = append(l.buf, ',')
		l.buf = appendString(append(l.buf, k.quality...), quality.String())
	}
}

// numberOf returns the number that stands for a reading, false when it has none:
// words alone, or a value that is not finite.
func numberOf(r *devices.Reading) (float64, bool) {
	switch r.Point.Kind {
	case devices.Text:
		return 0, false
	case devices.Event:
		return 1, true
	case devices.Availability:
		switch r.Text {
		case "online", "degraded":
			return 1, true
		case "offline":
			return 0, true
		}
		return 0, false
	default:
		return r.Value, !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0)
	}
}

// appendString appends a quoted string field value.
func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	dst = append(dst, '"')
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

func (l *lines) seriesOf(d *devices.Device) *series {
	for int(d.Index) >= len(l.series) {
		l.series = append(l.series, series{})
	}
	s := &l.series[d.Index]
	if s.device != d {
		*s = series{device: d, head: seriesHead(l.site, d)}
	}
	return s
}

func (l *lines) keysOf(p *devices.Point) *keys {
	for int(p.Index) >= len(l.keys) {
		l.keys = append(l.keys, keys{})
	}
	k := &l.keys[p.Index]
	if k.point != p {
		*k = keys{
			point:   p,
			number:  fieldKey(p.Name),
			text:    fieldKey(p.Name + "_text"),
			quality: fieldKey(p.Name + "_quality"),
		}
	}
	return k
}

// seriesHead returns measurement and tags of a device, escaped.
func seriesHead(site string, d *devices.Device) []byte {
	var e lineprotocol.Encoder
	class := d.Class
	if class == "" {
		class = "device"
	}
	e.StartLine(name(class))
	simulated := ""
	if d.Simulated {
		simulated = "true"
	}
	// In this order, which the server would otherwise have to make.
	for _, tag := range [...][2]string{{"asset", d.Asset}, {"device", d.ID}, {"simulated", simulated}, {"site", site}} {
		if tag[1] != "" { // a tag without a value is a syntax error
			e.AddTag(tag[0], name(tag[1]))
		}
	}
	return e.Bytes()
}

// fieldKey returns a field's name, escaped, with its equals sign.
func fieldKey(field string) []byte {
	if field == "time" { // reserved: the server refuses the line
		field = "time_"
	}
	var e lineprotocol.Encoder
	e.StartLine("m")
	e.AddField(name(field), lineprotocol.BoolValue(true))
	return []byte(strings.TrimSuffix(strings.TrimPrefix(string(e.Bytes()), "m "), "true"))
}

// name makes a text fit for a measurement, tag or field: line protocol cannot
// carry control characters there, nor a backslash at the end.
func name(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, s)
	if s == "" || strings.HasSuffix(s, `\`) {
		s += "_"
	}
	return s
}
