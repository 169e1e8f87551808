package profile

import (
	"fmt"
	"path"
	"time"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices/profile/script"
)

// ScriptSpec is a js step.
type ScriptSpec struct {
	At        *yaml.Node        `json:"-"`
	Codec     string            `json:"codec,omitempty" jsonschema:"name of an entry of codecs"`
	File      string            `json:"file,omitempty" jsonschema:"file beside the profile"`
	API       string            `json:"api,omitempty" jsonschema:"auto, ts013, chirpstack3 or ttn2"`
	Port      string            `json:"port,omitempty" jsonschema:"path of the port in the message, fPort when not given; or a number"`
	Variables map[string]string `json:"variables,omitempty" jsonschema:"settings that the codec reads"`
	Deadline  time.Duration     `json:"deadline,omitempty" jsonschema:"how long one message may take"`
}

// script compiles a js step: the bytes go into a maker's codec, its data is the
// result. A decoder keeps one engine per codec.
func (c *compiler) script(s *StepSpec) func(r *run, dst, src []byte) ([]byte, error) {
	var spec ScriptSpec
	switch {
	case s.Args == nil:
		c.hintf(s.At, "js: name of an entry of codecs, or js: {file: codec.js}", "js needs a codec")
		return nil
	case s.Args.Kind == yaml.ScalarNode:
		spec.Codec = s.Args.Value
	default:
		c.readStruct(s.Args, reflectValue(&spec))
	}
	if spec.Port == "" {
		spec.Port = "fPort"
	}
	name, source := spec.Codec, ""
	switch {
	case spec.File != "":
		name = spec.File
		if c.files == nil || path.IsAbs(name) || path.Clean(name) != name || name[0] == '.' {
			c.errorf(child(s.Args, "file"), "file %q cannot be read from here", name)
			return nil
		}
		data, err := c.files(name)
		if err != nil {
			c.errorf(child(s.Args, "file"), "read codec: %v", err)
			return nil
		}
		source = string(data)
	default:
		text, ok := c.spec.Codecs.get(spec.Codec)
		if !ok {
			var names []string
			for _, e := range c.spec.Codecs {
				names = append(names, e.Key)
			}
			c.hintf(s.Args, diag.DidYouMean(spec.Codec, names), "unknown codec %q", spec.Codec)
			return nil
		}
		source = text
	}
	if spec.API != "" {
		var names []string
		for _, a := range script.APIs {
			names = append(names, string(a))
		}
		c.oneOf(child(s.Args, "api"), "api", spec.API, names...)
	}
	program, err := script.Compile(name, source, script.Config{API: script.API(spec.API), Deadline: spec.Deadline})
	if err != nil {
		c.errorf(s.Args, "%v", err)
		return nil
	}
	return func(r *run, dst, src []byte) ([]byte, error) {
		runner, err := r.d.runner(program)
		if err != nil {
			return dst, err
		}
		in := script.Input{Bytes: src, ReceiveTime: r.now, Variables: spec.Variables}
		if n, ok := digits(spec.Port); ok {
			in.FPort = n
		} else if v := gjson.GetBytes(r.document, spec.Port); v.Exists() {
			in.FPort = int(v.Int())
		}
		out, said, err := runner.Decode(dst, in)
		for _, w := range said.Warnings {
			r.problem("codec %s: %s", name, w)
		}
		return out, err
	}
}

// runner is the engine of a codec in this decoder.
func (d *Decoder) runner(p *script.Program) (*script.Runner, error) {
	if r := d.runners[p]; r != nil {
		return r, nil
	}
	r, err := p.NewRunner()
	if err != nil {
		return nil, fmt.Errorf("start codec: %w", err)
	}
	if d.runners == nil {
		d.runners = make(map[*script.Program]*script.Runner)
	}
	d.runners[p] = r
	return r, nil
}
