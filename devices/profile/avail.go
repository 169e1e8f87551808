package profile

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// The words of availability.
const (
	Online   = "online"
	Offline  = "offline"
	Degraded = "degraded"
	Unknown  = "unknown"
)

var availWords = []string{Online, Offline, Degraded, Unknown}

// availability is a compiled AvailSpec with a topic.
type availability struct {
	chain    *chain
	plan     *plan
	when     []cond
	ref      *ref
	words    *enumOf // value → index into availWords
	bridge   bool
	identity *identity
	class    string
	times    []timeCandidate
	part     *part // stands for this rule where a binding is wanted
}

// availState is what a device said about itself, and what its bridge said.
type availState struct {
	own     string // "" = nothing
	implied bool   // own follows from values or silence, so values change it
	bridge  *bridgeState
	emitted string
}

// bridgeState is the state of one bridge and of the devices below it.
type bridgeState struct {
	state   string
	devices []*devices.Device
}

func (c *compiler) availability(s *AvailSpec) {
	if s.Gone {
		c.p.gone = true
	}
	if s.Expect > 0 {
		c.p.interval = int64(s.Expect)
	}
	if s.Silence != "" {
		c.silence(s)
	}
	if len(s.Topic) == 0 {
		if !s.Gone && s.Silence == "" {
			c.hintf(s.At, "topic: …, empty_payload: true, or silence: 15m", "this availability says nothing")
		}
		return
	}
	rule := c.rule(availRule, s.Topic, nil)
	a := &availability{plan: newPlan(), class: s.Class}
	rule.avail = a
	a.chain = c.chain(s.Decode, "json_or_text")
	names := c.names(rule, a.plan)
	a.when = c.when(&s.When, names)
	path := ""
	if s.Path != nil {
		path = *s.Path
	}
	a.ref = names.path(child(s.At, "path"), path)
	a.times = c.times(s.Time, names)
	a.words = c.availWords(s)
	switch s.Scope {
	case "", "device":
		switch {
		case s.Identity != nil:
			a.identity = c.identity(s.Identity, names)
		case c.spec.Identity != nil:
			a.identity = c.identity(c.spec.Identity, names)
		default:
			i := slices.Index(names.captures, "device")
			if i < 0 {
				c.hintf(s.At, "put {device} into the topic, write identity: {device: …}, or scope: bridge", "nothing says which device this is about")
				i = 0
			}
			a.identity = &identity{device: &ref{kind: captureRef, index: i}, static: true}
		}
	case "bridge":
		a.bridge = true
	default:
		c.oneOf(child(s.At, "scope"), "scope", s.Scope, "device", "bridge")
	}
	if a.class == "" {
		a.class = c.spec.Class
	}
	a.part = &part{index: c.set.parts, class: a.class, identity: a.identity}
	c.set.parts++
}

func (c *compiler) silence(s *AvailSpec) {
	n := child(s.At, "silence")
	if times, ok := strings.CutSuffix(s.Silence, "x"); ok {
		f, err := strconv.ParseFloat(times, 64)
		switch {
		case err != nil || f <= 1:
			c.hintf(n, "for example 3x", "%q is no multiple above 1", s.Silence)
		case c.p.interval == 0:
			c.hintf(n, "expect: 60s", "a multiple needs the time between messages")
		default:
			c.p.silence = int64(f * float64(c.p.interval))
		}
		return
	}
	d, err := parseDuration(s.Silence)
	if err != nil || d <= 0 {
		c.hintf(n, "for example 15m, or 3x with expect: 60s", "%q is no duration", s.Silence)
	}
	c.p.silence = int64(d)
}

func (c *compiler) availWords(s *AvailSpec) *enumOf {
	e := &enumOf{byText: make(map[string]enumValue), byNumber: make(map[float64]enumValue)}
	word := func(w string) enumValue {
		return enumValue{num: float64(slices.Index(availWords, w)), text: w, kind: stringValue}
	}
	for _, v := range s.Online {
		e.set(v, word(Online))
	}
	for _, v := range s.Offline {
		e.set(v, word(Offline))
	}
	for _, m := range s.Map {
		if !c.oneOf(m.At, "availability", m.Value, availWords...) {
			continue
		}
		if m.Key == "else" {
			v := word(m.Value)
			e.fallback = &v
			continue
		}
		e.set(scalarOf(m.At), word(m.Value))
	}
	if len(e.byText) == 0 && e.fallback == nil {
		for _, v := range []string{"online", "Online", "true", "connected", "1", "on", "ON"} {
			e.byText[v] = word(Online)
		}
		for _, v := range []string{"offline", "Offline", "false", "disconnected", "0", "off", "OFF"} {
			e.byText[v] = word(Offline)
		}
	}
	return e
}

// availability reads one message of an availability topic.
func (r *run) availability(rule *topicRule) bool {
	a := rule.avail
	if len(r.msg.Payload) == 0 {
		return true // a retained state that was deleted says nothing
	}
	if err := r.decode(a.chain, a.plan, r.msg.Payload); err != nil {
		r.d.failures.add(r.msg, rule.profile.ID, "availability: "+err.Error())
		r.tracef("availability", "%v", err)
		return false
	}
	r.scope, r.slots = r.root, r.rootSlots
	if ok, failed := r.holds(a.when); !ok {
		r.tracef("availability", "%s does not hold", failed.text)
		return false
	}
	v := r.get(a.ref)
	if v.kind == noValue && r.root.kind == stringValue {
		v = r.root // a bare word, where other releases send a document
	}
	if v.kind == noValue || v.kind == nullValue {
		return false
	}
	to, ok := a.words.lookup(&v)
	if !ok {
		r.tracef("availability", "%s is no known word", clip(v.text()))
		r.d.failures.add(r.msg, rule.profile.ID, "availability: unknown word "+clip(v.text()))
		return false
	}
	r.d.stats[rule.profile.index].Messages.Add(1)
	ns, state := r.candidates(a.times)
	if a.bridge {
		r.bridge(rule, to.text)
		return true
	}
	id, ok := r.deviceID(a.identity)
	if !ok {
		return false
	}
	b, _ := r.d.bind(r, a.part, id)
	if b == nil {
		return true
	}
	st := &r.d.states[b.dev.Index]
	st.avail.own, st.avail.implied = to.text, false
	r.emitAvailability(st, ns, state == timeOwn)
	return true
}

// bridgeKey names a bridge: the profile, and the topic words that the devices
// below share with it.
func bridgeKey(p *Profile, names captureTable, captures []string, of captureTable) string {
	var b strings.Builder
	b.WriteString(p.ID)
	for _, name := range of {
		if i := slices.Index(names, name); i >= 0 {
			b.WriteByte('\n')
			b.WriteString(name)
			b.WriteByte('=')
			b.WriteString(captures[i])
		}
	}
	return b.String()
}

// bridge sets the state of a bridge and of the devices below it.
func (r *run) bridge(rule *topicRule, state string) {
	d := r.d
	key := bridgeKey(rule.profile, rule.captures, r.captures, rule.captures)
	br := d.bridges[key]
	if br == nil {
		br = new(bridgeState)
		d.bridges[key] = br
	}
	br.state = state
	for _, dev := range br.devices {
		r.emitAvailability(&d.states[dev.Index], r.now, false)
	}
}

// underBridge puts a new device below the bridges of its profile.
func (d *Decoder) underBridge(r *run, st *deviceState) {
	var own *topicRule
	for _, rule := range r.profile.rules {
		if rule.kind == availRule && rule.avail.bridge {
			own = rule
		}
	}
	if own == nil || r.rule == nil {
		return
	}
	for _, name := range own.captures {
		if !slices.Contains(r.rule.captures, name) {
			return
		}
	}
	key := bridgeKey(r.profile, r.rule.captures, r.captures, own.captures)
	br := d.bridges[key]
	if br == nil {
		br = new(bridgeState)
		d.bridges[key] = br
	}
	br.devices = append(br.devices, st.dev)
	st.avail.bridge = br
	if br.state != "" {
		r.emitAvailability(st, r.now, false)
	}
}

// effective combines what device and bridge say: online only when both are.
func (a *availState) effective() string {
	switch {
	case a.bridge != nil && (a.bridge.state == Offline || a.bridge.state == Unknown):
		return a.bridge.state
	case a.own == "" && a.bridge != nil:
		return a.bridge.state
	case a.own == Online && a.bridge != nil && a.bridge.state == Degraded:
		return Degraded
	}
	return a.own
}

// alive notes that a live message of a device came: without a word of its own
// that says otherwise, the device is there.
func (r *run) alive(st *deviceState) {
	if r.msg.Retained || r.historical {
		return
	}
	if st.avail.own == Online || st.avail.own != "" && !st.avail.implied {
		return
	}
	st.avail.own, st.avail.implied = Online, true
	r.emitAvailability(st, r.now, false)
}

// empty handles a message without content on a topic of a source: the device is
// gone, when the profile says so; else it is a deleted retained message.
func (r *run) empty(rule *topicRule, e *topicEntry, at int) bool {
	if !rule.profile.gone {
		r.tracef("decode", "%s: empty message, nothing to read", rule.profile.ID)
		return true
	}
	for i, p := range rule.source.parts {
		if !p.identity.static {
			continue
		}
		b, ok := r.bind(p, e, at, i)
		if !ok || b == nil {
			continue
		}
		st := &r.d.states[b.dev.Index]
		st.avail.own, st.avail.implied = Offline, true
		r.emitAvailability(st, r.now, false)
		r.d.stats[rule.profile.index].Messages.Add(1)
		return true
	}
	return true
}

// emitAvailability emits the state of a device when it changed.
func (r *run) emitAvailability(st *deviceState, ns int64, own bool) {
	state := st.avail.effective()
	if state == "" || state == st.avail.emitted {
		return
	}
	st.avail.emitted = state
	p := st.dev.Point(devices.AvailabilityPoint)
	rd := devices.Reading{Point: p, Time: ns, Text: state, Value: math.NaN()}
	if i := slices.Index(availWords, state); i < 3 {
		rd.Value = [...]float64{1, 0, 2}[i]
	}
	if !own {
		rd.Flags |= devices.ReceiveTime
	}
	if r.msg.Retained {
		rd.Flags |= devices.RetainedMessage
		rd.Quality = devices.Uncertain
	}
	st.counts.Decoded++
	st.counts.Stored++
	if r.trace != nil {
		r.trace.reading(&rd)
	}
	r.out.Readings = append(r.out.Readings, rd)
}

// poke is a compiled PokeSpec.
type poke struct {
	rule    *topicRule // a rule of the profile whose words the topic takes
	topic   []refPart
	payload string
	every   time.Duration
}

func (c *compiler) poke(s *PokeSpec) {
	if s.Every < time.Second {
		c.hintf(child(s.At, "every"), "every: 30s", "a poke needs a time of at least a second")
	}
	for _, rule := range c.p.rules {
		if rule.kind != sourceRule {
			continue
		}
		text, err := substituteVars(s.Publish, c.vars)
		if err != nil {
			c.errorf(child(s.At, "publish"), "%v", err)
			return
		}
		names := &scopeNames{r: c.reader, captures: rule.captures, vars: c.vars, noPaths: true}
		c.p.pokes = append(c.p.pokes, &poke{rule, names.parts(child(s.At, "publish"), text), s.Payload, s.Every})
	}
}

// pokes proposes what the profile wants published, once per topic.
func (r *run) pokes(p *Profile) {
	for _, k := range p.pokes {
		if k.rule != r.rule {
			continue
		}
		topic, ok := r.appendParts(r.pathBuf[:0], k.topic, false)
		r.pathBuf = topic
		if !ok || r.d.pokes[string(topic)] {
			continue
		}
		r.d.pokes[string(topic)] = true
		r.out.Actions = append(r.out.Actions, Action{Profile: p.ID, Kind: Poke, Topic: string(topic), Payload: []byte(k.payload), Every: k.every})
	}
}
