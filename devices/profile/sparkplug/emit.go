package sparkplug

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// birth reads a birth certificate: the definitions of its metrics and their
// first values.
type birth struct {
	m        *message
	source   Source
	defs     []*definition
	bdSeq    uint64
	hasBdSeq bool
}

func (b *birth) read() error {
	if b.m.p.metrics > b.m.h.cfg.MaxMetrics {
		return &Error{0, "more than the configured number of metrics"}
	}
	e := emitter{m: b.m, source: b.source, birth: b}
	return e.all()
}

// table indexes the definitions. An alias of two metrics belongs to neither,
// whatever the order.
func (b *birth) table() table {
	t := table{byName: make(map[string]*definition, len(b.defs)), byAlias: make(map[uint64]*definition, len(b.defs))}
	for _, d := range b.defs {
		t.byName[d.name] = d
	}
	for _, d := range b.defs {
		if !d.hasAlias || t.byName[d.name] != d {
			continue
		}
		if _, taken := t.byAlias[d.alias]; taken {
			t.byAlias[d.alias] = nil
		} else {
			t.byAlias[d.alias] = d
		}
	}
	return t
}

// emitter writes the metrics of one message to its result.
type emitter struct {
	m       *message
	source  Source
	table   *table // of the session; nil in a birth
	birth   *birth
	unknown string // why a metric cannot be decoded
	joined  int    // bytes of names that were put together
	err     error
}

// join puts the name of a template or data set before the name of a part of it.
// The names of one message may not add up to more than codec.MaxOutput: a long
// prefix comes again with each part.
func (e *emitter) join(prefix string, name ...string) string {
	all := prefix
	for _, n := range name {
		if all != "" {
			all += "/"
		}
		all += n
	}
	if prefix != "" {
		e.joined += len(all)
	}
	if e.joined > codec.MaxOutput {
		e.err = &Error{0, "names of templates and data sets are too long"}
	}
	return all
}

// maxTemplates is how deep templates may hold templates.
const maxTemplates = 8

func (e *emitter) all() error {
	r := reader{b: e.m.data}
	for r.next() {
		if r.num != 2 {
			continue
		}
		mt, err := readMetric(r.bytes, r.at)
		if err != nil {
			return err
		}
		if err := e.metric(&mt, "", e.m.p.timestamp, e.m.p.hasTime, 0); err != nil {
			return err
		}
		if len(e.m.out.Metrics)-e.m.mark > e.m.h.cfg.MaxMetrics {
			return &Error{r.at, "more than the configured number of metrics"}
		}
	}
	return r.err
}

// metric emits one metric; prefix is the name of the template it is in.
func (e *emitter) metric(mt *metric, prefix string, ts uint64, hasTime bool, depth int) error {
	if mt.hasTime {
		ts, hasTime = mt.timestamp, true
	}
	props, err := readProperties(mt.properties, mt.propsAt)
	if err != nil {
		return err
	}
	d := e.define(mt, prefix, &props)
	if d == nil || e.err != nil {
		return e.err
	}
	out := Metric{
		Source: e.source, Name: d.name, Type: d.typ, Unit: d.unit,
		Historical: mt.historical, Transient: mt.transient, Birth: e.birth != nil,
	}
	if hasTime {
		out.Time = nanos(ts)
	}
	switch {
	case props.hasQuality && props.quality == 500:
		out.Quality = Stale
	case props.hasQuality && props.quality != 192:
		out.Quality = Bad
	case e.m.unsure:
		out.Quality = Uncertain
	}
	switch {
	case mt.null || mt.value.field == noValue:
		e.emit(&out, nil)
	case mt.value.field == templateValue:
		return e.template(mt, d.name, ts, hasTime, depth+1)
	case mt.value.field == dataSetValue:
		return e.dataSet(&out, &mt.value)
	default:
		e.emit(&out, &mt.value)
	}
	return nil
}

// define finds or makes the definition of a metric; nil when it is not to be
// emitted.
func (e *emitter) define(mt *metric, prefix string, props *properties) *definition {
	if e.birth == nil {
		return e.lookup(mt, prefix)
	}
	if prefix == "" && string(mt.name) == "bdSeq" {
		if mt.value.field == intValue || mt.value.field == longValue {
			e.birth.bdSeq, e.birth.hasBdSeq = mt.value.v, true
		}
		return nil
	}
	if len(mt.name) == 0 {
		return nil
	}
	d := &definition{name: e.join(prefix, string(mt.name)), typ: mt.typ, alias: mt.alias, hasAlias: mt.hasAlias, unit: string(props.unit)}
	e.birth.defs = append(e.birth.defs, d)
	return d
}

func (e *emitter) lookup(mt *metric, prefix string) *definition {
	var d *definition
	switch {
	case len(mt.name) == 0 && !mt.hasAlias:
		e.unknown = "metric without name and alias"
		return nil
	case len(mt.name) == 0:
		if d = e.table.byAlias[mt.alias]; d == nil {
			e.unknown = "unknown alias " + strconv.FormatUint(mt.alias, 10)
		}
		return d
	case prefix == "":
		if string(mt.name) == "bdSeq" {
			return nil
		}
		d = e.table.byName[string(mt.name)]
	default:
		d = e.table.byName[e.join(prefix, string(mt.name))]
	}
	switch {
	case d == nil && mt.typ == Unknown:
		e.unknown = "metric " + strconv.Quote(string(mt.name)) + " is in no birth and has no type"
	case d == nil:
		d = &definition{name: e.join(prefix, string(mt.name)), typ: mt.typ}
	case mt.typ != Unknown && mt.typ != d.typ:
		// The message says what it is.
		d = &definition{name: d.name, typ: mt.typ, unit: d.unit}
	}
	return d
}

// emit appends the metric; v nil is null.
func (e *emitter) emit(out *Metric, v *value) {
	r := e.m.out
	if v != nil {
		from := len(r.buf)
		buf, ok := appendValue(r.buf, out.Type, v)
		if ok {
			r.buf = buf
			out.Value = buf[from:len(buf):len(buf)]
		} else {
			v, out.Quality = nil, Bad
		}
	}
	out.Null = v == nil
	r.Metrics = append(r.Metrics, *out)
}

// template emits the members of a template instance; a definition has no values.
func (e *emitter) template(mt *metric, name string, ts uint64, hasTime bool, depth int) error {
	if depth > maxTemplates {
		return &Error{mt.value.at, "templates nested too deep"}
	}
	r := reader{b: mt.value.bytes, base: mt.value.at}
	for r.next() {
		if r.num == 5 && r.v != 0 {
			return nil // is_definition
		}
	}
	if r.err != nil {
		return r.err
	}
	r = reader{b: mt.value.bytes, base: mt.value.at}
	for r.next() {
		if r.num != 2 || !r.want(protowire.BytesType) {
			continue
		}
		member, err := readMetric(r.bytes, r.at)
		if err != nil {
			return err
		}
		member.historical = member.historical || mt.historical
		if err := e.metric(&member, name, ts, hasTime, depth); err != nil {
			return err
		}
	}
	return r.err
}

// dataSet emits each element as name/row/column.
func (e *emitter) dataSet(out *Metric, v *value) error {
	var columns []string
	var types []DataType
	r := reader{b: v.bytes, base: v.at}
	for r.next() {
		switch {
		case r.num == 2 && r.want(protowire.BytesType):
			columns = append(columns, string(r.bytes))
		case r.num == 3 && r.typ == protowire.VarintType:
			types = append(types, DataType(min(r.v, 255)))
		case r.num == 3 && r.want(protowire.BytesType): // packed
			for b := r.bytes; len(b) > 0; {
				t, n := protowire.ConsumeVarint(b)
				if n < 0 {
					return &Error{r.at, "damaged types of a data set"}
				}
				types = append(types, DataType(min(t, 255)))
				b = b[n:]
			}
		}
	}
	if r.err != nil {
		return r.err
	}
	name := out.Name
	r = reader{b: v.bytes, base: v.at}
	for row := 0; r.next(); {
		if r.num != 4 || !r.want(protowire.BytesType) {
			continue
		}
		cells := reader{b: r.bytes, base: r.at}
		for col := 0; cells.next(); {
			if cells.num != 1 || !cells.want(protowire.BytesType) {
				continue
			}
			if col >= len(columns) || col >= len(types) {
				return &Error{cells.at, "more elements than columns in a data set"}
			}
			cell, _, _, err := readElement(cells.bytes, cells.at, 1)
			if err != nil {
				return err
			}
			if out.Name = e.join(name, strconv.Itoa(row), columns[col]); e.err != nil {
				return e.err
			}
			out.Type = types[col]
			if cell.field == noValue {
				e.emit(out, nil)
			} else {
				e.emit(out, &cell)
			}
			out.Value = nil
			col++
		}
		if cells.err != nil {
			return cells.err
		}
		row++
	}
	return r.err
}
