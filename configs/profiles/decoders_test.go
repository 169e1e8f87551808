package profiles_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices/profile/codec"
	"github.com/facilityd/facilityd/devices/profile/layout"
)

// example is one block of decoders.md.
type example struct {
	Decode yaml.Node `yaml:"decode"`
	Layout yaml.Node `yaml:"layout"`
	In     string    `yaml:"in"`
	Hex    string    `yaml:"hex"`
	Out    string    `yaml:"out"`
	Error  string    `yaml:"error"`
}

func TestDecoderExamplesAreTrue(t *testing.T) {
	page, err := os.ReadFile("decoders.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		var e example
		if err := yaml.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		got, err := run(t, &e)
		switch {
		case e.Error != "" && (err == nil || !strings.Contains(err.Error(), e.Error)):
			t.Errorf("%s\ngives %s, error %v", text, got, err)
		case e.Error == "" && err != nil:
			t.Errorf("%s\nis refused: %v", text, err)
		case e.Error == "" && got != e.Out:
			t.Errorf("%s\n(-want +got)\n%s", text, cmp.Diff(e.Out, got))
		}
	}
}

// run takes the input of an example through its steps.
func run(t *testing.T, e *example) (string, error) {
	t.Helper()
	src := []byte(e.In)
	if e.Hex != "" {
		var err error
		if src, err = codec.Hex(nil, []byte(e.Hex)); err != nil {
			t.Fatal(err)
		}
	}
	if !e.Layout.IsZero() {
		l, list := layout.Compile("example", "decoders.md", &e.Layout)
		if err := list.Err(); err != nil {
			return "", err
		}
		out, err := l.Decode(nil, src)
		return string(out), err
	}
	steps := []*yaml.Node{&e.Decode}
	if e.Decode.Kind == yaml.SequenceNode {
		steps = e.Decode.Content
	}
	for _, n := range steps {
		f, err := step(t, n)
		if err != nil {
			return "", err
		}
		if src, err = f(nil, src); err != nil {
			return "", err
		}
	}
	return string(src), nil
}

func step(t *testing.T, n *yaml.Node) (codec.Func, error) {
	t.Helper()
	name, args := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode {
		name, args = n.Content[0], n.Content[1]
	}
	c, ok := codec.Lookup(name.Value)
	if !ok {
		t.Fatalf("unknown step %s", name.Value)
	}
	cfg := c.New()
	switch {
	case args == nil:
	case args.Kind == yaml.ScalarNode:
		whole := yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: c.Main}, args}}
		if err := whole.Decode(cfg); err != nil {
			t.Fatal(err)
		}
	default:
		if err := args.Decode(cfg); err != nil {
			t.Fatal(err)
		}
	}
	return cfg.Compile()
}

// TestDecoderPageIsComplete holds the page against the code.
func TestDecoderPageIsComplete(t *testing.T) {
	page, err := os.ReadFile("decoders.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codec.Table {
		if !strings.Contains(string(page), "`"+c.Name+"`") {
			t.Errorf("step %s is not described", c.Name)
		}
		v := reflect.TypeOf(c.New()).Elem()
		for i := range v.NumField() {
			key := v.Field(i).Tag.Get("yaml")
			if key != "" && !strings.Contains(string(page), "`"+key) {
				t.Errorf("key %s of step %s is not described", key, c.Name)
			}
			if json, _, _ := strings.Cut(v.Field(i).Tag.Get("json"), ","); key != json || key != "" && v.Field(i).Tag.Get("jsonschema") == "" {
				t.Errorf("key %s of step %s: tags differ, or no description", key, c.Name)
			}
		}
	}
	for _, s := range layout.Sums {
		if !strings.Contains(string(page), s) {
			t.Errorf("check sum %s is not described", s)
		}
	}
}
