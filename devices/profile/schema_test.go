package profile_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/facilityd/facilityd/devices/profile"
)

var update = flag.Bool("update", false, "write generated files")

const schemaFile = "../../configs/profiles/profile.schema.json"

// TestSchemaIsGenerated compares the schema that editors read with the types.
func TestSchemaIsGenerated(t *testing.T) {
	want, err := profile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("run go test ./devices/profile -run TestSchemaIsGenerated -update: %s", diff)
	}
}

// TestShippedProfilesFitTheSchema shows that an editor marks nothing in them.
func TestShippedProfilesFitTheSchema(t *testing.T) {
	text, err := profile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	schema, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range shipped(t) {
		var doc map[string]any
		if err := yaml.Load(f.Data, &doc); err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		// The way through JSON is what an editor's language server does.
		b, err := json.Marshal(textKeys(doc))
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func textKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = textKeys(e)
		}
		return v
	case map[any]any:
		m := make(map[string]any)
		for k, e := range v {
			b, _ := json.Marshal(k)
			m[string(b)] = textKeys(e)
		}
		return m
	case []any:
		for i := range v {
			v[i] = textKeys(v[i])
		}
	}
	return v
}
