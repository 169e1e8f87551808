package recording

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/configs/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMapFindings: what a person is told about each map of testdata/maps,
// checked against a file with the columns datetime, Current, Flow, Kind.
func TestMapFindings(t *testing.T) {
	files, err := filepath.Glob("testdata/maps/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, list := ParseMap(filepath.Base(file), data)
		if !list.HasErrors() {
			var more diag.List
			_, more = NewReader(strings.NewReader("datetime,Current,Flow,Kind\n"), "data.csv", m, Options{})
			list = append(list, more...)
		}
		var b strings.Builder
		if err := list.Print(&b); err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s\n%s", file, d)
		}
		if b.Len() == 0 {
			t.Errorf("%s has no findings", file)
		}
	}
}

// TestShippedMaps: every map in configs/replay is without findings.
func TestShippedMaps(t *testing.T) {
	files, err := filepath.Glob("../../../configs/replay/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, list := ParseMap(file, data); len(list) > 0 {
			t.Error(list.Err())
		}
	}
}

func FuzzParseMap(f *testing.F) {
	files, _ := filepath.Glob("testdata/maps/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, list := ParseMap("m.yaml", data)
		if list.HasErrors() {
			return
		}
		if _, list = NewReader(strings.NewReader("t,x,y\n1,2,3\n"), "d.csv", m, Options{}); list.HasErrors() {
			return
		}
	})
}
