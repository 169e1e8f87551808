package profile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/facilityd/facilityd/devices"
)

// Propose writes a profile for captured messages: the device from the topic
// level that varies, points from the fields, units from their names, kinds from
// their values, the interval from their times, and tests from the messages
// themselves. It is a beginning for a person, and passes its own tests.
func Propose(id string, cases []*Case) ([]byte, error) {
	var b proposal
	for _, c := range cases {
		payload, err := c.Bytes()
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", c.ID, err)
		}
		t, err := time.Parse(time.RFC3339Nano, c.ReceiveTime)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", c.ID, err)
		}
		if len(payload) > 0 {
			b.add(sample{topic: strings.Split(c.Topic, "/"), payload: string(payload), at: t})
		}
	}
	if len(b.samples) == 0 {
		return nil, fmt.Errorf("propose: there is no message with a payload")
	}
	b.group()
	text := b.write(id, "")
	set, list := Load([]Source{{Name: id, Data: []byte(text)}}, LoadOptions{})
	if set == nil {
		return nil, fmt.Errorf("propose: %w", list.Err())
	}
	text = b.write(id, b.tests(set))
	if _, list = Load([]Source{{Name: id, Data: []byte(text)}}, LoadOptions{}); list.HasErrors() {
		return nil, fmt.Errorf("propose: %w", list.Err())
	}
	return []byte(text), nil
}

type sample struct {
	topic   []string
	payload string
	at      time.Time
	object  bool // a JSON object, else one value
}

type proposal struct {
	samples []sample
	sources []proposedSource
}

type proposedSource struct {
	levels  []string // template levels
	device  int      // level of the device, -1: a field
	idPath  string
	object  bool
	samples []*sample
	points  []proposedPoint
	times   []string
	scalar  int // level that names the point of a scalar
}

type proposedPoint struct {
	name, text string
}

func (b *proposal) add(s sample) {
	p := strings.TrimSpace(s.payload)
	s.object = gjson.Valid(p) && strings.HasPrefix(p, "{")
	b.samples = append(b.samples, s)
}

// group puts messages of one shape together: as many levels, documents or
// single values, and for documents the same last level unless it varies freely.
func (b *proposal) group() {
	type shape struct {
		levels int
		object bool
		first  string
		last   string
	}
	groups := make(map[shape][]*sample)
	var order []shape
	for i := range b.samples {
		s := &b.samples[i]
		k := shape{len(s.topic), s.object, s.topic[0], ""}
		last := s.topic[len(s.topic)-1]
		if s.object && genericLevel.MatchString(last) {
			k.last = last
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], s)
	}
	for _, k := range order {
		b.sources = append(b.sources, propose(groups[k]))
	}
}

// genericLevel are topic levels that say what a message is, not whose.
var genericLevel = regexp.MustCompile(`(?i)^(telemetry|state|status|data|event|events|sensor|sensors|values?|measurements?|up|result|info|json|attributes|rpc)$`)

var deviceField = []string{"device", "device_id", "deviceId", "id", "devEui", "dev_eui", "mac", "serial", "sn", "meter_id", "unit_id"}

func propose(samples []*sample) proposedSource {
	src := proposedSource{samples: samples, device: -1, scalar: -1, object: samples[0].object}
	n := len(samples[0].topic)
	distinct := make([]map[string]bool, n)
	for i := range n {
		distinct[i] = make(map[string]bool)
		for _, s := range samples {
			distinct[i][s.topic[i]] = true
		}
	}
	var varying []int
	for i := range n {
		if len(distinct[i]) > 1 {
			varying = append(varying, i)
		}
	}
	if !src.object { // the last level that is not generic names the value
		for i := n - 1; i > 0 && src.scalar < 0; i-- {
			if !genericLevel.MatchString(samples[0].topic[i]) {
				src.scalar = i
			}
		}
		varying = slices.DeleteFunc(varying, func(i int) bool { return i == src.scalar })
	}
	switch {
	case len(varying) > 0:
		src.device = slices.MaxFunc(varying, func(a, b int) int { return cmp.Compare(len(distinct[a]), len(distinct[b])) })
	default:
		if src.object {
			for _, f := range deviceField {
				if v := gjson.Get(samples[0].payload, f); v.Exists() && v.Type != gjson.JSON {
					src.idPath = f
					break
				}
			}
		}
		for i := n - 1; i >= 0 && src.device < 0 && src.idPath == ""; i-- {
			if i != src.scalar && !genericLevel.MatchString(samples[0].topic[i]) && (i > 0 || n == 1) {
				src.device = i
			}
		}
		if src.device < 0 && src.idPath == "" {
			src.device = 0
			if src.scalar == 0 {
				src.scalar = -1
			}
		}
	}
	for i := range n {
		switch {
		case i == src.device:
			src.levels = append(src.levels, "{device}")
		case i == src.scalar:
			src.levels = append(src.levels, "{point}")
		case len(distinct[i]) > 1:
			src.levels = append(src.levels, fmt.Sprintf("{level%d}", i+1))
		default:
			src.levels = append(src.levels, samples[0].topic[i])
		}
	}
	if src.object {
		src.fields()
	} else {
		src.scalars()
	}
	return src
}

// column is one field over all messages.
type column struct {
	path, key string
	values    []gjson.Result
}

func (src *proposedSource) fields() {
	var columns []*column
	index := make(map[string]*column)
	for _, s := range src.samples {
		leaves("", s.payload, 0, func(key, path string, v gjson.Result) bool {
			c := index[path]
			if c == nil {
				c = &column{path: path, key: key}
				index[path] = c
				columns = append(columns, c)
			}
			c.values = append(c.values, v)
			return len(columns) < 500
		})
	}
	names := make(map[string]bool)
	for _, c := range columns {
		if f := timeFormatOf(c, src.samples); f != "" {
			src.times = append(src.times, fmt.Sprintf("{path: %s, format: %s}", yamlText(c.path), f))
			continue
		}
		if c.path == src.idPath {
			continue
		}
		name := pointName(c.path)
		for names[name] {
			name += "_2"
		}
		names[name] = true
		src.points = append(src.points, proposedPoint{name, c.point(name, c.path)})
	}
}

func (src *proposedSource) scalars() {
	var columns []*column
	index := make(map[string]*column)
	for _, s := range src.samples {
		key := "value"
		if src.scalar >= 0 {
			key = s.topic[src.scalar]
		}
		c := index[key]
		if c == nil {
			c = &column{key: key}
			index[key] = c
			columns = append(columns, c)
		}
		p := strings.TrimSpace(s.payload)
		if _, ok := plainNumber(p); ok || p == "true" || p == "false" {
			c.values = append(c.values, gjson.Parse(p))
		} else {
			c.values = append(c.values, gjson.Result{Type: gjson.String, Str: p, Raw: p})
		}
	}
	for _, c := range columns {
		src.points = append(src.points, proposedPoint{c.key, c.point(c.key, "")})
	}
}

var timeKey = regexp.MustCompile(`(?i)^(ts|time|timestamp|t|date|datetime|at|epoch|received_at|.*_time|.*timestamp)$`)

// timeFormatOf recognises a time by name and values near the receive times.
func timeFormatOf(c *column, samples []*sample) string {
	if !timeKey.MatchString(c.key) {
		return ""
	}
	received := samples[0].at.UnixNano()
	for _, name := range []string{"rfc3339", "unix", "unix_ms", "unix_us", "unix_ns"} {
		f := timeFormat{name: name, unit: unixUnits[name]}
		fits := true
		for _, r := range c.values {
			v := fromGJSON(r)
			ns, ok := f.parse(&v, time.UTC, received)
			fits = fits && ok && ns > received-int64(400*24*time.Hour) && ns < received+int64(24*time.Hour)
		}
		if fits {
			return name
		}
	}
	return ""
}

var nameParts = regexp.MustCompile(`[A-Z]?[a-z0-9]+|[A-Z]+`)

// pointName makes lower_case words out of a path.
func pointName(path string) string {
	var words []string
	for _, w := range nameParts.FindAllString(path, -1) {
		words = append(words, strings.ToLower(w))
	}
	if len(words) == 0 {
		return "value"
	}
	return strings.Join(words, "_")
}

// unitHints find a unit in a name; the first that fits counts.
var unitHints = []struct {
	name *regexp.Regexp
	unit string
}{
	{regexp.MustCompile(`_kwh$|^energy`), "kWh"}, {regexp.MustCompile(`_mwh$`), "MWh"}, {regexp.MustCompile(`_wh$`), "Wh"},
	{regexp.MustCompile(`_kw$`), "kW"}, {regexp.MustCompile(`_w$|^power$|_power$`), "W"},
	{regexp.MustCompile(`_mv$`), "mV"}, {regexp.MustCompile(`_v$|voltage|volt$`), "V"},
	{regexp.MustCompile(`_ma$`), "mA"}, {regexp.MustCompile(`_a$|current`), "A"}, {regexp.MustCompile(`_hz$|frequency`), "Hz"},
	{regexp.MustCompile(`_f$|fahrenheit`), "°F"}, {regexp.MustCompile(`_c$|temp|temperature`), "°C"},
	{regexp.MustCompile(`humidity|percent|_pct$|^battery$|battery_level`), "%"},
	{regexp.MustCompile(`_m3h$|flow`), "m3/h"}, {regexp.MustCompile(`_m3$|volume`), "m3"}, {regexp.MustCompile(`_l$|litres|liters`), "L"},
	{regexp.MustCompile(`_bar$|pressure`), "bar"}, {regexp.MustCompile(`_kpa$`), "kPa"}, {regexp.MustCompile(`_pa$`), "Pa"},
	{regexp.MustCompile(`rssi`), "dBm"}, {regexp.MustCompile(`_lux$|illuminance`), "lx"}, {regexp.MustCompile(`co2`), "ppm"},
	{regexp.MustCompile(`_s$|_seconds$`), "s"}, {regexp.MustCompile(`_h$|_hours$|run_hours`), "h"}, {regexp.MustCompile(`rpm|speed`), "rpm"},
}

var counterName = regexp.MustCompile(`total|count|energy|_kwh|volume|pulses|cycles|starts|hours`)

// point writes the entry of one field.
func (c *column) point(name, path string) string {
	role := devices.RoleByName(name)
	var parts []string
	parts = append(parts, "path: "+yamlText(path))
	numeric, boolean, increasing, last := true, true, len(c.values) > 2, 0.0
	lo, hi := 0.0, 0.0
	for i, v := range c.values {
		numeric = numeric && v.Type == gjson.Number
		boolean = boolean && (v.Type == gjson.True || v.Type == gjson.False)
		f := v.Float()
		if i == 0 {
			lo, hi, last = f, f, f
		}
		increasing = increasing && f >= last
		lo, hi, last = min(lo, f), max(hi, f), f
	}
	note := ""
	switch {
	case boolean:
		if role != nil && (role.Kind != devices.State || len(role.Words) > 0) {
			role = nil
		}
		if role == nil {
			parts = append(parts, "type: bool")
		}
	case numeric:
		unit := ""
		for _, h := range unitHints {
			if h.name.MatchString(strings.ToLower(pointName(name))) {
				unit = h.unit
				break
			}
		}
		if role != nil {
			switch {
			case role.Kind != devices.Gauge && role.Kind != devices.Counter:
				role = nil
			case role.Unit != "":
				u := devices.UnitByCode(unit)
				if u == nil || unit == "" || u.Dimension != devices.UnitByCode(role.Unit).Dimension {
					unit = role.Unit
				}
			default:
				unit = ""
			}
		}
		if unit != "" {
			parts = append(parts, "unit: "+yamlText(unit))
		}
		if unit == "%" && lo >= 0 && hi <= 100 {
			parts = append(parts, "range: [0, 100]")
		}
		if role == nil && increasing && hi > lo && counterName.MatchString(strings.ToLower(name)) {
			parts = append(parts, "kind: counter")
		} else if role == nil && unit == "" {
			parts = append(parts, "type: number")
		}
		note = fmt.Sprintf(" # seen %s to %s", numValue(lo).raw, numValue(hi).raw)
	default:
		role = nil
		parts = append(parts, "type: string")
	}
	if role != nil {
		parts = append([]string{"role: " + role.Name}, parts...)
	}
	return "{" + strings.Join(parts, ", ") + "}" + note
}

// yamlText quotes a text where YAML would read something else into it.
func yamlText(s string) string {
	if s == "" || !plainYAML.MatchString(s) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
	}
	return s
}

var plainYAML = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)
