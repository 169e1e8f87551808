package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

type tryOptions struct {
	dir, topic, at, zone, encoding string
	retained, trace                bool
}

func profileTryCommand() *cobra.Command {
	var o tryOptions
	cmd := &cobra.Command{
		Use:   "try --topic T < payload",
		Short: "Decode one message from standard input and print what comes of it",
		Long: `Prints readings as JSON lines, then availability and actions. With --trace every
stage is printed before them, and for profiles that did not match, why not.`,
		Example: `  echo '{"power": 12.5}' | facilityd profile try --topic facility/meter/m1/telemetry
  echo 017564 | facilityd profile try --encoding hex --topic … --trace`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tryMessage(cmd, &o)
		},
	}
	f := cmd.Flags()
	profilesFlag(cmd, &o.dir)
	f.StringVar(&o.topic, "topic", "", "topic of the message")
	f.StringVar(&o.at, "at", "", "receive time, RFC 3339; now when not given")
	f.StringVar(&o.zone, "timezone", "UTC", "time zone of the site")
	f.StringVar(&o.encoding, "encoding", "raw", "how the payload comes: raw, hex or base64")
	f.BoolVar(&o.retained, "retained", false, "the broker kept the message")
	f.BoolVar(&o.trace, "trace", false, "print every stage, and why other profiles did not match")
	_ = cmd.MarkFlagRequired("topic")
	return cmd
}

func tryMessage(cmd *cobra.Command, o *tryOptions) error {
	loc, err := time.LoadLocation(o.zone)
	if err != nil {
		return fmt.Errorf("--timezone: %w", err)
	}
	received := time.Now()
	if o.at != "" {
		if received, err = time.Parse(time.RFC3339Nano, o.at); err != nil {
			return fmt.Errorf("--at: %q is not RFC 3339, for example 2026-03-01T12:00:00+08:00", o.at)
		}
	}
	payload, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 16<<20))
	if err != nil {
		return fmt.Errorf("read payload: %w", err)
	}
	if payload, err = transport(payload, o.encoding); err != nil {
		return err
	}
	set, list, err := loadProfiles(cmd, o.dir, false)
	if err != nil {
		return err
	}
	d := profile.NewDecoder(set, &devices.Site{ID: "try", Location: loc}, devices.NewRegistry())
	msg := devices.Message{Topic: o.topic, Payload: payload, Retained: o.retained, Received: received.UnixNano()}
	var out profile.Batch
	trace := d.Trace(&msg, &out)
	w := cmd.OutOrStdout()
	if o.trace {
		for _, s := range trace.Steps {
			fmt.Fprintf(w, "# %-12s %s\n", s.Stage, s.Text)
		}
		for _, s := range set.Why(o.topic) {
			fmt.Fprintf(w, "# not matched  %s\n", s.Text)
		}
	}
	if err := printBatch(w, &out); err != nil {
		return err
	}
	for _, f := range d.Failures() {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", f.Profile, f.Reason)
	}
	if len(out.Readings) == 0 && len(out.Actions) == 0 && !o.trace {
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing came of this message; --trace shows every stage")
	}
	if list.HasErrors() {
		return exitError{}
	}
	return nil
}

// transport decodes how a payload was brought here. A text from a pipe loses
// the line end that echo put there.
func transport(payload []byte, encoding string) ([]byte, error) {
	words := func() string { return strings.Join(strings.Fields(string(payload)), "") }
	switch encoding {
	case "hex":
		b, err := hex.DecodeString(words())
		if err != nil {
			return nil, fmt.Errorf("--encoding hex: %w", err)
		}
		return b, nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(words())
		if err != nil {
			return nil, fmt.Errorf("--encoding base64: %w", err)
		}
		return b, nil
	case "raw":
	default:
		return nil, fmt.Errorf("--encoding: %q is not raw, hex or base64", encoding)
	}
	if utf8.Valid(payload) && strings.IndexFunc(string(payload), func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\r\n\t", r) }) < 0 {
		return []byte(strings.TrimSuffix(strings.TrimSuffix(string(payload), "\n"), "\r")), nil
	}
	return payload, nil
}

type readingLine struct {
	Device     string   `json:"device"`
	Point      string   `json:"point"`
	Value      any      `json:"value"`
	Unit       *string  `json:"unit"`
	Time       string   `json:"time"`
	Quality    string   `json:"quality"`
	Historical bool     `json:"historical"`
	Role       string   `json:"role,omitempty"`
	Delta      *float64 `json:"delta,omitempty"`
}

type availabilityLine struct {
	Device       string `json:"device"`
	Availability string `json:"availability"`
	Time         string `json:"time"`
}

type actionLine struct {
	Action   profile.ActionKind `json:"action"`
	Topic    string             `json:"publish_topic"`
	Payload  string             `json:"payload"`
	Encoding string             `json:"payload_encoding,omitempty"`
	Every    string             `json:"every,omitempty"`
}

func printBatch(w io.Writer, out *profile.Batch) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	var avail []availabilityLine
	for i := range out.Readings {
		rd := &out.Readings[i]
		at := rd.At().Format("2006-01-02T15:04:05.000Z07:00")
		if rd.Point.Kind == devices.Availability {
			avail = append(avail, availabilityLine{rd.Point.Device.ID, rd.Text, at})
			continue
		}
		line := readingLine{
			Device: rd.Point.Device.ID, Point: rd.Point.Name, Value: profile.Value(rd), Time: at,
			Quality: rd.Quality.String(), Historical: rd.Historical(), Role: rd.Point.Role,
		}
		if rd.Point.Unit != "" {
			line.Unit = &rd.Point.Unit
		}
		if rd.Point.Kind == devices.Counter && rd.Delta == rd.Delta {
			line.Delta = &rd.Delta
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	for _, a := range avail {
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
	for _, a := range out.Actions {
		line := actionLine{Action: a.Kind, Topic: a.Topic, Payload: string(a.Payload)}
		if !utf8.Valid(a.Payload) || a.Kind == profile.Rebirth {
			line.Payload, line.Encoding = hex.EncodeToString(a.Payload), "hex"
		}
		if a.Every > 0 {
			line.Every = a.Every.String()
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
