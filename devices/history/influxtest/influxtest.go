// Package influxtest runs a real InfluxDB for tests: version 1.8.10 with its v2
// API and Flux, on a free loopback port, with its data in a temporary directory.
//
// The program is built once by "make influxd" (part of "make test") into the
// user's cache directory. It is pure Go and takes about two and a half minutes to
// build on two cores.
package influxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"
)

// Version of InfluxDB that the tests run.
const Version = "1.8.10"

// readyWithin bounds the wait for the server; it takes 3 to 5 s on an idle
// machine of two cores.
const readyWithin = 2 * time.Minute

const user, password = "facilityd", "not-a-secret"

// Org is accepted by the server and ignored.
const Org = "tests"

// Server is a running InfluxDB.
type Server struct {
	URL   string
	Token string // may do everything

	dir       string
	port      int
	databases int
	mu        sync.Mutex
	process   *exec.Cmd
	output    *bytes.Buffer
	exited    chan struct{}
}

// Start runs a server until the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := Launch(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// Launch runs a server with its data in dir, for a TestMain that shares one
// between tests. Stop ends it.
func Launch(dir string) (*Server, error) {
	var err error
	// Another process may take the port between finding and using it.
	for range 5 {
		s := &Server{dir: dir, Token: user + ":" + password}
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
		s.URL = fmt.Sprintf("http://127.0.0.1:%d", s.port)
		if err = s.start(); err == nil {
			return s, s.setup()
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, err
}

// Binary returns the path of the server program, or an error that says how to
// get it.
func Binary() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	path := filepath.Join(cache, "facilityd-tests", "influxd-"+Version)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no InfluxDB at %s: build it once with \"make influxd\"", path)
	}
	return path, nil
}

var settings = template.Must(template.New("influxd.conf").Parse(`
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{{.Dir}}/meta"
[data]
  dir = "{{.Dir}}/data"
  wal-dir = "{{.Dir}}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{{.Port}}"
  auth-enabled = true
  flux-enabled = true
  log-enabled = false
  suppress-write-log = true
[monitor]
  store-enabled = false
[continuous_queries]
  enabled = false
[logging]
  level = "error"
`))

// Restart starts the server again after Stop, on the same port with the same data.
func (s *Server) Restart() error { return s.start() }

func (s *Server) start() error {
	program, err := Binary()
	if err != nil {
		return err
	}
	var conf bytes.Buffer
	if err := settings.Execute(&conf, map[string]any{"Dir": s.dir, "Port": s.port}); err != nil {
		return err
	}
	file := filepath.Join(s.dir, "influxd.conf")
	if err := os.WriteFile(file, conf.Bytes(), 0o600); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	output := new(bytes.Buffer)
	cmd := exec.Command(program, "run", "-config", file)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start InfluxDB: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process, s.output, s.exited = cmd, output, exited

	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-exited:
			return fmt.Errorf("InfluxDB ended at once: %s", output)
		case <-ctx.Done():
			s.stop()
			return fmt.Errorf("InfluxDB was not ready after %v: %s", readyWithin, output)
		case <-every.C:
		}
		if s.ready(ctx) {
			return nil
		}
	}
}

func (s *Server) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/health", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Stop ends the server; what it confirmed stays in its directory. Stopping twice
// is stopping once.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

func (s *Server) stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(os.Interrupt)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		_ = s.process.Process.Kill()
		<-s.exited
	}
	s.process = nil
}

// setup creates the user that every request needs, so that a wrong token is told
// from a right one.
func (s *Server) setup() error {
	return s.influxQL(fmt.Sprintf("CREATE USER %s WITH PASSWORD '%s' WITH ALL PRIVILEGES", user, password))
}

// Bucket creates an empty bucket and returns its name.
func (s *Server) Bucket(tb testing.TB) string {
	tb.Helper()
	return s.create(tb, "")
}

// ShortBucket creates an empty bucket that refuses what is older than keep ("2h";
// the server's least is 1h).
func (s *Server) ShortBucket(tb testing.TB, keep string) string {
	tb.Helper()
	return s.create(tb, " WITH DURATION "+keep+" NAME autogen")
}

func (s *Server) create(tb testing.TB, retention string) string {
	tb.Helper()
	s.mu.Lock()
	s.databases++
	name := fmt.Sprintf("db%d", s.databases)
	s.mu.Unlock()
	if err := s.influxQL("CREATE DATABASE " + name + retention); err != nil {
		tb.Fatal(err)
	}
	return name + "/autogen"
}

// influxQL runs a management statement: version 1.8 has no v2 API for them.
func (s *Server) influxQL(statement string) error {
	body := strings.NewReader(url.Values{"q": {statement}}.Encode())
	req, err := http.NewRequest(http.MethodPost, s.URL+"/query", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || strings.Contains(answer.String(), `"error"`) {
		return fmt.Errorf("%s: %s", statement, answer.String())
	}
	return nil
}

// Query runs a Flux script and returns the records of all its tables, each as
// column name to value.
func (s *Server) Query(tb testing.TB, flux string) []map[string]any {
	tb.Helper()
	client := influxdb.NewClient(s.URL, s.Token)
	defer client.Close()
	result, err := client.QueryAPI(Org).Query(tb.Context(), flux)
	if err != nil {
		tb.Fatalf("query InfluxDB: %v\n%s", err, flux)
	}
	defer result.Close()
	var rows []map[string]any
	for result.Next() {
		rows = append(rows, result.Record().Values())
	}
	if result.Err() != nil {
		tb.Fatalf("read the answer of InfluxDB: %v\n%s", result.Err(), flux)
	}
	return rows
}

// Count returns how many values a field has in a bucket, over all series.
func (s *Server) Count(tb testing.TB, bucket, measurement, field string) int {
	tb.Helper()
	rows := s.Query(tb, fmt.Sprintf(`from(bucket: %q) |> range(start: 0, stop: 2100-01-01T00:00:00Z)
	|> filter(fn: (r) => r._measurement == %q and r._field == %q)
	|> group() |> count()`, bucket, measurement, field))
	if len(rows) == 0 {
		return 0
	}
	n, ok := rows[0]["_value"].(int64)
	if !ok {
		tb.Fatal(errors.New("count is not a number"))
	}
	return int(n)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
