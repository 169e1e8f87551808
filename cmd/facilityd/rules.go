package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs/diag"
	shipped "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/scenario"
)

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Check and test rules before they page anybody",
	}
	cmd.AddCommand(rulesListCommand(), rulesCheckCommand(), rulesTestCommand(), rulesFunctionsCommand())
	return cmd
}

func rulesCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE|DIR…]",
		Short: "Look for rules that cannot mean what they say",
		Long: `Loads rule files and tries their conditions out: a threshold that is never true, a
clear condition that holds together with it or never, severities the wrong way round,
units that do not fit, a role that no profile gives, a mute that never mutes. Every
finding names file, line and column. Without arguments the shipped rules are checked,
against the shipped profiles.

With --config the rules and profiles of a daemon's settings are checked, and whether
its journal keeps as much of the past as the rules look at.`,
		Example: "  facilityd rules check my-rules/\n  facilityd rules check --config facilityd.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			set, list, err := checkedRules(cmd, args)
			if err != nil {
				return err
			}
			if err := list.Print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if list.HasErrors() || set == nil {
				return exitError{}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rules, %d mutes, no errors\n", len(set.Rules), len(set.Mutes))
			return nil
		},
	}
	settingsFlags(cmd)
	return cmd
}

// checkedRules loads and checks the rules that arguments or settings name; the set is
// nil when they do not load.
func checkedRules(cmd *cobra.Command, args []string) (*rules.Set, diag.List, error) {
	if cmd.Flags().Changed("config") {
		if len(args) > 0 {
			return nil, nil, errors.New("give either files or --config: the settings name their own")
		}
		e, err := loadSettings(cmd)
		if err != nil {
			return nil, nil, err
		}
		bundles, list := daemon.Check(&e.Settings)
		if len(bundles) == 0 || list.HasErrors() {
			return nil, list, nil
		}
		list = append(list, daemon.CheckRules(&e.Settings, bundles[0])...) // sites share rules and profiles
		list.Sort()
		return bundles[0].Rules, list, nil
	}
	profiles, more, err := loadProfiles(cmd, "", true)
	if err = errors.Join(err, more.Err()); err != nil {
		return nil, nil, err
	}
	set, list, err := readRules(args)
	if err != nil || set == nil {
		return nil, list, err
	}
	list = append(list, set.Check(rules.CheckOptions{Roles: profiles.Roles()})...)
	list.Sort()
	return set, list, nil
}

func rulesTestCommand() *cobra.Command {
	var mutate, approve bool
	var only []string
	cmd := &cobra.Command{
		Use:   "test [FILE|DIR…]",
		Short: "Run the tests that rules carry, and those made from them",
		Long: `Runs every test of every rule in the live engine. Ten kinds are demanded of a
rule: normal, fault, boundary, gap, duplicate, out of order, irregular sampling,
equipment off, start-up, missing role. All but the first two are made from the
tests that the rule carries. A rule that lacks a kind that applies to it fails.

What a rule does in every one of these courses can be approved: --approve writes
it beside the rules (pump.yaml: pump.approved) for you to read and to keep. From
then on a rule that does anything else fails.

With --mutate each rule is changed in small ways, and changes that no test notices
are listed. Without arguments the shipped rules are tested.`,
		Example: `  facilityd rules test
  facilityd rules test --rule bearing-hot --mutate`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, list, err := readRules(args)
			if err != nil {
				return err
			}
			if set == nil {
				_ = list.Print(cmd.OutOrStdout())
				return exitError{}
			}
			chosen := slices.DeleteFunc(slices.Clone(set.Rules), func(r *rules.Rule) bool {
				return len(only) > 0 && !slices.Contains(only, r.ID)
			})
			if len(chosen) == 0 {
				return fmt.Errorf("no rule is named %s", strings.Join(only, ", "))
			}
			files, err := ruleFiles(args)
			if err != nil {
				return err
			}
			if approve {
				if len(args) == 0 || len(only) > 0 {
					return errors.New("--approve needs the files whose rules are approved, all of them: facilityd rules test --approve my-rules")
				}
				if err := approveRules(cmd.OutOrStdout(), files, chosen); err != nil {
					return err
				}
			}
			approved, err := approvedRecords(args, files)
			if err != nil {
				return err
			}
			good, err := testRules(cmd.OutOrStdout(), chosen, approved)
			if err != nil {
				return err
			}
			if mutate {
				if err := mutateRules(cmd.OutOrStdout(), files, chosen, approved); err != nil {
					return err
				}
			}
			if !good {
				return exitError{}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&mutate, "mutate", false, "change rules and list what no test notices")
	cmd.Flags().BoolVar(&approve, "approve", false, "write down what the rules do, beside their files")
	cmd.Flags().StringSliceVar(&only, "rule", nil, "test this rule only (may be repeated)")
	return cmd
}

// testRules runs rules on all cores and prints a line for each, in their order.
func testRules(out io.Writer, list []*rules.Rule, approved map[string][]byte) (good bool, err error) {
	results := make([]scenario.Result, len(list))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k, r := range list {
		g.Go(func() error { results[k] = scenario.Run(r, scenario.Approved(approved[r.File], r.ID)); return nil })
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	failed, lacking := 0, 0
	for _, res := range results {
		verdict := "ok"
		switch {
		case len(res.Failures) > 0:
			verdict = "FAILED"
			failed++
		case len(res.Lacks) > 0:
			verdict = "LACKS TESTS"
			lacking++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", res.Rule, verdict, triedKinds(&res))
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	for _, res := range results {
		for _, f := range res.Failures {
			fmt.Fprintln(out, f)
		}
		for _, l := range res.Lacks {
			fmt.Fprintf(out, "rule %s has no test of the kind %s: %s\n", res.Rule, l.Kind, l.Why)
		}
	}
	fmt.Fprintf(out, "%d rules, %d failed, %d lack tests\n", len(list), failed, lacking)
	return failed+lacking == 0, nil
}

// triedKinds lists what was tried, and what cannot be.
func triedKinds(res *scenario.Result) string {
	names := make([]string, len(res.Ran))
	for j, kind := range res.Ran {
		names[j] = string(kind)
	}
	text := strings.Join(names, ", ")
	for _, n := range res.NotApplicable {
		text += fmt.Sprintf("; no %s: %s", n.Kind, n.Why)
	}
	return text
}

// approvedFile is where the approved record of a rule file lies.
func approvedFile(rules string) string { return strings.TrimSuffix(rules, ".yaml") + ".approved" }

// approvedRecords reads what was approved, by rule file.
func approvedRecords(args []string, files []rules.File) (map[string][]byte, error) {
	out := make(map[string][]byte)
	for _, f := range files {
		read := os.ReadFile
		if len(args) == 0 {
			read = shipped.FS.ReadFile
		}
		data, err := read(approvedFile(f.Name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read what was approved: %w", err)
		}
		out[f.Name] = data
	}
	return out, nil
}

// approveRules writes down what the rules of each file do.
func approveRules(out io.Writer, files []rules.File, list []*rules.Rule) error {
	for _, f := range files {
		var text strings.Builder
		for _, r := range list {
			if r.File != f.Name {
				continue
			}
			for _, line := range scenario.Record(r) {
				text.WriteString(line + "\n")
			}
		}
		name := approvedFile(f.Name)
		if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
			return fmt.Errorf("write what was approved: %w", err)
		}
		fmt.Fprintf(out, "%s: read what changed in it before you keep it\n", name)
	}
	return nil
}

func mutateRules(out io.Writer, files []rules.File, list []*rules.Rule, approved map[string][]byte) error {
	mutants := make([][]scenario.Mutant, len(list))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k, r := range list {
		f := files[slices.IndexFunc(files, func(f rules.File) bool { return f.Name == r.File })]
		g.Go(func() (err error) {
			mutants[k], err = scenario.Mutate(f, r, scenario.Approved(approved[r.File], r.ID))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	killed, total := 0, 0
	for _, ms := range mutants {
		for _, m := range ms {
			total++
			if m.Killed {
				killed++
				continue
			}
			fmt.Fprintf(out, "not noticed: %s: %s\n", m.Rule, m.Change)
		}
	}
	fmt.Fprintf(out, "%d of %d changes noticed (%.1f %%)\n", killed, total, 100*float64(killed)/float64(max(total, 1)))
	return nil
}

func rulesListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [FILE|DIR…]",
		Short: "List rules, and which of them are on by default",
		Long: `Lists rules by id: whether each is on, the class of asset that it is for, what it
finds, and its title. A site file switches rules on and off:

  rules: {enable: [bearing-hot], disable: [gate-service-due]}

Without arguments the shipped rules are listed.`,
		Example: "  facilityd rules list",
		RunE: func(cmd *cobra.Command, args []string) error {
			set, list, err := readRules(args)
			if err != nil {
				return err
			}
			if set == nil {
				_ = list.Print(cmd.OutOrStdout())
				return exitError{}
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, r := range set.Rules {
				state := "off"
				if r.Enabled {
					state = "on"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, state, strings.Join(r.Classes, ", "), r.FaultClass.ID, r.Title.EN)
			}
			return w.Flush()
		},
	}
}

func rulesFunctionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "functions",
		Short: "List the functions of the rule language",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), rules.Describe())
			return err
		},
	}
}

// readRules loads the files and directories named, or the shipped rules.
func readRules(args []string) (*rules.Set, diag.List, error) {
	files, err := ruleFiles(args)
	if err != nil {
		return nil, nil, err
	}
	set, list := rules.Load(files, rules.LoadOptions{})
	return set, list, nil
}

func ruleFiles(args []string) ([]rules.File, error) {
	if len(args) == 0 {
		return rulesIn(shipped.FS, "")
	}
	var out []rules.File
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		if info.IsDir() {
			files, err := rulesIn(os.DirFS(a), a)
			if err != nil {
				return nil, err
			}
			out = append(out, files...)
			continue
		}
		data, err := os.ReadFile(a)
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		out = append(out, rules.File{Name: a, Data: data})
	}
	return out, nil
}

func rulesIn(dir fs.FS, under string) ([]rules.File, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	var out []rules.File
	for _, n := range names {
		data, err := fs.ReadFile(dir, n)
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		out = append(out, rules.File{Name: filepath.Join(under, n), Data: data})
	}
	return out, nil
}
