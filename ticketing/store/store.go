// Package store keeps work orders in SQL: SQLite inside the process, or
// PostgreSQL for several workers. One schema, one set of queries.
//
// Every write to the orders of a site first takes the row of that site in table
// sites. So the steps of a site's episodes and the commands of its people follow
// one another, whatever the number of workers; a worker that lost the site is
// fenced off by its epoch. Every write may be repeated: after an unknown outcome
// (a lost connection during commit) the caller simply calls again.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"runtime"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config says where the orders are and what the store has to know to raise them.
type Config struct {
	// URL is the database: "sqlite:PATH" or "postgres://…".
	URL string
	// Criticality gives the criticality of an asset by the configuration now in
	// force; nil means that every asset is normal. It must be safe to call from
	// several goroutines.
	Criticality func(site, asset string) devices.Criticality
	// Warranty is how long after its end a closed order is re-opened when the
	// same fault comes back to the same asset; 0 means never.
	Warranty time.Duration
	// Template says what to do about a fault class, nil for none: what it asks for
	// has to be there before a job is done. A nil function asks for nothing.
	Template func(faultClass string) *ticketing.Template
	// FileBudget bounds the bytes of all attachments; 0 means 10 GB.
	FileBudget int64
	// Effects say what follows outside from a change of an order.
	Effects Effects
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// ErrFenced is returned to a worker that no longer holds the site: another one
// began with a newer epoch. It must stop; nothing was written.
var ErrFenced = errors.New("another worker holds the site: this one may not write any more")

// A Store is safe for use by several goroutines.
type Store struct {
	cfg     Config
	write   *sql.DB
	read    *sql.DB
	sqlite  string // DSN of the SQLite database; "" on PostgreSQL
	metrics *metrics
}

// Open connects to the database and brings its schema up to date.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Criticality == nil {
		cfg.Criticality = func(string, string) devices.Criticality { return devices.NormalAsset }
	}
	if cfg.Template == nil {
		cfg.Template = func(string) *ticketing.Template { return nil }
	}
	if cfg.FileBudget == 0 {
		cfg.FileBudget = 10 << 30
	}
	s := &Store{cfg: cfg}
	var err error
	if path, ok := strings.CutPrefix(cfg.URL, "sqlite:"); ok {
		err = s.openSQLite(path)
	} else if strings.HasPrefix(cfg.URL, "postgres://") || strings.HasPrefix(cfg.URL, "postgresql://") {
		err = s.openPostgres(cfg.URL)
	} else {
		return nil, fmt.Errorf("database %q: use sqlite:PATH or postgres://user@host/name", redact(cfg.URL))
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", redact(cfg.URL), err), s.Close())
	}
	s.metrics = newMetrics(s, cfg.Registerer)
	return s, nil
}

// openSQLite opens one connection that writes and several that read. The
// pragmas are in the DSN so that every connection of the pools has them:
//
//   - journal_mode(WAL): readers never wait for the writer
//   - synchronous(FULL): a commit is on disk when it returns; with NORMAL a power
//     cut may lose the newest orders
//   - busy_timeout: a backup or another process may hold the lock for a moment
//   - foreign_keys: SQLite checks them only when told to
//   - _txlock=immediate: a transaction takes the write lock when it begins; one
//     that reads first and writes later could not be retried by busy_timeout
func (s *Store) openSQLite(path string) (err error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	s.sqlite = u.String() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	if s.write, err = sql.Open("sqlite", s.sqlite+"&_txlock=immediate"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", s.sqlite+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	return nil
}

func (s *Store) openPostgres(url string) (err error) {
	if s.write, err = sql.Open("pgx", url); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(16)
	s.write.SetMaxIdleConns(8)
	s.read = s.write
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.sqlite == "" {
		// Several workers may start at once: one migrates, the others wait.
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		dialect, opts = goose.DialectPostgres, append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, s.write, files, opts...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Close closes the connections.
func (s *Store) Close() error {
	if s.metrics != nil {
		s.metrics.unregister(s.cfg.Registerer)
	}
	var errs []error
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	return errors.Join(errs...)
}

// tx runs f in a transaction that is rolled back when f fails.
func (s *Store) tx(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// redact keeps passwords out of messages.
func redact(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}
