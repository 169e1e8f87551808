package profile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/configs/profiles"
	"github.com/facilityd/facilityd/devices/profile"
)

func shipped(t testing.TB) []profile.Source {
	t.Helper()
	names, err := fs.Glob(profiles.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var files []profile.Source
	for _, n := range names {
		data, err := profiles.FS.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, profile.Source{Name: n, Data: data})
	}
	return files
}

func TestShippedProfilesLoad(t *testing.T) {
	set, list := profile.Load(shipped(t), profile.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	t.Log(len(set.Profiles()), "profiles", set.Filters())
}

// TestDocumentedProfilesLoad loads every whole profile that stands in the
// language's documentation.
func TestDocumentedProfilesLoad(t *testing.T) {
	for _, name := range []string{"README.md", "GUIDE.md"} {
		data, err := os.ReadFile("../../configs/profiles/" + name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(data), "```yaml\n")[1:]
		n := 0
		for _, b := range blocks {
			text, _, _ := strings.Cut(b, "```")
			if !strings.HasPrefix(text, "profile:") {
				continue
			}
			n++
			_, list := profile.Load([]profile.Source{{Name: name, Data: []byte(text)}}, profile.LoadOptions{})
			if err := list.Err(); err != nil {
				t.Errorf("%s, profile %d: %v", name, n, err)
			}
		}
		if n == 0 {
			t.Errorf("%s shows no whole profile", name)
		}
	}
}

// TestGoCodeNamesNoMaker: what a maker's device means is in profiles. The one
// exception is the name of a JavaScript calling convention.
func TestGoCodeNamesNoMaker(t *testing.T) {
	set := shippedSet(t)
	var makers []string
	for _, p := range set.Profiles() {
		if m := strings.ToLower(p.Spec.Maker); m != "" && !strings.ContainsAny(m, " ,(") && len(m) > 3 && !slices.Contains([]string{"various", "chirpstack"}, m) {
			makers = append(makers, m)
		}
		for _, m := range p.Spec.Models {
			if name, _, _ := strings.Cut(strings.ToLower(m.Text), " "); len(name) > 4 && strings.ContainsAny(name, "0123456789") {
				makers = append(makers, name)
			}
		}
	}
	if len(makers) < 10 {
		t.Fatal("too few makers to look for", makers)
	}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for line := range strings.Lines(strings.ToLower(string(data))) {
			for _, m := range makers {
				if strings.Contains(line, m) && !strings.Contains(line, `"github.com/`) { // who publishes a library is no device
					t.Errorf("%s names %s: %s", path, m, line)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
