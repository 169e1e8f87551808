package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing"
)

// TestScripts pins what the commands print and how they end, a topic a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			return errors.Join(
				os.WriteFile(filepath.Join(env.WorkDir, "flow.csv"), stepOfFlow(), 0o644),
				os.WriteFile(filepath.Join(env.WorkDir, "march.csv"), nightOfBearings(), 0o644))
		},
	})
}

// stepOfFlow is a table of a flow that is steady for 500 s and then is not.
func stepOfFlow() []byte {
	chance := rand.New(rand.NewPCG(1, 0))
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	table := []byte("time,flow\n")
	for i := range 600 {
		flow := 10 + 0.2*chance.NormFloat64()
		if i >= 500 {
			flow += 6
		}
		table = fmt.Appendf(table, "%s,%.3f\n", at.Add(time.Duration(i)*time.Second).Format(time.RFC3339), flow)
	}
	return table
}

// nightOfBearings is a table of two pumps, every ten minutes of five hours: the
// bearing of the first is warm from 1:00, hot from 2:00 and cool again from 3:00; that
// of the second is warm from 4:00.
func nightOfBearings() []byte {
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.FixedZone("CST", 8*3600))
	table := []byte("time,device,point,value\n")
	for k := range 31 {
		first, second := 50, 50
		switch {
		case k >= 24:
			second = 75
		case k >= 18:
		case k >= 12:
			first = 85
		case k >= 6:
			first = 75
		}
		now := at.Add(time.Duration(k) * 10 * time.Minute).Format(time.RFC3339)
		table = fmt.Appendf(table, "%s,pump-1,bearing_temp,%d\n%s,pump-2,bearing_temp,%d\n%s,pump-2,bearing_tmp,0\n", now, first, now, second, now)
	}
	return table
}

var quoted = regexp.MustCompile(`"[^"]*"`)

// TestExamplesCanBeTyped parses every line of every help text that begins like a
// command: the command and its flags exist.
func TestExamplesCanBeTyped(t *testing.T) {
	parsed := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short text is %q", cmd.CommandPath(), cmd.Short)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			_, typed, ok := strings.Cut(" "+strings.TrimSpace(line), " facilityd ")
			if !ok || !strings.HasPrefix(line, "  ") {
				continue
			}
			if err := canBeTyped(typed); err != nil {
				t.Errorf("%s teaches %q: %v", cmd.CommandPath(), typed, err)
			}
			parsed++
		}
	}
	walk(rootCommand())
	page, err := os.ReadFile("../../rules/backtest/README.md")
	if err != nil {
		t.Fatal(err)
	}
	walk(&cobra.Command{Use: "the page on backtests", Short: "page", Long: strings.ReplaceAll(string(page), "\nfacilityd ", "\n  facilityd ")})
	if parsed < 12 {
		t.Errorf("only %d examples were found", parsed)
	}
}

// What can be done with an order can be done on the command line.
func TestEveryCommandOfAnOrderIsASubcommand(t *testing.T) {
	order := orderCommand()
	for _, v := range ticketing.Verbs() {
		name := strings.ReplaceAll(string(v), "_", "-")
		if sub, _, err := order.Find([]string{name}); err != nil || sub.Name() != name || sub.Example == "" {
			t.Errorf("facilityd order %s: %v", name, err)
		}
	}
}

// canBeTyped parses what stands behind "facilityd": the command and its flags exist.
func canBeTyped(line string) error {
	line, _, _ = strings.Cut(line, "   ") // what it does stands behind
	line, _, _ = strings.Cut(line, " > ")
	line = quoted.ReplaceAllStringFunc(line, func(q string) string { return strings.ReplaceAll(q, " ", "-") })
	cmd, args, err := rootCommand().Find(strings.Fields(line))
	if err == nil {
		err = cmd.ParseFlags(args)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err == nil && !cmd.HasParent() {
		err = errors.New("there is no such command")
	}
	return err
}

func TestCommandsOfThePeopleGuideCanBeTyped(t *testing.T) {
	text, err := os.ReadFile("../../configs/people/GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	fenced := false
	inline := regexp.MustCompile("`facilityd ([^`]+)`")
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if typed, ok := strings.CutPrefix(line, "facilityd "); ok && fenced {
			lines = append(lines, strings.TrimSpace(typed))
		}
		for _, m := range inline.FindAllStringSubmatch(line, -1) {
			lines = append(lines, m[1])
		}
	}
	if len(lines) < 6 {
		t.Errorf("only %d commands were found", len(lines))
	}
	for _, line := range lines {
		if line == "person add" { // named without its argument
			continue
		}
		if err := canBeTyped(line); err != nil {
			t.Errorf("the guide teaches %q: %v", line, err)
		}
	}
}
