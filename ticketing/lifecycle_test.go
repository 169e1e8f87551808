package ticketing

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write lifecycle.md anew")

// The drawing in the documentation is made from the table.
func TestLifecycleDrawingIsTheTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The life of a work order\n\nDrawn from the table `Transitions` in state.go by `go test ./ticketing -run Lifecycle -update`.\n\n```mermaid\nstateDiagram-v2\n")
	for _, tr := range Transitions {
		if tr.To == "" {
			continue
		}
		for _, from := range tr.From {
			name := string(from)
			if from == "" {
				name = "[*]"
			}
			fmt.Fprintf(&b, "    %s --> %s: %s\n", name, tr.To, tr.Kind)
		}
	}
	b.WriteString("    closed --> [*]\n    cancelled --> [*]\n```\n\nEntries that leave the state as it is:\n\n| entry | in the states |\n| --- | --- |\n")
	for _, tr := range Transitions {
		if tr.To == "" {
			states := "all"
			if len(tr.From) < len(States) {
				states = strings.Trim(fmt.Sprint(tr.From), "[]")
			}
			fmt.Fprintf(&b, "| %s | %s |\n", tr.Kind, states)
		}
	}
	if *update {
		if err := os.WriteFile("lifecycle.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("lifecycle.md")
	if err != nil || string(have) != b.String() {
		t.Errorf("lifecycle.md is not what the table says; run with -update (%v)", err)
	}
}
