package profile_test

import (
	"io/fs"
	"os"
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
