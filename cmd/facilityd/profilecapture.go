package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/devices/profile"
)

type captureOptions struct {
	broker, dir string
	filters     []string
	duration    time.Duration
	limit       int
	mask        bool
}

func profileCaptureCommand() *cobra.Command {
	var o captureOptions
	cmd := &cobra.Command{
		Use:   "capture --broker URL --topic FILTER --for 2m -o DIR",
		Short: "Record live messages as case files",
		Long: `Subscribes in a session of its own that the broker forgets afterwards, and writes
each message as a case file with its topic, payload, retained flag and receive
time. With --mask, what looks like a secret or like personal data is replaced in
JSON payloads before anything is written.`,
		Example: "  facilityd profile capture --broker mqtt://user:password@broker:1883 --topic 'plant/#' --for 2m -o captured --mask",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := capture(cmd.Context(), &o)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d messages in %s\n", n, o.dir)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.broker, "broker", "mqtt://127.0.0.1:1883", "broker, mqtt://user:password@host:1883 or mqtts://host:8883")
	f.StringArrayVar(&o.filters, "topic", nil, "topic filter, for example 'plant/#'; may be given several times")
	f.DurationVar(&o.duration, "for", 2*time.Minute, "how long to listen")
	f.IntVar(&o.limit, "limit", 1000, "most messages to write")
	f.BoolVar(&o.mask, "mask", false, "replace secrets and personal data in JSON payloads")
	f.StringVarP(&o.dir, "output", "o", "captured", "directory to write to")
	_ = cmd.MarkFlagRequired("topic")
	return cmd
}

// capture is not devices/mqtt: it wants a session that leaves nothing behind at
// the broker, and needs no acknowledgement by a journal.
func capture(ctx context.Context, o *captureOptions) (int, error) {
	u, err := url.Parse(o.broker)
	if err != nil || u.Host == "" {
		return 0, fmt.Errorf("--broker: %q is no address; write mqtt://host:1883", o.broker)
	}
	opts := paho.NewClientOptions().SetCleanSession(true).SetAutoReconnect(true).SetConnectTimeout(10 * time.Second)
	opts.SetClientID(fmt.Sprintf("facilityd-capture-%d", os.Getpid()))
	if u.User != nil {
		password, _ := u.User.Password()
		opts.SetUsername(u.User.Username()).SetPassword(password)
		u.User = nil
	}
	u.Scheme = strings.NewReplacer("mqtts", "ssl", "mqtt", "tcp").Replace(u.Scheme)
	opts.AddBroker(u.String())
	type arrived struct {
		m  paho.Message
		at time.Time
	}
	messages := make(chan arrived, 1024)
	filters := make(map[string]byte)
	for _, f := range o.filters {
		filters[f] = 0
	}
	subscribed := make(chan error, 16)
	opts.SetOnConnectHandler(func(c paho.Client) {
		t := c.SubscribeMultiple(filters, func(_ paho.Client, m paho.Message) {
			select {
			case messages <- arrived{m, time.Now()}:
			case <-ctx.Done():
			}
		})
		t.Wait()
		select {
		case subscribed <- t.Error():
		default:
		}
	})
	client := paho.NewClient(opts)
	if t := client.Connect(); !t.WaitTimeout(15*time.Second) || t.Error() != nil {
		return 0, fmt.Errorf("connect to %s: %w", u.Host, errors.Join(t.Error(), ctx.Err()))
	}
	defer client.Disconnect(250)
	if err := <-subscribed; err != nil {
		return 0, fmt.Errorf("subscribe: %w", err)
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return 0, err
	}
	done := time.After(o.duration)
	for n := 0; ; {
		select {
		case a := <-messages:
			n++
			if err := writeCase(o, n, a.m, a.at); err != nil {
				return n, err
			}
			if n == o.limit {
				return n, nil
			}
		case <-done:
			return n, nil
		case <-ctx.Done():
			return n, nil
		}
	}
}

// capturedCase is a case file of a message without expectations.
type capturedCase struct {
	ID          string   `json:"id"`
	Topic       string   `json:"topic"`
	Encoding    string   `json:"payload_encoding"`
	Payload     string   `json:"payload"`
	Retained    bool     `json:"retained"`
	QoS         byte     `json:"qos"`
	ReceiveTime string   `json:"receive_time"`
	Expected    []string `json:"expected"`
}

func writeCase(o *captureOptions, n int, m paho.Message, at time.Time) error {
	payload := m.Payload()
	if o.mask {
		payload = profile.Mask(payload)
	}
	c := capturedCase{
		ID: fmt.Sprintf("captured-%04d", n), Topic: m.Topic(), Encoding: "utf8", Payload: string(payload),
		Retained: m.Retained(), QoS: m.Qos(), ReceiveTime: at.UTC().Format(time.RFC3339Nano), Expected: []string{},
	}
	if !utf8.Valid(payload) {
		c.Encoding, c.Payload = "hex", hex.EncodeToString(payload)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.dir, c.ID+".json"), b.Bytes(), 0o644)
}

func profileNewCommand() *cobra.Command {
	var from, id string
	cmd := &cobra.Command{
		Use:   "new --from DIR",
		Short: "Propose a profile for captured messages",
		Long: `Reads the case files of a directory (from facilityd profile capture) and prints a
profile for them: identity from the topic level that varies, points from the
fields, units from names, kinds from values, the interval from the times, and
tests from the messages themselves. Somebody has to check it: a unit that is
guessed from a name is a guess.`,
		Example: "  facilityd profile new --from captured --id acme-pump/1 > my-profiles/acme-pump.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := filepath.Glob(filepath.Join(from, "*.json"))
			if err != nil || len(names) == 0 {
				return fmt.Errorf("--from: there is no case file (*.json) in %s", from)
			}
			var cases []*profile.Case
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
			text, err := profile.Propose(id, cases)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "directory with case files")
	cmd.Flags().StringVar(&id, "id", "new-device/1", "id of the profile: name/version")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// liveCoverage asks the daemon that works in the data directory.
func liveCoverage(cmd *cobra.Command) error {
	e, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := daemon.Ask(cmd.Context(), e.Data, "coverage", &b); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	var rep profile.Coverage
	if err := json.Unmarshal(b.Bytes(), &rep); err != nil {
		return fmt.Errorf("coverage: read the daemon's answer: %w", err)
	}
	return rep.Print(cmd.OutOrStdout())
}
