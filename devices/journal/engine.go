package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPayload is the largest message of the embedded engine: the largest batch
// and the largest chunk of a checkpoint stay below it.
const maxPayload = 4 << 20

// An engine is one connection to JetStream, and the embedded server behind it
// unless a cluster was given. It is replaced as a whole when it failed.
type engine struct {
	server *server.Server // nil for a cluster
	conn   *nats.Conn
	js     jetstream.JetStream
	number int // counts the engines of a Journal
}

// openEngine starts the embedded server, or connects to the cluster.
func openEngine(cfg Config, number int) (*engine, error) {
	e := &engine{number: number}
	options := []nats.Option{
		nats.Name("facilityd"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // a publish on a broken link fails at once; the writer repeats it
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) && sub != nil && sub.Type() == nats.ChanSubscription {
				// It was sent ahead to a reader that had no room, or has gone. Readers are ordered:
				// one misses a record by its number and asks for it again.
				cfg.Log.Debug("a reader of the journal was sent more than it took")
				return
			}
			cfg.Log.Warn("journal engine", "error", err)
		}),
	}
	url := cfg.URL
	if url == "" {
		srv, err := startServer(cfg)
		if err != nil {
			return nil, err
		}
		e.server = srv
		options = append(options, nats.InProcessServer(srv), nats.MaxReconnects(0))
	} else {
		if cfg.CredentialsFile != "" {
			options = append(options, nats.UserCredentials(cfg.CredentialsFile))
		}
		if cfg.CAFile != "" {
			options = append(options, nats.RootCAs(cfg.CAFile))
		}
	}
	conn, err := nats.Connect(url, options...)
	if err != nil {
		e.close()
		return nil, fmt.Errorf("connect to the journal's cluster: %w", err)
	}
	e.conn = conn
	if e.js, err = jetstream.New(conn, jetstream.WithDefaultTimeout(cfg.RequestTimeout)); err != nil {
		e.close()
		return nil, fmt.Errorf("open journal engine: %w", err)
	}
	return e, nil
}

func startServer(cfg Config) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:         "facilityd",
		DontListen:         true,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           filepath.Clean(cfg.Dir),
		JetStreamMaxMemory: 64 << 20,
		// The limit of the disk is ours (Reserve): JetStream's own would refuse
		// streams by what was free when it started.
		JetStreamMaxStore: 1 << 50,
		SyncAlways:        cfg.Sync == SyncAlways,
		SyncInterval:      cfg.SyncInterval,
		MaxPayload:        maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("make journal engine: %w", err)
	}
	srv.SetLoggerV2(serverLog{cfg.Log}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(cfg.StartTimeout) || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("start journal in %s: the engine is not ready after %s (is the directory writable, is another facilityd using it?)", cfg.Dir, cfg.StartTimeout)
	}
	return srv, nil
}

// close ends the connection and the embedded server; what was acknowledged is
// on disk.
func (e *engine) close() {
	if e.conn != nil {
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

// healthy reports whether the engine may still answer: an embedded one turns
// JetStream off when the disk is full, and then answers nothing at all.
func (e *engine) healthy() bool { return e.server == nil || e.server.JetStreamEnabled() }

// serverLog writes what the embedded server says to the program's log: its
// warnings and errors, not its notices about itself.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l serverLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v) }
func (l serverLog) Fatalf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l serverLog) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l serverLog) Debugf(string, ...any)           {}
func (l serverLog) Tracef(string, ...any)           {}

func (l serverLog) write(level slog.Level, format string, v []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "journal engine", "said", fmt.Sprintf(format, v...))
	}
}

// isAPIError reports whether err is JetStream's answer with that code.
func isAPIError(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// ensureStream makes the stream, or brings an existing one to this
// configuration.
func (e *engine) ensureStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	s, err := e.js.CreateOrUpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", cfg.Name, err)
	}
	return s, nil
}
