package architecture

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gopackages "golang.org/x/tools/go/packages"
)

// deterministic are the packages of which the same input must give the same
// output byte for byte, in every run.
var deterministic = []string{
	"devices/profile/...", "rules", "rules/detect", "ticketing", "ticketing/calendar",
}

// clocks are the functions that read or follow the machine's clock.
var clocks = map[string]bool{
	"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true,
	"Tick": true, "NewTicker": true, "NewTimer": true, "Sleep": true,
}

// orderless is the remark that allows a walk over a map: why its order reaches no
// output. It stands on the line or on the one before.
const orderless = "order does not matter:"

func TestSameInputSameOutput(t *testing.T) {
	var patterns []string
	for _, p := range packages(t) {
		if within(p.name(), deterministic) && len(p.GoFiles) > 0 {
			patterns = append(patterns, p.ImportPath)
		}
	}
	for _, p := range load(t, patterns...) {
		if len(p.Errors) > 0 {
			t.Errorf("%s: %v", p.PkgPath, p.Errors[0])
			continue
		}
		for _, f := range p.Syntax {
			for _, finding := range undetermined(p.Fset, p.TypesInfo, f) {
				t.Error(finding)
			}
		}
	}
}

// TestWhatIsUndeterminedIsFound runs the check over a package that does
// everything that it forbids.
func TestWhatIsUndeterminedIsFound(t *testing.T) {
	p := load(t, "./cmd/facilityd/architecture/testdata/undetermined")[0]
	if len(p.Errors) > 0 {
		t.Fatal(p.Errors)
	}
	var got, want []int
	for _, finding := range undetermined(p.Fset, p.TypesInfo, p.Syntax[0]) {
		line, err := strconv.Atoi(strings.Split(finding, ":")[1])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	text, err := os.ReadFile(p.GoFiles[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(line, "// want") {
			want = append(want, i+1)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found on lines %v, want %v", got, want)
	}
}

func load(t *testing.T, patterns ...string) []*gopackages.Package {
	t.Helper()
	loaded, err := gopackages.Load(&gopackages.Config{
		Dir: root(t),
		Mode: gopackages.NeedName | gopackages.NeedFiles | gopackages.NeedSyntax | gopackages.NeedTypes |
			gopackages.NeedTypesInfo | gopackages.NeedImports | gopackages.NeedExportFile,
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// undetermined returns what in a file may give another output in another run.
func undetermined(fset *token.FileSet, info *types.Info, f *ast.File) []string {
	remarked := make(map[int]bool)
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.Contains(c.Text, orderless) {
				line := fset.Position(c.End()).Line
				remarked[line], remarked[line+1] = true, true
			}
		}
	}
	var findings []string
	report := func(n ast.Node, what string) {
		findings = append(findings, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), what))
	}
	var parents []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			parents = parents[:len(parents)-1]
			return true
		}
		switch n := n.(type) {
		case *ast.RangeStmt:
			if tv, ok := info.Types[n.X]; ok && tv.Type != nil {
				if _, isMap := tv.Type.Underlying().(*types.Map); isMap && !remarked[fset.Position(n.Pos()).Line] {
					report(n, "walks over a map in random order; sort the keys, or say on the line \"// "+orderless+" why\"")
				}
			}
		case *ast.SelectorExpr:
			fn, ok := info.Uses[n.Sel].(*types.Func)
			if !ok || fn.Pkg() == nil || fn.Signature().Recv() != nil {
				break
			}
			switch name := fn.Name(); fn.Pkg().Path() {
			case "time":
				if clocks[name] {
					report(n, "reads the clock with time."+name+"; time is passed in")
				}
			case "math/rand/v2":
				if !strings.HasPrefix(name, "New") {
					report(n, "draws from a generator without a seed: rand."+name)
				}
			case "maps":
				if (name == "Keys" || name == "Values" || name == "All") && !sorted(info, parents) && !remarked[fset.Position(n.Pos()).Line] {
					report(n, "walks over a map in random order with maps."+name+"; use slices.Sorted, or say on the line \"// "+orderless+" why\"")
				}
			}
		}
		parents = append(parents, n)
		return true
	})
	return findings
}

// sorted reports whether the walk, whose call is the innermost parent, is the
// argument of a function that sorts it.
func sorted(info *types.Info, parents []ast.Node) bool {
	if len(parents) < 2 {
		return false
	}
	outer, ok := parents[len(parents)-2].(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := outer.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := info.Uses[sel.Sel].(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == "slices" && strings.HasPrefix(fn.Name(), "Sorted")
}
