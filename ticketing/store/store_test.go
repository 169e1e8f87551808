package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/rules"
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

// A backup is of one moment, whatever is written meanwhile, and goes on from
// there.
func TestBackupOfARunningStoreIsOfOneMoment(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{URL: "sqlite:" + filepath.Join(dir, "orders.db")})
	defer s.Close()
	if _, err := s.Begin(t.Context(), "demo", 1); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan uint64)
	go func() {
		seq := uint64(0)
		defer func() { stopped <- seq }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			seq++
			step := storetest.Step(fmt.Sprintf("pump-%d", seq), "motor.overload", seq, seq, rules.Active, rules.Medium)
			if err := s.ApplyTransitions(t.Context(), "demo", 1, seq, storetest.T0, []rules.Transition{step}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var last uint64
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("copy-%d.db", i))
		if err := s.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if err := s.Backup(t.Context(), path); err == nil {
			t.Error("a backup overwrote a file")
		}
		copied := open(t, store.Config{URL: "sqlite:" + path})
		storetest.CheckWhole(t, copied)
		p, err := copied.Position(t.Context(), "demo")
		if err != nil || p.Seq < last {
			t.Errorf("copy %d is at %d, the one before at %d, %v", i, p.Seq, last, err)
		}
		last = p.Seq
		if _, err := copied.Order(t.Context(), fmt.Sprintf("demo-%d", p.Seq)); p.Seq > 0 && err != nil {
			t.Errorf("the order of the position is not in the copy: %v", err)
		}
		next := storetest.Step("pump-new", "motor.overload", p.Seq+1, p.Seq+1, rules.Active, rules.Medium)
		if _, err := copied.Begin(t.Context(), "demo", 2); err != nil {
			t.Error(err)
		}
		if err := copied.ApplyTransitions(t.Context(), "demo", 2, p.Seq+1, storetest.T0, []rules.Transition{next}); err != nil {
			t.Errorf("the copy does not go on: %v", err)
		}
		copied.Close()
	}
	close(stop)
	if n := <-stopped; n < last {
		t.Errorf("the store is at %d, a copy at %d", n, last)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for url, says := range map[string]string{
		"mysql://me:secret@host/db": "sqlite:PATH or postgres://", "sqlite:" + filepath.Join(t.TempDir(), "no", "such", "dir", "x.db"): "unable to open database file",
		"postgres://me:secret@127.0.0.1:1/none?connect_timeout=1": "connect",
	} {
		_, err := store.Open(t.Context(), store.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestBackupOfPostgreSQLSaysHow(t *testing.T) {
	s := open(t, store.Config{URL: storetest.StartPostgres(t).URL(t)})
	defer s.Close()
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrBackupPostgres) {
		t.Error(err)
	}
}
