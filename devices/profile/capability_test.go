package profile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices/profile"
)

// TestCapabilities loads one small profile per capability that the language
// promises and that no shipped profile needs; its own tests run at load.
func TestCapabilities(t *testing.T) {
	files, err := filepath.Glob("testdata/capabilities/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no capabilities", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			set, list := profile.Load([]profile.Source{{Name: filepath.Base(f), Data: data}}, profile.LoadOptions{})
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			if len(set.Profiles()[0].Spec.Tests) == 0 {
				t.Error("the capability is not tested")
			}
		})
	}
}
