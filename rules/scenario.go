package rules

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// A Scenario is a test that a rule carries: what one asset says, and how the
// rule's episode stands at given times. Package rules/scenario runs it.
type Scenario struct {
	Name  string
	Line  int
	Every time.Duration // between two messages
	Facts map[string]devices.Quantity
	// Inputs are by role; the k-th sample of each is said at k times Every.
	Inputs []ScenarioInput
	Expect []Expectation
}

// ScenarioInput is what one role says.
type ScenarioInput struct {
	Role string
	// Of is who says it: the zero value is the asset itself, else a related one.
	Of      Relative
	Samples []Sample
}

// A Relative is a related asset of a scenario, by relation and a name that the
// author gave it; for others it is a point of the asset's own device.
type Relative struct{ Relation, Name string }

// A Sample is one value in a message, or none.
type Sample struct {
	Present bool
	Quality devices.Quality
	Value   float64
	Text    string
}

// Expectation is how an episode stands at a time: a severity, or 0 for none.
type Expectation struct {
	At       time.Duration
	Severity Severity
	NoData   bool // open, but its inputs are unknown
}

// maxSamples bounds the length of one series.
const maxSamples = 20_000

// scenarios reads the tests of a rule.
//
// A series is written as values one after the other: 20, 20*5 is five times 20,
// 20..30*11 goes there in eleven steps, _ is a message without the value, bad is
// a reading of bad quality, ! is an event; words are states. What related assets
// say stands under the relation and a name: siblings: {standby: {running: 0*60}}.
func (rd *reader) scenarios(r *Rule, n *yaml.Node) {
	for _, t := range rd.list(n, "tests") {
		keys := []string{"name", "every", "facts", "inputs", "expect"}
		for _, rel := range relations {
			keys = append(keys, rel.name)
		}
		f := rd.fields(t, "a test", keys...)
		s := Scenario{Name: rd.text(f["name"]), Line: t.Line, Every: rd.duration(f["every"])}
		if s.Every <= 0 {
			rd.errorf(t, "every: 30s", "test %q does not say how often messages come", s.Name)
		}
		rd.scenarioFacts(&s, f["facts"])
		rd.scenarioInputs(&s, t, f["inputs"], Relative{})
		for _, rel := range relations {
			rd.pairs(f[rel.name], rel.name, func(key, value *yaml.Node) {
				rd.scenarioInputs(&s, t, value, Relative{rel.name, key.Value})
			})
		}
		rd.expectations(&s, t, f["expect"])
		r.Scenarios = append(r.Scenarios, s)
	}
}

// pairs walks a mapping in the order in which it is written.
func (rd *reader) pairs(n *yaml.Node, what string, visit func(key, value *yaml.Node)) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		rd.errorf(n, "", "%s must be a mapping", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		visit(n.Content[i], n.Content[i+1])
	}
}

func (rd *reader) scenarioFacts(s *Scenario, n *yaml.Node) {
	rd.pairs(n, "facts", func(key, value *yaml.Node) {
		spec := factByName(key.Value)
		if spec == nil {
			rd.errorf(key, diag.DidYouMean(key.Value, factNames), "unknown fact %q", key.Value)
			return
		}
		q := devices.Quantity{Word: value.Value}
		if !spec.Word {
			v, unit, ok := rd.quantity(value)
			if !ok {
				return
			}
			q = devices.Quantity{Value: v, Unit: unit}
		}
		if s.Facts == nil {
			s.Facts = make(map[string]devices.Quantity)
		}
		s.Facts[spec.Name] = q
	})
}

func (rd *reader) scenarioInputs(s *Scenario, test, n *yaml.Node, of Relative) {
	if n == nil {
		rd.errorf(test, "inputs: {bearing_temp: 55*10 75*20}", "test %q has no inputs", s.Name)
		return
	}
	rd.pairs(n, "inputs", func(key, value *yaml.Node) {
		role := devices.RoleByName(key.Value)
		if key.Value == devices.AvailabilityPoint {
			role = &availabilityRole
		}
		if role == nil {
			rd.errorf(key, diag.DidYouMean(key.Value, roleNames), "unknown role %q", key.Value)
			return
		}
		in := ScenarioInput{Role: key.Value, Of: of}
		for _, token := range strings.Fields(rd.text(value)) {
			samples, problem := parseSamples(role, token)
			if problem != "" || len(in.Samples)+len(samples) > maxSamples {
				rd.errorf(value, "write 20 20*5 20..30*11 _ bad ! or a word of the role", "%q: %s", token, problem)
				return
			}
			in.Samples = append(in.Samples, samples...)
		}
		s.Inputs = append(s.Inputs, in)
	})
}

func parseSamples(role *devices.Role, token string) (out []Sample, problem string) {
	body, times, repeated := strings.Cut(token, "*")
	n := 1
	if repeated {
		var err error
		if n, err = strconv.Atoi(times); err != nil || n < 1 || n > maxSamples {
			return nil, "the number of repetitions is no number"
		}
	}
	if from, to, ramp := strings.Cut(body, ".."); ramp {
		a, err1 := strconv.ParseFloat(from, 64)
		b, err2 := strconv.ParseFloat(to, 64)
		if err1 != nil || err2 != nil || n < 2 {
			return nil, "a ramp is written 20..30*11"
		}
		for k := range n {
			v := a + (b-a)*float64(k)/float64(n-1)
			out = append(out, Sample{Present: true, Value: math.Round(v*1e9) / 1e9})
		}
		return out, ""
	}
	s := Sample{Present: true}
	switch {
	case body == "_":
		s = Sample{}
	case body == "bad":
		s.Quality, s.Value = devices.Bad, math.NaN()
	case body == "!" && role.Kind == devices.Event:
		s.Text = "event"
	case role.Kind == devices.Event || role.Kind == devices.Text || role.Kind == devices.Availability:
		s.Text = body
	default:
		if w := role.Word(body); w != nil {
			s.Value, s.Text = float64(w.Code), w.Name
			break
		}
		v, err := strconv.ParseFloat(body, 64)
		if err != nil {
			var words []string
			for _, w := range role.Words {
				words = append(words, w.Name)
			}
			return nil, strings.TrimSpace("neither a number nor a word of the role. " + diag.DidYouMean(body, words))
		}
		s.Value = v
		if k := slices.IndexFunc(role.Words, func(w devices.Word) bool { return float64(w.Code) == v }); k >= 0 {
			s.Text = role.Words[k].Name
		}
	}
	for range n {
		out = append(out, s)
	}
	return out, ""
}

func (rd *reader) expectations(s *Scenario, test, n *yaml.Node) {
	if n == nil {
		rd.errorf(test, "expect: {5m: none, 12m: medium}", "test %q expects nothing", s.Name)
		return
	}
	rd.pairs(n, "expect", func(key, value *yaml.Node) {
		x := Expectation{At: rd.duration(key)}
		switch word := rd.text(value); word {
		case "none":
		case "no_data":
			x.NoData = true
		default:
			var ok bool
			if x.Severity, ok = ParseSeverity(word); !ok {
				known := append([]string{"none", "no_data"}, severityNames[1:]...)
				rd.errorf(value, diag.DidYouMean(word, known), "%q is neither a severity nor none", word)
			}
		}
		s.Expect = append(s.Expect, x)
	})
	slices.SortStableFunc(s.Expect, func(a, b Expectation) int { return int(a.At - b.At) })
}
