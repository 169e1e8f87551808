package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program is the binary that the tests drive: the one that E2E_PROGRAM names, or
// one that is built from the source.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "facilityd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if program = os.Getenv("E2E_PROGRAM"); program == "" {
		if program, err = Build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// write puts files into a new directory and returns it. {{dir}} in a text stands
// for the directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeIn(t, dir, files)
	return dir
}

// writeIn puts files into a directory that exists.
func writeIn(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "{{dir}}", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// recordings returns the directory of labelled telemetry: FACILITYD_SHARED, or
// shared beside the repository.
func recordings(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("FACILITYD_SHARED")
	if dir == "" {
		dir = "../../../../shared"
	}
	dir = filepath.Join(dir, "data")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("no recorded telemetry: set FACILITYD_SHARED to the directory that holds data/skab (%v)", err)
	}
	return dir
}
