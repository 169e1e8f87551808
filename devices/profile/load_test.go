package profile_test

import (
	"io/fs"
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
