package profile

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/facilityd/facilityd/devices"
)

// write gives the text of the proposal.
func (b *proposal) write(id, tests string) string {
	var w strings.Builder
	fmt.Fprintf(&w, "# yaml-language-server: $schema=profile.schema.json\nprofile: %s\n", id)
	name, _, _ := strings.Cut(id, "/")
	fmt.Fprintf(&w, "title: {en: %s}\nclass: sensor\nsource: captured messages\ncaveats:\n  - Proposed from %d messages; names, units and roles are guesses until somebody has checked them.\n", yamlText(name), len(b.samples))
	if d := b.interval(); d > 0 {
		fmt.Fprintf(&w, "interval: %s\n", d)
	}
	w.WriteString("sources:\n")
	for i := range b.sources {
		b.sources[i].write(&w)
	}
	w.WriteString(tests)
	return w.String()
}

// interval is the usual time between messages of one topic.
func (b *proposal) interval() time.Duration {
	last := make(map[string]time.Time)
	var gaps []time.Duration
	for _, s := range b.samples {
		topic := strings.Join(s.topic, "/")
		if t, ok := last[topic]; ok && s.at.After(t) {
			gaps = append(gaps, s.at.Sub(t))
		}
		last[topic] = s.at
	}
	if len(gaps) < 2 {
		return 0
	}
	slices.Sort(gaps)
	if d := gaps[len(gaps)/2].Round(time.Second); d > 0 {
		return d
	}
	return time.Second
}

func (src *proposedSource) write(w *strings.Builder) {
	fmt.Fprintf(w, "  - topic: %s\n", yamlText(strings.Join(src.levels, "/")))
	if src.object {
		w.WriteString("    decode: json\n")
	} else {
		w.WriteString("    decode: json_or_text\n")
	}
	if src.idPath != "" {
		fmt.Fprintf(w, "    identity: {device: {path: %s}}\n", yamlText(src.idPath))
	}
	if len(src.times) > 0 {
		w.WriteString("    time:\n")
		for _, t := range src.times {
			fmt.Fprintf(w, "      - %s\n", t)
		}
	}
	if src.scalar >= 0 {
		w.WriteString("    by: $point\n")
	}
	w.WriteString("    points:\n")
	for _, p := range src.points {
		fmt.Fprintf(w, "      %s: %s\n", yamlText(p.name), p.text)
	}
	if src.scalar >= 0 {
		w.WriteString("      \"*\": {name: $point, path: \"\"}\n")
	}
}

// maxProposedTests bounds the tests per source.
const maxProposedTests = 3

// tests decodes messages with the proposal itself and writes down what came.
func (b *proposal) tests(set *Set) string {
	var w strings.Builder
	w.WriteString("tests:\n")
	for i := range b.sources {
		for n, s := range b.sources[i].samples {
			if n == maxProposedTests {
				break
			}
			b.test(&w, set, s)
		}
	}
	if w.Len() == len("tests:\n") {
		return ""
	}
	return w.String()
}

func (b *proposal) test(w *strings.Builder, set *Set, s *sample) {
	d := NewDecoder(set, &devices.Site{ID: "propose", Location: time.UTC}, devices.NewRegistry())
	var out Batch
	topic := strings.Join(s.topic, "/")
	d.message(&devices.Message{Topic: topic, Payload: []byte(s.payload), Received: s.at.UnixNano()}, &out)
	var lines []string
	for i := range out.Readings {
		rd := &out.Readings[i]
		if rd.Point.Kind == devices.Availability {
			continue
		}
		value := "absent"
		switch v := Value(rd).(type) {
		case bool:
			value = fmt.Sprint(v)
		case float64:
			value = numValue(v).raw
		case string:
			value = yamlText(v)
			if plainYAML.MatchString(v) {
				value = `"` + v + `"`
			}
		}
		line := fmt.Sprintf("{device: %s, point: %s, value: %s", yamlText(rd.Point.Device.ID), yamlText(rd.Point.Name), value)
		if rd.Point.Unit != "" {
			line += ", unit: " + yamlText(rd.Point.Unit)
		}
		lines = append(lines, line+"}")
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "  - topic: %s\n", yamlText(topic))
	switch {
	case utf8.ValidString(s.payload) && strings.ContainsAny(s.payload, "\n\r\t"):
		fmt.Fprintf(w, "    payload: %s\n", yamlText(s.payload))
	case utf8.ValidString(s.payload):
		fmt.Fprintf(w, "    payload: '%s'\n", strings.ReplaceAll(s.payload, "'", "''"))
	default:
		fmt.Fprintf(w, "    hex: %s\n", hex.EncodeToString([]byte(s.payload)))
	}
	fmt.Fprintf(w, "    received: %s\n    expect:\n", s.at.UTC().Format(time.RFC3339Nano))
	for _, l := range lines {
		fmt.Fprintf(w, "      - %s\n", l)
	}
}
