package deploy

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestDockerfileBuildsWhatMakeBuilds compares the two build lines: an image with
// another binary than the one that was tested would be found late.
func TestDockerfileBuildsWhatMakeBuilds(t *testing.T) {
	find := func(file, pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, filepath.Join("../..", file)))
		if m == nil {
			t.Fatalf("%s has no build line", file)
		}
		return strings.NewReplacer("$(VERSION)", "VERSION", "${VERSION}", "VERSION").Replace(strings.TrimSpace(m[1]))
	}
	mk := find("Makefile", `(?m)^BUILD +:= (.*)$`)
	docker := find("Dockerfile", `(?m)^RUN (CGO_ENABLED=0 go build .*) -o \S+ \./cmd/facilityd$`)
	if mk != docker {
		t.Errorf("the image is built by\n  %s\nand make builds with\n  %s", docker, mk)
	}
}

// TestDockerfileHasTheGoOfTheModule keeps the toolchain of the image with go.mod.
func TestDockerfileHasTheGoOfTheModule(t *testing.T) {
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../../go.mod"))
	image := regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+)-`).FindStringSubmatch(read(t, "../../Dockerfile"))
	if module == nil || image == nil || module[1] != image[1] {
		t.Errorf("go.mod has %v, Dockerfile has %v", module, image)
	}
}

// TestTheImageSeesAllSources keeps .dockerignore and the COPY lines with the
// directories of the repository.
func TestTheImageSeesAllSources(t *testing.T) {
	docker, ignore := read(t, "../../Dockerfile"), read(t, "../../.dockerignore")
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if found, _ := filepath.Glob(filepath.Join("../..", name, "*.go")); !e.IsDir() || strings.HasPrefix(name, ".") ||
			len(found) == 0 && name != "cmd" {
			continue
		}
		if !strings.Contains(docker, "COPY "+name+" ./"+name+"\n") {
			t.Errorf("Dockerfile does not copy %s", name)
		}
		if !strings.Contains(ignore, "\n!"+name+"\n") {
			t.Errorf(".dockerignore leaves out %s", name)
		}
	}
}

// TestUnit lets systemd read the unit, and holds how much of the machine the
// daemon could touch: 0 is nothing, 10 is everything.
func TestUnit(t *testing.T) {
	unit := filepath.Join(t.TempDir(), "facilityd.service")
	// verify wants the program to exist.
	text := strings.Replace(read(t, "facilityd.service"), "ExecStart=/usr/local/bin/facilityd ", "ExecStart=/bin/true ", 1)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "systemd-analyze", "verify", "--man=no", unit); strings.Contains(out, "facilityd.service") {
		t.Errorf("systemd says:\n%s", out)
	}
	run(t, "systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
}

func TestPrometheusFiles(t *testing.T) {
	run(t, "promtool", "check", "config", "prometheus/prometheus.yml")
	run(t, "promtool", "check", "rules", "--lint-fatal", "prometheus/facilityd.rules.yml")
	run(t, "promtool", "test", "rules", "prometheus/facilityd.rules_test.yml")
}

// TestAlertsAreAboutMetricsThatExist looks every metric of the alerts up in the
// sources: a name that was changed there would silence its alert here.
func TestAlertsAreAboutMetricsThatExist(t *testing.T) {
	words := make(map[string]bool) // of all string literals
	quoted := regexp.MustCompile(`"([a-z][a-z0-9_]*)"`)
	for _, room := range []string{"cmd", "devices", "rules", "ticketing"} {
		err := filepath.WalkDir(filepath.Join("../..", room), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, m := range quoted.FindAllStringSubmatch(read(t, path), -1) {
				words[m[1]] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A name is written whole, or as a room's prefix and the rest.
	exists := func(name string) bool {
		for i := range name {
			if name[i] == '_' && words[name[:i+1]] && words[name[i+1:]] {
				return true
			}
		}
		return words[name]
	}
	names := regexp.MustCompile(`facilityd_[a-z0-9_]+`).FindAllString(read(t, "prometheus/facilityd.rules.yml"), -1)
	if len(names) == 0 {
		t.Fatal("the alerts name no metrics")
	}
	for _, name := range names {
		if !exists(name) {
			t.Errorf("nothing counts %s", name)
		}
	}
}
