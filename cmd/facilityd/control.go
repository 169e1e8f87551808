package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
)

func reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Let the running daemon read site files, profiles and rules again",
		Long: `Everything is checked first; if anything is wrong the running daemon keeps what it
has and the findings are printed here. SIGHUP to the daemon does the same.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			if err := daemon.Ask(cmd.Context(), e.Data, "reload", io.Discard); err != nil {
				return fmt.Errorf("reload: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "reloaded")
			return nil
		},
	}
	settingsFlags(cmd)
	return cmd
}

func backupCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Copy journal, checkpoints and work orders while the daemon runs",
		Long: `Writes one consistent copy as a tar file. The daemon goes on working; when none is
running in the data directory, the directory is copied as it is.`,
		Example: "  facilityd backup --config facilityd.yaml --to /backup/facilityd.tar",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return errors.New("--to is missing: name the file to write, for example --to facilityd.tar")
			}
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			part := to + ".part"
			f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer os.Remove(part)
			err = daemon.Ask(cmd.Context(), e.Data, "backup", f)
			if errors.Is(err, daemon.ErrNotRunning) {
				err = daemon.BackupStopped(cmd.Context(), &e.Settings, daemon.NewLogger(cmd.ErrOrStderr(), e.Log), f)
			}
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return fmt.Errorf("backup: %w", err)
			}
			if err := os.Rename(part, to); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "backed up %s to %s\n", e.Data, to)
			return nil
		},
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "file to write")
	return cmd
}

func restoreCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:     "restore",
		Short:   "Fill an empty data directory from a backup",
		Example: "  facilityd restore --config facilityd.yaml --from /backup/facilityd.tar",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return errors.New("--from is missing: name the file that facilityd backup wrote")
			}
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			f, err := os.Open(from)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := daemon.Restore(cmd.Context(), &e.Settings, daemon.NewLogger(cmd.ErrOrStderr(), e.Log), f); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "restored %s from %s; facilityd run goes on from there\n", e.Data, from)
			return nil
		},
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "file that facilityd backup wrote")
	return cmd
}

func healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the daemon on this machine whether it is alive (for containers)",
		Long:  `Exit status 0 when the daemon answers on its listen address.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(e.Listen)
			if err != nil {
				return err
			}
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			client := http.Client{Timeout: 5 * time.Second}
			resp, err := client.Get("http://" + net.JoinHostPort(host, port) + "/healthz")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("facilityd answers %s", resp.Status)
			}
			return nil
		},
	}
	settingsFlags(cmd)
	return cmd
}

func adoptCommand() *cobra.Command {
	var site, asset string
	cmd := &cobra.Command{
		Use:   "adopt DEVICE",
		Short: "Take in a device that is seen and not known",
		Long: `Tells the running daemon that a device belongs to this property. With adopt: listed
in the site file nothing else is read; "facilityd profile coverage" lists what
publishes and is not known. The device is its own asset unless --asset names one.`,
		Example: "  facilityd adopt pump-9 --asset booster --config facilityd.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			by := "operator"
			if u, err := user.Current(); err == nil {
				by = u.Username
			}
			q := url.Values{"site": {site}, "device": {args[0]}, "asset": {asset}, "by": {by}}
			if err := daemon.Ask(cmd.Context(), e.Data, "adopt?"+q.Encode(), io.Discard); err != nil {
				return fmt.Errorf("adopt: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "adopted %s\n", args[0])
			return nil
		},
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&site, "site", "", "site of the device; may be left out when it is clear")
	cmd.Flags().StringVar(&asset, "asset", "", "asset that it belongs to")
	return cmd
}
