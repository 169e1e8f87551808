package profile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices/profile"
)

// findings loads one profile and returns what is wrong with it.
func findings(text string) []string {
	_, list := profile.Load([]profile.Source{{Name: "p.yaml", Data: []byte(text)}}, profile.LoadOptions{})
	var out []string
	for _, d := range list {
		out = append(out, d.String())
	}
	return out
}

func TestAllMistakesAreReportedAtOnceWithPositionsAndHints(t *testing.T) {
	got := findings(`profile: m/1
clas: meter
sources:
  - topic: "m/{device}"
    decode: jsn
    points:
      power: {role: powr, path: p, unit: W}
      temp: {role: temperature, path: t, unit: bar}
      energy: {role: energy, path: e}
      flow: {path: f, unit: m3/hh, rnage: [0, 1]}
      state: {role: service_mode, path: s, enum: {1: normall}}
      odd: {expr: "hexx(a)"}
      bits: {path: b, bits: 4-2}
      name: {name: "{$bogus.x}", path: n}
`)
	want := []string{
		`p.yaml:2:1: error: unknown key "clas" (did you mean "class"?)`,
		`p.yaml:5:13: error: unknown decoding step "jsn" (did you mean "js"?)`,
		`p.yaml:7:21: error: unknown role "powr" (did you mean "power"?)`,
		`p.yaml:8:48: error: point temp: bar is pressure, °C is temperature: no conversion`,
		`p.yaml:9:15: error: point energy: nothing says in which unit the message is (unit: kWh when the message is in kWh)`,
		`p.yaml:10:29: error: unknown unit "m3/hh" (did you mean "m3/h"?)`,
		`p.yaml:10:36: error: unknown key "rnage" (did you mean "range"?)`,
		`p.yaml:11:54: error: role service_mode has no word "normall" (did you mean "normal"?)`,
		`p.yaml:12:19: error: expression: unknown function hexx (did you mean "hex"?)`,
		`p.yaml:13:29: error: "4-2" is no range of bits (for example 0..3)`,
		`p.yaml:14:20: error: unknown word $bogus (one of: root, meta, topic, device)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesOfEveryPartHaveAPosition(t *testing.T) {
	const source = "sources: [{topic: 'm/{device}', points: {p: {path: p}}}]\n"
	for name, c := range map[string]struct{ text, want string }{
		"not YAML":             {"profile: [", "p.yaml:2:1: error: the file is not YAML"},
		"empty":                {"", "p.yaml:1:1: error: the file is empty"},
		"a list":               {"- a\n", "p.yaml:1:1: error: keys with values are wanted here, found a list"},
		"no id":                {source, "the profile has no id"},
		"id without version":   {"profile: m\n" + source, `p.yaml:1:10: error: the id "m" is not name/version`},
		"no sources":           {"profile: m/1\n", "p.yaml:1:1: error: the profile has no sources"},
		"key twice":            {"profile: m/1\nclass: meter\nclass: pump\n" + source, "class"},
		"unknown class":        {"profile: m/1\nclass: mater\n" + source, `p.yaml:2:8: error: unknown class "mater" (did you mean "meter"?)`},
		"other engine":         {"profile: m/1\nrequires: engine>=9\n" + source, "p.yaml:2:11: error: the profile requires engine>=9"},
		"wildcards":            {"profile: m/1\nsources: [{topic: 'm/+/x', points: {p: {path: p}}}]\n", "write {name} for one level"},
		"no device":            {"profile: m/1\nsources: [{topic: 'm/{x}', points: {p: {path: p}}}]\n", "nothing says which device a message is about"},
		"no points":            {"profile: m/1\nsources: [{topic: 'm/{device}'}]\n", "no points are given"},
		"modifier":             {"profile: m/1\nsources: [{topic: 'm/{device}', points: {p: {path: '@reverse'}}}]\n", "p.yaml:2:52: error: modifiers"},
		"bad regexp":           {"profile: m/1\nsources: [{topic: 'm/{device}', when: {path: a, matches: '('}, points: {p: {path: p}}}]\n", "p.yaml:2:58: error: error parsing regexp"},
		"condition of nothing": {"profile: m/1\nsources: [{topic: 'm/{device}', when: {path: a}, points: {p: {path: p}}}]\n", "does not say what a must be"},
		"two ways":             {"profile: m/1\nsources: [{topic: 'm/{device}', fanout: [{each: a, entries: b}], points: {p: {path: p}}}]\n", "exactly one way, found 2"},
		"format":               {"profile: m/1\ntime: {path: t, format: unixx}\n" + source, `p.yaml:2:25: error: unknown time format "unixx"`},
		"zone":                 {"profile: m/1\ntime: {path: t, format: unix, zone: Mars/Base}\n" + source, `unknown zone "Mars/Base"`},
		"layout":               {"profile: m/1\nsources: [{topic: 'm/{device}', decode: {binary: frm}, points: {p: {path: p}}}]\nlayouts: {frame: {fields: [{a: u8}]}}\n", `p.yaml:2:50: error: unknown layout "frm" (one of: frame)`},
		"layout type":          {"profile: m/1\nsources: [{topic: 'm/{device}', decode: {binary: frame}, points: {p: {path: p}}}]\nlayouts: {frame: {fields: [{a: u9}]}}\n", "p.yaml:3:"},
		"extends":              {"profile: m/1\nextends: base/1\n" + source, `p.yaml:2:10: error: extends unknown profile "base/1"`},
		"template":             {"profile: m/1\ntemplates: {phase: {}}\nsources: [{topic: 'm/{device}', use: [phse], points: {p: {path: p}}}]\n", `unknown template "phse" (did you mean "phase"?)`},
		"clock":                {"profile: m/1\nsources: [{topic: 'm/{device}', points: {p: {expr: 'now()'}}}]\n", "function now is not allowed"},
		"failing test":         {"profile: m/1\n" + source + "tests:\n  - {topic: m/a, payload: '{\"p\":1}', expect: {p: 2}}\n", `p.yaml:4:5: error: test "m/a":  p: want 2, got 1, off by -1`},
		"test of nothing":      {"profile: m/1\n" + source + "tests:\n  - {topic: m/a, payload: '{\"p\":1}'}\n", "the test expects nothing"},
	} {
		got := strings.Join(findings(c.text), "\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q, got\n%s", name, c.want, got)
		}
		if strings.Contains(got, "profile.") && strings.Contains(got, "Spec") {
			t.Errorf("%s: a Go type is shown: %s", name, got)
		}
	}
}

func TestWordsStayWordsAsYAML12ReadsThem(t *testing.T) {
	set := load(t, `profile: w/1
sources:
  - topic: "w/{device}"
    points:
      relay: {path: s, enum: {ON: true, OFF: false, yes: true, no: false, 00010204: true}}
      code: {path: c, enum: {010: ten, 0x10: sixteen, 1: one}}
`)
	for payload, want := range map[string]string{
		`{"s":"ON"}`: "a relay true", `{"s":"no"}`: "a relay false", `{"s":"00010204"}`: "a relay true",
		`{"c":"010"}`: "a code ten", `{"c":16}`: "a code sixteen", `{"c":"1"}`: "a code one",
	} {
		if got := decode(t, newDecoder(set), message("w/a", payload)); got[0] != want {
			t.Errorf("%s gave %v, want %s", payload, got, want)
		}
	}
}
