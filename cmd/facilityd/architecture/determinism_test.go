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
	"devices/profile/...", "rules", "rules/detect", "ticketing", "ticketing/calendar", "ticketing/roster",
}

// clocks are the functions that read or follow the machine's clock.
var clocks = map[string]bool{
	"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true,
	"Tick": true, "NewTicker": true, "NewTimer": true, "Sleep": true,
}

// Remarks that allow what the test forbids, with the reason why it reaches no
// output. They stand on the line or on the one before.
const (
	orderless = "order does not matter:"
	guard     = "the clock is only a guard:"
)

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
		// As the program is built, so that what it imports is compiled already.
		Env: append(os.Environ(), "CGO_ENABLED=0"), BuildFlags: []string{"-trimpath"},
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
	remarked := map[string]map[int]bool{orderless: {}, guard: {}}
	for _, group := range f.Comments {
		for _, c := range group.List {
			for remark, lines := range remarked {
				if strings.Contains(c.Text, remark) {
					line := fset.Position(c.End()).Line
					lines[line], lines[line+1] = true, true
				}
			}
		}
	}
	excused := func(remark string, n ast.Node) bool { return remarked[remark][fset.Position(n.Pos()).Line] }
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
				if _, isMap := tv.Type.Underlying().(*types.Map); isMap && !excused(orderless, n) && !sortedAfter(info, n, parents) && !copies(info, n) {
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
				if clocks[name] && !excused(guard, n) {
					report(n, "reads the clock with time."+name+"; time is passed in, or say on the line \"// "+guard+" why\"")
				}
			case "math/rand/v2":
				if !strings.HasPrefix(name, "New") {
					report(n, "draws from a generator without a seed: rand."+name)
				}
			case "maps":
				if (name == "Keys" || name == "Values" || name == "All") && !sorted(info, parents) && !excused(orderless, n) {
					report(n, "walks over a map in random order with maps."+name+"; use slices.Sorted, or say on the line \"// "+orderless+" why\"")
				}
			}
		}
		parents = append(parents, n)
		return true
	})
	return findings
}

// sortedAfter reports whether the loop only collects into a slice that is sorted
// later in the same block.
func sortedAfter(info *types.Info, loop *ast.RangeStmt, parents []ast.Node) bool {
	block, ok := parents[len(parents)-1].(*ast.BlockStmt)
	if !ok {
		return false
	}
	collected := make(map[types.Object]bool)
	if !onlyAppends(info, loop.Body.List, collected) {
		return false
	}
	for _, stmt := range block.List {
		expr, ok := stmt.(*ast.ExprStmt)
		if !ok || stmt.Pos() < loop.End() {
			continue
		}
		if call, ok := expr.X.(*ast.CallExpr); ok && isSort(info, call) {
			delete(collected, variable(info, call.Args[0]))
		}
	}
	return len(collected) == 0
}

// onlyAppends reports whether statements do nothing but append to slices, maybe
// under a condition, and notes the slices.
func onlyAppends(info *types.Info, body []ast.Stmt, to map[types.Object]bool) bool {
	for _, stmt := range body {
		switch s := stmt.(type) {
		case *ast.IfStmt:
			if s.Else != nil || !onlyAppends(info, s.Body.List, to) {
				return false
			}
		case *ast.AssignStmt:
			call, ok := s.Rhs[0].(*ast.CallExpr)
			if !ok || len(s.Lhs) != 1 || s.Tok != token.ASSIGN {
				return false
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "append" {
				return false
			}
			v := variable(info, s.Lhs[0])
			if v == nil {
				return false
			}
			to[v] = true
		default:
			return false
		}
	}
	return true
}

// copies reports whether the loop only fills another map, each key once.
func copies(info *types.Info, loop *ast.RangeStmt) bool {
	key, ok := loop.Key.(*ast.Ident)
	if !ok || len(loop.Body.List) != 1 {
		return false
	}
	assign, ok := loop.Body.List[0].(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 1 {
		return false
	}
	index, ok := assign.Lhs[0].(*ast.IndexExpr)
	if !ok {
		return false
	}
	_, isMap := info.Types[index.X].Type.Underlying().(*types.Map)
	at, ok := index.Index.(*ast.Ident)
	return isMap && ok && at.Name == key.Name
}

// isSort reports whether a call sorts its first argument by package slices.
func isSort(info *types.Info, call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	fn, ok := info.Uses[sel.Sel].(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == "slices" && strings.HasPrefix(fn.Name(), "Sort")
}

// variable is what an expression names: a variable, or a field.
func variable(info *types.Info, e ast.Expr) types.Object {
	switch e := e.(type) {
	case *ast.Ident:
		return info.ObjectOf(e)
	case *ast.SelectorExpr:
		return info.ObjectOf(e.Sel)
	}
	return nil
}

// sorted reports whether the walk, whose call is the innermost parent, is the
// argument of a function that sorts it.
func sorted(info *types.Info, parents []ast.Node) bool {
	if len(parents) < 2 {
		return false
	}
	outer, ok := parents[len(parents)-2].(*ast.CallExpr)
	return ok && isSort(info, outer)
}
