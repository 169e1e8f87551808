package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

var personID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// AddPerson makes a person and a token. The token is returned this once: only
// its hash is kept. An id that is there already gets a new token, and the old
// one stops working.
func (s *Store) AddPerson(ctx context.Context, p ticketing.Person, now time.Time) (token string, err error) {
	if !personID.MatchString(p.ID) || p.ID == "rules" || p.ID == "clock" {
		return "", &ticketing.InvalidError{Field: "id", Code: "id", Message: "use lower-case letters, digits, dot, dash and underscore, beginning with a letter or digit"}
	}
	if p.Name == "" {
		p.Name = p.ID
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	token = "fd_" + base64.RawURLEncoding.EncodeToString(secret)
	_, err = s.write.ExecContext(ctx, `INSERT INTO persons (id, name, lang, token_hash, created, revoked)
		VALUES ($1, $2, $3, $4, $5, 0)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, lang = excluded.lang, token_hash = excluded.token_hash, revoked = 0`,
		p.ID, p.Name, p.Lang, hashToken(token), now.UnixNano())
	if err != nil {
		return "", fmt.Errorf("add person %s: %w", p.ID, err)
	}
	return token, nil
}

// RevokePerson makes the person's token useless. What they did stays in the logs.
func (s *Store) RevokePerson(ctx context.Context, id string, now time.Time) error {
	r, err := s.write.ExecContext(ctx, `UPDATE persons SET revoked = $2 WHERE id = $1 AND revoked = 0`, id, now.UnixNano())
	if err != nil {
		return fmt.Errorf("revoke person %s: %w", id, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("person %s with a good token: %w", id, ticketing.ErrNotFound), err)
	}
	return nil
}

// hashToken needs no salt and no slow hash: a token has 256 random bits.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

const selectPerson = `SELECT id, name, lang, created, revoked FROM persons`

func scanPerson(rows *sql.Rows) (ticketing.Person, error) {
	var p ticketing.Person
	var created, revoked int64
	err := rows.Scan(&p.ID, &p.Name, &p.Lang, &created, &revoked)
	p.Created, p.Revoked = fromNanos(created), fromNanos(revoked)
	return p, err
}

// Persons lists everybody by id.
func (s *Store) Persons(ctx context.Context) ([]ticketing.Person, error) {
	list, err := collect(ctx, s.read, scanPerson, selectPerson+` ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list persons: %w", err)
	}
	return list, nil
}

// PersonByToken finds who holds a token; [ticketing.ErrNotFound] when nobody
// does, or not any more.
func (s *Store) PersonByToken(ctx context.Context, token string) (ticketing.Person, error) {
	return s.person(ctx, `token_hash = $1 AND revoked = 0`, hashToken(token))
}

// Person finds a person by id.
func (s *Store) Person(ctx context.Context, id string) (ticketing.Person, error) {
	return s.person(ctx, `id = $1`, id)
}

func (s *Store) person(ctx context.Context, cond, arg string) (ticketing.Person, error) {
	list, err := collect(ctx, s.read, scanPerson, selectPerson+` WHERE `+cond, arg)
	if err != nil {
		return ticketing.Person{}, fmt.Errorf("look up person: %w", err)
	}
	if len(list) == 0 {
		return ticketing.Person{}, fmt.Errorf("person: %w", ticketing.ErrNotFound)
	}
	return list[0], nil
}

func knownPerson(ctx context.Context, tx *sql.Tx, id string) error {
	ok, err := exists(ctx, tx, `SELECT 1 FROM persons WHERE id = $1 AND revoked = 0`, id)
	if err != nil {
		return fmt.Errorf("look up person: %w", err)
	}
	if !ok {
		return &ticketing.InvalidError{Field: "person", Code: "person_unknown", Message: fmt.Sprintf("%q is not a person here", id)}
	}
	return nil
}
