package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices/mqtt"
)

// brokerFlags adds the flags of commands that publish.
func brokerFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("broker", "", "MQTT broker to publish to, mqtt://host:1883 or mqtts://host:8883")
	f.String("user", "", "user name at the broker")
	f.String("password-file", "", "file with the password in its first line")
	f.String("ca", "", "PEM file of the authority that signed the broker's certificate")
	f.String("cert", "", "PEM file of a client certificate")
	f.String("key", "", "PEM file of its key")
}

// newPublisher connects to the broker that the flags name. At most inFlight
// messages are unconfirmed at any time. A connection that breaks is said and
// mended.
func newPublisher(cmd *cobra.Command, inFlight int) (*mqtt.Publisher, error) {
	flag := func(name string) string {
		v, _ := cmd.Flags().GetString(name)
		return v
	}
	return mqtt.NewPublisher(cmd.Context(), mqtt.PublisherConfig{
		Broker: mqtt.Broker{
			URL: flag("broker"), Username: flag("user"), PasswordFile: flag("password-file"),
			CAFile: flag("ca"), CertFile: flag("cert"), KeyFile: flag("key"),
		},
		InFlight: inFlight,
		Lost: func(cause error) {
			fmt.Fprintf(cmd.ErrOrStderr(), "connection to the broker lost, connecting again: %v\n", cause)
		},
	})
}

// closing is how long an interrupted command waits for the broker's confirmations.
const closing = 5 * time.Second

// closePublisher waits for all confirmations; after Ctrl-C only a little.
func closePublisher(ctx context.Context, p *mqtt.Publisher) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
	}
	return p.Close(ctx)
}

// sleep waits, or ends with the context.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
