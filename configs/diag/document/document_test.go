package document

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type thing struct {
	Pos   Pos
	Name  string            `yaml:"name"`
	Count int               `yaml:"count"`
	On    bool              `yaml:"on"`
	Parts []part            `yaml:"parts"`
	Vars  map[string]string `yaml:"vars"`
}

type part struct {
	Pos  Pos
	Code string  `yaml:"code"`
	Size float64 `yaml:"size"`
}

func TestDecodeReadsEveryShape(t *testing.T) {
	var got thing
	list := Decode("a.yaml", []byte("name: ON\ncount: 3\non: true\nparts:\n  - {code: 0010, size: 2.5}\nvars: {base: no}\n"), &got)
	if len(list) > 0 {
		t.Fatal(list)
	}
	want := thing{
		Pos: Pos{1, 1}, Name: "ON", Count: 3, On: true,
		Parts: []part{{Pos: Pos{5, 5}, Code: "0010", Size: 2.5}},
		Vars:  map[string]string{"base": "no"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeReportsAllFindingsWithTheirPlace(t *testing.T) {
	cases := map[string][]string{
		"nmae: x\ncount: many\nparts: 3\n": {
			`f.yaml:1:1: error: unknown key "nmae" (did you mean "name"?)`,
			`f.yaml:2:8: error: count is "many" (a whole number)`,
			`f.yaml:3:8: error: parts must be a list (write it as [a, b] or as lines that begin with a dash)`,
		},
		"parts:\n  - {cod: 1}\n  - {size: big}\n": {
			`f.yaml:2:6: error: unknown key "cod" in parts[0] (did you mean "code"?)`,
			`f.yaml:3:12: error: parts[1].size is "big" (a number)`,
		},
		"name: a\nname: b\n": {`f.yaml:2:1: error: key "name" is given twice (keep one of them)`},
		"on: maybe\n":        {`f.yaml:1:5: error: on is "maybe" (true or false)`},
		"- a\n":              {`f.yaml:1:1: error: the file must be a mapping of keys to values (keys are: count, name, on, parts, vars)`},
		"name: [a\n":         nil,
	}
	for in, want := range cases {
		var v thing
		list := Decode("f.yaml", []byte(in), &v)
		var got []string
		for _, d := range list {
			got = append(got, d.String())
		}
		if want == nil {
			if len(got) != 1 || !strings.Contains(got[0], "not readable as YAML") || list[0].Line == 0 {
				t.Errorf("%q: %v", in, got)
			}
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\nparts: [{code: 1}]\n"))
	f.Add([]byte("&a [*a, *a]"))
	f.Add([]byte("vars: {a: {b: c}}"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var v thing
		Decode("f.yaml", data, &v)
	})
}
