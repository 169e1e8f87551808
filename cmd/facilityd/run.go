package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
)

func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long: `Reads the brokers of the settings file, keeps what arrives in the journal, judges
it by the rules and opens work orders, until it gets SIGTERM or Ctrl-C.

Without a broker it starts one of its own and says how devices reach it. SIGHUP
and "facilityd reload" read profiles, rules and site files again; if anything in
them is wrong the old configuration goes on running.`,
		Example: `  facilityd run --config /etc/facilityd/facilityd.yaml
  facilityd run --broker mqtt://127.0.0.1:1883 --data ./data
  FACILITYD_LOG_LEVEL=debug facilityd run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			path, _ := cmd.Flags().GetString("config")
			return runDaemon(cmd, daemon.Options{
				Settings: e, Version: version, Out: cmd.OutOrStdout(),
				Log: daemon.NewLogger(cmd.ErrOrStderr(), e.Log),
				Read: func() (configs.Effective, diag.List) {
					return configs.LoadSettings(path, os.Environ(), cmd.Flags())
				},
			})
		},
	}
	settingsFlags(cmd)
	return cmd
}

// runDaemon runs until the command's context ends and reloads on SIGHUP.
func runDaemon(cmd *cobra.Command, o daemon.Options) error {
	d, list := daemon.New(o)
	if len(list) > 0 {
		_ = list.Print(cmd.ErrOrStderr())
	}
	if list.HasErrors() {
		return exitError{}
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		for {
			select {
			case <-hup:
				_ = d.Reload(ctx) // said in the log, on the board and as a metric
			case <-ctx.Done():
				return
			}
		}
	}()
	return d.Run(ctx)
}

func checkCommand() *cobra.Command {
	var probe bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check everything that run would load, without running",
		Long: `Reads settings, site files, profiles, rules and the people file and checks them
together. Every finding names file, line and column,
what was found, and what would be right. Tasks are facts about assets that a rule
waits for; they are not errors. Rules that cannot mean what they say (facilityd
rules check) are warnings here.

The exit status is 0 when run would start.

With --probe-broker it also connects to the brokers, leaves a session behind for a
moment, sends it 1,100 small messages and counts how many were kept: Mosquitto as
it is shipped keeps 1,000.`,
		Example: "  facilityd check --config facilityd.yaml\n  facilityd check --config facilityd.yaml --probe-broker",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			bundles, list := daemon.Check(&e.Settings)
			_ = list.Print(cmd.OutOrStdout())
			if list.HasErrors() {
				return exitError{}
			}
			if len(bundles) > 0 {
				found := daemon.CheckRules(&e.Settings, bundles[0]) // sites share rules and profiles
				for i := range found {
					found[i].Level = diag.Warning // run starts all the same
				}
				_ = found.Print(cmd.OutOrStdout())
			}
			if probe {
				var sites []string
				for _, b := range bundles {
					sites = append(sites, b.Site.ID)
				}
				found := daemon.ProbeBrokers(cmd.Context(), &e.Settings, sites)
				_ = found.Print(cmd.OutOrStdout())
				if found.HasErrors() {
					return exitError{}
				}
			}
			for _, b := range bundles {
				_ = b.Tasks.Print(cmd.OutOrStdout())
				fmt.Fprintf(cmd.OutOrStdout(), "site %s: %d assets, %d profiles, %d rules, %d tasks: ok\n",
					b.Site.ID, len(b.Site.Assets), len(b.Content.Profiles), len(b.Rules.Rules), len(b.Tasks))
			}
			if crew, _ := daemon.OpenCrew(&e.Settings, bundles, time.Now()); crew != nil {
				r := crew.Roster
				fmt.Fprintf(cmd.OutOrStdout(), "people: %d persons, %d teams, %d rotas, %d chains, %d channels: ok\n",
					len(r.Persons), len(r.Teams), len(r.Rotas), len(r.Chains), len(crew.People.Channels))
			} else {
				fmt.Fprintln(cmd.OutOrStdout(), "people: no file is named, so nobody is told of orders")
			}
			return nil
		},
	}
	settingsFlags(cmd)
	cmd.Flags().BoolVar(&probe, "probe-broker", false, "connect to the brokers and see whether they keep enough")
	return cmd
}
