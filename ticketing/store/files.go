package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// putFile keeps the content of an attachment. The same content twice is kept
// once and counts once against the budget.
func (s *Store) putFile(ctx context.Context, tx *sql.Tx, a *ticketing.Attachment, content []byte, now time.Time) error {
	there, err := exists(ctx, tx, `SELECT 1 FROM files WHERE hash = $1`, a.Hash)
	if err != nil || there {
		return err
	}
	var used int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(SUM(size), 0) FROM files`).Scan(&used); err != nil {
		return fmt.Errorf("add up the files: %w", err)
	}
	if used+int64(len(content)) > s.cfg.FileBudget {
		return &ticketing.InvalidError{Field: "file", Code: "budget", Message: fmt.Sprintf("there is no room for more files: %d MB of %d MB are used", used>>20, s.cfg.FileBudget>>20)}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO files (hash, type, size, created, data) VALUES ($1, $2, $3, $4, $5)`,
		a.Hash, a.Type, int64(len(content)), now.UnixNano(), content)
	if err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	return nil
}

// File returns the content of an attachment of an order and what it is;
// [ticketing.ErrNotFound] when the order has none of that hash.
func (s *Store) File(ctx context.Context, order, hash string) (*ticketing.Attachment, []byte, error) {
	log, err := s.Log(ctx, order, 0)
	if err != nil {
		return nil, nil, err
	}
	for i := range log {
		a := log[i].Attachment
		if a == nil || a.Hash != hash {
			continue
		}
		var data []byte
		err := s.read.QueryRowContext(ctx, `SELECT data FROM files WHERE hash = $1`, hash).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read file: %w", err)
		}
		return a, data, nil
	}
	return nil, nil, fmt.Errorf("file %s: %w", hash, ticketing.ErrNotFound)
}
