package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/profiles"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

func profileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Look at device profiles, check and test them, try them on a message",
		Long: `A profile is a text file that says how one kind of device publishes. The language
is described in configs/profiles/README.md, adding a device step by step in
configs/profiles/GUIDE.md.`,
	}
	cmd.AddCommand(
		profileListCommand(), profileShowCommand(), profileCheckCommand(), profileTestCommand(),
		profileTryCommand(), profileCaptureCommand(), profileNewCommand(), profileCoverageCommand(),
	)
	return cmd
}

// profilesFlag adds --profiles.
func profilesFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "profiles", "", "use only the profiles of this directory")
}

// profileSources reads the profiles of a directory, or the shipped ones.
func profileSources(dir string) ([]profile.Source, fs.FS, error) {
	files, where := fs.FS(profiles.FS), ""
	if dir != "" {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, nil, fmt.Errorf("read profiles: %w", err)
		}
		if !info.IsDir() {
			return nil, nil, fmt.Errorf("read profiles: %s is a file; name the directory that it is in", dir)
		}
		files, where = os.DirFS(dir), dir
	}
	var out []profile.Source
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(name); err != nil || d.IsDir() || ext != ".yaml" && ext != ".yml" {
			return err
		}
		data, err := fs.ReadFile(files, name)
		out = append(out, profile.Source{Name: filepath.Join(where, name), Data: data})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read profiles: %w", err)
	}
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("read profiles: there is no .yaml file in %s", dir)
	}
	return out, files, nil
}

// loadProfiles loads what is right and prints what is not.
func loadProfiles(cmd *cobra.Command, dir string, skipTests bool) (*profile.Set, diag.List, error) {
	sources, files, err := profileSources(dir)
	if err != nil {
		return nil, nil, err
	}
	set, list := profile.Load(sources, profile.LoadOptions{
		KeepGood: true, SkipTests: skipTests,
		Files: func(name string) ([]byte, error) { return fs.ReadFile(files, name) },
	})
	if err := list.Print(cmd.ErrOrStderr()); err != nil {
		return nil, nil, err
	}
	return set, list, nil
}

func profileListCommand() *cobra.Command {
	var dir string
	var roles, units bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the profiles, or the roles and units that they may use",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if roles || units {
				return printVocabulary(cmd.OutOrStdout(), roles, units)
			}
			set, _, err := loadProfiles(cmd, dir, true)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "PROFILE\tCLASS\tTITLE")
			for _, p := range set.Profiles() {
				fmt.Fprintf(w, "%s\t%s\t%s\n", p.ID, p.Class, p.Title.EN)
			}
			return w.Flush()
		},
	}
	profilesFlag(cmd, &dir)
	cmd.Flags().BoolVar(&roles, "roles", false, "list the vocabulary of roles")
	cmd.Flags().BoolVar(&units, "units", false, "list the units")
	return cmd
}

func printVocabulary(out io.Writer, roles, units bool) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if roles {
		fmt.Fprintln(w, "ROLE\tCLASS\tKIND\tUNIT\tMEANING\tWORDS")
		for _, r := range devices.Roles {
			var words []string
			for _, word := range r.Words {
				words = append(words, fmt.Sprintf("%d %s", word.Code, word.Name))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s, %s\t%s\n", r.Name, cmp.Or(r.Class, "any"), r.Kind, r.Unit, r.Label.EN, r.Label.ZH, strings.Join(words, ", "))
		}
	}
	if units {
		fmt.Fprintln(w, "UNIT\tDIMENSION\tALSO WRITTEN")
		for _, code := range devices.UnitCodes() {
			u := devices.UnitByCode(code)
			fmt.Fprintf(w, "%s\t%s\t%s\n", u.Code, u.Dimension, strings.Join(u.Aliases, ", "))
		}
	}
	return w.Flush()
}

func profileShowCommand() *cobra.Command {
	var dir string
	var text bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one profile: what it reads and which points it gives",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, _, err := loadProfiles(cmd, dir, true)
			if err != nil {
				return err
			}
			p := set.Profile(args[0])
			if p == nil {
				hint := diag.DidYouMean(args[0], set.IDs())
				if hint != "" {
					hint = ": " + hint
				}
				return fmt.Errorf("there is no profile %q%s", args[0], hint)
			}
			if text {
				return printSource(cmd.OutOrStdout(), dir, p)
			}
			return p.Describe(cmd.OutOrStdout())
		},
	}
	profilesFlag(cmd, &dir)
	cmd.Flags().BoolVar(&text, "text", false, "print the file itself")
	return cmd
}

func printSource(w io.Writer, dir string, p *profile.Profile) error {
	sources, _, err := profileSources(dir)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(sources, func(s profile.Source) bool { return s.Name == p.File })
	if i < 0 {
		return errors.New("the file is gone")
	}
	_, err = w.Write(sources[i].Data)
	return err
}

func profileCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILES or directories]",
		Short: "Check profiles and run the tests inside them",
		Long: `Checks the files together, or the shipped profiles when none is named, and prints
every finding with file, line and column. Profiles that are extended and not
among the files are taken from the shipped ones.`,
		Example: "  facilityd profile check my-gateway.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, files, err := profileSources("")
			if err != nil {
				return err
			}
			if len(args) > 0 {
				var own []profile.Source
				dir := filepath.Dir(args[0])
				for _, name := range args {
					if info, err := os.Stat(name); err == nil && info.IsDir() {
						dir = name
						found, _, err := profileSources(name)
						if err != nil {
							return err
						}
						own = append(own, found...)
						continue
					}
					data, err := os.ReadFile(name)
					if err != nil {
						return fmt.Errorf("check profiles: %w", err)
					}
					own = append(own, profile.Source{Name: name, Data: data})
				}
				files = os.DirFS(dir)
				sources = profile.WithBases(own, sources)
			}
			set, list := profile.Load(sources, profile.LoadOptions{
				Files: func(name string) ([]byte, error) { return fs.ReadFile(files, name) },
			})
			if err := list.Print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if set == nil {
				return exitError{}
			}
			tests := 0
			for _, p := range set.Profiles() {
				tests += len(p.Spec.Tests)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d profiles, %d tests: no errors\n", len(set.Profiles()), tests)
			return nil
		},
	}
	return cmd
}
