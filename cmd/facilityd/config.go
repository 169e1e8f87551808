package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/configs"
)

// settingsFlags adds the flags that every command with settings has.
func settingsFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringP("config", "c", os.Getenv("FACILITYD_CONFIG"), "settings file (also FACILITYD_CONFIG)")
	f.String("data", "", "directory of journal and database")
	f.String("listen", "", "address of board, API and metrics; port 0 takes a free one")
	f.String("mqtt", "", "address of the embedded broker")
	f.String("broker", "", "MQTT broker to read, mqtt://host:1883")
	f.String("clock", "", "machine or estate")
	f.String("log-level", "", "debug, info, warn or error")
}

// loadSettings reads the settings of a command; findings go to standard error.
func loadSettings(cmd *cobra.Command) (configs.Effective, error) {
	path, _ := cmd.Flags().GetString("config")
	e, list := configs.LoadSettings(path, os.Environ(), cmd.Flags())
	_ = list.Print(cmd.ErrOrStderr())
	if list.HasErrors() {
		return e, exitError{}
	}
	return e, nil
}

func configCommand() *cobra.Command {
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the settings in force and where each comes from",
		Long: `Prints every setting with its value and origin: the default, a line of the file,
an environment variable or a flag. Secrets are masked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, v := range e.Values() {
				fmt.Fprintf(w, "%s\t%s\t%s\n", v.Key, v.Value, v.Origin)
			}
			return w.Flush()
		},
	}
	settingsFlags(show)
	cmd := &cobra.Command{Use: "config", Short: "Look at the daemon's settings"}
	cmd.AddCommand(show)
	return cmd
}
