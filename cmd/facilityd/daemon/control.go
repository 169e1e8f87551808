package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/ticketing/board"
)

// The control socket is how commands on the same machine talk to the running
// daemon. It lies in the data directory and only its owner may open it.
const controlSocket = "control.sock"

type control struct {
	net.Listener
	server *http.Server
}

func (c *control) open(d *Daemon, opened *closers) error {
	path := filepath.Join(d.opts.Settings.Data, controlSocket)
	_ = os.Remove(path) // left by a killed daemon; the directory is ours
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return fmt.Errorf("open control socket: %w", err)
	}
	opened.add("control socket", func() error {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		if err := d.Reload(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("POST /coverage", func(w http.ResponseWriter, _ *http.Request) {
		var sum profile.Coverage
		for _, site := range slices.Sorted(maps.Keys(d.chains)) {
			sum.Add(d.chains[site].coverage())
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(sum) // the reader is gone when this fails
	})
	mux.HandleFunc("POST /adopt", func(w http.ResponseWriter, r *http.Request) {
		a := board.Adoption{Site: r.FormValue("site"), Device: r.FormValue("device"), Asset: r.FormValue("asset")}
		if err := d.adoptNamed(r.Context(), a, r.FormValue("by")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		counted := &countingWriter{w: w}
		if err := d.Backup(r.Context(), counted); err != nil {
			if counted.n == 0 {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			panic(http.ErrAbortHandler) // the copy is not whole: the reader must see that
		}
	})
	mux.HandleFunc("POST /backtest", d.serveBacktest)
	mux.HandleFunc("POST /redecode", d.serveRedecode)
	c.Listener = ln
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return nil
}

func (c *control) serve(ctx context.Context) error {
	go func() { _ = c.server.Serve(c.Listener) }()
	<-ctx.Done()
	return c.server.Close()
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// ErrNotRunning says that no daemon works in a data directory.
var ErrNotRunning = errors.New("no facilityd is running in this data directory")

// Ask sends a request to the daemon that runs in a data directory and copies
// what it answers.
func Ask(ctx context.Context, data, request string, answer io.Writer) error {
	return ask(ctx, data, request, nil, answer)
}

func ask(ctx context.Context, data, request string, body []byte, answer io.Writer) error {
	path := filepath.Join(data, controlSocket)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", path)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://facilityd/"+request, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		if _, refused := errors.AsType[*net.OpError](err); refused {
			return fmt.Errorf("%w: %s", ErrNotRunning, data)
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return errors.New(strings.TrimSpace(string(text)))
	}
	_, err = io.Copy(answer, resp.Body)
	return err
}
