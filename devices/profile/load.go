package profile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/configs/diag"
)

// Source is one profile file.
type Source struct {
	Name string // for findings: a path
	Data []byte
}

// LoadOptions change what Load does. The zero value loads everything.
type LoadOptions struct {
	// Vars sets variables of profiles for this installation: by name of the
	// profile (without version), then by name of the variable.
	Vars map[string]map[string]string
	// SkipTests loads without running the tests inside the profiles.
	SkipTests bool
	// KeepGood returns the profiles that are right even when others are not. The
	// daemon never does that; somebody who tries out a profile may.
	KeepGood bool
	// Files gives the content of files that profiles name (JavaScript codecs).
	Files func(name string) ([]byte, error)
}

// Set is a checked and compiled set of profiles. It is immutable and may be
// shared by any number of decoders.
type Set struct {
	profiles []*Profile
	byID     map[string]*Profile
	rules    []*topicRule
	matcher  matcher
	filters  []string
	parts    int
	roles    map[string]bool
}

// Load reads, checks and compiles profiles and runs the tests inside them.
// Findings of all files come back together, sorted; the set is nil when one of
// them is an error. A profile with a failing test does not load.
func Load(files []Source, opts LoadOptions) (*Set, diag.List) {
	var list diag.List
	set := &Set{byID: make(map[string]*Profile), roles: make(map[string]bool)}
	docs := readDocuments(files, &list)
	for _, d := range docs {
		if d.node == nil {
			continue
		}
		d.extend(docs, nil)
		set.compile(d, opts)
	}
	for _, d := range docs {
		list = append(list, d.list...)
	}
	if opts.KeepGood {
		set.drop(list)
	}
	if opts.KeepGood || !list.HasErrors() {
		set.finish()
		if !opts.SkipTests {
			var failed diag.List
			for _, p := range set.profiles {
				set.runTests(p, &failed)
			}
			list = append(list, failed...)
			if opts.KeepGood && failed.HasErrors() {
				set.drop(failed)
				set.finish()
			}
		}
	}
	list.Sort()
	list = slices.Compact(list)
	if list.HasErrors() && !opts.KeepGood {
		return nil, list
	}
	return set, list
}

// drop leaves out the profiles of files with errors.
func (s *Set) drop(list diag.List) {
	s.profiles = slices.DeleteFunc(s.profiles, func(p *Profile) bool {
		return slices.ContainsFunc(list, func(d diag.Diagnostic) bool { return d.Level == diag.Error && d.File == p.File })
	})
	clear(s.byID)
	for _, p := range s.profiles {
		s.byID[p.ID] = p
	}
}

// document is one file on its way into the set.
type document struct {
	file   string
	id     string
	node   *yaml.Node
	reader *reader
	list   diag.List
	done   bool
}

func readDocuments(files []Source, _ *diag.List) []*document {
	var docs []*document
	for _, f := range files {
		d := &document{file: f.Name}
		d.reader = &reader{file: f.Name, owner: make(map[*yaml.Node]string), list: &d.list}
		d.node = d.reader.parseYAML(f.Data)
		if d.node != nil && d.node.Kind != yaml.MappingNode {
			d.reader.errorf(d.node, "keys with values are wanted here, found %s", describe(d.node))
			d.node = nil
		}
		if d.node != nil {
			if id := child(d.node, "profile"); id != d.node {
				d.id = id.Value
			}
		}
		docs = append(docs, d)
	}
	return docs
}

// extend merges the profiles that d names under d.
func (d *document) extend(docs []*document, stack []string) {
	if d.done {
		return
	}
	d.done = true
	base := child(d.node, "extends")
	if base == d.node {
		return
	}
	var names words
	names.readNode(d.reader, base)
	stack = append(stack, d.id)
	for _, w := range slices.Backward(names) {
		i := slices.IndexFunc(docs, func(o *document) bool { return o.id == w.Text && o.node != nil })
		if i < 0 {
			var ids []string
			for _, o := range docs {
				ids = append(ids, o.id)
			}
			d.reader.hintf(w.At, diag.DidYouMean(w.Text, ids), "extends unknown profile %q", w.Text)
			continue
		}
		if slices.Contains(stack, w.Text) {
			d.reader.errorf(w.At, "profile %s extends itself: %s", d.id, strings.Join(append(stack, w.Text), " → "))
			continue
		}
		docs[i].extend(docs, stack)
		d.adopt(docs[i], docs[i].node)
		d.node = merge(d.node, docs[i].node)
	}
}

// adopt notes the file of every node that comes from another document.
func (d *document) adopt(from *document, n *yaml.Node) {
	d.reader.owner[n] = from.reader.fileOf(n)
	for _, c := range n.Content {
		d.adopt(from, c)
	}
}

// notInherited are keys that belong to one profile alone.
var notInherited = []string{"profile", "extends", "tests", "title", "models", "source", "caveats"}

// merge lays over on base: maps deeply, everything else replaced, null deletes.
func merge(over, base *yaml.Node) *yaml.Node {
	return mergeMaps(over, base, notInherited)
}

func mergeMaps(over, base *yaml.Node, without []string) *yaml.Node {
	if over.Kind != yaml.MappingNode || base.Kind != yaml.MappingNode {
		return over
	}
	out := *over
	out.Content = nil
	used := make(map[string]bool)
	for i := 0; i+1 < len(base.Content); i += 2 {
		k, v := base.Content[i], base.Content[i+1]
		if slices.Contains(without, k.Value) {
			continue
		}
		used[k.Value] = true
		o := child(over, k.Value)
		switch {
		case o == over:
		case isNull(o):
			continue
		default:
			v = mergeMaps(o, resolve(v), nil)
		}
		out.Content = append(out.Content, k, v)
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		if !used[over.Content[i].Value] {
			out.Content = append(out.Content, over.Content[i], over.Content[i+1])
		}
	}
	return &out
}

// compile turns one document into a profile of the set.
func (s *Set) compile(d *document, opts LoadOptions) {
	r := d.reader
	c := &compiler{reader: r, set: s, vars: make(map[string]string), files: opts.Files}
	name, _, _ := strings.Cut(d.id, "/")
	c.readVars(d.node, opts.Vars[name])
	node := c.substitute(d.node, c.vars, 0)
	node = c.useTemplates(node)
	spec := new(File)
	r.read(node, reflectValue(spec))
	p := &Profile{ID: spec.Profile, File: d.file, Spec: spec, index: len(s.profiles)}
	p.Name, _, _ = strings.Cut(spec.Profile, "/")
	if spec.Profile == "" {
		r.hintf(node, "profile: maker-model/1", "the profile has no id")
	} else {
		c.profileID(child(node, "profile"), spec.Profile)
	}
	if have := s.byID[p.ID]; have != nil {
		r.errorf(child(node, "profile"), "profile %s is also in %s", p.ID, have.File)
		return
	}
	c.p, c.spec = p, spec
	c.profile()
	s.profiles = append(s.profiles, p)
	s.byID[p.ID] = p
	s.rules = append(s.rules, p.rules...)
}

// finish builds what decoders share.
func (s *Set) finish() {
	slices.SortFunc(s.profiles, func(a, b *Profile) int { return cmp.Compare(a.ID, b.ID) })
	s.rules, s.matcher = s.rules[:0], matcher{}
	for i, p := range s.profiles {
		p.index = i
		s.rules = append(s.rules, p.rules...)
	}
	for i, r := range s.rules {
		r.index, r.order = i, i
		s.matcher.add(r)
	}
	s.filters = s.matcher.filters(s.rules)
}

// Filters returns the MQTT topic filters of all profiles, sorted, without those
// that another one covers.
func (s *Set) Filters() []string { return s.filters }

// Roles returns the roles that points of the profiles have, sorted.
func (s *Set) Roles() []string { return slices.Sorted(maps.Keys(s.roles)) }

// Profiles returns the profiles by id. The slice is the set's own.
func (s *Set) Profiles() []*Profile { return s.profiles }

// Profile finds a profile by id, or by name when that is unambiguous.
func (s *Set) Profile(id string) *Profile {
	if p := s.byID[id]; p != nil {
		return p
	}
	var found *Profile
	for _, p := range s.profiles {
		if p.Name == id {
			if found != nil {
				return nil
			}
			found = p
		}
	}
	return found
}

// IDs returns the ids of all profiles, sorted.
func (s *Set) IDs() []string { return slices.Sorted(maps.Keys(s.byID)) }
