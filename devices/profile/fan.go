package profile

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// fan is one compiled stage of a fan-out.
type fan struct {
	way        fanWay
	in         *ref // what it looks at
	zip        []*ref
	re         *regexp.Regexp
	chunk      int
	from       int
	carry      []string
	carryAt    int // first carried word among the names
	names      int
	own        bool // elements become the scope
	when       []cond
	historical bool
}

type fanWay uint8

const (
	eachWay fanWay = iota
	entriesWay
	matchWay
	leavesWay
	zipWay
	linesWay
	chunksWay
)

func (w fanWay) String() string {
	return [...]string{"each", "entries", "match_keys", "leaves", "zip", "lines", "chunks"}[w]
}

// frame is the element of one stage at run time.
type frame struct {
	key, val, path value
	names          []value
}

func (f *frame) word(field int) value {
	switch field {
	case frameKey:
		return f.key
	case frameValue:
		return f.val
	case framePathField:
		return f.path
	}
	return f.names[field-frameNames]
}

// maxElements bounds how many elements one message may fan out to.
const maxElements = 20_000

// fan compiles one stage; names then holds its words for the stages within.
func (c *compiler) fan(s *FanSpec, names *scopeNames) fan {
	var f fan
	var frame frameNamesOf
	frame.as = s.As
	given := 0
	path := ""
	group := func(expr string) {
		re, err := regexp.Compile(expr)
		if err != nil {
			c.errorf(s.At, "%v", err)
			re = regexp.MustCompile("x^")
		}
		f.re = re
		frame.names = append(frame.names, re.SubexpNames()[1:]...)
	}
	if s.Each != nil {
		given++
		f.way, f.own, path = eachWay, true, strings.TrimSuffix(strings.TrimSuffix(*s.Each, "#"), ".")
	}
	if s.Entries != nil {
		given++
		f.way, f.own, path = entriesWay, true, *s.Entries
	}
	if s.Leaves != nil {
		given++
		f.way, f.own, path = leavesWay, true, *s.Leaves
	}
	if s.MatchKeys != "" {
		given++
		f.way, f.own, path = matchWay, true, s.In
		group(s.MatchKeys)
	}
	if s.Lines != nil {
		given++
		f.way, path = linesWay, s.In
		group(*s.Lines)
	}
	if s.Chunks != nil {
		given++
		f.way, path, f.from, f.chunk = chunksWay, s.Chunks.Path, s.Chunks.From, len(s.Chunks.As)
		frame.names = append(frame.names, s.Chunks.As.texts()...)
		if f.chunk == 0 {
			c.errorf(s.Chunks.At, "chunks needs a word for each element: as: [name, value]")
			f.chunk = 1
		}
	}
	if len(s.Zip) > 0 {
		given++
		f.way = zipWay
		for _, z := range s.Zip {
			frame.names = append(frame.names, z.Key)
			f.zip = append(f.zip, names.path(z.At, z.Value))
		}
	}
	if given != 1 {
		c.hintf(s.At, "each, entries, match_keys, leaves, zip, lines or chunks", "a fan-out stage needs exactly one way, found %d", given)
	}
	if f.way != zipWay {
		if path == "" && len(names.frames) == 0 {
			f.in = names.rootPath(s.At, "")
		} else if path == "" {
			f.in = nil // the scope itself
		} else {
			f.in = names.path(s.At, path)
		}
	}
	f.carryAt = len(frame.names)
	f.carry = s.Carry.texts()
	frame.names = append(frame.names, f.carry...)
	f.names = len(frame.names)
	if i := slices.IndexFunc(frame.names, func(n string) bool { return n != "" && !isName(n) }); i >= 0 {
		c.errorf(s.At, "%q is not a name: letters, digits and _", frame.names[i])
	}
	frame.own = f.own
	f.historical = s.Historical
	names.frames = append(names.frames, frame)
	if f.own {
		names.plan = nil // slots are filled for the innermost scope only
	}
	f.when = c.when(&s.When, names)
	return f
}

// fanOut runs stage i of a part for the current scope and calls the body for
// every element of the last stage.
func (r *run) fanOut(p *part, i int, body func()) {
	if i == len(p.fans) {
		body()
		return
	}
	f := &p.fans[i]
	for len(r.frames) <= i {
		r.frames = append(r.frames, frame{})
	}
	fr := &r.frames[i]
	if cap(fr.names) < f.names {
		fr.names = make([]value, f.names)
	}
	fr.names = fr.names[:f.names]
	clear(fr.names)
	outer, historical := r.scope, r.historical
	r.historical = historical || f.historical
	in := outer
	if f.in != nil {
		in = r.get(f.in)
	}
	element := func(key, val, path value) bool {
		if r.elements++; r.elements > maxElements {
			r.problem("more than %d elements", maxElements)
			return false
		}
		fr := &r.frames[i]
		fr.key, fr.val, fr.path = key, val, path
		for k, name := range f.carry {
			if v := fromGJSON(gjson.Get(val.raw, name)); v.kind != noValue {
				fr.names[f.carryAt+k] = v
			}
		}
		if f.own {
			r.scope = val
		}
		if ok, _ := r.holds(f.when); ok {
			r.fanOut(p, i+1, body)
		}
		r.scope = outer
		return true
	}
	switch f.way {
	case eachWay:
		if in.kind == jsonValue && strings.HasPrefix(in.raw, "[") {
			n := 0
			gjson.Parse(in.raw).ForEach(func(_, v gjson.Result) bool {
				n++
				return element(value{kind: numberValue, num: float64(n - 1), raw: strconv.Itoa(n - 1)}, fromGJSON(v), value{})
			})
		}
	case entriesWay:
		if in.kind == jsonValue && strings.HasPrefix(in.raw, "{") {
			gjson.Parse(in.raw).ForEach(func(k, v gjson.Result) bool {
				return element(textValue(k.Str), fromGJSON(v), value{})
			})
		}
	case matchWay:
		if in.kind == jsonValue && strings.HasPrefix(in.raw, "{") {
			gjson.Parse(in.raw).ForEach(func(k, v gjson.Result) bool {
				groups := f.re.FindStringSubmatch(k.Str)
				if groups == nil {
					return true
				}
				setGroups(r.frames[i].names, groups)
				return element(textValue(k.Str), fromGJSON(v), value{})
			})
		}
	case leavesWay:
		leaves("", in.raw, 0, func(key, path string, v gjson.Result) bool {
			return element(textValue(key), fromGJSON(v), textValue(path))
		})
	case zipWay:
		r.zip(f, i, element)
	case linesWay:
		r.lines(f, i, in, element)
	case chunksWay:
		r.chunks(f, i, in, element)
	}
	r.historical = historical
}

func setGroups(names []value, groups []string) {
	for g, s := range groups[1:] {
		names[g] = value{}
		if s != "" {
			names[g] = textValue(s)
		}
	}
}

// leaves visits the scalars of a tree with their paths.
func leaves(prefix, raw string, depth int, visit func(key, path string, v gjson.Result) bool) bool {
	if depth > maxDepth {
		return false
	}
	ok := true
	index := 0
	array := strings.HasPrefix(raw, "[")
	gjson.Parse(raw).ForEach(func(k, v gjson.Result) bool {
		key := k.Str
		if array {
			key = strconv.Itoa(index)
			index++
		}
		path := string(appendPathKey(nil, key))
		if prefix != "" {
			path = prefix + "." + path
		}
		if v.Type == gjson.JSON {
			ok = leaves(path, v.Raw, depth+1, visit)
		} else {
			ok = visit(key, path, v)
		}
		return ok
	})
	return ok
}

func (r *run) zip(f *fan, i int, element func(key, val, path value) bool) {
	columns := make([][]gjson.Result, len(f.zip))
	n := 0
	for k, z := range f.zip {
		v := r.get(z)
		if v.kind == jsonValue {
			columns[k] = gjson.Parse(v.raw).Array()
		}
		n = max(n, len(columns[k]))
	}
	for row := range n {
		for k := range columns {
			r.frames[i].names[k] = value{}
			if row < len(columns[k]) {
				r.frames[i].names[k] = fromGJSON(columns[k][row])
			}
		}
		if !element(value{kind: numberValue, num: float64(row), raw: strconv.Itoa(row)}, value{}, value{}) {
			return
		}
	}
}

func (r *run) lines(f *fan, i int, in value, element func(key, val, path value) bool) {
	n := 0
	for line := range strings.SplitSeq(in.text(), "\n") {
		line = strings.TrimSuffix(line, "\r")
		groups := f.re.FindStringSubmatch(line)
		if groups == nil {
			continue
		}
		setGroups(r.frames[i].names, groups)
		if !element(value{kind: numberValue, num: float64(n), raw: strconv.Itoa(n)}, textValue(line), value{}) {
			return
		}
		n++
	}
}

func (r *run) chunks(f *fan, i int, in value, element func(key, val, path value) bool) {
	if in.kind != jsonValue {
		return
	}
	all := gjson.Parse(in.raw).Array()
	for n, from := 0, f.from; from+f.chunk <= len(all); n, from = n+1, from+f.chunk {
		for k := range f.chunk {
			r.frames[i].names[k] = fromGJSON(all[from+k])
		}
		if !element(value{kind: numberValue, num: float64(n), raw: strconv.Itoa(n)}, value{}, value{}) {
			return
		}
	}
}
