package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing/board"
)

func assetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "asset",
		Short: "What is maintained, and the devices that speak for it",
	}
	cmd.AddCommand(assetReplaceCommand())
	return cmd
}

func assetReplaceCommand() *cobra.Command {
	var site, device, replaces, key string
	cmd := &cobra.Command{
		Use:   "replace ASSET",
		Short: "Say that another device speaks for an asset from now on",
		Long: `Tells the running daemon that a device took over from another on an asset. The asset
keeps its open orders, timers, baselines and what its counters had counted; a counter
of the new device counts from where that device stands, so that nothing is invented.
The new device must have been heard; "facilityd profile coverage" lists what publishes
and is not known. Afterwards name it in the site file too.`,
		Example: "  facilityd asset replace booster --device pump-9 --replaces pump-2",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if device == "" {
				return errors.New("--device is missing: the id of the new device")
			}
			if key == "" {
				key = rand.Text()
			}
			body := map[string]any{"device": device}
			if replaces != "" {
				body["replaces"] = replaces
			}
			path := "/assets/" + url.PathEscape(args[0]) + "/replace"
			if site != "" {
				path += "?site=" + url.QueryEscape(site)
			}
			var r board.Replaced
			if _, err := askAPI(cmd, http.MethodPost, path, map[string]string{"Idempotency-Key": key}, body, &r); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s speaks for %s in place of %s\n", r.Device, r.Asset, r.Replaces)
			return nil
		},
	}
	apiFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&device, "device", "", "the new device")
	f.StringVar(&replaces, "replaces", "", "the device before; may be left out when the asset has only one")
	f.StringVar(&site, "site", "", "site of the asset, when several have one of that name")
	keyFlag(cmd, &key)
	return cmd
}
