package architecture

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// longest is how many lines a file may have. Where code is hard to find one's way
// in there is a file beyond it.
const longest = 600

// topLevel is what may lie beside go.mod, and files that begin with a dot.
var topLevel = regexp.MustCompile(`^(cmd|devices|rules|ticketing|configs|go\.mod|go\.sum|tools\.mod|tools\.sum|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|Dockerfile|Makefile|LICENSE|\..*)$`)

// empty names say nothing about what a package is for.
var empty = regexp.MustCompile(`^(util|utils|common|helper|helpers|misc|types|model|models|core|base|shared|internal|pkg|lib|manager|service)$`)

// tracked returns the files of the repository as git knows them, new ones too,
// or what lies there when this is no repository.
func tracked(t *testing.T) []string {
	t.Helper()
	dir := root(t)
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = dir
	var files []string
	if out, err := cmd.Output(); err == nil {
		for name := range strings.SplitSeq(string(out), "\x00") {
			if _, err := os.Stat(filepath.Join(dir, name)); name != "" && err == nil {
				files = append(files, name)
			}
		}
		return files
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files = append(files, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTopLevelIsFixed(t *testing.T) {
	for _, file := range tracked(t) {
		if first, _, _ := strings.Cut(file, "/"); !topLevel.MatchString(first) {
			t.Errorf("%s: %s does not belong at the top level", file, first)
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	for _, p := range packages(t) {
		for part := range strings.SplitSeq(p.name(), "/") {
			if empty.MatchString(part) {
				t.Errorf("%s: the name %q does not say what the package is for", p.name(), part)
			}
		}
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment that gives its one reason to exist", p.name())
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	dir := root(t)
	generated := regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	for _, file := range tracked(t) {
		if filepath.Ext(file) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > longest && !generated.Match(text) {
			t.Errorf("%s has %d lines, more than %d: split it by what it is for", file, n, longest)
		}
	}
}

// TestTestsRunAndDoNotWaitByTheClock forbids tests that skip, and those that hope
// that something has happened after a while. A short sleep between two looks at a
// condition is a loop's, and under testing/synctest no sleep takes time.
func TestTestsRunAndDoNotWaitByTheClock(t *testing.T) {
	dir := root(t)
	for _, file := range tracked(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		fakeTime := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
		loops := 0
		var ends []token.Pos
		ast.Inspect(f, func(n ast.Node) bool {
			for n != nil && len(ends) > 0 && n.Pos() >= ends[len(ends)-1] {
				ends = ends[:len(ends)-1]
				loops--
			}
			switch n := n.(type) {
			case *ast.ForStmt:
				loops++
				ends = append(ends, n.End())
			case *ast.SelectorExpr:
				at := file + ":" + strconv.Itoa(fset.Position(n.Pos()).Line)
				of, _ := n.X.(*ast.Ident)
				switch n.Sel.Name {
				case "Skip", "SkipNow", "Skipf":
					t.Errorf("%s skips: a test that did not run proves nothing; make what it needs part of the test command", at)
				case "Sleep":
					if of != nil && of.Name == "time" && loops == 0 && !fakeTime {
						t.Errorf("%s waits by the clock: poll for the condition, or use testing/synctest", at)
					}
				}
			}
			return true
		})
	}
}
