package store_test

import (
	"path/filepath"
	"testing"

	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T, cfg store.Config) *store.Store {
		cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "or ders?.db")
		return open(t, cfg)
	})
}

func TestPostgreSQL(t *testing.T) {
	server := storetest.StartPostgres(t)
	storetest.Run(t, func(t *testing.T, cfg store.Config) *store.Store {
		cfg.URL = server.URL(t)
		return open(t, cfg)
	})
}

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
