package profile

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

func reflectValue(p any) reflect.Value { return reflect.ValueOf(p).Elem() }

// readVars reads vars of the profile and sets what the installation says.
func (c *compiler) readVars(n *yaml.Node, set map[string]string) {
	vars := child(n, "vars")
	if vars == n || vars.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(vars.Content); i += 2 {
		k, v := vars.Content[i], resolve(vars.Content[i+1])
		if v.Kind != yaml.ScalarNode {
			continue
		}
		c.vars[k.Value] = v.Value
		if word, ok := set[k.Value]; ok {
			c.vars[k.Value] = word
		}
	}
}

// substitute replaces ${name} in every scalar. Nodes without any stay shared.
func (c *compiler) substitute(n *yaml.Node, vars map[string]string, depth int) *yaml.Node {
	n = resolve(n)
	if c.visits++; c.visits > maxNodes || depth > maxYAMLDepth {
		if c.visits == maxNodes+1 || depth == maxYAMLDepth+1 {
			c.errorf(n, "the file is too large or nested too deeply")
		}
		return n
	}
	if n.Kind == yaml.ScalarNode {
		if !strings.Contains(n.Value, "${") {
			return n
		}
		text, missing := expandVars(n.Value, vars)
		if missing != "" {
			return n // a parameter of a template, or reported where it is used
		}
		out := *n
		out.Value = text
		c.sameFile(&out, n)
		return &out
	}
	var content []*yaml.Node
	for i, child := range n.Content {
		to := c.substitute(child, vars, depth+1)
		if to != child && content == nil {
			content = slices.Clone(n.Content)
		}
		if content != nil {
			content[i] = to
		}
	}
	if content == nil {
		return n
	}
	out := *n
	out.Content = content
	c.sameFile(&out, n)
	return &out
}

const maxYAMLDepth = 100

func (c *compiler) sameFile(out, n *yaml.Node) {
	if f, ok := c.owner[n]; ok {
		c.owner[out] = f
	}
}

func expandVars(s string, vars map[string]string) (out, missing string) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), ""
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return s, "}"
		}
		name := s[i+2 : i+end]
		v, ok := vars[name]
		if !ok {
			return s, name
		}
		b.WriteString(s[:i])
		b.WriteString(v)
		s = s[i+end+1:]
	}
}

// useTemplates replaces every use: by the points of the templates that it
// names, with their parameters filled in.
func (c *compiler) useTemplates(n *yaml.Node) *yaml.Node {
	templates := child(n, "templates")
	if templates == n {
		templates = nil
	}
	return c.applyUse(n, templates, 0)
}

func (c *compiler) applyUse(n, templates *yaml.Node, depth int) *yaml.Node {
	if n.Kind == yaml.ScalarNode || depth > maxYAMLDepth {
		return n
	}
	out := *n
	out.Content = slices.Clone(n.Content)
	c.sameFile(&out, n)
	for i := range out.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			if out.Content[i] != templates {
				out.Content[i] = c.applyUse(resolve(out.Content[i]), templates, depth+1)
			}
		}
	}
	if n.Kind != yaml.MappingNode {
		return &out
	}
	use := child(&out, "use")
	if use == &out || use.Kind != yaml.SequenceNode {
		return &out
	}
	points := &yaml.Node{Kind: yaml.MappingNode, Line: use.Line, Column: use.Column}
	for _, item := range use.Content {
		c.useOne(resolve(item), templates, points)
	}
	for i := 0; i+1 < len(out.Content); i += 2 {
		switch out.Content[i].Value {
		case "points":
			points = mergeMaps(resolve(out.Content[i+1]), points, nil)
		}
	}
	kept := out.Content[:0]
	for i := 0; i+1 < len(out.Content); i += 2 {
		if k := out.Content[i].Value; k != "use" && k != "points" {
			kept = append(kept, out.Content[i], out.Content[i+1])
		}
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Value: "points", Line: use.Line, Column: use.Column}
	out.Content = append(kept, key, points)
	return &out
}

// useOne adds the points of one template: {name: {parameter: value}} or name.
func (c *compiler) useOne(item, templates, points *yaml.Node) {
	name, args := item, (*yaml.Node)(nil)
	if item.Kind == yaml.MappingNode && len(item.Content) == 2 {
		name, args = item.Content[0], resolve(item.Content[1])
	}
	if name.Kind != yaml.ScalarNode {
		c.hintf(item, "use: [{phase: {n: 1}}]", "a template with its parameters is wanted here, found %s", describe(item))
		return
	}
	var known []string
	if templates != nil && templates.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(templates.Content); i += 2 {
			known = append(known, templates.Content[i].Value)
		}
	}
	if !slices.Contains(known, name.Value) {
		c.hintf(name, diag.DidYouMean(name.Value, known), "unknown template %q", name.Value)
		return
	}
	params := make(map[string]string)
	for k, v := range c.vars {
		params[k] = v
	}
	if args != nil && args.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(args.Content); i += 2 {
			params[args.Content[i].Value] = resolve(args.Content[i+1]).Value
		}
	}
	body := c.substitute(child(templates, name.Value), params, 0)
	if body.Kind != yaml.MappingNode {
		c.errorf(body, "a template holds points")
		return
	}
	c.unresolved(body, name)
	points.Content = append(points.Content, body.Content...)
}

// unresolved reports parameters that a use does not give.
func (c *compiler) unresolved(n, use *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		if _, name, ok := strings.Cut(n.Value, "${"); ok {
			name, _, _ = strings.Cut(name, "}")
			c.errorf(use, "the template needs a value for %q", name)
		}
		return
	}
	for _, child := range n.Content {
		c.unresolved(child, use)
	}
}
