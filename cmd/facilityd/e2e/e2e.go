// Package e2e drives the built program as its users do: it starts the binary,
// reads what it prints, asks its API, kills it, starts it again. It knows nothing
// of the code inside, so that what it proves holds for what is shipped. Its tests
// are the promises that only a whole, running daemon can keep.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// patience bounds every wait of the tests. It is long because machines that run
// tests are busy; nothing waits longer than it needs.
const patience = 2 * time.Minute

// Build builds the program without the race detector, as it is shipped, into dir.
func Build(dir string) (string, error) {
	path := filepath.Join(dir, "facilityd")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/facilityd/facilityd/cmd/facilityd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build facilityd: %w\n%s", err, out)
	}
	return path, nil
}

// Daemon is a run of the program that serves until it is stopped or killed.
type Daemon struct {
	// Token is the person's that requests are made with, "" for nobody's.
	Token string

	tb      testing.TB
	program string
	args    []string

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{}
	failure error             // how the process ended, after exited is closed
	address map[string]string // listener → URL, as printed
	log     bytes.Buffer      // of all runs
}

// Start runs the program with the arguments and returns when it says that it is
// ready. The process ends with the test.
func Start(tb testing.TB, program string, args ...string) *Daemon {
	tb.Helper()
	d := &Daemon{tb: tb, program: program, args: args}
	tb.Cleanup(func() {
		d.Kill()
		if tb.Failed() {
			tb.Logf("facilityd said:\n%s", d.Log())
		}
	})
	d.Restart()
	return d
}

// Restart starts the program again after Stop or Kill, and waits until it is ready.
func (d *Daemon) Restart() {
	d.tb.Helper()
	d.Launch()
	d.WaitReady()
}

// Launch starts the program and does not wait for it.
func (d *Daemon) Launch() {
	d.tb.Helper()
	cmd := exec.Command(d.program, d.args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		d.tb.Fatal(err)
	}
	cmd.Stderr = (*lockedLog)(d)
	if err := cmd.Start(); err != nil {
		d.tb.Fatal(err)
	}
	exited := make(chan struct{})
	d.mu.Lock()
	d.cmd, d.exited, d.failure, d.address = cmd, exited, nil, make(map[string]string)
	d.mu.Unlock()
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			d.mu.Lock()
			d.log.WriteString(lines.Text() + "\n")
			// One line per listener: "board  http://127.0.0.1:8080".
			if f := strings.Fields(lines.Text()); len(f) >= 2 && strings.Contains(f[1], "://") {
				d.address[f[0]] = f[1]
			}
			d.mu.Unlock()
		}
		err := cmd.Wait()
		d.mu.Lock()
		d.failure = err
		d.mu.Unlock()
		close(exited)
	}()
}

// WaitReady waits until the daemon says on /readyz that it is.
func (d *Daemon) WaitReady() {
	d.tb.Helper()
	d.Until("facilityd is ready", func() bool {
		board := d.Address("board")
		if board == "" {
			return false
		}
		status, _, err := d.get("/readyz")
		return err == nil && status == http.StatusOK
	})
}

// Until polls for a condition, and fails the test when it does not come true in
// time or the daemon ends meanwhile.
func (d *Daemon) Until(what string, ok func() bool) {
	d.tb.Helper()
	d.mu.Lock()
	exited := d.exited
	d.mu.Unlock()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			d.tb.Fatalf("%s: not after %v", what, patience)
		case <-exited:
			d.mu.Lock()
			failure := d.failure
			d.mu.Unlock()
			d.tb.Fatalf("%s: facilityd ended before: %v", what, failure)
		case <-every.C:
		}
	}
}

// Kill ends the program by SIGKILL, as a power cut would, and waits for its end.
func (d *Daemon) Kill() { _ = d.end(syscall.SIGKILL) }

// Stop ends the program by SIGTERM and returns how it ended: nil for exit status 0.
func (d *Daemon) Stop() error { return d.end(syscall.SIGTERM) }

// Signal sends a signal.
func (d *Daemon) Signal(sig os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd != nil {
		_ = d.cmd.Process.Signal(sig)
	}
}

func (d *Daemon) end(sig syscall.Signal) error {
	d.mu.Lock()
	cmd, exited := d.cmd, d.exited
	d.cmd = nil
	d.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-exited:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-exited
		return errors.New("did not end in time and was killed")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failure
}

// PID returns the process id, 0 when it does not run.
func (d *Daemon) PID() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil {
		return 0
	}
	return d.cmd.Process.Pid
}

// Address returns the URL of a listener ("board", "mqtt"), "" until it is printed.
func (d *Daemon) Address(listener string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.address[listener]
}

// Log returns what the program has printed, in all its runs.
func (d *Daemon) Log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

type lockedLog Daemon

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

// A redirect is an answer like others.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// get asks the board's listener.
func (d *Daemon) get(path string) (status int, body []byte, err error) {
	resp, body, err := d.ask(http.MethodGet, path, nil, nil)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, body, nil
}

// ask makes one request of the board's listener and reads the whole answer.
func (d *Daemon) ask(method, path string, head http.Header, in []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, d.Address("board")+path, bytes.NewReader(in))
	if err != nil {
		return nil, nil, err
	}
	if head != nil {
		req.Header = head
	}
	if d.Token != "" {
		req.Header.Set("Authorization", "Bearer "+d.Token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// Command gives a command to an order, as a person's program would, and returns
// the answer.
func (d *Daemon) Command(order, verb, key string, body map[string]any) (*http.Response, []byte) {
	d.tb.Helper()
	in, err := json.Marshal(body)
	if err != nil {
		d.tb.Fatal(err)
	}
	head := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {key}}
	resp, answer, err := d.ask(http.MethodPost, "/api/v1/work-orders/"+order+"/"+verb, head, in)
	if err != nil {
		d.tb.Fatal(err)
	}
	return resp, answer
}

// Get reads a JSON answer of the API.
func (d *Daemon) Get(path string, into any) {
	d.tb.Helper()
	status, body, err := d.get(path)
	if err != nil {
		d.tb.Fatal(err)
	}
	if status != http.StatusOK {
		d.tb.Fatalf("GET %s: %d\n%s", path, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		d.tb.Fatalf("GET %s: %v\n%s", path, err, body)
	}
}

// All reads a whole list of the API, page by page.
func All[T any](d *Daemon, path string, query url.Values) []T {
	d.tb.Helper()
	if query == nil {
		query = make(url.Values)
	}
	query.Set("limit", "500")
	var all []T
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		d.Get(path+"?"+query.Encode(), &page)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		query.Set("cursor", page.Next)
	}
}

// Metrics reads all metrics.
func (d *Daemon) Metrics() map[string]*dto.MetricFamily {
	d.tb.Helper()
	status, body, err := d.get("/metrics")
	if err != nil || status != http.StatusOK {
		d.tb.Fatalf("GET /metrics: %d, %v\n%s", status, err, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		d.tb.Fatalf("read metrics: %v", err)
	}
	return families
}

// Metric returns the sum of a counter's or gauge's series, of those with the
// labels given; 0 when there is none.
func (d *Daemon) Metric(name string, labels ...string) float64 {
	d.tb.Helper()
	family, ok := d.Metrics()[name]
	if !ok {
		return 0
	}
	sum := 0.0
	for _, m := range family.Metric {
		if hasLabels(m, labels) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

// hasLabels reports whether a series has the labels: name, value, name, value, ….
func hasLabels(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		found := false
		for _, l := range m.Label {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}
