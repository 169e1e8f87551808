package profile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices"
)

// Schema is the JSON Schema of a profile, made from the types of the language,
// for editors. What it cannot say (units of a dimension, words of a role) only
// Load checks.
func Schema() ([]byte, error) {
	types, defs := schemaTypes()
	s, err := jsonschema.For[File](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		return nil, fmt.Errorf("make the schema of profiles: %w", err)
	}
	s.Defs = defs
	optional(s)
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "facilityd device profile"
	s.Required = []string{"profile"}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make the schema of profiles: %w", err)
	}
	return append(out, '\n'), nil
}

func typed(t string) *jsonschema.Schema { return &jsonschema.Schema{Type: t} }

func anyOf(s ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: s} }

func listOf(s *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: s}
}

func mapOf(s *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", AdditionalProperties: s}
}

func words2enum(words []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range words {
		s.Enum = append(s.Enum, w)
	}
	return s
}

// optional takes back that a pointer field may be null where a shape is given:
// leaving the key out is how a profile says nothing.
func optional(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if s.AnyOf != nil || s.Ref != "" {
		s.Type, s.Types = "", nil
	}
	for _, list := range [][]*jsonschema.Schema{s.AnyOf, {s.Items, s.AdditionalProperties}} {
		for _, c := range list {
			optional(c)
		}
	}
	for _, props := range []map[string]*jsonschema.Schema{s.Properties, s.Defs} {
		for _, c := range props { // order does not matter: each is changed by itself
			optional(c)
		}
	}
}

// schemaTypes gives the schema of every type that may be written in more than
// one shape, and the definitions that they refer to. They are built from the
// inside out.
func schemaTypes() (types map[reflect.Type]*jsonschema.Schema, defs map[string]*jsonschema.Schema) {
	m := make(map[reflect.Type]*jsonschema.Schema)
	defs = make(map[string]*jsonschema.Schema)
	define := func(name string, s *jsonschema.Schema) *jsonschema.Schema {
		defs[name] = s
		return &jsonschema.Schema{Ref: "#/$defs/" + name}
	}
	set := func(v any, s *jsonschema.Schema) { m[reflect.TypeOf(v)] = s }
	scalar := &jsonschema.Schema{Types: []string{"string", "number", "boolean", "null"}}
	text := typed("string")
	anything := new(jsonschema.Schema)
	set(time.Duration(0), &jsonschema.Schema{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)([0-9.]+(ms|s|m|h))*$`, Description: "30s, 15m, 2h, 1d"})
	set(nodeSpec{}, anything)
	set(yaml.Node{}, anything)
	set(words{}, anyOf(scalar, listOf(scalar)))
	set(scalars{}, anyOf(scalar, listOf(scalar)))
	set(scalarSpec{}, scalar)
	set(ordered[string]{}, mapOf(scalar))
	set(ordered[nodeSpec]{}, mapOf(anything))
	set(EnumSpec{}, mapOf(scalar))
	set(ScaleSpec{}, &jsonschema.Schema{Types: []string{"number", "string"}})
	set(StepSpecs{}, define("decode", anyOf(text, typed("object"), listOf(anyOf(text, typed("object"))))))
	set(devices.Label{}, &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{"en": text, "zh": text}, AdditionalProperties: &jsonschema.Schema{Not: anything}})
	of := func(v any) *jsonschema.Schema {
		t := reflect.TypeOf(v)
		s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: m})
		if err != nil {
			panic(fmt.Sprintf("schema of %s: %v", t, err)) // a type of this package that has no schema
		}
		return s
	}
	ref := define("reference", anyOf(scalar, of(refKeys{})))
	set(RefSpec{}, ref)
	set(UnitSpec{}, ref)
	set(ordered[RefSpec]{}, mapOf(ref))
	cond := anyOf(text, of(CondSpec{}))
	set(WhenSpec{}, define("condition", anyOf(cond, listOf(cond))))
	t := anyOf(words2enum([]string{"receive"}), of(TimeSpec{}))
	set(TimeSpecs{}, define("time", anyOf(t, listOf(t))))
	point := of(PointSpec{})
	point.Properties["role"] = words2enum(devices.RoleNames())
	for _, key := range []string{"unit", "as"} {
		point.Properties[key].Description = "units: " + strings.Join(devices.UnitCodes(), " ") + ", and usual other spellings"
	}
	set(ordered[PointSpec]{}, mapOf(define("point", point)))
	reading := of(ExpectedReading{})
	reading.Required = nil
	expect := define("expect", anyOf(mapOf(anyOf(scalar, reading)), listOf(reading)))
	set(ExpectSpec{}, expect)
	set(ordered[ExpectSpec]{}, mapOf(expect))
	set([]FanSpec{}, define("fanout", listOf(of(FanSpec{}))))
	set(IdentitySpec{}, define("identity", of(IdentitySpec{})))
	return m, defs
}
