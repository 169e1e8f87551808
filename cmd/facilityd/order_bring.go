package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
)

// orderMeasureCommand adds a value that was read off at the asset.
func orderMeasureCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:     "measure ORDER NAME VALUE [UNIT]",
		Short:   "Add a value read off at the asset",
		Example: `  facilityd order measure demo-17 "Insulation to earth" 12.5 MΩ`,
		Args:    cobra.RangeArgs(3, 4),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := strconv.ParseFloat(args[2], 64)
			if err != nil {
				return fmt.Errorf("%q is not a number", args[2])
			}
			m := ticketing.Measurement{Name: args[1], Value: value}
			if len(args) == 4 {
				m.Unit = args[3]
			}
			return bring(cmd, args[0], key, "/measure", func(version int) any { return map[string]any{"version": version, "value": m} })
		},
	}
	keyFlag(cmd, &key)
	return cmd
}

// orderAttachCommand sends a file.
func orderAttachCommand() *cobra.Command {
	var key, role string
	cmd := &cobra.Command{
		Use:     "attach ORDER FILE",
		Short:   "Attach a photo, a signature or a document",
		Example: "  facilityd order attach demo-17 lock.jpg",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := os.Stat(args[1])
			if err != nil {
				return err
			}
			if info.Size() > ticketing.MaxFile {
				return errors.New("a file may have at most " + strconv.Itoa(ticketing.MaxFile>>20) + " MB")
			}
			data, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}
			q := url.Values{"name": {filepath.Base(args[1])}, "role": {role}}
			return bring(cmd, args[0], key, "/attach?"+q.Encode(), func(int) any { return rawBody(data) })
		},
	}
	keyFlag(cmd, &key)
	cmd.Flags().StringVar(&role, "role", "photo", "photo, signature or document")
	return cmd
}

func keyFlag(cmd *cobra.Command, key *string) {
	cmd.Flags().StringVar(key, "key", "", "idempotency key: give the same one when you try again (default: a new one)")
}

// rawBody is sent as it is.
type rawBody []byte

// bring sends a command that only adds to an order's log.
func bring(cmd *cobra.Command, order, key, path string, body func(version int) any) error {
	base := "/work-orders/" + url.PathEscape(order)
	var seen board.WorkOrderDetail
	if _, err := askAPI(cmd, http.MethodGet, base, nil, nil, &seen); err != nil {
		return err
	}
	if key == "" {
		key = rand.Text()
	}
	var o board.WorkOrder
	head := map[string]string{"Idempotency-Key": key, "If-Match": strconv.Quote(strconv.Itoa(seen.Version))}
	if _, err := askAPI(cmd, http.MethodPost, base+path, head, body(seen.Version), &o); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is %s (version %d)\n", o.Number, o.State, o.Version)
	return nil
}
