// Package messages is the catalogue of every text that a person reads on a page
// or in a message, in English and Simplified Chinese. One file per language; a
// test keeps their keys and placeholders equal.
//
// It stands on golang.org/x/text: language matching by the standard, plural
// forms, and numbers written as the language writes them. What that package
// lacks, a text file that a translator can edit, is added here.
package messages

import (
	"bytes"
	"embed"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

//go:embed en.yaml zh.yaml
var files embed.FS

// Languages are the codes of the languages there are, the fallback first. The
// code is what devices.Label, persons and the API use.
var Languages = []string{"en", "zh"}

var tags = []language.Tag{language.English, language.SimplifiedChinese}

// A Catalogue holds the texts. It is safe for use by several goroutines.
type Catalogue struct {
	cat     catalog.Catalog
	matcher language.Matcher
	keys    map[string]bool
}

// Load reads the catalogue that is built in.
func Load() (*Catalogue, error) {
	b := catalog.NewBuilder(catalog.Fallback(tags[0]))
	c := &Catalogue{cat: b, matcher: language.NewMatcher(tags), keys: make(map[string]bool)}
	for i, lang := range Languages {
		texts, err := read(lang)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			c.keys[t.key] = true
			if err := b.Set(tags[i], t.key, t.messages()...); err != nil {
				return nil, fmt.Errorf("text %s in %s.yaml: %w", t.key, lang, err)
			}
		}
	}
	return c, nil
}

// A text is one entry of a file: a plain text, or one per plural form of its
// first number.
type text struct {
	key   string
	plain string
	forms []any // alternating form and text, as plural.Selectf takes them
}

func (t *text) messages() []catalog.Message {
	if t.forms != nil {
		return []catalog.Message{plural.Selectf(1, "%d", t.forms...)}
	}
	return []catalog.Message{catalog.String(t.plain)}
}

func read(lang string) ([]text, error) {
	data, err := files.ReadFile(lang + ".yaml")
	if err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&root); err != nil {
		return nil, fmt.Errorf("read %s.yaml: %w", lang, err)
	}
	var out []text
	return out, walk(&out, root.Content[0], "")
}

var pluralForms = []string{"=0", "one", "other"}

// walk flattens nested keys to dotted ones.
func walk(out *[]text, n *yaml.Node, prefix string) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a section holds keys and texts", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		t := text{key: prefix + k.Value}
		switch {
		case v.Kind == yaml.ScalarNode:
			t.plain = v.Value
		case v.Kind == yaml.MappingNode && slices.Contains(pluralForms, v.Content[0].Value):
			for j := 0; j+1 < len(v.Content); j += 2 {
				t.forms = append(t.forms, v.Content[j].Value, v.Content[j+1].Value)
			}
		default:
			if err := walk(out, v, t.key+"."); err != nil {
				return err
			}
			continue
		}
		*out = append(*out, t)
	}
	return nil
}

// Match chooses the language: the first preference that names one of ours. A
// preference is a code (a person's, a cookie's) or a whole Accept-Language header.
func (c *Catalogue) Match(preferences ...string) string {
	for _, p := range preferences {
		want, _, err := language.ParseAcceptLanguage(p)
		if err != nil || len(want) == 0 {
			continue
		}
		if _, i, sure := c.matcher.Match(want...); sure != language.No {
			return Languages[i]
		}
	}
	return Languages[0]
}

// Has reports whether there is a text under the key.
func (c *Catalogue) Has(key string) bool { return c.keys[key] }

// A Printer writes texts in one language. It belongs to one goroutine.
type Printer struct {
	Lang string
	p    *message.Printer
}

// Printer returns a printer for one of [Languages].
func (c *Catalogue) Printer(lang string) *Printer {
	i := max(0, slices.Index(Languages, lang))
	return &Printer{Lang: Languages[i], p: message.NewPrinter(tags[i], message.Catalog(c.cat))}
}

// Text returns the text under the key with its placeholders filled in
// (fmt verbs). A key without a text shows itself, so that it is found.
func (p *Printer) Text(key string, args ...any) string {
	return p.p.Sprintf(message.Key(key, key), args...)
}
