package profile

import (
	"reflect"

	"go.yaml.in/yaml/v4"
)

// TestSpec is one test inside a profile.
type TestSpec struct {
	At *yaml.Node `json:"-"`
	MessageSpec
	Name         string              `json:"name,omitempty" jsonschema:"what it shows"`
	TimeZone     string              `json:"timezone,omitempty" jsonschema:"zone of the site in this test"`
	Before       []MessageSpec       `json:"before,omitempty" jsonschema:"messages that came before, in order"`
	Device       string              `json:"device,omitempty" jsonschema:"device that expect is about"`
	Time         string              `json:"time,omitempty" jsonschema:"time that every expected reading has"`
	Expect       *ExpectSpec         `json:"expect,omitempty" jsonschema:"readings: point: value with unit, or a list of readings"`
	Devices      ordered[ExpectSpec] `json:"devices,omitempty" jsonschema:"readings per device"`
	Availability ordered[string]     `json:"availability,omitempty" jsonschema:"state of each device after the message"`
	Actions      words               `json:"actions,omitempty" jsonschema:"topics that must be published to"`
	Nothing      bool                `json:"nothing,omitempty" jsonschema:"the message gives no reading"`
}

// MessageSpec is one message of a test.
type MessageSpec struct {
	At       *yaml.Node `json:"-"`
	Topic    string     `json:"topic" jsonschema:"topic of the message"`
	Payload  *string    `json:"payload,omitempty" jsonschema:"payload as text"`
	Hex      string     `json:"hex,omitempty" jsonschema:"payload in hexadecimal"`
	Base64   string     `json:"base64,omitempty" jsonschema:"payload in base64"`
	Retained bool       `json:"retained,omitempty" jsonschema:"the broker kept it"`
	Received string     `json:"received,omitempty" jsonschema:"receive time, RFC 3339"`
}

// ExpectSpec is what a message must give for one device: point: value, or a
// list with every property.
type ExpectSpec struct {
	At       *yaml.Node
	Readings []ExpectedReading
}

// ExpectedReading is one reading that must come out.
type ExpectedReading struct {
	At         *yaml.Node `json:"-"`
	Device     string     `json:"device,omitempty" jsonschema:"device of the reading"`
	Point      string     `json:"point" jsonschema:"name of the point"`
	Value      scalarSpec `json:"value" jsonschema:"value, with its unit after a space; absent for none"`
	Unit       *string    `json:"unit,omitempty" jsonschema:"unit of the value"`
	Time       string     `json:"time,omitempty" jsonschema:"RFC 3339, or receive"`
	Quality    string     `json:"quality,omitempty" jsonschema:"good, uncertain or bad"`
	Historical *bool      `json:"historical,omitempty" jsonschema:"whether it is a record of the past"`
	Delta      *float64   `json:"delta,omitempty" jsonschema:"growth of a counter"`
}

type scalarSpec struct {
	At    *yaml.Node
	Value value
}

func (s *scalarSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	if n.Kind != yaml.ScalarNode {
		r.errorf(n, "a single value is wanted here, found %s", describe(n))
		return
	}
	s.Value = scalarOf(n)
}

func (s *ExpectSpec) readNode(r *reader, n *yaml.Node) {
	s.At = n
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			var e ExpectedReading
			r.readStruct(resolve(c), reflect.ValueOf(&e).Elem())
			s.Readings = append(s.Readings, e)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := resolve(n.Content[i]), resolve(n.Content[i+1])
			e := ExpectedReading{At: k, Point: k.Value}
			if v.Kind == yaml.MappingNode {
				r.readStruct(v, reflect.ValueOf(&e).Elem())
				e.Point = k.Value
			} else {
				e.Value.readNode(r, v)
			}
			s.Readings = append(s.Readings, e)
		}
	default:
		r.errorf(n, "points with values are wanted here, found %s", describe(n))
	}
}
