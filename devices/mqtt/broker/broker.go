// Package broker is the MQTT broker of a demo or a trial, embedded in the
// process: NATS JetStream's MQTT 3.1.1, with durable sessions, retained messages
// and QoS 1 over a restart. For a plant use a broker of its own, such as
// Mosquitto.
//
// A topic may not hold a space: this broker closes the connection of a client
// that uses one, as Zigbee2MQTT does with friendly names.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Config holds the settings of a Broker.
type Config struct {
	Dir    string // its own directory, made when it is missing
	Listen string // host:port; port 0 chooses one. Default 127.0.0.1:1883
	// Username and Password that every client must give. They are required when
	// Listen is not on loopback.
	Username string
	Password string
	// MaxMessage is the largest message taken; default 1 MB.
	MaxMessage int
	Log        *slog.Logger // default slog.Default()
}

// A Broker runs from Start to Close.
type Broker struct {
	server *server.Server
	addr   string
}

// Start starts the broker and returns when devices can connect.
func Start(cfg Config) (*Broker, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:1883"
	}
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = 1 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	host, portText, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("broker address %q: %w: write it as host:port", cfg.Listen, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65_535 {
		return nil, fmt.Errorf("broker address %q: %q is no port", cfg.Listen, portText)
	}
	if !loopback(host) && (cfg.Username == "" || cfg.Password == "") {
		return nil, fmt.Errorf("broker on %s can be reached from other machines: set a user and a password for it, or listen on 127.0.0.1", cfg.Listen)
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the broker's directory: %w", err)
	}
	// The embedded server ends the process when it cannot listen; so ask first.
	probe, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("broker cannot listen on %s: %w: is another broker running? choose another port", cfg.Listen, err)
	}
	port = probe.Addr().(*net.TCPAddr).Port
	probe.Close()

	fatal := make(chan string, 1)
	srv, err := server.NewServer(&server.Options{
		ServerName:         "facilityd-broker", // its name is part of its stored sessions
		DontListen:         true,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           cfg.Dir,
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  1 << 40,
		MaxPayload:         int32(cfg.MaxMessage),
		MQTT: server.MQTTOpts{
			Host: host, Port: port, Username: cfg.Username, Password: cfg.Password,
			// The default of 100 messages on their way to a client makes draining slow.
			MaxAckPending: 1000,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make broker: %w", err)
	}
	srv.SetLoggerV2(brokerLog{cfg.Log, fatal}, false, false, false)
	srv.Start()
	b := &Broker{server: srv, addr: net.JoinHostPort(host, strconv.Itoa(port))}
	if !srv.ReadyForConnections(30 * time.Second) {
		srv.Shutdown()
		srv.WaitForShutdown()
		select {
		case said := <-fatal:
			err = errors.New(said)
		default:
			err = errors.New("not ready after 30 s")
		}
		return nil, fmt.Errorf("start broker in %s on %s: %w", cfg.Dir, cfg.Listen, err)
	}
	return b, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Addr returns host:port, with the port that was chosen.
func (b *Broker) Addr() string { return b.addr }

// URL returns the address as a client takes it.
func (b *Broker) URL() string { return "mqtt://" + b.addr }

// Close ends the broker; what it had confirmed is on disk.
func (b *Broker) Close() {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

// brokerLog writes what the server says to the program's log. The server's own
// answer to a fatal error is to end the process; here it is kept and Start
// returns it.
type brokerLog struct {
	log   *slog.Logger
	fatal chan string
}

func (l brokerLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l brokerLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v) }
func (l brokerLog) Errorf(format string, v ...any)  { l.write(slog.LevelWarn, format, v) }
func (l brokerLog) Debugf(string, ...any)           {}
func (l brokerLog) Tracef(string, ...any)           {}

func (l brokerLog) Fatalf(format string, v ...any) {
	l.write(slog.LevelError, format, v)
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

func (l brokerLog) write(level slog.Level, format string, v []any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "whitespace") || strings.Contains(text, "space") && strings.Contains(text, "topic") {
		text += " (this broker takes no topic with a space; use Mosquitto)"
	}
	l.log.Log(context.Background(), level, "broker", "said", text)
}
