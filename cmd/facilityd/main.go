// Command facilityd watches the elevators, access gates, pumps and meters of a
// property over MQTT and opens the work order before a resident complains.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // the static binary runs where no zone files are

	"github.com/spf13/cobra"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		var quiet exitError
		if !errors.As(err, &quiet) {
			fmt.Fprintln(os.Stderr, "facilityd: "+err.Error())
		}
		os.Exit(1)
	}
}

// exitError ends the command with status 1 after it said all there is to say.
type exitError struct{}

func (exitError) Error() string { return "exit status 1" }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "facilityd",
		Short: "Watches a property's lifts, gates, pumps and meters and opens the work order first",
		Long: `facilityd subscribes over MQTT to the telemetry of elevators, access gates, pumps
and meters, evaluates rules, and opens preventive work orders before residents
complain.

Start here:
  facilityd demo                            a simulated estate with its own broker: look at http://127.0.0.1:8080
  facilityd run --config facilityd.yaml     your own brokers
  facilityd check --config facilityd.yaml   what run would say, without running`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	root.AddCommand(
		demoCommand(), runCommand(), checkCommand(), configCommand(), reloadCommand(),
		backupCommand(), restoreCommand(), healthCommand(), simulateCommand(), replayCommand(),
		profileCommand(), adoptCommand(), assetCommand(), explainCommand(), windowCommand(), personCommand(), orderCommand(),
		reportCommand(), detectCommand(), rulesCommand(), backtestCommand(), redecodeCommand(), rotaCommand(), notifyCommand(),
		outboxCommand(), versionCommand(),
	)
	teach(root)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and what the program was built with and for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "facilityd %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
