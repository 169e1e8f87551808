package profile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tidwall/gjson"

	"github.com/facilityd/facilityd/devices"
)

// Describe writes what a profile reads and gives, for people.
func (p *Profile) Describe(w io.Writer) error {
	s := p.Spec
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", p.ID, p.Title.EN)
	if p.Title.ZH != "" {
		fmt.Fprintf(&b, "  %s", p.Title.ZH)
	}
	fmt.Fprintf(&b, "\nclass   %s\nfile    %s\n", p.Class, p.File)
	for _, l := range []struct {
		name  string
		texts []string
	}{{"maker", []string{s.Maker}}, {"models", []string{strings.Join(s.Models.texts(), ", ")}}, {"source", s.Source.texts()}, {"caveat", s.Caveats.texts()}} {
		for _, t := range l.texts {
			if t != "" {
				fmt.Fprintf(&b, "%-7s %s\n", l.name, t)
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, rule := range p.rules {
		for i := range rule.topics {
			fmt.Fprintf(tw, "reads\t%s\t%s\n", rule.topics[i].filter(), rule.describe())
		}
	}
	for _, rule := range p.rules {
		if rule.source == nil {
			continue
		}
		for _, part := range rule.source.parts {
			for _, pt := range part.points {
				role := ""
				if pt.role != nil {
					role = "role " + pt.role.Name
				}
				kind := ""
				if pt.kindKnown {
					kind = pt.kind.String()
				}
				fmt.Fprintf(tw, "point\t%s\t%s\t%s\t%s\n", pt.key, kind, pt.unit, role)
			}
		}
	}
	return tw.Flush()
}

// WithBases adds to the files of somebody the shipped profiles that they
// extend, directly or not.
func WithBases(own, shipped []Source) []Source {
	out := slices.Clone(own)
	for i := 0; i < len(out); i++ {
		for _, id := range extended(out[i]) {
			j := slices.IndexFunc(shipped, func(s Source) bool { return profileIDOf(s) == id })
			if j >= 0 && !slices.ContainsFunc(out, func(s Source) bool { return profileIDOf(s) == id }) {
				out = append(out, shipped[j])
			}
		}
	}
	return out
}

func extended(s Source) []string {
	docs := readDocuments([]Source{s}, nil)
	if docs[0].node == nil {
		return nil
	}
	n := child(docs[0].node, "extends")
	if n == docs[0].node {
		return nil
	}
	var w words
	w.readNode(docs[0].reader, n)
	return w.texts()
}

func profileIDOf(s Source) string { return readDocuments([]Source{s}, nil)[0].id }

// Coverage says what is received and not mapped, and what failed.
type Coverage struct {
	Stats    Stats        `json:"stats"`
	Unmapped []Unmapped   `json:"unmapped"`
	Failures []Failure    `json:"failures"`
	Seen     []SeenDevice `json:"seen"`
}

// Coverage may be called from any goroutine.
func (d *Decoder) Coverage() Coverage {
	return Coverage{d.Stats(), d.Unmapped(), d.Failures(), d.Seen()}
}

// Add puts the report of another decoder to this one.
func (c *Coverage) Add(o Coverage) {
	c.Stats.add(o.Stats)
	c.Unmapped = append(c.Unmapped, o.Unmapped...)
	c.Failures = append(c.Failures, o.Failures...)
	c.Seen = append(c.Seen, o.Seen...)
}

// CoverCases decodes the messages of cases and reports what is not covered.
func CoverCases(set *Set, cases []*Case) (Coverage, error) {
	d := NewDecoder(set, &devices.Site{ID: "coverage", Location: time.UTC}, devices.NewRegistry())
	var out Batch
	for _, c := range cases {
		messages := append(slices.Clone(c.Preceding), c.CaseMessage)
		for i := range messages {
			m := &messages[i]
			payload, err := m.Bytes()
			if err != nil {
				return Coverage{}, fmt.Errorf("case %s: %w", c.ID, err)
			}
			received, err := time.Parse(time.RFC3339Nano, cmp.Or(m.Received, c.ReceiveTime))
			if err != nil {
				return Coverage{}, fmt.Errorf("case %s: %w", c.ID, err)
			}
			out.Reset()
			d.message(&devices.Message{Topic: m.Topic, Payload: payload, Retained: m.Retained, Received: received.UnixNano()}, &out)
		}
	}
	return d.Coverage(), nil
}

// Print writes a report for people.
func (c *Coverage) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	s := &c.Stats
	fmt.Fprintf(tw, "messages\t%d\tdecoded %d, no profile %d, not meant %d, failed %d\n", s.Messages, s.Decoded, s.Unmatched, s.Guarded, s.Failed)
	for _, p := range s.Profiles {
		if p.Failed+p.Bad > 0 {
			fmt.Fprintf(tw, "profile\t%s\tdecoded %d, failed %d, with bad values %d\n", p.Profile, p.Messages, p.Failed, p.Bad)
		}
	}
	for _, u := range c.Unmapped {
		if u.Profile == "" {
			fmt.Fprintf(tw, "topic\t%s\t%d messages, no profile reads it\n", u.Name, u.Count)
			continue
		}
		fmt.Fprintf(tw, "field\t%s\t%d times, not mapped by %s\n", u.Name, u.Count, u.Profile)
	}
	for _, f := range c.Failures {
		fmt.Fprintf(tw, "failure\t%s\t%d times, %s: %s\n", f.Topic, f.Count, f.Profile, f.Reason)
	}
	for _, d := range c.Seen {
		fmt.Fprintf(tw, "device\t%s\tseen, not known: %s would read it\n", d.ID, d.Profile)
	}
	return tw.Flush()
}

// Fit is how well a profile would read a message.
type Fit struct {
	Profile string
	Score   float64 // share of the message's fields that the profile names, 0 to 1
	Topic   bool    // its topics fit as well
}

// Fits orders profiles by how well they would read a message that none does,
// best first, at most five. It compares the fields of a JSON document.
func (s *Set) Fits(topic string, payload []byte) []Fit {
	if !gjson.ValidBytes(payload) {
		return nil
	}
	var paths []string
	leaves("", bytesAsString(payload), 0, func(_, path string, _ gjson.Result) bool {
		paths = append(paths, path)
		return len(paths) < 200
	})
	if len(paths) == 0 {
		return nil
	}
	var split splitTopic
	split.split(topic)
	found := s.matcher.find(&split)
	best := make(map[string]Fit)
	for _, rule := range s.rules {
		if rule.source == nil {
			continue
		}
		known := make(map[string]bool)
		for _, part := range rule.source.parts {
			for path := range part.plan.index {
				known[path] = true
			}
			for key := range part.byKey {
				known[key] = true
			}
		}
		hits := 0
		for _, p := range paths {
			last := p[strings.LastIndexByte(p, '.')+1:]
			if known[p] || known[last] {
				hits++
			}
		}
		f := Fit{Profile: rule.profile.ID, Score: float64(hits) / float64(len(paths))}
		f.Topic = slices.ContainsFunc(found, func(m matched) bool { return m.rule == rule })
		if f.Score > best[f.Profile].Score {
			best[f.Profile] = f
		}
	}
	var out []Fit
	for _, id := range s.IDs() {
		if f, ok := best[id]; ok {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Fit) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), 5)]
}
