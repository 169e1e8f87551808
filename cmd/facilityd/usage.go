package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/facilityd/facilityd/configs/diag"
)

// teach makes every command of a tree say what would be right: the nearest name
// for a command or flag that is not there, the usage for wrong arguments. Left
// alone, cobra prints help and exit status 0 for an unknown subcommand, and
// "accepts 1 arg(s), received 0".
func teach(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	// A group can be run only to say that a command of it does not exist.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	teachCommand(root)
}

func teachCommand(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		teachCommand(sub)
	}
	if !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = runGroup
		return
	}
	if valid := cmd.Args; valid != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := valid(cmd, args); err != nil {
				return fmt.Errorf("found %d arguments %q; usage: %s", len(args), args, cmd.UseLine())
			}
			return nil
		}
	}
}

func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %q for %q (%s)", args[0], cmd.CommandPath(), hint(args[0], names, cmd))
}

func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return fmt.Errorf("%w (%s)", err, hint("--"+unknown.GetSpecifiedName(), names, cmd))
}

func hint(word string, names []string, cmd *cobra.Command) string {
	if h := diag.DidYouMean(word, names); h != "" {
		return h
	}
	return cmd.CommandPath() + " --help lists them"
}
