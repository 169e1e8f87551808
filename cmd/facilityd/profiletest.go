package main

import (
	"encoding/json"

	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices/profile"
)

func profileTestCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test [CASE.json …]",
		Short: "Run the tests inside profiles, and case files",
		Long: `Runs the tests inside the profiles. Case files are messages with what a correct
decoder gives; they are compared by value, unit, time, quality and availability.
The exit status is 1 when anything differs.`,
		Example: `  facilityd profile test
  facilityd profile test --profiles my-profiles captured/*.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, list, err := loadProfiles(cmd, dir, false)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			failed := list.HasErrors()
			if len(args) == 0 && !asJSON {
				tests := 0
				for _, p := range set.Profiles() {
					tests += len(p.Spec.Tests)
				}
				fmt.Fprintf(out, "%d profiles, %d tests inside them passed\n", len(set.Profiles()), tests)
			}
			names, err := caseFiles(args)
			if err != nil {
				return err
			}
			passed := 0
			for _, name := range names {
				res := runCaseFile(set, name)
				if res.Pass {
					passed++
				} else {
					failed = true
				}
				if asJSON {
					if err := json.NewEncoder(out).Encode(res); err != nil {
						return err
					}
					continue
				}
				printResult(cmd, &res)
			}
			if len(args) > 0 && !asJSON {
				fmt.Fprintf(out, "%d of %d\n", passed, len(names))
			}
			if failed {
				return exitError{}
			}
			return nil
		},
	}
	profilesFlag(cmd, &dir)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one object per case: id, pass, differences")
	return cmd
}

// caseFiles lists the files that are named, and the *.json of directories.
func caseFiles(args []string) ([]string, error) {
	var names []string
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil || !info.IsDir() {
			names = append(names, a)
			continue
		}
		found, err := filepath.Glob(filepath.Join(a, "*.json"))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("there is no case file (*.json) in %s", a)
		}
		names = append(names, found...)
	}
	return names, nil
}

// runCaseFile runs one case; what cannot be read is a case that fails.
func runCaseFile(set *profile.Set, name string) profile.CaseResult {
	broken := func(err error) profile.CaseResult {
		id := strings.TrimSuffix(filepath.Base(name), ".json")
		return profile.CaseResult{ID: id, Differences: []string{err.Error()}}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return broken(err)
	}
	c, err := profile.ParseCase(data)
	if err != nil {
		return broken(err)
	}
	if c.ID == "" {
		c.ID = strings.TrimSuffix(filepath.Base(name), ".json")
	}
	return profile.RunCase(set, c)
}

func printResult(cmd *cobra.Command, res *profile.CaseResult) {
	out := cmd.OutOrStdout()
	if res.Pass {
		fmt.Fprintf(out, "ok    %s\n", res.ID)
		return
	}
	fmt.Fprintf(out, "FAIL  %s\n", res.ID)
	for _, d := range res.Differences {
		fmt.Fprintf(out, "        %s\n", d)
	}
}

func profileCoverageCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "coverage [CASE.json …]",
		Short: "Show topics and fields that are received and not mapped",
		Long: `Asks the running daemon which topics no profile reads, which fields no point maps,
and which messages failed. With case files (from facilityd profile capture) it
answers for those instead.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return liveCoverage(cmd)
			}
			set, _, err := loadProfiles(cmd, dir, true)
			if err != nil {
				return err
			}
			var cases []*profile.Case
			names, err := caseFiles(args)
			if err != nil {
				return err
			}
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				c, err := profile.ParseCase(data)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				cases = append(cases, c)
			}
			rep, err := profile.CoverCases(set, cases)
			if err != nil {
				return err
			}
			return rep.Print(cmd.OutOrStdout())
		},
	}
	profilesFlag(cmd, &dir)
	settingsFlags(cmd)
	return cmd
}
