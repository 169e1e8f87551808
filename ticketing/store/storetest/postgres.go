// Package storetest is the conformance suite of the order store: every case runs
// on SQLite and on a real PostgreSQL that the suite starts itself.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// A Postgres is a real server on a free loopback port, for one test.
type Postgres struct {
	port  int
	admin *sql.DB
	count atomic.Int32
}

// StartPostgres starts a server with Debian's binaries in a directory of its own
// and stops it at the end of the test. Flushing is off: these tests are about
// the queries, not about power cuts.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(bins) == 0 {
		t.Fatal("no PostgreSQL server on this machine: apt-get install postgresql")
	}
	slices.Sort(bins)
	bin := filepath.Dir(bins[len(bins)-1])
	dir, err := os.MkdirTemp("", "facilityd-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	run := asPostgres(t, dir)
	data := filepath.Join(dir, "data")
	if out, err := run(exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p := &Postgres{port: freePort(t)}
	cmd := run(exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200"))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if p.admin != nil {
			p.admin.Close()
		}
		cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		<-ended
		log.Close()
	})
	if p.admin, err = sql.Open("pgx", p.url("postgres")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for p.admin.PingContext(ctx) != nil {
		select {
		case err := <-ended:
			out, _ := os.ReadFile(log.Name())
			ended <- err
			t.Fatalf("PostgreSQL ended: %v\n%s", err, out)
		case <-ctx.Done():
			t.Fatal("PostgreSQL did not become ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return p
}

// asPostgres lets commands run as the user postgres when the test is root, which
// the server refuses to be.
func asPostgres(t testing.TB, dir string) func(*exec.Cmd) *exec.Cmd {
	if os.Geteuid() != 0 {
		return func(c *exec.Cmd) *exec.Cmd { return c }
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("the test is root and there is no user postgres to run the server as: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return func(c *exec.Cmd) *exec.Cmd {
		c.Dir = dir
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return c
	}
}

func (p *Postgres) url(db string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.port, db)
}

// URL makes an empty database and returns its address.
func (p *Postgres) URL(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", p.count.Add(1))
	if _, err := p.admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return p.url(name)
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
