package daemon

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/ticketing/store"
)

// Names in a backup, in the order in which they are written.
const (
	backupOrders  = "orders.db"
	backupJournal = "journal"
)

// Backup writes journal, checkpoints and work orders as one consistent copy (a
// tar file) while the daemon works. Checkpoints are copied first, then the
// orders, then the records: so neither is ahead of the records, and a restored
// daemon repeats from the checkpoint what the orders already know.
func (d *Daemon) Backup(ctx context.Context, w io.Writer) error {
	return backup(ctx, d.journal, d.orders, d.opts.Settings.Data, w)
}

// BackupStopped does the same for a data directory in which no daemon runs.
func BackupStopped(ctx context.Context, s *configs.Settings, log *slog.Logger, w io.Writer) error {
	unlock, err := lock(s.Data)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(s.Data, "journal")); err != nil {
		return fmt.Errorf("nothing to back up in %s: %w", s.Data, err)
	}
	j, err := journal.Open(journal.Config{Dir: filepath.Join(s.Data, "journal"), Log: log, Reserve: -1})
	if err != nil {
		return err
	}
	defer j.Close()
	orders, err := store.Open(ctx, store.Config{URL: databaseURL(s)})
	if err != nil {
		return err
	}
	defer orders.Close()
	return backup(ctx, j, orders, s.Data, w)
}

func databaseURL(s *configs.Settings) string {
	if url := string(s.Database.URL); url != "" {
		return url
	}
	return "sqlite:" + filepath.Join(s.Data, backupOrders)
}

func backup(ctx context.Context, j *journal.Journal, orders *store.Store, dir string, w io.Writer) error {
	tmp, err := os.MkdirTemp(dir, "backup-")
	if err != nil {
		return fmt.Errorf("make room for the backup: %w", err)
	}
	defer os.RemoveAll(tmp)
	records, err := os.Create(filepath.Join(tmp, backupJournal))
	if err != nil {
		return fmt.Errorf("make room for the backup: %w", err)
	}
	defer records.Close()
	_, err = j.Backup(ctx, records, func(ctx context.Context) error {
		return orders.Backup(ctx, filepath.Join(tmp, backupOrders))
	})
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	tw := tar.NewWriter(w)
	for _, name := range []string{backupOrders, backupJournal} {
		if err := addFile(tw, filepath.Join(tmp, name), name); err != nil {
			return fmt.Errorf("write %s to the backup: %w", name, err)
		}
	}
	return tw.Close()
}

func addFile(tw *tar.Writer, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

// Restore fills an empty data directory from a backup.
func Restore(ctx context.Context, s *configs.Settings, log *slog.Logger, r io.Reader) error {
	if s.Database.URL != "" {
		return errors.New("the orders are in PostgreSQL: restore that database with pg_restore, and the journal into an empty data directory without database.url")
	}
	entries, err := os.ReadDir(s.Data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: restore into an empty data directory, so that nothing is overwritten", s.Data)
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return err
	}
	seen := 0
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the backup: %w", err)
		}
		switch h.Name {
		case backupOrders:
			err = writeFile(filepath.Join(s.Data, backupOrders), tr)
		case backupJournal:
			_, err = journal.Restore(ctx, journal.Config{Dir: filepath.Join(s.Data, "journal"), Log: log, Reserve: -1}, tr)
		default:
			err = fmt.Errorf("this is not a backup of facilityd: it holds %q", h.Name)
		}
		if err != nil {
			return fmt.Errorf("restore %s: %w", h.Name, err)
		}
		seen++
	}
	if seen != 2 {
		return errors.New("the backup is not whole: it needs orders and journal")
	}
	return nil
}

func writeFile(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
