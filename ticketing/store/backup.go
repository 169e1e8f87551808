package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrBackupPostgres says how to copy a PostgreSQL database.
var ErrBackupPostgres = errors.New("the orders are in PostgreSQL: copy that database with pg_dump, its own tool")

// Backup writes a consistent copy of the SQLite database to path while it is in
// use. Orders, logs, pending facts and the applied position of every site are of
// one moment. The file must not exist; it is on disk when Backup returns.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.sqlite == "" {
		return ErrBackupPostgres
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("back up orders to %s: the file exists", path)
	}
	// VACUUM INTO reads one snapshot and needs no lock that writers would feel. It
	// has a connection of its own: the readers' pool refuses to write anywhere.
	db, err := sql.Open("sqlite", s.sqlite)
	if err == nil {
		_, err = db.ExecContext(ctx, `VACUUM INTO $1`, path)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return fmt.Errorf("back up orders to %s: %w", path, err)
	}
	return errors.Join(syncPath(path), syncPath(filepath.Dir(path)))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
